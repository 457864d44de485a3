"""The pipeline that takes direction: hints are met, what was seen is kept and never mixed up, and every word counts."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import astronaut, chelsea, coffee
from steered_models import lively_model
from tiny_text_encoder import write_text_encoder
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.errors import ModelError, SettingError, UnavailableError
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.models.steering import Conditions, sample
from autochrome.pipelines import Hint, SteerablePipeline, parse_exemplar, parse_hints, parse_palette
from autochrome.pipelines.conditioning import (
    MAX_CELLS,
    exemplar_to_palette,
    hints_to_tensor,
    palette_to_tensor,
)
from autochrome.pipelines.meeting import draw_to_palette

PHOTO = PIL.Image.fromarray(astronaut()).resize((90, 60)).convert("L").convert("RGB")
RED: dict[str, Any] = {"x": 0.31, "y": 0.42, "color": "#c03030"}
BLUE: dict[str, Any] = {"x": 0.8, "y": 0.7, "color": "#2040a0"}
COLORFUL = PIL.Image.fromarray(coffee()).resize((96, 64))
ASKED: list[dict[str, Any]] = [
    {},
    {"prompt": "a red hat"},
    {"hints": [RED, BLUE]},
    {"palette": "#c03030,#e0d0a0"},
    {"exemplar": COLORFUL},
    {"prompt": "a blue cat", "hints": [RED], "palette": "#2040a0", "exemplar": COLORFUL},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny-steerable"
    save_colorizer(lively_model(), path)
    write_text_encoder(path / "text_encoder")
    return path


@pytest.fixture
def pipeline(folder: Path) -> SteerablePipeline:
    return SteerablePipeline.from_folder(folder)


@contextmanager
def looks(pipeline: SteerablePipeline) -> Iterator[list[torch.Size]]:
    """The sizes of what the backbone has read meanwhile."""
    seen: list[torch.Size] = []
    handle = pipeline.model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    yield seen
    handle.remove()


def pictures(count: int) -> list[PIL.Image.Image]:
    """Others at the same size."""
    rng = np.random.default_rng(0)
    return [PIL.Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)) for _ in range(count)]


def test_the_same_wishes_give_the_same_picture(folder: Path, pipeline: SteerablePipeline) -> None:
    other = SteerablePipeline.from_folder(folder)
    for asked in ASKED:
        first, second, third = pipeline(PHOTO, **asked), pipeline(PHOTO, **asked), other(PHOTO, **asked)
        assert first.images[0].tobytes() == second.images[0].tobytes() == third.images[0].tobytes()
        assert first.images[0].size == PHOTO.size
        assert first.model == "tiny-steerable"
    assert len({pipeline(PHOTO, **asked).images[0].tobytes() for asked in ASKED}) == len(ASKED), "each is heard"


def test_a_result_says_what_was_asked_and_where_it_guesses(pipeline: SteerablePipeline) -> None:
    out = pipeline(PHOTO, **ASKED[-1])
    said = json.loads(out.metadata()["Settings"])
    assert said["hints"] == [RED | {"radius": 0.01}]
    assert said["palette"] == [{"color": "#2040a0", "weight": 1.0}]
    assert said["exemplar"] == parse_exemplar(COLORFUL).to_json()
    assert (said["prompt"], said["guidance_scale"]) == ("a blue cat", 1.5)
    assert "one color" in " ".join(out.notes)
    assert out.expected_error is not None
    assert out.expected_error.shape == (1, 1, *out.ab.shape[2:])
    assert out.expected_error.min() > 0
    out.ab.mul_(0.5)  # an ordinary tensor, which a caller may change
    with looks(pipeline) as seen:
        assert out.render(saturation=0.0).size == PHOTO.size
    assert seen == []


def test_what_was_asked_is_in_the_picture(pipeline: SteerablePipeline) -> None:
    """Even beside an exemplar and at a strong guidance."""
    beside: list[dict[str, Any]] = [{}, {"exemplar": COLORFUL, "prompt": "blue", "guidance_scale": 5.0}]
    for others in beside:
        out = pipeline(PHOTO, hints=[RED, BLUE], **others)
        places = torch.tensor([[[point["x"], point["y"]] for point in (RED, BLUE)]])
        found = sample(out.ab, places)[0]
        expected = torch.tensor([hint.ab for hint in parse_hints([RED, BLUE])])
        torch.testing.assert_close(found, expected, atol=0.5, rtol=0)


def test_of_two_hints_at_one_place_the_later_is_met(pipeline: SteerablePipeline) -> None:
    out = pipeline(PHOTO, hints=[RED, {**RED, "color": "#2040a0"}])
    assert torch.equal(out.ab, pipeline(PHOTO, hints=[{**RED, "color": "#2040a0"}]).ab)
    assert "at one place; the later one wins" in out.notes[0]


def test_a_large_disc_is_given_as_the_cells_it_covers() -> None:
    points = hints_to_tensor([Hint(0.5, 0.5, "#c03030", 0.25)], 40, 60)
    assert points is not None
    assert points.shape[1] == pytest.approx(np.pi * 10**2, rel=0.05)
    torch.testing.assert_close(points[..., 0] * 60 % 1, torch.full_like(points[..., 0], 0.5), atol=1e-3, rtol=0)
    away = (points[0, :, :2] - 0.5) * torch.tensor([1.5, 1.0])
    assert away.norm(dim=-1).max() < 0.25 + 0.5 / 40
    expected = torch.tensor(Hint(0, 0, "#c03030").ab) / AB_SCALE
    torch.testing.assert_close(points[..., 2:4], expected.expand_as(points[..., 2:4]), atol=1e-3, rtol=0)
    assert (points[..., 5] == 1).all()


@pytest.mark.parametrize(("height", "width"), [(48, 48), (128, 128), (64, 256)])
def test_as_many_hints_as_allowed_stay_within_bounds(height: int, width: int) -> None:
    """The decoder compares every point with every cell: a page full of strokes must not cost gigabytes."""
    rng = np.random.default_rng(0)
    many = [Hint(float(x), float(y), "#c03030") for x, y in rng.random((10_000, 2))]
    points = torch.empty(0)
    for asked in (many, [Hint(0.5, 0.5, "#2040a0", 0.5)], [*many, Hint(0.25, 0.5, "#2040a0", 0.25)]):
        found = hints_to_tensor(asked, height, width)
        assert found is not None
        points = found[0]
        assert 100 < len(points) <= MAX_CELLS
        assert points[:, :2].min() > 0
        assert points[:, :2].max() < 1
    last = points[(points[:, :2] - torch.tensor([0.25, 0.5])).norm(dim=1) < 0.05]
    assert len(last) > 2
    torch.testing.assert_close(last[:, 2:4], torch.tensor(Hint(0, 0, "#2040a0").ab).expand(len(last), 2) / AB_SCALE)


def test_ten_thousand_hints_are_drawn(pipeline: SteerablePipeline) -> None:
    rng = np.random.default_rng(0)
    many = [{"x": x, "y": y, "color": "#c03030"} for x, y in rng.random((10_000, 2)).tolist()]
    out = pipeline(PHOTO, hints=many)
    torch.testing.assert_close(out.ab.mean(dim=(0, 2, 3)), torch.tensor(Hint(0, 0, "#c03030").ab), atol=2.0, rtol=0)


def test_guidance_multiplies_what_words_change(pipeline: SteerablePipeline) -> None:
    plain = pipeline(PHOTO).ab
    once = pipeline(PHOTO, prompt="a red hat", guidance_scale=1.0).ab
    assert (once - plain).abs().max() > 0.5
    for scale in (0.0, 1.5, 3.0):
        found = pipeline(PHOTO, prompt="a red hat", guidance_scale=scale).ab
        expected = (plain + scale * (once - plain)).clamp(-AB_SCALE, AB_SCALE)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
    hinted = [pipeline(PHOTO, hints=[RED], guidance_scale=scale).ab for scale in (1.0, 5.0)]
    assert torch.equal(*hinted)


def test_a_persons_palette_goes_before_the_exemplars(pipeline: SteerablePipeline) -> None:
    both = pipeline(PHOTO, palette="#c03030,#e0d0a0", exemplar=COLORFUL)
    assert not torch.equal(both.ab, pipeline(PHOTO, palette="#2040a0,#e0d0a0", exemplar=COLORFUL).ab)


def test_the_result_is_led_towards_a_persons_palette_only(pipeline: SteerablePipeline) -> None:
    """Of an exemplar that has nothing in common with the picture, the palette is told to the network, and no more."""
    unrelated = PIL.Image.new("RGB", (64, 64), "#c03030")
    unrelated.paste("#2040a0", (32, 0, 64, 64))
    seen = pipeline.look(PHOTO, 12)
    theirs = exemplar_to_palette(parse_exemplar(unrelated))
    told = pipeline.model.decode(seen.features, Conditions(palette=theirs))[:, :2].clamp(-1, 1) * AB_SCALE
    torch.testing.assert_close(pipeline(PHOTO, exemplar=unrelated).ab, told, atol=1e-3, rtol=1e-4)
    own = pipeline(PHOTO, hints=[BLUE]).images[0]  # colors that this network, which has learnt nothing, comes near to
    palette = ["#" + own.crop((x, 30, x + 1, 31)).tobytes().hex() for x in (10, 30, 50, 70)]
    colors = palette_to_tensor(parse_palette(palette))
    assert colors is not None
    raw = pipeline.model.decode(seen.features, Conditions(palette=colors))[:, :2]
    led = draw_to_palette(raw, colors, seen.lightness).clamp(-1, 1) * AB_SCALE
    torch.testing.assert_close(pipeline(PHOTO, palette=palette).ab, led, atol=1e-3, rtol=1e-4)
    assert (led - raw.clamp(-1, 1) * AB_SCALE).abs().max() > 1


def test_palettes_have_the_colors_weights_and_no_order() -> None:
    palette = palette_to_tensor(parse_palette([{"color": "#ff0000", "weight": 3}, "#0000ff"]))
    assert palette is not None
    blue, red = palette[0]
    assert red.tolist() == pytest.approx([80.1 / 110, 67.2 / 110, 0.532, 0.75], abs=1e-3)
    assert blue[3] == pytest.approx(0.25)
    assert palette_to_tensor(()) is None
    half = PIL.Image.new("RGB", (100, 50), "#ff0000")
    half.paste("#0000ff", (0, 0, 25, 50))
    of_exemplar = exemplar_to_palette(parse_exemplar(half))
    assert of_exemplar[..., 3].sum().item() == pytest.approx(1)
    largest = of_exemplar[0, of_exemplar[0, :, 3].argmax()]
    torch.testing.assert_close(largest, red, atol=0.03, rtol=0)


def test_an_exemplar_in_grey_is_refused_with_the_reason(pipeline: SteerablePipeline) -> None:
    with looks(pipeline) as seen, pytest.raises(SettingError, match="the exemplar is grey: 99 of 100 of its pixels"):
        pipeline(COLORFUL, exemplar=PHOTO)
    assert seen == []


def test_a_setting_of_another_model_is_refused(pipeline: SteerablePipeline) -> None:
    with pytest.raises(SettingError, match="tiny-steerable takes no steps; its settings are: merge_lightness"):
        pipeline(PHOTO, steps=20)
    with pytest.raises(SettingError, match="hint 0 is outside the picture"):
        pipeline(PHOTO, hints=[{**RED, "x": 2}])


def test_a_prompt_too_long_to_be_read_is_told(pipeline: SteerablePipeline) -> None:
    text = "red " * 62 + "blue hat"
    out = pipeline(PHOTO, prompt=text)
    assert out.notes == ("The prompt is longer than what is read; this was left out: blue hat",)
    assert torch.equal(out.ab, pipeline(PHOTO, prompt="red " * 62).ab)
    assert pipeline(PHOTO, prompt="red " * 62).notes == ()
    assert torch.equal(pipeline(PHOTO, prompt="  ").ab, pipeline(PHOTO).ab)


def test_a_further_direction_does_not_look_again(pipeline: SteerablePipeline) -> None:
    with looks(pipeline) as seen:
        for asked in (*ASKED[:4], {"saturation": 2.0}, {"hints": [BLUE]}):
            pipeline(PHOTO, **asked)
        assert len(seen) == 1
        pipeline(PHOTO, **ASKED[4])
        pipeline(PHOTO, **ASKED[5])
        assert len(seen) == 2, "the exemplar is a second picture"
        pipeline(PHOTO, render_factor=8)
        assert len(seen) == 3


def test_what_was_seen_is_never_anothers(folder: Path) -> None:
    """In whatever order pictures, sizes and working sizes come."""
    kept = SteerablePipeline.from_folder(folder)
    photo = pictures(1)[0]
    shown = [photo, photo.rotate(180), photo.resize((30, 80)), photo.convert("RGBA")]
    jobs = [(picture, factor) for picture in shown for factor in (7, 9)]
    expected = [SteerablePipeline.from_folder(folder)(p, render_factor=f, hints=[RED]).ab for p, f in jobs]
    for index in np.random.default_rng(0).integers(0, len(jobs), 14):
        picture, factor = jobs[index]
        assert torch.equal(kept(picture, render_factor=factor, hints=[RED]).ab, expected[index])


def test_only_the_last_pictures_are_kept(pipeline: SteerablePipeline) -> None:
    shown = pictures(10)
    with looks(pipeline) as seen:
        for photo in (*shown, *shown[2:]):
            pipeline(photo, render_factor=7)
        assert len(seen) == 10, "eight are kept"
        pipeline(shown[0], render_factor=7)
        pipeline(shown[2], render_factor=7)
        assert len(seen) == 12, "the oldest made room"


def test_many_may_ask_at_once(folder: Path, pipeline: SteerablePipeline) -> None:
    shown = pictures(5)
    jobs = [(shown[index % 5], ASKED[index % len(ASKED)]) for index in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: pipeline(job[0], render_factor=7, **job[1]).ab, jobs))
    alone = SteerablePipeline.from_folder(folder)
    for (photo, asked), ab in zip(jobs, found, strict=True):
        torch.testing.assert_close(ab, alone(photo, render_factor=7, **asked).ab, atol=1e-3, rtol=1e-4)


def test_transparency_stays(pipeline: SteerablePipeline) -> None:
    photo = PHOTO.convert("RGBA")
    photo.putalpha(77)
    result = pipeline(photo, hints=[RED]).images[0]
    assert (result.mode, result.getpixel((3, 3))[3]) == ("RGBA", 77)  # type: ignore[index]


def test_a_model_without_words_says_so(folder: Path, tmp_path: Path) -> None:
    dumb = SteerablePipeline(lively_model())
    assert dumb(PHOTO, hints=[RED]).model == "steerable"
    with pytest.raises(ModelError, match="steerable has no text encoder and cannot read a prompt"):
        dumb(PHOTO, prompt="red")
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(folder / name, tmp_path / name)
    with pytest.raises(ModelError, match=r"text_encoder holds no config\.json; a text encoder has it"):
        SteerablePipeline.from_folder(tmp_path)(PHOTO, prompt="red")


def test_models_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ModelError, match="plain takes no directions: its decoder is unet"):
        SteerablePipeline(Colorizer(ColorizerConfig.tiny()), model_id="plain")
    with pytest.raises(UnavailableError, match="the device 'warp' cannot be used here"):
        SteerablePipeline(lively_model(), device="warp")
    broken = lively_model()
    with torch.no_grad():
        broken.get_parameter("decoder.head.bias").fill_(torch.nan)
    with pytest.raises(ModelError, match="steerable gave colors that are not numbers; its weights may be damaged"):
        SteerablePipeline(broken)(PHOTO)


def nearness(ab: Tensor, color: str) -> float:
    return float((ab.mean(dim=(0, 2, 3)) - torch.tensor(Hint(0, 0, color).ab)).norm())


def test_a_photograph_of_odd_size_is_colored(pipeline: SteerablePipeline) -> None:
    cat = PIL.Image.fromarray(chelsea()).convert("L").crop((0, 0, 301, 13))
    out = pipeline(cat, hints=[{**RED, "radius": 0.5}])
    assert out.images[0].size == (301, 13)
    around = slice(round(0.28 * out.ab.shape[3]), round(0.34 * out.ab.shape[3]))
    assert nearness(out.ab[..., around], RED["color"]) < 0.5 * nearness(pipeline(cat).ab[..., around], RED["color"])

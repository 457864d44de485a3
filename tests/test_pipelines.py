"""Pipelines: what comes in, what is refused, and that a result can be trusted and rendered again."""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import astronaut

from autochrome.catalog import Row, load_catalog
from autochrome.color import rgb_to_lab
from autochrome.errors import ModelError, PictureError, SettingError, UnavailableError
from autochrome.image import picture_to_tensor
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import FeedforwardPipeline, Picture

Array = np.ndarray[Any, np.dtype[Any]]


def make_model() -> Colorizer:
    """A tiny network with random weights; the seed makes it the same network every time."""
    torch.manual_seed(0)
    return Colorizer(ColorizerConfig.tiny())


@pytest.fixture(scope="module")
def pipe() -> FeedforwardPipeline:
    return FeedforwardPipeline(make_model(), model_id="tiny", device="cpu")


@pytest.fixture(scope="module")
def photo() -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut()).resize((160, 120)).convert("L").convert("RGB")


def as_array(picture: PIL.Image.Image) -> Array:
    return np.asarray(picture)


def test_result_has_size_color_and_settings(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    out = pipe(photo, render_factor=7)
    assert len(out.images) == 1
    assert (out.images[0].mode, out.images[0].size) == ("RGB", (160, 120))
    assert out.ab.shape[:2] == (1, 2)
    assert out.ab.dtype == torch.float32
    assert out.ab.abs().max() > 0.1
    assert out.lightness.shape[0:2] == (1, 1)
    assert all(side % pipe.model.size_multiple == 0 for side in out.lightness.shape[-2:])
    assert out.lightness.shape[-1] == out.ab.shape[-1] * pipe.model.output_stride
    assert out.settings == {"merge_lightness": True, "render_factor": 7, "saturation": 1.0, "seed": 0, "candidates": 1}
    assert out.model == "tiny"
    assert out.seconds == pytest.approx(sum(out.timings.values()))
    assert list(out.timings) == ["read", "prepare", "predict", "render"]


def test_merge_keeps_the_light_of_the_picture_and_its_absence_does_not(pipe: FeedforwardPipeline) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 1), dtype=np.uint8).repeat(3, axis=2)
    out = pipe(noise, render_factor=7, saturation=2.0)

    def error(picture: PIL.Image.Image) -> float:
        lightness = [rgb_to_lab(picture_to_tensor(p))[:, :1] for p in (picture, out.source)]
        return float((lightness[0] - lightness[1]).abs().mean())

    assert error(out.images[0]) < 0.25
    assert error(out.render(merge_lightness=False)) > 5


def test_render_acts_without_the_model(photo: PIL.Image.Image) -> None:
    pipe = FeedforwardPipeline(make_model(), device="cpu")
    runs = []
    pipe.model.register_forward_hook(lambda *_: runs.append(1))
    out = pipe(photo, render_factor=7, saturation=1.5)
    assert as_array(out.render()).tobytes() == as_array(out.images[0]).tobytes()
    vivid, grey, soft = out.render(saturation=4.0), out.render(saturation=0.0), out.render(merge_lightness=False)
    assert len(runs) == 1
    assert np.ptp(as_array(grey).astype(int), axis=2).max() <= 1
    spread = [np.ptp(as_array(picture).astype(int), axis=2).mean() for picture in (out.images[0], vivid)]
    assert spread[1] > spread[0] > 0
    assert soft.size == out.images[0].size
    again = pipe(photo, render_factor=7, saturation=1.5, merge_lightness=False)
    assert as_array(again.images[0]).tobytes() == as_array(soft).tobytes()
    with pytest.raises(SettingError, match=r"saturation must be a number from 0.0 to 4.0, got 5"):
        out.render(saturation=5)


def test_metadata_says_what_was_done(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    out = pipe(photo, render_factor=7)
    metadata = out.metadata(saturation=2.0)
    assert metadata["Software"].startswith("Autochrome ")
    assert metadata["Comment"] == "AI-colorized"
    assert metadata["Model"] == "tiny"
    assert json.loads(metadata["Settings"]) == {**out.settings, "saturation": 2.0}


def test_every_kind_of_input_gives_the_same_picture(
    pipe: FeedforwardPipeline, photo: PIL.Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    photo.save(path)
    inputs: list[Picture] = [photo, path, str(path), path.read_bytes(), np.asarray(photo)]
    results = [as_array(pipe(given, render_factor=7).images[0]) for given in inputs]
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pipe: FeedforwardPipeline, array: Array) -> None:
    with pytest.raises(PictureError, match=r"must be uint8 RGB of shape \(height, width, 3\), got \w+ of shape"):
        pipe(array)


def test_not_a_picture(pipe: FeedforwardPipeline) -> None:
    with pytest.raises(PictureError):
        pipe(b"these bytes are no picture")


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (33, 7)])
def test_tiny_and_thin_pictures(pipe: FeedforwardPipeline, size: tuple[int, int]) -> None:
    out = pipe(PIL.Image.new("RGB", size, (120, 120, 120)), render_factor=7)
    assert out.images[0].size == size
    assert out.render(merge_lightness=False).size == size
    assert out.lightness.numel() < 1_000_000


def test_alpha_is_kept(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    clear = photo.copy()
    clear.putalpha(PIL.Image.linear_gradient("L").resize(photo.size))
    out = pipe(clear, render_factor=7)
    for picture in (out.images[0], out.render(merge_lightness=False)):
        assert picture.mode == "RGBA"
        assert np.array_equal(as_array(picture)[..., 3], as_array(clear)[..., 3])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"render_factor": 6}, "render_factor must be an integer from 7 to 45, got 6"),
        ({"render_factor": 46}, "render_factor must be an integer from 7 to 45, got 46"),
        ({"render_factor": 16.0}, "render_factor must be an integer from 7 to 45, got 16.0"),
        ({"render_factor": True}, "render_factor must be an integer from 7 to 45, got True"),
        ({"saturation": math.nan}, "saturation must be a number from 0.0 to 4.0, got nan"),
        ({"saturation": -0.1}, "saturation must be a number from 0.0 to 4.0, got -0.1"),
        ({"saturation": "1"}, "saturation must be a number from 0.0 to 4.0, got '1'"),
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295, got -1"),
        ({"merge_lightness": 1}, "merge_lightness must be true or false, got 1"),
        ({"prompt": "a red car"}, "tiny takes no prompt; its settings are: merge_lightness, render_factor, saturation"),
        ({"steps": 20, "hints": [{"x": 0.5}]}, "tiny takes no steps and no hints; its settings are: "),
    ],
)
def test_settings_out_of_range_or_of_no_use_are_refused(
    pipe: FeedforwardPipeline, photo: PIL.Image.Image, given: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        pipe(photo, **given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_empty_settings_are_not_given_and_numpy_numbers_are_numbers(pipe: FeedforwardPipeline) -> None:
    settings = pipe.check_inputs(
        prompt="", hints=[], steps=None, render_factor=np.int64(20), saturation=np.float32(0.5)
    )
    assert settings == {"merge_lightness": True, "render_factor": 20, "saturation": 0.5, "seed": 0, "candidates": 1}
    assert [type(value) for value in settings.values()] == [bool, int, float, int, int]


def test_saturation_takes_an_integer_and_reaches_the_ends_of_the_ranges(pipe: FeedforwardPipeline) -> None:
    assert pipe.check_inputs(saturation=4, render_factor=45)["saturation"] == 4.0
    assert pipe.check_inputs(saturation=0, render_factor=7, seed=2**32 - 1)["render_factor"] == 7


def test_same_input_same_bytes_for_every_seed(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    results = [as_array(pipe(photo, seed=seed).images[0]).tobytes() for seed in (0, 0, 1)]
    assert results[0] == results[1] == results[2]


def test_threads_do_not_disturb_each_other(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    pictures = [photo.rotate(90 * turn, expand=True).resize((100 + 20 * turn, 90)) for turn in range(4)] * 3
    expected = [as_array(pipe(picture, render_factor=7).images[0]).tobytes() for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: as_array(pipe(picture, render_factor=7).images[0]).tobytes(), pictures))
    assert found == expected


def test_flip_average_is_the_mean_of_both_views(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    both = FeedforwardPipeline(make_model(), device="cpu", flip_average=True)
    lightness = both.prepare_lightness(photo, 7)
    expected = (pipe.predict(lightness) + pipe.predict(lightness.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(both.predict(lightness), expected)
    mirrored = both.predict(lightness.flip(-1)).flip(-1)
    torch.testing.assert_close(both.predict(lightness), mirrored, atol=1e-3, rtol=0)


def test_render_factor_changes_the_working_size(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    areas = [pipe.prepare_lightness(photo, factor).numel() for factor in (7, 16, 32)]
    for area, side in zip(areas, (112, 256, 512), strict=True):
        assert area == pytest.approx(side**2, rel=0.3)


def test_progress_is_told_and_may_stop_the_run(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    told: list[tuple[float, str]] = []
    pipe(photo, render_factor=7, progress=lambda share, step: told.append((share, step)))
    assert [step for _, step in told] == ["read", "prepare", "predict", "render", "done"]
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1][0] == 1.0

    def stop(share: float, step: str) -> None:
        raise InterruptedError(step)

    with pytest.raises(InterruptedError, match="read"):
        pipe(photo, progress=stop)


def test_damaged_weights_are_an_error_not_a_picture(photo: PIL.Image.Image) -> None:
    model = make_model()
    with torch.no_grad():
        next(iter(model.decoder.parameters())).fill_(math.nan)
    broken = FeedforwardPipeline(model, model_id="broken", device="cpu")
    with pytest.raises(ModelError, match="broken gave colors that are not numbers"):
        broken(photo)


def test_prediction_is_an_ordinary_tensor_inside_srgb(pipe: FeedforwardPipeline, photo: PIL.Image.Image) -> None:
    strong = FeedforwardPipeline(make_model(), device="cpu")
    with torch.no_grad():
        for parameter in strong.model.decoder.parameters():
            parameter.mul_(10)
    ab = strong.predict(strong.prepare_lightness(photo, 7))
    assert ab.abs().max() == 110
    assert not ab.is_inference()


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_here(device: str) -> None:
    with pytest.raises(UnavailableError, match=f"the device '{device}' cannot be used here; leave it out, or try 'cpu"):
        FeedforwardPipeline(make_model(), device=device)


def test_from_folder_takes_the_folders_name(tmp_path: Path, photo: PIL.Image.Image) -> None:
    save_colorizer(make_model(), tmp_path / "mine")
    loaded = FeedforwardPipeline.from_folder(tmp_path / "mine", device="cpu")
    assert loaded.model_id == "mine"
    assert loaded(photo, render_factor=7).metadata()["Model"] == "mine"


def test_import_autochrome_is_light() -> None:
    code = (
        "import sys, autochrome; heavy = {'torch', 'gradio', 'transformers', 'PIL', 'numpy'} & set(sys.modules); "
        "assert not heavy, heavy; print(*dir(autochrome))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "load_pipeline" in done.stdout.split()


def test_unknown_attribute_of_the_package() -> None:
    import autochrome

    with pytest.raises(AttributeError, match="module 'autochrome' has no attribute 'load_pipelines'"):
        autochrome.load_pipelines  # noqa: B018


@pytest.mark.parametrize("row", load_catalog().rows, ids=lambda row: row.id)
def test_every_model_of_the_catalog_colors_a_picture(row: Row, photo: PIL.Image.Image) -> None:
    reason = row.unavailable_reason("cpu")
    if reason is not None:
        pytest.skip(f"{row.id}: {reason}")
    needed: dict[str, Any] = {"hints": [{"x": 0.5, "y": 0.5, "color": "#a04020"}]} if row.needs_directions else {}
    out = row.load_pipeline(device="cpu")(photo, **needed)
    assert out.model == row.id
    assert out.images[0].size == photo.size
    assert np.ptp(as_array(out.images[0]).astype(int), axis=2).mean() > 2

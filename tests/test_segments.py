"""Segments: whole superpixels take colors from an exemplar, a palette or hints, the same every time."""

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import astronaut, coffee
from torch import Tensor

from autochrome.color import lab_to_gamut, merge_lab, rgb_to_lab, split_lab
from autochrome.errors import SettingError
from autochrome.image import picture_to_tensor, resize
from autochrome.metrics import ciede2000
from autochrome.pipelines import ColorizationOutput, SegmentsPipeline, parse_palette

RED, BLUE = "#c03030", "#3040c0"


@pytest.fixture(scope="module")
def pipe() -> SegmentsPipeline:
    return SegmentsPipeline(model_id="segments")


@pytest.fixture(scope="module")
def photo() -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut()).resize((160, 160))


def error(photo: PIL.Image.Image, ab: Tensor) -> float:
    lightness = split_lab(rgb_to_lab(picture_to_tensor(photo)))[0]
    result = lab_to_gamut(merge_lab(lightness, resize(ab, photo.size)))
    return ciede2000(result, picture_to_tensor(photo)).mean().item()


def colors_of(out: ColorizationOutput) -> set[tuple[float, ...]]:
    return {tuple(color) for color in np.round(out.ab[0].flatten(1).T.numpy(), 2).tolist()}


def colors_in(*codes: str) -> set[tuple[float, ...]]:
    ab = np.array([color.ab for color in parse_palette(list(codes))], np.float32)
    return {tuple(color) for color in np.round(ab, 2).tolist()}


def test_the_truth_as_exemplar_beats_grey(pipe: SegmentsPipeline, photo: PIL.Image.Image) -> None:
    out = pipe(photo.convert("L").convert("RGB"), exemplar=photo)
    assert (out.images[0].size, out.ab.shape[:2], out.ab.dtype) == (photo.size, (1, 2), torch.float32)
    assert error(photo, out.ab) < 0.8 * error(photo, torch.zeros_like(out.ab))
    assert torch.equal(pipe(photo.convert("L").convert("RGB"), **out.settings).ab, out.ab)
    other = pipe(photo, exemplar=PIL.Image.fromarray(coffee()))
    assert not torch.equal(other.ab, out.ab)


def test_a_palette_is_dealt_out_by_lightness_and_weight(pipe: SegmentsPipeline) -> None:
    ramp = PIL.Image.fromarray(np.tile(np.linspace(10, 245, 256).astype(np.uint8), (256, 1))).convert("RGB")
    dark, light = "#400000", "#a0ffa0"
    out = pipe(ramp, palette=[{"color": light, "weight": 1}, {"color": dark, "weight": 3}])
    assert colors_of(out) == colors_in(dark, light)
    share = (out.ab[0, 0] > 0).float()
    assert share.mean().item() == pytest.approx(0.75, abs=0.03)
    assert share[:, :100].min() == 1
    assert share[:, -40:].max() == 0


def test_an_exemplar_keeps_to_a_palette(pipe: SegmentsPipeline, photo: PIL.Image.Image) -> None:
    out = pipe(photo, exemplar=photo, palette=[RED, BLUE, "#808080"])
    assert len(colors_of(out)) > 1
    assert colors_of(out) <= colors_in(RED, BLUE, "#808080")


def test_a_hint_colors_its_segment_and_the_later_one_wins(pipe: SegmentsPipeline, photo: PIL.Image.Image) -> None:
    hints = [{"x": 0.5, "y": 0.3, "color": RED}, {"x": 0.5, "y": 0.3, "color": BLUE}]
    plain, hinted = (pipe(photo, palette=["#808080"], hints=given) for given in ([], hints))
    assert colors_of(hinted) == colors_in("#808080", BLUE)
    assert "the later one wins" in hinted.notes[0]
    assert "only greys" in hinted.notes[1]
    changed = (hinted.ab - plain.ab).abs().sum(dim=1) > 1
    assert changed[0, int(0.3 * changed.shape[1]), changed.shape[2] // 2]
    assert 0 < changed.float().mean() < 0.02
    stroke = pipe(photo, palette=["#808080"], hints=[{"x": 0.5, "y": 0.5, "color": RED, "radius": 0.25}])
    share = ((stroke.ab - plain.ab).abs().sum(dim=1) > 1).float().mean().item()
    assert share == pytest.approx(np.pi * 0.25**2, abs=0.05)


def test_hints_alone_spread_to_what_is_like_them(pipe: SegmentsPipeline) -> None:
    pixels = np.full((120, 160, 3), 60, np.uint8)
    pixels[:, 80:] = 190
    hints = [{"x": 0.2, "y": 0.2, "color": RED}, {"x": 0.9, "y": 0.9, "color": BLUE}]
    out = pipe(PIL.Image.fromarray(pixels), hints=hints)
    assert colors_of(out) == colors_in(RED, BLUE)
    width = out.ab.shape[-1]
    assert (out.ab[0, 0, :, : width // 2 - 4] > 40).all()
    assert (out.ab[0, 1, :, width // 2 + 4 :] < -40).all()


def test_something_must_be_given(pipe: SegmentsPipeline, photo: PIL.Image.Image) -> None:
    with pytest.raises(SettingError, match="segments colors nothing by itself: give at least one of hints, palette"):
        pipe(photo)
    with pytest.raises(SettingError, match="segments takes no prompt"):
        pipe(photo, prompt="red", palette=[RED])


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 3)])
def test_odd_sizes(pipe: SegmentsPipeline, size: tuple[int, int]) -> None:
    flat = PIL.Image.new("RGB", size, (90, 90, 90))
    exemplar = PIL.Image.new("RGB", (3, 500), (160, 60, 60))
    for settings in ({"palette": [RED, BLUE]}, {"exemplar": exemplar}, {"hints": [{"x": 1, "y": 1, "color": RED}]}):
        out = pipe(flat, **settings)
        assert out.images[0].size == size
        assert out.ab.abs().max() > 10

"""Color bleeding, hue histograms, the curve of saturations and the share above 10, against formulas written again."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import wasserstein_distance
from skimage import color, data
from torch import Tensor

from autochrome.color import lab_to_gamut, merge_lab, rgb_to_lab, split_lab
from autochrome.errors import InputError, SettingError
from autochrome.metrics import (
    ciede2000,
    ciede2000_above_10,
    ciede2000_map,
    color_bleeding,
    colorfulness,
    hue_histogram_distance,
    lightness_error,
)
from autochrome.metrics.baselines import grey_baseline
from autochrome.metrics.curve import SATURATIONS, saturation_curve
from autochrome.metrics.hue_histogram import NUM_HUES, hue_distance, hue_histogram

PHOTOS = [data.astronaut, data.coffee, data.chelsea]
Load = Callable[[], npt.NDArray[np.uint8]]
Array = npt.NDArray[np.float64]


def photo(load: Load = data.astronaut, step: int = 3) -> Tensor:
    return torch.from_numpy(load()[::step, ::step].copy()).movedim(-1, 0)[None] / 255


def recolored(picture: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The picture with other a*b* under its own L*."""
    lightness, ab = split_lab(rgb_to_lab(picture))
    return lab_to_gamut(merge_lab(lightness, change(ab)))


def coarse(size: int) -> Callable[[Tensor], Tensor]:
    """a*b* averaged over blocks and interpolated: what a colorizer with a small working size does."""
    return lambda ab: F.interpolate(
        F.interpolate(ab, scale_factor=1 / size, mode="area"), size=ab.shape[-2:], mode="bilinear"
    )


def turned(degrees: float) -> Callable[[Tensor], Tensor]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return lambda ab: torch.stack((cos * ab[:, 0] - sin * ab[:, 1], sin * ab[:, 0] + cos * ab[:, 1]), dim=1)


def lab_by_skimage(picture: Tensor) -> Array:
    lab: Array = color.rgb2lab(picture[0].movedim(0, -1).double().numpy())
    return lab


@pytest.mark.parametrize("load", PHOTOS)
def test_share_above_10_agrees_with_skimage(load: Load) -> None:
    reference = photo(load)
    prediction = recolored(reference, lambda ab: 0.2 * ab)
    expected = (color.deltaE_ciede2000(lab_by_skimage(prediction), lab_by_skimage(reference)) > 10).mean()
    assert 0.01 < expected < 0.99
    assert ciede2000_above_10(prediction, reference).item() == pytest.approx(expected, abs=1e-4)
    assert ciede2000_above_10(prediction, reference).item() == pytest.approx(
        (ciede2000_map(prediction, reference) > 10).float().mean().item(), abs=1e-6
    )


def share_within_surfaces(lab: Array, true_lab: Array) -> float:
    """Written again with scipy: its Sobel is 8 times the slope."""

    def slope(*channels: Array) -> Array:
        squares = sum((ndimage.sobel(channel, axis) / 8) ** 2 for channel in channels for axis in (0, 1))
        result: Array = np.sqrt(squares)[1:-1, 1:-1]
        return result

    flat = ndimage.maximum_filter(slope(true_lab[..., 0]), size=3)[1:-1, 1:-1] < 4
    change = slope(lab[..., 1], lab[..., 2])[1:-1, 1:-1]
    return float(change[flat].sum() / change.sum())


@pytest.mark.parametrize("load", PHOTOS)
def test_color_bleeding_agrees_with_scipy(load: Load) -> None:
    reference = photo(load, step=2)
    prediction = recolored(reference, coarse(8))
    labs = lab_by_skimage(prediction), lab_by_skimage(reference)
    expected = share_within_surfaces(labs[0], labs[1]) - share_within_surfaces(labs[1], labs[1])
    assert color_bleeding(prediction, reference).item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("load", PHOTOS)
def test_color_bleeding_grows_with_the_blur_and_not_with_saturation(load: Load) -> None:
    reference = photo(load, step=1)
    scores = [color_bleeding(recolored(reference, coarse(size)), reference).item() for size in (4, 8, 12)]
    assert scores[0] < scores[1] < scores[2] < 1
    assert scores[1] > 0.02
    dull = color_bleeding(recolored(reference, lambda ab: 0.5 * ab), reference).item()
    assert abs(dull) < 1e-3


def test_color_bleeding_of_constructed_pictures() -> None:
    """Two surfaces: color that ends with L* does not bleed, color that ends elsewhere does nothing else."""
    lightness = torch.full((1, 1, 40, 60), 40.0)
    lightness[..., 30:] = 70
    at_edge, elsewhere = torch.zeros(1, 2, 40, 60), torch.zeros(1, 2, 40, 60)
    at_edge[..., 30:] = 15
    elsewhere[..., 15:] = 15
    clean, bleeding = (lab_to_gamut(merge_lab(lightness, ab)) for ab in (at_edge, elsewhere))
    assert color_bleeding(bleeding, clean).item() == pytest.approx(1, abs=0.01)
    assert color_bleeding(clean, bleeding).item() == pytest.approx(-1, abs=0.01)
    assert color_bleeding(grey_baseline(clean), bleeding).item() == pytest.approx(-1, abs=0.01)


def test_color_bleeding_needs_a_window() -> None:
    with pytest.raises(InputError, match=r"at least 5 x 5 pixels \(its window\), got 9 x 4; leave color_bleeding out"):
        color_bleeding(torch.zeros(1, 3, 4, 9), torch.zeros(1, 3, 4, 9))
    assert color_bleeding(torch.rand(1, 3, 5, 5), torch.rand(1, 3, 5, 5)).isfinite().all()


@pytest.mark.parametrize("load", PHOTOS)
def test_hue_histogram_agrees_with_numpy(load: Load) -> None:
    picture = photo(load)
    lab = lab_by_skimage(picture).reshape(-1, 3)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    expected, _ = np.histogram(hue, bins=NUM_HUES, range=(0, 360), weights=chroma * (chroma >= 2))
    found = hue_histogram(picture)[0].numpy()
    # A few of the 30,000 colors lie so near to the bound of a bin that the last digit decides.
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.sum())
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-3)


histograms = st.lists(st.integers(0, 9), min_size=6, max_size=6).map(np.array)


@settings(max_examples=100, deadline=None)
@given(first=histograms, second=histograms)
def test_hue_distance_agrees_with_scipy(first: Array, second: Array) -> None:
    """The circle cut open between every two bins; the cheapest of these earth mover's distances on a line."""
    found = hue_distance(torch.from_numpy(first[None]).double(), torch.from_numpy(second[None]).double()).item()
    even = np.ones(6)
    first, second = (even if histogram.sum() == 0 else histogram for histogram in (first, second))
    cuts = [
        wasserstein_distance(range(6), range(6), np.roll(first, -cut), np.roll(second, -cut)) * 60 for cut in range(6)
    ]
    assert found == pytest.approx(min(cuts), abs=1e-9)
    assert 0 <= found <= 180


@pytest.mark.parametrize("degrees", [10, 40, 90, 180, 270])
def test_turned_hues_are_as_far_as_they_were_turned(degrees: float) -> None:
    """Of one color, so that no shorter way exists."""
    lab = torch.full((1, 3, 8, 8), 60.0)
    lab[:, 1:] = torch.tensor([12.0, 1.0]).view(2, 1, 1)
    picture = lab_to_gamut(lab)
    expected = min(degrees, 360 - degrees)
    found = hue_histogram_distance(recolored(picture, turned(degrees)), picture).item()
    assert found == pytest.approx(expected, abs=0.01)


def test_hue_distance_of_photographs_and_of_none() -> None:
    reference = photo()
    dull = recolored(reference, lambda ab: 0.7 * ab)
    assert hue_histogram_distance(dull, reference).item() < 6
    assert 30 < hue_histogram_distance(recolored(reference, turned(60)), reference).item() < 61
    grey = grey_baseline(reference)
    assert hue_histogram_distance(grey, 0.5 * grey).item() == 0
    red = torch.tensor([0.8, 0.1, 0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert hue_histogram_distance(red, torch.full_like(red, 0.3)).item() == pytest.approx(90, abs=1e-3)
    with pytest.raises(InputError, match=r"must both have one shape \(B, N\), got \(1, 6\) and \(2, 6\)"):
        hue_distance(torch.ones(1, 6), torch.ones(2, 6))


def test_histograms_of_a_set_are_sums() -> None:
    pictures = [photo(load)[..., :80, :90] for load in PHOTOS]
    batch = hue_histogram(torch.cat(pictures))
    torch.testing.assert_close(batch, torch.cat([hue_histogram(picture) for picture in pictures]))
    assert hue_distance(batch[:1] * 7, batch[:1]).item() == pytest.approx(0, abs=1e-3), "only shares count"


def test_curve_at_its_points() -> None:
    """At 0 it is plain grey, at 1 the prediction itself; between and beyond, a*b* times the saturation."""
    reference = torch.cat([photo()[..., :90, :80], photo(data.coffee)[..., :90, :80]])
    prediction = recolored(reference, lambda ab: turned(20)(0.5 * ab))
    difference, vividness = saturation_curve(prediction, reference, (0, 1, 1.7))
    assert difference.shape == vividness.shape == (3, 2)
    stronger = recolored(prediction, lambda ab: 1.7 * ab)
    for row, picture in enumerate((grey_baseline(prediction), prediction, stronger)):
        torch.testing.assert_close(difference[row], ciede2000(picture, reference), atol=1e-3, rtol=0)
        torch.testing.assert_close(vividness[row], colorfulness(picture), atol=1e-2, rtol=0)
    assert lightness_error(stronger, prediction).max() < 1e-3


@pytest.mark.parametrize("load", PHOTOS)
def test_curve_rises_in_colorfulness_and_is_lowest_at_the_truth(load: Load) -> None:
    reference = photo(load)
    difference, vividness = saturation_curve(reference, reference)
    assert (vividness.diff(dim=0) > 0).all()
    at_truth = SATURATIONS.index(1.0)
    assert difference.argmin() == at_truth
    assert difference[at_truth].item() < 0.01
    assert vividness[at_truth].item() == pytest.approx(colorfulness(reference).item(), rel=1e-3)


@pytest.mark.parametrize("saturations", [(), (1.0, -0.5), (float("nan"),), (float("inf"),)])
def test_curve_refuses_what_is_no_saturation(saturations: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match=r"saturations must be one or more finite numbers of at least 0, got \["):
        saturation_curve(photo(), photo(), saturations)

"""The measures against scikit-image and the papers' formulas, their baselines and their input checks."""

import importlib
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from autochrome.color import rgb_to_lab, rgb_to_lightness
from autochrome.errors import InputError, SettingError
from autochrome.metrics import (
    CONVENTIONS,
    EXTRA_METRICS,
    METRICS,
    SET_METRICS,
    Comparison,
    colorfulness,
    colorfulness_abs,
    delta_colorfulness,
    delta_colorfulness_of_means,
    lightness_error,
    psnr,
    require_metrics,
    score,
    score_comparison,
    ssim,
)
from autochrome.metrics.baselines import TINT_AB, grey_baseline, tint_baseline
from autochrome.metrics.ciede2000 import ciede2000_above_10_of, ciede2000_of
from autochrome.metrics.psnr import MAX_PSNR_DB

comparison_module = importlib.import_module("autochrome.metrics.comparison")
strips_module = importlib.import_module("autochrome.metrics.strips")

PHOTOS = [data.astronaut, data.coffee, data.chelsea]
Array = npt.NDArray[np.float64]


def photo(load: Callable[[], npt.NDArray[np.uint8]] = data.astronaut, step: int = 4) -> Tensor:
    return torch.from_numpy(load()[::step, ::step].copy()).movedim(-1, 0)[None] / 255


def noisy(picture: Tensor, strength: float = 0.1, seed: int = 0) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed))
    return (picture + strength * noise).clamp(0, 1)


def channels_last(picture: Tensor) -> Array:
    return picture[0].movedim(0, -1).double().numpy()


def colorfulness_by_formula(picture: Array, *, absolute: bool) -> float:
    """Hasler and Suesstrunk (2003), written from the paper, on 0..255."""
    red, green, blue = (255 * picture[..., channel].ravel() for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    if absolute:
        rg, yb = np.abs(rg), np.abs(yb)
    deviation = math.sqrt(np.std(rg) ** 2 + np.std(yb) ** 2)
    return deviation + 0.3 * math.sqrt(np.mean(rg) ** 2 + np.mean(yb) ** 2)


@pytest.mark.parametrize("load", PHOTOS)
@pytest.mark.parametrize("strength", [0.003, 0.3])
def test_psnr_agrees_with_skimage(load: Callable[[], npt.NDArray[np.uint8]], strength: float) -> None:
    reference = photo(load)
    prediction = noisy(reference, strength)
    expected = peak_signal_noise_ratio(channels_last(reference), channels_last(prediction), data_range=1)
    assert psnr(prediction, reference).item() == pytest.approx(expected, abs=1e-3)


def test_psnr_has_a_top_that_json_can_hold() -> None:
    reference = photo()
    assert psnr(reference, reference).item() == pytest.approx(MAX_PSNR_DB)
    assert psnr(reference.clamp(0, 0.9) + 1e-7, reference.clamp(0, 0.9)).item() == pytest.approx(MAX_PSNR_DB)
    black = torch.zeros(1, 3, 4, 4)
    assert psnr(black, black + 1).item() == pytest.approx(0, abs=1e-5)


def ssim_by_skimage(prediction: Tensor, reference: Tensor) -> float:
    value = structural_similarity(
        channels_last(prediction),
        channels_last(reference),
        channel_axis=-1,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


@pytest.mark.parametrize("load", PHOTOS)
def test_ssim_agrees_with_skimage(load: Callable[[], npt.NDArray[np.uint8]]) -> None:
    reference = photo(load)
    for prediction in (noisy(reference), grey_baseline(reference), reference * 0.5):
        expected = ssim_by_skimage(prediction, reference)
        assert ssim(prediction, reference).item() == pytest.approx(expected, abs=2e-5)
        assert ssim(prediction.double(), reference.double()).item() == pytest.approx(expected, abs=1e-9)


def test_ssim_of_a_picture_that_is_done_in_strips() -> None:
    reference = photo(step=1).repeat(1, 1, 1, 2)[..., :1000]
    prediction = reference.roll(1, dims=-2)
    assert ssim(prediction, reference).item() == pytest.approx(ssim_by_skimage(prediction, reference), abs=2e-5)


def test_ssim_of_the_smallest_picture_and_below() -> None:
    smallest = photo()[..., :11, :11]
    assert ssim(smallest, smallest).item() == pytest.approx(1)
    with pytest.raises(InputError, match=r"ssim needs pictures of at least 11 x 11 pixels \(its window\), got 11 x 10"):
        ssim(smallest[..., :10, :], smallest[..., :10, :])


@pytest.mark.parametrize("load", PHOTOS)
def test_colorfulness_agrees_with_the_formula(load: Callable[[], npt.NDArray[np.uint8]]) -> None:
    picture = photo(load)
    signed = colorfulness_by_formula(channels_last(picture), absolute=False)
    absolute = colorfulness_by_formula(channels_last(picture), absolute=True)
    assert colorfulness(picture).item() == pytest.approx(signed, rel=1e-5)
    assert colorfulness_abs(picture).item() == pytest.approx(absolute, rel=1e-5)
    assert abs(signed - absolute) > 0.01, "the two forms differ, or the test sees nothing"


def test_colorfulness_of_flat_colors() -> None:
    """By hand: rg = 255, yb = 127.5 everywhere, so no deviation and 0.3 of their length."""
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 5, 7)
    assert colorfulness(red).item() == pytest.approx(0.3 * math.hypot(255, 127.5), rel=1e-5)
    assert colorfulness(red.mean(dim=1, keepdim=True).expand_as(red)).item() == pytest.approx(0, abs=1e-4)


def test_delta_colorfulness_is_below_zero_where_the_prediction_is_dull() -> None:
    reference = photo()
    dull = reference.lerp(reference.mean(dim=1, keepdim=True), 0.5)
    assert delta_colorfulness(dull, reference).item() == pytest.approx(-colorfulness(reference).item() / 2, rel=1e-4)
    assert delta_colorfulness(reference, reference).item() == 0


def test_lightness_error_agrees_with_skimage() -> None:
    reference = photo()
    prediction = noisy(reference)
    lightness = [color.rgb2lab(channels_last(picture))[..., 0] for picture in (prediction, reference)]
    expected = np.abs(lightness[0] - lightness[1]).mean()
    assert lightness_error(prediction, reference).item() == pytest.approx(expected, abs=2e-3)
    assert lightness_error(reference, reference).item() == 0


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_is_scored_as_its_single_pictures(name: str) -> None:
    reference = torch.cat([photo()[..., :80, :90], photo(data.coffee)[..., :80, :90]])
    prediction = noisy(reference)
    values = METRICS[name](prediction, reference)
    assert values.shape == (2,)
    singles = [METRICS[name](prediction[index][None], reference[index][None]) for index in range(2)]
    torch.testing.assert_close(values, torch.cat(singles), rtol=1e-5, atol=1e-5)
    assert abs(values[0] - values[1]) > 1e-6


@settings(max_examples=25, deadline=None)
@given(size=st.tuples(st.integers(11, 40), st.integers(11, 40)), seed=st.integers(0, 2**31), batch=st.integers(1, 3))
def test_properties_of_every_metric(size: tuple[int, int], seed: int, batch: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    prediction, reference = (torch.rand(batch, 3, *size, generator=generator) for _ in range(2))
    no_difference = ("ciede2000", "ciede2000_above_10", "delta_colorfulness", "lightness_error", "color_bleeding")
    best = {"psnr": MAX_PSNR_DB, "ssim": 1.0, "hue_histogram_distance": 0.0, **dict.fromkeys(no_difference, 0.0)}
    for name, metric in METRICS.items():
        value = metric(prediction, reference)
        assert value.shape == (batch,)
        assert torch.isfinite(value).all()
        if name in best:
            torch.testing.assert_close(
                metric(reference, reference), torch.full((batch,), best[name]), atol=1e-4, rtol=0
            )
        if name in ("psnr", "ssim", "ciede2000", "ciede2000_above_10", "lightness_error", "hue_histogram_distance"):
            torch.testing.assert_close(metric(reference, prediction), value, rtol=1e-4, atol=1e-4)
        if name in ("ciede2000", "lightness_error", "colorfulness", "colorfulness_abs"):
            assert (value > 0).all()


@pytest.mark.parametrize("name", [name for name in METRICS if name not in ("colorfulness", "colorfulness_abs")])
def test_different_sizes_are_named(name: str) -> None:
    with pytest.raises(InputError, match="prediction is 20 x 30 pixels and reference is 30 x 20; metrics compare"):
        METRICS[name](torch.zeros(1, 3, 30, 20), torch.zeros(1, 3, 20, 30))


@pytest.mark.parametrize("name", METRICS)
def test_what_is_no_picture_is_refused(name: str) -> None:
    metric = METRICS[name]
    for wrong in (torch.zeros(3, 20, 20), torch.zeros(1, 1, 20, 20), torch.zeros(1, 3, 0, 20)):
        with pytest.raises(InputError, match=r"must have shape \(B, 3, H, W\) and at least one pixel"):
            metric(wrong, wrong)
    eight_bit = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    with pytest.raises(
        InputError, match=r"must be a floating-point tensor, got torch.uint8; divide 8-bit values by 255"
    ):
        metric(eight_bit, eight_bit)


def test_grey_baseline_has_the_lightness_and_no_color() -> None:
    reference = photo(data.coffee, step=1)
    grey = grey_baseline(reference)
    assert grey.shape == reference.shape
    assert rgb_to_lab(grey)[:, 1:].abs().max() < 1e-3
    torch.testing.assert_close(rgb_to_lightness(grey), rgb_to_lightness(reference), rtol=0, atol=1e-3)


def test_tint_baseline_has_the_lightness_and_one_tint() -> None:
    reference = photo(data.coffee, step=1).clamp(0.1, 0.9)  # at black and white no tint fits into sRGB
    lab = rgb_to_lab(tint_baseline(reference))
    torch.testing.assert_close(lab[:, :1], rgb_to_lightness(reference), rtol=0, atol=1e-3)
    torch.testing.assert_close(lab[0, 1:].mean(dim=(1, 2)), torch.tensor(TINT_AB), rtol=0, atol=0.05)
    assert rgb_to_lab(tint_baseline(reference, ab=(-20, 5)))[0, 1].mean() == pytest.approx(-20, abs=1)
    for baseline in (grey_baseline, tint_baseline):
        with pytest.raises(InputError, match=r"reference must have shape \(B, 3, H, W\)"):
            baseline(torch.zeros(3, 5, 5))


def test_score_gives_the_chosen_metrics_as_numbers() -> None:
    reference = photo()
    scores = score(noisy(reference), reference)
    assert list(scores) == list(METRICS)
    assert all(type(value) is float and math.isfinite(value) for value in scores.values())
    assert score(noisy(reference), reference, ["ssim", "psnr"]) == {name: scores[name] for name in ("ssim", "psnr")}


def test_unknown_metrics_are_refused_with_the_list() -> None:
    known = (
        "psnr, ssim, ciede2000, ciede2000_above_10, colorfulness, colorfulness_abs, delta_colorfulness, "
        "lightness_error, color_bleeding, hue_histogram_distance, lpips"
    )
    with pytest.raises(SettingError, match=f"unknown metric 'fid', 'x'; choose from {known}"):
        require_metrics(["psnr", "fid", "x"])
    with pytest.raises(SettingError, match=f"no metric given; choose from {known}"):
        score(photo(), photo(), [])
    assert require_metrics(["ssim", "psnr", "ssim"]) == ["ssim", "psnr"]


def test_every_measure_states_its_convention() -> None:
    assert set(CONVENTIONS) == {*METRICS, *EXTRA_METRICS, *SET_METRICS, "delta_colorfulness_of_means"}
    assert all("\n" not in line and len(line) > 40 for line in CONVENTIONS.values())


def test_what_is_shared_between_metrics_changes_none() -> None:
    """Each metric alone, all of a comparison, and a second prediction with the same reference."""
    references = torch.cat([photo()[..., :80, :90], photo(data.coffee)[..., :80, :90]])
    comparison = Comparison(noisy(references), references)
    score_comparison(comparison)
    for prediction in (noisy(references), grey_baseline(references)):
        scores = score_comparison(comparison.against_same_reference(prediction))
        alone = {name: metric(prediction, references).mean().item() for name, metric in METRICS.items()}
        assert scores == pytest.approx(alone, rel=1e-6, abs=1e-6)
    assert score_comparison(comparison) == score(noisy(references), references)


def test_lab_and_the_map_are_computed_once() -> None:
    """Twice the same memory, not merely the same numbers."""
    reference = photo()
    comparison = Comparison(noisy(reference), reference)
    other = comparison.against_same_reference(grey_baseline(reference))
    first, again, of_other = (next(labs) for labs in (comparison.labs(), comparison.labs(overlap=1), other.labs()))
    assert [lab.data_ptr() for lab in first] == [lab.data_ptr() for lab in again]
    assert first[0].data_ptr() != of_other[0].data_ptr()
    assert first[1].data_ptr() == of_other[1].data_ptr()
    mean, share = ciede2000_of(comparison), ciede2000_above_10_of(comparison)
    assert mean.untyped_storage().data_ptr() == share.untyped_storage().data_ptr()


def test_a_large_picture_is_scored_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a limit nothing is kept, and strips are many: the same numbers."""
    reference = photo(step=2)
    expected = score(noisy(reference), reference)
    monkeypatch.setattr(comparison_module, "_MAX_KEPT_PIXELS", 0)
    monkeypatch.setattr(strips_module, "_STRIP_PIXELS", 5000)
    assert score(noisy(reference), reference) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 3, 2), (2, 3, 4, 9)])
def test_tiny_pictures(shape: tuple[int, ...]) -> None:
    """All measures work down to one pixel, but for the two with a window, which say so."""
    prediction, reference = torch.rand(shape, generator=torch.Generator().manual_seed(0)), torch.full(shape, 0.25)
    for name, metric in METRICS.items():
        if name in ("ssim", "color_bleeding"):
            with pytest.raises(InputError, match=f"{name} needs pictures of at least .* leave {name} out"):
                metric(prediction, reference)
        else:
            assert torch.isfinite(metric(prediction, reference)).all()


@pytest.mark.parametrize("color", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (0.2, 0.3, 0.9)])
def test_pictures_of_one_color(color: tuple[float, float, float]) -> None:
    flat = torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 20, 30)
    same = score(flat, flat)
    expected = {"psnr": MAX_PSNR_DB, "ssim": 1, "ciede2000": 0, "ciede2000_above_10": 0, "delta_colorfulness": 0}
    expected |= {"lightness_error": 0, "color_bleeding": 0, "hue_histogram_distance": 0}
    assert {name: same[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert all(math.isfinite(value) for value in score(flat, photo()[..., :20, :30]).values())
    assert all(math.isfinite(value) for value in score(photo()[..., :20, :30], flat).values())


def test_grey_references() -> None:
    """Nothing to be missed, all the more to be invented."""
    grey = grey_baseline(photo())
    exact, colored = score(grey, grey), score(photo(), grey)
    assert exact["ciede2000"] == exact["hue_histogram_distance"] == exact["color_bleeding"] == 0
    assert colored["ciede2000"] > 5
    assert colored["delta_colorfulness"] == pytest.approx(colored["colorfulness"], abs=1e-3)
    assert 0 < colored["color_bleeding"] < 1
    assert 0 < colored["hue_histogram_distance"] < 90


def test_delta_colorfulness_of_means() -> None:
    assert delta_colorfulness_of_means([10, 20], [40, 50, 60]) == pytest.approx(35)
    assert delta_colorfulness_of_means([60], [40, 50]) == pytest.approx(15)
    with pytest.raises(InputError, match="needs pictures in both sets, got 0 predictions and 1 references"):
        delta_colorfulness_of_means([], [1.0])

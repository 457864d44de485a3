"""Color as classes: which bins there are, and the way there and back."""

import pytest
import torch

from autochrome.color import rgb_to_lab
from autochrome.models.bins import BIN_SIZE, NUM_BINS, annealed_mean, bin_centers, one_color_logits, soft_encode


def srgb_colors(count: int) -> torch.Tensor:
    """ab of random sRGB colors, `(1, 2, count, 1)`."""
    torch.manual_seed(0)
    return rgb_to_lab(torch.rand(1, 3, count, 1))[:, 1:]


def test_the_bins_are_grid_points_around_the_gamut() -> None:
    centers = bin_centers()
    assert centers.shape == (NUM_BINS, 2)
    assert torch.equal(centers, (centers / BIN_SIZE).round() * BIN_SIZE)
    assert len({tuple(center) for center in centers.tolist()}) == NUM_BINS
    assert (centers.min().item(), centers[:, 0].max().item(), centers[:, 1].max().item()) == (-110, 100, 100)
    assert centers[centers[:, 0] == -90, 1].tolist() == [50, 60, 70, 80, 90]  # a row of Zhang et al.'s list


def test_every_color_lies_between_four_bins() -> None:
    bins = {tuple(center) for center in bin_centers().tolist()}
    for a, b in srgb_colors(2000)[0, :, :, 0].T.tolist():
        low = (a // BIN_SIZE * BIN_SIZE, b // BIN_SIZE * BIN_SIZE)
        assert {(low[0] + right, low[1] + up) for right in (0, 10) for up in (0, 10)} <= bins


def test_changing_the_bins_changes_nothing_for_others() -> None:
    bin_centers().zero_()
    assert bin_centers().abs().max() == 110


def test_soft_encoding_weighs_the_nearest_bins_by_distance() -> None:
    ab = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1)
    indices, weights = soft_encode(ab)
    centers = bin_centers()
    assert centers[indices[0, :, 0, 0]].tolist() == [[0, 0], [10, 0], [0, -10], [10, -10], [0, 10]]
    squared = ((centers[indices[0, :, 0, 0]] - torch.tensor([3.0, -2.0])) ** 2).sum(dim=1)
    gaussian = torch.exp(-squared / 50)
    torch.testing.assert_close(weights[0, :, 0, 0], gaussian / gaussian.sum())
    assert (indices.dtype, weights.dtype) == (torch.int64, torch.float32)


def test_soft_encoding_keeps_pictures_and_places_apart() -> None:
    ab = srgb_colors(24).view(2, 3, 4, 2).permute(0, 3, 1, 2)
    indices, weights = soft_encode(ab)
    assert indices.shape == weights.shape == (2, 5, 3, 4)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 3, 4))
    one, _ = soft_encode(ab[1:, :, 2:, 3:])
    assert torch.equal(indices[1, :, 2, 3], one[0, :, 0, 0])


def test_a_color_far_outside_still_has_weights() -> None:
    indices, weights = soft_encode(torch.full((1, 2, 1, 1), 500.0))
    assert torch.isfinite(weights).all()
    assert bin_centers()[indices[0, 0, 0, 0]].min() > 50


def test_decoding_what_was_encoded_is_near() -> None:
    ab = srgb_colors(3000)
    indices, weights = soft_encode(ab)
    logits = torch.full((1, NUM_BINS, 3000, 1), -1e4).scatter(1, indices, weights.clamp_min(1e-30).log())
    error = (annealed_mean(logits, temperature=1.0) - ab).norm(dim=1)
    assert error.mean() < 1.5


def test_annealing_goes_from_the_mean_to_the_mode() -> None:
    centers = bin_centers()
    zero, red = ((centers == torch.tensor(color)).all(dim=1).nonzero().item() for color in ([0.0, 0.0], [60.0, 40.0]))
    logits = torch.full((1, NUM_BINS, 1, 1), -1e4)
    logits[0, int(zero)], logits[0, int(red)] = 0.6**0.5, 0.0
    reds = [annealed_mean(logits, temperature)[0, 0, 0, 0].item() for temperature in (1.0, 0.38, 0.01)]
    share = 1 / (1 + torch.tensor(0.6**0.5).exp().item())
    assert reds[0] == pytest.approx(60 * share, rel=1e-4)
    assert reds[0] > reds[1] > reds[2]
    assert reds[2] == pytest.approx(0, abs=1e-3)


def test_annealed_mean_is_exact_under_autocast() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, NUM_BINS, 4, 4) * 4
    expected = annealed_mean(logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = annealed_mean(logits)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_annealed_mean_has_a_gradient() -> None:
    logits = torch.randn(1, NUM_BINS, 2, 2, requires_grad=True)
    annealed_mean(logits).square().sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().max() > 0


def test_one_color_logits_stand_for_that_color() -> None:
    ab = annealed_mean(one_color_logits((1.6, 7.7)).view(1, -1, 1, 1)).flatten()
    torch.testing.assert_close(ab, torch.tensor([1.6, 7.7]), atol=0.05, rtol=0)

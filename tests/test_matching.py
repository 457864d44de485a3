"""What of an exemplar belongs where, and where a person's next word is worth most."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut, coffee
from torch import Tensor

import autochrome
from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.image import picture_to_tensor
from autochrome.models import load_colorizer
from autochrome.models.steering import sample
from autochrome.pipelines import suggest_points
from autochrome.pipelines.matching import MAX_MATCHES, match_exemplar


def noise(seed: int, channels: int = 64, height: int = 7, width: int = 9) -> Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed))


def test_a_picture_matches_itself_place_by_place() -> None:
    features, ab = noise(0), noise(1, 2) * 20
    hints = match_exemplar(features, features, ab)
    assert hints is not None
    assert hints.shape == (1, 63, 6)
    assert hints.dtype == torch.float32
    places = {(round(float(x) * 9 - 0.5), round(float(y) * 7 - 0.5)) for x, y in hints[0, :, :2]}
    assert len(places) == 63, "each cell once"
    torch.testing.assert_close(hints[..., 2:4] * AB_SCALE, sample(ab, hints[..., :2]), atol=1e-3, rtol=0)
    assert (hints[..., 5] == 0.95).all(), "a guess is never as sure as a person"
    torch.testing.assert_close(hints[..., 4], torch.full((1, 63), 0.25 / 7))


def test_what_moved_takes_its_color_along() -> None:
    """The exemplar shows the same two columns of cells further to the right, and more around them."""
    features, ab = noise(2, 64, 8, 16), noise(3, 2, 8, 16) * 20
    hints = match_exemplar(features[..., 4:12], features, ab)
    assert hints is not None
    inner = hints[:, (hints[0, :, 0] > 1 / 8) & (hints[0, :, 0] < 7 / 8)]  # a blur sees beyond the edge
    assert inner.shape[1] > 40
    torch.testing.assert_close(inner[..., 2:4] * AB_SCALE, sample(ab[..., 4:12], inner[..., :2]), atol=1e-3, rtol=0)


def test_only_the_surest_matches_are_kept() -> None:
    features = noise(4, 64, 12, 12)
    exemplar = features + noise(5, 64, 12, 12) * torch.linspace(0, 1.5, 12)
    hints = match_exemplar(features, exemplar, noise(6, 2, 12, 12))
    assert hints is not None
    assert hints.shape[1] == MAX_MATCHES
    confidence = hints[0, :, 5]
    assert (confidence.diff() <= 0).all()
    assert confidence.min() > 0.05
    assert confidence.max() <= 0.95
    assert hints[0, :20, 0].mean() < hints[0, -20:, 0].mean(), "on the left there is less noise"


@pytest.mark.parametrize("seed", range(4))
def test_what_has_nothing_in_common_matches_nowhere(seed: int) -> None:
    assert match_exemplar(noise(2 * seed, 512), noise(2 * seed + 1, 512, 5, 5), noise(9, 2, 5, 5)) is None


def test_flat_pictures_match_nowhere() -> None:
    flat = torch.ones(1, 8, 4, 4)
    assert match_exemplar(flat, flat, noise(0, 2, 4, 4)) is None
    assert match_exemplar(flat[..., :1, :1], flat[..., :1, :1], noise(0, 2, 1, 1)) is None


def test_by_the_shipped_backbone_the_same_thing_is_known_again() -> None:
    """From a crop of the photograph itself come many matches and nearly true colors, from another one few."""
    model = load_colorizer(Path(autochrome.__file__).parent / "weights" / "gan-artistic")

    def seen(picture: np.ndarray) -> tuple[Tensor, Tensor]:
        lightness, ab = split_lab(rgb_to_lab(picture_to_tensor(PIL.Image.fromarray(picture).resize((160, 160)))))
        with torch.no_grad():
            features = model.features(lightness)[-2]
        return features, F.interpolate(ab, size=features.shape[-2:], mode="area")

    woman = astronaut()
    features, truth = seen(woman)
    same = match_exemplar(features, *seen(woman[:400, 60:460]))
    other = match_exemplar(features, *seen(coffee()))
    assert same is not None
    strength = 0.0 if other is None else float(other[..., 5].sum())
    assert same[..., 5].sum() > 3 * strength
    true_ab = sample(truth, same[..., :2])
    error = torch.linalg.vector_norm(same[..., 2:4] * AB_SCALE - true_ab, dim=-1)
    assert (same[..., 5] * error).sum() < 0.7 * (same[..., 5] * torch.linalg.vector_norm(true_ab, dim=-1)).sum()


def blob(x: float, y: float, height: int = 30, width: int = 40, size: float = 3.0) -> Tensor:
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    squared = (rows - y * height).square() + (columns - x * width).square()
    return (20 * torch.exp(-squared / size**2) + 1)[None, None]


@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8))
@settings(max_examples=20, deadline=None)
def test_the_first_point_is_where_most_is_guessed(x: float, y: float) -> None:
    ((first_x, first_y),) = suggest_points(blob(x, y), 1)
    assert abs(first_x - x) * 40 <= 1.51
    assert abs(first_y - y) * 30 <= 1.51


def test_the_next_points_are_elsewhere() -> None:
    twice = blob(0.2, 0.5) + blob(0.8, 0.5) * 0.9
    (first, *_), (second, *_) = suggest_points(twice, 2)
    assert [first, second] == pytest.approx([0.2, 0.8], abs=0.04)
    places = torch.tensor(suggest_points(torch.ones(1, 1, 30, 40), 12)) * torch.tensor([40.0, 30.0])
    assert torch.pdist(places).min() > 0.08 * 30, "each point answers for its surroundings"


@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_points_lie_inside_and_change_nothing(height: int, width: int, seed: int) -> None:
    expected_error = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(seed)) * 30
    before = expected_error.clone()
    places = suggest_points(expected_error, 5)
    assert len(places) == 5
    assert all(0 < x < 1 and 0 < y < 1 for x, y in places)
    assert suggest_points(expected_error, 7)[:5] == places
    assert torch.equal(expected_error, before)
    assert suggest_points(expected_error, 0) == []

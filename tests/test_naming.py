"""Main colors and their names: true shares, the same every time, and only names of what is there."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import vq
from skimage.color import rgb2lab
from skimage.data import astronaut

from autochrome.color import rgb_to_lab
from autochrome.naming import anchor_of, cluster_colors, name_colors, name_main_colors
from autochrome.naming.terms import ANCHORS

TERMS = ["black", "white", "grey", "red", "green", "yellow", "blue", "brown", "orange", "pink", "purple"]
LEVELS = st.integers(0, 255)


def lab_of(*codes: str) -> np.ndarray:
    """Lab of "rrggbb", `(N, 3)`."""
    levels = torch.tensor([list(bytes.fromhex(code)) for code in codes], dtype=torch.float64) / 255
    return rgb_to_lab(levels.T[:, :, None])[:, :, 0].T.numpy()


def names(parts: dict[str, int], *, min_share: float = 0.05, max_colors: int = 9) -> list[str]:
    """Of a picture with so many pixels of each color."""
    pixels = np.concatenate([np.repeat(lab_of(code), count, axis=0) for code, count in parts.items()])
    return name_main_colors(pixels, min_share=min_share, max_colors=max_colors)


@given(st.lists(st.tuples(LEVELS, LEVELS, LEVELS), min_size=1, max_size=80), st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_clusters_share_the_pixels_among_them(colors: list[tuple[int, int, int]], count: int) -> None:
    pixels = rgb2lab(np.array(colors, dtype=np.float64)[None] / 255)[0]
    centers, shares = cluster_colors(pixels, count)
    assert 1 <= len(centers) == len(shares) <= count
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()
    assert (pixels.min(axis=0) - 1e-6 <= centers).all()
    assert (centers <= pixels.max(axis=0) + 1e-6).all()
    again, _ = cluster_colors(pixels.copy(), count)
    assert np.array_equal(centers, again)


def test_clusters_are_those_of_their_pixels() -> None:
    """By SciPy: each center is nearly the mean of the pixels that are nearest to it, and its share is theirs."""
    pixels = rgb2lab(astronaut()[::8, ::8]).reshape(-1, 3)
    centers, shares = cluster_colors(pixels, 8)
    nearest, distances = vq(pixels, centers)
    counted = np.bincount(nearest, minlength=8) / len(pixels)
    assert np.abs(counted - shares).max() < 0.03
    spread = np.sqrt(np.square(pixels - pixels.mean(axis=0)).sum(axis=1)).mean()
    assert distances.mean() < 0.35 * spread
    for index in range(8):
        assert np.linalg.norm(pixels[nearest == index].mean(axis=0) - centers[index]) < 6


def test_flat_colors_are_found_exactly() -> None:
    pixels = np.repeat(lab_of("c03030", "2040a0", "f0f0f0"), [60, 30, 10], axis=0)
    centers, shares = cluster_colors(pixels)
    order = np.argsort(-shares)
    assert shares[order] == pytest.approx([0.6, 0.3, 0.1])
    assert np.allclose(centers[order], lab_of("c03030", "2040a0", "f0f0f0"))
    assert len(cluster_colors(pixels[:60])[0]) == 1


def test_every_anchor_has_its_own_name() -> None:
    for term, codes in ANCHORS.items():
        assert name_colors(lab_of(*codes.split())) == [term] * len(codes.split())
    assert {term.split()[-1] for term in ANCHORS} == set(TERMS)


def test_main_colors_are_those_that_cover_enough() -> None:
    parts = {"e50000": 50, "0343df": 30, "15b01a": 15, "ffff14": 5}
    assert names(parts) == ["red", "blue", "green", "yellow"]
    assert names(parts, min_share=0.1) == ["red", "blue", "green"]
    assert names(parts, max_colors=2) == ["red", "blue"]
    assert names(parts, min_share=0.9) == []


def test_neutral_colors_come_last_and_shades_count_together() -> None:
    assert names({"ffffff": 80, "e50000": 20}) == ["red", "white"]
    assert names({"0343df": 30, "00035b": 25, "e50000": 45}) == ["blue", "red"], "blue and dark blue are 55"
    assert names({"0343df": 25, "00035b": 30, "e50000": 45}) == ["dark blue", "red"]
    assert names({"0343df": 4, "00035b": 5, "ffffff": 91}, min_share=0.06) == ["dark blue", "white"]


@pytest.mark.parametrize("term", TERMS)
def test_a_term_lies_among_its_anchors(term: str) -> None:
    lightness, a, b = anchor_of(term)
    assert 0 <= lightness <= 100
    opposite = {"red": a, "green": -a, "yellow": b, "blue": -b}
    assert opposite.get(term, 100.0) > 15
    (name,) = name_colors(np.array([[lightness, a, b]]))
    assert name.split()[-1] in ({term, "brown"} if term in ("orange", "red") else {term})


def test_what_is_no_term_has_no_place() -> None:
    with pytest.raises(KeyError, match="mauve"):
        anchor_of("mauve")

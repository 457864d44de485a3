"""Directions for training: drawn from the truth, decided by the random generator alone, and never a lie by chance."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from torch import Tensor

from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.errors import SettingError
from autochrome.naming.terms import ANCHORS
from training.directions import (
    Directed,
    DirectionMix,
    direct,
    draw_hints,
    draw_palette,
    draw_words,
    gather,
    has_caption,
    hint_colors,
    name_colors_of,
    true_points,
    turn_hues,
)

PHOTO = torch.from_numpy(astronaut()[::8, ::8].copy()).permute(2, 0, 1)
LAB = rgb_to_lab(PHOTO.float() / 255)
CAPTIONS = ["A woman in an orange suit.", "an astronaut"]
NEVER = DirectionMix(
    nothing_share=0, words_share=0, palette_share=0, hints_share=0, hue_shift_share=0, named_colors_share=0
)
SEEDS = st.integers(0, 2**32)
TERM = re.compile(rf"\b({'|'.join({name.split()[-1] for name in ANCHORS})})\b")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(one: Directed, other: Directed) -> bool:
    return one.text == other.text and all(torch.equal(*pair) for pair in zip(one[:3], other[:3], strict=True))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_directions_depend_on_the_generator_alone(seed: int) -> None:
    torch.manual_seed(seed % 7)
    first = direct(PHOTO, CAPTIONS, DirectionMix(), rng(seed))
    torch.rand(3)
    before = PHOTO.clone()
    assert same(first, direct(PHOTO, CAPTIONS, DirectionMix(), rng(seed)))
    assert torch.equal(PHOTO, before)
    assert (first.photo.shape, first.photo.dtype) == (PHOTO.shape, torch.uint8)
    assert first.hints.shape[1:] == (6,)
    assert first.palette.shape[1:] == (4,)
    assert first.hints.dtype == first.palette.dtype == torch.float32


def test_the_shares_of_a_mix_come_true() -> None:
    mix = DirectionMix(nothing_share=0.5, words_share=0.5, palette_share=0.25, hints_share=0.75, max_hints=4)
    drawn = [direct(PHOTO, CAPTIONS, mix, rng(seed)) for seed in range(2000, 3000)]
    shares = {
        "words": np.mean([bool(one.text) for one in drawn]),
        "palette": np.mean([len(one.palette) > 0 for one in drawn]),
        "hints": np.mean([len(one.hints) > 0 for one in drawn]),
        "shifted": np.mean([not torch.equal(one.photo, PHOTO) for one in drawn]),
    }
    assert shares == pytest.approx({"words": 0.25, "palette": 0.125, "hints": 0.375, "shifted": 0.1}, abs=0.05)
    nothing = [direct(PHOTO, CAPTIONS, replace(mix, nothing_share=1), rng(seed)) for seed in range(9)]
    assert all(same(one, Directed(PHOTO, torch.zeros(0, 6), torch.zeros(0, 4), "")) for one in nothing)


@pytest.mark.parametrize(
    ("only", "given"),
    [
        ({"words_share": 1.0}, (False, False, True)),
        ({"palette_share": 1.0}, (False, True, False)),
        ({"hints_share": 1.0}, (True, False, False)),
        ({"words_share": 1.0, "palette_share": 1.0, "hints_share": 1.0}, (True, True, True)),
    ],
)
def test_each_direction_comes_by_itself_or_with_others(only: dict[str, float], given: tuple[bool, ...]) -> None:
    for seed in range(5):
        one = direct(PHOTO, CAPTIONS, replace(NEVER, **only), rng(seed))  # type: ignore[arg-type]
        assert (len(one.hints) > 0, len(one.palette) > 0, one.text != "") == given


@given(st.floats(0, 6.28))
@settings(max_examples=20, deadline=None)
def test_turned_hues_keep_lightness_and_chroma(angle: float) -> None:
    turned = turn_hues(LAB, angle)
    assert torch.equal(turned[:1], LAB[:1])
    one, other = (torch.complex(lab[1].double(), lab[2].double()) for lab in (LAB, turned))
    assert (one * np.exp(1j * angle) - other).abs().max() < 1e-3


def test_a_picture_with_other_hues_has_the_same_light() -> None:
    mix = replace(NEVER, hue_shift_share=1.0, hints_share=1.0, rough_hints_share=0, doubtful_hints_share=0)
    moved = []
    for seed in range(5):
        one = direct(PHOTO, CAPTIONS, mix, rng(seed))
        lightness, ab = split_lab(rgb_to_lab(one.photo.float() / 255))
        assert (lightness - LAB[:1]).abs().max() < 0.7, "8-bit rounding"
        moved.append(torch.linalg.vector_norm(ab - LAB[1:], dim=0).mean().item())
        places = one.hints[:, :2].double().numpy()
        colors = hint_colors(rgb_to_lab(one.photo.float() / 255), places)
        assert np.abs(one.hints[:, 2:4].numpy() * AB_SCALE - colors).max() < 1.5, "hints fit what is shown"
    assert np.mean(moved) > 5


def test_words_for_other_hues_name_what_is_there_and_nothing_else() -> None:
    """The caption speaks of an orange suit, which has another color now."""
    mix = replace(NEVER, hue_shift_share=1.0, words_share=1.0)
    for seed in range(20):
        one = direct(PHOTO, CAPTIONS, mix, rng(seed))
        assert re.fullmatch(r"Mainly [a-z ,]+\.", one.text), one.text
        everything = name_colors_of(rgb_to_lab(one.photo.float() / 255), min_share=0.0, max_colors=20)
        assert set(TERM.findall(one.text)) <= set(TERM.findall(everything)), "of the picture as it is shown"


def test_captions_are_used_as_they_are_with_colors_or_without() -> None:
    never, always = replace(NEVER, words_share=1), replace(NEVER, words_share=1, named_colors_share=1)
    assert {direct(PHOTO, CAPTIONS, never, rng(seed)).text for seed in range(20)} == set(CAPTIONS)
    named = [direct(PHOTO, CAPTIONS, always, rng(seed)).text for seed in range(40)]
    assert all("Mainly " in text for text in named)
    begins = {text.split("Mainly")[0] for text in named}
    assert begins == {"A woman in an orange suit. ", "an astronaut. ", ""}, "a full stop between, and only one"
    assert direct(PHOTO, [], never, rng()).text.startswith("Mainly "), "who has no caption has names"
    assert draw_words(LAB * torch.tensor([1.0, 0, 0]).view(3, 1, 1), [], always, rng()).count("Mainly") <= 1


@pytest.mark.parametrize("exact", [False, True])
@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_a_palette_is_of_the_picture_and_weighs_one(exact: bool, seed: int) -> None:
    palette = draw_palette(LAB, rng(seed), exact=exact)
    assert 1 <= len(palette) <= 8
    assert palette[:, 3].sum().item() == pytest.approx(1, abs=1e-5)
    assert (palette[:, 3] > 0).all()
    pixels = LAB.flatten(1).T
    nearest = torch.cdist(torch.cat([palette[:, 2:3] * 100, palette[:, :2] * AB_SCALE], dim=1), pixels).min(dim=1)[0]
    assert nearest.max() < (8 if exact else 20), "each color is there, or nearly"


def test_a_palette_of_a_flat_picture_is_its_color() -> None:
    flat = torch.tensor([50.0, 30.0, -20.0]).view(3, 1, 1).expand(3, 40, 40)
    palette = draw_palette(flat, rng(), exact=True)
    torch.testing.assert_close(palette, torch.tensor([[30 / 110, -20 / 110, 0.5, 1.0]]))


def test_hints_have_the_truths_colors() -> None:
    mix = replace(NEVER, rough_hints_share=0, doubtful_hints_share=0, max_hints=40)
    counts = []
    for seed in range(60):
        hints = draw_hints(LAB, mix, rng(seed))
        counts.append(len(hints))
        assert (hints[:, 5] == 1).all()
        assert ((hints[:, 4] >= 0.006) & (hints[:, 4] <= 0.03)).all()
        expected = hint_colors(LAB, hints[:, :2].double().numpy())
        # A place is rounded to float32 afterwards, so that one in a million lies in the next pixel.
        assert np.median(np.abs(hints[:, 2:4].numpy() * AB_SCALE - expected)) < 1e-3
    assert min(counts) == 1
    assert 20 < max(counts) <= 40
    assert np.median(counts) < 12, "few are as likely as many"


def test_the_color_of_a_place_is_that_of_its_pixels() -> None:
    lab = torch.arange(3 * 5 * 7, dtype=torch.float32).view(3, 5, 7)
    colors = hint_colors(lab, np.array([[2.5 / 7, 1.5 / 5], [0.0, 0.0], [1.0, 1.0]]))
    for (row, column), found in zip(((1, 2), (0, 0), (4, 6)), colors, strict=True):
        around = lab[1:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        assert found == pytest.approx(around.mean(dim=(1, 2)).numpy())


def test_rough_hints_err_a_little_and_doubtful_ones_as_often_as_they_say() -> None:
    def errors(hints: Tensor) -> Tensor:
        truth = hint_colors(LAB, hints[:, :2].double().numpy())
        found: Tensor = torch.linalg.vector_norm(hints[:, 2:4] * AB_SCALE - torch.from_numpy(truth), dim=1)
        return found

    rough = replace(NEVER, rough_hints_share=1, doubtful_hints_share=0, max_hints=128)
    drawn = torch.cat([draw_hints(LAB, rough, rng(seed)) for seed in range(30)])
    assert 3 < errors(drawn).median() < 15
    assert drawn[:, :2].min() >= 0
    assert drawn[:, :2].max() <= 1
    doubtful = replace(rough, doubtful_hints_share=1, rough_hints_share=0)
    drawn = torch.cat([draw_hints(LAB, doubtful, rng(seed)) for seed in range(60)])
    assert ((drawn[:, 5] >= 0.1) & (drawn[:, 5] <= 0.95)).all()
    right = errors(drawn) < 1.0
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        chosen = (drawn[:, 5] >= low) & (drawn[:, 5] < high)
        mean = drawn[chosen, 5].mean().item()
        assert right[chosen].float().mean().item() == pytest.approx(mean, abs=0.12)


def test_true_points_say_the_truth_where_they_were_put() -> None:
    places = rng().random((9, 2))
    points = true_points(LAB, places, radius=0.02)
    torch.testing.assert_close(points[:, :2].double(), torch.from_numpy(places), atol=1e-6, rtol=0)
    assert np.abs(points[:, 2:4].numpy() * AB_SCALE - hint_colors(LAB, places)).max() < 1e-3
    assert (points[:, 4:] == torch.tensor([0.02, 1.0])).all()


def test_a_batch_is_filled_up_with_zeros() -> None:
    mixes = [NEVER, replace(NEVER, hints_share=1), replace(NEVER, palette_share=1, words_share=1)]
    directed = [direct(PHOTO, CAPTIONS, mix, rng(3)) for mix in mixes]
    batch = gather(directed)
    assert batch.texts == [one.text for one in directed]
    assert batch.hints.shape == (3, len(directed[1].hints), 6)
    assert batch.palette.shape == (3, len(directed[2].palette), 4)
    assert torch.equal(batch.hints[1], directed[1].hints)
    assert not batch.hints[[0, 2]].any()
    assert not batch.palette[:2].any()
    empty = gather(directed[:1])
    assert (empty.hints.shape, empty.palette.shape) == ((1, 0, 6), (1, 0, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mix: replace(mix, words_share=1.2), "directions.words_share must lie in 0..1, got 1.2"),
        (lambda mix: replace(mix, nothing_share=-0.1), "directions.nothing_share must lie in 0..1, got -0.1"),
        (lambda mix: replace(mix, hints_share=float("nan")), "directions.hints_share must lie in 0..1, got nan"),
        (lambda mix: replace(mix, max_hints=0), "directions.max_hints must be at least 1, got 0"),
        (
            lambda mix: replace(mix, rough_hints_share=0.7, doubtful_hints_share=0.6),
            "directions.rough_hints_share and doubtful_hints_share must sum to at most 1, got 0.7 and 0.6",
        ),
    ],
)
def test_a_mix_out_of_range_is_refused(change: Callable[[DirectionMix], DirectionMix], message: str) -> None:
    DirectionMix().check()
    with pytest.raises(SettingError, match=re.escape(message)):
        change(DirectionMix()).check()


def test_a_sentence_from_a_label_is_no_caption() -> None:
    assert not has_caption([])
    assert not has_caption(["a photo of ice climbing"])
    assert has_caption(["a photo of ice climbing", "A man climbs a frozen waterfall."])

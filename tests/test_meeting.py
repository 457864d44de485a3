"""After the network: hints are met exactly, what they lacked goes to what is near and alike, colors to the palette."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.models.steering import sample
from autochrome.pipelines import Hint, parse_hints, parse_palette
from autochrome.pipelines.conditioning import hints_to_tensor, palette_to_tensor
from autochrome.pipelines.meeting import MAX_SPREAD, draw_to_palette, meet_hints, spread_hints

RED = {"x": 0.31, "y": 0.42, "color": "#c03030"}


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(seed)) * 0.1


def tensor(hints: list[Hint], height: int, width: int) -> Tensor:
    found = hints_to_tensor(hints, height, width)
    assert found is not None
    return found


def palette_of(text: str) -> Tensor:
    found = palette_to_tensor(parse_palette(text))
    assert found is not None
    return found


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.03])
@given(x=st.floats(0, 1), y=st.floats(0, 1), u=st.floats(0, 1), v=st.floats(0, 1))
@settings(max_examples=12, deadline=None)
def test_a_hint_has_its_color_exactly(radius: float, x: float, y: float, u: float, v: float) -> None:
    """Wherever it lies between the cells, alone or with another not too near."""
    ab, lightness = noise(24, 32), 50 + 200 * noise(96, 128)[:, :1]
    asked = [Hint(x, y, "#c03030", radius)]
    if abs(x - u) > 0.2:
        asked.append(Hint(u, v, "#2040a0", radius))
    hints = tensor(asked, 24, 32)
    for before in (ab, spread_hints(ab, hints, lightness)):
        met = sample(meet_hints(before, hints), hints[..., :2])[0] * AB_SCALE
        for found, hint in zip(met, asked, strict=True):
            assert found.tolist() == pytest.approx(hint.ab, abs=0.5)


def test_meeting_a_hint_moves_its_surroundings_only() -> None:
    ab = noise(48, 64)
    hints = tensor(list(parse_hints([RED, RED])), 48, 64)
    assert hints.shape == (1, 1, 6), "one place, one hint"
    moved = (meet_hints(ab, hints) - ab).norm(dim=1)[0]
    assert moved[:, 40:].max() < 1e-6
    doubtful = hints.clone()
    doubtful[..., 5] = 0.0
    assert torch.equal(meet_hints(ab, doubtful), ab)


def test_two_close_hints_meet_in_their_mean() -> None:
    hints = tensor([Hint(0.5, 0.5, "#c03030"), Hint(0.5, 0.5002, "#2040a0")], 48, 64)
    met = sample(meet_hints(torch.zeros(1, 2, 48, 64), hints), hints[..., :2])[0]
    torch.testing.assert_close(met, hints[0, :, 2:4].mean(dim=0).expand(2, -1), atol=0.01, rtol=0)


def test_what_is_missing_is_spread_as_the_book_says() -> None:
    """Rasmussen and Williams 2006, equation 2.25, cell by cell, with SciPy's distances."""
    height, width = 12, 18
    ab, lightness = noise(height, width), 50 + 200 * noise(height, width, 1)[:, :1]
    middles = [((column + 0.5) / width, (row + 0.5) / height) for row, column in ((1, 2), (5, 9), (5, 10), (11, 17))]
    hints = tensor([Hint(x, y, "#c03030") for x, y in middles], height, width)

    rows, columns = np.mgrid[:height, :width] / height / 0.25
    look = torch.cat([lightness / 15, ab * AB_SCALE / 12], dim=1)[0].numpy()
    inputs = np.concatenate([np.stack([rows, columns]), look]).reshape(5, -1).T
    chosen = [1 * width + 2, 5 * width + 9, 5 * width + 10, 11 * width + 17]
    values = ab[0].reshape(2, -1).T.numpy()
    missing = hints[0, :, 2:4].numpy() - values[chosen]
    among = np.exp(-cdist(inputs[chosen], inputs[chosen])) + 0.05 * np.eye(4)
    expected = values + np.exp(-cdist(inputs, inputs[chosen])) @ np.linalg.solve(among, missing)
    found = spread_hints(ab, hints, lightness)[0].reshape(2, -1).T
    torch.testing.assert_close(found, torch.from_numpy(expected).float(), atol=2e-3, rtol=0)


def test_one_click_does_not_repaint_the_picture() -> None:
    """A light coat before a dark wall: what is missing on the coat goes to the coat, and there to what is near."""
    lightness = torch.full((1, 1, 160, 240), 25.0)
    lightness[..., 100:] = 75.0
    ab = torch.zeros(1, 2, 40, 60)
    hints = tensor([Hint(0.5, 0.5, "#2040c0")], 40, 60)
    moved = (spread_hints(ab, hints, lightness) - ab).norm(dim=1)[0]
    at_hint = moved[20, 30]
    assert moved[20, 32] > 0.6 * at_hint
    assert moved[20, :25].max() < 0.05 * at_hint, "the wall, though nearer than the far end of the coat"
    assert moved[:, 55:].max() < 0.1 * at_hint
    assert moved.mean() < 0.2 * at_hint
    doubtful = hints.clone()
    doubtful[..., 5] = 0.1
    assert (spread_hints(ab, doubtful, lightness) - ab).norm(dim=1).max() < 0.15 * at_hint


def test_many_hints_are_spread_alike_and_in_bounds() -> None:
    rng = np.random.default_rng(0)
    many = tensor([Hint(x, y, "#c03030") for x, y in rng.random((3000, 2)).tolist()], 48, 48)
    assert many.shape[1] > 2 * MAX_SPREAD
    red = many[0, 0, 2:4, None, None]
    found = spread_hints(noise(48, 48), many, torch.full((1, 1, 192, 192), 50.0))
    assert (found - red).abs().mean() < 0.5 * (noise(48, 48) - red).abs().mean()
    assert (found[0].flatten(1).amax(dim=1) < red.flatten() + 0.4).all()


def test_each_place_is_drawn_to_the_color_that_is_as_light() -> None:
    lightness = torch.full((1, 1, 40, 60), 32.0)
    lightness[..., 30:] = 80.0
    ab = torch.zeros(1, 2, 10, 15)
    palette = palette_of("#5a4a3a,#d8c8a0")
    drawn = draw_to_palette(ab, palette, lightness)
    dark, light = palette[0].unbind() if palette[0, 0, 2] < palette[0, 1, 2] else palette[0].flip(0).unbind()
    for found, color in ((drawn[..., :5], dark), (drawn[..., 10:], light)):
        share = (found / color[None, :2, None, None]).flatten()
        assert 0.35 < share.min() <= share.max() < 0.7


def test_what_no_color_of_the_palette_fits_stays() -> None:
    ab, white = noise(8, 8), torch.full((1, 1, 32, 32), 97.0)
    torch.testing.assert_close(draw_to_palette(ab, palette_of("#802020"), white), ab, atol=0.02, rtol=0)
    palette = palette_of("#c03030")
    there = palette[:, 0, :2, None, None].expand(1, 2, 8, 8)
    torch.testing.assert_close(draw_to_palette(there, palette, torch.full((1, 1, 32, 32), 44.0)), there)


def test_the_weights_count_and_the_order_does_not() -> None:
    ab, lightness = noise(12, 12) * 0.3, torch.full((1, 1, 48, 48), 50.0)
    palette = palette_of("#a86a60,#607aa0")
    drawn = draw_to_palette(ab, palette, lightness)
    torch.testing.assert_close(draw_to_palette(ab, palette.flip(1), lightness), drawn)
    heavier = palette.clone()
    heavier[0, :, 3] = torch.tensor([0.9, 0.1])
    to_first = palette[0, 0, :2] - palette[0, 1, :2]
    change = (draw_to_palette(ab, heavier, lightness) - drawn).mean(dim=(0, 2, 3))
    assert change @ to_first > 0

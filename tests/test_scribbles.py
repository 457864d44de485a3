"""Colorization by optimization: the published equations, and what follows from them."""

import math
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from autochrome.color import lab_to_gamut, merge_lab, rgb_to_lab, split_lab
from autochrome.errors import SettingError
from autochrome.image import picture_to_tensor, resize
from autochrome.metrics import ciede2000
from autochrome.pipelines import ScribblesPipeline
from autochrome.pipelines.scribbles import propagate


@pytest.fixture(scope="module")
def photo() -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut()).resize((112, 96))


def textbook(lightness: Tensor, ab: Tensor, held: Tensor) -> Tensor:
    """Levin, Lischinski and Weiss as a person would write it down, cell by cell, solved as a dense system."""
    light = lightness[0, 0].double() / 100
    height, width = light.shape
    system, right = np.eye(height * width), np.zeros((height * width, 2))
    for row in range(height):
        for column in range(width):
            cell = row * width + column
            if held[0, 0, row, column]:
                right[cell] = ab[0, :, row, column].numpy()
                continue
            near = [
                (r, c)
                for r in range(max(0, row - 1), min(height, row + 2))
                for c in range(max(0, column - 1), min(width, column + 2))
            ]
            values = [light[r, c].item() for r, c in near]
            mean = sum(values) / len(values)
            scale = 0.6 * sum((value - mean) ** 2 for value in values) / len(values)
            squares = {
                (r, c): (light[r, c] - light[row, column]).item() ** 2 for r, c in near if (r, c) != (row, column)
            }
            scale = max(scale, min(squares.values()) / -math.log(0.01), 2e-6)
            shares = {place: math.exp(-square / scale) for place, square in squares.items()}
            for (r, c), share in shares.items():
                system[cell, r * width + c] = -share / sum(shares.values())
    return torch.from_numpy(np.linalg.solve(system, right).T.reshape(1, 2, height, width))


def test_the_published_system_is_solved() -> None:
    generator = torch.Generator().manual_seed(0)
    lightness = torch.rand(1, 1, 9, 7, generator=generator) * 100
    lightness[..., 4:] = 50 + lightness[..., 4:] / 50  # a nearly flat part too
    ab = torch.randn(1, 2, 9, 7, generator=generator) * 30
    held = torch.rand(1, 1, 9, 7, generator=generator) < 0.15
    expected = textbook(lightness, ab, held)
    assert torch.allclose(propagate(lightness, ab, held).double(), expected, atol=1e-3)


def test_held_cells_are_exact_and_nothing_goes_beyond_them(photo: PIL.Image.Image) -> None:
    lightness, ab = split_lab(rgb_to_lab(picture_to_tensor(photo)))
    held = torch.rand(lightness.shape, generator=torch.Generator().manual_seed(1)) < 0.01
    found = propagate(lightness, ab, held)
    assert found.dtype == torch.float32
    chosen = held.expand_as(ab)
    assert torch.equal(found[chosen], ab[chosen])
    for channel in range(2):
        values = ab[:, channel][held[:, 0]]
        assert found[:, channel].min() >= values.min() - 1e-3
        assert found[:, channel].max() <= values.max() + 1e-3


def test_on_an_even_ground_color_changes_evenly() -> None:
    lightness, ab = torch.full((1, 1, 6, 11), 40.0), torch.zeros(1, 2, 6, 11)
    held = torch.zeros(1, 1, 6, 11, dtype=torch.bool)
    held[..., 0] = held[..., -1] = True
    ab[..., -1] = 50.0
    found = propagate(lightness, ab, held)
    assert torch.allclose(found, torch.linspace(0, 50, 11).expand_as(found), atol=1e-3)


def test_color_stops_at_an_edge() -> None:
    lightness = torch.full((1, 1, 16, 16), 30.0)
    lightness[..., 8:] = 70.0
    ab = torch.zeros(1, 2, 16, 16)
    held = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    held[..., 8, 2] = held[..., 8, 13] = True
    ab[0, 0, 8, 2], ab[0, 0, 8, 13] = 40.0, -40.0
    found = propagate(lightness, ab, held)[0, 0]
    assert found[:, :7].min() > 35
    assert found[:, 9:].max() < -35


def test_true_points_beat_grey(photo: PIL.Image.Image) -> None:
    draw = np.random.default_rng(0)
    places = draw.random((60, 2))
    hints = []
    for x, y in places.tolist():
        red, green, blue = np.asarray(photo)[int(y * photo.height), int(x * photo.width)].tolist()
        hints.append({"x": x, "y": y, "color": f"#{red:02x}{green:02x}{blue:02x}"})
    grey = photo.convert("L").convert("RGB")
    out = ScribblesPipeline(model_id="scribbles")(grey, hints=hints, render_factor=7)
    assert out.images[0].size == photo.size
    assert out.notes == ()
    truth = rgb_to_lab(picture_to_tensor(photo))
    lightness = split_lab(truth)[0]
    ab = resize(out.ab, photo.size)

    def error(values: Tensor) -> float:
        return ciede2000(lab_to_gamut(merge_lab(lightness, values)), picture_to_tensor(photo)).mean().item()

    assert error(ab) < 0.6 * error(torch.zeros_like(ab))
    again = ScribblesPipeline(model_id="scribbles")(grey, **out.settings)
    assert torch.equal(again.ab, out.ab)
    assert out.render(saturation=0.0).size == photo.size


def test_everything_held_needs_no_solving() -> None:
    ab = torch.ones(1, 2, 3, 3)
    assert torch.equal(propagate(torch.zeros(1, 1, 3, 3), ab, torch.ones(1, 1, 3, 3, dtype=torch.bool)), ab)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "scribbles colors nothing by itself: give hints"),
        (
            {"palette": ["#ff0000"]},
            "scribbles takes no palette; its settings are: merge_lightness, render_f",
        ),
        ({"hints": [{"x": 2}]}, "hint 0 has no y, color"),
    ],
)
def test_it_needs_hints(settings: dict[str, Any], message: str, photo: PIL.Image.Image) -> None:
    with pytest.raises(SettingError, match=message):
        ScribblesPipeline(model_id="scribbles")(photo, **settings)


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 3)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    hint = {"x": 0.5, "y": 0.5, "color": "#cc2020"}
    out = ScribblesPipeline(model_id="scribbles")(
        PIL.Image.new("RGB", size, (90, 90, 90)), hints=[hint], render_factor=7
    )
    red, green, _ = np.asarray(out.images[0]).reshape(-1, 3).mean(axis=0)
    assert out.images[0].size == size
    assert red > green + 30

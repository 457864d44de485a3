"""Tensors, sizes, the guided upsampling and the L* merge, whose promise holds for any a*b* whatever."""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from torch import Tensor

from autochrome import color
from autochrome.errors import DataError
from autochrome.image import (
    merge_picture,
    picture_to_lightness,
    picture_to_tensor,
    read_picture,
    resize,
    tensor_to_picture,
    upsample_ab,
    working_size,
    write_png,
)

# Rounding moves R, G and B by at most half a step; before it, `lab_to_gamut` lets a channel leave 0..1 by a margin.
HALF_STEP = 0.5 / 255 + 1e-4
# The most that this in all three can move L*: in dark grey near level 24, where L* is steepest (131 per unit of sRGB).
# Checked on the cube below.
LARGEST_MOVE = 0.28


@functools.cache
def photo() -> Image.Image:
    return Image.fromarray(data.astronaut()).crop((60, 20, 360, 240))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def grey(picture: Image.Image) -> Image.Image:
    return tensor_to_picture(color.lightness_to_grey(picture_to_lightness(picture)).expand(-1, 3, -1, -1))


def exact_lightness(picture: Image.Image, shift: float = 0.0) -> Tensor:
    """L* in double precision, of R, G and B all moved by `shift`."""
    rgb = torch.from_numpy(np.array(picture))[..., :3].permute(2, 0, 1).double() / 255
    return color.rgb_to_lightness(rgb + shift)


def assert_lightness_kept(result: Image.Image, picture: Image.Image) -> None:
    """L* grows with R, G and B: what was rounded to `result` had an L* between those of half a step down and up."""
    before = exact_lightness(picture)
    assert (before >= exact_lightness(result, -HALF_STEP) - 2e-3).all()
    assert (before <= exact_lightness(result, HALF_STEP) + 2e-3).all()
    assert (before - exact_lightness(result)).abs().max() < LARGEST_MOVE


def ab_of(picture: Image.Image) -> Tensor:
    return color.split_lab(color.rgb_to_lab(picture_to_tensor(picture)))[1]


# --- tensors


def test_picture_to_tensor_and_back() -> None:
    picture = noise(7, 5)
    rgb = picture_to_tensor(picture)
    assert rgb.shape == (1, 3, 5, 7)
    assert rgb.dtype == torch.float32
    assert rgb.is_contiguous()
    red = picture.getpixel((3, 2))
    assert isinstance(red, tuple)
    assert rgb[0, 0, 2, 3] == pytest.approx(red[0] / 255)
    assert np.array_equal(np.asarray(tensor_to_picture(rgb)), np.asarray(picture))
    assert np.array_equal(np.asarray(tensor_to_picture(rgb[0])), np.asarray(picture))
    with_alpha = picture.copy()
    with_alpha.putalpha(9)
    assert torch.equal(picture_to_tensor(with_alpha), rgb)


def test_tensor_to_picture_clips_and_rounds() -> None:
    rgb = torch.tensor([-1.0, 0.4999 / 255, 2.0])[:, None, None]
    assert tensor_to_picture(rgb).getpixel((0, 0)) == (0, 0, 255)
    assert tensor_to_picture(torch.full((3, 1, 1), 0.5001 / 255)).getpixel((0, 0)) == (1, 1, 1)


@pytest.mark.parametrize(
    "rgb", [torch.zeros(2, 3, 4, 4), torch.zeros(1, 4, 4), torch.zeros(3, 4, 4, dtype=torch.uint8)]
)
def test_tensor_to_picture_refuses_other_tensors(rgb: Tensor) -> None:
    with pytest.raises(ValueError, match=r"rgb must be float of shape \(1, 3, H, W\) or \(3, H, W\), got torch"):
        tensor_to_picture(rgb)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensor_to_picture_refuses_nan(value: float) -> None:
    with pytest.raises(ValueError, match="rgb must be finite; it holds NaN or infinity"):
        tensor_to_picture(torch.full((3, 1, 1), value))


def test_other_modes_are_refused() -> None:
    palette = Image.new("P", (2, 2))
    for function in (picture_to_tensor, picture_to_lightness, lambda p: merge_picture(p, torch.zeros(1, 2, 1, 1))):
        with pytest.raises(ValueError, match="picture must be of mode RGB or RGBA, got P; read it with read_picture"):
            function(palette)


def test_lightness_is_that_of_color() -> None:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(54, -1, 3)
    for picture in (Image.fromarray(cube), noise(1000, 700), noise(1, 1)):  # the second needs several strips
        lightness = picture_to_lightness(picture)
        assert lightness.dtype == torch.float32
        assert lightness.shape == (1, 1, picture.height, picture.width)
        assert lightness.min() >= 0
        assert lightness.max() <= 100
        assert (lightness[0] - exact_lightness(picture)).abs().max() < 1e-4


def test_lightness_of_grey_takes_the_same_values() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    lightness = picture_to_lightness(Image.fromarray(ramp))
    assert (lightness[0] - exact_lightness(Image.fromarray(ramp))).abs().max() < 1e-4
    assert lightness[0, 0, 0, 0].abs() < 1e-6
    assert (lightness[0, 0, 0, 255] - 100).abs() < 1e-5


# --- sizes


@given(st.integers(1, 20000), st.integers(1, 20000), st.integers(32, 1024), st.sampled_from([8, 16, 32]))
@settings(max_examples=200, deadline=None)
def test_working_size(width: int, height: int, side_px: int, multiple: int) -> None:
    at_width, at_height = working_size(width, height, side_px, multiple)
    assert at_width % multiple == at_height % multiple == 0
    assert min(at_width, at_height) >= multiple
    assert at_width * at_height <= (side_px + multiple) ** 2 * 1.5
    assert working_size(height, width, side_px, multiple) == (at_height, at_width)
    if max(width, height) * multiple <= min(width, height) * side_px:  # not too thin: the aspect ratio is kept
        scale = side_px / (width * height) ** 0.5
        assert abs(at_width - width * scale) <= multiple
        assert abs(at_height - height * scale) <= multiple


def test_working_size_examples() -> None:
    assert working_size(512, 512, 256, 32) == (256, 256)
    assert working_size(4000, 3000, 224, 32) == (256, 192)
    assert working_size(1, 5000, 256, 32) == (32, 2048)
    assert working_size(1, 1, 16, 32) == (32, 32)


def test_resize_averages_when_it_shrinks() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(64).expand(1, 2, 30, 128)
    small = resize(stripes, (16, 10))
    assert small.shape == (1, 2, 10, 16)
    assert (small - 0.5).abs().max() < 0.06
    assert torch.equal(resize(stripes, (128, 30)), stripes)
    assert resize(stripes, (200, 31)).shape == (1, 2, 31, 200)


# --- upsampling


def down(ab: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.nn.functional.interpolate(ab, size=size[::-1], mode="area")


def test_guided_is_nearer_to_the_truth_than_bilinear() -> None:
    for picture in (photo(), Image.fromarray(data.coffee()).resize((300, 200))):
        truth, lightness = ab_of(picture), picture_to_lightness(picture)
        small = down(truth, (48, 36))
        errors = [(upsample_ab(small, lightness, guided=g) - truth).square().mean() for g in (True, False)]
        assert errors[0] < 0.75 * errors[1]


def test_colors_stop_at_edges() -> None:
    """A blue half beside an orange one, the border in the middle of a pixel of ab: bilinear bleeds, guided less."""
    left = torch.arange(160) < 84
    lightness = torch.where(left, 30.0, 75.0).expand(1, 1, 160, 160)
    truth = torch.where(left, torch.tensor([10.0, -50.0])[:, None], torch.tensor([20.0, 60.0])[:, None])
    truth = truth[None, :, None, :].expand(1, 2, 160, 160)
    small = down(truth, (20, 20))
    guided, bilinear = (upsample_ab(small, lightness, guided=g) for g in (True, False))
    assert (guided - truth).abs().mean() < 0.5 * (bilinear - truth).abs().mean()


def test_the_mean_over_a_pixel_of_ab_is_kept() -> None:
    lightness = picture_to_lightness(photo().resize((320, 240)))
    small = down(ab_of(photo().resize((320, 240))), (40, 30))
    guided, bilinear = (
        (down(upsample_ab(small, lightness, guided=g), (40, 30)) - small).abs().mean() for g in (True, False)
    )
    assert guided < 0.5 * bilinear


@given(st.integers(0, 2**31), st.sampled_from([1.0, 30.0, 100.0]))
@settings(max_examples=25, deadline=None)
def test_no_overshoot_and_flat_guides_do_not_blow_up(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    small = (torch.rand(1, 2, 9, 12, generator=generator) * 2 - 1) * size
    hard = torch.randint(0, 2, (1, 1, 90, 120), generator=generator) * 100.0
    for lightness in (hard, torch.full_like(hard, 50.0), 50 + 1e-4 * hard):
        full = upsample_ab(small, lightness)
        assert torch.isfinite(full).all()
        assert (full.amax((2, 3)) <= small.amax((2, 3)) + 1e-3).all()
        assert (full.amin((2, 3)) >= small.amin((2, 3)) - 1e-3).all()


def test_constant_ab_stays_constant() -> None:
    constant = torch.tensor([12.0, -7.0])[None, :, None, None]
    full = upsample_ab(constant.expand(1, 2, 14, 19), picture_to_lightness(photo()))
    assert (full - constant).abs().max() < 1e-3


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("ab_size", [(1, 1), (1, 40), (7, 3), (56, 72), (300, 220), (500, 9), (640, 480)])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (300, 220)])
def test_any_sizes(size: tuple[int, int], ab_size: tuple[int, int], guided: bool) -> None:
    picture = noise(*size)
    small = torch.randn(1, 2, *ab_size[::-1], generator=torch.Generator().manual_seed(0)) * 40
    full = upsample_ab(small, picture_to_lightness(picture), guided=guided)
    assert full.shape == (1, 2, size[1], size[0])
    assert torch.isfinite(full).all()
    result = merge_picture(picture, small, guided=guided)
    assert result.size == size
    assert_lightness_kept(result, picture)


# --- the merge


@pytest.mark.parametrize("guided", [True, False])
def test_strips_join_without_a_seam(guided: bool) -> None:
    picture = photo().resize((900, 700))  # three strips
    small = down(ab_of(picture), (72, 56))
    lightness = picture_to_lightness(picture)
    rgb = color.lab_to_gamut(color.merge_lab(lightness, upsample_ab(small, lightness, guided=guided)))
    at_once = np.asarray(tensor_to_picture(rgb)).astype(int)
    in_strips = np.asarray(merge_picture(picture, small, guided=guided)).astype(int)
    assert np.abs(at_once - in_strips).max() <= 1
    assert (at_once != in_strips).mean() < 1e-3


EXTREMES: dict[str, Tensor] = {
    "zero": torch.zeros(1, 2, 20, 30),
    "huge": (torch.rand(1, 2, 20, 30, generator=torch.Generator().manual_seed(1)) - 0.5) * 2e4,
    "float limit": torch.full((1, 2, 20, 30), 3e38) * torch.tensor([1.0, -1.0])[None, :, None, None],
    "ordinary": torch.randn(1, 2, 20, 30, generator=torch.Generator().manual_seed(2)) * 30,
    "one pixel": torch.tensor([[[[80.0]], [[60.0]]]]),
    "half precision": torch.full((1, 2, 20, 30), 70.0).half(),
}


@pytest.mark.parametrize("ab", EXTREMES.values(), ids=EXTREMES.keys())
@pytest.mark.parametrize("kind", ["color", "grey", "noise", "black and white"])
def test_lightness_is_kept_whatever_ab_is(kind: str, ab: Tensor) -> None:
    picture = {
        "color": photo(),
        "grey": grey(photo()),
        "noise": noise(200, 150),
        "black and white": Image.fromarray((np.asarray(noise(80, 60)) // 128 * 255)[..., :1].repeat(3, axis=2)),
    }[kind]
    for saturation in (1.0, 3.0):
        assert_lightness_kept(merge_picture(picture, ab, saturation=saturation), picture)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(0, 1e4),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_lightness_is_kept_at_any_size(width: int, height: int, w: int, h: int, scale: float, seed: int) -> None:
    picture = noise(width, height, seed)
    ab = torch.randn(1, 2, h, w, generator=torch.Generator().manual_seed(seed)) * scale
    assert_lightness_kept(merge_picture(picture, ab), picture)


def test_what_8_bit_rounding_amounts_to_in_lightness() -> None:
    """The bound that the promise is tested with is that of the cube, and no looser than it need be."""
    levels = np.unique(np.concatenate([np.arange(0, 64), np.arange(64, 256, 9)])).astype(np.uint8)
    cube = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3))
    middle = exact_lightness(cube)
    moves = [(exact_lightness(cube, shift) - middle).abs().max().item() for shift in (-HALF_STEP, HALF_STEP)]
    assert 0.9 * LARGEST_MOVE < max(moves) < LARGEST_MOVE


def test_no_color_gives_the_grey_picture_back() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=2))
    assert np.array_equal(np.asarray(merge_picture(ramp, torch.zeros(1, 2, 4, 4))), np.asarray(ramp))
    assert np.array_equal(np.asarray(merge_picture(ramp, torch.ones(1, 2, 4, 4), saturation=0)), np.asarray(ramp))


def test_its_own_colors_give_the_picture_back() -> None:
    result = merge_picture(photo(), ab_of(photo()))
    assert np.abs(np.asarray(result).astype(int) - np.asarray(photo())).max() <= 1


def test_alpha_is_kept_and_the_input_is_not_changed() -> None:
    picture = photo().resize((40, 30))
    picture.putalpha(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40).astype(np.uint8)))
    before = np.array(picture)
    result = merge_picture(picture, torch.full((1, 2, 5, 5), 20.0))
    assert result.mode == "RGBA"
    assert np.array_equal(np.asarray(result)[..., 3], before[..., 3])
    assert np.array_equal(np.asarray(picture), before)
    assert result.info == {}


def test_saturation_scales_ab() -> None:
    picture = grey(photo().resize((60, 44)))
    once = merge_picture(picture, torch.full((1, 2, 5, 5), 4.0), saturation=2.0)
    assert np.array_equal(np.asarray(once), np.asarray(merge_picture(picture, torch.full((1, 2, 5, 5), 8.0))))


@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 3, 4, 4), (2, 2, 4, 4), (1, 2, 0, 4)])
def test_ab_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"ab must have shape \(1, 2, h, w\), got \("):
        merge_picture(photo(), torch.zeros(shape))
    with pytest.raises(ValueError, match=r"ab must have shape \(1, 2, h, w\), got \("):
        upsample_ab(torch.zeros(shape), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_ab_that_is_not_finite_is_refused(value: float) -> None:
    ab = torch.zeros(1, 2, 4, 4)
    ab[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match="ab and saturation must be finite; there is NaN or infinity"):
        merge_picture(photo(), ab)
    with pytest.raises(ValueError, match="must be finite"):
        merge_picture(photo(), torch.ones(1, 2, 4, 4), saturation=value)


# --- writing


def test_write_png(tmp_path: Path) -> None:
    for picture in (photo(), Image.new("RGBA", (3, 2), (1, 2, 3, 4))):
        path = tmp_path / "out.png"
        write_png(picture, path, {"Software": "Autochrome", "Comment": "AI-colorized: été, 写真"})
        assert [file.name for file in tmp_path.iterdir()] == ["out.png"]
        with Image.open(path) as written:
            assert written.format == "PNG"
            assert written.mode == picture.mode
            info: dict[Any, Any] = written.info
            assert info["Comment"] == "AI-colorized: été, 写真"
            assert np.array_equal(np.asarray(written), np.asarray(picture))
        assert np.array_equal(np.asarray(read_picture(path)), np.asarray(picture))


def test_write_png_makes_the_folder_unless_a_file_is_in_its_place(tmp_path: Path) -> None:
    write_png(photo(), tmp_path / "new" / "out.png")
    assert read_picture(tmp_path / "new" / "out.png").size == photo().size
    with pytest.raises(
        DataError, match=r"cannot write '.*below\.png': .+; give a path in a folder that can be written"
    ):
        write_png(photo(), tmp_path / "new" / "out.png" / "below.png")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "taken.png"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=r"cannot write '.*taken\.png'"):
        write_png(photo(), folder)
    assert os.listdir(tmp_path) == ["taken.png"]  # noqa: PTH208

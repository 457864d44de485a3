"""Colour arithmetic against scikit-image, the CIE formulas written a second time in numpy, and published values."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from autochrome import color

Array = NDArray[np.float64]

CORNERS = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)], dtype=np.float64)
GREYS = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
CUBE = np.stack(np.meshgrid(*[np.linspace(0, 1, 17)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
RANDOM = np.random.default_rng(0).random((4000, 3))
COLORS = np.concatenate([CORNERS, GREYS, CUBE, RANDOM])

# Lab (D65, 2 degrees) of sRGB's primaries and secondaries as Bruce Lindbloom's CIE Color Calculator gives them.
PUBLISHED_LAB = [
    ((1, 0, 0), (53.2408, 80.0925, 67.2032)),
    ((0, 1, 0), (87.7347, -86.1827, 83.1793)),
    ((0, 0, 1), (32.2970, 79.1875, -107.8602)),
    ((0, 1, 1), (91.1132, -48.0875, -14.1312)),
    ((1, 0, 1), (60.3242, 98.2343, -60.8249)),
    ((1, 1, 0), (97.1393, -21.5537, 94.4780)),
    ((1, 1, 1), (100.0, 0.0, 0.0)),
    ((0, 0, 0), (0.0, 0.0, 0.0)),
]


def picture(colors: Array, dtype: torch.dtype = torch.float64) -> Tensor:
    """Colours `(N, 3)` as a picture `(3, 1, N)`."""
    return torch.from_numpy(np.ascontiguousarray(colors.T)).to(dtype).unsqueeze(1)


def colors_of(tensor: Tensor) -> Array:
    """The inverse of `picture`."""
    result: Array = tensor.squeeze(1).T.double().numpy()
    return result


def cie_lab(colors: Array) -> Array:
    """sRGB `(N, 3)` to Lab from IEC 61966-2-1 and CIE 15:2004, with the fractions 216/24389 and 24389/27 in full."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(
        [
            [0.4124564, 0.2126729, 0.0193339],
            [0.3575761, 0.7151522, 0.1191920],
            [0.1804375, 0.0721750, 0.9503041],
        ]
    )
    ratio = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


# Conversions


def test_lab_is_the_cie_formula() -> None:
    np.testing.assert_allclose(colors_of(color.rgb_to_lab(picture(COLORS))), cie_lab(COLORS), atol=2e-5)


def test_lab_is_scikit_images() -> None:
    # Its matrix has six digits and its white five, so that its own white has b* = 0.0047: hence not closer than this.
    expected = rgb2lab(COLORS[None])[0]
    np.testing.assert_allclose(colors_of(color.rgb_to_lab(picture(COLORS))), expected, atol=6e-3)


def test_lab_to_rgb_is_scikit_images() -> None:
    lab = rgb2lab(COLORS[None])
    np.testing.assert_allclose(colors_of(color.lab_to_rgb(picture(lab[0]))), lab2rgb(lab)[0], atol=2e-4)


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED_LAB)
def test_published_lab_of_the_corners(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    result = colors_of(color.rgb_to_lab(picture(np.array([rgb], dtype=np.float64))))
    np.testing.assert_allclose(result[0], lab, atol=1e-4)


def test_published_lightness() -> None:
    """Y = 0.18418651851244416 has L* 50 exactly ((66 / 116)^3), Y = 216 / 24389 has L* 8: the joint of CIE's curve."""
    luminance = torch.tensor([0.0, 216 / 24389, (66 / 116) ** 3, 1.0], dtype=torch.float64)
    lightness = color.grey_to_lightness(color.linear_to_srgb(luminance))
    np.testing.assert_allclose(lightness.numpy(), [0, 8, 50, 100], atol=1e-6)


def test_transfer_function_is_the_standards() -> None:
    """IEC 61966-2-1: 12.92 below, 1.055 and 2.4 above; 8-bit 128 is 0.2158605 in linear light."""
    coded = torch.tensor([0.0, 0.02, 0.04045, 0.5, 128 / 255, 1.0], dtype=torch.float64)
    linear = color.srgb_to_linear(coded)
    expected = [0, 0.02 / 12.92, 0.04045 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4, 0.2158605, 1]
    np.testing.assert_allclose(linear.numpy(), expected, atol=5e-8)


def test_white_is_d65() -> None:
    white = color.linear_to_xyz(torch.ones(3, 1, 1, dtype=torch.float64)).flatten()
    np.testing.assert_allclose(white.numpy(), [0.95047, 1.0, 1.08883], atol=1e-6)


def test_neutral_axis_is_neutral() -> None:
    for dtype in (torch.float32, torch.float64):
        lab = color.rgb_to_lab(picture(GREYS, dtype))
        assert lab[1:].abs().max() < 0.01


def test_float32_is_close_to_float64() -> None:
    lab = color.rgb_to_lab(picture(COLORS, torch.float32))
    np.testing.assert_allclose(colors_of(lab), cie_lab(COLORS), atol=2e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-7)])
def test_round_trips_on_the_cube(dtype: torch.dtype, tolerance: float) -> None:
    rgb = picture(COLORS, dtype)
    for there, back in [
        (color.srgb_to_linear, color.linear_to_srgb),
        (color.linear_to_xyz, color.xyz_to_linear),
        (color.xyz_to_lab, color.lab_to_xyz),
        (color.rgb_to_lab, color.lab_to_rgb),
    ]:
        torch.testing.assert_close(back(there(rgb)), rgb, atol=tolerance, rtol=0)


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_round_trip_of_any_color(rgb: tuple[float, float, float]) -> None:
    original = picture(np.array([rgb]))
    torch.testing.assert_close(color.lab_to_rgb(color.rgb_to_lab(original)), original, atol=1e-7, rtol=0)


def test_eight_bit_colors_survive_float32() -> None:
    rgb = torch.randint(0, 256, (3, 256, 256), generator=torch.Generator().manual_seed(0))
    back = color.lab_to_rgb(color.rgb_to_lab(rgb / 255))
    assert torch.equal((back * 255).round().long(), rgb)


def test_rgb_to_lightness_is_the_first_channel_of_lab() -> None:
    rgb = picture(COLORS)
    torch.testing.assert_close(color.rgb_to_lightness(rgb), color.rgb_to_lab(rgb)[:1], atol=1e-9, rtol=0)


def test_chroma() -> None:
    lab = torch.tensor([50.0, 3.0, -4.0]).view(3, 1, 1)
    torch.testing.assert_close(color.lab_to_chroma(lab), torch.full((1, 1, 1), 5.0))
    assert color.lab_to_chroma(torch.zeros(3, 1, 1)).item() < 1e-12


def test_max_chroma_is_beyond_srgb() -> None:
    assert 133 < color.lab_to_chroma(color.rgb_to_lab(picture(COLORS))).max() < color.MAX_CHROMA


def test_mixed_precision_and_reduced_matrix_precision_do_not_reach_colors() -> None:
    """A trainer calls these under autocast, where a matrix product would silently be rounded to bfloat16."""
    rgb = picture(COLORS, torch.float32)
    expected = color.rgb_to_lab(rgb)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = color.rgb_to_lab(rgb)
        back = color.lab_to_rgb(result)
    assert torch.equal(result, expected)
    torch.testing.assert_close(back, rgb, atol=2e-5, rtol=0)


# Grey


def test_eight_bit_greys_survive_exactly() -> None:
    for dtype in (torch.float32, torch.float64):
        grey = torch.arange(256, dtype=dtype) / 255
        back = color.lightness_to_grey(color.grey_to_lightness(grey))
        assert torch.equal((back * 255).round().long(), torch.arange(256))
        torch.testing.assert_close(back, grey, atol=1e-6, rtol=0)


def test_grey_maker_inverts_lightness() -> None:
    lightness = torch.linspace(0, 100, 10_001, dtype=torch.float64)
    grey = color.lightness_to_grey(lightness)
    assert grey.min() >= 0
    assert grey.max() <= 1
    assert (grey.diff() > 0).all()
    torch.testing.assert_close(color.grey_to_lightness(grey), lightness, atol=1e-5, rtol=0)


def test_the_grey_of_a_color_has_its_lightness() -> None:
    lightness = color.rgb_to_lightness(picture(COLORS))
    grey = color.lightness_to_grey(lightness).expand(3, -1, -1)
    torch.testing.assert_close(color.rgb_to_lightness(grey), lightness, atol=1e-5, rtol=0)


def test_split_and_merge() -> None:
    lab = torch.rand(2, 3, 4, 5)
    lightness, ab = color.split_lab(lab)
    assert lightness.shape == (2, 1, 4, 5)
    assert ab.shape == (2, 2, 4, 5)
    assert torch.equal(color.merge_lab(lightness, ab), lab)


# Gradients


def test_gradients_are_right() -> None:
    """Away from the joints of the two curves and from the faces of the cube, where no derivative exists."""
    generator = torch.Generator().manual_seed(0)
    rgb = (0.1 + 0.8 * torch.rand(3, 2, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    lab = color.rgb_to_lab(rgb.detach()).requires_grad_()
    lightness = torch.tensor([3.0, 20.0, 60.0, 95.0], dtype=torch.float64, requires_grad=True)
    for function, argument in [
        (color.rgb_to_lab, rgb),
        (color.rgb_to_lightness, rgb),
        (color.lab_to_rgb, lab),
        (color.lab_to_chroma, lab),
        (color.lab_to_gamut, lab),
        (color.lightness_to_grey, lightness),
        (color.grey_to_lightness, (lightness.detach() / 100).requires_grad_()),
    ]:
        assert torch.autograd.gradcheck(function, (argument,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_on_the_whole_cube(dtype: torch.dtype) -> None:
    rgb = picture(COLORS, dtype).requires_grad_()
    lab = color.rgb_to_lab(rgb)
    back = color.lab_to_gamut(lab) + color.lab_to_rgb(lab)
    total = lab.sum() + back.sum() + color.lab_to_chroma(lab).sum() + color.rgb_to_lightness(rgb).sum()
    (gradient,) = torch.autograd.grad(total, rgb)
    assert gradient.isfinite().all()
    assert (gradient != 0).any(dim=0).all()


def test_gradients_are_finite_beside_the_cube() -> None:
    """Where a network's colours land before they are brought back: the powers have no real derivative there."""
    coded = torch.tensor([-0.5, -0.06, 0.0, 1.5], requires_grad=True)
    for function in (color.srgb_to_linear, color.linear_to_srgb, color.grey_to_lightness):
        (gradient,) = torch.autograd.grad(function(coded).sum(), coded)
        assert gradient.isfinite().all()
        assert (gradient > 0).all()


def test_gradient_at_the_joint_of_the_curve() -> None:
    """At L* = 8 a cube meets its tangent: the slope of Y in L* is 27 / 24389 on both sides and on the joint itself."""
    lightness = torch.tensor([7.99, 8.0, 8.01], dtype=torch.float64, requires_grad=True)
    lab = torch.stack((lightness, torch.zeros_like(lightness), torch.zeros_like(lightness))).unsqueeze(1)
    (gradient,) = torch.autograd.grad(color.lab_to_xyz(lab)[1].sum(), lightness)
    np.testing.assert_allclose(gradient.numpy(), 27 / 24389, rtol=2e-3)


def test_gradient_passes_through_the_gamut() -> None:
    lab = picture(np.array([[50.0, 200, 30], [50, 5, 5], [30, 0, 0], [0, 80, 0]])).requires_grad_()
    (gradient,) = torch.autograd.grad(color.lab_to_gamut(lab).square().sum(), lab)
    assert gradient.isfinite().all()
    assert (gradient[:, 0, :2] != 0).all()


# Gamut


def all_hues(dtype: torch.dtype) -> Tensor:
    """Lab `(3, 101, N)`: L* 0..100, every third degree of hue, chroma from none to far beyond any colour."""
    hue = torch.deg2rad(torch.arange(0, 360, 3, dtype=dtype))
    chroma = torch.tensor([0, 1, 5, 20, 40, 60, 90, 120, 133, 150, 300, 1e4], dtype=dtype)
    grid = torch.meshgrid(torch.arange(0, 101, dtype=dtype), hue, chroma, indexing="ij")
    lightness, hue, chroma = (axis.flatten(1) for axis in grid)
    return torch.stack((lightness, chroma * hue.cos(), chroma * hue.sin()))


def assert_in_gamut_at_same_lightness(lab: Tensor) -> None:
    """In 0..1, L* as it came, and after rounding to 8 bits within what rounding alone can do.

    L* rises with each channel, so half a step down in all three and half a step up bound what rounding can do to it.
    """
    rgb = color.lab_to_gamut(lab)
    assert rgb.shape == lab.shape
    assert rgb.dtype == lab.dtype
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    wanted = lab[..., :1, :, :].clamp(0, 100)
    assert (color.rgb_to_lightness(rgb) - wanted).abs().max() < 0.01
    rounded = color.rgb_to_lightness((rgb * 255).round() / 255)
    half_step = 0.5 / 255
    assert (rounded >= color.rgb_to_lightness((rgb - half_step).clamp(0, 1)) - 1e-4).all()
    assert (rounded <= color.rgb_to_lightness((rgb + half_step).clamp(0, 1)) + 1e-4).all()
    # Half an 8-bit step of a grey is at most 0.256 of L*, near L* 8, and no colour of the same L* reaches more.
    assert (rounded - wanted).abs().max() < 0.27


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_lab_keeps_its_lightness(dtype: torch.dtype) -> None:
    assert_in_gamut_at_same_lightness(all_hues(dtype))


@settings(max_examples=200)
@given(st.floats(-50, 150), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_any_number_keeps_its_lightness(lightness: float, a: float, b: float) -> None:
    assert_in_gamut_at_same_lightness(picture(np.array([[lightness, a, b]]), torch.float32))


def test_clipping_rgb_would_not_keep_the_lightness() -> None:
    """What the gamut mapping is for: the same colours, clipped, are up to tens of L* off."""
    lab = all_hues(torch.float64)
    clipped = color.rgb_to_lightness(color.lab_to_rgb(lab).clamp(0, 1))
    assert (clipped - lab[:1]).abs().max() > 20


def test_hue_is_kept() -> None:
    """The part of ab at a right angle to the hue that was asked for, in Lab units; the clamp leaves this much."""
    lab = all_hues(torch.float64)
    mapped = color.rgb_to_lab(color.lab_to_gamut(lab))
    across = (mapped[1] * lab[2] - mapped[2] * lab[1]) / color.lab_to_chroma(lab)[0].clamp_min(1)
    along = (mapped[1] * lab[1] + mapped[2] * lab[2]) / color.lab_to_chroma(lab)[0].clamp_min(1)
    assert across.abs().max() < 0.02
    assert along.min() > -0.02


def test_colors_of_srgb_are_untouched() -> None:
    rgb = picture(COLORS)
    torch.testing.assert_close(color.lab_to_gamut(color.rgb_to_lab(rgb)), rgb, atol=1e-6, rtol=0)
    eight_bit = torch.randint(0, 256, (3, 256, 256), generator=torch.Generator().manual_seed(0))
    merged = color.lab_to_gamut(color.rgb_to_lab(eight_bit / 255))
    assert torch.equal((merged * 255).round().long(), eight_bit)


def test_chroma_is_the_largest_possible() -> None:
    """0.15 Lab units more, less than 8 bits resolve, and the colour would have left sRGB."""
    lab = all_hues(torch.float64)
    outside = (color.lab_to_rgb(lab) - 0.5).abs().amax(dim=0) > 0.501
    assert 0.5 < outside.double().mean() < 0.95
    lightness, direction = lab[:1, outside, None], lab[1:, outside, None]
    direction = direction / torch.hypot(direction[0], direction[1])
    mapped = color.rgb_to_lab(color.lab_to_gamut(lab))[1:, outside, None]
    chroma = torch.hypot(mapped[0], mapped[1])
    linear = color.xyz_to_linear(color.lab_to_xyz(torch.cat((lightness, direction * (chroma + 0.15)))))
    assert ((linear < 0) | (linear > 1)).any(dim=0).all()


def test_nothing_outside_takes_the_short_way() -> None:
    lab = color.rgb_to_lab(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4)
    torch.testing.assert_close(color.lab_to_gamut(lab), color.lab_to_rgb(lab))


# Shapes and errors


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("function", [color.rgb_to_lab, color.lab_to_rgb, color.lab_to_gamut, color.rgb_to_lightness])
def test_leading_dimensions(function: Callable[[Tensor], Tensor], leading: tuple[int, ...]) -> None:
    """A stack of pictures gives the stack of results, whatever its leading dimensions; 0 is an empty stack."""
    stack = torch.rand(*leading, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if function in (color.lab_to_rgb, color.lab_to_gamut):
        stack = stack * 90
    result = function(stack)
    assert result.shape[:-3] == leading
    assert result.shape[-2:] == (4, 5)
    one_by_one = [function(one) for one in stack.reshape(-1, 3, 4, 5)]
    for left, right in zip(result.reshape(-1, *result.shape[-3:]), one_by_one, strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize(
    ("function", "name", "channels"),
    [
        (color.linear_to_xyz, "linear", 3),
        (color.xyz_to_linear, "xyz", 3),
        (color.xyz_to_lab, "xyz", 3),
        (color.lab_to_xyz, "lab", 3),
        (color.rgb_to_lightness, "rgb", 3),
        (color.split_lab, "lab", 3),
        (color.lab_to_chroma, "lab", 3),
        (color.lab_to_gamut, "lab", 3),
        (lambda lightness: color.merge_lab(lightness, torch.zeros(2, 4, 5)), "lightness", 1),
        (lambda ab: color.merge_lab(torch.zeros(1, 4, 5), ab), "ab", 2),
    ],
)
def test_wrong_shapes_are_named(function: Callable[[Tensor], object], name: str, channels: int) -> None:
    for shape in [(4, 4, 5), (channels, 5), (4, 5, channels)]:
        with pytest.raises(
            ValueError, match=rf"{name} must have shape \(\.\.\., {channels}, H, W\), got \({shape[0]}, "
        ):
            function(torch.zeros(shape))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (color.srgb_to_linear, "rgb"),
        (color.linear_to_srgb, "linear"),
        (color.lightness_to_grey, "lightness"),
        (color.rgb_to_lab, "rgb"),
        (color.lab_to_gamut, "lab"),
    ],
)
def test_whole_numbers_are_refused(function: Callable[[Tensor], Tensor], name: str) -> None:
    message = f"{name} must be a floating-point tensor, got torch.uint8; divide 8-bit values by 255 first"
    with pytest.raises(TypeError, match=message):
        function(torch.zeros(3, 4, 5, dtype=torch.uint8))


def test_white_and_black_take_no_color() -> None:
    """At L* 0 and 100 only grey exists, whatever ab says."""
    lab = picture(np.array([[0.0, 80.0, -60.0], [100.0, -90.0, 40.0], [-math.pi, 9.0, 9.0], [1e3, 9.0, 9.0]]))
    expected = picture(np.array([[0.0] * 3, [1.0] * 3, [0.0] * 3, [1.0] * 3]))
    torch.testing.assert_close(color.lab_to_gamut(lab), expected, atol=2e-4, rtol=0)

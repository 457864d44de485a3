"""All colour arithmetic of the project: sRGB, linear light, CIE XYZ, CIELAB (D65, 2 degree observer), in float.

Tensors have shape `(..., C, H, W)`: any leading dimensions, channels third from the end. Ranges: sRGB, linear RGB and
luminance Y 0..1; L* 0..100; a* and b* in Lab units (about -110..110 inside sRGB). Every function is differentiable,
its gradient is finite on the whole sRGB cube, black included, and the dtype is kept (floating point only).

Sources: IEC 61966-2-1 (sRGB transfer function and primaries), CIE 15:2004 (CIELAB), the RGB to XYZ matrix as published
by Bruce Lindbloom for D65. Its row sums are the white point, so greys have a* = b* = 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

AB_SCALE = 110.0
"""Network units: `ab_normalized = ab / AB_SCALE`."""

MAX_CHROMA = 134.0
"""Just above the largest chroma in sRGB (133.8, its blue); larger predictions are first brought back to this."""

_RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_XYZ_TO_RGB: list[list[float]] = torch.linalg.inv(torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)).tolist()
_WHITE = tuple(sum(row) for row in _RGB_TO_XYZ)
_RGB_TO_RELATIVE_XYZ = [[weight / sum(row) for weight in row] for row in _RGB_TO_XYZ]
_DELTA = 6.0 / 29.0
_SRGB_JOINT = 0.04045
_GAMUT_STEPS = 10
_GAMUT_MARGIN = 1e-5


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer function (IEC 61966-2-1): gamma-coded 0..1 to linear light 0..1, any shape."""
    _require_float("rgb", rgb)
    curve = _power((rgb.clamp_min(_SRGB_JOINT) + 0.055) / 1.055, 2.4)
    # Below the joint the line from there to 0 (`where` is slow); it differs from rgb / 12.92 by less than 3e-9.
    return torch.sub(curve, (_SRGB_JOINT - rgb).relu(), alpha=((_SRGB_JOINT + 0.055) / 1.055) ** 2.4 / _SRGB_JOINT)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer function (IEC 61966-2-1): linear light 0..1 to gamma-coded 0..1, any shape."""
    _require_float("linear", linear)
    curve = 1.055 * _power(linear.clamp_min(0.0031308), 1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curve)


def linear_to_xyz(linear: Tensor) -> Tensor:
    """Linear RGB `(..., 3, H, W)` to CIE XYZ of the same shape, Y of white = 1."""
    _require_channels("linear", linear, 3)
    return _apply_matrix(_RGB_TO_XYZ, linear)


def xyz_to_linear(xyz: Tensor) -> Tensor:
    """CIE XYZ `(..., 3, H, W)` to linear RGB; values outside 0..1 are colours outside sRGB, and are left so."""
    _require_channels("xyz", xyz, 3)
    return _apply_matrix(_XYZ_TO_RGB, xyz)


def xyz_to_lab(xyz: Tensor) -> Tensor:
    """CIE XYZ `(..., 3, H, W)` to CIELAB (CIE 15:2004, equations 8.3 to 8.5), white D65."""
    _require_channels("xyz", xyz, 3)
    return _relative_xyz_to_lab(xyz / _white(xyz))


def lab_to_xyz(lab: Tensor) -> Tensor:
    """CIELAB `(..., 3, H, W)` to CIE XYZ, the inverse of `xyz_to_lab`."""
    _require_channels("lab", lab, 3)
    lightness, a, b = lab.unbind(-3)
    fy = (lightness + 16) / 116
    f = torch.stack((fy + a / 500, fy, fy - b / 200), dim=-3)
    return _f_inverse(f) * _white(lab)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Gamma-coded sRGB `(..., 3, H, W)` in 0..1 to CIELAB: L* 0..100, a* and b* in Lab units."""
    _require_channels("rgb", rgb, 3)
    return _relative_xyz_to_lab(_apply_matrix(_RGB_TO_RELATIVE_XYZ, srgb_to_linear(rgb)))


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIELAB to gamma-coded sRGB; colours outside sRGB come out outside 0..1: see `lab_to_gamut`."""
    return linear_to_srgb(xyz_to_linear(lab_to_xyz(lab)))


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """L* (0..100) of gamma-coded sRGB `(..., 3, H, W)`, as `(..., 1, H, W)`, without computing a* and b*."""
    _require_channels("rgb", rgb, 3)
    luminance = _apply_matrix(_RGB_TO_XYZ[1:2], srgb_to_linear(rgb))
    return luminance_to_lightness(luminance / _WHITE[1])


def luminance_to_lightness(luminance: Tensor) -> Tensor:
    """L* (0..100) of linear-light luminance Y in 0..1, any shape (CIE 15:2004, equation 8.3)."""
    _require_float("luminance", luminance)
    return 116 * _f(luminance) - 16


def grey_to_lightness(grey: Tensor) -> Tensor:
    """L* (0..100) of a gamma-coded grey value in 0..1, any shape: the inverse of `lightness_to_grey`."""
    return luminance_to_lightness(srgb_to_linear(grey))


def lightness_to_grey(lightness: Tensor) -> Tensor:
    """THE grey maker: L* (0..100) to the gamma-coded grey value in 0..1 that has this L*, any shape.

    Every conditioning image, in dataset, training and inference, is made here. It is neither luma (Pillow's "L",
    2.3 CIEDE2000 off on photographs) nor L* / 100: a grey picture read back has the L* that it was made from.
    """
    _require_float("lightness", lightness)
    return linear_to_srgb(_f_inverse((lightness + 16) / 116))


def split_lab(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Lab `(..., 3, H, W)` to L* `(..., 1, H, W)` and ab `(..., 2, H, W)`."""
    _require_channels("lab", lab, 3)
    return lab[..., :1, :, :], lab[..., 1:, :, :]


def merge_lab(lightness: Tensor, ab: Tensor) -> Tensor:
    """L* `(..., 1, H, W)` and ab `(..., 2, H, W)` of the same size to Lab `(..., 3, H, W)`."""
    _require_channels("lightness", lightness, 1)
    _require_channels("ab", ab, 2)
    return torch.cat((lightness, ab), dim=-3)


def lab_to_chroma(lab: Tensor) -> Tensor:
    """Chroma C* = sqrt(a*^2 + b*^2) of Lab `(..., 3, H, W)`, as `(..., 1, H, W)`."""
    _require_channels("lab", lab, 3)
    squared = lab[..., 1:2, :, :] ** 2 + lab[..., 2:, :, :] ** 2
    # vector_norm over a strided dimension is a hundred times slower; the bound keeps the gradient finite at grey.
    return squared.clamp_min(torch.finfo(lab.dtype).tiny).sqrt()


def lab_to_gamut(lab: Tensor) -> Tensor:
    """Bring colours outside sRGB back along constant L* and hue: gamma-coded sRGB `(..., 3, H, W)`, all in 0..1.

    The largest chroma that sRGB can show at that L* and hue is found by bisection in linear light, to 0.13 Lab units,
    only where a colour is outside. Clipping RGB instead would change the lightness; here L* is that of the input for
    any finite a*b* whatever, up to `_GAMUT_MARGIN` of linear light (a thirtieth of an 8-bit step at black, less
    elsewhere). L* outside 0..100 is clamped: no colour has it. The gradient takes the change of chroma as a constant.
    """
    _require_channels("lab", lab, 3)
    lightness, ab = split_lab(lab)
    with torch.no_grad():
        shrink = (MAX_CHROMA / torch.hypot(ab[..., :1, :, :], ab[..., 1:, :, :])).clamp_max(1)
    lab = merge_lab(lightness.clamp(0, 100), ab * shrink)
    linear = xyz_to_linear(lab_to_xyz(lab))
    outside = (linear.detach() - 0.5).abs().amax(dim=-3) > 0.5 + _GAMUT_MARGIN
    if outside.any():
        colors = lab.movedim(-3, 0)[:, outside].unsqueeze(-1)
        lightness, ab = split_lab(colors)
        mapped = xyz_to_linear(lab_to_xyz(merge_lab(lightness, ab * _gamut_scale(colors.detach()))))
        channels_first = linear.movedim(-3, 0).clone()
        channels_first[:, outside] = mapped.squeeze(-1)
        linear = channels_first.movedim(0, -3)
    return linear_to_srgb(linear.clamp(0, 1))


def _gamut_scale(lab: Tensor) -> Tensor:
    """For Lab `(3, N, 1)` outside sRGB: the share of its chroma that is still inside, `(N, 1)` in 0..1.

    Along a line of constant L* and hue only X and Z change, each as a cube: a step costs no power function.
    """
    lightness, a, b = lab
    fy = (lightness + 16) / 116
    luminance = _f_inverse(fy) * _WHITE[1]
    rows = [(red * _WHITE[0], luminance * green - 0.5, blue * _WHITE[2]) for red, green, blue in _XYZ_TO_RGB]
    scale = torch.zeros_like(lightness)
    for step in range(1, _GAMUT_STEPS + 1):
        candidate = scale + 0.5**step
        x = _f_inverse(torch.addcmul(fy, candidate, a, value=1 / 500))
        z = _f_inverse(torch.addcmul(fy, candidate, b, value=-1 / 200))
        inside = torch.ones_like(scale, dtype=torch.bool)
        for from_x, from_y, from_z in rows:
            distance = torch.add(from_y, x, alpha=from_x).add_(z, alpha=from_z).abs_()
            inside &= distance <= 0.5 + _GAMUT_MARGIN
        scale = torch.where(inside, candidate, scale)
    return scale


def _relative_xyz_to_lab(xyz: Tensor) -> Tensor:
    """XYZ divided by that of white to CIELAB."""
    fx, fy, fz = _f(xyz).unbind(-3)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), dim=-3)


def _f(t: Tensor) -> Tensor:
    """CIELAB's compressed cube root (CIE 15:2004, equation 8.6): below the joint its tangent there, without `where`."""
    return torch.sub(_power(t.clamp_min(_DELTA**3), 1 / 3), (_DELTA**3 - t).relu(), alpha=1 / (3 * _DELTA**2))


def _f_inverse(f: Tensor) -> Tensor:
    """The inverse of `_f`: a cube and, below the joint, its tangent there (written without `where`, which is slow)."""
    return f.clamp_min(_DELTA) ** 3 - (_DELTA - f).relu() * (3 * _DELTA**2)


def _power(base: Tensor, exponent: float) -> Tensor:
    """A positive base to a power: as exact as `**` to a few units in the last place, in float32 twice as fast."""
    return torch.exp(torch.log(base) * exponent)


def _white(like: Tensor) -> Tensor:
    return torch.tensor(_WHITE, dtype=torch.float64).to(like).view(3, 1, 1)


def _apply_matrix(rows: Sequence[Sequence[float]], picture: Tensor) -> Tensor:
    """`(len(rows), 3)` times `(..., 3, H, W)`, without `@`: autocast and TF32 would round that to 8 or 10 bits."""
    first, second, third = picture.unbind(-3)
    planes = [torch.add(torch.add(first * a, second, alpha=b), third, alpha=c) for a, b, c in rows]
    return torch.stack(planes, dim=-3)


def _require_float(name: str, value: Tensor) -> None:
    if not value.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {value.dtype}; divide 8-bit values by 255 first")


def _require_channels(name: str, value: Tensor, channels: int) -> None:
    _require_float(name, value)
    if value.ndim < 3 or value.shape[-3] != channels:
        raise ValueError(f"{name} must have shape (..., {channels}, H, W), got {tuple(value.shape)}")

"""Reading: embedded colour profiles, CMYK and Lab."""

from typing import Any

import numpy as np
import pytest
from picture_files import (
    LINEAR_GREY,
    LINEAR_RGB,
    PICTURE,
    QUADRANTS,
    RAMP,
    SRGB,
    cmyk_profile,
    encode,
    pixels,
)
from PIL import Image, ImageCms

from autochrome.image import read_picture


def test_rgb_profile_is_applied() -> None:
    result = read_picture(encode(PICTURE, "PNG", icc_profile=LINEAR_RGB))
    assert np.abs(np.array(result.getpixel((11, 7))) - 188).max() <= 1  # linear 128 / 255 is sRGB level 188
    assert result.info == {}


def test_srgb_profile_changes_no_pixel() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert np.array_equal(pixels(read_picture(encode(noise, "PNG", icc_profile=SRGB))), pixels(noise))
    grey = Image.fromarray(RAMP)
    assert np.array_equal(pixels(read_picture(encode(grey, "PNG", icc_profile=SRGB)))[..., 0], RAMP)


@pytest.mark.parametrize("profile", [LINEAR_GREY, LINEAR_RGB], ids=["grey", "rgb"])
def test_profile_of_a_grey_picture(profile: bytes) -> None:
    result = pixels(read_picture(encode(Image.fromarray(RAMP), "TIFF", icc_profile=profile)))
    assert np.array_equal(result[..., 0], result[..., 1])  # grey stays grey
    assert np.array_equal(result[..., 0], result[..., 2])
    linear = RAMP / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(result[..., 0] - expected).max() <= 1.5


def test_profile_with_alpha_palette_and_16_bit() -> None:
    rgba = PICTURE.copy()
    rgba.putalpha(77)
    assert read_picture(encode(rgba, "PNG", icc_profile=LINEAR_RGB)).getpixel((11, 7)) == pytest.approx(
        (188, 188, 188, 77), abs=1
    )
    grey_alpha = Image.fromarray(np.full((2, 2), 128, np.uint8)).convert("LA")
    assert read_picture(encode(grey_alpha, "PNG", icc_profile=LINEAR_GREY)).getpixel((0, 0)) == (188, 188, 188, 255)
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert read_picture(encode(palette, "PNG", icc_profile=LINEAR_RGB)).getpixel((11, 7)) == pytest.approx(
        (188, 188, 188), abs=1
    )
    deep = Image.fromarray(np.full((2, 2), 128 * 257, np.uint16))
    assert read_picture(encode(deep, "TIFF", icc_profile=LINEAR_GREY)).getpixel((0, 0)) == (188, 188, 188)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_and_without_profile(kind: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    options: dict[str, Any] = {"quality": 100} if kind == "JPEG" else {}
    plain = read_picture(encode(cyan, kind, **options)).getpixel((8, 8))
    assert plain == pytest.approx((0, 255, 255), abs=2)
    printed = read_picture(encode(cyan, kind, icc_profile=cmyk_profile(), **options)).getpixel((8, 8))
    assert printed == pytest.approx((119, 119, 119), abs=4)  # L* 50
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert read_picture(encode(paper, kind, icc_profile=cmyk_profile(), **options)).getpixel((8, 8)) == pytest.approx(
        (255, 255, 255), abs=1
    )


@pytest.mark.parametrize(
    "profile", [b"", b"garbage", SRGB[:200], SRGB[:128] + b"\xff" * 400, LINEAR_GREY, cmyk_profile()[:-2000]]
)
def test_broken_or_foreign_profile_is_passed_over(profile: bytes) -> None:
    assert np.array_equal(pixels(read_picture(encode(PICTURE, "PNG", icc_profile=profile))), QUADRANTS)


def test_cmyk_with_a_profile_for_rgb_is_read_as_plain_inks() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert read_picture(encode(cyan, "TIFF", icc_profile=LINEAR_RGB)).getpixel((0, 0)) == (0, 255, 255)


def test_lab_tiff() -> None:
    lab = ImageCms.profileToProfile(
        PICTURE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    result = pixels(read_picture(encode(lab, "TIFF"))).astype(int)
    assert np.abs(result - QUADRANTS).max() <= 16  # 8-bit Lab is coarse where colours are strong
    assert (result[-1, -1] == 128).all()

"""The pictures of a dataset: sizes, encodings, the grey conditioning image."""

import io

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from autochrome import color
from autochrome.errors import SettingError
from autochrome.image import picture_to_tensor
from dataset_builder.pictures import PictureConfig, conditioning_image, encode, encode_conditioning, prepare


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()).crop((0, 0, 400, 300))


@pytest.mark.parametrize(
    ("fit", "size", "enlarge", "expected"),
    [
        ("short_side", 150, False, (200, 150)),
        ("short_side", 600, False, (400, 300)),
        ("short_side", 600, True, (800, 600)),
        ("crop", 150, False, (150, 150)),
        ("crop", 600, False, (300, 300)),
        ("crop", 600, True, (600, 600)),
        ("pad", 200, False, (200, 200)),
        ("pad", 600, False, (600, 600)),
        ("keep", 150, True, (400, 300)),
    ],
)
def test_sizes(astronaut: Image.Image, fit: str, size: int, enlarge: bool, expected: tuple[int, int]) -> None:
    prepared = prepare(astronaut, PictureConfig(size=size, fit=fit, enlarge=enlarge))
    assert prepared.size == expected
    assert prepared.mode == "RGB"


def test_a_crop_is_central() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    colors = prepare(picture, PictureConfig(size=100, fit="crop")).getcolors()
    assert colors == [(100 * 100, (0, 0, 255))]


def test_bars_lie_on_both_sides_in_their_color() -> None:
    padded = prepare(Image.new("RGB", (200, 100), "red"), PictureConfig(size=100, fit="pad", pad_color="#00ff00"))
    green, red = (0, 255, 0), (255, 0, 0)
    assert [padded.getpixel((50, y)) for y in (0, 24, 25, 74, 75, 99)] == [green, green, red, red, green, green]


def test_a_small_picture_keeps_its_pixels_when_padded() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    padded = prepare(picture, PictureConfig(size=100, fit="pad"))
    assert padded.crop((35, 40, 65, 60)).tobytes() == picture.tobytes()


def test_an_extremely_thin_picture_keeps_a_pixel() -> None:
    assert prepare(Image.new("RGB", (5000, 2)), PictureConfig(size=64, fit="pad")).size == (64, 64)


def exact_grey(picture: Image.Image) -> np.ndarray:
    rgb = picture_to_tensor(picture).double().mul(255).round().div(255)
    return color.lightness_to_grey(color.rgb_to_lightness(rgb))[0, 0].mul(255).round().clamp(0, 255).numpy()


def test_the_conditioning_image_is_the_grey_of_lightness_at_every_pixel(astronaut: Image.Image) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    noise[:100] //= 16  # dark colors, where a grey level is narrowest
    for picture in (astronaut, Image.fromarray(noise)):
        grey = conditioning_image(picture)
        assert grey.mode == "L"
        assert np.array_equal(np.asarray(grey), exact_grey(picture))


def test_the_conditioning_image_of_grey_is_itself_and_not_luma() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(2, 0)
    assert np.array_equal(np.asarray(conditioning_image(Image.fromarray(ramp).convert("RGB"))), ramp)
    blue = Image.new("RGB", (2, 2), (0, 0, 255))
    assert conditioning_image(blue).getpixel((0, 0)) == 76  # L* of sRGB's blue is 32.3; Pillow's luma would be 29


def test_the_conditioning_image_keeps_lightness_to_half_a_level(astronaut: Image.Image) -> None:
    grey = torch.from_numpy(np.asarray(conditioning_image(astronaut)).astype(np.float64) / 255)
    lightness = color.rgb_to_lightness(picture_to_tensor(astronaut).double())[0, 0]
    assert (color.grey_to_lightness(grey) - lightness).abs().mean() < 0.15


@pytest.mark.parametrize(("kind", "pillow_name"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_encodings(astronaut: Image.Image, kind: str, pillow_name: str) -> None:
    config = PictureConfig(format=kind, quality=95)
    data = encode(astronaut, config)
    decoded = Image.open(io.BytesIO(data))
    assert (decoded.format, decoded.mode, decoded.size) == (pillow_name, "RGB", astronaut.size)
    assert data == encode(astronaut.copy(), config)
    difference = np.abs(np.asarray(decoded).astype(int) - np.asarray(astronaut))
    assert difference.mean() < (0.001 if kind == "png" else 3)


def test_jpeg_keeps_all_chroma() -> None:
    stripes = Image.fromarray(np.tile(np.array([[[200, 60, 60], [60, 60, 200]]], np.uint8), (32, 16, 1)))
    decoded = np.asarray(Image.open(io.BytesIO(encode(stripes, PictureConfig())))).astype(int)
    assert np.abs(decoded - np.asarray(stripes)).mean() < 8  # 61 with the chroma halved


@pytest.mark.parametrize(("kind", "most"), [("png", 0), ("jpeg", 12)])
def test_conditioning_encodings_stay_grey(astronaut: Image.Image, kind: str, most: int) -> None:
    grey = conditioning_image(astronaut)
    decoded = Image.open(io.BytesIO(encode_conditioning(grey, PictureConfig(conditioning_format=kind))))
    assert (decoded.mode, decoded.format) == ("L", kind.upper())
    assert np.abs(np.asarray(decoded).astype(int) - np.asarray(grey)).max() <= most


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 4}, r"pictures\.size must be 8\.\.8192 pixels, got 4"),
        ({"quality": 0}, r"pictures\.quality must be 1\.\.100, got 0"),
        ({"fit": "stretch"}, r"pictures\.fit must be one of short_side, crop, pad, keep; got 'stretch'"),
        ({"format": "gif"}, r"pictures\.format must be one of jpeg, webp, png; got 'gif'"),
        ({"conditioning_format": "webp"}, r"pictures\.conditioning_format must be one of png, jpeg; got 'webp'"),
        ({"pad_color": "sky"}, r"pictures\.pad_color must be a color such as black or #808080, got 'sky'"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        PictureConfig(**settings)  # type: ignore[arg-type]


def test_only_rgb_has_a_conditioning_image() -> None:
    with pytest.raises(ValueError, match="picture must be of mode RGB, got L"):
        conditioning_image(Image.new("L", (2, 2)))

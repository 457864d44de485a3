"""Filters and duplicates: each keeps photographs and catches what it is there for."""

import hashlib
import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance, ImageOps

from autochrome.errors import SettingError
from dataset_builder.duplicates import Duplicates, Match, perceptual_hash
from dataset_builder.filters import FilterConfig, measure, reject
from dataset_builder.pictures import conditioning_image
from dataset_builder.small_copy import SmallCopy

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def judge(picture: Image.Image, config: FilterConfig | None = None) -> tuple[str, str] | None:
    return reject(*picture.size, measure(SmallCopy.of(picture)), config or FilterConfig())


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def sepia(picture: Image.Image) -> Image.Image:
    return ImageOps.colorize(picture.convert("L"), "#1a1008", "#fff3dc", mid="#9a7b55")


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_pass(name: str) -> None:
    assert judge(photo(name)) is None


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("quality", [100, 75])
def test_grey_and_sepia_are_caught(name: str, quality: int) -> None:
    grey = judge(as_jpeg(photo(name).convert("L").convert("RGB"), quality))
    brown = judge(as_jpeg(sepia(photo(name)), quality))
    assert grey is not None
    assert grey[0] == "near_grey"
    assert brown is not None
    assert brown[0] == "single_tint"
    assert brown[1].startswith("distance from one tint ")
    assert brown[1].endswith(" < 2.2")


def test_each_reason_and_its_detail() -> None:
    good = {"lightness": 50.0, "chroma": 20.0, "tint_residual": 10.0, "colorfulness": 30.0}
    config = FilterConfig()
    assert reject(640, 480, good, config) is None
    assert reject(640, 63, good, config) == ("too_small", "short side in pixels 63 < 64")
    assert reject(300, 1000, good, config) == ("extreme_aspect", "long to short side 3.333 > 3")
    assert reject(640, 480, good | {"lightness": 4.9}, config) == ("too_dark", "mean L* 4.9 < 5")
    assert reject(640, 480, good | {"lightness": 97.5}, config) == ("too_bright", "mean L* 97.5 > 97")
    assert reject(640, 480, good | {"chroma": 1.234}, config) == ("near_grey", "mean chroma 1.234 < 3")
    assert reject(640, 480, good | {"tint_residual": 1}, config) == ("single_tint", "distance from one tint 1 < 2.2")
    assert reject(640, 480, good | {"colorfulness": 5.0}, config) == ("low_colorfulness", "colorfulness 5 < 6")


def test_null_switches_every_filter_off() -> None:
    config = FilterConfig(
        min_side=None,
        max_aspect=None,
        min_lightness=None,
        max_lightness=None,
        min_chroma=None,
        min_tint_residual=None,
        min_colorfulness=None,
        duplicate_distance=None,
    )
    assert judge(Image.new("RGB", (300, 1)), config) is None


def test_measures_of_a_flat_color() -> None:
    blue = Image.new("RGB", (50, 40), (0, 0, 255))  # in Lab 32.30, 79.19, -107.86
    measures = measure(SmallCopy.of(blue))
    assert measures["lightness"] == pytest.approx(32.30, abs=0.01)
    assert measures["chroma"] == pytest.approx(133.81, abs=0.01)
    assert measures["tint_residual"] == pytest.approx(0, abs=1e-3)
    assert measures["colorfulness"] == pytest.approx(0.3 * 255, abs=0.01)  # rg = 0, yb = -255


def test_measures_hardly_depend_on_size() -> None:
    large = photo("coffee")
    small = large.resize((large.width // 3, large.height // 3), Image.Resampling.LANCZOS)
    expected = measure(SmallCopy.of(large))
    assert measure(SmallCopy.of(small)) == {name: pytest.approx(value, rel=0.03) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_side": -1}, r"filters\.min_side must be at least 0, or null for no limit; got -1"),
        ({"min_chroma": -0.5}, r"filters\.min_chroma must be at least 0, or null for no limit; got -0\.5"),
        ({"max_aspect": 0.5}, r"filters\.max_aspect must be at least 1 \(a square\), or null; got 0\.5"),
        ({"min_lightness": 97.0}, r"filters\.min_lightness \(97\) must be below filters\.max_lightness \(97\)"),
        ({"duplicate_distance": 17}, r"filters\.duplicate_distance must be 0\.\.16 bits, or null .* got 17"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        FilterConfig(**settings)  # type: ignore[arg-type]


def test_only_rgb_is_measured() -> None:
    with pytest.raises(ValueError, match="picture must be of mode RGB, got L"):
        SmallCopy.of(Image.new("L", (9, 9)))


def hash_of(picture: Image.Image) -> int:
    return perceptual_hash(conditioning_image(picture))


def test_the_hash_forgives_size_compression_and_tone_and_tells_photographs_apart() -> None:
    hashes = {name: hash_of(photo(name)) for name in PHOTOS}
    for name, expected in hashes.items():
        changed = [
            as_jpeg(photo(name), 40),
            photo(name).resize((200, 150), Image.Resampling.BICUBIC),
            ImageEnhance.Brightness(photo(name)).enhance(0.9),
            sepia(photo(name)),
        ]
        assert max((hash_of(picture) ^ expected).bit_count() for picture in changed) <= 3
    distances = [(a ^ b).bit_count() for a in hashes.values() for b in hashes.values() if a != b]
    assert len(distances) == 12
    assert min(distances) > 16


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_exact_near_and_new_pictures() -> None:
    known = Duplicates(3)
    assert known.add("first", 0b1111, digest("a")) is None
    assert known.add("again", 0b1111, digest("a")) == Match("first", 0, True)
    assert known.add("near", 0b1000, digest("b")) == Match("first", 3, False)
    assert known.add("far", 0b0000, digest("c")) is None
    assert known.add("both", 0b1000, digest("d")) == Match("far", 1, False)  # the nearest, not the earliest
    assert len(known) == 2


def test_without_a_distance_only_exact_duplicates_count() -> None:
    known = Duplicates(None)
    assert known.add("first", 5, digest("a")) is None
    assert known.add("same hash", 5, digest("b")) is None
    assert known.add("same picture", 5, digest("b")) == Match("same hash", 0, True)


@pytest.mark.parametrize("distance", [0, 3, 8, 16])
def test_the_index_finds_what_a_plain_search_finds(distance: int) -> None:
    rng = np.random.default_rng(distance)
    known, kept = Duplicates(distance), list[int]()
    for number in range(600):
        value = int(rng.integers(0, 2**63))
        if kept and number % 2:  # a neighbor of an earlier one, some just beyond the limit
            flipped = rng.choice(64, size=int(rng.integers(0, distance + 3)), replace=False)
            value = kept[int(rng.integers(len(kept)))] ^ sum(1 << int(bit) for bit in flipped)
        nearest = min((((value ^ other).bit_count(), index) for index, other in enumerate(kept)), default=(65, 0))
        match = known.add(str(len(kept)), value, digest(str(number)))
        if nearest[0] <= distance:
            assert match == Match(str(nearest[1]), nearest[0], False)
        else:
            assert match is None
            kept.append(value)
    assert 300 <= len(kept) < 600

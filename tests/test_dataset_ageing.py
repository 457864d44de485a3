"""Ageing: seeded, bounded, and each step does what it says."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from autochrome.errors import SettingError
from dataset_builder.ageing import AgeingConfig, age

NOTHING = {"blur": 0.0, "grain": 0.0, "vignette": 0.0, "fading": 0.0, "paper": 0.0, "scratches": 0.0}


def only(**strengths: float) -> AgeingConfig:
    return AgeingConfig(share=1.0, **(NOTHING | strengths))


@pytest.fixture(scope="module")
def grey() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()).convert("L").crop((60, 0, 360, 200))


def levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(float)


def test_off_by_default(grey: Image.Image) -> None:
    assert age(grey, AgeingConfig(), 0) is grey


def test_no_strength_changes_nothing(grey: Image.Image) -> None:
    assert age(grey, only(), 0).tobytes() == grey.tobytes()


def test_the_seed_decides(grey: Image.Image) -> None:
    config = AgeingConfig(share=1.0)
    aged = age(grey, config, 7)
    assert (aged.mode, aged.size) == ("L", grey.size)
    assert aged.tobytes() == age(grey.copy(), config, 7).tobytes()
    assert aged.tobytes() != age(grey, config, 8).tobytes()


def test_the_share_of_aged_pictures() -> None:
    flat = Image.new("L", (16, 16), 128)
    aged = sum(age(flat, AgeingConfig(share=0.3), seed) is not flat for seed in range(400))
    assert 90 <= aged <= 150


def test_blur_softens(grey: Image.Image) -> None:
    def edges(picture: Image.Image) -> float:
        return float(np.abs(np.diff(levels(picture), axis=1)).mean())

    assert np.mean([edges(age(grey, only(blur=8), seed)) for seed in range(4)]) < 0.8 * edges(grey)


def test_grain_has_its_strength_in_mid_grey_and_none_in_black() -> None:
    aged = [levels(age(Image.new("L", (80, 60), 128), only(grain=0.1), seed)) for seed in range(300)]
    deviations = [picture.std() / 255 for picture in aged]
    assert max(deviations) < 0.102
    assert np.mean(deviations) == pytest.approx(0.05, abs=0.005)  # half of what is allowed, in the mean
    assert age(Image.new("L", (64, 64), 0), only(grain=0.1), 3).getextrema() == (0, 0)


def test_the_vignette_darkens_corners_and_not_the_center() -> None:
    aged = levels(age(Image.new("L", (301, 201), 200), only(vignette=0.8), 1))
    assert aged[100, 150] == 200
    assert aged[0, 0] == aged[-1, -1] < 190
    assert aged[0, 0] < aged[0, 150] < 200


def test_fading_lifts_black_and_lowers_white() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(4, 0))
    low, high = age(ramp, only(fading=0.5), 2).getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    assert low > 0
    assert high < 255
    assert high - low >= 0.5 * 255 - 1


def test_paper_is_uneven_on_a_large_scale() -> None:
    aged = levels(age(Image.new("L", (256, 256), 128), only(paper=0.2), 3))
    assert aged.std() > 2
    assert np.abs(np.diff(aged, axis=1)).max() <= 3


def test_scratches_are_few_and_both_lighter_and_darker() -> None:
    aged = levels(age(Image.new("L", (512, 512), 128), only(scratches=40), 1))
    changed = aged != 128
    assert 0.001 < changed.mean() < 0.2
    assert aged.min() < 100
    assert aged.max() > 160


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (700, 2)])
def test_any_size(size: tuple[int, int]) -> None:
    for seed in range(5):
        assert age(Image.new("L", size, 90), AgeingConfig(share=1.0), seed).size == size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, r"ageing\.share must be 0\.\.1, got 1\.5"),
        ({"blur": -1.0}, r"ageing\.blur must be 0\.\.20, got -1"),
        ({"scratches": 200.0}, r"ageing\.scratches must be 0\.\.100, got 200"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        AgeingConfig(**settings)


def test_only_grey_pictures_age() -> None:
    with pytest.raises(ValueError, match="grey must be of mode L, got RGB"):
        age(Image.new("RGB", (4, 4)), AgeingConfig(), 0)

"""Random changes of training pictures: each stays inside its limits and reaches them."""

import re

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st

from autochrome.color import grey_to_lightness, rgb_to_lightness
from autochrome.errors import SettingError
from training.augment import Augmentation, conditioning_image, random_crop


def _lightness(grey: torch.Tensor) -> torch.Tensor:
    return grey_to_lightness(grey.float() / 255)


def test_exposure_and_contrast_move_the_lightness() -> None:
    photo = torch.from_numpy(skimage.data.astronaut()[:128, 100:228].copy()).permute(2, 0, 1)
    true = rgb_to_lightness(photo.float() / 255)
    same = conditioning_image(photo, Augmentation(), np.random.default_rng(0))
    assert (_lightness(same) - true).abs().max() < 0.5, "8 bits of grey hold L* to within half a unit"
    middle = (true > 35) & (true < 65)
    shifts, slopes = [], []
    for seed in range(40):
        moved = _lightness(conditioning_image(photo, Augmentation(exposure=20), np.random.default_rng(seed)))
        difference = (moved - true)[middle]
        assert difference.std() < 0.3, "every pixel alike"
        shifts.append(difference.mean().item())
        turned = _lightness(conditioning_image(photo, Augmentation(contrast=1.5), np.random.default_rng(seed)))
        slopes.append(np.polyfit(true[middle] - 50, turned[middle] - 50, 1)[0])
    assert -20 <= min(shifts) < -14
    assert 14 < max(shifts) <= 20.1
    assert 1 / 1.5 - 0.01 <= min(slopes) < 0.75
    assert 1.35 < max(slopes) <= 1.51


def test_jpeg_changes_its_share_of_pictures() -> None:
    photo = torch.from_numpy(skimage.data.astronaut()[:128, 100:228].copy()).permute(2, 0, 1)
    plain = conditioning_image(photo, Augmentation(), np.random.default_rng(0)).float()
    settings = Augmentation(jpeg_share=0.5, jpeg_quality=[5, 8])
    errors = [
        (conditioning_image(photo, settings, np.random.default_rng(seed)).float() - plain).abs().mean().item()
        for seed in range(60)
    ]
    coded = [error for error in errors if error]
    assert 18 < len(coded) < 42
    assert min(coded) > 2
    assert max(coded) < 20
    fine = conditioning_image(
        photo, Augmentation(jpeg_share=1, jpeg_quality=[95, 95]), np.random.default_rng(0)
    ).float()
    assert 0 < (fine - plain).abs().mean() < min(coded)


@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(1, 300), st.floats(0.05, 1), st.floats(1, 2))
def test_random_crops_lie_inside(seed: int, height: int, width: int, smallest: float, aspect: float) -> None:
    rng = np.random.default_rng(seed)
    top, left, crop_height, crop_width = random_crop(rng, (height, width), (smallest, 1.0), aspect)
    assert 0 <= top <= height - crop_height < height
    assert 0 <= left <= width - crop_width < width


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Augmentation(exposure=-1), "exposure must lie in 0..100 units of L*, got -1"),
        (Augmentation(contrast=0.5), "contrast is a factor of at least 1, got 0.5"),
        (Augmentation(jpeg_share=2), "jpeg_share must lie in 0..1, got 2"),
        (Augmentation(jpeg_quality=[90, 30]), "jpeg_quality must be two rising qualities in 1..100, got [90, 30]"),
        (Augmentation(jpeg_quality=[30]), "jpeg_quality must be two rising qualities"),
    ],
)
def test_augmentation_out_of_range_is_refused(settings: Augmentation, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        settings.check()
    Augmentation().check()

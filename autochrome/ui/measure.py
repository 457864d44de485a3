"""The live measures: how a result compares with the photograph, and with the truth where it is known."""

from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from autochrome.color import rgb_to_lab
from autochrome.errors import PictureError
from autochrome.image import picture_to_lightness, picture_to_tensor, read_picture
from autochrome.metrics import (
    Comparison,
    ciede2000_lab,
    colorfulness,
    score,
    score_comparison,
)
from autochrome.metrics.baselines import BASELINES, grey_baseline
from autochrome.ui.words import DIFFERENCE_WORDS

MAX_MEASURED_PIXELS = 1_000_000
MAX_EVALUATED_PIXELS = 25_000_000
COMPARED = ("psnr", "ssim", "ciede2000")
SSIM_WINDOW_PX = 11
IN_COLOR_SPREAD = 3.0
"""Lab units. Of 250 color photographs 98 % have more; greys have 0, JPEGs of strongly toned sepia prints up to 2.8."""


class Yardstick:
    """What the results for one photograph are measured with; made once, used at every touch of a switch.

    Attributes:
        truth_from: "reference" when one was given, "upload" when the photograph itself is in color, else None.
        size: width and height at which it measures: at most `MAX_MEASURED_PIXELS`, by picking pixels. Averaging
            them would hide errors; picking leaves the measures that go pixel by pixel what they are.
    """

    def __init__(self, photograph: PIL.Image.Image, reference: PIL.Image.Image | None = None) -> None:
        """
        Args:
            photograph: as uploaded, RGB or RGBA.
            reference: the same picture in color, of the same size.

        Raises:
            PictureError: the reference has another size.
        """
        if reference is not None:
            check_same_size("reference", reference, "picture", photograph)
        self.size = _measured_size(photograph)
        picked = self._pick(photograph)
        self._lightness = picture_to_lightness(picked)
        self.truth_from: str | None = None
        truth: Tensor | None = None
        if reference is not None:
            self.truth_from, truth = "reference", picture_to_tensor(self._pick(reference))
        elif is_in_color(photograph):
            self.truth_from, truth = "upload", picture_to_tensor(picked)
        self._compared = COMPARED if min(self.size) >= SSIM_WINDOW_PX else ("psnr", "ciede2000")
        self._of_truth: dict[str, Any] = {}
        self._grey: Comparison | None = None
        if truth is not None:
            self._grey = Comparison(grey_baseline(truth), truth)
            self._of_truth = {
                "truth": {"colorfulness": colorfulness(truth).item()},
                "baselines": {"grey": _compare(self._grey, self._compared)},
            }

    def measure(self, result: PIL.Image.Image) -> dict[str, Any]:
        """The measures of a result of the photograph's size, by the names of `autochrome.metrics`.

        `ciede2000_shares` are the shares of the picture, 0..1, in each step of `DIFFERENCE_WORDS`.
        """
        picked = self._pick(result)
        rgb = picture_to_tensor(picked)
        values: dict[str, Any] = {
            "colorfulness": colorfulness(rgb).item(),
            # As `autochrome.metrics.lightness_error`; L* of 8-bit pictures goes by table, a sixth of its time.
            "lightness_error": (picture_to_lightness(picked) - self._lightness).abs().mean().item(),
        }
        if self._grey is not None:
            values |= _compare(self._grey.against_same_reference(rgb), self._compared)
        return {**values, **self._of_truth, "truth_from": self.truth_from, "measured_size": list(self.size)}

    def _pick(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        return picture.resize(self.size, PIL.Image.Resampling.NEAREST)


def _compare(comparison: Comparison, names: tuple[str, ...]) -> dict[str, Any]:
    """The named measures; of CIEDE2000 also how it is spread, from the same map."""
    differences = torch.cat([ciede2000_lab(*labs).flatten() for labs in comparison.labs()])
    inner = torch.tensor([end for end, _ in DIFFERENCE_WORDS[:-1]])
    counts = torch.bincount(torch.bucketize(differences, inner, right=True), minlength=len(DIFFERENCE_WORDS))
    return {
        **score_comparison(comparison, [name for name in names if name != "ciede2000"]),
        "ciede2000": differences.mean().item(),
        "ciede2000_shares": (counts / differences.numel()).tolist(),
    }


def evaluate(prediction: bytes, reference: bytes) -> dict[str, Any]:
    """Every metric of a prediction against its reference at full size, with the grey and tint baselines beside.

    Raises:
        PictureError: one is not a picture, they differ in size, or have more than `MAX_EVALUATED_PIXELS`.
    """
    predicted = read_picture(prediction, max_pixels=MAX_EVALUATED_PIXELS)
    true = read_picture(reference, max_pixels=MAX_EVALUATED_PIXELS)
    check_same_size("prediction", predicted, "reference", true)
    truth = picture_to_tensor(true)
    return {
        **score(picture_to_tensor(predicted), truth),
        "baselines": {name: score(baseline(truth), truth) for name, baseline in BASELINES.items()},
    }


def is_in_color(picture: PIL.Image.Image) -> bool:
    """Whether a picture has colors of its own: neither grey nor a print in one tone, such as sepia.

    In a toned print the color follows from the lightness. So the spread of a*b* around its mean at each lightness
    (standard deviation, steps of 5 L*) decides.
    """
    small = picture.convert("RGB").resize((128, 128), PIL.Image.Resampling.BOX)
    lightness, *ab = rgb_to_lab(picture_to_tensor(small))[0].flatten(1).double().numpy()
    steps = (lightness / 5).astype(int)
    counts = np.maximum(np.bincount(steps), 1)
    residues = [channel - (np.bincount(steps, channel) / counts)[steps] for channel in ab]
    return float(np.sqrt(sum((residue**2).mean() for residue in residues))) > IN_COLOR_SPREAD


def check_same_size(name: str, picture: PIL.Image.Image, other_name: str, other: PIL.Image.Image) -> None:
    """Refuse two pictures that cannot be compared pixel by pixel."""
    if picture.size != other.size:
        raise PictureError(
            f"the {name} is {picture.width} × {picture.height} pixels and the {other_name} {other.width} × "
            f"{other.height}; to be compared they must have the same size"
        )


def _measured_size(picture: PIL.Image.Image) -> tuple[int, int]:
    scale = min(1.0, (MAX_MEASURED_PIXELS / (picture.width * picture.height)) ** 0.5)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))

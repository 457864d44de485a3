"""Scores during training: the curve of CIEDE2000 against colourfulness, and a grid of pictures to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autochrome.color import AB_SCALE, lab_to_gamut, lab_to_rgb, lightness_to_grey, merge_lab, rgb_to_lab, split_lab
from autochrome.metrics.ciede2000 import ciede2000_lab
from autochrome.metrics.colorfulness import colorfulness
from autochrome.metrics.curve import SATURATIONS
from autochrome.models import Colorizer
from autochrome.models.steering import Conditions
from autochrome.models.text_encoder import TextEncoder
from training.data import PhotoStore, centre_square
from training.directions import draw_palette, name_colors_of, true_points

_BATCH = 32


@dataclass
class Scores:
    """Mean figures over the validation pictures, at the training size, without the final upsampling."""

    values: dict[str, float]
    """`ciede2000_share` (of grey's), `colorfulness_share` (of the truth's), `better_than_grey` (share of pictures) as
    predicted; `ciede2000_share_at_0.5` and `_at_1.0` read from the curve at those shares of colourfulness."""
    grid: Tensor
    """Rows of grey, prediction, truth: sRGB `(3, H, W)` in 0..1."""


@dataclass
class Predicted:
    """Some validation photographs and what a model makes of them."""

    lightness: Tensor
    """L* (0..100), `(B, 1, size, size)`."""
    ab: Tensor
    """As predicted, upsampled, Lab units, `(B, 2, size, size)`."""
    truth: Tensor
    """Lab, `(B, 3, size, size)`."""

    def render(self, saturation: float = 1.0) -> Tensor:
        """The prediction as sRGB `(B, 3, size, size)` in 0..1, its ab multiplied."""
        return lab_to_gamut(merge_lab(self.lightness, self.ab * saturation))


@torch.no_grad()
def predict(
    model: nn.Module, store: PhotoStore, indices: Sequence[int], size_px: int, device: torch.device
) -> Iterator[Predicted]:
    """Centre squares of the given photographs at `size_px`, some at a time; the model is put into evaluation mode."""
    model.eval()
    for begin in range(0, len(indices), _BATCH):
        photos = torch.stack([centre_square(store.photo(i), size_px) for i in indices[begin : begin + _BATCH]])
        truth = rgb_to_lab(photos.to(device).float() / 255)
        lightness, _ = split_lab(truth)
        ab = F.interpolate(model(lightness), size=truth.shape[-2:], mode="bilinear") * AB_SCALE
        yield Predicted(lightness, ab, truth)


@torch.no_grad()
def score_model(
    model: nn.Module, store: PhotoStore, indices: Sequence[int], size_px: int, device: torch.device
) -> Scores:
    """Score a model on centre squares of the given photographs at `size_px`."""
    differences, colorfulnesses, grey_differences, true_colorfulnesses = [], [], [], []
    grid: Tensor | None = None
    for batch in predict(model, store, indices, size_px, device):
        rendered = [batch.render(saturation) for saturation in SATURATIONS]
        differences.append(torch.stack([mean_difference(rgb_to_lab(rgb), batch.truth) for rgb in rendered]))
        colorfulnesses.append(torch.stack([colorfulness(rgb) for rgb in rendered]))
        grey_differences.append(grey_difference(batch.truth))
        photos = lab_to_rgb(batch.truth).clamp(0, 1)
        true_colorfulnesses.append(colorfulness(photos))
        if grid is None:
            grid = picture_grid(batch.lightness, rendered[SATURATIONS.index(1.0)], photos)
    assert grid is not None, "no validation pictures"
    difference = torch.cat(differences, dim=1)
    grey = torch.cat(grey_differences)
    shares = (difference.mean(dim=1) / grey.mean()).tolist()
    true_colorfulness = torch.cat(true_colorfulnesses).mean()
    vividness = (torch.cat(colorfulnesses, dim=1).mean(dim=1) / true_colorfulness).tolist()
    at_one = SATURATIONS.index(1.0)
    values = {
        "ciede2000_share": shares[at_one],
        "colorfulness_share": vividness[at_one],
        "better_than_grey": (difference[at_one] < grey).float().mean().item(),
        "ciede2000_share_at_0.5": float(np.interp(0.5, vividness, shares)),
        "ciede2000_share_at_1.0": float(np.interp(1.0, vividness, shares)),
    }
    return Scores(values, grid.cpu())


@torch.no_grad()
def score_directed(
    model: Colorizer, store: PhotoStore, indices: Sequence[int], size_px: int, text_encoder: TextEncoder | None
) -> dict[str, float]:
    """CIEDE2000 as a share of grey's with the truth's main colors named, as a palette, and 10 and 100 true points.

    On centre squares of the given photographs at `size_px`, saturation 1; the same directions every time.
    """
    model.eval()
    device = next(model.parameters()).device
    differences: dict[str, list[Tensor]] = {}
    greys = []
    for begin in range(0, len(indices), _BATCH):
        photos = torch.stack([centre_square(store.photo(i), size_px) for i in indices[begin : begin + _BATCH]])
        truth = rgb_to_lab(photos.to(device).float() / 255)
        lightness, _ = split_lab(truth)
        greys.append(grey_difference(truth))
        features = model.features(lightness)
        for name, conditions in true_directions(truth.cpu(), text_encoder, seed=begin).items():
            ab = model.ab_from_raw(model.decode(features, conditions.to(device))) * AB_SCALE
            lab = rgb_to_lab(lab_to_gamut(merge_lab(lightness, F.interpolate(ab, truth.shape[-2:], mode="bilinear"))))
            differences.setdefault(name, []).append(mean_difference(lab, truth))
    grey = torch.cat(greys).mean()
    return {f"ciede2000_share_{name}": float(torch.cat(parts).mean() / grey) for name, parts in differences.items()}


def true_directions(truth: Tensor, text_encoder: TextEncoder | None, *, seed: int) -> dict[str, Conditions]:
    """Directions that tell the truth about Lab pictures `(B, 3, H, W)`: named, palette, points_10, points_100."""
    rng = np.random.default_rng(seed)
    palettes = [draw_palette(lab, rng, exact=True) for lab in truth]
    found = {"palette": Conditions(palette=torch.nn.utils.rnn.pad_sequence(palettes, batch_first=True))}
    if text_encoder is not None:
        words, mask = text_encoder([name_colors_of(lab) for lab in truth])
        found["named"] = Conditions(words=words, word_mask=mask)
    for count in (10, 100):
        hints = [true_points(lab, rng.random((count, 2))) for lab in truth]
        found[f"points_{count}"] = Conditions(hints=torch.stack(hints))
    return found


def picture_grid(lightness: Tensor, prediction: Tensor, truth: Tensor, num_columns: int = 8) -> Tensor:
    """Three rows (grey, prediction, truth) of up to `num_columns` pictures: `(3, H, W)` in 0..1."""
    grey = lightness_to_grey(lightness).expand_as(prediction)
    rows = [torch.cat(list(pictures[:num_columns]), dim=-1) for pictures in (grey, prediction, truth)]
    return torch.cat(rows, dim=-2)


def mean_difference(lab: Tensor, truth: Tensor) -> Tensor:
    """Mean CIEDE2000 of each picture, `(B,)`, from Lab `(B, 3, H, W)`."""
    return ciede2000_lab(lab, truth).mean(dim=(1, 2, 3))


def grey_difference(truth: Tensor) -> Tensor:
    """Mean CIEDE2000 of no colour at all, `(B,)`, from Lab `(B, 3, H, W)`."""
    lightness, ab = split_lab(truth)
    return mean_difference(merge_lab(lightness, torch.zeros_like(ab)), truth)

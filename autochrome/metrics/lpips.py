"""LPIPS, a distance of two pictures in the features of a network, weighted so as to agree with people. An extra.

Source: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018,
arXiv:1801.03924), as its authors' package `lpips` computes it.
"""

import functools
import importlib
from typing import Any

import torch
from torch import Tensor

from autochrome.errors import InputError, UnavailableError
from autochrome.metrics.checks import require_rgb_pair
from autochrome.metrics.extras import require_extra

MIN_SIDE_PX = 32


@torch.no_grad()
def lpips(prediction: Tensor, reference: Tensor) -> Tensor:
    """LPIPS of each picture, version 0.1 on AlexNet; 0 is equal, lower is better.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape, no side below 32 (it is given [-1, 1]). Returns
    `(B,)`.
    Raises `InputError` when the shapes differ, are not `(B, 3, H, W)` or too small, `UnavailableError` where what it
    needs is not installed or its weights cannot be downloaded.
    """
    require_rgb_pair(prediction, reference)
    height, width = prediction.shape[-2:]
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"lpips needs pictures of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} pixels, got {width} x {height}; "
            "leave lpips out for pictures this small"
        )
    require_extra("lpips")
    distances: Tensor = _lpips_network()(prediction.float(), reference.float(), normalize=True)
    return distances.flatten()


@functools.cache
def _lpips_network() -> Any:
    try:
        return importlib.import_module("lpips").LPIPS(net="alex", verbose=False).eval()
    except OSError as error:
        raise UnavailableError(f"the weights of lpips cannot be downloaded: {error}") from error

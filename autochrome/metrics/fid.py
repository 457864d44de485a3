"""FID, the Frechet inception distance of two sets of pictures, with the network that papers use. An extra.

Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium" (2017,
arXiv:1706.08500), as torchmetrics and torch-fidelity compute it.
"""

import importlib
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from autochrome.errors import InputError, UnavailableError
from autochrome.metrics.checks import require_rgb
from autochrome.metrics.extras import require_extra


def fid(predictions: Iterable[Tensor], references: Iterable[Tensor]) -> float:
    """The standard FID between two sets, given as batches of gamma-coded sRGB `(B, 3, H, W)` in 0..1, of any sizes.

    torchmetrics with torch-fidelity's InceptionV3 and its 2,048 features. Below some 2,048 pictures it is biased
    upwards; say how many there were. Numbers of other implementations differ.

    Raises `UnavailableError` where what it needs is not installed or its weights cannot be downloaded, `InputError`
    when a set has fewer than two pictures or one is not `(B, 3, H, W)`.
    """
    require_extra("fid")
    distance = _fid_metric()
    for batches, real in ((references, True), (predictions, False)):
        count = 0
        for batch in batches:
            require_rgb(batch)
            distance.update(batch.float(), real=real)
            count += len(batch)
        if count < 2:
            raise InputError(f"fid needs at least 2 pictures in each set, got {count}")
    value: float = distance.compute().item()
    return value


def _fid_metric() -> Any:
    image = importlib.import_module("torchmetrics.image.fid")
    try:
        return image.FrechetInceptionDistance(feature=2048, normalize=True)
    except OSError as error:
        raise UnavailableError(f"the weights of fid cannot be downloaded: {error}") from error

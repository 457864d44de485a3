"""What of an exemplar belongs where: places that look alike take over each other's color, as guesses."""

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.models.steering import NUM_HINT_VALUES

MAX_MATCHES = 64
_LEAST_LIKENESS = 0.67
_SURE_LIKENESS = 0.98
_BLUR = 3


def match_exemplar(features: Tensor, exemplar_features: Tensor, exemplar_ab: Tensor) -> Tensor | None:
    """Guessed hints for a picture from an exemplar of the same or a like thing; None where nothing looks alike.

    Each cell of a coarse feature map is compared with all of the exemplar's (cosine, the mean of both taken away, a
    little blurred so that surroundings count). Pairs that choose each other are kept, the most alike first.

    Args:
        features: of the picture, `(1, C, h, w)`.
        exemplar_features: of the exemplar, `(1, C, h', w')`.
        exemplar_ab: its a*b* in Lab units, `(1, 2, h', w')`.

    Returns:
        `(1, N, 6)` as in `Conditions`; the confidence rises with the likeness.
    """
    height, width = features.shape[-2:]
    mine, theirs = _directions(features, exemplar_features)
    likeness = mine @ theirs.T
    best, chosen = likeness.max(dim=1)
    back = likeness.argmax(dim=0)
    mutual = back[chosen] == torch.arange(len(chosen), device=chosen.device)
    confidence = ((best - _LEAST_LIKENESS) / (_SURE_LIKENESS - _LEAST_LIKENESS)).clamp(0, 0.95) * mutual
    kept = confidence.argsort(descending=True)[:MAX_MATCHES]
    kept = kept[confidence[kept] > 0.05]
    if not len(kept):
        return None
    hints = torch.zeros(1, len(kept), NUM_HINT_VALUES)
    hints[0, :, 0], hints[0, :, 1] = (kept % width + 0.5) / width, (kept // width + 0.5) / height
    hints[0, :, 2:4] = exemplar_ab[0].flatten(1).T[chosen[kept]] / AB_SCALE
    hints[0, :, 4], hints[0, :, 5] = 0.25 / min(height, width), confidence[kept]
    return hints


def _directions(features: Tensor, exemplar_features: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps as unit vectors `(N, C)`, blurred, without the mean of all."""
    blurred = [F.avg_pool2d(one.float(), _BLUR, 1, 1, count_include_pad=False) for one in (features, exemplar_features)]
    both = [one[0].flatten(1).T for one in blurred]
    mean = torch.cat(both).mean(dim=0)
    spread = torch.cat(both).std(dim=0).clamp_min(1e-6)
    mine, theirs = (F.normalize((one - mean) / spread, dim=1) for one in both)
    return mine, theirs

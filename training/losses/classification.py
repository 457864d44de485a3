"""Color as classes: cross-entropy on the head `bins`, rare colours weighing more (Zhang, Isola and Efros 2016)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.models.bins import NUM_BINS, soft_encode
from training.data import PhotoStore, centre_square
from training.losses.base import LossInput

_GREY_AB = 5.0
"""A picture without a pixel whose a* or b* is further than this from 0 has no colour to learn."""
_PRIOR_SIDE_PX = 32
_PRIOR_BATCH = 64


def classification(data: LossInput) -> Tensor:
    """Cross-entropy of softly encoded bins (arXiv:1603.08511, equation 2), weighted by the bin nearest to the truth.

    As there, pictures without colour weigh nothing. Its least value is not 0 but the entropy of the soft encoding.
    """
    assert data.raw is not None, "the classification loss needs the logits of the head `bins`"
    true = data.target * AB_SCALE
    indices, shares = soft_encode(true)
    entropy = -(shares * F.log_softmax(data.raw.float(), dim=1).gather(1, indices)).sum(dim=1)
    if data.class_weights is not None:
        entropy = entropy * data.class_weights.to(entropy)[indices[:, 0]]
    colored = (true.abs() > _GREY_AB).flatten(1).any(dim=1)
    return (entropy.mean(dim=(1, 2)) * colored).mean()


def class_weights(store: PhotoStore, indices: Sequence[int], num_pictures: int = 4000, mixing: float = 0.5) -> Tensor:
    """Weights of the bins `(Q,)` from the training photographs: rebalanced for colours that are rare.

    The inverse of a mixture of how common a bin is (`1 - mixing`) and of all being alike (`mixing`), so scaled that the
    expected weight is 1 (arXiv:1603.08511, equation 4; their mixing is 0.5). How common a bin is comes from central
    squares at 32 px, smoothed by the soft encoding itself, a Gaussian of 5 Lab units as in the paper. At most
    `num_pictures` photographs, evenly spaced, are looked at: the same ones every time.
    """
    spacing = max(1, len(indices) // num_pictures)
    chosen = list(indices)[::spacing][:num_pictures]
    prior = torch.zeros(NUM_BINS, dtype=torch.float64)
    for begin in range(0, len(chosen), _PRIOR_BATCH):
        photos = [centre_square(store.photo(index), _PRIOR_SIDE_PX) for index in chosen[begin : begin + _PRIOR_BATCH]]
        _, ab = split_lab(rgb_to_lab(torch.stack(photos).float() / 255))
        bins, shares = soft_encode(ab)
        prior.index_add_(0, bins.flatten(), shares.flatten().double())
    return rebalance(prior / prior.sum(), mixing).float()


def rebalance(prior: Tensor, mixing: float) -> Tensor:
    """Weights `(Q,)` of classes with these shares (sum 1): 1 / ((1 - mixing) prior + mixing / Q), expected weight 1."""
    weights = 1 / ((1 - mixing) * prior + mixing / len(prior))
    return weights / (prior * weights).sum()

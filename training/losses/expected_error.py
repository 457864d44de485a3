"""Teaching a model to tell where it guesses."""

import torch
from torch import Tensor

from training.losses.base import LossInput


def expected_error(data: LossInput) -> Tensor:
    """Negative log-likelihood of the error's size under an exponential distribution with the predicted mean.

    The third channel of a steered decoder's raw output is the log of that mean; the best it can say is the log of the
    mean distance between predicted and true ab_normalized. The prediction itself gets no gradient: it is not to become
    worse where its error is easier to tell. (Kendall and Gal 2017, arXiv:1703.04977, section 3, with this density.)
    """
    assert data.raw is not None
    log_mean = data.raw[:, 2:3].clamp(-7, 2)
    error = torch.linalg.vector_norm(data.prediction.detach() - data.target, dim=1, keepdim=True)
    cost: Tensor = log_mean + error * torch.exp(-log_mean)
    return cost.mean()

"""Features of colour pictures from the embedded MobileNetV2, for distances between sets of pictures."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from autochrome.errors import ModelError

WEIGHTS_DIR = Path(__file__).parents[1] / "weights" / "mobilenet-v2"
SIDE_PX = 224


class PooledMobileNetV2(nn.Module):
    """MobileNetV2 1.0 (Sandler et al. 2018, arXiv:1801.04381) up to its last bottleneck, averaged over all places.

    Attributes:
        num_features: length of a feature vector, 320.
    """

    num_features = 320

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        """Gamma-coded sRGB `(B, 3, 224, 224)` in 0..1 to `(B, 320)`."""
        maps: Tensor = self.network(2 * rgb - 1, output_hidden_states=True).hidden_states[-1]
        return maps.mean(dim=(2, 3))


def load_pooled_mobilenet_v2(folder: Path = WEIGHTS_DIR) -> PooledMobileNetV2:
    """The network with the weights of a transformers folder: float32, on the CPU, ready for inference.

    Raises:
        ModelError: the folder does not hold such a model.
    """
    from transformers import MobileNetV2Model  # here: it costs a second, and most measures need no network
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network, info = MobileNetV2Model.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"no MobileNetV2 could be loaded from {folder}: {error}") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    if info["missing_keys"] or info["unexpected_keys"]:
        different = sorted([*info["missing_keys"], *info["unexpected_keys"]])
        raise ModelError(f"the weights of {folder} belong to another architecture: {', '.join(different[:3])}")
    return PooledMobileNetV2(network.eval().requires_grad_(False))

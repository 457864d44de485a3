"""Features of colour pictures from the embedded MobileNetV2, for distances between sets of pictures."""

from pathlib import Path

from torch import Tensor, nn

from autochrome.models.backbones.base import load_transformers

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

    network = load_transformers(MobileNetV2Model, folder, "MobileNetV2", exact=True)
    return PooledMobileNetV2(network.eval().requires_grad_(False))

"""The networks: `nn.Module`s only, tensors in and tensors out. Pictures and their sizes belong to the pipelines."""

from autochrome.models.checkpoint import load_colorizer, save_colorizer
from autochrome.models.generator import Colorizer, ColorizerConfig

__all__ = ["Colorizer", "ColorizerConfig", "load_colorizer", "save_colorizer"]

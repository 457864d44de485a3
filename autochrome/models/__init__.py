"""The networks: `nn.Module`s only, tensors in and tensors out. Pictures and their sizes belong to the pipelines."""

from autochrome.models.checkpoint import load_colorizer, save_colorizer
from autochrome.models.config import ColorizerConfig
from autochrome.models.generator import Colorizer

__all__ = ["Colorizer", "ColorizerConfig", "load_colorizer", "save_colorizer"]

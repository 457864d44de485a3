"""What all backbones are: stages that yield one feature map a stride, and a head that knows the whole picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from autochrome.errors import ModelError


class GlobalHead(nn.Module):
    """What a classifier knows of the whole picture: its pooled features, and its logits where it has them.

    Attributes:
        num_features: length of the vector.
    """

    def __init__(
        self,
        channels: int,
        *,
        projection: nn.Module | None = None,
        norm: nn.Module | None = None,
        classifier: nn.Linear | None = None,
    ) -> None:
        """`channels` is what gets pooled: after `projection` (a convolution of the last map), before `norm`."""
        super().__init__()
        self.projection = projection
        self.norm = norm
        self.classifier = classifier
        self.num_features = channels + (classifier.out_features if classifier is not None else 0)

    def forward(self, feature: Tensor) -> Tensor:
        """The backbone's last feature map `(B, C, h, w)` to one vector a picture, `(B, num_features)`."""
        if self.projection is not None:
            feature = self.projection(feature)
        vector = feature.mean(dim=(2, 3))
        if self.norm is not None:
            vector = self.norm(vector)
        if self.classifier is not None:
            vector = torch.cat([vector, self.classifier(vector)], dim=1)
        return vector


class Backbone(nn.Module):
    """`stages[i]` makes the feature map of stride `strides[i]` with `channels[i]` channels from the one before.

    Attributes:
        head: for networks with a fusion layer: from the last map to one vector a picture; else None.
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        channels: Sequence[int],
        strides: Sequence[int],
        head: GlobalHead | None = None,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)
        self.strides = tuple(strides)
        self.head = head

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Grey `(B, 1, H, W)` in [-1, 1], sides divisible by the last stride, to one feature map a stage."""
        features = []
        for stage in self.stages:
            grey = stage(grey)
            features.append(grey)
        return features

    def cut(self, num_stages: int) -> "Backbone":
        """The first stages only; a head then pools the last of their maps, without projection or classifier."""
        head = GlobalHead(self.channels[num_stages - 1]) if self.head is not None else None
        return Backbone(list(self.stages)[:num_stages], self.channels[:num_stages], self.strides[:num_stages], head)


def load_transformers(cls: Any, folder: Path, name: str, *, exact: bool = False) -> Any:
    """A model of a transformers class with all its weights from a folder: float32, on the CPU.

    What is missing would be random, so it is refused; what a folder has beyond the class, e.g. a classifier, is left
    unless `exact`.

    Raises:
        ModelError: the folder does not hold such a model, or lacks some of its weights.
    """
    from transformers.utils import logging  # here: it costs a second, and most never need it

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, info = cls.from_pretrained(folder, dtype=torch.float32, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"no {name} could be loaded from {folder}: {error}") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    different = sorted([*info["missing_keys"], *(info["unexpected_keys"] if exact else [])])
    if different:
        raise ModelError(f"the weights of {folder} belong to another architecture: {', '.join(different[:3])}")
    return model


def require_options(name: str, folder: Path, found: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse a pretrained network that the options do not describe: what is saved could not be built again.

    Raises:
        ModelError: an option differs; the text says what to write.
    """
    for option, value in asked.items():
        if _plain(found[option]) != _plain(value):
            raise ModelError(
                f"the {name} in {folder} has {option} {_plain(found[option])}, backbone_options say {_plain(value)}; "
                f"write backbone_options: {{{', '.join(f'{key}: {_plain(found[key])}' for key in asked)}}}"
            )


def require_classes(name: str, folder: Path, found: int, asked: int) -> None:
    """Refuse a classifier of another number of classes.

    Raises:
        ModelError: the numbers differ.
    """
    if found != asked:
        raise ModelError(f"the {name} in {folder} tells {found} classes apart; write fusion_classes: {found}, or 0")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

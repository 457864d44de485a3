"""Backbones: classifiers, cut into stages that yield one feature map a stride.

Each takes the conditioning image as ONE channel in [-1, 1] (a pretrained first layer is summed over its three colour
channels, which is the same as feeding it three equal ones) and returns its feature maps from fine to coarse.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from autochrome.errors import SettingError
from autochrome.models.backbones.base import Backbone, GlobalHead
from autochrome.models.backbones.convnext import build_convnext
from autochrome.models.backbones.convolutions import build_convolutions
from autochrome.models.backbones.efficientnet_lite import build_efficientnet_lite
from autochrome.models.backbones.mobilenet_v2 import build_mobilenet_v2
from autochrome.models.backbones.resnet import build_resnet

__all__ = ["Backbone", "GlobalHead", "build_backbone"]

Builder = Callable[[Mapping[str, Any], Path | None, int | None], Backbone]
"""From options, a folder of pretrained weights and the number of classes of a head (None: no head)."""


def build_backbone(
    name: str,
    options: Mapping[str, Any],
    pretrained: Path | None = None,
    *,
    num_stages: int | None = None,
    num_classes: int | None = None,
    normalization: str = "batch",
) -> Backbone:
    """Build a backbone by name, from scratch or with pretrained weights.

    Args:
        name: an entry of `CHOICES["backbone"]`.
        options: its size; see the builder.
        pretrained: a folder in transformers' layout; for EfficientNet-Lite one that its converter made.
        num_stages: how many stages to keep, from the finest; None for all.
        num_classes: None: no head; 0: a head with the pooled features; more: with the logits of so many classes too.
        normalization: of the backbone `convolutions`; the others have their own.

    Raises:
        SettingError: no such backbone, options that it does not know, or more stages than it has.
        ModelError: the folder does not hold such a model, or one of another size than the options say.
    """
    builders: dict[str, Builder] = {
        "mobilenet_v2": build_mobilenet_v2,
        "resnet": build_resnet,
        "efficientnet_lite": build_efficientnet_lite,
        "convnext": build_convnext,
        "convolutions": partial(build_convolutions, normalization=normalization),
    }
    if name not in builders:
        raise SettingError(f"no backbone is called {name!r}; there are: {', '.join(builders)}")
    try:
        backbone = builders[name](options, pretrained, num_classes)
    except SettingError:
        raise
    except (TypeError, KeyError, ValueError, StrictDataclassError) as error:
        raise SettingError(f"backbone {name} cannot be built with options {dict(options)}: {error}") from error
    if num_stages is None:
        return backbone
    if not 0 < num_stages <= len(backbone.stages):
        raise SettingError(f"backbone {name} has {len(backbone.stages)} stages; got backbone_stages {num_stages}")
    return backbone.cut(num_stages)

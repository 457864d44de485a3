"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545), from transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from autochrome.models.backbones.base import (
    Backbone,
    GlobalHead,
    load_transformers,
    require_classes,
    require_options,
)

_COLOR_MEAN = (0.485, 0.456, 0.406)
_COLOR_DEVIATION = (0.229, 0.224, 0.225)


def build_convnext(options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None) -> Backbone:
    """Strides 4, 8, ..., one stage an entry of `depths`."""
    from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextModel

    given = {"num_stages": len(options["depths"]), **options} if "depths" in options else dict(options)
    config = ConvNextConfig(num_channels=1, num_labels=num_classes or 2, **given)
    cls = ConvNextForImageClassification if num_classes else ConvNextModel
    whole = load_transformers(cls, pretrained, "convnext") if pretrained is not None else cls(config)
    source = whole.convnext if num_classes else whole
    if pretrained is not None:
        asked = {name: getattr(config, name) for name in ("hidden_sizes", "depths", "patch_size")}
        require_options("convnext", pretrained, {name: getattr(source.config, name) for name in asked}, asked)
        if num_classes:
            require_classes("convnext", pretrained, source.config.num_labels, num_classes)
        _read_grey(source.embeddings)
    stages = [nn.Sequential(source.embeddings, source.encoder.stages[0]), *source.encoder.stages[1:]]
    head = None
    if num_classes is not None:
        classifier = whole.classifier if num_classes else None
        head = GlobalHead(config.hidden_sizes[-1], norm=source.layernorm, classifier=classifier)
    return Backbone(stages, config.hidden_sizes, [config.patch_size * 2**i for i in range(len(stages))], head)


def _read_grey(embeddings: Any) -> None:
    """Let the first convolution take grey in [-1, 1] in place of three colors, normalized: exactly the same."""
    first = embeddings.patch_embeddings
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (_COLOR_MEAN, _COLOR_DEVIATION))
    with torch.no_grad():
        # (grey / 2 + 1 / 2 - mean) / deviation, the constant part into the bias: without padding no border differs.
        constant = (first.weight * (0.5 - mean) / deviation).sum(dim=(1, 2, 3))
        first.bias += constant
        first.weight = nn.Parameter((first.weight / (2 * deviation)).sum(dim=1, keepdim=True))
    first.in_channels = 1
    embeddings.num_channels = 1

"""Tiny networks that take directions."""

from dataclasses import replace

import torch

from autochrome.models import Colorizer, ColorizerConfig

STEERED = replace(ColorizerConfig.tiny(), decoder="steered_unet")


def lively_model(seed: int = 0) -> Colorizer:
    """One whose every part answers: fresh, those that take directions are silent."""
    torch.manual_seed(seed)
    model = Colorizer(STEERED).eval()
    with torch.no_grad():
        for name, parameter in model.decoder.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.15)
            elif name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model

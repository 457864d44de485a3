"""Where a diffusion model runs, and how precisely."""

import torch

from autochrome.errors import UnavailableError

LARGE = 100_000_000
"""Parameters of a U-Net; with more than these a model is large."""


def choose_device(device: str | torch.device | None) -> torch.device:
    """A device by its name; by default "cuda" where there is one, else "cpu".

    Raises:
        UnavailableError: there is no such device.
    """
    try:
        return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UnavailableError(f"the device '{device}' cannot be used here; leave it out, or try 'cpu'") from error


def choose_dtype(device: torch.device, num_parameters: int) -> torch.dtype:
    """In what a model computes, by its device and the size of its U-Net.

    A small one in float32: it is quick, and exact. A large one in float16 on a graphics card, and on the CPU in
    bfloat16 where that has instructions for it (elsewhere it would be emulated, many times slower).
    """
    if num_parameters <= LARGE:
        return torch.float32
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32

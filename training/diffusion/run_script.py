"""Runs an example script in its own process: `run_script.py SCRIPT ARGUMENT...`, under `accelerate launch`.

The scripts import torchvision for its picture transforms alone. On a machine whose torchvision has no compiled part for
its torch (a CPU build, often), that import fails at two operators that the transforms never call; declared, without a
body, they let it pass. Where torchvision works, this does nothing but run the script.

And the scripts draw timesteps uniformly, with no way to say otherwise; `HIGH_NOISE_SHARE` in the environment does.
"""

import importlib
import importlib.util
import os
import runpy
import sys
from pathlib import Path
from typing import Any

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
HIGH_NOISE_SHARE = "AUTOCHROME_HIGH_NOISE_SHARE"
"""Of the timesteps of a step, the share that is drawn from the noisiest ones (see `favor_noise`)."""
NOISIEST = 0.05
"""These timesteps, as a share of all, show next to nothing of the picture's colors."""
_kept_alive: list[object] = []
"""A library of operators that is collected takes its operators with it."""


def declare_missing_operators() -> bool:
    """Let torchvision be imported without its compiled part; returns whether that was necessary."""
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return False
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # what a failed import left
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in _OPERATORS:
        library.define(operator)
    _kept_alive.append(library)
    return True


def favor_noise(share: float) -> None:
    """Make `torch.randint`, as the scripts call it for timesteps, draw a share of them from the noisiest.

    From 0 up to the number of training timesteps, in a tensor of one dimension: nothing else in them draws so.
    """
    import torch

    draw = torch.randint

    def randint(*args: Any, **kwargs: Any) -> Any:
        drawn = draw(*args, **kwargs)
        if len(args) == 3 and args[0] == 0 and drawn.ndim == 1 and not drawn.is_floating_point():
            count = int(args[1])
            noisy = torch.rand(drawn.shape, device=drawn.device) < share
            noisiest = draw(int(count * (1 - NOISIEST)), count, *args[2:], **kwargs)
            drawn = torch.where(noisy, noisiest, drawn)
        return drawn

    torch.randint = randint


def main() -> None:
    """Run the script as Python would: its folder first in the path, its arguments as its own."""
    script = Path(sys.argv[1]).resolve()
    sys.argv = [str(script), *sys.argv[2:]]
    sys.path[0] = str(script.parent)  # not this folder, whose modules the script must not find
    declare_missing_operators()
    if os.environ.get(HIGH_NOISE_SHARE):
        favor_noise(float(os.environ[HIGH_NOISE_SHARE]))
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()

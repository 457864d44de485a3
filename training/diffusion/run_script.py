"""Runs an example script in its own process: `run_script.py SCRIPT ARGUMENT...`, under `accelerate launch`.

The scripts import torchvision for its picture transforms alone. On a machine whose torchvision has no compiled part for
its torch (a CPU build, often), that import fails at two operators that the transforms never call; declared, without a
body, they let it pass. Where torchvision works, this does nothing but run the script.
"""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
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


def main() -> None:
    """Run the script as Python would: its folder first in the path, its arguments as its own."""
    script = Path(sys.argv[1]).resolve()
    sys.argv = [str(script), *sys.argv[2:]]
    sys.path[0] = str(script.parent)  # not this folder, whose modules the script must not find
    declare_missing_operators()
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()

"""What a run writes down: scalars to TensorBoard and `log.jsonl`, the validation grid, speed and memory."""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from autochrome.image import tensor_to_picture, write_png
from training.validation import Scores


class Log:
    """Scalars to TensorBoard and `log.jsonl`, the validation grid to TensorBoard and `validation.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SummaryWriter(str(folder / "tensorboard"))

    def scalars(self, kind: str, step: int, num_pictures: int, values: dict[str, float]) -> None:
        """One line of `log.jsonl`, and a point on each curve."""
        for name, value in values.items():
            self.writer.add_scalar(f"{kind}/{name}", value, num_pictures)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"kind": kind, "step": step, "num_pictures": num_pictures, **values}) + "\n")

    def scores(self, step: int, num_pictures: int, scores: Scores) -> None:
        """The figures and the pictures of a validation."""
        self.scalars("validation", step, num_pictures, scores.values)
        self.writer.add_image("validation/grey_prediction_truth", scores.grid, num_pictures)
        write_png(tensor_to_picture(scores.grid), self.folder / "validation.png")


class Speed:
    """Pictures a second of the training steps alone: call `restart` after everything else."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        self._began = time.monotonic()
        self._num_pictures = 0

    def add(self, num_pictures: int) -> None:
        """Count a step's pictures."""
        self._num_pictures += num_pictures

    def pictures_per_s(self) -> float:
        """The mean since the last call or restart; begins to count anew."""
        speed = self._num_pictures / max(1e-9, time.monotonic() - self._began)
        self.restart()
        return speed


def peak_memory_mb(device: torch.device) -> float:
    """The most memory so far, in MB (10^6 bytes): of the GPU's allocator, or else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6

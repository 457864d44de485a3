"""The checkpoints of the example scripts, which are not written as a whole: a killed run may leave half of one."""

import re
from pathlib import Path

_LAST_WRITTEN = "random_states_0.pkl"
"""accelerate writes it after everything else of a checkpoint."""
_NAME = re.compile(r"checkpoint-\d+")


def list_checkpoints(output_dir: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return [path for path in _candidates(output_dir) if (path / _LAST_WRITTEN).is_file()]


def set_broken_aside(output_dir: Path) -> list[Path]:
    """Rename what is only half a checkpoint, so that the script resumes from the newest whole one; the new paths."""
    moved = []
    for path in _candidates(output_dir):
        if not (path / _LAST_WRITTEN).is_file():
            target = path.with_name(f"incomplete-{path.name}")
            number = 1
            while target.exists():
                number += 1
                target = path.with_name(f"incomplete-{path.name}-{number}")
            moved.append(path.rename(target))
    return moved


def _candidates(output_dir: Path) -> list[Path]:
    found = [path for path in output_dir.glob("checkpoint-*") if path.is_dir() and _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.rsplit("-", 1)[1]))

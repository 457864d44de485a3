"""Batch size against memory and speed: `python -m training.benchmarks.batch_size RECIPE PHOTOS... [--json FILE]`.

Runs the trainer itself for some steps at each batch size, each in a process of its own, and notes the peak memory of
that process and the pictures a second.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autochrome.files import write_json

BATCH_SIZES = (1, 4, 16, 64)
NUM_STEPS = 40


def measure(recipe: Path, photos: list[str], batch_size: int, cache_dir: Path) -> dict[str, Any]:
    """Peak memory in MB and pictures a second of one short run."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            f"photos=[{','.join(photos)}]",
            f"batch_size={batch_size}",
            f"phases.0.num_kimg={NUM_STEPS * batch_size / 1000}",
            f"output_dir={folder}",
            f"cache_dir={cache_dir}",
            "validate_every_kimg=1000000",
            "num_validation=8",
        ]
        command = [sys.executable, "-m", "training.train_gan", str(recipe), *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (log,) = Path(folder).glob("*/log.jsonl")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    last = [line for line in lines if line["kind"] == "train"][-1]
    return {
        "batch_size": batch_size,
        "peak_memory_mb": round(last["peak_memory_mb"]),
        "pictures_per_s": round(last["pictures_per_s"], 1),
    }


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.batch_size", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("photos", nargs="+", help="archives or folders of photographs")
    parser.add_argument("--cache-dir", type=Path, default=Path("runs/cache"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for batch_size in tqdm(BATCH_SIZES, unit=" runs", disable=None):
        rows.append(measure(options.recipe, options.photos, batch_size, options.cache_dir))
        tqdm.write(json.dumps(rows[-1]))
    if options.json:
        write_json({"recipe": options.recipe.stem, "num_steps": NUM_STEPS, "results": rows}, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

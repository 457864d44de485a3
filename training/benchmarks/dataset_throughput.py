"""How fast the dataset builder is, beside a bare loop with the same libraries and beside the script that people write.

    python training/benchmarks/dataset_throughput.py PHOTOS.zip [--pictures 1000] [--size 512] [--json FILE]

Pictures a second, on the same pictures brought to the same size, files in memory but for the naive script's:

- "bare loop", one process, one thread: decode (`read_picture`), resize (Pillow, Lanczos), make grey (Pillow), encode
  both (JPEG and PNG, as the builder does), and nothing else: no L*, measures, hashes, captions or files;
- "builder, one process": all of a build's work on pictures, from its own report (`seconds.pictures`), and of the whole
  build, shards and card included (`seconds.all`);
- "builder, all cores": the same with a process for each core, start-up included;
- "naive script", one process: Pillow and scikit-image, L* of `rgb2lab` as the grey picture, two files a picture.

The builder is run as a command, several times in turn with the others; the best of each counts.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from PIL import Image
from skimage.color import rgb2lab

from autochrome.files import write_json
from autochrome.image import PICTURE_SUFFIXES, read_picture

ROOT = Path(__file__).parent.parent.parent
QUALITY = 95


def read_members(path: Path, count: int) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in PICTURE_SUFFIXES)
        return {name: archive.read(name) for name in names[:count]}


def target_size(picture: Image.Image, size: int) -> tuple[int, int]:
    """Short side to `size`, never larger than it is."""
    scale = min(1.0, size / min(picture.size))
    return round(picture.width * scale), round(picture.height * scale)


def bare_loop(members: dict[str, bytes], size: int) -> float:
    started = time.perf_counter()
    for content in members.values():
        picture = read_picture(content).convert("RGB")
        wanted = target_size(picture, size)
        if wanted != picture.size:
            picture = picture.resize(wanted, Image.Resampling.LANCZOS)
        picture.save(io.BytesIO(), "JPEG", quality=QUALITY, subsampling=0)
        picture.convert("L").save(io.BytesIO(), "PNG")
    return time.perf_counter() - started


def naive_script(members: dict[str, bytes], size: int, folder: Path) -> float:
    sources = folder / "sources"
    sources.mkdir(exist_ok=True)
    for index, content in enumerate(members.values()):
        (sources / f"{index:06d}").write_bytes(content)
    started = time.perf_counter()
    for path in sorted(sources.iterdir()):
        picture = Image.open(path).convert("RGB")
        picture = picture.resize(target_size(picture, size), Image.Resampling.LANCZOS)
        lightness = rgb2lab(np.asarray(picture))[..., 0]
        grey = Image.fromarray((lightness * 2.55).round().astype(np.uint8))
        picture.save(folder / f"{path.name}.jpg", quality=QUALITY, subsampling=0)
        grey.save(folder / f"{path.name}.png")
    return time.perf_counter() - started


def run_builder(archive: Path, size: int, folder: Path, num_workers: int) -> dict[str, Any]:
    config = {
        "name": "throughput",
        "output_dir": str(folder / "built"),
        "sources": [{"type": "imagefolder", "name": "photos", "path": str(archive)}],
        "pictures": {"size": size, "quality": QUALITY},
        "num_workers": num_workers,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "dataset_builder", "build", str(path)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    report: dict[str, Any] = json.loads((folder / "built" / "report.json").read_text(encoding="utf-8"))
    return report


def best(run: Callable[[Path], dict[str, float]], results: dict[str, float]) -> None:
    """Keep the shortest time of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in run(Path(folder)).items():
            results[name] = min(seconds, results.get(name, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a .zip archive of photographs")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    members = read_members(options.photos, options.pictures)
    cores = os.cpu_count() or 1
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "photos.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for name, content in members.items():
                packed.writestr(name, content)

        def alone(scratch: Path) -> dict[str, float]:
            report = run_builder(archive, options.size, scratch, 1)
            return {
                "builder, one process": report["seconds"]["pictures"],
                "the same to the end": report["seconds"]["all"],
            }

        def together(scratch: Path) -> dict[str, float]:
            return {"builder, all cores": run_builder(archive, options.size, scratch, cores)["seconds"]["all"]}

        for _ in range(options.repeats):
            best(lambda scratch: {"bare loop": bare_loop(members, options.size)}, seconds)
            best(alone, seconds)
            best(together, seconds)
            best(lambda scratch: {"naive script": naive_script(members, options.size, scratch)}, seconds)
    rates = {name: len(members) / taken for name, taken in seconds.items()}
    result = {
        "pictures": len(members),
        "size_px": options.size,
        "cores": cores,
        "machine": platform.processor() or platform.machine(),
        "pictures_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "share_of_bare_loop_per_core": round(rates["builder, one process"] / rates["bare loop"], 3),
        "share_of_bare_loop_to_the_end": round(rates["the same to the end"] / rates["bare loop"], 3),
        "times_naive_script": round(rates["builder, all cores"] / rates["naive script"], 2),
    }
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_json(result, options.json)


if __name__ == "__main__":
    main()

"""How fast the dataset builder is, beside a bare loop with the same libraries and beside the script that people write.

    python training/benchmarks/dataset_throughput.py PHOTOS.zip [--pictures N] [--size 512] [--enlarge 2] [--json FILE]

Processor time for one picture, on one core, for the same pictures brought to the same size:

- "bare loop": decode (`read_picture`), resize (as the builder: Pillow, Lanczos), make grey (Pillow), encode both (JPEG
  and PNG as the builder does), and nothing else: no L*, measures, hashes, captions or files; freed memory is kept for
  the next picture, as in the builder;
- "builder": a whole build with one process, shards and card included, but not the start: the processor time of a build
  of all pictures less that of a quarter of them;
- "naive script": Pillow and scikit-image, L* of `rgb2lab` as the grey picture, two files a picture on disk.

And pictures a second by the clock: the builder with a process for each core, its start included, and the naive script
in its one process. Processor time hardly depends on what else the machine does, the clock does.
"""

import argparse
import io
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

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
    """Processor seconds."""
    started = time.process_time()
    for content in members.values():
        picture = read_picture(content).convert("RGB")
        wanted = target_size(picture, size)
        if wanted != picture.size:
            picture = picture.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0)
        picture.save(io.BytesIO(), "JPEG", quality=QUALITY, subsampling=0)
        picture.convert("L").save(io.BytesIO(), "PNG", compress_level=3)
    return time.process_time() - started


def naive_script(members: dict[str, bytes], size: int, folder: Path) -> tuple[float, float]:
    """Processor seconds and seconds by the clock."""
    sources = folder / "sources"
    sources.mkdir()
    for index, content in enumerate(members.values()):
        (sources / f"{index:06d}").write_bytes(content)
    started, clock = time.process_time(), time.perf_counter()
    for path in sorted(sources.iterdir()):
        picture = Image.open(path).convert("RGB")
        picture = picture.resize(target_size(picture, size), Image.Resampling.LANCZOS)
        lightness = rgb2lab(np.asarray(picture))[..., 0]
        grey = Image.fromarray((lightness * 2.55).round().astype(np.uint8))
        picture.save(folder / f"{path.name}.jpg", quality=QUALITY, subsampling=0)
        grey.save(folder / f"{path.name}.png")
    return time.process_time() - started, time.perf_counter() - clock


def run_builder(archive: Path, size: int, num_workers: int, limit: int) -> tuple[float, float]:
    """Processor seconds of a build of the first `limit` pictures, and the whole command's seconds by the clock."""
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "name": "throughput",
            "output_dir": f"{folder}/built",
            "sources": [{"type": "imagefolder", "name": "photos", "path": str(archive), "limit": limit}],
            "pictures": {"size": size, "quality": QUALITY},
            "num_workers": num_workers,
        }
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "dataset_builder", "build", str(path)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, time.perf_counter() - clock


def write_archive(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def enlarge(content: bytes, factor: float) -> bytes:
    """A larger JPEG of a picture: the photographs at hand may be smaller than those that people have."""
    if factor == 1:
        return content
    picture = read_picture(content).convert("RGB")
    size = round(picture.width * factor), round(picture.height * factor)
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a .zip archive of photographs")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--enlarge", type=float, default=1.0, help="enlarge the photographs first by this factor")
    parser.add_argument("--repeats", type=int, default=3, help="of each the fastest counts")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    read = read_members(options.photos, options.pictures)
    members = {name: enlarge(content, options.enlarge) for name, content in read.items()}
    count, part = len(members), len(members) // 4
    cores = os.cpu_count() or 1
    np.empty(31 * 2**20, np.uint8)  # as keep_freed_memory of dataset_builder/engines.py
    spent: dict[str, list[float]] = {"bare loop": [], "builder": [], "naive script": []}
    clocks: dict[str, list[float]] = {"builder, all cores": [], "naive script": []}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "photos.zip"
        write_archive(archive, members)
        for _ in range(options.repeats):
            spent["bare loop"].append(bare_loop(members, options.size) / count)
            whole, quarter = (run_builder(archive, options.size, 1, limit)[0] for limit in (count, part))
            spent["builder"].append((whole - quarter) / (count - part))
            clocks["builder, all cores"].append(run_builder(archive, options.size, cores, count)[1] / count)
            with tempfile.TemporaryDirectory() as scratch:
                naive, clock = naive_script(members, options.size, Path(scratch))
            spent["naive script"].append(naive / count)
            clocks["naive script"].append(clock / count)
    best = {name: min(values) for name, values in spent.items()}
    fastest = {name: min(values) for name, values in clocks.items()}
    result = {
        "pictures": count,
        "mean_megapixels": round(sum(math.prod(read_picture(one).size) for one in members.values()) / count / 1e6, 3),
        "size_px": options.size,
        "cores": cores,
        "processor_ms_a_picture": {name: round(1000 * seconds, 2) for name, seconds in best.items()},
        "pictures_a_second": {name: round(1 / seconds, 1) for name, seconds in fastest.items()},
        "throughput_per_core_as_share_of_bare_loop": round(best["bare loop"] / best["builder"], 3),
        "throughput_per_core_over_naive_script": round(best["naive script"] / best["builder"], 2),
        "throughput_over_naive_script": round(fastest["naive script"] / fastest["builder, all cores"], 2),
    }
    print(json.dumps(result, indent=2))
    if options.json is not None:
        write_json(result, options.json)


if __name__ == "__main__":
    main()

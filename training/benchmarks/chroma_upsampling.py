"""How much is lost when a*b* is known only at a model's small size: ways of upsampling it, measured on photographs.

    python training/benchmarks/chroma_upsampling.py PHOTOS.zip [--pictures 100] [--sides 64 56 32] [--json FILE]

The true a*b* of each photograph is averaged down to a short side of 64, 56 or 32 pixels (a model with a working size of
224 px and an output stride of 4 gives 56), upsampled again under the photograph's own L*, merged and compared with the
photograph: PSNR (RGB) and mean CIEDE2000, averaged over the pictures. The radius and epsilon that `autochrome.image`
uses by default were chosen here: the best at 56 and 32 px, and next to it at 64.

Rows: "bilinear" and "bicubic" do not look at L*; "guided filter" is the fast guided filter as published (He and Sun
2015, arXiv:1505.00996) and "joint bilateral" joint bilateral upsampling (Kopf et al. 2007), each at its best setting of
a few tried; "autochrome r e" is `upsample_ab` with that radius and epsilon.
"""

import argparse
import random
import statistics
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from skimage.color import deltaE_ciede2000
from torch import Tensor

from autochrome import color
from autochrome.files import write_json
from autochrome.image import PICTURE_SUFFIXES, picture_to_tensor, read_picture, upsample_ab
from autochrome.image.merging import GUIDE_EPSILON, GUIDE_RADIUS

Upsampling = Callable[[Tensor, Tensor], Tensor]


def bicubic(ab: Tensor, lightness: Tensor) -> Tensor:
    return F.interpolate(ab, size=lightness.shape[-2:], mode="bicubic", antialias=True)


def guided_filter(ab: Tensor, lightness: Tensor, radius: int = 1, epsilon: float = 16.0) -> Tensor:
    """The fast guided filter as published: the means of slope and offset, upsampled bilinearly."""

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)

    guide = F.interpolate(lightness, size=ab.shape[-2:], mode="area")
    variance = (mean(guide * guide) - mean(guide) ** 2).clamp_min(0)
    slope = (mean(guide * ab) - mean(guide) * mean(ab)) / (variance + epsilon)
    offset = mean(ab) - slope * mean(guide)
    size = lightness.shape[-2:]
    return F.interpolate(mean(slope), size, mode="bilinear") * lightness + F.interpolate(
        mean(offset), size, mode="bilinear"
    )


def joint_bilateral(ab: Tensor, lightness: Tensor, space: float = 0.6, tone: float = 8.0, radius: int = 2) -> Tensor:
    """Joint bilateral upsampling: weights fall with distance (in pixels of ab) and with the difference of L*."""
    guide = F.interpolate(lightness, size=ab.shape[-2:], mode="area")
    (height, width), (rows, columns) = lightness.shape[-2:], ab.shape[-2:]
    y = (torch.arange(height) + 0.5) * rows / height - 0.5
    x = (torch.arange(width) + 0.5) * columns / width - 0.5
    total = torch.zeros(1, 2, height, width)
    weights = torch.zeros_like(lightness)
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            row, column = y.round() + down, x.round() + right
            at_row, at_column = row.long().clamp(0, rows - 1), column.long().clamp(0, columns - 1)
            distance = (y - row)[:, None] ** 2 + (x - column) ** 2
            difference = lightness - guide[..., at_row, :][..., at_column]
            near = torch.exp(-distance / (2 * space**2))
            weight = near * (torch.exp(-(difference**2) / (2 * tone**2)) + 1e-6)
            total += weight * ab[..., at_row, :][..., at_column]
            weights += weight
    return total / weights


def autochrome(radius: int, epsilon: float) -> Upsampling:
    return lambda ab, lightness: upsample_ab(ab, lightness, radius=radius, epsilon=epsilon)


def all_methods() -> dict[str, Upsampling]:
    methods: dict[str, Upsampling] = {
        "bilinear": lambda ab, lightness: upsample_ab(ab, lightness, guided=False),
        "bicubic": bicubic,
        "guided filter": guided_filter,
        "joint bilateral": joint_bilateral,
    }
    for radius in (1, 2, 4):
        for epsilon in (25.0, 100.0, 200.0, 400.0, 1600.0):
            methods[f"autochrome r={radius} e={epsilon:g}"] = autochrome(radius, epsilon)
    return methods


def read_photos(archive: Path, count: int) -> list[Tensor]:
    """The same random sample every time, as sRGB `(1, 3, H, W)`."""
    with zipfile.ZipFile(archive) as photos:
        names = sorted(name for name in photos.namelist() if Path(name).suffix.lower() in PICTURE_SUFFIXES)
        random.Random(0).shuffle(names)
        return [picture_to_tensor(read_picture(photos.read(name))) for name in names[:count]]


def measure(rgb: Tensor, upsampling: Upsampling, side: int) -> tuple[float, float]:
    """PSNR and mean CIEDE2000 of a photograph whose ab went through a short side of `side` pixels."""
    lab = color.rgb_to_lab(rgb)
    lightness, ab = color.split_lab(lab)
    height, width = lightness.shape[-2:]
    scale = side / min(height, width)
    small = F.interpolate(ab, size=(round(height * scale), round(width * scale)), mode="area")
    merged = color.lab_to_gamut(color.merge_lab(lightness, upsampling(small, lightness)))
    psnr = -10 * torch.log10((merged - rgb).square().mean()).item()
    points = [lab_picture[0].movedim(0, -1).numpy() for lab_picture in (lab, color.rgb_to_lab(merged))]
    return psnr, float(deltaE_ciede2000(*points).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure ways of upsampling a*b*.")
    parser.add_argument("photos", type=Path, help="a .zip of colour photographs")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 56, 32])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    photos = read_photos(arguments.photos, arguments.pictures)
    rows: list[dict[str, Any]] = []
    for side in arguments.sides:
        print(f"short side of ab {side} px, {len(photos)} photographs      PSNR  CIEDE2000")
        for name, upsampling in all_methods().items():
            scores = [measure(rgb, upsampling, side) for rgb in photos]
            psnr, ciede2000 = (statistics.fmean(column) for column in zip(*scores, strict=True))
            rows.append({"side_px": side, "method": name, "psnr": round(psnr, 3), "ciede2000": round(ciede2000, 4)})
            print(f"  {name:44} {psnr:7.2f}  {ciede2000:9.3f}", flush=True)
    if arguments.json:
        default = {"radius": GUIDE_RADIUS, "epsilon": GUIDE_EPSILON}
        report = {"photos": arguments.photos.name, "num_pictures": len(photos), "default": default, "results": rows}
        write_json(report, arguments.json)


if __name__ == "__main__":
    main()

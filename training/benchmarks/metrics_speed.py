"""How fast the measures are, as ratios against scikit-image in the same run, and whether they are the same numbers.

    python -m training.benchmarks.metrics_speed [--threads 2] [--repeats 15] [--json FILE]

Three questions, answered with photographs that come inside scikit-image:

- CIEDE2000 at every pixel of two 512 x 512 sRGB pictures: our `ciede2000_map` beside scikit-image's `rgb2lab` (twice)
  and `deltaE_ciede2000`, from 8-bit pictures on both sides. The largest difference is that from `deltaE_ciede2000` of
  the same CIELAB in float64; with scikit-image's own `rgb2lab` it is larger, because that rounds the matrix to six
  digits and white to five (its white has b* = 0.005). Where two hues are opposite CIEDE2000 itself jumps, and
  which side a pixel falls on is up to the last digit: pixels within 0.001 degrees of that are counted apart.
- All measures of the live panel of a 1000 x 1000 picture and its reference, together and each alone.
- All default measures of `evaluate`, likewise.

Times are the smallest of several, in milliseconds of wall time; measure on a machine that does nothing else.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads sleep, as in the demo

import numpy as np
import numpy.typing as npt
import skimage.data
import torch
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from autochrome.color import rgb_to_lab
from autochrome.files import write_json
from autochrome.image import picture_to_tensor
from autochrome.metrics import METRICS, ciede2000_map, score

LIVE_PANEL = (
    "psnr",
    "ssim",
    "ciede2000",
    "colorfulness",
    "colorfulness_abs",
    "delta_colorfulness",
    "lightness_error",
)
LIVE_SIDE_PX = 1000

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float64]


def best_ms(repeats: int, **functions: Callable[[], object]) -> dict[str, float]:
    """The smallest time of each; they take turns, so that a disturbance hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats + 1):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            times[name].append(1000 * (time.perf_counter() - begin))
    return {name: round(min(values[1:]), 2) for name, values in times.items()}


def pictures(side_px: int) -> tuple[Image.Image, Image.Image]:
    """A photograph, and the same with other colors: hues turned and half as vivid, as a colorizer's mistakes."""
    reference = Image.fromarray(skimage.data.astronaut()).resize((side_px, side_px), Image.Resampling.BICUBIC)
    hue, saturation, value = reference.convert("HSV").split()
    hue = hue.point(lambda level: (level + 20) % 256)
    saturation = saturation.point(lambda level: level // 2)
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB"), reference


def map_by_skimage(prediction: Pixels, reference: Pixels) -> Map:
    found: Map = deltaE_ciede2000(rgb2lab(prediction), rgb2lab(reference))
    return found


def nearly_opposite(prediction: Pixels, reference: Pixels) -> npt.NDArray[np.bool_]:
    """Pixels whose two hues are opposite to within 0.001 degrees."""
    hues = [np.arctan2(lab[..., 2], lab[..., 1]) for lab in (rgb2lab(prediction), rgb2lab(reference))]
    found: npt.NDArray[np.bool_] = np.abs(np.abs(hues[0] - hues[1]) - np.pi) < np.radians(0.001)
    return found


def measure_ciede2000(repeats: int) -> dict[str, Any]:
    images = pictures(512)
    arrays = [np.asarray(image) for image in images]
    times = best_ms(
        repeats,
        autochrome=lambda: ciede2000_map(*(picture_to_tensor(image) for image in images)),
        skimage=lambda: map_by_skimage(arrays[0], arrays[1]),
    )
    ours = ciede2000_map(*(picture_to_tensor(image) for image in images))[0, 0].double().numpy()
    exact = [rgb_to_lab(picture_to_tensor(image).double())[0].movedim(0, -1).numpy() for image in images]
    differences = np.abs(ours - deltaE_ciede2000(*exact))
    with_its_lab = np.abs(ours - map_by_skimage(arrays[0], arrays[1]))
    opposite = nearly_opposite(arrays[0], arrays[1])
    return {
        "ms": times,
        "times_faster": round(times["skimage"] / times["autochrome"], 2),
        "mean_ciede2000": round(float(ours.mean()), 4),
        "largest_difference": round(float(differences[~opposite].max()), 7),
        "largest_difference_with_rgb2lab_of_skimage": round(float(with_its_lab[~opposite].max()), 7),
        "num_opposite_hues": int(opposite.sum()),
    }


def live_panel_by_skimage(prediction: Pixels, reference: Pixels) -> list[float]:
    """PSNR, SSIM, CIEDE2000 and the error of L*, as far as scikit-image has the measures; CIELAB only once."""
    labs = [rgb2lab(picture) for picture in (prediction, reference)]
    return [
        float(peak_signal_noise_ratio(reference, prediction)),
        float(
            structural_similarity(
                reference,
                prediction,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        ),
        float(deltaE_ciede2000(*labs).mean()),
        float(np.abs(labs[0][..., 0] - labs[1][..., 0]).mean()),
    ]


def measure_all(repeats: int) -> dict[str, Any]:
    images = pictures(LIVE_SIDE_PX)
    prediction, reference = (picture_to_tensor(image) for image in images)
    arrays = [np.asarray(image) for image in images]
    together = best_ms(
        repeats,
        live_panel=lambda: score(prediction, reference, LIVE_PANEL),
        all_default=lambda: score(prediction, reference),
    )
    skimage_ms = best_ms(max(1, repeats // 5), four=lambda: live_panel_by_skimage(arrays[0], arrays[1]))["four"]
    alone = best_ms(max(1, repeats // 3), **{name: partial(score, prediction, reference, [name]) for name in METRICS})
    return {
        "live_panel_ms": together["live_panel"],
        "all_default_metrics_ms": together["all_default"],
        "skimage_four_of_the_live_panel_ms": skimage_ms,
        "live_panel_times_faster_than_these_four": round(skimage_ms / together["live_panel"], 2),
        "each_alone_ms": alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast the measures are.")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": options.threads,
            "load_at_start": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "skimage": version("scikit-image"),
        },
        "ciede2000_512x512": measure_ciede2000(options.repeats),
        f"live_panel_{LIVE_SIDE_PX}x{LIVE_SIDE_PX}": measure_all(options.repeats),
    }
    for name, values in results.items():
        print(f"{name}: {values}")
    if options.json:
        write_json(results, options.json)


if __name__ == "__main__":
    main()

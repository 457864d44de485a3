"""The picture of the README: `python -m training.benchmarks.before_after [MODEL] [--output docs/before_after.jpg]`.

A row of scikit-image's photographs (public domain or CC0) made grey, and the same colored by a model at its defaults.
"""

import argparse
from pathlib import Path

import skimage.data
from PIL import Image

from autochrome.catalog import load_pipeline
from autochrome.color import lightness_to_grey
from autochrome.files import replacing
from autochrome.image import picture_to_lightness, tensor_to_picture
from autochrome.pipelines import Pipeline

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
HEIGHT_PX = 420
GAP_PX = 8


def make_sheet(pipeline: Pipeline) -> Image.Image:
    """Grey above colored, one column a photograph."""
    columns = []
    for name in PHOTOS:
        photo = Image.fromarray(getattr(skimage.data, name)())
        photo = photo.resize((round(photo.width * HEIGHT_PX / photo.height), HEIGHT_PX), Image.Resampling.LANCZOS)
        grey = tensor_to_picture(lightness_to_grey(picture_to_lightness(photo)).expand(-1, 3, -1, -1))
        columns.append((grey, pipeline(grey).images[0]))
    width = sum(grey.width + GAP_PX for grey, _ in columns) - GAP_PX
    sheet = Image.new("RGB", (width, 2 * HEIGHT_PX + GAP_PX), "white")
    left = 0
    for grey, colored in columns:
        sheet.paste(grey, (left, 0))
        sheet.paste(colored, (left, HEIGHT_PX + GAP_PX))
        left += grey.width + GAP_PX
    return sheet


def main() -> None:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.before_after", description=__doc__)
    parser.add_argument("model", nargs="?", default="natural", help="catalog id or folder of weights")
    parser.add_argument("--output", type=Path, default=Path("docs/before_after.jpg"))
    options = parser.parse_args()
    sheet = make_sheet(load_pipeline(options.model))
    with replacing(options.output) as partial:
        sheet.save(partial, "JPEG", quality=88)


if __name__ == "__main__":
    main()

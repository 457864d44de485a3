"""The examples that the page offers: pictures that come with scikit-image, made grey when the page is built."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import skimage.data
import yaml

from autochrome.color import lightness_to_grey
from autochrome.errors import CatalogError
from autochrome.image import picture_to_lightness, tensor_to_picture, write_png
from autochrome.ui.colorize.presets import PRESETS_PATH


@dataclass(frozen=True)
class Example:
    """A grey picture to color, and its own colors as the reference for the measures."""

    title: str
    grey: Path
    reference: Path


def draw_examples(path: Path = PRESETS_PATH) -> list[Example]:
    """Draw the examples that `presets.yaml` lists, into a folder that goes when the program ends.

    It lies outside Gradio's folder: Gradio copies what is used, and deletes its copies after a while.

    Raises:
        CatalogError: the file cannot be read, or names a picture that scikit-image does not have.
    """
    try:
        listed = [(entry["picture"], entry["title"]) for entry in yaml.safe_load(path.read_text())["examples"]]
        pictures = [(name, title, PIL.Image.fromarray(getattr(skimage.data, name)())) for name, title in listed]
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise CatalogError(
            f"{path} must list `examples`, each with a `picture` of skimage.data and a `title`; got {error!r}"
        ) from error
    folder = Path(tempfile.mkdtemp(prefix="autochrome-examples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return [_draw(folder, name, title, picture) for name, title, picture in pictures]


def _draw(folder: Path, name: str, title: str, picture: PIL.Image.Image) -> Example:
    grey = tensor_to_picture(lightness_to_grey(picture_to_lightness(picture)).expand(-1, 3, -1, -1))
    example = Example(title, folder / f"{name}.png", folder / f"{name}-in-color.png")
    write_png(grey, example.grey)
    write_png(picture, example.reference)
    return example

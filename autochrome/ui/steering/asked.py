"""What the browser asks for, read strictly: anybody can send anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import PIL.Image

from autochrome.catalog import Row
from autochrome.errors import PictureError, SettingError
from autochrome.image import read_picture
from autochrome.pipelines.exemplar import Exemplar, parse_exemplar
from autochrome.ui.addresses import is_address
from autochrome.ui.files import read_upload, uploaded_path
from autochrome.ui.steering.kept import Kept

DIRECTIONS = ("hints", "palette", "exemplar")
"""The settings that are drawn or picked here, by their names at every door."""

MAX_PREVIEW_PIXELS = 400_000
"""Of the copy that a preview is made of: what a stage of 760 pixels' height shows of most photographs."""

MAX_SOURCES = 32
MAX_EXEMPLARS = 16


class Uploads:
    """The pictures that the browser speaks of, by the paths of their uploads."""

    def __init__(self) -> None:
        self._sources = Kept(_read_small, MAX_SOURCES)
        self._exemplars = Kept(lambda path: parse_exemplar(read_upload(path)), MAX_EXEMPLARS)

    def source(self, value: object) -> PIL.Image.Image:
        """A photograph as read, reduced to `MAX_PREVIEW_PIXELS`; the same object as long as it is kept.

        Raises:
            PictureError: it is no upload, gone, or no picture.
        """
        return self._sources.get(path_of(value, "the photograph"))

    def exemplar(self, value: object) -> Exemplar:
        """The exemplar in an upload.

        Raises:
            PictureError: it is no upload, gone, or no picture.
            SettingError: it is grey.
        """
        return self._exemplars.get(path_of(value, "the exemplar"))

    def directions(self, value: object, row: Row) -> dict[str, Any]:
        """The directions that a model takes of those that a page holds, an exemplar read.

        What this model does not take is not on the page: a value left from another model is no request.

        Args:
            value: `{"hints": [...], "palette": [...], "exemplar": path}`, each optional; None for none.
            row: of the model.

        Raises:
            SettingError, PictureError: there is something else, or the exemplar cannot be used.
        """
        if value is None:
            return {}
        found = {name: entry_of(value, name) for name in DIRECTIONS if name in row.settings}
        if found.get("exemplar"):
            found["exemplar"] = self.exemplar(found["exemplar"])
        return {name: entry for name, entry in found.items() if entry}


def path_of(value: object, name: str) -> Path:
    """The upload at a path that the browser sent back.

    Raises:
        PictureError: it is none; addresses of the internet are not fetched here, at every touch.
    """
    if not isinstance(value, str) or is_address(value):
        raise PictureError(f"{name} must be the path of an upload to this page, got {str(value)[:80]!r}")
    return uploaded_path({"path": value}, name)


def entry_of(value: object, name: str) -> Any:
    """An entry of what the browser sent; None where there is none.

    Raises:
        SettingError: it sent no mapping.
    """
    if not isinstance(value, Mapping):
        raise SettingError(f"a mapping with {name} was expected from the page, got {str(value)[:80]!r}; reload it")
    return value.get(name)


def _read_small(path: Path) -> PIL.Image.Image:
    picture = read_picture(read_upload(path))
    scale = (MAX_PREVIEW_PIXELS / (picture.width * picture.height)) ** 0.5
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, PIL.Image.Resampling.BOX)

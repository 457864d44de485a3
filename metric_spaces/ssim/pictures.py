"""How pictures get into a metric of Hugging Face `evaluate`: checked when given, kept as files, read one at a time.

Each metric Space is a repository of its own, so each carries this file; the copies are equal, and a test keeps them so.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image
from torch import Tensor

from autochrome.errors import InputError
from autochrome.image import picture_to_tensor, read_picture

PICTURE = datasets.Image(decode=False)
"""The feature of a column of pictures. Not decoded by `datasets`, which would decode a whole column at once, without
color profiles and 16 bits."""

INPUTS = """
    Pictures may be paths, the bytes of files, PIL images or uint8 arrays (H, W, 3) or (H, W). EXIF orientation and
    color profiles are applied, transparency is dropped, grey and 16-bit pictures become 8-bit RGB.
    per_picture (bool): also return the value of each picture, as NAME_per_picture. Default: False."""


class PictureInputs:
    """Mixed into a metric: whatever picture is added, the picture itself is scored.

    `datasets` would encode a PIL image that came out of a JPEG as a JPEG once more, and would read one that came from a
    path from there again, whatever has been done to it since.
    """

    features: Mapping[str, Any]

    def add_batch(self, *, predictions: Any = None, references: Any = None, **others: Any) -> None:
        """Add pictures to what `compute` will score."""
        columns = {
            name: column if column is None else [_to_file(picture) for picture in column]
            for name, column in (("predictions", predictions), ("references", references))
        }
        missing = [name for name in self.features if columns.get(name) is None]
        if missing:
            raise InputError(f"{missing[0]} are missing; this metric takes {' and '.join(self.features)}")
        super().add_batch(**columns, **others)  # type: ignore[misc]  # evaluate.Metric's, which stands behind

    def add(self, *, prediction: Any = None, reference: Any = None, **others: Any) -> None:
        """Add one picture (and its reference) to what `compute` will score."""
        pictures = {
            name: picture if picture is None else _to_file(picture)
            for name, picture in (("prediction", prediction), ("reference", reference))
        }
        super().add(**pictures, **others)  # type: ignore[misc]


def measure(
    metrics: Mapping[str, Callable[..., Tensor]], *columns: Iterable[Mapping[str, Any]], per_picture: bool
) -> dict[str, float | list[float]]:
    """The mean of each metric over the pictures, and, where asked for, the values themselves.

    Args:
        metrics: name to a function of one sRGB batch `(1, 3, H, W)` in 0..1 a column.
        columns: predictions (and references), each picture `{"bytes", "path"}`.
        per_picture: add each picture's values, as `NAME_per_picture`.

    Raises:
        InputError: there are no pictures, one cannot be read, or a pair differs in size; the text counts from 0.
    """
    values: dict[str, list[float]] = {name: [] for name in metrics}
    number = -1
    for number, files in enumerate(zip(*columns, strict=True)):
        try:
            pictures = [picture_to_tensor(read_picture(file["bytes"] or Path(file["path"]))) for file in files]
            for name, metric in metrics.items():
                values[name].append(metric(*pictures).item())
        except InputError as error:
            raise InputError(f"picture {number}: {error}") from error
    if number < 0:
        raise InputError("there are no pictures to score; add at least one")
    result: dict[str, float | list[float]] = {name: float(np.mean(numbers)) for name, numbers in values.items()}
    if per_picture:
        result |= {f"{name}_per_picture": numbers for name, numbers in values.items()}
    return result


def _to_file(picture: object) -> dict[str, Any]:
    """What the feature stores: a path, or the bytes of a file."""
    if isinstance(picture, str | Path):
        return {"path": str(Path(picture).absolute()), "bytes": None}
    if isinstance(picture, bytes | bytearray):
        return {"path": None, "bytes": bytes(picture)}
    if isinstance(picture, dict) and set(picture) == {"bytes", "path"} and any(picture.values()):
        return picture
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] in ((), (3,)):
        picture = PIL.Image.fromarray(picture)
    if isinstance(picture, PIL.Image.Image):
        buffer = io.BytesIO()
        read_picture(picture).save(buffer, "PNG", compress_level=1)
        return {"path": None, "bytes": buffer.getvalue()}
    what = type(picture).__name__
    if isinstance(picture, np.ndarray):
        what = f"array of {picture.dtype} with shape {picture.shape}"
    raise InputError(
        f"a picture was expected, got {what}; give a path, the bytes of a file, a PIL image "
        "or a uint8 array (H, W, 3) or (H, W)"
    )

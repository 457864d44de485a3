"""Two pictures made ready to be shown side by side, so that nothing but their content tells them apart."""

import io
from collections import OrderedDict
from threading import Lock

from PIL import Image

from autochrome.errors import AutochromeError, PictureError
from autochrome.image import read_picture
from autochrome.inputs import Item
from autochrome.judge.contest import Contest
from autochrome.judge.plan import Trial

MAX_SIDE_PX = 1280
"""Larger pictures are shown smaller; nobody sees more on half a screen."""

_MAX_SHAPE_DIFFERENCE = 0.02  # of width / height: what rounding to whole pixels, or to a multiple of 8, may do
_KEPT = 6  # questions; the one before (undo), the present one and the next are asked for again and again


class Showing:
    """A question's two pictures as PNG: one size in pixels, one length in bytes, no metadata."""

    def __init__(self, left: bytes, right: bytes, size: tuple[int, int]) -> None:
        # Bytes after the end of a PNG mean nothing, and the length of a file would say which one has less color.
        length = max(len(left), len(right))
        self.left = left.ljust(length, b"\0")
        self.right = right.ljust(length, b"\0")
        self.width, self.height = size


class Renderer:
    """Reads, fits and encodes the pictures of a question; remembers the last few. Threads may share it."""

    def __init__(self, contest: Contest) -> None:
        self._items = contest.items
        self._reference = contest.study.reference
        self._kept: OrderedDict[Trial, Showing] = OrderedDict()
        self._lock = Lock()  # both sides of a question are asked for at once, and must not be made twice

    def show(self, trial: Trial) -> Showing:
        """The two pictures of a question.

        Raises:
            PictureError: one cannot be read, their shapes differ, they are equal, or the real one has no color.
        """
        with self._lock:
            if trial not in self._kept:
                self._kept[trial] = self._render(trial)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(trial)
            return self._kept[trial]

    def _render(self, trial: Trial) -> Showing:
        left, right = (_read(self._items[label][trial.picture]) for label in (trial.left, trial.right))
        for label, picture in ((trial.left, left), (trial.right, right)):
            if label == self._reference and _is_grey(picture):
                raise PictureError("the real photograph has no color, so it could not be mistaken for a colored one")
        size = _common_size(left.size, right.size)
        left, right = (picture.resize(size, Image.Resampling.LANCZOS) for picture in (left, right))
        if left.tobytes() == right.tobytes():
            raise PictureError("the two pictures are the same, pixel for pixel")
        return Showing(_encode(left), _encode(right), size)


def _read(item: Item) -> Image.Image:
    try:
        return read_picture(item.read()).convert("RGB")
    except (AutochromeError, OSError) as error:
        raise PictureError(f"{item.name} cannot be read: {error}") from error


def _is_grey(picture: Image.Image) -> bool:
    red, green, blue = (channel.tobytes() for channel in picture.split())
    return red == green == blue


def _common_size(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The size at which both are shown: the smaller one's, at most `MAX_SIDE_PX` a side."""
    if abs(left[0] * right[1] / (left[1] * right[0]) - 1) > _MAX_SHAPE_DIFFERENCE:
        shapes = " and ".join(f"{width} x {height}" for width, height in (left, right))
        raise PictureError(f"the two have different shapes ({shapes} pixels), which would tell them apart")
    width, height = min(left, right, key=lambda size: size[0] * size[1])
    scale = min(1.0, MAX_SIDE_PX / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _encode(picture: Image.Image) -> bytes:
    plain = Image.frombytes("RGB", picture.size, picture.tobytes())  # nothing but pixels goes into the file
    buffer = io.BytesIO()
    plain.save(buffer, format="PNG", compress_level=1)  # it travels no further than this machine
    return buffer.getvalue()

"""Large pictures in strips of rows: temporaries stay in the processor's cache and memory stays flat."""

from collections.abc import Iterator

from torch import Tensor

_STRIP_PIXELS = 1 << 17


def strips(*pictures: Tensor, overlap: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of one or more `(B, C, H, W)` tensors of one size, some at a time, as views.

    Each strip begins `overlap` rows before the last one ended, as a window of `overlap + 1` rows needs.
    """
    batch, _, height, width = pictures[0].shape
    rows = max(1, _STRIP_PIXELS // (batch * width))
    for top in range(0, height - overlap, rows):
        yield tuple(picture[..., top : top + rows + overlap, :] for picture in pictures)

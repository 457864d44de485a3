"""Exact and near duplicates, found by a perceptual hash however many pictures there are."""

from array import array
from itertools import pairwise
from typing import NamedTuple

import imagehash
import numpy as np
from PIL import Image

_BITS = 64
_SIDE_PX = 32
_MIN_PIECES = 4


class Match(NamedTuple):
    """An earlier picture that a new one duplicates."""

    name: str
    """The name under which it was added."""
    distance: int
    """Bits in which the two perceptual hashes differ."""
    exact: bool
    """Whether the two have the same SHA-256."""


def perceptual_hash(grey: Image.Image) -> int:
    """64-bit perceptual hash of a grey picture (mode L): `imagehash.phash` of a 32 x 32 copy, the size it works at.

    It looks at the coarse pattern of light only: it hardly changes with size, compression or small changes of tone. Of
    conditioning images it tells nothing of color: two pictures that differ in nothing else count as duplicates.
    Mirrored ones do not.
    """
    # A smooth filter: averaging over boxes moved 2 to 4 bits when a photograph was shrunk, this moves 0.2.
    small = grey.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC, reducing_gap=3.0)
    bits = imagehash.phash(small).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


class Duplicates:
    """The pictures kept so far, to ask whether a new one is among them.

    The hash is cut into more pieces than bits may differ: two near hashes then share a whole piece (pigeonhole), and
    only pictures that share one are compared. About 150 bytes a picture.
    """

    def __init__(self, max_distance: int | None) -> None:
        """Near duplicates differ in at most `max_distance` bits; None: look for exact duplicates only."""
        self._max_distance = -1 if max_distance is None else max_distance
        num_pieces = max(_MIN_PIECES, self._max_distance + 1)
        edges = [_BITS * piece // num_pieces for piece in range(num_pieces + 1)]
        self._pieces = [(low, 2 ** (high - low) - 1) for low, high in pairwise(edges)]
        self._buckets: list[dict[int, array[int]]] = [{} for _ in self._pieces]
        self._hashes = array("Q")
        self._digests = bytearray()
        self._names: list[bytes] = []

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, perceptual_hash: int, sha256: str) -> Match | None:
        """Keep a picture, unless it duplicates one that was kept: then that one is returned and nothing changes.

        Of several, an exact duplicate comes first, then the nearest, then the earliest. `sha256` (hexadecimal) is of
        whatever counts as the same; pictures with the same one must have the same perceptual hash.
        """
        digest = bytes.fromhex(sha256)
        best: tuple[bool, int, int] | None = None
        for bucket, piece in zip(self._buckets, self._cut(perceptual_hash), strict=True):
            for index in bucket.get(piece, ()):
                distance = (self._hashes[index] ^ perceptual_hash).bit_count()
                different = distance > 0 or self._digests[32 * index : 32 * index + 32] != digest
                if (distance <= self._max_distance or not different) and (
                    best is None or (different, distance, index) < best
                ):
                    best = different, distance, index
        if best is not None:
            different, distance, index = best
            return Match(self._names[index].decode(), distance, not different)
        for bucket, piece in zip(self._buckets, self._cut(perceptual_hash), strict=True):
            bucket.setdefault(piece, array("I")).append(len(self._names))
        self._hashes.append(perceptual_hash)
        self._digests += digest
        self._names.append(name.encode())
        return None

    def _cut(self, perceptual_hash: int) -> list[int]:
        return [perceptual_hash >> low & mask for low, mask in self._pieces]

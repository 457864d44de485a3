"""Picture files for the tests: a small picture, its encodings, and colour profiles made by hand."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

QUADRANTS = np.zeros((8, 12, 3), np.uint8)
QUADRANTS[:4, :6], QUADRANTS[:4, 6:], QUADRANTS[4:, :6], QUADRANTS[4:, 6:] = (
    (250, 10, 20),
    (20, 240, 30),
    (10, 30, 230),
    (128, 128, 128),
)
PICTURE = Image.fromarray(QUADRANTS)
EXACT: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def pixels(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(picture)


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC version 2 input profile (ICC.1:2001-04)."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + d50, **tags}
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"", 0x02100000, b"scnr", space, connection)
    header += bytes(12) + b"acsp" + bytes(24) + bytes(4) + d50 + bytes(48)
    return header + table + body


LINEAR_CURVE = b"curv" + struct.pack(">II", 0, 0)
LINEAR_GREY = icc_profile(b"GRAY", b"XYZ ", {b"kTRC": LINEAR_CURVE})
# sRGB's primaries (adapted to D50), but linear light: level 128 is twice as bright as it looks without the profile.
LINEAR_RGB = icc_profile(
    b"RGB ",
    b"XYZ ",
    {
        **{f"{c}TRC".encode(): LINEAR_CURVE for c in "rgb"},
        b"rXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 28578, 14581, 912),
        b"gXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 25241, 46981, 6362),
        b"bXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 9376, 3974, 46795),
    },
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk_profile() -> bytes:
    """Paper is white, every ink prints the same mid grey, two or more print black: nothing like Pillow's own inks."""
    lightness = [255 if inks == 0 else 128 if inks in (1, 2, 4, 8) else 0 for inks in range(16)]
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += bytes(range(256)) * 4 + b"".join(bytes((level, 128, 128)) for level in lightness) + bytes(range(256)) * 3
    return icc_profile(b"CMYK", b"Lab ", {b"A2B0": lut})

"""What travels through a build: an `Item` on its way to a worker, a `Row` on its way to a shard."""

from dataclasses import asdict, dataclass, field
from typing import Any

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a source, before anything of it was read: cheap to send to another process.

    Attributes:
        source: name of the source in the config; the column `source`.
        key: unique and stable within the source, e.g. the path inside an archive.
        captions: given by people, in the source's order; may be empty.
        label: name of its class, or None.
        license: of this picture, as the source states it.
        attribution: whom to name; may be empty.
        split: the split that the source demands for it, or None: then a hash decides.
        problem: why it cannot be read, where the source already knows (a name without a file, an unsafe member of
            an archive); it is not read then, but named among the rejected.
    """

    source: str
    key: str
    captions: tuple[str, ...] = ()
    label: str | None = None
    license: str = "unknown"
    attribution: str = ""
    split: str | None = None
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Item":
        """The inverse of `to_dict`, also after a trip through JSON."""
        return cls(**{**values, "captions": tuple(values["captions"])})


@dataclass(slots=True)
class Row:
    """What a worker made of one item: a pair of pictures, or the reason why there is none.

    Attributes:
        item: where it comes from.
        reason: one word for machines (`unreadable`, `near_grey`, ...) where it was rejected, else None.
        detail: a sentence for people that goes with it.
        image: the colour picture as a file (JPEG, WebP or PNG).
        conditioning_image: the grey picture as a file, mode L.
        text: caption without colour words.
        text_color: caption with colour words.
        width: of both pictures, in pixels.
        height: of both pictures, in pixels.
        sha256: of the bytes of `image`, in hexadecimal; equal for pictures whose pixels are equal.
        perceptual_hash: 64 bits, for near duplicates.
        measures: what the filters look at, e.g. mean chroma.
    """

    item: Item
    reason: str | None = None
    detail: str = ""
    image: bytes = b""
    conditioning_image: bytes = b""
    text: str = ""
    text_color: str = ""
    width: int = 0
    height: int = 0
    sha256: str = ""
    perceptual_hash: int = 0
    measures: dict[str, float] = field(default_factory=dict)

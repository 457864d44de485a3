"""The exemplar: a color picture to take colors from."""

import hashlib
from dataclasses import dataclass, field

import PIL.Image
import torch

from autochrome.color import lab_to_chroma, rgb_to_lab, split_lab
from autochrome.errors import PictureError, SettingError
from autochrome.image import picture_to_tensor
from autochrome.pipelines.pictures import open_picture

MAX_SIDE_PX = 1024
"""A larger exemplar is kept at this length of its longer side: colors need no more."""

MIN_HIGH_CHROMA = 6.0
"""Where 99 of 100 pixels have less chroma (Lab units) than this, an exemplar is grey.

Of 200 photographs in color the least colorful has 12; a grey one saved as JPEG has less than 0.01. Not the mean: a red
boat in a grey harbour is worth taking over."""

MIN_SPREAD = 1.0
"""Mean distance (Lab units) of the pixels' a*b* from their mean below which a picture has one tint; the least of 200
photographs in color has 2."""

_JUDGED_PX = 256


@dataclass(frozen=True)
class Exemplar:
    """A color picture to take colors from; two of the same pixels are equal.

    Attributes:
        picture: RGB, upright, the longer side at most 1,024 px.
        digest: SHA-256 of the pixels as they were given, in hexadecimal digits.
        is_toned: it has one tint only, as a sepia print has.
    """

    picture: PIL.Image.Image = field(compare=False, repr=False)
    digest: str
    is_toned: bool = False

    def to_json(self) -> str:
        """What settings and metadata say of it: its digest."""
        return f"sha256:{self.digest}"


def parse_exemplar(value: object) -> Exemplar:
    """Read an exemplar: a picture as pipelines take it, or an `Exemplar`.

    Raises:
        SettingError: it is grey.
        PictureError: it cannot be read.
    """
    if isinstance(value, Exemplar):
        return value
    try:
        picture = open_picture(value).convert("RGB")
    except PictureError as error:
        raise PictureError(f"the exemplar cannot be used: {error}") from error
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    small = picture.copy()
    small.thumbnail((_JUDGED_PX, _JUDGED_PX))
    lab = rgb_to_lab(picture_to_tensor(small))
    high = lab_to_chroma(lab).flatten().quantile(0.99).item()
    if high < MIN_HIGH_CHROMA:
        raise SettingError(
            f"the exemplar is grey: 99 of 100 of its pixels have a chroma below {high:.1f}, and at least "
            f"{MIN_HIGH_CHROMA:g} is needed; give a picture in color"
        )
    ab = split_lab(lab)[1]
    spread = torch.linalg.vector_norm(ab - ab.mean(dim=(2, 3), keepdim=True), dim=1).mean().item()
    return Exemplar(picture, digest, spread < MIN_SPREAD)


def exemplar_notes(exemplar: Exemplar | None) -> tuple[str, ...]:
    """Sentences for the person about an exemplar that has little to give."""
    if exemplar is not None and exemplar.is_toned:
        return ("The exemplar has one tint only, as a sepia print has; the picture takes that tint.",)
    return ()

"""One photograph through all models: pictures and measures, one model after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autochrome.catalog import Row
from autochrome.errors import AutochromeError
from autochrome.image import read_picture
from autochrome.pipelines import Progress
from autochrome.ui.coloring import MAX_SHOWN_PX, Coloring, Look, make_coloring
from autochrome.ui.files import read_upload, result_path, save
from autochrome.ui.measure import Yardstick
from autochrome.ui.studio import Studio

NO_COLOR = "No color"
TRUTH = "True colors"


@dataclass(frozen=True)
class Contestant:
    """One picture of the comparison.

    Attributes:
        name: of the model, or `NO_COLOR`, or `TRUTH`.
        path: a PNG of the size that the page shows; None where there is no picture.
        seconds: of the run; None where no model ran.
        measures: those of `Yardstick.measure`; empty for the truth.
        reason: why there is no picture, as a sentence.
    """

    name: str
    path: Path | None = None
    seconds: float | None = None
    measures: Mapping[str, Any] | None = None
    reason: str | None = None


def compare(studio: Studio, photograph: Path, reference: Path | None, progress: Progress) -> Iterator[Contestant]:
    """The pictures, as they become ready: plain grey first, then each model as the catalog sets it, then the truth.

    A model that cannot run here is a contestant without a picture, and the others go on.

    Raises:
        PictureError: photograph or reference cannot be read, or they differ in size.
    """
    source = read_picture(read_upload(photograph))
    truth = read_picture(read_upload(reference)) if reference is not None else None
    yardstick = Yardstick(source, truth)
    grey_is_out = False
    rows = list(studio.catalog)
    for number, row in enumerate(rows):
        progress(number / len(rows), row.name)
        reason = studio.absent_reason(row)
        contestant = Contestant(row.name, reason=reason)
        if reason is None:
            try:
                output = studio.run(row.id, source, {}, partial(_within, progress, row.name, number, len(rows)))
                coloring = make_coloring(output, yardstick, photograph.stem)
            except AutochromeError as error:
                contestant = Contestant(row.name, reason=str(error))
            else:
                if not grey_is_out:
                    grey_is_out = True
                    yield _grey(coloring)
                contestant = _of_model(row, coloring)
        yield contestant
    if yardstick.truth_from is not None:
        picture = (truth or source).copy()
        picture.thumbnail((MAX_SHOWN_PX, MAX_SHOWN_PX))
        yield Contestant(TRUTH, save(picture, result_path(f"{photograph.stem}-true")))


def _within(progress: Progress, name: str, number: int, total: int, share: float, step: str) -> None:
    """The progress of one model's run as a part of the whole."""
    progress((number + share) / total, f"{name}: {step}")


def _grey(coloring: Coloring) -> Contestant:
    grey = coloring.picture(Look(merge_lightness=True, saturation=0.0))
    return Contestant(NO_COLOR, coloring.grey_path, None, coloring.yardstick.measure(grey))


def _of_model(row: Row, coloring: Coloring) -> Contestant:
    look = coloring.look()
    measures = coloring.yardstick.measure(coloring.picture(look))
    return Contestant(row.name, coloring.show(look), coloring.output.seconds, measures)

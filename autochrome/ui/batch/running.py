"""A batch at work: one picture after the other, each result into the .zip at once, a bad one noted and passed over."""

import csv
import io
import logging
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.errors import AutochromeError, Cancelled
from autochrome.files import replacing
from autochrome.image import read_picture, write_png
from autochrome.ui.batch.choosing import Choice, Job
from autochrome.ui.measure import Yardstick
from autochrome.ui.stopping import unless_stopped
from autochrome.ui.studio import Studio

MAX_RESULT_BYTES = 1024 * 1024 * 1024
COLUMNS = ("name", "result", "status", "reason", "width", "height", "seconds", "colorfulness", "lightness_error")
COMPARED = ("psnr", "ssim", "ciede2000")
"""Only where the upload is in color, and so its own truth."""

CANCELLED = "the batch was cancelled"
BREATH_SECONDS = 0.02
"""Between two pictures, so that somebody who waits for the model gets it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """What became of one picture: done, failed, or cancelled before its turn."""

    name: str
    status: str
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Batch:
    """A batch: what is to be done, what was done so far, and where the .zip will be."""

    choice: Choice
    path: Path
    records: list[Record] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def num_done(self) -> int:
        """Pictures in the .zip."""
        return sum(record.status == "done" for record in self.records)

    @property
    def remaining_seconds(self) -> float | None:
        """A guess from the pictures so far; None before the first."""
        past = len(self.records) - len(self.choice.refused)
        left = len(self.choice.jobs) - past
        return (time.monotonic() - self.started) / past * left if past else None

    def run(
        self,
        studio: Studio,
        model_id: str,
        settings: Mapping[str, object],
        stopped: threading.Event,
    ) -> Iterator[Job]:
        """Do the work; yields each picture before its turn. At the end, or once `stopped` is set, the .zip is there.

        The picture that is then being colored is left at its next step. Settings that the model refuses must have been
        refused before; see `Studio.check_settings`.
        """
        self.records = [Record(name, "failed", reason) for name, reason in self.choice.refused]
        num_bytes = 0
        # Stored: a PNG is compressed already.
        with replacing(self.path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for index, job in enumerate(self.choice.jobs):
                yield job
                if stopped.is_set():
                    self.records += [Record(each.name, "cancelled", CANCELLED) for each in self.choice.jobs[index:]]
                    break
                if num_bytes > MAX_RESULT_BYTES:
                    reason = f"the results before it have {num_bytes:,} bytes, which is the limit; make another batch"
                    self.records.append(Record(job.name, "failed", reason))
                    continue
                record, size = self._do(job, archive, studio, model_id, settings, stopped)
                self.records.append(record)
                num_bytes += size
                time.sleep(BREATH_SECONDS)
            archive.writestr("metrics.csv", self.csv(), zipfile.ZIP_DEFLATED)

    def _do(
        self,
        job: Job,
        archive: zipfile.ZipFile,
        studio: Studio,
        model_id: str,
        settings: Mapping[str, object],
        stopped: threading.Event,
    ) -> tuple[Record, int]:
        try:
            source = read_picture(job.item.read())
            output = studio.run(model_id, source, settings, unless_stopped(stopped))
            picture = output.images[0]
            values = {
                "result": str(job.result),
                "width": picture.width,
                "height": picture.height,
                "seconds": round(output.seconds, 3),
                **Yardstick(source).measure(picture),
            }
            with tempfile.NamedTemporaryFile(suffix=".png", dir=self.path.parent) as file:
                write_png(picture, Path(file.name), output.metadata())
                archive.write(file.name, str(job.result))
                size = Path(file.name).stat().st_size
            return Record(job.name, "done", values=values), size
        except Cancelled:
            return Record(job.name, "cancelled", CANCELLED), 0
        except gr.Error:  # nobody waits for the batch any more
            raise
        except AutochromeError as error:
            reason = str(error).replace(f"{job.item.path.parent}/", "")
            return Record(job.name, "failed", reason), 0
        except Exception:  # a bug of ours, or no memory: the others do not stop for one
            log.exception("a picture of a batch failed")
            return Record(job.name, "failed", "something went wrong on our side and was written to the log"), 0

    def csv(self) -> str:
        """Every picture with what became of it and its measures, as CSV with a line of names."""
        names = [*COLUMNS, *COMPARED]
        text = io.StringIO()
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for record in self.records:
            row = {"name": record.name, "status": record.status, "reason": record.reason, **record.values}
            writer.writerow(
                {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()}
            )
        return text.getvalue()

"""What `autochrome colorize` does with one picture, in whichever process: read, color, write, measure, say how it went.

Imported by every process of an engine (`autochrome.engines`), each of which loads a model of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any, TypeVar

from PIL.PngImagePlugin import PngImageFile

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError, DataError
from autochrome.image import picture_to_tensor, write_png
from autochrome.inputs import Item
from autochrome.metrics import colorfulness, lightness_error
from autochrome.pipelines import ColorizationOutput, Pipeline, metadata

Record = dict[str, Any]
"""How it went: `status` (done, skipped or failed), then what is known of the result, or a `reason`."""

AnyPath = TypeVar("AnyPath", bound=PurePath)


@dataclass(frozen=True)
class Order:
    """What is to be done with every picture; to be called once in each process.

    Attributes:
        model: what `load_pipeline` takes.
        runtime: what runs the network.
        settings: all settings, checked.
        output_dir: where results go, a whole path.
        measure: put measures into the records.
        options: what else `load_pipeline` is given: `device`, `controlnet`, `base`.
    """

    model: str | None
    runtime: str
    settings: Mapping[str, Any]
    output_dir: Path
    measure: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Callable[[Item], Record]:
        """Load the model, and give what colors one picture."""
        return color_with(load_pipeline(self.model, runtime=self.runtime, **self.options), self)


def color_with(pipeline: Pipeline, order: Order) -> Callable[[Item], Record]:
    """What colors one picture and never fails: whatever goes wrong is in the record."""
    return partial(_color, pipeline, order)


def _color(pipeline: Pipeline, order: Order, item: Item) -> Record:
    path = order.output_dir / item.result
    try:
        out = pipeline(item.read(), **order.settings)
        # The plain result last: where it is, the other candidates are.
        for number in reversed(range(len(out.images))):
            write_png(out.images[number], candidate_path(path, number), out.metadata(candidate=number))
        record = {"status": "done", "width": out.source.width, "height": out.source.height, "seconds": out.seconds}
        record |= {"notes": list(out.notes)} if out.notes else {}
        return record | (_measure(out) if order.measure else {})
    except (AutochromeError, OSError) as error:
        return {"status": "failed", "reason": str(error)}
    except Exception as error:  # a bug of ours, or no memory: 50,000 pictures do not stop for one
        return {"status": "failed", "reason": f"unexpected {type(error).__name__}: {error}"}


def check_result(item: Item, order: Order, model_id: str) -> Record | None:
    """What is known of a picture with which nothing is to be done; None where there is. Decodes no picture."""
    path = order.output_dir / item.result
    try:
        finished = [
            _is_finished(candidate_path(path, number), model_id, order.settings if number == 0 else None)
            for number in range(order.settings.get("candidates", 1))
        ]
    except DataError as error:
        return {"status": "failed", "reason": str(error)}
    return {"status": "skipped"} if all(finished) else None


def candidate_path(path: AnyPath, number: int) -> AnyPath:
    """Where a candidate goes: the first is the result itself, then come `name.candidate2.png` and so on."""
    return path.with_name(f"{path.stem}.candidate{number + 1}{path.suffix}") if number else path


def _is_finished(path: Path, model_id: str, settings: Mapping[str, Any] | None) -> bool:
    """Whether a result is there, made by this model, and with these settings where they are given.

    Raises:
        DataError: a file is there that Autochrome did not make.
    """
    try:
        with PngImageFile(path) as picture:  # reads no further than to the pixels
            found = dict(picture.info)
    except FileNotFoundError:
        return False
    except (OSError, SyntaxError):  # a folder, unreadable, or not a PNG
        found = {}
    if not str(found.get("Software", "")).startswith("Autochrome "):
        raise DataError(f"{path} exists and was not made by Autochrome; move it, or choose another --output")
    wanted = metadata(model_id, settings or {})
    return all(found.get(name) == wanted[name] for name in ("Model", *(["Settings"] if settings is not None else [])))


def _measure(out: ColorizationOutput) -> dict[str, float]:
    """How colorful the result is, and how far its L* is from the input's (both full size)."""
    result = picture_to_tensor(out.images[0])
    error = lightness_error(result, picture_to_tensor(out.source))
    return {"colorfulness": colorfulness(result).item(), "lightness_error": error.item()}

"""`autochrome colorize`: pictures, folders and .zip archives in, a folder of PNGs out."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autochrome.errors import AutochromeError, DataError, SettingError

if TYPE_CHECKING:
    from autochrome.inputs import Item
    from autochrome.pipelines import ColorizationOutput, Pipeline

_TEXT = "for models that listen to words"
_STEPS = "for models that work in steps"
_HINTS = "for models that take hints"
_SETTINGS = (
    *("prompt", "negative_prompt", "render_factor", "saturation", "steps", "guidance_scale", "seed"),
    *("merge_lightness", "candidates", "hints", "palette", "exemplar"),
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "colorize",
        help="color pictures, folders and .zip archives",
        description="Color pictures. Each result is DIR/<the input's path inside its folder or archive>.png, of the "
        "input's size. A result that is there already, made by the same model with the same settings, is not made "
        "again; with other settings it is replaced. A file that Autochrome did not make is never overwritten. "
        "`autochrome models` lists the models and the settings that each takes; a setting that a model has no use "
        "for is refused. Exit code 0: all done, 1: some failed, 2: wrong usage.",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="a picture, a folder or a .zip archive")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="where the results go")
    parser.add_argument(
        "--model", metavar="ID", help="an id of the catalog, several joined by + (their mean), or a folder"
    )
    parser.add_argument("--prompt", metavar="TEXT", help=_TEXT)
    parser.add_argument("--negative-prompt", metavar="TEXT", help=_TEXT)
    parser.add_argument("--render-factor", type=int, metavar="N", help="working size in units of 16 px")
    parser.add_argument("--saturation", type=float, metavar="X", help="factor on the color; 0 is grey")
    parser.add_argument("--steps", type=int, metavar="N", help=_STEPS)
    parser.add_argument("--guidance-scale", type=float, metavar="X", help=_STEPS)
    parser.add_argument("--seed", type=int, metavar="N", help="another number, another picture, where a model draws")
    parser.add_argument(
        "--no-merge-lightness",
        dest="merge_lightness",
        action="store_const",
        const=False,
        help="take the light from the model's working size, not from the picture",
    )
    parser.add_argument("--candidates", type=int, metavar="N", help="for models that give several answers")
    parser.add_argument("--hints", type=Path, metavar="FILE.json", help=f"{_HINTS}: a list, or a saved session")
    parser.add_argument("--palette", metavar="'#rrggbb,...'", help=_HINTS)
    parser.add_argument("--exemplar", type=Path, metavar="FILE", help="a color picture to take the colors from")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was done, with measures, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Color every picture of the inputs; a bad one is named at the end and stops nothing."""
    from tqdm import tqdm

    from autochrome.catalog import load_pipeline
    from autochrome.files import write_json
    from autochrome.inputs import select
    from autochrome.pipelines import settings_to_json

    selection = select(args.inputs, args.output)
    pipeline = load_pipeline(args.model)
    given = _given_settings(args)
    settings = pipeline.check_inputs(**given)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {args.output}: {error.strerror}; choose another --output") from error
    records: list[dict[str, Any]] = [
        {"input": name, "status": "failed", "reason": reason} for name, reason in selection.refused
    ]
    try:
        for item in tqdm(selection.items, unit="picture", file=sys.stderr):
            records.append(_do(item, args.output, pipeline, settings, measure=args.json is not None))
    finally:
        _report(records)
        if args.json is not None:
            shown = settings_to_json(settings)
            write_json({"model": pipeline.model_id, "settings": shown, "pictures": records}, args.json)
    return int(any(record["status"] == "failed" for record in records))


def _given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line; which of them the model takes is the pipeline's to say."""
    given = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
    if "palette" in given:
        given["palette"] = [color.strip() for color in given["palette"].split(",") if color.strip()]
    if "hints" in given:
        try:
            given["hints"] = json.loads(given["hints"].read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise SettingError(f"--hints {args.hints} cannot be read as JSON: {error}") from error
        if isinstance(given["hints"], dict):  # a whole session; what the command line says as well goes before it
            from autochrome.pipelines import parse_directions

            given = {**parse_directions(given.pop("hints")), **given}
    return given


def _do(
    item: "Item", output_dir: Path, pipeline: "Pipeline", settings: Mapping[str, Any], *, measure: bool
) -> dict[str, Any]:
    """Color one picture and say how it went."""
    from autochrome.image import write_png
    from autochrome.inputs import printable

    path = output_dir / item.result
    record: dict[str, Any] = {"input": item.name, "output": printable(str(path))}
    try:
        if _is_finished(path, pipeline.model_id, settings):
            return {**record, "status": "skipped"}
        out = pipeline(item.read(), **settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(out.images[0], path, out.metadata())
        record |= {"status": "done", "width": out.source.width, "height": out.source.height, "seconds": out.seconds}
        record |= {"notes": list(out.notes)} if out.notes else {}
        return record | (_measure(out) if measure else {})
    except (AutochromeError, OSError) as error:
        return {**record, "status": "failed", "reason": str(error)}
    except Exception as error:  # a bug of ours, or no memory: 50,000 pictures do not stop for one
        return {**record, "status": "failed", "reason": f"unexpected {type(error).__name__}: {error}"}


def _is_finished(path: Path, model_id: str, settings: Mapping[str, Any]) -> bool:
    """Whether the result is there, made by this model with these settings.

    Raises:
        DataError: a file is there that Autochrome did not make.
    """
    from PIL.PngImagePlugin import PngImageFile

    from autochrome.pipelines import metadata

    if not path.exists():
        return False
    try:
        with PngImageFile(path) as picture:
            found = dict(picture.info)
    except (OSError, SyntaxError):  # a folder, unreadable, or not a PNG
        found = {}
    if not str(found.get("Software", "")).startswith("Autochrome "):
        raise DataError(f"{path} exists and was not made by Autochrome; move it, or choose another --output")
    wanted = metadata(model_id, settings)
    return all(found.get(name) == wanted[name] for name in ("Model", "Settings"))


def _measure(out: "ColorizationOutput") -> dict[str, float]:
    """How colorful the result is, and how far its L* is from the input's (both full size)."""
    from autochrome.image import picture_to_tensor
    from autochrome.metrics import colorfulness, lightness_error

    result = picture_to_tensor(out.images[0])
    error = lightness_error(result, picture_to_tensor(out.source))
    return {"colorfulness": colorfulness(result).item(), "lightness_error": error.item()}


def _report(records: list[dict[str, Any]]) -> None:
    count = {status: sum(record["status"] == status for record in records) for status in ("done", "skipped", "failed")}
    for record in records:
        for note in record.get("notes", ()):
            print(f"autochrome: note: {record['input']}: {note}", file=sys.stderr)
        if record["status"] == "failed":
            print(f"autochrome: failed: {record['input']}: {record['reason']}", file=sys.stderr)
    already = f", {count['skipped']} already there" if count["skipped"] else ""
    failed = f", {count['failed']} failed" if count["failed"] else ""
    print(f"{count['done']} colored{already}{failed}")

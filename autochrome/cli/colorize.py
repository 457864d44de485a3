"""`autochrome colorize`: pictures, folders and .zip archives in, a folder of PNGs out."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autochrome.errors import DataError, SettingError

if TYPE_CHECKING:
    from autochrome.cli.coloring import Order, Record
    from autochrome.inputs import Item, Selection
    from autochrome.pipelines import Pipeline

_TEXT = "for models that listen to words"
_STEPS = "for models that work in steps"
_HINTS = "for models that take hints"
_SETTINGS = (
    *(
        "prompt",
        "negative_prompt",
        "render_factor",
        "saturation",
        "steps",
        "guidance_scale",
        "conditioning_scale",
        "seed",
    ),
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
    parser.add_argument("--negative-prompt", metavar="TEXT", help=f"{_TEXT}: what it should not be; '' for nothing")
    parser.add_argument("--render-factor", type=int, metavar="N", help="working size in units of 16 px")
    parser.add_argument("--saturation", type=float, metavar="X", help="factor on the color; 0 is grey")
    parser.add_argument("--steps", type=int, metavar="N", help=_STEPS)
    parser.add_argument("--guidance-scale", type=float, metavar="X", help="how much is made of the words")
    parser.add_argument("--conditioning-scale", type=float, metavar="X", help="how closely a ControlNet is followed")
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
    parser.add_argument(
        "--controlnet", metavar="DIR|REPO", help="for controlnet-sd15: a folder, or owner/name[@revision] of the Hub"
    )
    parser.add_argument("--base", metavar="DIR|REPO", help="the base on which that ControlNet was trained")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ...; default: cuda where there is one, else cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was done, with measures, as JSON")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes side by side, each with one thread and a model of its own (default: 1; on Ray as many as there "
        "are cores, but for one). The results are the same for every number",
    )
    parser.add_argument(
        "--engine",
        choices=("processes", "ray"),
        default="processes",
        help="processes of this machine (default), or Ray Data: on the cluster that RAY_ADDRESS names",
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "torch", "onnx"),
        default="auto",
        help="what runs the network; auto (default): ONNX Runtime where the extra onnx is installed and there is no "
        "GPU, else torch",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Color every picture of the inputs; a bad one is named at the end and stops nothing."""
    from autochrome.catalog import load_pipeline
    from autochrome.cli.coloring import Order
    from autochrome.engines import one_thread
    from autochrome.files import write_json
    from autochrome.inputs import select
    from autochrome.pipelines import settings_to_json

    if args.workers is not None and args.workers < 1:
        raise SettingError(f"--workers must be an integer from 1, got {args.workers}")
    selection = select(args.inputs, args.output)
    with one_thread():  # with more, sums come out differently in the last bit, on other machines than on this one
        options = _load_options(args)
        pipeline = load_pipeline(args.model, runtime=args.runtime, **options)
        settings = pipeline.check_inputs(**_given_settings(args))
        _check_candidates(selection.items, settings.get("candidates", 1))
        _make_folder(args.output)
        model = _lasting_name(args.model, pipeline)
        order = Order(model, args.runtime, settings, args.output.resolve(), args.json is not None, options)
        journal = _Journal(selection, args.output, keep_all=args.json is not None)
        try:
            _color_all(selection.items, order, pipeline, journal, args)
        finally:
            journal.print_summary()
            if args.json is not None:
                shown = settings_to_json(settings)
                content = {"model": pipeline.model_id, "settings": shown, "pictures": journal.records()}
                write_json(content, args.json)
    return int(journal.count["failed"] > 0)


def _color_all(
    items: "Sequence[Item]", order: "Order", pipeline: "Pipeline", journal: "_Journal", args: argparse.Namespace
) -> None:
    """Do what is not done yet. Where it stands is told every tenth of a second, in a log twice a minute."""
    from tqdm import tqdm

    from autochrome.cli.coloring import check_result

    tell = partial(tqdm, file=sys.stderr, unit="picture", mininterval=0.1 if sys.stderr.isatty() else 30.0)
    todo = []
    for item in tell(items, desc="checking", leave=False, delay=1):
        record = check_result(item, order, pipeline.model_id)
        if record is None:
            todo.append(item)
        else:
            journal.add(item, record)
    # What was there already counts for how far it is, and not for how fast.
    bar = tell(total=len(items), initial=len(items) - len(todo), smoothing=0.05)
    with bar, closing(_start_engine(todo, order, pipeline, args)) as results:
        for item, record in results:
            journal.add(item, record)
            bar.set_postfix({"failed": journal.count["failed"]} if journal.count["failed"] else {}, refresh=False)
            bar.update()


def _start_engine(
    todo: "list[Item]", order: "Order", pipeline: "Pipeline", args: argparse.Namespace
) -> "Generator[tuple[Item, Record]]":
    from autochrome import engines
    from autochrome.cli.coloring import color_with

    if args.engine == "ray":
        whole = [replace(item, path=item.path.resolve()) for item in todo]  # a relative one is another's elsewhere
        yield from engines.run_on_ray(order, whole, args.workers)
    elif args.workers is None or args.workers == 1 or len(todo) < 2:
        yield from engines.run_here(lambda: color_with(pipeline, order), todo)
    else:
        for item, record in engines.run_pool(order, todo, min(args.workers, len(todo))):
            if isinstance(record, engines.Lost):
                record = {"status": "failed", "reason": record.reason}
            yield item, record


class _Journal:
    """What was done. Of many thousands of pictures only what failed is kept, unless all is asked for."""

    def __init__(self, selection: "Selection", output_dir: Path, *, keep_all: bool) -> None:
        self.count: Counter[str] = Counter(failed=len(selection.refused))
        self._notes: Counter[str] = Counter()
        self._selection = selection
        self._output_dir = output_dir
        self._keep_all = keep_all
        self._records: dict[Any, Record] = {}

    def add(self, item: "Item", record: "Record") -> None:
        """How it went with one picture."""
        self.count[record["status"]] += 1
        self._notes.update(record.get("notes", ()))
        if self._keep_all or record["status"] == "failed":
            self._records[item.result] = record

    def records(self) -> "list[Record]":
        """What is kept, in the order of the inputs."""
        from autochrome.inputs import printable

        refused = [{"input": name, "status": "failed", "reason": reason} for name, reason in self._selection.refused]
        return refused + [
            {"input": item.name, "output": printable(str(self._output_dir / item.result)), **self._records[item.result]}
            for item in self._selection.items
            if item.result in self._records
        ]

    def print_summary(self) -> None:
        """Notes, each once, the failures with their reasons, and how many pictures were done."""
        for note, count in self._notes.items():
            print(f"autochrome: note: {note}" + (f" ({count} pictures)" if count > 1 else ""), file=sys.stderr)
        for record in self.records():
            if record["status"] == "failed":
                print(f"autochrome: failed: {record['input']}: {record['reason']}", file=sys.stderr)
        already = f", {self.count['skipped']} already there" if self.count["skipped"] else ""
        failed = f", {self.count['failed']} failed" if self.count["failed"] else ""
        print(f"{self.count['done']} colored{already}{failed}")


def _check_candidates(items: "Sequence[Item]", count: int) -> None:
    """No further candidate may have the name of another picture's result."""
    from autochrome.cli.coloring import candidate_path

    if count > 1:
        results = {item.result for item in items}
        for item in items:
            for candidate in range(1, count):
                if candidate_path(item.result, candidate) in results:
                    raise DataError(
                        f"candidate {candidate + 1} of {item.name} would have the name of another picture's result, "
                        f"{candidate_path(item.result, candidate)}; rename one of the two"
                    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {folder}: {error.strerror}; choose another --output") from error


def _lasting_name(model: str | None, pipeline: "Pipeline") -> str | None:
    """By what other processes load the very same model: of the Hub its commit, of a folder the whole path."""
    from autochrome.catalog import load_catalog

    if model is None or any(row.id == model for row in load_catalog()):
        return model
    if Path(model).is_dir():
        return str(Path(model).resolve())
    return pipeline.model_id if "/" in pipeline.model_id else model


def _load_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `load_pipeline` takes besides the model; folders as whole paths: relative ones are others elsewhere."""
    given = {name: getattr(args, name) for name in ("controlnet", "base", "device") if getattr(args, name) is not None}
    for name in ("controlnet", "base"):
        if name in given and Path(given[name]).is_dir():
            given[name] = str(Path(given[name]).resolve())
    return given


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

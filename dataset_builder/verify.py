"""Reading a finished dataset again, every row of it: what is wrong in it, and where."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import torch
import yaml
from tqdm import tqdm

from autochrome.errors import DataError
from dataset_builder.card import plain
from dataset_builder.duplicates import Duplicates
from dataset_builder.items import SPLITS
from dataset_builder.row_checks import check_row

COLUMNS = (
    *("image", "conditioning_image", "text", "text_color", "source", "license", "attribution"),
    *("width", "height", "sha256"),
)

_SHARD = re.compile(r"(\w+)-(\d{5})-of-(\d{5})\.parquet")
_BATCH_ROWS = 32
_ALONE_ROWS = 500
"""Below this, starting other processes takes longer than it saves."""


@dataclass
class Verification:
    """What was found.

    Attributes:
        num_rows: of each split.
        licenses: how many pictures each license has.
        problems: one sentence each, beginning with the file and row; none means that all is well.
    """

    num_rows: dict[str, int] = field(default_factory=dict)
    licenses: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the rows must be compared with each other for."""

    place: str
    split: str
    sha256: str
    perceptual_hash: int
    source: str
    license: str


@dataclass(frozen=True)
class _Task:
    """One row group of a shard."""

    path: Path
    split: str
    group: int
    first_row: int
    is_aged: bool


def verify_dataset(folder: Path, *, num_workers: int = 0) -> Verification:
    """Read every row of a finished dataset and check what its users rely on.

    Files and numbering of the shards, columns and their types, every row (`row_checks.check_row`), that no picture is
    there twice or has a near-duplicate in another split, and that the card and the list of rejections fit.

    Args:
        num_workers: processes; 0: one for each core, and none besides this one for a small dataset.

    Raises:
        DataError: `folder` holds no dataset at all.
    """
    shards = sorted(folder.glob("data/*.parquet"))
    if not shards:
        raise DataError(f"'{folder}' holds no dataset: there is no data/*.parquet; build one first")
    found = Verification()
    config = _read_config(folder, found)
    _check_names(shards, found)
    tasks = list(_tasks(shards, float(config.get("ageing", {}).get("share", 0)) > 0, found))
    seen: list[_Seen] = []
    for problems, rows in _work(tasks, num_workers or os.cpu_count() or 1, sum(found.num_rows.values())):
        found.problems += problems
        seen += rows
    found.licenses = dict(sorted(Counter(row.license for row in seen).items()))
    _check_duplicates(seen, config.get("filters", {}).get("duplicate_distance"), found)
    _check_card(folder, {row.source for row in seen}, found)
    _check_rejected(folder, found)
    return found


def _read_config(folder: Path, found: Verification) -> dict[str, Any]:
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        found.problems.append(f"config.yaml: cannot be read ({error})")
        return {}
    return config if isinstance(config, dict) else {}


def _check_names(shards: list[Path], found: Verification) -> None:
    """Shards are numbered without a gap, and all of a split agree how many there are."""
    numbers: dict[str, list[tuple[int, int]]] = {}
    for shard in shards:
        name = _SHARD.fullmatch(shard.name)
        if name is None or name[1] not in SPLITS:
            found.problems.append(f"data/{shard.name}: not named like train-00000-of-00001.parquet")
        else:
            numbers.setdefault(name[1], []).append((int(name[2]), int(name[3])))
    for split, those in numbers.items():
        if those != [(index, len(those)) for index in range(len(those))]:
            there = ", ".join(f"{index} of {count}" for index, count in those)
            found.problems.append(f"data/{split}-*.parquet: a shard is missing or left over; there are {there}")


def _tasks(shards: list[Path], is_aged: bool, found: Verification) -> Iterator[_Task]:
    for shard in shards:
        split = shard.name.partition("-")[0]
        try:
            metadata = pyarrow.parquet.read_metadata(shard)
            schema = metadata.schema.to_arrow_schema()
        except (OSError, pyarrow.ArrowException) as error:
            found.problems.append(f"data/{shard.name}: cannot be read ({error})")
            continue
        problem = _schema_problem(schema)
        if problem:
            found.problems.append(f"data/{shard.name}: {problem}")
            continue
        first_row = 0
        for group in range(metadata.num_row_groups):
            yield _Task(shard, split, group, first_row, is_aged)
            first_row += metadata.row_group(group).num_rows
        found.num_rows[split] = found.num_rows.get(split, 0) + first_row


def _schema_problem(schema: pyarrow.Schema) -> str | None:
    if tuple(schema.names) != COLUMNS:
        return f"its columns are {', '.join(schema.names)}; they must be {', '.join(COLUMNS)}"
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        kinds = [features[name]["_type"] for name in COLUMNS[:2]]
    except (KeyError, TypeError, ValueError):
        kinds = []
    if kinds != ["Image", "Image"]:
        return "its schema does not say that image and conditioning_image are pictures (key `huggingface`)"
    return None


def _work(tasks: list[_Task], num_workers: int, num_rows: int) -> Iterator[tuple[list[str], list[_Seen]]]:
    """The result of each task, in their order."""
    with tqdm(total=len(tasks), desc="verifying", unit=" row groups", disable=None) as progress:
        if num_workers == 1 or num_rows < _ALONE_ROWS:
            for task in tasks:
                yield _check_group(task)
                progress.update()
            return
        # Not forked: torch's threads do not survive that.
        with ProcessPoolExecutor(num_workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            for result in pool.map(_check_group, tasks):
                yield result
                progress.update()


def _check_group(task: _Task) -> tuple[list[str], list[_Seen]]:
    """Problems of one row group, and its rows."""
    problems, seen, row_number = [], [], task.first_row
    try:
        with pyarrow.parquet.ParquetFile(task.path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[task.group]):
                for row in batch.to_pylist():
                    place = f"data/{task.path.name} row {row_number}"
                    of_row, hashes = check_row(row, task.is_aged)
                    problems += [f"{place}: {problem}" for problem in of_row]
                    if hashes is not None:
                        seen.append(_Seen(place, task.split, *hashes, str(row["source"]), str(row["license"])))
                    row_number += 1
    except (OSError, pyarrow.ArrowException) as error:
        problems.append(f"data/{task.path.name} row {row_number}: it and those after it cannot be read ({error})")
    return problems, seen


def _check_duplicates(seen: list[_Seen], max_distance: int | None, found: Verification) -> None:
    first: dict[str, _Seen] = {}
    for row in seen:
        earlier = first.setdefault(row.sha256, row)
        if earlier is not row:
            found.problems.append(f"{row.place}: the same picture as {earlier.place}")
    if max_distance is None:
        return
    # The build compared pictures before they were encoded, which moves a hash by up to two bits.
    near = Duplicates(max(0, max_distance - 2))
    rows = {row.place: row for row in first.values()}
    for row in rows.values():
        match = near.add(row.place, row.perceptual_hash, row.sha256)
        if match is not None and rows[match.name].split != row.split:
            found.problems.append(
                f"{row.place}: nearly the same picture as {match.name}, in another split ({match.distance} of 64 bits "
                "differ)"
            )


def _check_card(folder: Path, sources: set[str], found: Verification) -> None:
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        head = yaml.safe_load(text.split("---\n")[1])
        said = {split["name"]: split["num_examples"] for split in head["dataset_info"]["splits"]}
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        found.problems.append(f"README.md: no dataset card with dataset_info.splits ({error})")
        return
    if said != found.num_rows:
        found.problems.append(f"README.md: says {said} pictures, there are {found.num_rows}")
    unnamed = [source for source in sorted(sources) if plain(source) not in text]
    found.problems += [f"README.md: does not name the source {source}" for source in unnamed]


def _check_rejected(folder: Path, found: Verification) -> None:
    try:
        lines = (folder / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        found.problems.append(f"rejected.jsonl: cannot be read ({error})")
        return
    for number, line in enumerate(lines, start=1):
        try:
            missing = {"source", "key", "reason", "detail"} - set(json.loads(line))
        except (ValueError, TypeError) as error:
            found.problems.append(f"rejected.jsonl line {number}: not a JSON object ({error})")
            continue
        if missing:
            found.problems.append(f"rejected.jsonl line {number}: lacks {', '.join(sorted(missing))}")

"""The engine: items -> chunks in worker processes -> duplicates out, splits -> shards. The same bytes for any workers.

Phase 1 writes one file for each chunk of pictures into `OUTPUT_DIR/.work/`, whole or not at all: whatever ends a build,
the next run goes on where it stood. Phase 2 reads them in order; it is repeated from its start if it was interrupted.
A build is complete when there is a report.json and no `.work/` any more.
"""

import hashlib
import json
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autochrome import __version__
from autochrome.errors import DataError, SettingError
from autochrome.files import replacing, write_json
from dataset_builder.captioning import caption_chunks, read_captions
from dataset_builder.card import write_card
from dataset_builder.chunks import READ_FAILURES, Job, make_sources, read_chunk
from dataset_builder.config import BuildConfig, config_to_yaml
from dataset_builder.duplicates import Duplicates
from dataset_builder.engines import run_jobs
from dataset_builder.items import SPLITS, Item, Row
from dataset_builder.sources import Source
from dataset_builder.writer import SUFFIXES, FolderWriter, ShardWriter, Tally

WORK_DIR = ".work"
_DONE_DIR = ".work-done"
_LIBRARIES = ("datasets", "ImageHash", "numpy", "pillow", "pyarrow", "torch")


def build(config: BuildConfig) -> dict[str, Any]:
    """Build the dataset, or go on with it, or find it finished; returns the content of report.json.

    Raises:
        SettingError: the folder holds another dataset, or an unfinished build of another config.
        DataError: a source as a whole cannot be used, nothing passes the filters, or the disk is full; what is finished
            is kept.
        UnavailableError: the network, or a library of an extra, is needed and is not here.
    """
    started = time.monotonic()
    output_dir = Path(config.output_dir)
    report_path, work_dir = output_dir / "report.json", output_dir / WORK_DIR
    if report_path.exists() and not work_dir.exists():
        shutil.rmtree(output_dir / _DONE_DIR, ignore_errors=True)
        return _finished_report(report_path, config)
    _open_work(output_dir, work_dir, config)
    sources = make_sources(config, work_dir)
    try:
        paths, not_selected = _make_chunks(config, sources, work_dir)
        worked = time.monotonic()
        caption_chunks(paths, config.captions)
        tally = _make_shards(config, paths, output_dir)
    except OSError as error:
        raise DataError(
            f"{error.filename or output_dir}: {error.strerror or error}; what is finished is kept: make room or mend "
            f"it, and run the same command again"
        ) from error
    report = {"name": config.name, **tally.to_dict(), "not_selected": not_selected, "config": asdict(config)}
    report["versions"] = {"python": platform.python_version(), **_versions()}
    report["seconds"] = {"pictures": round(worked - started, 1), "all": round(time.monotonic() - started, 1)}
    with replacing(output_dir / "config.yaml") as temporary:
        temporary.write_text(config_to_yaml(config), encoding="utf-8")
    write_card(output_dir, report)
    write_json(report, report_path)
    work_dir.rename(output_dir / _DONE_DIR)  # at once: half a folder of work would look like a build to go on with
    shutil.rmtree(output_dir / _DONE_DIR)
    return report


def has_read_failures(report: dict[str, Any]) -> bool:
    """Whether pictures are missing because they could not be had or read, rather than by a filter's judgment."""
    return any(report["reasons"].get(reason) for reason in READ_FAILURES)


def _finished_report(path: Path, config: BuildConfig) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        built = BuildConfig(**report["config"]) if isinstance(report.get("config"), dict) else None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete the folder, or choose another --output") from error
    if built is None or _plain(built) != _plain(config):
        raise SettingError(
            f"{path.parent} holds a finished dataset of another config; delete it, or choose another --output"
        )
    return report


def _plain(config: BuildConfig) -> dict[str, Any]:
    """What decides the result, as JSON gives it back."""
    content: dict[str, Any] = json.loads(json.dumps(config.decisive()))
    return content


def _versions() -> dict[str, str]:
    """Of all that may change the bytes: what another version began is not mixed with what this one does."""
    return {"autochrome": __version__, **{library: version(library) for library in _LIBRARIES}}


def _open_work(output_dir: Path, work_dir: Path, config: BuildConfig) -> None:
    """Make the folder of unfinished work, or make sure that it belongs to this config."""
    key_path = work_dir / "config.json"
    if not work_dir.exists() and output_dir.exists() and any(output_dir.iterdir()):
        raise DataError(f"{output_dir} is not empty and holds no dataset of ours; choose another --output")
    if key_path.exists():
        before = json.loads(key_path.read_text(encoding="utf-8"))
        changed = [name for name, value in _plain(config).items() if before.get(name) != value]
        if changed:
            raise SettingError(
                f"{output_dir} holds an unfinished build of another config (it differs in {', '.join(changed)}); go on "
                f"with that one, delete the folder, or choose another --output"
            )
    else:
        write_json(_plain(config), key_path)


def _make_chunks(config: BuildConfig, sources: list[Source], work_dir: Path) -> tuple[list[Path], dict[str, int]]:
    """Phase 1: the files of all chunks in order, and how many pictures of each source were not selected."""
    not_selected = Counter({source.name: 0 for source in sources})
    paths: list[Path] = []

    def jobs() -> Iterator[Job]:
        for job in _jobs(config, sources, work_dir, not_selected):
            paths.append(job.path)
            if job.path.exists():
                progress.update(len(job.items))
                sources[job.source].release(job.items)
            else:
                sources[job.source].fetch(job.items)
                yield job

    kept = rejected = 0
    with tqdm(desc="pictures", unit=" pictures", disable=None, smoothing=0.1) as progress:
        for job, reasons in run_jobs(config, work_dir, jobs()):
            sources[job.source].release(job.items)
            kept, rejected = kept + reasons[""], rejected + reasons.total() - reasons[""]
            progress.set_postfix(kept=kept, rejected=rejected, refresh=False)
            progress.update(len(job.items))
    return paths, dict(not_selected)


def _jobs(config: BuildConfig, sources: list[Source], work_dir: Path, not_selected: Counter[str]) -> Iterator[Job]:
    """Chunks of the selected items; the name of a chunk's file follows from all that decides its content."""
    key = hashlib.sha256(json.dumps([_plain(config), _versions()], sort_keys=True).encode())
    index = 0
    for number, source in enumerate(sources):
        entries = config.sources[number]
        selected = _select(source, entries["share"], entries["limit"], config.seed, not_selected)
        while items := tuple(islice(selected, config.chunk_size)):
            digest = key.copy()
            digest.update(f"{number} {source.fingerprint()}".encode())
            digest.update(json.dumps([item.to_dict() for item in items]).encode())
            yield Job(index, number, items, work_dir / "chunks" / f"{index:07d}-{digest.hexdigest()[:20]}.arrow")
            index += 1


def _select(source: Source, share: float, limit: int | None, seed: int, not_selected: Counter[str]) -> Iterator[Item]:
    """The source's items that the config wants: a share by hash of their keys, and of these the first."""
    taken = 0
    for item in source.items():
        if limit is not None and taken >= limit:
            source.release([item])
            return
        if share < 1 and _unit_hash(f"{seed}/share/{source.name}/{item.key}") >= share:
            source.release([item])
            not_selected[source.name] += 1
            continue
        taken += 1
        yield item


def _make_shards(config: BuildConfig, paths: list[Path], output_dir: Path) -> Tally:
    """Phase 2: duplicates out, every picture to its split, shards written; all in the order of the sources."""
    shards_dir = output_dir / WORK_DIR / "shards"
    for old in (shards_dir, *(output_dir / name for name in ("data", "imagefolder", "card"))):
        shutil.rmtree(old, ignore_errors=True)
    for stale in output_dir.glob(".*.tmp"):  # a file that was being written when somebody pulled the plug
        stale.unlink()
    shards_dir.mkdir(parents=True)
    shards = {split: ShardWriter(shards_dir, split, config.shard_mb * 1_000_000) for split in SPLITS}
    folders = (
        {split: FolderWriter(output_dir / "imagefolder" / split) for split in SPLITS} if config.imagefolder else {}
    )
    suffixes = SUFFIXES[config.pictures.format], SUFFIXES[config.pictures.conditioning_format]
    rows = _deduplicated(paths, config.filters.duplicate_distance)
    with replacing(output_dir / "rejected.jsonl") as temporary, Tally(temporary) as tally, ExitStack() as stack:
        for folder in folders.values():
            stack.callback(folder.close)
        for row in tqdm(rows, desc="shards", unit=" pictures", disable=None):
            if row.reason is not None:
                tally.reject(row, row.reason, row.detail)
                continue
            split = _split(row, config)
            tally.keep(row, split)
            shards[split].add(row, *suffixes)
            if folders:
                folders[split].add(row, *suffixes)
    if not tally.splits.total():
        reasons = ", ".join(f"{count} {reason}" for reason, count in tally.reasons.most_common()) or "none came in"
        raise DataError(f"no picture is left ({reasons}); see {output_dir / 'rejected.jsonl'} and loosen the filters")
    for split in SPLITS:
        shards[split].finish(output_dir / "data")
    return tally


def _deduplicated(paths: list[Path], max_distance: int | None) -> Iterator[Row]:
    """Every row in order; those that duplicate an earlier one become rejections."""
    duplicates = Duplicates(max_distance)
    for path in paths:
        captions = read_captions(path)
        for index, row in enumerate(read_chunk(path)):
            if row.reason is None:
                row.text, row.text_color = captions.get(index, (row.text, row.text_color))
                match = duplicates.add(f"{row.item.source}/{row.item.key}", row.perceptual_hash, row.sha256)
                if match is not None:
                    row.reason = "exact_duplicate" if match.exact else "near_duplicate"
                    row.detail = f"of {match.name}" + ("" if match.exact else f", {match.distance} of 64 bits differ")
            yield row


def _split(row: Row, config: BuildConfig) -> str:
    if row.item.split is not None:
        return row.item.split
    place = _unit_hash(f"{config.seed}/split/{row.sha256}")
    if place < config.splits.test:
        return "test"
    return "validation" if place < config.splits.test + config.splits.validation else "train"


def _unit_hash(text: str) -> float:
    """A number in 0..1 that looks random and always belongs to this text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64

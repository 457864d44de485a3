"""The dataset card: README.md with the head that the Hub's viewer reads, and plots beside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import yaml

from autochrome.errors import DataError
from autochrome.files import replacing
from dataset_builder.items import SPLITS
from dataset_builder.licenses import SHOWABLE, hub_license, may_be_shown
from dataset_builder.plots import PLOTS, draw_samples, plot_histogram

NUM_SAMPLES = 6
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_MAX_AUTHORS = 3
_MAX_PLACES = 10_000
_Place = tuple[Path, int]
"""A shard and the number of a row in it."""
_OTHER_REASONS = {
    "unreadable": "damaged, or no picture",
    "unavailable": "the source could not hand it over",
    "exact_duplicate": "the same picture was there before",
}
_FILTERS = {
    "near_duplicate": ("duplicate_distance", "bits of the 64-bit perceptual hash that differ, at most"),
    "too_small": ("min_side", "shortest side in pixels, at least"),
    "extreme_aspect": ("max_aspect", "long to short side, at most"),
    "near_grey": ("min_chroma", "mean chroma C*, at least"),
    "single_tint": ("min_tint_residual", "RMS distance of a*b* from a single tint, at least"),
    "too_dark": ("min_lightness", "mean L*, at least"),
    "too_bright": ("max_lightness", "mean L*, at most"),
    "low_colorfulness": ("min_colorfulness", "colorfulness of Hasler and Suesstrunk, at least"),
}
"""Reason of a rejection: the setting behind it, and what that bounds."""
_BODY = """
# {name}

{pictures} pairs of a color picture and its grey conditioning image, with two captions each, for training and measuring
models that color black-and-white photographs.

{splits}

A hash decides the split, unless a source demands its own. Near-duplicates were removed first, across all sources and
splits: no test picture has a twin in training.

```python
from datasets import load_dataset

pairs = load_dataset("NAME/DATASET", split="train")  # or a folder; streaming=True downloads nothing beforehand
```

## Columns

| column | what it holds |
| --- | --- |
| `image` | the color picture, sRGB |
| `conditioning_image` | the grey picture, mode L, with the L* (CIELAB, D65) of the color picture |
| `text` | caption without color words, for models that must find the colors themselves |
| `text_color` | caption with color words, for models that take them from a prompt |
| `source` | where it comes from |
| `license` | of this picture, as its source states it |
| `attribution` | whom to name |
| `width`, `height` | of both pictures, in pixels |
| `sha256` | of the file in `image` |

`image`, `conditioning_image` and `text` are the columns that diffusers' `train_controlnet.py` takes. The grey is not
Pillow's mode L: that is luma, and 2.3 CIEDE2000 off on photographs.

## Samples

{samples}

## Sources and licenses

{sources}

A license here is its source's word. Every row names its own, and whom to attribute: heed it when you publish pictures.

## How it was made

{making}
- `config.yaml` is the whole config. The same config and sources give the same files.

## What was left out

{left_out}

`rejected.jsonl` names each of these {rejected} pictures and the reason.

## Distributions

{plots}
"""


def write_card(folder: Path, report: dict[str, Any]) -> Path:
    """Write README.md, and card/*.png beside it, for the shards in `folder`; `report` is what report.json holds.

    The same files for the same dataset: nothing in them depends on when or where it was built.

    Raises:
        DataError: `folder` holds no shards, or cannot be written.
        UnavailableError: matplotlib is not installed.
    """
    shards = {split: sorted(folder.glob(f"data/{split}-*.parquet")) for split in SPLITS}
    shards = {split: paths for split, paths in shards.items() if paths}
    if not shards:
        raise DataError(f"'{folder}' holds nothing to describe: there is no data/*.parquet; build a dataset first")
    authors, showable = _look_through([path for paths in shards.values() for path in paths])
    samples = [_read_row(*place) for place in _spread(showable, NUM_SAMPLES)]
    plots = [measure for measure in PLOTS if measure in report["measures"]]
    for measure in plots:
        plot_histogram(measure, report["measures"][measure], folder / "card" / f"{measure}.png")
    if samples:
        pairs = [(row["image"]["bytes"], row["conditioning_image"]["bytes"]) for row in samples]
        draw_samples(pairs, folder / "card" / "samples.png")
    body = _BODY.format(
        name=report["config"]["name"],
        pictures=f"{report['pictures']:,}",
        splits=_table(("split", "pairs"), [(split, f"{n:,}") for split, n in report["splits"].items() if n]),
        samples=_samples(samples),
        sources=_sources(report, authors),
        making=_making(report["config"]),
        left_out=_left_out(report),
        rejected=f"{report['rejected']:,}",
        plots="\n".join(f"![{PLOTS[plot][0]}](card/{plot}.png)" for plot in plots),
    )
    path = folder / "README.md"
    with replacing(path) as temporary:
        temporary.write_text(_front_matter(report, shards) + body, encoding="utf-8")
    return path


def _look_through(paths: Sequence[Path]) -> tuple[dict[str, list[str]], list[_Place]]:
    """Whom each source names (some of them, in order), and rows that may be shown, evenly from all there are."""
    authors: dict[str, dict[str, None]] = {}
    showable: list[_Place] = []
    num_seen, stride = 0, 1
    for path in paths:
        table = pyarrow.parquet.read_table(path, columns=["source", "license", "attribution"])
        for index, row in enumerate(table.to_pylist()):
            names = authors.setdefault(row["source"], {})
            if row["attribution"] and len(names) <= _MAX_AUTHORS:
                names[row["attribution"]] = None
            if not may_be_shown(row["license"], row["attribution"]):
                continue
            if num_seen % stride == 0:
                showable.append((path, index))
            num_seen += 1
            if len(showable) > _MAX_PLACES:  # memory stays flat however many pictures there are
                showable, stride = showable[::2], stride * 2
    return {source: list(names) for source, names in authors.items()}, showable


def _spread(places: list[_Place], count: int) -> list[_Place]:
    """At most `count` of them, evenly from the first to the last."""
    if len(places) <= count:
        return places
    return [places[index * (len(places) - 1) // (count - 1)] for index in range(count)]


def _read_row(path: Path, index: int) -> dict[str, Any]:
    with pyarrow.parquet.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            num_rows = file.metadata.row_group(group).num_rows
            if index < num_rows:
                row: dict[str, Any] = file.read_row_group(group).slice(index, 1).to_pylist()[0]
                return row
            index -= num_rows
    raise AssertionError(f"{path} has changed")


def _front_matter(report: dict[str, Any], shards: dict[str, list[Path]]) -> str:
    licenses = {name for source in report["sources"].values() for name in source["licenses"]}
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in shards]
    sizes = {split: sum(path.stat().st_size for path in paths) for split, paths in shards.items()}
    splits = [
        {"name": split, "num_bytes": size, "num_examples": report["splits"][split]} for split, size in sizes.items()
    ]
    total = sum(sizes.values())
    head = {
        "pretty_name": report["config"]["name"],
        "license": hub_license(licenses),
        "task_categories": ["image-to-image", "text-to-image"],
        "size_categories": [next((name for limit, name in _SIZES if report["pictures"] < limit), "n>10M")],
        "tags": ["colorization", "image-colorization", "controlnet", "image", "autochrome"],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"splits": splits, "download_size": total, "dataset_size": total},
    }
    if head["license"] == "other":
        head["license_name"] = "stated-for-each-picture"
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n"


def _samples(samples: Sequence[dict[str, Any]]) -> str:
    allowed = f"Pictures are shown here only under {', '.join(SHOWABLE[:-1])} or {SHOWABLE[-1]}"
    if not samples:
        return f"{allowed}; no source of this dataset states one of these, so there are none."
    lines = []
    for number, row in enumerate(samples, start=1):
        whom = f", {plain(row['attribution'])}" if row["attribution"] else ""
        caption = plain(row["text_color"]) or "No caption."
        lines.append(f"{number}. {caption} ({plain(row['source'])}, {plain(row['license'])}{whom})")
    picture = "![Color pictures above their conditioning images](card/samples.png)"
    return "\n".join([picture, "", *lines, "", f"{allowed}."])


def _sources(report: dict[str, Any], authors: dict[str, list[str]]) -> str:
    rows = []
    for source, entry in report["sources"].items():
        names = authors.get(source, [])
        whom = "; ".join(names[:_MAX_AUTHORS]) + ("; others in the rows" if len(names) > _MAX_AUTHORS else "")
        for license_name, count in entry["licenses"].items():
            rows.append((source, license_name, whom or "nobody named", f"{count:,}"))
    return _table(("source", "license", "attribution", "pairs"), rows)


def _making(config: dict[str, Any]) -> str:
    pictures, ageing, captioner = config["pictures"], config["ageing"]["share"], config["captions"]["model"]
    quality = "" if pictures["format"] == "png" else f" of quality {pictures['quality']}"
    aged = f"{ageing:.0%} of the conditioning images were made to look old, so they differ from L*." if ageing else ""
    lines = [
        f"Pictures have `size: {pictures['size']}` pixels by `fit: {pictures['fit']}`; color is stored as "
        f"{pictures['format'].upper()}{quality}, grey as {pictures['conditioning_format'].upper()}. {aged}",
        "Captions are those of the source, else made from the class name"
        + (f", else by the model {captioner}." if captioner else "; pictures with neither have an empty one."),
    ]
    return "\n".join(f"- {line.strip()}" for line in lines)


def _left_out(report: dict[str, Any]) -> str:
    filters, reasons = report["config"]["filters"], dict(report["reasons"])
    rules = dict(_OTHER_REASONS)
    for reason, (setting, bound) in _FILTERS.items():
        rules[reason] = f"{bound}: {'off' if filters[setting] is None else format(filters[setting], 'g')}"
    rules |= {reason: "" for reason in reasons if reason not in rules}
    rows = [(f"`{reason}`", rule, f"{reasons.get(reason, 0):,}") for reason, rule in rules.items()]
    return _table(("reason", "rule", "pictures"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(plain(cell) for cell in line) + " |" for line in lines)


def plain(text: str) -> str:
    """Text from a source that cannot break the page: one line, no table borders, no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

"""Measured results into README and model cards: `python -m training.benchmarks.table [--check]`.

Reads quality.json and speed.json beside this file, which `python -m training.benchmarks.quality ... --json` and
`autochrome benchmark --json` make. Writes what stands between `<!-- results:start -->` and `<!-- results:end -->`, and
between `<!-- speed:start -->` and `<!-- speed:end -->`, in README.md and in the card (README.md) of each shipped model,
and `model-index` in a card's front matter, which the Hub shows. With a diffusion model
README and its card get a block `words` from diffusion_words.json, and the card its speed from diffusion_speed.json.
training/README.md gets the recipes' results from recipes.json and batch_size.json in the same way. With `--check` it
writes nothing and exits 1 where something is stale.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard
from safetensors import safe_open

from autochrome.catalog import BlendSource, Catalog, Row, load_catalog
from autochrome.errors import AutochromeError, DataError
from autochrome.files import replacing
from autochrome.models.checkpoint import WEIGHTS_NAME
from autochrome.models.diffusion import vae_factor
from autochrome.pipelines.feedforward import PX_PER_RENDER_FACTOR
from training.benchmarks import diffusion_rows, recipe_rows, steering_rows
from training.benchmarks.recipe_rows import NOT_REACHED, percent

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("training/benchmarks")
RECIPES = Path("training/README.md")
COMMANDS = {
    "quality.json": "python -m training.benchmarks.quality PHOTOS MODEL... --json training/benchmarks/quality.json",
    "speed.json": "autochrome benchmark --json training/benchmarks/speed.json",
    "recipes.json": "python -m training.benchmarks.quality PHOTOS runs/NAME/model... "
    "--json training/benchmarks/recipes.json",
    "steering.json": "python -m training.benchmarks.steering PHOTOS --json training/benchmarks/steering.json",
    "diffusion_words.json": "python -m training.benchmarks.diffusion_words PHOTOS --model diffusion-mini "
    "--model steerable --json training/benchmarks/diffusion_words.json",
    "diffusion_speed.json": "python -m training.benchmarks.diffusion_speed --json "
    "training/benchmarks/diffusion_speed.json",
    "batch_size.json": "python -m training.benchmarks.batch_size training/configs/beta.yaml PHOTOS... "
    "--json training/benchmarks/batch_size.json",
}
HEADER = [
    "",
    "CIEDE2000",
    "share of grey's",
    "colorfulness, share of the truth's",
    "better than grey",
    "CIEDE2000 share at half the truth's colorfulness",
    "at all of it",
    "photographs",
]
SPEED_HEADER = [
    "model",
    "photograph",
    "from file to picture",
    "of it the network",
    "peak memory",
    "the script",
    "its peak memory",
    "the script takes",
]

_MEASURED_AT = ("render_factor", "merge_lightness", "steps", "guidance_scale", "conditioning_scale", "negative_prompt")
"""Settings at which results must have been measured as people get them."""


@dataclass(frozen=True)
class Result:
    """One shipped model's measures at its default settings."""

    row: Row
    scores: dict[str, float]
    """ciede2000, ciede2000_share, colorfulness_share, better_than_grey at the default saturation."""
    at: dict[str, float | None]
    """Share of grey's CIEDE2000 where the colorfulness is "0.5" and "1.0" of the truth's; None: not reached."""
    num_pictures: int
    versions: dict[str, str]
    """What it was measured with, library to version; may be empty."""


def documents(root: Path, catalog: Catalog) -> dict[Path, str]:
    """README and the cards of all shipped models as they should be, by path.

    Raises:
        DataError: a JSON file is missing, damaged, incomplete or measured with other settings than the catalog's; a
            document is missing or lacks its markers.
    """
    quality, speed = (_read_json(root / FOLDER / name) for name in ("quality.json", "speed.json"))
    # What needs a person's directions has no figures of its own here, nor what is not shipped but fetched.
    shipped = [
        row
        for row in catalog
        if isinstance(row.source, Path | BlendSource) and row.unavailable_reason() is None and not row.needs_directions
    ]
    if not shipped:
        raise DataError("none of the catalog's models is here; train one, or put its weights where the catalog says")
    try:
        results = [_result(row, quality) for row in shipped]
        baselines = _baselines(quality, shipped)
        in_one_pass = [row for row in shipped if row.kind != "diffusion"]
        blocks = {"results": _results_block(results, baselines), "speed": _speed_block(speed, in_one_pass)}
        if in_one_pass != shipped:
            blocks["words"] = _words_block(root, _listening(shipped))
        texts = {root / "README.md": _fill(root / "README.md", blocks)}
        for result in results:
            if not isinstance(result.row.source, Path):
                continue  # a blend has no card of its own
            path = result.row.source / "README.md"
            blocks = {"results": _results_block([result], baselines)}
            if result.row.kind == "diffusion":
                blocks["words"] = _words_block(root, _listening([result.row]))
                blocks["speed"] = _diffusion_speed_block(_read_json(root / FOLDER / "diffusion_speed.json"), result.row)
            else:
                blocks["speed"] = _speed_block(speed, [result.row])
            if result.row.kind == "steerable":
                blocks["steering"] = _steering_block(_read_json(root / FOLDER / "steering.json"))
            texts[path] = _with_model_index(_fill(path, blocks), result)
        if (path := root / RECIPES).exists():
            texts[path] = _fill(path, _recipe_blocks(root))
    except (KeyError, TypeError) as error:
        raise DataError(f"the results in {root / FOLDER} lack {error}; {_remedy(*COMMANDS)}") from error
    return texts


def _steering_block(steering: dict[str, Any]) -> str:
    rows = steering_rows.steering_rows(steering)
    return _table(steering_rows.HEADER, rows) + "\n\n" + steering_rows.words_sentences(steering)


def _listening(rows: Sequence[Row]) -> list[str]:
    """Those that take a prompt, the diffusion models first."""
    kinds = ("diffusion", "steerable")
    return [row.id for row in sorted((row for row in rows if row.kind in kinds), key=lambda row: kinds.index(row.kind))]


def _words_block(root: Path, models: Sequence[str]) -> str:
    words = _read_json(root / FOLDER / "diffusion_words.json")
    return "\n\n".join(
        [
            _table(diffusion_rows.WORDS_HEADER, diffusion_rows.words_rows(words, models)),
            _table(diffusion_rows.swap_header(models), diffusion_rows.swap_rows(words, models)),
            diffusion_rows.words_sentences(words, models),
        ]
    )


def _diffusion_speed_block(speed: dict[str, Any], row: Row) -> str:
    if speed["model"] != row.id:
        raise DataError(f"diffusion_speed.json is of {speed['model']}, not {row.id}; {_remedy('diffusion_speed.json')}")
    rows = diffusion_rows.speed_rows(speed)
    return _table(diffusion_rows.SPEED_HEADER, rows) + "\n\n" + diffusion_rows.speed_sentence(speed)


def _recipe_blocks(root: Path) -> dict[str, str]:
    recipes, batch_sizes = (_read_json(root / FOLDER / name) for name in ("recipes.json", "batch_size.json"))
    counts = {entry["num_pictures"] for entry in recipes.values()}
    saturations = [f"x {saturation}" for saturation in recipe_rows.common_saturations(recipes)]
    return {
        "recipes": _table(recipe_rows.HEADER, recipe_rows.recipe_rows(recipes))
        + f"\n\n{', '.join(map(str, counts))} photographs that were never trained on.",
        "curves": _table(["", *saturations], recipe_rows.curve_rows(recipes)),
        "batches": _table(["batch", "peak memory", "pictures a second"], recipe_rows.batch_rows(batch_sizes)),
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there is no {path}; {_remedy(path.name)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); {_remedy(path.name)}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} must hold a JSON object; {_remedy(path.name)}")
    return content


def _remedy(*names: str) -> str:
    return "make it with: " + "; ".join(COMMANDS[name] for name in names)


def _result(row: Row, quality: dict[str, Any]) -> Result:
    """A model's entry, refused where it was not measured as people get it."""
    if row.id not in quality:
        raise DataError(f"quality.json has no model {row.id}, only {', '.join(quality)}; {_remedy('quality.json')}")
    entry = quality[row.id]
    for name in (name for name in _MEASURED_AT if name in row.settings):
        default = row.settings[name].default
        if entry["settings"][name] != default:
            raise DataError(
                f"quality.json has {row.id} with {name} {entry['settings'][name]}, the catalog's default is {default}; "
                + _remedy("quality.json")
            )
    saturation = str(float(row.settings["saturation"].default))
    if saturation not in entry["by_saturation"]:
        raise DataError(
            f"quality.json has {row.id} at saturation {', '.join(entry['by_saturation'])}, not at the catalog's "
            f"default {saturation}; name it with --saturations"
        )
    at = entry["ciede2000_share_at_colorfulness_share"]
    return Result(
        row=row,
        scores=entry["by_saturation"][saturation],
        at={share: at.get(share) for share in ("0.5", "1.0")},
        num_pictures=entry["num_pictures"],
        versions=entry.get("versions", {}),
    )


def _baselines(quality: dict[str, Any], shipped: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Grey and tint, which must be the same for all models: else they were measured on different photographs."""
    found = [quality[row.id]["baselines"] for row in shipped]
    if any(baselines != found[0] for baselines in found):
        raise DataError(f"the models of quality.json were not measured on one set; {_remedy('quality.json')}")
    baselines: dict[str, dict[str, float]] = found[0]
    return baselines


def _results_block(results: Sequence[Result], baselines: dict[str, dict[str, float]]) -> str:
    num_pictures = results[0].num_pictures
    names = {"grey": "no color at all", "tint": "one constant tint"}
    rows = [
        [names[name], *_score_cells(scores), NOT_REACHED, NOT_REACHED, str(num_pictures)]
        for name, scores in baselines.items()
    ]
    for result in results:
        at = [NOT_REACHED if share is None else percent(share) for share in result.at.values()]
        rows.append([f"`{result.row.id}`", *_score_cells(result.scores), *at, str(result.num_pictures)])
    versions = ", ".join(f"{library} {version}" for library, version in results[0].versions.items())
    notes = [
        f"{num_pictures} photographs that were never trained on, scored at their full size"
        + (f", with {versions}." if versions else "."),
        *(_size_sentence(result.row) for result in results),
        f"{NOT_REACHED}: so colorful at no saturation that was measured.",
    ]
    return _table(HEADER, rows) + "\n\n" + "\n".join(notes)


def _score_cells(scores: dict[str, float]) -> list[str]:
    shares = (scores[name] for name in ("ciede2000_share", "colorfulness_share", "better_than_grey"))
    return [f"{scores['ciede2000']:.2f}", *map(percent, shares)]


def _size_sentence(row: Row) -> str:
    """What was measured: parameters, size of the file, working size and saturation."""
    saturation = float(row.settings["saturation"].default)
    if isinstance(row.source, BlendSource):
        halves = " and ".join(f"`{half.id}`" for half in row.source.halves)
        return f"`{row.id}`: the mean of {halves}, saturation {saturation:g}."
    assert isinstance(row.source, Path)
    if row.kind == "diffusion":
        paths = sorted(row.source.glob("*/*.safetensors"))
        unet, vae = (json.loads((row.source / part / "config.json").read_text("utf-8")) for part in ("unet", "vae"))
        side_px = unet["sample_size"] * vae_factor(vae)
    else:
        paths = [row.source / WEIGHTS_NAME]
        side_px = PX_PER_RENDER_FACTOR * int(row.settings["render_factor"].default)
    size_mb = sum(path.stat().st_size for path in paths) / 1e6
    return (
        f"`{row.id}`: {sum(map(_count_parameters, paths)) / 1e6:.1f} million parameters, {size_mb:.1f} MB, "
        f"working side {side_px} px, saturation {saturation:g}."
    )


def _count_parameters(path: Path) -> int:
    with safe_open(path, framework="pt") as tensors:
        names = [name for name in tensors.keys() if ".running_" not in name]  # noqa: SIM118  # it is no mapping
        return sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)


def _speed_block(speed: dict[str, Any], shipped: Sequence[Row]) -> str:
    ids = [row.id for row in shipped]
    rows = [
        [
            f"`{result['model']}`",
            result["picture"],
            f"{result['pipeline_s'] * 1000:,.0f} ms",
            f"{_network_s(result['parts_s']) * 1000:,.0f} ms",
            f"{result['pipeline_peak_mb']:,.0f} MB",
            f"{result['naive_s'] * 1000:,.0f} ms",
            f"{result['naive_peak_mb']:,.0f} MB",
            f"{result['naive_over_pipeline_time']:.1f} times as long",
        ]
        for result in speed["results"]
        if result["model"] in ids
    ]
    missing = [model for model in ids if f"`{model}`" not in {row[0] for row in rows}]
    if missing:
        raise DataError(f"speed.json has no model {missing[0]}; {_remedy('speed.json')}")
    machine = speed["machine"]
    return (
        _table(SPEED_HEADER, rows)
        + f"\n\nMedians on {machine['cores']} CPU cores ({machine['cpu_capability']}, {machine['threads']} threads, "
        f"device {machine['device']}), Python {machine['python']}, torch {machine['torch']}; `import autochrome` takes "
        f"{speed['import_autochrome_s'] * 1000:.0f} ms."
    )


def _network_s(parts_s: dict[str, float]) -> float:
    """Seconds of all networks: of a blend there are several."""
    return sum(seconds for name, seconds in parts_s.items() if name.startswith("predict"))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _fill(path: Path, blocks: dict[str, str]) -> str:
    """A document's text with new blocks between its markers."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); every shipped model has a card") from error
    for name, block in blocks.items():
        start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found or start in rest:
            raise DataError(f"{path} needs one {start} and after it {end}, each on a line of its own")
        text = f"{before}{start}\n{block}\n{end}{after}"
    return text


def _with_model_index(text: str, result: Result) -> str:
    """The card with the results in its front matter, where the Hub reads them."""
    values = {
        "ciede2000": ("CIEDE2000, mean", result.scores["ciede2000"]),
        "ciede2000_share": ("CIEDE2000, share of plain grey's", result.scores["ciede2000_share"]),
        "colorfulness_share": ("Colorfulness, share of the truth's", result.scores["colorfulness_share"]),
        "better_than_grey": ("Share of photographs nearer to the truth than grey", result.scores["better_than_grey"]),
        "ciede2000_share_at_half": (
            "CIEDE2000, share of grey's, at half the truth's colorfulness",
            result.at["0.5"],
        ),
        "ciede2000_share_at_one": ("CIEDE2000, share of grey's, at the truth's colorfulness", result.at["1.0"]),
    }
    card = ModelCard(text)
    card.data["model_name"] = result.row.id
    card.data["eval_results"] = [
        EvalResult(
            task_type="image-to-image",
            task_name="Colorization",
            dataset_type="held-out-photographs",
            dataset_name=f"{result.num_pictures} photographs that were never trained on",
            metric_type=kind,
            metric_name=name,
            metric_value=value,
        )
        for kind, (name, value) in values.items()
        if value is not None
    ]
    return str(card)


def main(arguments: list[str] | None = None, *, root: Path = ROOT, catalog: Catalog | None = None) -> int:
    """Command-line entry: 0 done or up to date, 1 stale (with --check), 2 results or documents cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.table", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is stale")
    options = parser.parse_args(arguments)
    try:
        texts = documents(root, catalog or load_catalog())
        stale = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{'stale' if options.check else 'written'}: {path}")
            if not options.check:
                with replacing(path) as temporary:
                    temporary.write_text(texts[path], encoding="utf-8")
    except AutochromeError as error:
        print(f"table: error: {error}", file=sys.stderr)
        return 2
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

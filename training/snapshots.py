"""Choosing among the averaged weights of an adversarial stage: no loss says when it is past its best.

Every snapshot is scored on the validation photographs. Those on which skin-toned pixels drifted are refused; of the
others the one with the smallest sum of three shares is chosen:

    CIEDE2000 as a share of grey's + Frechet distance as a share of grey's + |colorfulness share - the one aimed at|

0 is perfect and plain grey has 2 plus the aim. The generator stage's own weights compete too: where they win, the
adversary has brought nothing. All goes to `snapshots.json`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from autochrome.color import lab_to_rgb, lightness_to_grey, rgb_to_lab
from autochrome.errors import DataError
from autochrome.files import write_json
from autochrome.metrics.colorfulness import colorfulness
from autochrome.metrics.frechet import FRECHET_NAME, FeatureMoments, FrechetFeatures, frechet_distance
from autochrome.models import Colorizer, load_colorizer, save_colorizer
from training.config import TrainConfig
from training.data import PhotoStore
from training.skin import MIN_PIXELS, SkinTone, hue_turn_deg, skin_mask
from training.validation import grey_difference, mean_difference, predict


@dataclass
class SnapshotScores:
    """One row of the table; means over the validation photographs."""

    step: int
    kimg: float
    ciede2000_share: float
    """Of plain grey's."""
    better_than_grey: float
    """Share of pictures."""
    colorfulness_share: float
    """Of the truth's."""
    frechet_mobilenet_v2: float
    """On the features of the package's MobileNetV2: no FID."""
    frechet_share: float
    """Of plain grey's."""
    skin_hue_deg: float
    """Hue angle of the mean a*b* of the pixels that are skin-toned in truth."""
    skin_chroma: float
    """Their mean chroma, Lab units."""
    score: float = 0.0
    """The sum of the three shares; the smallest wins."""
    refused: str | None = None
    """Why it cannot be chosen."""


@dataclass
class Truth:
    """What the snapshots are compared with."""

    moments: FeatureMoments
    grey_frechet: float
    skin: SkinTone


def save_snapshot(model: Colorizer, folder: Path, step: int) -> None:
    """Keep weights as they would ship, in `folder/snapshots/{step}`."""
    save_colorizer(model, _path(folder, step))


def choose_snapshot(
    folder: Path,
    steps: Sequence[int],
    config: TrainConfig,
    store: PhotoStore,
    indices: Sequence[int],
    device: torch.device,
) -> int:
    """Score `folder/snapshots/{step}` for each step, write `snapshots.json`, put the best one into `folder/model`.

    The first step is the reference of the guard on skin. Returns the step that was chosen.

    Raises:
        DataError: fewer than two photographs.
        ModelError: a snapshot is missing or damaged.
    """
    require_enough(indices)
    chosen_pictures = indices[: config.num_snapshot_pictures]
    size_px, aim = config.phases[-1].size_px, config.phases[-1].colorfulness_share
    features = FrechetFeatures()
    truth: Truth | None = None
    rows: list[SnapshotScores] = []
    for step in tqdm(steps, desc="scoring snapshots", unit="snapshot"):
        model = load_colorizer(_path(folder, step)).to(device)
        truth = truth or _look_at_truth(model, store, chosen_pictures, size_px, device, features)
        rows.append(_score(model, step, config.batch_size, truth, store, chosen_pictures, size_px, device, features))
    assert truth is not None, "no snapshots"
    # From scratch there is no generator stage: its first weights show one color, which skin had better leave.
    reference = rows[0] if config.phases[0].stage != "adversarial" or config.init_from is not None else None
    for row in rows:
        row.score = row.ciede2000_share + row.frechet_share + abs(row.colorfulness_share - aim)
        row.refused = refusal(row, reference, truth.skin, config)
    best = min((row for row in rows if row.refused is None), key=lambda row: row.score)
    guarded = reference is not None and truth.skin.num_pixels >= MIN_PIXELS
    report = {
        "chosen": best.step,
        "rule": "smallest ciede2000_share + frechet_share + |colorfulness_share - aim| of those not refused",
        "colorfulness_aim": aim,
        "num_pictures": len(chosen_pictures),
        "size_px": size_px,
        "frechet": FRECHET_NAME,
        "grey_frechet": truth.grey_frechet,
        "skin": {
            "guarded_against_step": rows[0].step if guarded else None,
            "num_pixels": truth.skin.num_pixels,
            "true_hue_deg": truth.skin.hue_deg,
            "true_chroma": truth.skin.chroma,
            "hue_limit_deg": config.skin_hue_limit_deg,
            "chroma_limit": config.skin_chroma_limit,
        },
        "snapshots": [asdict(row) for row in rows],
    }
    write_json(report, folder / "snapshots.json")
    print(table(rows, best.step))
    if not guarded:
        print(
            f"no guard on skin: {'no generator stage' if reference is None else 'hardly a skin-toned pixel'} to go by"
        )
    if best.step == steps[0] and reference is not None:
        print("the generator stage's own weights are the best: the adversarial stage has brought nothing")
    save_colorizer(load_colorizer(_path(folder, best.step)), folder / "model")
    return best.step


def require_enough(indices: Sequence[int]) -> None:
    """Raise `DataError` where there are too few photographs to judge snapshots by."""
    if len(indices) < 2:
        raise DataError(
            f"choosing a snapshot needs at least 2 validation photographs, and better hundreds; got {len(indices)}: "
            f"raise validation_share"
        )


def refusal(row: SnapshotScores, reference: SnapshotScores | None, truth: SkinTone, config: TrainConfig) -> str | None:
    """Why a snapshot's skin has drifted, or None. Only away from the truth is drift, however far it is."""
    if reference is None or truth.num_pixels < MIN_PIXELS:
        return None
    turn = hue_turn_deg(row.skin_hue_deg, reference.skin_hue_deg)
    errors = [abs(hue_turn_deg(one.skin_hue_deg, truth.hue_deg)) for one in (row, reference)]
    if abs(turn) > config.skin_hue_limit_deg and errors[0] > errors[1]:
        return f"skin turned by {turn:+.1f} degrees of hue, the limit is {config.skin_hue_limit_deg:g}"
    rise = row.skin_chroma - reference.skin_chroma
    if rise > config.skin_chroma_limit and row.skin_chroma > truth.chroma:
        return f"skin gained {rise:+.1f} units of chroma, the limit is {config.skin_chroma_limit:g}"
    return None


def table(rows: Sequence[SnapshotScores], chosen: int) -> str:
    """The rows as text; an arrow marks the chosen one."""
    lines = ["    step    kimg  CIEDE2000  better  colorful  Frechet  skin hue  chroma   score"]
    for row in rows:
        lines.append(
            f"{'->' if row.step == chosen else '  '}{row.step:6d} {row.kimg:7.2f} {row.ciede2000_share:10.4f} "
            f"{row.better_than_grey:7.2f} {row.colorfulness_share:9.3f} {row.frechet_share:8.3f} "
            f"{row.skin_hue_deg:9.1f} {row.skin_chroma:7.1f} {row.score:7.4f}  {row.refused or ''}".rstrip()
        )
    return "\n".join(lines)


def _path(folder: Path, step: int) -> Path:
    return folder / "snapshots" / str(step)


def _look_at_truth(
    model: Colorizer,
    store: PhotoStore,
    indices: Sequence[int],
    size_px: int,
    device: torch.device,
    features: FrechetFeatures,
) -> Truth:
    moments, grey, skin = FeatureMoments(), FeatureMoments(), SkinTone()
    for batch in predict(model, store, indices, size_px, device):
        moments.add(features(lab_to_rgb(batch.truth).clamp(0, 1).cpu()))
        grey.add(features(lightness_to_grey(batch.lightness).expand(-1, 3, -1, -1).cpu()))
        skin.add(batch.truth, skin_mask(batch.truth))
    return Truth(moments, frechet_distance(grey, moments), skin)


def _score(
    model: Colorizer,
    step: int,
    batch_size: int,
    truth: Truth,
    store: PhotoStore,
    indices: Sequence[int],
    size_px: int,
    device: torch.device,
    features: FrechetFeatures,
) -> SnapshotScores:
    moments, skin = FeatureMoments(), SkinTone()
    columns = []
    for batch in predict(model, store, indices, size_px, device):
        rgb = batch.render()
        lab = rgb_to_lab(rgb)
        moments.add(features(rgb.cpu()))
        skin.add(lab, skin_mask(batch.truth))
        true_colorfulness = colorfulness(lab_to_rgb(batch.truth).clamp(0, 1))
        difference = mean_difference(lab, batch.truth)
        columns.append(torch.stack((difference, grey_difference(batch.truth), colorfulness(rgb), true_colorfulness)))
    difference, grey, vivid, true_vivid = torch.cat(columns, dim=1).cpu()
    distance = frechet_distance(moments, truth.moments)
    return SnapshotScores(
        step=step,
        kimg=step * batch_size / 1000,
        ciede2000_share=(difference.mean() / grey.mean()).item(),
        better_than_grey=(difference < grey).float().mean().item(),
        colorfulness_share=(vivid.mean() / true_vivid.mean()).item(),
        frechet_mobilenet_v2=distance,
        frechet_share=distance / truth.grey_frechet,
        skin_hue_deg=skin.hue_deg,
        skin_chroma=skin.chroma,
    )

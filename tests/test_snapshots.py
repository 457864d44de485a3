"""Choosing a snapshot: skin tones, the guard on them, the scores, and a choice whose answer is known."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from autochrome.color import rgb_to_lab
from autochrome.errors import DataError
from autochrome.image import picture_to_tensor
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer
from training.config import Phase, TrainConfig
from training.data import PhotoStore, open_photos
from training.skin import MIN_PIXELS, SkinTone, hue_turn_deg, skin_mask
from training.snapshots import SnapshotScores, choose_snapshot, refusal, require_enough, save_snapshot, table

CPU = torch.device("cpu")


def _flat_lab(lightness: float, chroma: float, hue_deg: float, side: int = 4) -> Tensor:
    hue = math.radians(hue_deg)
    return (
        torch.tensor([lightness, chroma * math.cos(hue), chroma * math.sin(hue)])
        .view(1, 3, 1, 1)
        .repeat(1, 1, side, side)
    )


def test_faces_are_skin_toned_and_skies_and_lawns_are_not() -> None:
    face = rgb_to_lab(picture_to_tensor(Image.fromarray(skimage.data.astronaut()[90:170, 190:250])))
    assert skin_mask(face).float().mean() > 0.8
    for rgb in ([110, 160, 220], [80, 140, 60], [128, 128, 128], [230, 20, 20]):
        picture = (torch.tensor(rgb) / 255).view(1, 3, 1, 1)
        assert not skin_mask(rgb_to_lab(picture)).any(), rgb


@pytest.mark.parametrize(("lightness", "chroma", "hue_deg"), [(66, 18, 55), (58, 22, 60), (38, 17, 48)])
def test_skin_of_every_depth_counts(lightness: float, chroma: float, hue_deg: float) -> None:
    assert skin_mask(_flat_lab(lightness, chroma, hue_deg)).all()
    assert not skin_mask(_flat_lab(lightness, 3 * chroma, hue_deg)).any(), "orange"
    assert not skin_mask(_flat_lab(lightness, chroma, hue_deg + 60)).any()
    assert not skin_mask(_flat_lab(5, chroma, hue_deg)).any()


def test_mean_tone_is_that_of_the_mask_alone() -> None:
    lab = torch.cat((_flat_lab(60, 20, 50), _flat_lab(60, 30, 70)))
    mask = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    mask[0, 0, 0] = True
    tone = SkinTone()
    assert (tone.hue_deg, tone.chroma) == (0, 0)
    tone.add(lab, mask)
    assert tone.num_pixels == 4
    assert (tone.hue_deg, tone.chroma) == pytest.approx((50, 20))
    tone.add(lab, mask.flip(0))
    assert 50 < tone.hue_deg < 70
    assert tone.chroma == pytest.approx(25)


@pytest.mark.parametrize(("hue", "start", "turn"), [(60, 50, 10), (50, 60, -10), (-170, 170, 20), (170, -170, -20)])
def test_hues_turn_the_shorter_way(hue: float, start: float, turn: float) -> None:
    assert hue_turn_deg(hue, start) == pytest.approx(turn)


def _row(hue: float, chroma: float, step: int = 1) -> SnapshotScores:
    return SnapshotScores(step, 0.1, 0.9, 0.6, 0.5, 10.0, 0.5, hue, chroma)


@pytest.mark.parametrize(
    ("hue", "chroma", "message"),
    [
        (60.0, 18.0, None),
        (63.0, 18.0, None),
        (68.0, 18.0, r"skin turned by \+8.0 degrees of hue, the limit is 6"),
        (50.0, 18.0, None),  # past the limit, but towards the truth
        (36.0, 18.0, r"skin turned by -24.0 degrees"),
        (60.0, 24.0, None),  # as vivid as the truth, whatever the rise
        (60.0, 25.5, r"skin gained \+7.5 units of chroma, the limit is 6"),
    ],
)
def test_skin_that_drifts_is_refused(hue: float, chroma: float, message: str | None) -> None:
    truth = SkinTone(MIN_PIXELS, MIN_PIXELS * math.cos(math.radians(52)), MIN_PIXELS * math.sin(math.radians(52)))
    truth.sum_chroma = 25.0 * MIN_PIXELS
    config = TrainConfig()
    reason = refusal(_row(hue, chroma), _row(60.0, 18.0), truth, config)
    assert (reason is None) == (message is None), reason
    assert re.search(message or "", reason or "")
    assert refusal(_row(hue, chroma), None, truth, config) is None
    assert refusal(_row(hue, chroma), _row(60.0, 18.0), replace(truth, num_pixels=MIN_PIXELS - 1), config) is None


def test_the_table_marks_the_chosen_and_explains_the_refused() -> None:
    rows = [_row(50, 20, step=1), replace(_row(80, 20, step=2), refused="skin turned")]
    lines = table(rows, chosen=1).splitlines()
    assert [line.startswith("->") for line in lines] == [False, True, False]
    assert lines[2].endswith("skin turned")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PhotoStore:
    """Pieces of photographs with skin, wood and food in them."""
    folder = tmp_path_factory.mktemp("pieces")
    for name in ("astronaut", "coffee", "chelsea"):
        pixels = getattr(skimage.data, name)()
        for left in (0, 128):
            Image.fromarray(pixels[60:260, left : left + 200]).save(folder / f"{name}-{left}.png")
    return open_photos([str(folder)], tmp_path_factory.mktemp("cache"), 64)


def _flat_model(a: float, b: float) -> Colorizer:
    """A network that gives every pixel this colour, in Lab units."""
    model = Colorizer(ColorizerConfig.tiny())
    with torch.no_grad():
        head = model.get_submodule("decoder.head")
        assert isinstance(head, torch.nn.Conv2d)
        assert head.bias is not None
        head.weight.zero_()
        head.bias.copy_(torch.tensor([a, b]) / 110)
    return model.eval()


def _config(aim: float, *stages: str) -> TrainConfig:
    phases = [Phase(stage=stage, size_px=64, colorfulness_share=aim) for stage in stages]
    return TrainConfig(name="x", photos=[], phases=phases, batch_size=10)


def _choose(folder: Path, store: PhotoStore, config: TrainConfig, *tints: tuple[float, float]) -> tuple[int, list[str]]:
    for step, (a, b) in enumerate(tints):
        save_snapshot(_flat_model(a, b), folder, step)
    chosen = choose_snapshot(folder, range(len(tints)), config, store, range(len(store)), CPU)
    rows = json.loads((folder / "snapshots.json").read_text())["snapshots"]
    return chosen, [row["refused"] or "" for row in rows]


def test_the_choice_is_the_best_that_keeps_its_skin(
    store: PhotoStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of constant tints: a brown near the truth wins; blue is bad, and orange, however vivid, is refused."""
    tints = [(4.0, 6.0), (8.0, 12.0), (0.0, -30.0), (35.0, 60.0)]
    chosen, refused = _choose(tmp_path, store, _config(0.2, "generator", "adversarial"), *tints)
    assert chosen == 1
    assert [bool(reason) for reason in refused] == [False, False, True, True]
    assert "of hue" in refused[2]
    assert "of chroma" in refused[3]
    assert "->     1" in capsys.readouterr().out
    report = json.loads((tmp_path / "snapshots.json").read_text())
    assert report["skin"]["guarded_against_step"] == 0
    assert report["num_pictures"] == 6
    assert report["snapshots"][3]["kimg"] == 0.03
    for row in report["snapshots"]:
        aim = abs(row["colorfulness_share"] - 0.2)
        assert row["score"] == pytest.approx(row["ciede2000_share"] + row["frechet_share"] + aim)
        assert row["frechet_share"] == pytest.approx(row["frechet_mobilenet_v2"] / report["grey_frechet"])
    shipped = load_colorizer(tmp_path / "model").get_parameter("decoder.head.bias")
    assert torch.allclose(shipped * 110, torch.tensor([8.0, 12.0]), atol=0.05)


def test_without_a_generator_stage_nothing_is_guarded(
    store: PhotoStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, refused = _choose(tmp_path, store, _config(0.2, "adversarial"), (0.0, 0.0), (8.0, 12.0), (35.0, 60.0))
    assert chosen == 1
    assert refused == ["", "", ""]
    assert "no guard on skin: no generator stage to go by" in capsys.readouterr().out


def test_an_adversary_that_brings_nothing_is_told(
    store: PhotoStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, _ = _choose(tmp_path, store, _config(0.2, "generator", "adversarial"), (8.0, 12.0), (0.0, -30.0))
    assert chosen == 0
    assert "the adversarial stage has brought nothing" in capsys.readouterr().out


def test_one_photograph_is_too_few() -> None:
    require_enough([4, 7])
    with pytest.raises(DataError, match="needs at least 2 validation photographs, and better hundreds; got 1"):
        require_enough([4])

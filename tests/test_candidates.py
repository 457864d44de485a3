"""Several answers of a model that has one: other render factors, drawn by the seed; the first is the plain result."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from autochrome.errors import SettingError
from autochrome.models import Colorizer, ColorizerConfig
from autochrome.pipelines import BlendPipeline, FeedforwardPipeline, Setting
from autochrome.pipelines.candidates import Pictures, candidate_factors

FACTORS = Setting("render_factor", 16, 7, 45)


def same(first: PIL.Image.Image, second: PIL.Image.Image) -> bool:
    return first.size == second.size and first.tobytes() == second.tobytes()


@pytest.fixture(scope="module")
def pipe() -> FeedforwardPipeline:
    torch.manual_seed(0)
    return FeedforwardPipeline(Colorizer(ColorizerConfig.tiny()), model_id="tiny", device="cpu")


@pytest.mark.parametrize("chosen", [7, 12, 16, 30, 45])
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_factors_are_distinct_spread_and_repeatable(chosen: int, count: int) -> None:
    seen = set()
    for seed in range(20):
        factors = candidate_factors(chosen, count, seed, FACTORS)
        assert factors == candidate_factors(chosen, count, seed, FACTORS)
        assert factors[0] == chosen
        assert len(set(factors)) == count
        assert factors[1:] == sorted(factors[1:])
        assert all(7 <= factor <= 45 for factor in factors)
        seen.add(tuple(factors))
    if count > 1:
        assert len(seen) > 1, "another seed, other factors"
    if count >= 3 and chosen in (12, 16, 30):
        assert all(min(factors[1:]) < chosen < max(factors[1:]) for factors in seen), "bolder ones and calmer ones"


def test_more_candidates_than_factors_are_refused() -> None:
    narrow = Setting("render_factor", 8, 7, 10)
    assert sorted(candidate_factors(8, 4, 0, narrow)) == [7, 8, 9, 10]
    with pytest.raises(SettingError, match=r"candidates must be at most 4 for this model.*from 7 to 10; got 5"):
        candidate_factors(8, 5, 0, narrow)


def test_candidates_of_a_model(pipe: FeedforwardPipeline, grey_photo: Path) -> None:
    plain = pipe(grey_photo, render_factor=8)
    out = pipe(grey_photo, render_factor=8, candidates=3, seed=5)
    assert len(plain.images) == 1
    assert len(out.images) == 3
    assert same(out.images[0], plain.images[0]), "the first is the plain result"
    for number, picture in enumerate(out.images):
        assert picture.size == out.source.size
        assert same(picture, out.render(candidate=number))
    others = [other.settings["render_factor"] for other in out.others]
    assert others == candidate_factors(8, 3, 5, FACTORS)[1:]
    assert not same(out.images[0], out.images[2])
    # A candidate's file says how to make it alone, and that makes the same picture.
    named = json.loads(out.metadata(candidate=2)["Settings"])
    assert named["render_factor"] == others[1]
    assert named["candidates"] == 1
    assert same(pipe(grey_photo, **named).images[0], out.images[2])
    grey = np.asarray(out.render(candidate=1, saturation=0.0)).astype(int)
    assert np.ptp(grey, axis=2).max() <= 1


def test_candidates_of_a_blend(grey_photo: Path) -> None:
    torch.manual_seed(1)
    halves = [FeedforwardPipeline(Colorizer(ColorizerConfig.tiny()), model_id=name, device="cpu") for name in "ab"]
    blend = BlendPipeline(halves)
    steps: list[tuple[float, str]] = []
    out = blend(grey_photo, candidates=2, seed=3, progress=lambda share, step: steps.append((share, step)))
    assert len(out.images) == 2
    assert [step for _, step in steps] == ["read", *["predict a", "predict b"] * 2, "render", "done"]
    assert [share for share, _ in steps] == sorted(share for share, _ in steps), "progress never goes back"
    named = json.loads(out.metadata(candidate=1)["Settings"])
    assert same(blend(grey_photo, **named).images[0], out.images[1])


@pytest.mark.parametrize("candidate", [-1, 2])
def test_there_is_no_such_candidate(pipe: FeedforwardPipeline, grey_photo: Path, candidate: int) -> None:
    out = pipe(grey_photo, candidates=2)
    for look in (out.render, out.metadata):
        with pytest.raises(SettingError, match=rf"candidate must be from 0 to 1.*: {candidate}"):
            look(candidate=candidate)


@pytest.mark.parametrize("candidates", [0, 7, 1.5, True])
def test_candidates_out_of_range(pipe: FeedforwardPipeline, candidates: object) -> None:
    with pytest.raises(SettingError, match="candidates must be an integer from 1 to 6, got"):
        pipe.check_inputs(candidates=candidates)


def test_pictures_are_rendered_when_asked_for() -> None:
    asked = []

    def render() -> PIL.Image.Image:
        asked.append(1)
        return PIL.Image.new("RGB", (2, 2))

    first = PIL.Image.new("RGB", (3, 3))
    pictures = Pictures(first, [render, render])
    assert len(pictures) == 3
    assert pictures[0] is first
    assert asked == []
    assert pictures[-1].size == (2, 2)
    assert [picture.size for picture in pictures[:2]] == [(3, 3), (2, 2)]
    assert len(asked) == 2
    with pytest.raises(IndexError):
        pictures[3]

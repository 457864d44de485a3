"""Blends: the mean of several models' colors, at every door."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from skimage.data import astronaut

from autochrome import load_pipeline
from autochrome.catalog import BlendSource, Catalog
from autochrome.cli import main
from autochrome.errors import CatalogError, ModelError, SettingError, UnavailableError
from autochrome.image import resize
from autochrome.models import Colorizer, ColorizerConfig
from autochrome.pipelines import BlendPipeline, FeedforwardPipeline, Setting, blend_settings

BLEND = "tiny-one+tiny-two"


def make_pipeline(seed: int, model_id: str, **changes: Setting) -> FeedforwardPipeline:
    torch.manual_seed(seed)
    return FeedforwardPipeline(
        Colorizer(ColorizerConfig.tiny()), model_id=model_id, settings=dict(changes), device="cpu"
    )


@pytest.fixture(scope="module")
def photo() -> PIL.Image.Image:
    return PIL.Image.fromarray(astronaut()).resize((160, 120)).convert("L").convert("RGB")


@pytest.fixture(scope="module")
def halves() -> tuple[FeedforwardPipeline, FeedforwardPipeline]:
    """Two models with defaults of their own: 112 and 208 px, dull and vivid."""
    one = make_pipeline(0, "one", render_factor=Setting("render_factor", 7, 7, 30))
    two = make_pipeline(
        1, "two", render_factor=Setting("render_factor", 13, 8, 45), saturation=Setting("saturation", 2.0, 0.0, 3.0)
    )
    return one, two


def test_a_blend_is_the_mean_of_what_its_halves_show(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline], photo: PIL.Image.Image
) -> None:
    blend = BlendPipeline(halves)
    out = blend(photo)
    first, second = (half(photo) for half in halves)
    assert second.ab.numel() > first.ab.numel()
    expected = (resize(first.ab, (second.ab.shape[-1], second.ab.shape[-2])) + 2.0 * second.ab) / 2
    torch.testing.assert_close(out.ab, expected)
    assert torch.equal(out.lightness, second.lightness)
    assert (out.model, out.settings["saturation"]) == ("one+two", 1.0)
    assert out.images[0].size == photo.size
    assert out.metadata()["Model"] == "one+two"
    assert list(out.timings) == ["read", "prepare", "predict one", "predict two", "render"]
    assert out.seconds == pytest.approx(sum(out.timings.values()))
    assert out.render().tobytes() == out.images[0].tobytes()
    assert out.render(saturation=0.0).tobytes() != out.images[0].tobytes()


def test_a_given_render_factor_holds_for_all(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline], photo: PIL.Image.Image
) -> None:
    out = BlendPipeline(halves)(photo, render_factor=9)
    first, second = (half(photo, render_factor=9) for half in halves)
    torch.testing.assert_close(out.ab, (first.ab + 2.0 * second.ab) / 2)
    assert out.settings["render_factor"] == 9


def test_settings_are_those_that_all_take_in_the_range_that_all_allow(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline],
) -> None:
    settings = BlendPipeline(halves).settings
    assert settings["render_factor"] == Setting("render_factor", 10, 8, 30)
    assert settings["saturation"] == Setting("saturation", 1.0, 0.0, 3.0)
    assert settings["merge_lightness"] == Setting("merge_lightness", True)
    with_steps = {**settings, "steps": Setting("steps", 4, 1, 8)}
    assert set(blend_settings([with_steps, settings])) == set(settings)
    apart = {**settings, "render_factor": Setting("render_factor", 40, 31, 45)}
    with pytest.raises(SettingError, match="cannot be blended: no render_factor is in the range of all of them"):
        blend_settings([settings, apart])
    low = {**settings, "saturation": Setting("saturation", 0.5, 0.0, 0.8)}
    assert blend_settings([low, low])["saturation"].default == 0.8


def test_more_than_two_can_be_blended(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline], photo: PIL.Image.Image
) -> None:
    three = BlendPipeline([*halves, make_pipeline(2, "three")])
    out = three(photo, render_factor=8)
    parts = [
        half(photo, render_factor=8).ab * saturation for half, saturation in zip(three.halves, (1, 2, 1), strict=True)
    ]
    torch.testing.assert_close(out.ab, torch.stack(parts).mean(dim=0))


def test_wrong_settings_and_halves_are_refused(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline], photo: PIL.Image.Image
) -> None:
    blend = BlendPipeline(halves)
    for given, message in (
        ({"render_factor": 31}, "render_factor must be an integer from 8 to 30, got 31"),
        ({"prompt": "red"}, "one[+]two takes no prompt; its settings are: merge_lightness, render_factor, saturation"),
    ):
        with pytest.raises(SettingError, match=message):
            blend(photo, **given)
    with pytest.raises(SettingError, match=r"a blend needs at least two models joined by '[+]', got 'one'"):
        BlendPipeline(halves[:1])
    with pytest.raises(SettingError, match="a blend of a model with itself is that model: one is named more than once"):
        BlendPipeline([halves[0], halves[1], halves[0]])
    broken = make_pipeline(3, "broken")
    with torch.no_grad():
        next(iter(broken.model.decoder.parameters())).fill_(math.nan)
    with pytest.raises(ModelError, match="broken gave colors that are not numbers"):
        BlendPipeline([halves[0], broken])(photo)


def test_progress_names_the_halves(
    halves: tuple[FeedforwardPipeline, FeedforwardPipeline], photo: PIL.Image.Image
) -> None:
    told: list[tuple[float, str]] = []
    BlendPipeline(halves)(photo, progress=lambda share, step: told.append((share, step)))
    assert [step for _, step in told] == ["read", "predict one", "predict two", "render", "done"]
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_ids_joined_by_plus_are_a_row(tiny_catalog: Catalog, photo: PIL.Image.Image) -> None:
    row = tiny_catalog[" tiny-one + tiny-two "]
    assert (row.id, row.name, row.kind) == (BLEND, "Tiny One + Tiny Two", "blend")
    assert (row.license, row.device) == ("Apache-2.0", "cpu")
    assert row.description == "The mean color of Tiny One and Tiny Two."
    assert row.to_dict()["source"] == BLEND
    assert row.to_dict()["available"] is True
    assert isinstance(row.source, BlendSource)
    out = tiny_catalog.load_pipeline(BLEND, device="cpu")(photo, render_factor=7)
    parts = [tiny_catalog.load_pipeline(half.id, device="cpu")(photo, render_factor=7).ab for half in row.source.halves]
    torch.testing.assert_close(out.ab, (parts[0] + parts[1]) / 2)


def test_licenses_and_devices_of_a_blend_add_up(tiny_catalog: Catalog) -> None:
    other = replace(tiny_catalog["tiny-two"], license="MIT", device="accelerator")
    row = Catalog((tiny_catalog["tiny-one"], other))[BLEND]
    assert (row.license, row.device) == ("Apache-2.0 AND MIT", "accelerator")


@pytest.mark.parametrize(
    ("model_id", "message"),
    [
        ("tiny-one+tiny-tow", r"there is no model 'tiny-tow'; did you mean tiny-two\? There are: tiny-one, tiny-two"),
        ("tiny-one+tiny-one", "a blend of a model with itself is that model: tiny-one is named more than once"),
        ("tiny-one+", "a blend needs at least two models joined by '[+]', got 'tiny-one'"),
        ("+", "a blend needs at least two models joined by '[+]', got ''"),
    ],
)
def test_what_cannot_be_blended_is_named(tiny_catalog: Catalog, model_id: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        tiny_catalog.load_pipeline(model_id)


def test_a_blend_of_a_blend_is_refused(tiny_catalog: Catalog) -> None:
    blend = replace(tiny_catalog[BLEND], id="mix")
    with pytest.raises(
        CatalogError, match=r"tiny-one[+]mix: a blend is made of feedforward models; mix is of kind blend"
    ):
        Catalog((*tiny_catalog.rows, blend))["tiny-one+mix"]


def test_a_half_that_is_not_here_is_named(tiny_catalog: Catalog) -> None:
    reason = tiny_catalog["tiny-one+not-installed"].unavailable_reason()
    assert reason is not None
    assert reason.startswith("Its half not-installed is missing. Its weights are not installed: there is no ")
    with pytest.raises(
        UnavailableError, match=r"tiny-one[+]not-installed is not available: Its half not-installed is mi"
    ):
        tiny_catalog.load_pipeline("tiny-one+not-installed")


def test_load_pipeline_and_the_command_line_take_a_blend(photo: PIL.Image.Image, tmp_path: Path) -> None:
    assert isinstance(load_pipeline("gan-artistic+cnn-classic", device="cpu"), BlendPipeline)
    photo.save(tmp_path / "photo.png")
    arguments = ["colorize", str(tmp_path / "photo.png"), "--output", str(tmp_path / "out"), "--render-factor", "7"]
    assert main([*arguments, "--model", "gan-artistic+cnn-classic"]) == 0
    with PIL.Image.open(tmp_path / "out" / "photo.png") as picture:
        assert picture.info["Model"] == "gan-artistic+cnn-classic"
        assert picture.size == photo.size
    assert main([*arguments, "--model", "gan-artistic+nothing"]) == 2


def test_page_and_api_take_a_blend(tiny_catalog: Catalog, photo: PIL.Image.Image, tmp_path: Path) -> None:
    from autochrome.ui.studio import Studio

    photo.save(tmp_path / "photo.png")
    settings: dict[str, Any] = {"render_factor": 7}
    coloring = Studio(tiny_catalog).colorize(tmp_path / "photo.png", model=BLEND, settings=settings)
    assert coloring.output.model == BLEND

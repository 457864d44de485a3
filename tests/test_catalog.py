"""The catalog: strict about its rows, clear about what is not there."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from autochrome import load_pipeline
from autochrome.catalog import PACKAGE_DIR, BlendSource, ClassicSource, HubSource, load_catalog
from autochrome.errors import CatalogError, ModelError, UnavailableError
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import DiffusionPipeline, Setting, TextSetting

ROW: dict[str, Any] = {
    "id": "one",
    "name": "One",
    "kind": "feedforward",
    "source": "weights/one",
    "license": "Apache-2.0",
    "description": "For this test.",
    "device": "cpu",
}


def write(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"models": list(rows)}), encoding="utf-8")
    return path


def test_the_package_offers_its_models() -> None:
    catalog = load_catalog()
    diffusion = ["diffusion-mini", "controlnet-sd15"]
    trained = ["natural", "gan-artistic", "gan-stable", "steerable", *diffusion, "cnn-classic"]
    assert [row.id for row in catalog] == [*trained, "scribbles", "segments"]
    assert catalog.default.id == "natural"
    assert len(catalog) == 9
    assert isinstance(catalog.default.source, BlendSource)
    assert [half.id for half in catalog.default.source.halves] == ["gan-artistic", "gan-stable"]
    for row in (catalog[name] for name in ("gan-artistic", "gan-stable", "cnn-classic")):
        assert row.needs_directions == ()
        assert list(row.settings) == ["merge_lightness", "render_factor", "saturation", "seed", "candidates"]
        assert (row.settings["render_factor"].minimum, row.settings["render_factor"].maximum) == (7, 45)
        assert (row.settings["saturation"].minimum, row.settings["saturation"].maximum) == (0.0, 4.0)
        assert row.source == PACKAGE_DIR / "weights" / row.id


def test_settings_of_a_row_reach_the_model_and_the_rest_keeps_the_defaults(tmp_path: Path) -> None:
    values = {**ROW, "settings": {"saturation": {"default": 2, "min": 0, "max": 3}}, "flip_average": True}
    row = load_catalog(write(tmp_path, values))["one"]
    assert row.settings["saturation"].default == 2.0
    assert isinstance(row.settings["saturation"].default, float)
    assert row.settings["render_factor"].default == 16
    assert row.flip_average
    assert row.to_dict()["settings"]["saturation"] == {"default": 2.0, "min": 0.0, "max": 3.0}
    assert row.to_dict()["settings"]["merge_lightness"] == {"default": True}


def test_unknown_model_is_told_the_others() -> None:
    with pytest.raises(CatalogError, match=r"no model 'gan-artistik'; did you mean gan-artistic\? There are: natural"):
        load_pipeline("gan-artistik")
    with pytest.raises(CatalogError, match=r"there is no model 'zzz'\. There are: natural, gan-artistic, gan-st"):
        load_catalog()["zzz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, r"catalog row one: missing entries: \[\], unknown entries: \['colour'\]"),
        ({"license": None}, "catalog row one: license must be a text, got None"),
        ({"name": " "}, "catalog row one: name must be a text"),
        ({"id": "One Model"}, "id must be lower case letters, digits and hyphens"),
        ({"kind": "magic"}, "kind must be one of feedforward, steerable, diffusion, blend, classic, got 'magic'"),
        ({"device": "tpu"}, "device must be one of cpu, accelerator, got 'tpu'"),
        ({"flip_average": "yes"}, "flip_average must be true or false, got 'yes'"),
        ({"needs_controlnet": "yes"}, "needs_controlnet must be true or false, got 'yes'"),
        ({"needs_controlnet": True}, "needs_controlnet belongs to diffusion rows, this one is of kind feedforward"),
        (
            {"kind": "diffusion", "settings": {"negative_prompt": {"default": 3}}},
            "catalog row one: negative_prompt must be a text of at most 1,000 characters, got 3",
        ),
        (
            {"kind": "diffusion", "settings": {"prompt": {"default": "red"}}},
            "settings must be a mapping with some of merge_lightness, saturation, negative_prompt, steps, ",
        ),
        ({"kind": "classic"}, "source of a classic way must be one of scribbles, segments, got 'weights/one'"),
        ({"kind": "classic", "source": ["scribbles"]}, r"must be one of scribbles, segments, got \['scribbles'\]"),
        (
            {"kind": "classic", "source": "scribbles", "flip_average": True},
            "catalog row one: flip_average belongs to feedforward rows, this one is of kind classic",
        ),
        (
            {"kind": "classic", "source": "scribbles", "settings": {"hints": {"default": []}}},
            "settings must be a mapping with some of merge_lightness, render_factor, saturation, got",
        ),
        ({"source": "../elsewhere"}, "source must be a folder inside the package, got '../elsewhere'"),
        ({"source": "/etc"}, "source must be a folder inside the package, got '/etc'"),
        ({"source": ["a"]}, "source must be a folder, or a mapping with repo_id and revision"),
        (
            {"source": {"repo_id": "a/b", "revision": "main"}},
            "revision must be a commit of 40 hex digits, not a branch",
        ),
        ({"source": {"repo_id": "a", "revision": "0" * 40}}, "repo_id must be owner/name, got 'a'"),
        (
            {"settings": {"steps": {"default": 1}}},
            "settings must be a mapping with some of merge_lightness, render_fac",
        ),
        ({"settings": {"seed": 3}}, r"setting seed must have the entries \['default', 'max', 'min'\], got 3"),
        ({"settings": {"merge_lightness": {"default": 1}}}, "merge_lightness must be true or false, got 1"),
        (
            {"settings": {"render_factor": {"default": 50, "min": 7, "max": 60}}},
            "catalog row one: render_factor must be an integer from 7 to 45, got 50",
        ),
        (
            {"settings": {"render_factor": {"default": 9, "min": 10, "max": 20}}},
            "catalog row one: render_factor must be an integer from 10 to 20, got 9",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_entry(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        load_catalog(write(tmp_path, {**ROW, **changes}))


def test_a_row_must_be_complete_and_its_id_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"missing entries: \['device'\]"):
        load_catalog(write(tmp_path, {name: value for name, value in ROW.items() if name != "device"}))
    with pytest.raises(CatalogError, match="has the id one more than once"):
        load_catalog(write(tmp_path, ROW, ROW))
    with pytest.raises(CatalogError, match="row 2 of the catalog must be a mapping, got 'two'"):
        load_catalog(write(tmp_path, ROW, "two"))
    with pytest.raises(CatalogError, match="has no rows; it needs at least one model"):
        load_catalog(write(tmp_path))


@pytest.mark.parametrize("text", ["- 1", "models: {}", "models: []\nmore: 1"])
def test_a_catalog_holds_one_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match="must hold one entry, `models`, with a list of rows"):
        load_catalog(path)


def test_a_catalog_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models: [", encoding="utf-8")
    for unreadable in (path, tmp_path / "none.yaml"):
        with pytest.raises(CatalogError, match=r"the catalog .* cannot be read"):
            load_catalog(unreadable)


def test_an_accelerator_row_waits_for_one(tmp_path: Path) -> None:
    row = load_catalog(write(tmp_path, {**ROW, "device": "accelerator"}))["one"]
    reason = row.unavailable_reason()
    assert reason is not None
    assert ("It needs a GPU" in reason) == (not torch.cuda.is_available())


def test_rows_that_cannot_be_loaded_stay_visible_with_the_reason(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, ROW))
    assert catalog["one"].to_dict()["available"] is False
    assert catalog["one"].to_dict()["reason"].startswith("Its weights are not installed: there is no weights/one/")
    with pytest.raises(UnavailableError, match="model one is not available: Its weights are not installed"):
        catalog.load_pipeline("one")


def test_a_diffusion_row_names_its_folder_and_its_negative_prompt(tmp_path: Path) -> None:
    values = {**ROW, "kind": "diffusion", "settings": {"negative_prompt": {"default": ""}}}
    row = load_catalog(write(tmp_path, values))["one"]
    assert row.settings["negative_prompt"] == TextSetting("negative_prompt", "")
    assert list(row.settings) == list(DiffusionPipeline.SETTINGS)
    assert row.unavailable_reason() == "Its weights are not installed: there is no weights/one/model_index.json."
    values["settings"] = {"negative_prompt": {"default": "sepia"}}
    assert load_catalog(write(tmp_path, values))["one"].to_dict()["settings"]["negative_prompt"]["default"] == "sepia"


def test_a_row_of_the_hub_is_pinned(tmp_path: Path) -> None:
    """How it loads: test_hub.py."""
    values = {**ROW, "source": {"repo_id": "someone/model", "revision": "0123456789" * 4}}
    row = load_catalog(write(tmp_path, values))["one"]
    assert row.source == HubSource("someone/model", "0123456789" * 4)
    assert row.to_dict()["source"] == values["source"]


TWO = {**ROW, "id": "two", "name": "Two", "license": "MIT"}
MIX = {**ROW, "id": "mix", "name": "Mix", "kind": "blend", "source": "one+two"}


def test_a_row_can_be_a_blend_of_others_wherever_they_stand(tmp_path: Path) -> None:
    mix = {**MIX, "settings": {"saturation": {"default": 1.2, "min": 0, "max": 3}}}
    catalog = load_catalog(write(tmp_path, mix, ROW, TWO))
    assert [row.id for row in catalog] == ["mix", "one", "two"]
    row = catalog["mix"]
    assert row.source == BlendSource((catalog["one"], catalog["two"]))
    assert (row.license, row.description) == ("Apache-2.0", "For this test.")
    assert row.settings["saturation"].default == 1.2
    assert row.settings["render_factor"].default == 16
    assert row.to_dict()["source"] == "one+two"
    assert row.to_dict()["reason"].startswith("Its half one is missing. Its weights are not installed")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"source": "weights/one"},
            r"catalog row mix: source of a blend must be ids joined by '\+', got 'weights/one'",
        ),
        ({"source": ["one", "two"]}, r"source of a blend must be ids joined by '\+', got \['one', 'two'\]"),
        ({"source": "one+three"}, r"catalog row mix: there is no model 'three'. There are: one, two"),
        ({"source": "one+one"}, "catalog row mix: a blend of a model with itself is that model: one is named more"),
        ({"flip_average": True}, "catalog row mix: flip_average belongs to the rows that are blended"),
    ],
)
def test_a_wrong_blend_is_named_with_its_row(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        load_catalog(write(tmp_path, ROW, TWO, {**MIX, **changes}))


def test_a_folder_is_a_model_too(tmp_path: Path) -> None:
    save_colorizer(Colorizer(ColorizerConfig.tiny()), tmp_path / "mine")
    for folder in (tmp_path / "mine", str(tmp_path / "mine")):
        pipe = load_pipeline(folder, device="cpu")
        assert pipe.model_id == "mine"
        assert pipe.settings["render_factor"].default == 16
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load_pipeline(tmp_path)


def test_ways_without_weights_are_always_here_and_need_directions() -> None:
    catalog = load_catalog()
    given: dict[str, Any] = {"palette": ["#ff0000", "#0000ff"], "hints": []}
    for name, needs in (("scribbles", ("hints",)), ("segments", ("hints", "palette", "exemplar"))):
        row = catalog[name]
        assert row.source == ClassicSource(name)
        assert row.needs_directions == needs
        assert (row.to_dict()["source"], row.to_dict()["available"]) == (name, True)
        assert row.to_dict()["needs_directions"] == list(needs)
        assert row.to_dict()["settings"]["hints"]["default"] is None
        pipe = catalog.load_pipeline(name)
        assert (pipe.model_id, pipe.settings) == (name, row.settings)
        assert pipe.needs_directions == needs
    assert catalog["scribbles"].undirected_reason(given) == "It colors nothing by itself: give hints."
    assert catalog["segments"].undirected_reason(given) is None
    assert "give at least one of hints, palette and exemplar" in str(catalog["segments"].undirected_reason({}))
    assert catalog["natural"].undirected_reason({}) is None
    with pytest.raises(CatalogError, match="a blend is made of feedforward models; scribbles is of kind classic"):
        catalog["gan-stable+scribbles"]


def test_a_row_gives_a_classic_way_its_own_defaults(tmp_path: Path) -> None:
    values = {**ROW, "kind": "classic", "source": "scribbles"}
    values["settings"] = {"render_factor": {"default": 8, "min": 7, "max": 9}}
    row = load_catalog(write(tmp_path, values))["one"]
    assert row.load_pipeline().settings["render_factor"] == Setting("render_factor", 8, 7, 9)
    assert list(row.settings) == ["merge_lightness", "render_factor", "saturation", "hints"]

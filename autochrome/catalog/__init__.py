"""The catalog: the models on offer, and the only place that turns a row of `models.yaml` into a pipeline.

A row (`space_config/models.yaml`):

    - id: gan-artistic                 lower case, digits and hyphens; what every door calls the model
      name: Artistic                   what people read
      kind: feedforward                or blend: the mean of other rows; steerable, diffusion, classic (no weights)
      source: weights/gan-artistic     a folder of the package, or {repo_id: owner/name, revision: <40 hex digits>};
                                       of a blend the ids of its halves: gan-artistic+gan-stable;
                                       of a classic way its name in kinds.py: scribbles
      license: Apache-2.0
      description: One sentence.
      device: cpu                      or accelerator: too slow to offer without one
      flip_average: false              optional: mean of the picture and its mirror image, twice the time
      needs_controlnet: false          optional: the source is a base, to which a person brings a ControlNet
      settings:                        what the model takes; optional where the pipeline's own defaults are right
        render_factor: {default: 16, min: 7, max: 45}
        negative_prompt: {default: ""}          of texts those that have a default

Any feed-forward rows can be blended, whether a row says so or not: where an id is expected, `a+b` is one.

The order of the rows is the order people see; the first is the default.
"""

from pathlib import Path

from autochrome.catalog.kinds import load_folder
from autochrome.catalog.own_parts import HUB_NAME, OwnParts
from autochrome.catalog.reading import CATALOG_PATH, load_catalog
from autochrome.catalog.rows import PACKAGE_DIR, BlendSource, Catalog, ClassicSource, HubSource, Row
from autochrome.errors import SettingError, UnavailableError
from autochrome.hub.model import pull_model
from autochrome.pipelines import Pipeline

__all__ = [
    "CATALOG_PATH",
    "PACKAGE_DIR",
    "BlendSource",
    "Catalog",
    "ClassicSource",
    "HubSource",
    "Row",
    "load_catalog",
    "load_pipeline",
]


def load_pipeline(
    model: str | Path | None = None,
    *,
    revision: str | None = None,
    device: str | None = None,
    runtime: str = "torch",
    controlnet: str | Path | None = None,
    base: str | Path | None = None,
) -> Pipeline:
    """Load a model by its catalog id (`a+b` for a blend), from a folder, or from the Hugging Face Hub.

    Of the Hub only configurations, tokenizers and safetensors are fetched, once, and kept by the client. The pipeline's
    `model_id` is then "owner/name@" and the commit, whether that was given or looked up, and so are the metadata of
    its pictures: `load_pipeline(pipe.model_id)` is this very model, tomorrow too.

    Args:
        model: an id, a folder with `config.json` and `model.safetensors` or as diffusers writes it, "owner/name" on
            the Hub (also "owner/name@revision"), or None for the first model of the catalog. A folder comes before
            the Hub.
        revision: of a model on the Hub; a commit of 40 hexadecimal digits pins it, and needs no network once it is
            here. A branch or tag is looked up; by default that is `main` as it is now.
        device: a torch device; by default "cuda" where there is one, else "cpu".
        runtime: what runs the network: `torch`; `onnx`, which is ONNX Runtime on the CPU (extra `onnx`); or `auto`,
            ONNX Runtime where it is installed and there is no GPU. One runtime gives the same bytes every time.
        controlnet: for `controlnet-sd15`: a folder, or "owner/name" or "owner/name@revision" on the Hub; by default
            what the environment variable AUTOCHROME_CONTROLNET says.
        base: for the same: that on which the ControlNet was trained, given in the same way; by default what
            AUTOCHROME_BASE says, else the row's own.

    Raises:
        CatalogError: no id, folder or name of the Hub.
        SettingError: a revision of what is not on the Hub, no such runtime, a ControlNet for what takes none.
        UnavailableError: the model cannot be loaded here, or the Hub does not give it.
        ModelError: its files are missing or damaged.
    """
    catalog = load_catalog()
    parts = OwnParts(controlnet, base)
    named = any(row.id == model for row in catalog) or (model is not None and Path(model).is_dir())
    found = None if named or not isinstance(model, str) else HUB_NAME.fullmatch(model)
    if parts and not any(row.id == (model or catalog.default.id) for row in catalog):
        raise SettingError(f"{model} takes no controlnet and no base; they are for rows like controlnet-sd15")
    if found is not None:
        if revision is not None and found["revision"] is not None:
            raise SettingError(f"{model!r} names a revision, and revision={revision!r} another; give one of them")
        try:
            pulled = pull_model(found["repo_id"], revision or found["revision"])
        except UnavailableError as error:  # a folder's name that was mistyped looks the same
            raise UnavailableError(
                f"{error}. Was '{found['repo_id']}' meant as a folder? There is none here"
            ) from error
        return load_folder(
            pulled.folder, model_id=f"{found['repo_id']}@{pulled.commit}", device=device, runtime=runtime
        )
    if revision is not None:
        raise SettingError(f"a revision belongs to a model on the Hub, owner/name; {model!r} is none, leave it out")
    if model is None:
        return catalog.default.load_pipeline(device=device, runtime=runtime, parts=parts)
    if any(row.id == model for row in catalog) or not Path(model).is_dir():
        return catalog.load_pipeline(str(model), device=device, runtime=runtime, parts=parts)
    return load_folder(Path(model), device=device, runtime=runtime)

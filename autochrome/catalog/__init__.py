"""The catalog: the models on offer, and the only place that turns a row of `models.yaml` into a pipeline.

A row (`space_config/models.yaml`):

    - id: gan-artistic                 lower case, digits and hyphens; what every door calls the model
      name: Artistic                   what people read
      kind: feedforward                or blend: the mean of other rows
      source: weights/gan-artistic     a folder of the package, or {repo_id: owner/name, revision: <40 hex digits>};
                                       of a blend the ids of its halves: gan-artistic+gan-stable
      license: Apache-2.0
      description: One sentence.
      device: cpu                      or accelerator: too slow to offer without one
      flip_average: false              optional: mean of the picture and its mirror image, twice the time
      settings:                        what the model takes; optional where the pipeline's own defaults are right
        render_factor: {default: 16, min: 7, max: 45}

Any feed-forward rows can be blended, whether a row says so or not: where an id is expected, `a+b` is one.

The order of the rows is the order people see; the first is the default.
"""

from pathlib import Path

from autochrome.catalog.reading import CATALOG_PATH, load_catalog
from autochrome.catalog.rows import PACKAGE_DIR, BlendSource, Catalog, HubSource, Row
from autochrome.pipelines import FeedforwardPipeline, Pipeline

__all__ = [
    "CATALOG_PATH",
    "PACKAGE_DIR",
    "BlendSource",
    "Catalog",
    "HubSource",
    "Row",
    "load_catalog",
    "load_pipeline",
]


def load_pipeline(model: str | Path | None = None, *, device: str | None = None) -> Pipeline:
    """Load a model by its catalog id (`a+b` for a blend), or from a folder with `config.json` and `model.safetensors`.

    Args:
        model: an id, a folder, or None for the first model of the catalog.
        device: a torch device; by default "cuda" where there is one, else "cpu".

    Raises:
        CatalogError: neither an id nor a folder.
        UnavailableError: the model cannot be loaded here.
        ModelError: its files are missing or damaged.
    """
    catalog = load_catalog()
    if model is None:
        return catalog.default.load_pipeline(device=device)
    if any(row.id == model for row in catalog) or not Path(model).is_dir():
        return catalog.load_pipeline(str(model), device=device)
    return FeedforwardPipeline.from_folder(Path(model), device=device)

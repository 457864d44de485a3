"""What a recipe of train_controlnet.py says: the script, its dataset, its arguments, and what follows the training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf

from autochrome import recipes
from autochrome.errors import SettingError
from autochrome.pipelines import DiffusionPipeline
from autochrome.pipelines.settings import check_settings
from training.diffusion.preparing import check_captions
from training.diffusion.teaching import Teacher, make_teacher

SCRIPTS = ("controlnet", "text_to_image")


@dataclass
class Evaluation:
    """What is measured after a ControlNet was trained."""

    num_pictures: int = 32
    """Validation pictures to color, spread evenly over the split; 0: measure nothing."""
    steps: int = 8
    """Denoising steps for each."""
    guidance_scale: float | None = None
    """How far words are followed; null: the pipeline's default."""
    seed: int = 0
    """Seed of the first picture; each further one has the next."""


@dataclass
class DiffusionRecipe:
    """Everything that decides what a run of an example script does."""

    script: str = MISSING
    """Which example of diffusers: `controlnet`, or `text_to_image` for a base model."""
    output_dir: str = MISSING
    """Where the script writes checkpoints and its result, and we a report and a model card."""
    dataset_dir: str = MISSING
    """The dataset: a folder made by `python -m dataset_builder build`."""
    prepare: bool = True
    """Train on a small copy of the dataset, its pictures cut to `arguments.resolution` and its captions mixed by
    `captions`; false: straight from the dataset's own pictures, with one column of captions."""
    captions: dict[str, int] = field(default_factory=dict)
    """How often `text`, `text_color` and `empty` are drawn, as whole numbers; with `prepare` only."""
    teacher: str | None = None
    """A model, by its catalog id or folder, that colors every training picture once more, for what is learned without
    words; null: none. With `prepare` only."""
    teacher_captions: dict[str, int] = field(default_factory=dict)
    """How often `text` and `empty` are drawn for the pictures that the teacher colored."""
    cache_dir: str = "runs/cache"
    """Where prepared copies lie, once for all recipes that use the same."""
    script_path: str | None = None
    """An example script on this machine; null: the one that fits the installed diffusers, downloaded once."""
    init_from: str | None = None
    """Start from this: for `controlnet` a ControlNet's folder (null: a copy of the U-Net), for `text_to_image` a base
    trained before, in place of `arguments.pretrained_model_name_or_path`."""
    pipeline_dir: str | None = None
    """Where base and ControlNet are joined to one pipeline in float16 afterwards; null: nowhere."""
    license: str = "apache-2.0"
    """The license of the resulting weights, as the Hub spells it: what the base demands."""
    dataset_id: str | None = None
    """The dataset's name on the Hub, for the model card; null: it is not there."""
    high_noise_share: float = 0.0
    """Of the timesteps, the share that is drawn from the noisiest twentieth, where colors are chosen; the rest, as the
    scripts do it, from all alike, most of which show the colors through the noise. For sampling in few steps."""
    launch: dict[str, Any] = field(default_factory=dict)
    """Options of `accelerate launch`; `mixed_precision: auto` is bf16 where the device has it, else fp16 on a GPU and
    no on a CPU."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the script by their own names; true sets a flag, null and false leave one out."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """What is measured afterwards."""

    def copied_base(self) -> str:
        """The base that the script reads: a folder or the name of a repository."""
        if self.script == "text_to_image" and self.init_from is not None:
            return self.init_from
        return str(self.arguments.get("pretrained_model_name_or_path") or "")

    def teaching(self) -> Teacher | None:
        """Who colors the training pictures once more."""
        return make_teacher(self.teacher, self.teacher_captions)

    def preparation(self) -> dict[str, Any]:
        """How `prepare` makes the copy."""
        return {"size_px": self.size_px(), "captions": self.captions, "teacher": self.teaching()}

    def size_px(self) -> int:
        """The side of the training pictures."""
        return int(self.arguments.get("resolution", 512))


def load_recipe(path: Path, overrides: list[str]) -> DiffusionRecipe:
    """Read a recipe, apply `key=value` overrides and check what needs no script.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    recipe = recipes.load(DiffusionRecipe, path, overrides, noun="recipe", folder="training/configs/")
    if recipe.script not in SCRIPTS:
        raise SettingError(f"script must be one of {', '.join(SCRIPTS)}; got {recipe.script!r}")
    if recipe.prepare:
        check_captions(recipe.captions)
        if recipe.teaching() is not None:
            check_captions(recipe.teacher_captions, "teacher_captions")
    elif recipe.teacher is not None:
        raise SettingError("a teacher colors the prepared copy only: set prepare=true, or drop teacher")
    elif recipe.captions:
        raise SettingError(
            "captions are mixed in the prepared copy only: set prepare=true, or drop captions and name one column "
            "with arguments.caption_column"
        )
    if not recipe.copied_base():
        raise SettingError("arguments.pretrained_model_name_or_path is missing: the folder or Hub name of the base")
    resolution = recipe.arguments.get("resolution", 512)
    if not isinstance(resolution, int) or resolution < 8 or resolution % 8:
        raise SettingError(f"arguments.resolution must be a multiple of 8, got {resolution!r}")
    if not 0 <= recipe.high_noise_share <= 1:
        raise SettingError(f"high_noise_share must be from 0 to 1, got {recipe.high_noise_share}")
    if recipe.pipeline_dir is not None and recipe.script != "controlnet":
        raise SettingError("pipeline_dir is for script 'controlnet': a base has no ControlNet to be joined with")
    _check_evaluation(recipe.evaluation)
    return recipe


def _check_evaluation(evaluation: Evaluation) -> None:
    """Now, not after hours of training."""
    if evaluation.num_pictures < 0 or evaluation.num_pictures == 1:
        raise SettingError(f"evaluation.num_pictures must be 0 or at least 2, got {evaluation.num_pictures}")
    values = {name: getattr(evaluation, name) for name in ("steps", "guidance_scale", "seed")}
    check_settings("evaluation", DiffusionPipeline.SETTINGS, values)


def recipe_to_yaml(recipe: DiffusionRecipe) -> str:
    """The resolved recipe, as it is printed before a run and kept beside its results."""
    return OmegaConf.to_yaml(OmegaConf.structured(recipe))


def describe_fields() -> str:
    """Every field of a recipe with its sentence, for `--help`."""
    parts = (DiffusionRecipe, Evaluation)
    return "\n".join(line for part in parts for line in recipes.describe_fields(part, part.__name__))

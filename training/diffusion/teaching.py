"""Training pictures once more, as another model colors them: what it knows, for a model to learn without words.

A photograph's own colors are one answer among many, and from a few thousand photographs a small network learns little
of what things are. A trained colorizer gives every picture an answer that follows from the picture alone, which is
learned much sooner (pseudo-labels, Lee 2013; distillation, Hinton et al. 2015, arXiv:1503.02531).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from autochrome import load_pipeline
from autochrome.errors import SettingError
from autochrome.pipelines import Pipeline


@dataclass(frozen=True)
class Teacher:
    """A model that colors training pictures.

    Attributes:
        model: a catalog id, or a model's folder; it colors with its default settings.
        captions: how often `text` and `empty` stand in the list of captions of a picture that it colored.
    """

    model: str
    captions: Mapping[str, int]

    @cached_property
    def pipeline(self) -> Pipeline:
        """The model, loaded. Raises what `load_pipeline` does."""
        return load_pipeline(self.model)

    def color(self, conditioning: Image.Image) -> Image.Image:
        """A grey picture (mode L) in color, RGB of the same size, with the lightness that it has."""
        return self.pipeline(conditioning).images[0].convert("RGB")


def make_teacher(model: str | None, captions: Mapping[str, int]) -> Teacher | None:
    """The teacher of a recipe; None where it names none.

    Raises:
        SettingError: captions without a teacher, or such as name the photograph's own colors, which it does not know.
    """
    if model is None:
        if captions:
            raise SettingError("teacher_captions are for the pictures of a teacher; name one, or drop them")
        return None
    if captions.get("text_color"):
        raise SettingError(
            "teacher_captions.text_color names the photograph's own colors, which the teacher does not give; use text "
            "and empty"
        )
    return Teacher(model, captions)

"""One way to ask any model that takes a prompt for its colors."""

from collections.abc import Callable, Sequence
from typing import Any

import PIL.Image
from torch import Tensor

from autochrome.errors import SettingError
from autochrome.pipelines import Pipeline, SteerablePipeline

Ask = Callable[[Sequence[str]], list[Tensor]]
"""Prompts to a*b* of one picture, `(1, 2, h, w)` each, Lab units, at the model's own size."""


def asking(pipe: Pipeline, picture: PIL.Image.Image, **settings: Any) -> Ask:
    """What a model says of a picture under one prompt after another; `settings` and the seed are the same for all.

    The a*b* are as strong as in the model's pictures: multiplied by the saturation.
    """
    if isinstance(pipe, SteerablePipeline):
        seen = pipe.look(pipe.read(picture), int(pipe.check_inputs(**settings)["render_factor"]))

        def decode(prompts: Sequence[str]) -> list[Tensor]:
            checked = [pipe.check_inputs(prompt=prompt, **settings) for prompt in prompts]
            return [pipe.predict(seen, each)[0] * each["saturation"] for each in checked]

        return decode

    def run(prompts: Sequence[str]) -> list[Tensor]:
        outs = [pipe(picture, prompt=prompt, **settings) for prompt in prompts]
        return [out.ab * out.settings["saturation"] for out in outs]

    return run


def require_prompt(pipe: Pipeline) -> None:
    """Raises SettingError where a model takes no words."""
    if "prompt" not in pipe.settings:
        raise SettingError(
            f"{pipe.model_id} takes no prompt, only {', '.join(pipe.settings)}; give a model that listens to words: "
            "diffusion-mini, steerable, or a folder of such a one"
        )

"""A pipeline of several models: the mean of their colors."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autochrome.errors import SettingError
from autochrome.image import picture_to_lightness, resize
from autochrome.pipelines.base import (
    Clock,
    ColorizationOutput,
    Pipeline,
    Prediction,
    Progress,
    pictures_of,
    silent,
)
from autochrome.pipelines.candidates import candidate_factors
from autochrome.pipelines.feedforward import FeedforwardPipeline
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.settings import Setting


class BlendPipeline(Pipeline):
    """The mean a*b* of several feed-forward models, each as vivid as it is by default.

    Where models disagree their mean is calmer than each, and nearer to the truth than either on average.

    Attributes:
        halves: the blended pipelines; there may be more than two.
    """

    def __init__(
        self,
        halves: Sequence[FeedforwardPipeline],
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
    ) -> None:
        """Blend loaded pipelines.

        Args:
            halves: at least two, with different ids.
            model_id: by default their ids joined by "+".
            settings: defaults and ranges that differ from `blend_settings`.

        Raises:
            SettingError: fewer than two, one of them twice, or no value of a setting suits all.
        """
        ids = [half.model_id for half in halves]
        check_blend(ids)
        self.halves = tuple(halves)
        self.model_id = model_id or "+".join(ids)
        self.settings = {**blend_settings([half.settings for half in halves]), **(settings or {})}

    def __call__(self, picture: Picture, *, progress: Progress | None = None, **settings: Any) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the blend's default.

        At the default render factor each half works at its own default, at another all work at that one. Each half's
        a*b* is multiplied by its own default saturation, so that the blend's saturation of 1 is the mean of what the
        halves show. Candidates after the first are the same blend at other render factors.

        Raises:
            SettingError: a setting is out of range, or of no use to one of the halves.
            PictureError: the picture cannot be read.
            ModelError: a half gave something that is not a number.
        """
        report = progress or silent
        clock = Clock()
        checked = self.check_inputs(**settings)
        factors = candidate_factors(
            checked["render_factor"], checked["candidates"], checked["seed"], self.settings["render_factor"]
        )
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        lightness = picture_to_lightness(source)
        clock.lap("prepare")
        predictions = []
        for number, factor in enumerate(factors):
            share = (0.2 + 0.5 * number / len(factors), 0.5 / len(factors))
            predictions.append(self._predict(lightness, factor, clock, partial(_within, report, *share)))
        del lightness  # 4 bytes a pixel, which rendering can use
        report(0.7, "render")
        look = {name: checked[name] for name in ("merge_lightness", "saturation")}
        images = pictures_of(source, predictions, **look)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=images,
            ab=predictions[0].ab,
            lightness=predictions[0].lightness,
            source=source,
            model=self.model_id,
            settings=checked,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
            others=tuple(predictions[1:]),
        )

    def _predict(self, lightness: Tensor, factor: int, clock: Clock, report: Progress) -> Prediction:
        """The mean of the halves at one render factor of the blend, of L* `(1, 1, H, W)` at full size."""
        maps, lights = [], []
        for index, half in enumerate(self.halves):
            report(index / len(self.halves), f"predict {half.model_id}")
            lights.append(half.shrink_lightness(lightness, self._render_factor(half, factor)))
            maps.append(half.predict(lights[-1]) * float(half.settings["saturation"].default))
            clock.lap(f"predict {half.model_id}")
        height, width = max((ab.shape[-2:] for ab in maps), key=math.prod)
        ab = torch.stack([resize(ab, (width, height)) for ab in maps]).mean(dim=0)
        return Prediction(ab, max(lights, key=Tensor.numel), {"render_factor": factor, "candidates": 1})

    def _render_factor(self, half: FeedforwardPipeline, asked: int) -> int:
        default = self.settings["render_factor"].default
        return int(half.settings["render_factor"].default) if asked == default else asked


def _within(report: Progress, start: float, length: float, share: float, step: str) -> None:
    """Progress of a part of the work as progress of the whole."""
    report(start + length * share, step)


def check_blend(ids: Sequence[str]) -> None:
    """Refuse what is no blend.

    Raises:
        SettingError: fewer than two ids, or one of them twice.
    """
    if len(ids) < 2 or not all(ids):
        raise SettingError(f"a blend needs at least two models joined by '+', got {'+'.join(ids)!r}")
    doubled = sorted({model_id for model_id in ids if ids.count(model_id) > 1})
    if doubled:
        raise SettingError(f"a blend of a model with itself is that model: {doubled[0]} is named more than once")


def blend_settings(taken: Sequence[Mapping[str, Setting]]) -> dict[str, Setting]:
    """The settings that all halves take, each with the range that all allow.

    Defaults: of the render factor the mean; of the saturation 1, since each half's own is applied to it before the
    mean; of the others the first half's.

    Raises:
        SettingError: no value of a setting is allowed by all.
    """
    blended = {}
    for name, first in taken[0].items():
        if not all(name in settings for settings in taken):
            continue
        each = [settings[name] for settings in taken]
        low, high = max(setting.minimum for setting in each), min(setting.maximum for setting in each)
        if low > high:
            raise SettingError(f"these models cannot be blended: no {name} is in the range of all of them")
        default = first.default
        if name == "render_factor":
            default = round(sum(setting.default for setting in each) / len(each))
        elif name == "saturation":
            default = 1.0
        # A switch has no range to keep to.
        kept = default if isinstance(default, bool) else type(default)(min(max(default, low), high))
        blended[name] = Setting(name, kept, low, high)
    return blended

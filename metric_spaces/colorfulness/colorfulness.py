"""Colorfulness as a metric of Hugging Face `evaluate`; the formula is `autochrome.metrics.colorfulness`."""

from typing import Any

import datasets
import evaluate

from autochrome import metrics  # From: git+https://huggingface.co/spaces/OWNER/autochrome

from .pictures import INPUTS, PICTURE, PictureInputs, measure

_DESCRIPTION = """
Colorfulness of pictures, without a reference: the metric M(3) of Hasler and Suesstrunk on gamma-coded sRGB in 0..255,
then the mean over the pictures. Grey is 0; photographs have about 20 (dull) to 80 (vivid). Two conventions are in use
and are not comparable, so both are given: `colorfulness` is the paper's, with signed opponent channels;
`colorfulness_abs` takes their absolute values, as the tables of DDColor, CT2 and ColorFormer do. It sees no wrong hue:
read it beside a color difference.
"""
_INPUTS = f"""
Args:
    predictions: pictures to score.
{INPUTS}
Returns:
    colorfulness (float): mean colorfulness, at least 0.
    colorfulness_abs (float): the same with absolute opponent channels.
Example:
    >>> metric = evaluate.load("metric_spaces/colorfulness")
    >>> metric.compute(predictions=["colored.png"])
"""
_CITATION = """
@inproceedings{hasler2003colourfulness,
  title = {Measuring colourfulness in natural images},
  author = {Hasler, David and S{\\"u}sstrunk, Sabine},
  booktitle = {Human Vision and Electronic Imaging VIII},
  series = {Proceedings of SPIE},
  volume = {5007},
  pages = {87--95},
  year = {2003}
}
"""


class Colorfulness(PictureInputs, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean colorfulness of pictures, in both conventions."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": PICTURE}),
            reference_urls=["https://doi.org/10.1117/12.477378"],
        )

    def _compute(self, predictions: Any, per_picture: bool = False) -> dict[str, Any]:
        both = {"colorfulness": metrics.colorfulness, "colorfulness_abs": metrics.colorfulness_abs}
        return measure(both, predictions, per_picture=per_picture)

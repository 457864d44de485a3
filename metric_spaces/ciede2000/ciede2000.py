"""CIEDE2000 as a metric of Hugging Face `evaluate`; the formula is `autochrome.metrics.ciede2000`."""

from typing import Any

import datasets
import evaluate

from autochrome.metrics import ciede2000  # From: git+https://huggingface.co/spaces/OWNER/autochrome

from .pictures import INPUTS, PICTURE, PictureInputs, measure

_DESCRIPTION = """
CIEDE2000 is the color difference that agrees best with people's eyes of the closed formulas. Here: the mean over all
pixels of a picture, then over the pictures; float CIELAB for D65 and the 2 degree observer, kL = kC = kH = 1. 0 is
equal, about 1 just visible side by side. For colorized photographs, print the value of plain grey beside it (about 11
on photographs), and colorfulness: dull colors are near the truth on average.
"""
_INPUTS = f"""
Args:
    predictions: pictures to score.
    references: the true pictures, each of its prediction's size.
{INPUTS}
Returns:
    ciede2000 (float): mean color difference, at least 0; lower is better.
Example:
    >>> metric = evaluate.load("metric_spaces/ciede2000")
    >>> metric.compute(predictions=["colored.png"], references=["truth.png"])
"""
_CITATION = """
@article{sharma2005ciede2000,
  title = {The {CIEDE2000} color-difference formula: Implementation notes, supplementary test data, and mathematical
           observations},
  author = {Sharma, Gaurav and Wu, Wencheng and Dalal, Edul N.},
  journal = {Color Research \\& Application},
  volume = {30},
  number = {1},
  pages = {21--30},
  year = {2005}
}
"""


class Ciede2000(PictureInputs, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean CIEDE2000 of pictures against their references."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": PICTURE, "references": PICTURE}),
            reference_urls=["https://doi.org/10.1002/col.20070"],
        )

    def _compute(self, predictions: Any, references: Any, per_picture: bool = False) -> dict[str, Any]:
        return measure({"ciede2000": ciede2000}, predictions, references, per_picture=per_picture)

"""PSNR as a metric of Hugging Face `evaluate`; the formula is `autochrome.metrics.psnr`."""

from typing import Any

import datasets
import evaluate

from autochrome.metrics import psnr  # From: git+https://huggingface.co/spaces/OWNER/autochrome

from .pictures import INPUTS, PICTURE, PictureInputs, measure

_DESCRIPTION = """
PSNR, the peak signal-to-noise ratio in dB: -10 log10 of the squared error of gamma-coded sRGB in 0..1, averaged over
the pixels and three channels of a picture; then the mean over the pictures. (One PSNR of the squared error of the whole
set, as some libraries give it, is some 4 dB lower.) Identical pictures score 100 dB, which is the most. It does not
rank colorizers: plain grey with the true lightness scores above most of them.
"""
_INPUTS = f"""
Args:
    predictions: pictures to score.
    references: the true pictures, each of its prediction's size.
{INPUTS}
Returns:
    psnr (float): mean PSNR in dB, at most 100; higher is better.
Example:
    >>> metric = evaluate.load("metric_spaces/psnr")
    >>> metric.compute(predictions=["colored.png"], references=["truth.png"])
"""
_CITATION = """
@article{huynhthu2008psnr,
  title = {Scope of validity of {PSNR} in image/video quality assessment},
  author = {Huynh-Thu, Quan and Ghanbari, Mohammed},
  journal = {Electronics Letters},
  volume = {44},
  number = {13},
  pages = {800--801},
  year = {2008}
}
"""


class Psnr(PictureInputs, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean PSNR of pictures against their references."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": PICTURE, "references": PICTURE}),
            reference_urls=["https://doi.org/10.1049/el:20080522"],
        )

    def _compute(self, predictions: Any, references: Any, per_picture: bool = False) -> dict[str, Any]:
        return measure({"psnr": psnr}, predictions, references, per_picture=per_picture)

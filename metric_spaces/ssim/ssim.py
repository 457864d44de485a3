"""SSIM as a metric of Hugging Face `evaluate`; the formula is `autochrome.metrics.ssim`."""

from typing import Any

import datasets
import evaluate

from autochrome.metrics import ssim  # From: git+https://huggingface.co/spaces/OWNER/autochrome

from .pictures import INPUTS, PICTURE, PictureInputs, measure

_DESCRIPTION = """
SSIM, the structural similarity of two pictures: Gaussian window of 11 x 11 pixels, sigma 1.5, population variance, only
where the window lies inside the picture, on each channel of gamma-coded sRGB, averaged; then the mean over the
pictures. Equal to scikit-image's structural_similarity(channel_axis=-1, data_range=1, gaussian_weights=True, sigma=1.5,
use_sample_covariance=False). Pictures are not shrunk first. It does not rank colorizers: plain grey with the true
lightness scores about 0.92 on photographs.
"""
_INPUTS = f"""
Args:
    predictions: pictures to score, at least 11 x 11 pixels.
    references: the true pictures, each of its prediction's size.
{INPUTS}
Returns:
    ssim (float): mean SSIM, 1 where identical; higher is better.
Example:
    >>> metric = evaluate.load("metric_spaces/ssim")
    >>> metric.compute(predictions=["colored.png"], references=["truth.png"])
"""
_CITATION = """
@article{wang2004ssim,
  title = {Image quality assessment: from error visibility to structural similarity},
  author = {Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Image Processing},
  volume = {13},
  number = {4},
  pages = {600--612},
  year = {2004}
}
"""


class Ssim(PictureInputs, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean SSIM of pictures against their references."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": PICTURE, "references": PICTURE}),
            reference_urls=["https://doi.org/10.1109/TIP.2003.819861"],
        )

    def _compute(self, predictions: Any, references: Any, per_picture: bool = False) -> dict[str, Any]:
        return measure({"ssim": ssim}, predictions, references, per_picture=per_picture)

"""The Frechet distance on the embedded network, against scipy, and the measures whose libraries are not installed."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from skimage import data
from torch import Tensor

from autochrome.errors import InputError, ModelError, UnavailableError
from autochrome.metrics import lpips, require_metrics
from autochrome.metrics.baselines import grey_baseline
from autochrome.metrics.fid import fid
from autochrome.metrics.frechet import FeatureMoments, FrechetFeatures, frechet_distance, frechet_mobilenet_v2
from autochrome.models.features import WEIGHTS_DIR, load_pooled_mobilenet_v2

Array = npt.NDArray[np.float64]
WITH_TORCHVISION = importlib.util.find_spec("torchvision") is not None


def moments(features: Array) -> FeatureMoments:
    found = FeatureMoments(features.shape[1])
    found.add(features)
    return found


def by_scipy(features1: Array, features2: Array) -> float:
    """The formula as its paper has it."""
    covariance1, covariance2 = np.cov(features1, rowvar=False), np.cov(features2, rowvar=False)
    step = features1.mean(axis=0) - features2.mean(axis=0)
    root = np.real(sqrtm(covariance1 @ covariance2))
    return float(step @ step + np.trace(covariance1 + covariance2 - 2 * root))


def pieces() -> Tensor:
    """Nine squares of a photograph, `(9, 3, 128, 128)`."""
    picture = torch.from_numpy(data.astronaut().copy()).movedim(-1, 0) / 255
    squares = picture[:, :384, :384].unfold(1, 128, 128).unfold(2, 128, 128)
    return squares.permute(1, 2, 0, 3, 4).reshape(-1, 3, 128, 128)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), dims=st.integers(2, 8), scale=st.floats(0.1, 10), offset=st.floats(-5, 5))
def test_distance_agrees_with_scipy(seed: int, dims: int, scale: float, offset: float) -> None:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(dims, dims))
    first, second = random.normal(size=(60, dims)), scale * random.normal(size=(80, dims)) @ mixing + offset
    distance = frechet_distance(moments(first), moments(second))
    assert distance == pytest.approx(by_scipy(first, second), rel=1e-6, abs=1e-6)
    assert distance == pytest.approx(frechet_distance(moments(second), moments(first)), rel=1e-6, abs=1e-6)
    assert frechet_distance(moments(first), moments(first)) == pytest.approx(0, abs=1e-9)


def test_distance_of_fewer_pictures_than_features() -> None:
    """Singular covariances; two that differ by an offset alone are its square apart."""
    first = np.random.default_rng(0).normal(size=(5, 40))
    assert frechet_distance(moments(first), moments(first + 0.5)) == pytest.approx(40 * 0.25, rel=1e-6)


def test_moments_by_batches_and_from_several_processes() -> None:
    features = np.random.default_rng(0).normal(loc=100, size=(50, 6))
    whole, parts, other = moments(features), FeatureMoments(6), FeatureMoments(6)
    for batch in np.split(features[:30], (1, 7, 19)):
        parts.add(torch.from_numpy(batch))
    other.add(features[30:])
    parts.merge(other)
    parts.merge(FeatureMoments(6))
    assert parts.count == 50
    for found in (whole, parts):
        np.testing.assert_allclose(found.mean, features.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-12)


def test_distance_sees_colors() -> None:
    truth = pieces()
    dull = truth.lerp(grey_baseline(truth), 0.5)
    features = FrechetFeatures()
    sets = [moments(features(pictures).double().numpy()) for pictures in (truth, dull, grey_baseline(truth))]
    same, half, grey = (frechet_distance(each, sets[0]) for each in sets)
    assert same == pytest.approx(0, abs=1e-6)
    assert 0.05 < half < grey
    assert frechet_mobilenet_v2(dull.split(5), [truth]) == pytest.approx(half, rel=1e-3)


def test_features_are_those_of_the_network_as_transformers_documents_it() -> None:
    """Input in [-1, 1], 224 x 224; the last hidden state before the final 1 x 1 convolution, averaged over places."""
    picture = pieces()[:2]
    network = load_pooled_mobilenet_v2().network
    large = torch.nn.functional.interpolate(picture, size=(224, 224), mode="bilinear", antialias=True)
    captured: list[Tensor] = []
    handle = network.get_submodule("layer.15").register_forward_hook(lambda *seen: captured.append(seen[2]))
    with torch.no_grad():
        network((large - 0.5) / 0.5)
    handle.remove()
    features = FrechetFeatures()(picture)
    assert features.shape == (2, 320)
    torch.testing.assert_close(features, captured[0].mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="frechet_mobilenet_v2 needs at least 2 pictures in each set, got 1"):
        frechet_mobilenet_v2([pieces()[:1]], [pieces()[:3]])
    with pytest.raises(InputError, match="frechet_mobilenet_v2 needs at least 2 pictures in each set, got 0"):
        frechet_mobilenet_v2([pieces()[:2]], [])
    with pytest.raises(InputError, match=r"must have shape \(B, 3, H, W\)"):
        frechet_mobilenet_v2([torch.zeros(3, 8, 8)], [])


def test_missing_or_damaged_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no MobileNetV2 could be loaded from"):
        load_pooled_mobilenet_v2(tmp_path)
    shutil.copytree(WEIGHTS_DIR, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="no MobileNetV2 could be loaded from"):
        load_pooled_mobilenet_v2(tmp_path / "cut")


@pytest.mark.skipif(WITH_TORCHVISION, reason="torchvision is installed")
def test_extras_say_what_to_install() -> None:
    pictures = torch.zeros(2, 3, 64, 64)
    with pytest.raises(UnavailableError, match=r"lpips needs torchvision, lpips, and torchvision cannot be imported"):
        lpips(pictures, pictures)
    with pytest.raises(UnavailableError, match=r"then: pip install lpips"):
        require_metrics(["psnr", "lpips"])
    with pytest.raises(UnavailableError, match=r"fid needs torchvision, torchmetrics, torch_fidelity, and torchvision"):
        fid([pictures], [pictures])


def test_lpips_checks_its_pictures_first() -> None:
    with pytest.raises(InputError, match="prediction is 40 x 50 pixels and reference is 50 x 40"):
        lpips(torch.zeros(1, 3, 50, 40), torch.zeros(1, 3, 40, 50))
    with pytest.raises(InputError, match="lpips needs pictures of at least 32 x 32 pixels, got 40 x 31"):
        lpips(torch.zeros(1, 3, 31, 40), torch.zeros(1, 3, 31, 40))


@pytest.mark.skipif(not WITH_TORCHVISION, reason="torchvision is not installed")
def test_lpips_and_fid_where_they_can_be() -> None:
    truth = pieces()
    assert lpips(truth, truth).max().item() == pytest.approx(0, abs=1e-6)
    assert (lpips(grey_baseline(truth), truth) > 0).all()
    assert fid([truth], [truth]) < fid([grey_baseline(truth)], [truth])

"""Losses: values worked out by hand or by independent code, least at the truth, gradients that are always finite."""

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE, lab_to_rgb, merge_lab, rgb_to_lab, split_lab
from autochrome.metrics import colorfulness as colorfulness_of
from autochrome.models.bins import NUM_BINS, bin_centers, soft_encode
from autochrome.models.features import load_pooled_mobilenet_v2
from training.data import PhotoStore
from training.losses import CLASSIFICATION_LOSSES, DIRECTED_LOSSES, GAN_LOSSES, LOSSES, LossInput, feature_matching
from training.losses.classification import class_weights, rebalance

STRIDE = 4


def _input(prediction_scale: float = 1.0, share: float = 0.5) -> LossInput:
    """Two photographs at 64 px, their ab predicted at 16 px; the bins' logits are the scaled prediction's."""
    pictures = [skimage.data.astronaut()[:256, 100:356], skimage.data.coffee()[100:356, 200:456]]
    rgb = torch.stack([torch.from_numpy(picture.copy()).permute(2, 0, 1) for picture in pictures]).float() / 255
    full_lightness, full_ab = split_lab(rgb_to_lab(F.avg_pool2d(rgb, 4)))
    target = F.avg_pool2d(full_ab, STRIDE) / AB_SCALE
    prediction = target * prediction_scale
    return LossInput(
        prediction=prediction,
        target=target,
        lightness=F.avg_pool2d(full_lightness, STRIDE),
        colorfulness_share=share,
        raw=_logits(prediction),
        full_lightness=full_lightness,
    )


def _logits(ab_normalized: Tensor) -> Tensor:
    """Logits `(B, Q, h, w)` of the soft encoding's own Gaussian."""
    centers = bin_centers().view(1, -1, 2, 1, 1)
    return -((ab_normalized[:, None] * AB_SCALE - centers) ** 2).sum(dim=2) / 50


@pytest.mark.parametrize("name", sorted(set(LOSSES) - DIRECTED_LOSSES))
def test_losses_have_finite_gradients(name: str) -> None:
    for scale in (0.0, 0.5, 1.0, -2.0, 40.0):
        data = _input()
        data.prediction = (data.target * scale).requires_grad_()
        data.raw = _logits(data.prediction)
        loss = LOSSES[name](data)
        loss.backward()
        assert loss.ndim == 0
        assert loss.item() > -1e-6
        assert data.prediction.grad is not None
        assert data.prediction.grad.isfinite().all(), scale


@pytest.mark.parametrize("name", sorted(set(LOSSES) - DIRECTED_LOSSES))
@pytest.mark.parametrize("lightness", [0.0, 50.0, 100.0])
def test_flat_pictures_do_no_harm(name: str, lightness: float) -> None:
    """A picture of one grey has neither variance nor hue: square roots and angles have no gradient there."""
    zeros = torch.zeros(1, 2, 8, 8)
    full = torch.full((1, 1, 32, 32), lightness)
    prediction = zeros.clone().requires_grad_()
    data = LossInput(prediction, zeros, full[..., :8, :8], 0.5, _logits(prediction), full)
    LOSSES[name](data).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"worse_than_grey", "colorfulness"}))
def test_losses_prefer_the_truth_to_grey_and_to_the_wrong_colors(name: str) -> None:
    truth, grey, wrong = (LOSSES[name](_input(scale)).item() for scale in (1.0, 0.0, -1.0))
    assert truth < grey - 1e-3
    if name != "colorfulness_floor":
        assert truth < wrong - 1e-3
    if name not in CLASSIFICATION_LOSSES:
        assert truth < 1e-5


def test_pointwise_losses_have_the_values_of_their_formulas() -> None:
    data = _input()
    data.prediction = data.target + torch.tensor([3.0, -4.0]).view(1, 2, 1, 1) / AB_SCALE
    assert LOSSES["mse_ab"](data).item() == pytest.approx((9 + 16) / 2 / AB_SCALE**2, rel=1e-4)
    assert LOSSES["l1_ab"](data).item() == pytest.approx(3.5 / AB_SCALE, rel=1e-4)
    assert LOSSES["smooth_l1_ab"](data).item() == pytest.approx((9 + 16) / 2 / 20, rel=1e-4)
    first, second = (_numpy(merge_lab(data.lightness, ab * AB_SCALE)) for ab in (data.target, data.prediction))
    assert LOSSES["cie94_ab"](data).item() == pytest.approx(
        skimage.color.deltaE_ciede94(first, second).mean(), rel=1e-4
    )
    expected = skimage.color.deltaE_ciede2000(first, second).mean()
    assert LOSSES["ciede2000_ab"](data).item() == pytest.approx(expected, rel=1e-4)


def _numpy(lab: Tensor) -> np.ndarray:
    return lab.permute(0, 2, 3, 1).double().numpy()


def test_worse_than_grey_counts_only_the_pictures_that_lose() -> None:
    """Small steps the right way cost nothing; of a batch with one spoilt picture only that one counts."""
    for scale in (0.0, 0.3, 1.0):
        assert LOSSES["worse_than_grey"](_input(scale)).item() == 0
    data = _input(0.8)
    data.prediction[1] = -data.target[1]
    spoilt, truth, grey = (
        _numpy(merge_lab(data.lightness, ab * AB_SCALE))[1] for ab in (data.prediction, data.target, 0 * data.target)
    )
    harm = skimage.color.deltaE_ciede2000(spoilt, truth).mean() - skimage.color.deltaE_ciede2000(grey, truth).mean()
    assert harm > 1
    assert LOSSES["worse_than_grey"](data).item() == pytest.approx(harm / 2, rel=1e-4)


def test_a_vivid_blue_pulls_no_harder_than_the_limit() -> None:
    data = _input(0.0)
    data.target = torch.tensor([0.6, -0.95]).view(1, 2, 1, 1).expand(2, 2, 16, 16)
    for name in ("ciede2000_ab", "worse_than_grey"):
        data.prediction = torch.full_like(data.target, -1e-6).requires_grad_()
        LOSSES[name](data).backward()
        assert data.prediction.grad is not None
        assert data.prediction.grad.abs().max() <= 2.0 * AB_SCALE / (2 * 16 * 16) * 1.001


def test_colorfulness_floor_is_a_floor() -> None:
    """Nothing above the aim, and pulled outwards below it."""
    assert LOSSES["colorfulness_floor"](_input(0.8, share=0.5)).item() == 0
    data = _input(0.2, share=0.5)
    data.prediction.requires_grad_()
    LOSSES["colorfulness_floor"](data).backward()
    assert data.prediction.grad is not None
    assert (data.prediction.grad * data.target).sum() < 0


def test_colorfulness_is_that_of_the_measures() -> None:
    data = _input(0.0, share=1.0)
    truth = colorfulness_of(lab_to_rgb(merge_lab(data.lightness, data.target * AB_SCALE)).clamp(0, 1))
    assert LOSSES["colorfulness_floor"](data).item() == pytest.approx(truth.mean().item(), abs=0.01)
    assert LOSSES["colorfulness"](data).item() == pytest.approx(1, abs=1e-3)
    grey, dull, vivid = (LOSSES["colorfulness"](_input(scale)).item() for scale in (0.0, 0.5, 1.0))
    assert grey > dull > vivid > 0


def test_the_feature_loss_sees_colors_beside_their_edges() -> None:
    """The same colours in other places differ for a classifier; so do none at all, and the more the further."""
    values = []
    for share in (1.0, 0.5, 0.0):
        values.append(LOSSES["feature"](_input(share)).item())
    assert values == sorted(values)
    shifted = _input()
    shifted.prediction = shifted.target.roll(4, dims=3)
    assert LOSSES["feature"](shifted).item() > 2 * values[0]


def test_the_feature_loss_has_the_value_of_its_formula() -> None:
    """Against the network as it is loaded, batch norms and all, at the last block of each stride."""
    data = _input(0.3)
    assert data.full_lightness is not None
    network = load_pooled_mobilenet_v2().network
    maps = []
    for ab in (data.prediction, data.target):
        full = F.interpolate(ab * AB_SCALE, scale_factor=STRIDE, mode="bilinear")
        rgb = lab_to_rgb(merge_lab(data.full_lightness, full)).clamp(0, 1)
        states = network(2 * rgb - 1, output_hidden_states=True).hidden_states
        maps.append([states[index] for index in (1, 4, 11, 15)])
    assert [64 // states.shape[-1] for states in maps[0]] == [4, 8, 16, 32]
    parts = [((p - t).abs().mean() / t.abs().mean()).item() for p, t in zip(*maps, strict=True)]
    assert LOSSES["feature"](data).item() == pytest.approx(np.mean(parts), rel=1e-3)


def test_classification_is_zhangs_weighted_cross_entropy() -> None:
    """Against the formula written out with dense arrays, weights and all."""
    data = _input()
    assert data.raw is not None
    data.raw = torch.randn(data.raw.shape, generator=torch.Generator().manual_seed(0))
    data.class_weights = torch.linspace(0.5, 3, NUM_BINS)
    indices, shares = soft_encode(data.target * AB_SCALE)
    dense = torch.zeros_like(data.raw).scatter_(1, indices, shares)
    weights = data.class_weights[dense.argmax(dim=1)]
    expected = -(weights * (dense * torch.log_softmax(data.raw, dim=1)).sum(dim=1)).mean()
    assert LOSSES["classification"](data).item() == pytest.approx(expected.item(), rel=1e-5)


def test_classification_is_least_at_the_soft_encoding_and_ignores_grey_pictures() -> None:
    data = _input()
    indices, shares = soft_encode(data.target * AB_SCALE)
    assert data.raw is not None
    data.raw = torch.full_like(data.raw, 1e-12).scatter_(1, indices, shares).log()
    entropy = -(shares * shares.log()).sum(dim=1).mean().item()
    assert LOSSES["classification"](data).item() == pytest.approx(entropy, rel=1e-4)
    data.raw = _logits(data.prediction)
    both = LOSSES["classification"](data).item()
    second = LOSSES["classification"](
        LossInput(data.prediction[1:], data.target[1:], data.lightness[1:], 0.5, raw=data.raw[1:])
    ).item()
    data.target = data.target * torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert both > second / 2
    assert LOSSES["classification"](data).item() == pytest.approx(second / 2, rel=1e-5)


def test_class_weights_make_rare_colors_count_more() -> None:
    """Three grey photographs and one red one: the red's bin weighs more, the expected weight is 1."""
    pixels = np.full((4, 40, 40, 3), 128, dtype=np.uint8)
    pixels[3] = (200, 30, 30)
    store = PhotoStore(["a", "b", "c", "d"], np.array([[40, 40]] * 4), np.arange(4) * 4800, pixels.reshape(-1))
    weights = class_weights(store, range(4))
    assert weights.shape == (NUM_BINS,)
    red = rgb_to_lab(torch.tensor([200.0, 30.0, 30.0]).view(1, 3, 1, 1) / 255)[:, 1:]
    of_red, of_grey = (soft_encode(ab)[0][0, 0, 0, 0] for ab in (red, torch.zeros(1, 2, 1, 1)))
    never = weights.max()
    assert weights[of_grey] < weights[of_red] < never
    assert torch.equal(weights, class_weights(store, range(4)))
    assert torch.equal(class_weights(store, range(4), num_pictures=2), class_weights(store, [0, 2]))


def test_rebalancing_is_the_papers_formula() -> None:
    prior = torch.tensor([0.7, 0.3, 0.0])
    weights = rebalance(prior, 0.5)
    assert (prior * weights).sum().item() == pytest.approx(1)
    assert (weights[2] / weights[0]).item() == pytest.approx((0.35 + 1 / 6) / (1 / 6))
    assert torch.equal(rebalance(prior, 1.0), torch.ones(3))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("hinge", (1 - 0.5) + (1 + 2), -2.0),
        ("least_squares", (0.5 - 1) ** 2 / 2 + 4 / 2, (2 - 1) ** 2 / 2),
        ("logistic", np.log1p(np.exp(-0.5)) + np.log1p(np.exp(2.0)), np.log1p(np.exp(-2.0))),
    ],
)
def test_gan_losses_have_the_values_of_their_formulas(name: str, discriminator: float, generator: float) -> None:
    real, fake = torch.full((2, 1, 3, 3), 0.5), torch.full((2, 1, 3, 3), 2.0)
    loss = GAN_LOSSES[name]
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator)
    assert loss.generator(fake).item() == pytest.approx(generator)
    assert loss.generator([fake, fake[..., :1]]).item() == pytest.approx(generator), "the mean over scales"
    assert loss.discriminator([real, real], [fake, fake]).item() == pytest.approx(discriminator)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_gan_losses_pull_the_two_sides_apart(name: str) -> None:
    real, fake = (torch.full((1, 1, 2, 2), 0.1, requires_grad=True) for _ in range(2))
    GAN_LOSSES[name].discriminator(real, fake).backward()
    generated = torch.zeros(1, 1, 2, 2, requires_grad=True)
    GAN_LOSSES[name].generator(generated).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert generated.grad is not None
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    assert (generated.grad < 0).all()


def test_extreme_logits_stay_finite() -> None:
    for loss in GAN_LOSSES.values():
        logits = torch.tensor([-1e4, 1e4], requires_grad=True)
        (loss.discriminator(logits, -logits) + loss.generator(logits)).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_feature_matching_sums_mean_differences_and_leaves_the_truth_alone() -> None:
    real = [[torch.zeros(2, 3, 4, 4, requires_grad=True), torch.ones(2, 8, 2, 2)], [torch.ones(2, 3, 2, 2)]]
    fake = [[torch.full((2, 3, 4, 4), 2.0), torch.zeros(2, 8, 2, 2)], [torch.full((2, 3, 2, 2), 1.5).requires_grad_()]]
    loss = feature_matching(real, fake)
    assert loss.item() == pytest.approx(2 + 1 + 0.5)
    loss.backward()
    assert real[0][0].grad is None
    assert fake[1][0].grad is not None

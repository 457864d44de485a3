"""Discriminators: receptive fields, sizes, gradients, what they learn, and what the generator is told."""

from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from autochrome.errors import SettingError
from training.adversarial import Adversary, discriminator_input
from training.config import DiscriminatorConfig
from training.discriminator import PatchAttention, build_discriminator, logits_of

KINDS = [
    DiscriminatorConfig(kind=kind, channels=8, num_halvings=halvings, num_scales=2, normalization=normalization)
    for kind, halvings in (("patch", 2), ("patch", 3), ("multiscale", 1), ("deep", 2))
    for normalization in ("spectral", "instance", "none")
]


def _id(config: DiscriminatorConfig) -> str:
    return f"{config.kind}-{config.num_halvings}-{config.normalization}"


@pytest.mark.parametrize("config", KINDS, ids=_id)
def test_the_smallest_picture_leaves_one_patch(config: DiscriminatorConfig) -> None:
    network = build_discriminator(config)
    side = network.min_side_px
    scales = network(torch.randn(2, 3, side, side))
    assert len(scales) == (2 if config.kind == "multiscale" else 1)
    assert all(logits.shape[:2] == (2, 1) for logits in logits_of(scales))
    assert logits_of(scales)[-1].shape[2:] == (1, 1)
    with pytest.raises((RuntimeError, ValueError)):
        network(torch.randn(2, 3, side // 2, side // 2))


@pytest.mark.parametrize("config", KINDS, ids=_id)
def test_every_weight_has_a_gradient(config: DiscriminatorConfig) -> None:
    network = build_discriminator(config)
    for part in network.modules():
        if isinstance(part, PatchAttention):
            nn.init.ones_(part.strength)
    side = 2 * network.min_side_px
    scales = logits_of(network(torch.randn(2, 3, side, side)))
    torch.stack([logits.square().mean() for logits in scales]).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A bias before instance norm moves nothing.
        assert parameter.grad.abs().sum() > 0 or "bias" in name, name


@pytest.mark.parametrize(("num_halvings", "patch_px"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_is_as_wide_as_is_said(num_halvings: int, patch_px: int) -> None:
    """Isola et al. 2017: one logit of three halvings looks at 70 x 70 pixels."""
    network = build_discriminator(DiscriminatorConfig(channels=2, num_halvings=num_halvings, normalization="none"))
    picture = torch.randn(1, 3, 160, 160, requires_grad=True)
    (logits,) = logits_of(network(picture))
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert picture.grad is not None
    rows = picture.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == patch_px


def test_widths_are_those_of_the_paper() -> None:
    network = build_discriminator(DiscriminatorConfig(normalization="instance"))
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert [part.out_channels for part in convolutions] == [64, 128, 256, 512, 1]
    assert [part.stride[0] for part in convolutions] == [2, 2, 2, 1, 1]
    wide = build_discriminator(DiscriminatorConfig(kind="deep", channels=4, num_halvings=6, normalization="none"))
    assert max(part.out_channels for part in wide.modules() if isinstance(part, nn.Conv2d)) == 32


def test_spectral_norm_bounds_the_logits() -> None:
    """Each layer's largest singular value is 1, so that a change of the picture cannot be blown up."""
    torch.manual_seed(0)
    network = build_discriminator(DiscriminatorConfig(channels=8, num_halvings=1))
    for _ in range(30):
        network(torch.randn(1, 3, 32, 32))
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            assert torch.linalg.matrix_norm(part.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.05)


def test_scales_see_halved_pictures() -> None:
    network = build_discriminator(DiscriminatorConfig(kind="multiscale", channels=4, num_halvings=1, num_scales=3))
    sizes = [maps[0].shape[-1] for maps in network(torch.randn(1, 3, 64, 64))]
    assert sizes == [32, 16, 8]


def test_attention_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    attention = PatchAttention(16).eval()
    x = torch.randn(2, 16, 3, 5)
    assert torch.equal(attention(x), x), "it begins by adding nothing"
    nn.init.constant_(attention.strength, 0.5)
    query, key, value = (part(x).flatten(2) for part in (attention.query, attention.key, attention.value))
    shares = torch.softmax(torch.einsum("bci,bcj->bij", query, key), dim=2)
    expected = x + 0.5 * torch.einsum("bij,bcj->bci", shares, value).view_as(x)
    torch.testing.assert_close(attention(x), expected)


def test_under_autocast_it_stays_in_float32() -> None:
    network = build_discriminator(KINDS[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(maps.dtype == torch.float32 for scale in network(torch.randn(1, 3, 24, 24)) for maps in scale)


def test_a_deep_one_without_place_for_attention_is_refused() -> None:
    with pytest.raises(SettingError, match=r"num_halvings must be 2 or more for kind 'deep' .*, got 1"):
        build_discriminator(DiscriminatorConfig(kind="deep", num_halvings=1))


def test_input_is_about_in_minus_one_to_one() -> None:
    lightness, ab = torch.tensor([0.0, 50.0, 100.0]).view(1, 1, 1, 3), torch.full((1, 2, 1, 3), 0.25)
    expected = torch.tensor([[-1.0, 0.0, 1.0], [0.25] * 3, [0.25] * 3])
    torch.testing.assert_close(discriminator_input(lightness, ab)[0, :, 0], expected)


def _pair(count: int = 8) -> tuple[Tensor, Tensor]:
    """True pictures have colour that follows the lightness, false ones have none."""
    lightness = torch.rand(count, 1, 16, 16) * 100
    ab = torch.cat((lightness, -lightness), dim=1) / 200
    return discriminator_input(lightness, ab), discriminator_input(lightness, torch.zeros_like(ab))


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    """Accelerate keeps its settings for the whole process; the tests after this one want others."""
    yield Accelerator(cpu=True)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("gan_loss", ["hinge", "least_squares", "logistic"])
def test_an_adversary_learns_to_tell_and_says_which_way(gan_loss: str, accelerator: Accelerator) -> None:
    torch.manual_seed(0)
    adversary = Adversary(DiscriminatorConfig(channels=8, num_halvings=1), gan_loss)
    adversary.prepare(accelerator)
    adversary.set_learning_rate(3e-3)
    losses = []
    for _ in range(40):
        loss, told_apart = adversary.examine(*_pair())
        losses.append(loss.item())
        assert adversary.learn(accelerator, loss, max_gradient_norm=50.0).isfinite()
    assert told_apart == 1
    assert losses[-1] < 0.8 * losses[0]

    before = {name: value.clone() for name, value in adversary.network.state_dict().items()}
    real, fake = _pair()
    fake.requires_grad_()
    verdict = adversary.verdict(real, fake, with_features=True)
    assert list(verdict) == ["adversarial", "feature_matching"]
    assert verdict["feature_matching"].item() > 0
    verdict["adversarial"].backward()
    assert fake.grad is not None
    assert (-fake.grad[:, 1:] * (real - fake)[:, 1:].detach()).sum() > 0, "downhill is towards the truth"
    assert all(parameter.grad is None for parameter in adversary.network.parameters())
    assert all(torch.equal(before[name], value) for name, value in adversary.network.state_dict().items())
    assert all(parameter.requires_grad for parameter in adversary.network.parameters())
    assert list(adversary.verdict(real, fake, with_features=False)) == ["adversarial"]

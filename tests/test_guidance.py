"""Guidance: its arithmetic, what it tells a pipeline, and the finished latents that it reads from each step."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from autochrome.pipelines.guidance import Guidance, guide

APART, TOWARD = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))


class Echo(nn.Module):
    """A U-Net that predicts what it was given to predict, as a diffusers one is called."""

    def __init__(self, predicted: Tensor) -> None:
        super().__init__()
        self.predicted = predicted

    def forward(self, noisy: Tensor, timestep: Tensor, **others: object) -> tuple[Tensor, ...]:
        return (self.predicted,)


def test_without_rescaling_it_is_the_formula_of_ho_and_salimans() -> None:
    torch.testing.assert_close(guide(APART, TOWARD, 3.0, 0.0), APART + 3 * (TOWARD - APART))
    torch.testing.assert_close(guide(APART, TOWARD, 1.0, 0.7), TOWARD)


def test_rescaling_brings_the_spread_back() -> None:
    plain, half, whole = (guide(APART, TOWARD, 5.0, share) for share in (0.0, 0.5, 1.0))
    spread = TOWARD.std((1, 2, 3))
    torch.testing.assert_close(whole.std((1, 2, 3)), spread)
    torch.testing.assert_close(half.std((1, 2, 3)), (plain.std((1, 2, 3)) + spread) / 2)
    assert (plain.std((1, 2, 3)) > 2 * spread).all()


@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_the_pipelines_own_guidance_then_changes_nothing(rescale: float) -> None:
    unet = Echo(torch.cat([APART, TOWARD]))
    guidance = Guidance(DDIMScheduler(), 4.0, rescale)
    noisy = torch.randn(6, 4, 8, 8)
    with guidance.watching(unet):
        apart, toward = unet(noisy, torch.tensor(500), encoder_hidden_states=None)[0].chunk(2)
    wanted = guide(APART, TOWARD, 4.0, rescale)
    torch.testing.assert_close(apart + 4.0 * (toward - apart), wanted)
    assert guidance.clean is not None
    assert guidance.clean.shape == wanted.shape
    assert torch.equal(unet(noisy, torch.tensor(500))[0], unet.predicted), "outside it is out of the way"


def test_one_pass_goes_through_untouched() -> None:
    unet = Echo(TOWARD)
    with Guidance(DDIMScheduler(), 1.0, 0.7).watching(unet):
        assert unet(TOWARD, torch.tensor(500))[0] is TOWARD


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("timestep", [10, 500, 990])
def test_the_finished_latents_are_found_from_a_true_prediction(kind: str, timestep: int) -> None:
    scheduler = DDIMScheduler(prediction_type=kind)
    clean, noise = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    times = torch.full((3,), timestep)
    noisy = scheduler.add_noise(clean, noise, times)
    predicted = {"epsilon": noise, "v_prediction": scheduler.get_velocity(clean, noise, times), "sample": clean}[kind]
    guidance = Guidance(scheduler, 1.0, 0.0)
    unet = Echo(predicted)
    with guidance.watching(unet):
        unet(noisy, torch.tensor(timestep))
    torch.testing.assert_close(guidance.clean, clean, atol=1e-4, rtol=1e-4)


def test_at_zero_terminal_snr_noise_alone_gives_finite_latents() -> None:
    for kind in ("epsilon", "v_prediction"):
        scheduler = DDIMScheduler(prediction_type=kind, rescale_betas_zero_snr=True)
        guidance = Guidance(scheduler, 1.0, 0.0)
        with guidance.watching(unet := Echo(TOWARD)):
            unet(APART, torch.tensor(999))
        assert guidance.clean is not None
        assert torch.isfinite(guidance.clean).all()


def test_the_hook_is_taken_off_when_a_run_breaks_off() -> None:
    unet = Echo(TOWARD)
    guidance = Guidance(SimpleNamespace(config=SimpleNamespace(prediction_type="sample")), 1.0, 0.0)
    with pytest.raises(KeyboardInterrupt), guidance.watching(unet):
        raise KeyboardInterrupt
    unet(APART, torch.tensor(1))
    assert guidance.clean is None

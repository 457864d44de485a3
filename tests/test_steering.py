"""The decoder that takes directions: silent when fresh, deaf to order and filling, and no hint is ever lost."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from steered_models import STEERED, lively_model
from torch import Tensor

from autochrome.errors import SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.steering import AB_GAIN, Conditions, HintPropagation, distances, draw_hints, sample, shrink_map
from training.train_gan import add_steering

SHARES = st.floats(0, 1, width=32)
SIDES = st.integers(1, 4).map(lambda number: number * 8)


def lightness(batch: int = 1) -> Tensor:
    return torch.rand(batch, 1, 64, 96, generator=torch.Generator().manual_seed(1)) * 100


def some_hints(batch: int = 1, count: int = 5) -> Tensor:
    """On a grid of places, so that none covers another; the colors are random."""
    random = torch.Generator().manual_seed(2)
    hints = torch.rand(batch, count, 6, generator=random) * 0.6
    hints[..., 0] = (torch.arange(count) + 0.4) / count
    hints[..., 1] = (torch.arange(count) * 2 % count + 0.6) / count
    hints[..., 4] = 0.01
    hints[..., 5] = torch.linspace(0.3, 1, count)
    return hints


def some_palette(batch: int = 1, count: int = 4) -> Tensor:
    palette = torch.randn(batch, count, 4, generator=torch.Generator().manual_seed(3)) * 0.4
    palette[..., 3] = 1 / count
    return palette


def some_words(batch: int = 1, count: int = 6) -> tuple[Tensor, Tensor]:
    words = torch.randn(batch, count, 384, generator=torch.Generator().manual_seed(4))
    return words, torch.ones(batch, count, dtype=torch.bool)


def everything(batch: int = 1) -> Conditions:
    return Conditions(some_hints(batch), some_palette(batch), *some_words(batch))


@torch.no_grad()
def answer(model: Colorizer, conditions: Conditions | None = None, batch: int = 1) -> Tensor:
    found: Tensor = model(lightness(batch), raw=True, conditions=conditions)
    return found


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def plain_model() -> Colorizer:
    torch.manual_seed(5)
    model = Colorizer(ColorizerConfig.tiny()).eval()
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def test_fresh_steering_leaves_an_old_network_as_it_was() -> None:
    old = plain_model()
    new = add_steering(old).eval()
    assert new.takes_directions
    assert not old.takes_directions
    with torch.no_grad():
        before = old(lightness())
        assert before.std() > 1e-3
        assert torch.equal(new(lightness()), before)
        for deaf in (Conditions(palette=some_palette()), Conditions(None, None, *some_words())):
            assert torch.equal(new(lightness(), conditions=deaf), before), "it has not learnt to listen yet"


def test_no_direction_is_the_automatic_mode() -> None:
    model = lively_model()
    automatic = answer(model)
    assert automatic.shape == (1, 3, 16, 24)
    assert torch.equal(answer(model, Conditions()), automatic)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(hints=torch.zeros(1, 3, 6)),
        Conditions(palette=torch.zeros(1, 3, 4)),
        Conditions(words=some_words()[0], word_mask=torch.zeros(1, 6, dtype=torch.bool)),
        Conditions(words=torch.zeros(1, 0, 384), word_mask=torch.zeros(1, 0, dtype=torch.bool)),
        Conditions(hints=torch.zeros(1, 0, 6)),
    ],
    ids=["hints", "palette", "words", "no words", "no hints"],
)
def test_directions_of_filling_alone_are_no_directions(conditions: Conditions) -> None:
    """As they come in a batch in which somebody else gave some."""
    model = lively_model()
    close(answer(model, conditions), answer(model))


@pytest.mark.parametrize(
    "conditions",
    [Conditions(hints=some_hints()), Conditions(palette=some_palette()), Conditions(None, None, *some_words())],
    ids=["hints", "palette", "words"],
)
def test_each_direction_is_heard(conditions: Conditions) -> None:
    model = lively_model()
    assert (answer(model, conditions) - answer(model)).abs().max() > 0.01


def turned(part: Tensor) -> Tensor:
    return part.flip(1)


def filled(part: Tensor) -> Tensor:
    return torch.cat([part, torch.zeros(part.shape[0], 7, part.shape[2])], dim=1)


@pytest.mark.parametrize("change", [turned, filled])
def test_order_and_filling_mean_nothing(change: Callable[[Tensor], Tensor]) -> None:
    model = lively_model()
    whole = everything()
    expected = answer(model, whole)
    assert whole.hints is not None
    assert whole.palette is not None
    close(answer(model, replace(whole, hints=change(whole.hints))), expected)
    close(answer(model, replace(whole, palette=change(whole.palette))), expected)


def test_words_behind_the_mask_are_not_read() -> None:
    model = lively_model()
    words, mask = some_words()
    expected = answer(model, Conditions(words=words, word_mask=mask))
    longer = torch.cat([words, torch.full((1, 2, 384), 9.0)], dim=1)
    mask = torch.cat([mask, torch.zeros(1, 2, dtype=torch.bool)], dim=1)
    close(answer(model, Conditions(words=longer, word_mask=mask)), expected)


def test_pictures_of_a_batch_do_not_mix() -> None:
    """Three with other directions each, the second with none, give what each gives alone."""
    model = lively_model()
    whole = everything(3)
    hints, palette, words, mask = whole.hints, whole.palette, whole.words, whole.word_mask
    assert hints is not None
    assert palette is not None
    assert words is not None
    assert mask is not None
    hints[2, 2:], palette[0, 1:] = 0, 0
    hints[1], palette[1], mask[1] = 0, 0, False
    together = answer(model, whole, batch=3)
    seen = lightness(3)
    alone = [
        Conditions(hints[:1], palette[:1, :1], words[:1], mask[:1]),
        None,
        Conditions(hints[2:, :2], palette[2:], words[2:], mask[2:]),
    ]
    with torch.no_grad():
        for index, conditions in enumerate(alone):
            close(model(seen[index : index + 1], raw=True, conditions=conditions), together[index : index + 1])


def test_kept_features_give_the_same_answer() -> None:
    model = lively_model()
    with torch.no_grad():
        features = model.features(lightness())
        before = [feature.clone() for feature in features]
        for conditions in (everything(), None, Conditions(hints=some_hints())):
            assert torch.equal(model.decode(features, conditions), answer(model, conditions))
    assert all(torch.equal(one, other) for one, other in zip(features, before, strict=True)), "they stay as they are"


def test_every_part_learns() -> None:
    model = lively_model().train()
    answer = model(lightness(2), raw=True, conditions=everything(2))
    (answer * torch.randn_like(answer)).sum().backward()
    for name, parameter in model.decoder.named_parameters():
        if name.startswith("steering.") and not name.endswith(("nothing", "doubt.weight")):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    grads = {name: p.grad.abs().max() for name, p in model.decoder.named_parameters() if p.grad is not None}
    silent = [name for name, largest in grads.items() if name.startswith("steering.") and largest == 0]
    assert silent == []


@pytest.mark.parametrize("conditions", [None, everything(2)], ids=["automatic", "everything"])
def test_half_precision_is_as_good_to_a_hundredth(conditions: Conditions | None) -> None:
    model = lively_model()
    expected = answer(model, conditions, batch=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(lightness(2), raw=True, conditions=conditions)
    assert half.dtype == torch.float32
    half.sum().backward()
    assert (half - expected).abs().mean() < 0.05 * expected.std()


def test_a_steered_model_comes_back_from_disk(tmp_path: Path) -> None:
    model = lively_model()
    save_colorizer(model, tmp_path)
    loaded = load_colorizer(tmp_path)
    assert loaded.config == STEERED
    torch.testing.assert_close(answer(loaded, everything()), answer(model, everything()), atol=0.02, rtol=0.02)


def test_a_network_that_takes_no_directions_says_so() -> None:
    with pytest.raises(ValueError, match="decoder unet takes no directions"):
        answer(plain_model(), everything())
    with pytest.raises(SettingError, match="decoder steered_unet has a head of its own: leave head at 'ab'"):
        replace(STEERED, head="bins")
    with pytest.raises(SettingError, match=r"steered_unet has a head of its own: .* and fusion at false"):
        replace(STEERED, fusion=True)


def test_conditions_move_with_what_was_not_given() -> None:
    moved = Conditions(hints=some_hints()).to("meta")
    assert moved.hints is not None
    assert moved.hints.device.type == "meta"
    assert moved.palette is moved.words is moved.word_mask is None


def hint(x: float, y: float, a: float = 0.5, b: float = -0.25, radius: float = 0.0, confidence: float = 1.0) -> Tensor:
    return torch.tensor([[[x, y, a, b, radius, confidence]]])


def cell_under(x: float, y: float, height: int, width: int) -> tuple[int, int]:
    return min(int(y * height), height - 1), min(int(x * width), width - 1)


@given(x=SHARES, y=SHARES, height=SIDES, width=SIDES, radius=st.floats(0, 0.5), confidence=st.floats(0.05, 1))
@settings(max_examples=60, deadline=None)
def test_a_hint_is_lost_at_no_stride(
    x: float, y: float, height: int, width: int, radius: float, confidence: float
) -> None:
    drawn = draw_hints(hint(x, y, radius=radius, confidence=confidence), height, width)
    while True:
        a, b, presence = (values[cell_under(x, y, *drawn.shape[2:])].item() for values in drawn[0])
        assert 0.29 * confidence < presence <= confidence * 1.0001
        assert (a, b) == pytest.approx((0.5 * AB_GAIN * presence, -0.25 * AB_GAIN * presence), rel=1e-3)
        assert drawn[:, 2].max() <= confidence * 1.0001
        if min(drawn.shape[2:]) % 2 or max(drawn.shape[2:]) % 2:
            break
        drawn = shrink_map(drawn)


@given(x=SHARES, y=SHARES, height=SIDES, width=SIDES, radius=st.floats(0, 0.4))
@settings(max_examples=40, deadline=None)
def test_a_disc_reaches_as_far_as_its_radius(x: float, y: float, height: int, width: int, radius: float) -> None:
    presence = draw_hints(hint(x, y, radius=radius), height, width)[0, 2]
    distance = distances(hint(x, y), height, width)[0, :, 0].view(height, width)
    cell = 1 / min(height, width)
    assert (presence[distance < radius - 0.51 * cell] == 1).all()
    assert (presence[distance > max(radius, cell / 2) + 0.51 * cell] == 0).all()


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_at_the_middle_of_a_cell_its_own_value_is_found(height: int, width: int, seed: int) -> None:
    features = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    places = torch.tensor([[(c + 0.5) / width, (r + 0.5) / height] for r in range(height) for c in range(width)])
    found = sample(features, places.expand(2, -1, -1))
    torch.testing.assert_close(found, features.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-5)
    outside = sample(features, torch.tensor([[[-1.0, -1.0], [2.0, 2.0]]]).expand(2, -1, -1))
    torch.testing.assert_close(outside[:, 0], features[:, :, 0, 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(outside[:, 1], features[:, :, -1, -1], atol=1e-5, rtol=1e-5)


@given(x=SHARES, y=SHARES, height=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_distances_are_measured_in_shorter_sides(x: float, y: float, height: int, width: int) -> None:
    found = distances(hint(x, y), height, width)[0, :, 0].view(height, width)
    for row in range(height):
        for column in range(width):
            expected = math.hypot(x * width - column - 0.5, y * height - row - 0.5) / min(height, width)
            assert found[row, column].item() == pytest.approx(expected, abs=1e-5)


def test_where_hints_overlap_the_stronger_counts_and_of_equals_the_later() -> None:
    first, second = hint(0.5, 0.5, 0.1, 0.1, 0.2), hint(0.5, 0.5, 0.9, 0.9, 0.2)
    unsure = hint(0.5, 0.5, 0.9, 0.9, 0.2, confidence=0.5)
    for hints, color in (([first, second], 0.9), ([second, first], 0.1), ([first, unsure], 0.1)):
        drawn = draw_hints(torch.cat(hints, dim=1), 8, 8)[0, :, 4, 4]
        assert drawn.tolist() == pytest.approx([color * AB_GAIN, color * AB_GAIN, 1])


def test_what_is_carried_over_is_a_mean_of_the_hints() -> None:
    torch.manual_seed(0)
    propagation = HintPropagation(8)
    features = torch.randn(1, 8, 6, 9)
    added, color, weight = propagation(features, hint(0.3, 0.6))
    assert added.abs().max() == 0, "fresh, it adds nothing"
    torch.testing.assert_close(color, torch.tensor([0.5, -0.25]).view(1, 2, 1, 1).expand_as(color), atol=1e-3, rtol=0)
    assert weight.min() > 0
    assert weight.max() <= 1
    near, far = weight[0, 0, 3, 2], weight[0, 0, 0, 8]
    assert near > far
    hints = some_hints()
    _, color, _ = propagation(features, hints)
    for channel in (0, 1):
        ab = hints[..., 2 + channel]
        assert ab.min() - 1e-3 <= color[:, channel].min()
        assert color[:, channel].max() <= ab.max() + 1e-3
    _, _, weight = propagation(features, torch.zeros(1, 2, 6))
    assert weight.abs().max() == 0

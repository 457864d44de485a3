"""What both parts share in training: steps with a cosine, a progress bar, a log, and checkpoints to resume from."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from autochrome.errors import ModelError
from training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint

_LOG_EVERY = 50
_WARMUP_STEPS = 100


def train(
    name: str,
    folder: Path,
    networks: Mapping[str, nn.Module],
    step_losses: Callable[[int], dict[str, Tensor]],
    *,
    num_steps: int,
    learning_rate: float,
    checkpoint_every: int,
    resume: bool,
    recipe: str,
) -> None:
    """Minimize the sum of what `step_losses(step)` gives, with AdamW; writes `folder/log.jsonl` and checkpoints.

    The learning rate rises over 100 steps and falls along a cosine to a hundredth. With `resume` training goes on from
    the newest checkpoint; what is random must depend on the step alone.

    Raises:
        ModelError: the loss is not a number any more, or a checkpoint is of other networks.
    """
    parameters = [parameter for network in networks.values() for parameter in network.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    checkpoints = list_checkpoints(folder) if resume else []
    begin = 0
    if checkpoints:
        begin = int(load_checkpoint(checkpoints[-1], networks=networks, optimizers={"adamw": optimizer})["step"])
    sums: dict[str, float] = {}
    for step in tqdm(range(begin, num_steps), desc=name, initial=begin, total=num_steps, unit="step"):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / _WARMUP_STEPS) * cosine(step / num_steps)
        losses = step_losses(step)
        total = sum(losses.values(), torch.zeros(()))
        if not math.isfinite(total.item()):
            raise ModelError(
                f"the loss of the {name} is {total.item()} at step {step + 1}; go on with --resume from the last "
                "checkpoint, with a lower learning_rate"
            )
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        for key, value in losses.items():
            sums[key] = sums.get(key, 0.0) + value.item() / _LOG_EVERY
        if (step + 1) % _LOG_EVERY == 0:
            append_log(folder, {"kind": "training", "step": step + 1, **sums})
            sums = {}
        if (step + 1) % checkpoint_every == 0 and step + 1 < num_steps:
            save_checkpoint(folder, step=step + 1, networks=networks, optimizers={"adamw": optimizer}, recipe=recipe)


def cosine(progress: float) -> float:
    """From 1 at the beginning to 0.01 at the end (Loshchilov and Hutter 2017)."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def append_log(folder: Path, values: Mapping[str, object]) -> None:
    """One more line of `log.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in values.items()}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(rounded) + "\n")

"""Train a feed-forward colorizer: `python -m training.train_gan CONFIG [key=value ...] [--dry-run] [--resume]`.

Reads from top to bottom. One process, several GPUs or several machines: the same file under `accelerate launch`.
Writes `OUTPUT_DIR/NAME/`: `checkpoint-{step}/`, TensorBoard logs, `log.jsonl`, `validation.png`, `recipe.yaml`, and at
the end `model/` (config.json, model.safetensors) with the averaged weights.
"""

import argparse
import copy
import json
import math
import os
import sys
import time
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve a second busy process

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.errors import AutochromeError, DataError, SettingError
from autochrome.image import tensor_to_picture, write_png
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from training.config import Phase, TrainConfig, config_to_yaml, describe_fields, load_config
from training.data import Crops, PhotoStore, open_photos, split_photos
from training.ema import ema_decay, update_ema
from training.losses import LOSSES, LossInput
from training.validation import Scores, score_model


class Schedule:
    """Which phase a step belongs to, and its learning rate."""

    def __init__(self, config: TrainConfig) -> None:
        self.phases = config.phases
        self.warmup_steps = config.warmup_steps
        lengths = [max(1, round(phase.num_kimg * 1000 / config.batch_size)) for phase in config.phases]
        self.ends = list(accumulate(lengths))
        self.num_steps = self.ends[-1]

    def phase(self, step: int) -> Phase:
        return self.phases[bisect_right(self.ends, step)]

    def learning_rate(self, step: int) -> float:
        """Cosine from the phase's first to its final value (Loshchilov and Hutter 2017), after a linear warm-up."""
        index = bisect_right(self.ends, step)
        begin = self.ends[index - 1] if index else 0
        progress = (step - begin) / (self.ends[index] - begin)
        phase = self.phases[index]
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        rate = phase.final_learning_rate + (phase.learning_rate - phase.final_learning_rate) * cosine
        return rate * min(1.0, (step + 1) / max(1, self.warmup_steps))


def choose_precision(config: TrainConfig) -> str:
    """`auto` becomes bf16 only where the device computes it natively: emulated on a CPU it is ten times slower."""
    if config.mixed_precision != "auto":
        return config.mixed_precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"


def build_model(config: TrainConfig) -> Colorizer:
    """The network of the recipe: fresh, on a pretrained backbone, or continued from a finished model."""
    if config.init_from is not None:
        model = load_colorizer(Path(config.init_from))
        wanted = ColorizerConfig.from_dict(ColorizerConfig().to_dict() | config.architecture)
        if config.architecture and wanted != model.config:
            raise SettingError(f"init_from {config.init_from} has another architecture than the recipe asks for")
    else:
        wanted = ColorizerConfig.from_dict(ColorizerConfig().to_dict() | config.architecture)
        pretrained = Path(config.backbone_weights) if config.backbone_weights else None
        model = Colorizer(wanted, pretrained)
    for phase in config.phases:
        if phase.size_px % model.size_multiple:
            raise SettingError(f"size_px must be a multiple of {model.size_multiple}, got {phase.size_px}")
    for stage in model.backbone.stages[: config.frozen_stages]:
        stage.requires_grad_(False)
    return model


def build_optimizer(model: Colorizer, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW with the backbone's learning rate scaled; biases and norms are not decayed."""
    groups = []
    for part, scale in ((model.backbone, config.backbone_learning_rate_scale), (model.decoder, 1.0)):
        parameters = [parameter for parameter in part.parameters() if parameter.requires_grad]
        for decay, chosen in (
            (config.weight_decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
    if config.optimizer == "adam":
        return torch.optim.Adam([{**group, "weight_decay": 0.0} for group in groups], lr=1.0)
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.99))


def make_batches(
    config: TrainConfig, schedule: Schedule, store: PhotoStore, indices: list[int], begin: int, process: tuple[int, int]
) -> DataLoader[Tensor]:
    """Batches of every step from `begin` on, made one process ahead of the training."""
    steps = range(begin, schedule.num_steps)
    crops = Crops(
        store,
        indices,
        steps=steps,
        sizes_px=[schedule.phase(step).size_px for step in steps],
        batch_size=config.batch_size,
        crop_scale=(config.crop_scale[0], config.crop_scale[1]),
        crop_aspect=config.crop_aspect,
        seed=config.seed,
        process=process,
    )
    return DataLoader(crops, batch_size=None, shuffle=False, num_workers=1, prefetch_factor=4)


def prepare(batch: Tensor, stride: int, device: torch.device) -> tuple[Tensor, LossInput]:
    """uint8 photographs to the network's L* and what the losses compare at the output's size."""
    lightness, ab = split_lab(rgb_to_lab(batch.to(device).float() / 255))
    return lightness, LossInput(
        prediction=torch.empty(0),
        target=F.avg_pool2d(ab, stride) / AB_SCALE,
        lightness=F.avg_pool2d(lightness, stride),
        colorfulness_share=1.0,
    )


def compute_loss(data: LossInput, phase: Phase) -> tuple[Tensor, dict[str, Tensor]]:
    """The phase's weighted sum, and each loss by itself."""
    data.colorfulness_share = phase.colorfulness_share
    parts = {name: LOSSES[name](data) for name in phase.losses}
    total = torch.stack([phase.losses[name] * value for name, value in parts.items()]).sum()
    return total, {name: value.detach() for name, value in parts.items()}


class Log:
    """Scalars to TensorBoard and `log.jsonl`, the validation grid to TensorBoard and `validation.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SummaryWriter(str(folder / "tensorboard"))

    def scalars(self, kind: str, step: int, num_pictures: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{kind}/{name}", value, num_pictures)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"kind": kind, "step": step, "num_pictures": num_pictures, **values}) + "\n")

    def scores(self, step: int, num_pictures: int, scores: Scores) -> None:
        self.scalars("validation", step, num_pictures, scores.values)
        self.writer.add_image("validation/grey_prediction_truth", scores.grid, num_pictures)
        write_png(tensor_to_picture(scores.grid), self.folder / "validation.png")


def train(config: TrainConfig, *, resume: bool) -> Path:
    """Run the recipe; returns the folder of the finished model."""
    torch.manual_seed(config.seed)
    precision = choose_precision(config)
    accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision)
    folder = Path(config.output_dir) / config.name
    schedule = Schedule(config)
    recipe = config_to_yaml(config)
    _check_losses(config)
    if not resume and list_checkpoints(folder):
        raise DataError(f"{folder} holds checkpoints; go on from them with --resume, or give another name=")

    with accelerator.main_process_first():
        store = open_photos(config.photos, Path(config.cache_dir), config.cache_side_px)
    training, validation = split_photos(store.names, config.validation_share)
    if not training or not validation:
        raise DataError(f"{len(store)} photographs leave {len(training)} to train and {len(validation)} to validate")

    memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
    model = build_model(config).train()
    model = model.to(memory_format=memory_format)  # type: ignore[call-overload]  # torch leaves it out of its stubs
    averaged = copy.deepcopy(model).to(accelerator.device).requires_grad_(False)
    plain_optimizer = build_optimizer(model, config)
    begin = 0
    if resume and list_checkpoints(folder):
        newest = list_checkpoints(folder)[-1]
        begin = load_checkpoint(newest, model=model, averaged=averaged, optimizer=plain_optimizer)["step"]
        accelerator.print(f"resuming from {newest}")
    wrapped, optimizer = accelerator.prepare(model, plain_optimizer)
    process = (accelerator.process_index, accelerator.num_processes)
    batches = iter(make_batches(config, schedule, store, training, begin, process))

    log = Log(folder) if accelerator.is_main_process else None
    if log:
        (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    progress = tqdm(total=schedule.num_steps, initial=begin, unit="step", disable=log is None, mininterval=2)
    started, done = time.monotonic(), begin
    for step in range(begin, schedule.num_steps):
        phase = schedule.phase(step)
        rate = schedule.learning_rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss, parts = _training_step(accelerator, wrapped, model, optimizer, next(batches), phase, config)
        num_pictures = (step + 1) * config.batch_size
        update_ema(averaged, model, ema_decay(config.ema_halflife_kimg, num_pictures, config.batch_size))
        progress.update()
        if log is None:
            continue
        last = step + 1 == schedule.num_steps
        if step % 50 == 0 or last:
            speed = (step + 1 - done) * config.batch_size / (time.monotonic() - started)
            started, done = time.monotonic(), step + 1
            progress.set_postfix(loss=f"{loss:.3f}", pictures_per_s=f"{speed:.0f}")
            log.scalars("train", step, num_pictures, parts | {"loss": loss, "rate": rate, "pictures_per_s": speed})
        if last or _crosses(config.validate_every_kimg, num_pictures, config.batch_size):
            chosen = validation[: config.num_validation]
            scores = score_model(averaged, store, chosen, phase.size_px, accelerator.device)
            log.scores(step, num_pictures, scores)
            tqdm.write(json.dumps({"kimg": num_pictures / 1000, **scores.values}))
            started, done = time.monotonic(), step + 1
        if last or _crosses(config.checkpoint_every_kimg, num_pictures, config.batch_size):
            save_checkpoint(
                folder, step=step + 1, model=model, averaged=averaged, optimizer=plain_optimizer, recipe=recipe
            )
            save_colorizer(averaged, folder / "model")
    progress.close()
    if log:
        log.writer.close()
    accelerator.end_training()
    return folder / "model"


def _training_step(
    accelerator: Accelerator,
    wrapped: nn.Module,
    model: Colorizer,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    phase: Phase,
    config: TrainConfig,
) -> tuple[float, dict[str, float]]:
    lightness, data = prepare(batch, model.output_stride, accelerator.device)
    with accelerator.autocast():
        data.prediction = wrapped(lightness)
    loss, parts = compute_loss(data, phase)
    if not torch.isfinite(loss):
        raise DataError(
            f"the loss is {loss.item()} ({ {name: value.item() for name, value in parts.items()} }); the last "
            f"checkpoint is kept: lower learning_rate or check the photographs, then --resume"
        )
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), config.max_gradient_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item(), {name: value.item() for name, value in parts.items()}


def _crosses(every_kimg: float, num_pictures: int, batch_size: int) -> bool:
    """Whether this step's pictures reach a multiple of the interval."""
    interval = every_kimg * 1000
    return num_pictures // interval > (num_pictures - batch_size) // interval


def _check_losses(config: TrainConfig) -> None:
    for phase in config.phases:
        for name in phase.losses:
            if name not in LOSSES:
                raise SettingError(f"no loss is called {name!r}; there are: {', '.join(LOSSES)}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_gan",
        description="Train a feed-forward colorizer from a recipe.",
        epilog=describe_fields(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="a YAML recipe, e.g. training/configs/gan-artistic.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="fields to change, e.g. seed=1")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved recipe and the model, then stop")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 for anything wrong with the recipe or its photographs."""
    options = _arguments().parse_intermixed_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
        print(config_to_yaml(config))
        if options.dry_run:
            model = build_model(config)
            _check_losses(config)
            schedule = Schedule(config)
            count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
            print(f"{count:,} parameters to train, {schedule.num_steps:,} steps, precision {choose_precision(config)}")
            return 0
        print(f"finished model: {train(config, resume=options.resume)}")
    except AutochromeError as error:
        print(f"train_gan: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

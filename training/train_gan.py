"""Train a feed-forward colorizer: `python -m training.train_gan CONFIG [key=value ...] [--dry-run] [--resume]`.

Reads from top to bottom. One process, several GPUs or several machines: the same file under `accelerate launch`.
Writes `OUTPUT_DIR/NAME/`: `checkpoint-{step}/`, TensorBoard logs, `log.jsonl`, `validation.png`, `recipe.yaml`, and at
the end `model/` (config.json, model.safetensors) with the averaged weights. A run that ends adversarially also keeps
`snapshots/{step}/` and chooses one of them for `model/`: `snapshots.json` says why.
"""

import argparse
import copy
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve a second busy process

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from autochrome.color import AB_SCALE, grey_to_lightness, rgb_to_lab, split_lab
from autochrome.errors import AutochromeError, DataError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.checkpoint import load_weights
from autochrome.models.steering import Conditions
from autochrome.models.text_encoder import TextEncoder, copy_text_encoder
from training.adversarial import Adversary, discriminator_input
from training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from training.config import Phase, TrainConfig, config_to_yaml, describe_fields, load_config
from training.data import Batch, Crops, PhotoStore, open_photos, training_and_validation
from training.directions import DirectedBatch, has_caption
from training.ema import ema_decay, update_ema
from training.log import Log, Speed, peak_memory_mb
from training.losses import CLASSIFICATION_LOSSES, DIRECTED_LOSSES, LOSSES, LossInput
from training.losses.classification import class_weights
from training.schedule import Schedule
from training.snapshots import choose_snapshot, require_enough, save_snapshot
from training.validation import score_directed, score_model


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
        model = load_colorizer(Path(config.init_from), training=True)
        wanted = ColorizerConfig.from_dict(ColorizerConfig().to_dict() | config.architecture)
        if model.config.decoder == "unet" and wanted == replace(model.config, decoder="steered_unet"):
            model = add_steering(model)
        elif config.architecture and wanted != model.config:
            raise SettingError(f"init_from {config.init_from} has another architecture than the recipe asks for")
    else:
        wanted = ColorizerConfig.from_dict(ColorizerConfig().to_dict() | config.architecture)
        pretrained = Path(config.backbone_weights) if config.backbone_weights else None
        model = Colorizer(wanted, pretrained)
    if config.directions is not None and not model.takes_directions:
        raise SettingError(f"directions need decoder 'steered_unet', got {model.config.decoder!r}")
    for phase in config.phases:
        if phase.size_px % model.size_multiple:
            raise SettingError(f"size_px must be a multiple of {model.size_multiple}, got {phase.size_px}")
        _check_head(model, phase)
    for stage in model.backbone.stages[: config.frozen_stages]:
        stage.requires_grad_(False)
    return model


def add_steering(plain: Colorizer) -> Colorizer:
    """The same network with parts that take directions; fresh, these change nothing."""
    model = Colorizer(replace(plain.config, decoder="steered_unet"))
    fresh = {name: value for name, value in model.state_dict().items() if name.startswith("decoder.steering.")}
    old = {name: value for name, value in plain.state_dict().items() if not name.endswith("num_batches_tracked")}
    load_weights(model, {**fresh, **old}, origin="the plain network")
    return model


def build_optimizer(model: Colorizer, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW with the backbone's learning rate scaled; biases and norms are not decayed."""
    groups = []
    learning = [(name.startswith("backbone."), p) for name, p in model.named_parameters() if p.requires_grad]
    for in_backbone, scale in ((True, config.backbone_learning_rate_scale), (False, 1.0)):
        parameters = [parameter for inside, parameter in learning if inside is in_backbone]
        for decay, chosen in (
            (config.weight_decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "scale": scale})
    if config.optimizer == "adam":
        return torch.optim.Adam([{**group, "weight_decay": 0.0} for group in groups], lr=1.0)
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.99))


def build_adversary(config: TrainConfig, model: Colorizer) -> Adversary | None:
    """The discriminator of the recipe, where it has one; refuses pictures too small for it."""
    if config.discriminator is None:
        return None
    adversary = Adversary(config.discriminator, config.gan_loss)
    for phase in config.phases:
        side = phase.size_px // model.output_stride
        if phase.stage != "generator" and side < adversary.network.min_side_px:
            raise SettingError(
                f"at size_px {phase.size_px} the model's output is {side} pixels wide, and this discriminator needs "
                f"{adversary.network.min_side_px}: raise size_px, or lower discriminator.num_halvings or num_scales"
            )
    return adversary


def make_batches(
    config: TrainConfig, schedule: Schedule, store: PhotoStore, indices: list[int], begin: int, process: tuple[int, int]
) -> DataLoader[Batch]:
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
        augmentation=config.augmentation,
        directions=config.directions,
    )
    return DataLoader(crops, batch_size=None, shuffle=False, num_workers=1, prefetch_factor=4)


def prepare(batch: Batch, stride: int, phase: Phase, device: torch.device) -> tuple[Tensor, LossInput]:
    """uint8 photographs to the network's L* and what the losses compare."""
    lightness, ab = split_lab(rgb_to_lab(batch.photos.to(device).float() / 255))
    data = LossInput(
        prediction=torch.empty(0),
        target=F.avg_pool2d(ab, stride) / AB_SCALE,
        lightness=F.avg_pool2d(lightness, stride),
        colorfulness_share=phase.colorfulness_share,
        full_lightness=lightness,
    )
    if batch.conditioning is not None:
        lightness = grey_to_lightness(batch.conditioning.to(device).float() / 255)
    return lightness, data


def read_directions(
    directed: DirectedBatch | None, text_encoder: TextEncoder | None, device: torch.device
) -> Conditions | None:
    """What a batch's directions are to the network; None where the recipe has none."""
    if directed is None:
        return None
    words, mask = text_encoder(directed.texts) if text_encoder is not None else (None, None)
    hints = directed.hints if directed.hints.shape[1] else None
    palette = directed.palette if directed.palette.shape[1] else None
    return Conditions(hints, palette, words, mask).to(device)


@dataclass
class Trainer:
    """The networks that take part, and what one step does with them."""

    accelerator: Accelerator
    config: TrainConfig
    model: Colorizer
    wrapped: Callable[..., Tensor]
    """`model` as accelerate (and the compiler) want it called."""
    averaged: Colorizer
    optimizer: torch.optim.Optimizer
    adversary: Adversary | None
    class_weights: Tensor | None = None
    text_encoder: TextEncoder | None = None

    def step(self, batch: Batch, phase: Phase, where: str) -> dict[str, float]:
        """Train on one batch, whoever's turn it is; returns each loss by its name.

        Raises:
            DataError: a loss or gradient is not finite.
        """
        lightness, data = prepare(batch, self.model.output_stride, phase, self.accelerator.device)
        data.class_weights = self.class_weights
        real = discriminator_input(data.lightness, data.target)
        if phase.stage == "discriminator":
            with torch.no_grad(), self.accelerator.autocast():
                fake = discriminator_input(data.lightness, self.averaged(lightness))
            return self._teach_adversary(real, fake, where)
        with self.accelerator.autocast():
            conditions = read_directions(batch.directed, self.text_encoder, self.accelerator.device)
            data.raw = self.wrapped(lightness, raw=True, conditions=conditions)
        data.prediction = self.model.ab_from_raw(data.raw)
        weights, parts, values = dict(phase.losses), {}, {}
        if phase.stage == "adversarial":
            assert self.adversary is not None
            fake = discriminator_input(data.lightness, data.prediction)
            values = self._teach_adversary(real, fake.detach(), where)
            parts = self.adversary.verdict(real, fake, with_features=phase.feature_matching_weight > 0)
            weights |= {"adversarial": phase.adversarial_weight, "feature_matching": phase.feature_matching_weight}
        parts = {name: LOSSES[name](data) for name in phase.losses} | parts
        loss = torch.stack([weights[name] * value for name, value in parts.items()]).sum()
        _require_finite({**parts, "loss": loss}, where)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.max_gradient_norm)
        self._require_finite_gradient("gradient of the generator", norm, where)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return values | {name: value.item() for name, value in parts.items()} | {"loss": loss.item()}

    def _teach_adversary(self, real: Tensor, fake: Tensor, where: str) -> dict[str, float]:
        assert self.adversary is not None
        loss, told_apart = self.adversary.examine(real, fake)
        _require_finite({"discriminator": loss}, where)
        norm = self.adversary.learn(self.accelerator, loss, self.config.max_gradient_norm)
        self._require_finite_gradient("gradient of the discriminator", norm, where)
        return {"discriminator": loss.item(), "told_apart": told_apart}

    def _require_finite_gradient(self, name: str, norm: Tensor, where: str) -> None:
        if self.accelerator.scaler is None:  # with fp16 the scaler skips such a step and lowers its scale
            _require_finite({name: norm}, where)


def train(config: TrainConfig, *, resume: bool) -> Path:
    """Run the recipe; returns the folder of the finished model."""
    torch.manual_seed(config.seed)
    precision = choose_precision(config)
    # A batch in which nobody gives a hint leaves the hints' weights without a gradient.
    kwargs = [DistributedDataParallelKwargs(find_unused_parameters=True)] if config.directions is not None else []
    accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision, kwargs_handlers=kwargs)
    folder = Path(config.output_dir) / config.name
    schedule = Schedule(config)
    recipe = config_to_yaml(config)
    if not resume and list_checkpoints(folder):
        raise DataError(f"{folder} holds checkpoints; go on from them with --resume, or give another name=")

    with accelerator.main_process_first():
        store = open_photos(
            config.photos,
            Path(config.cache_dir),
            config.cache_side_px,
            config.photo_filters,
            with_captions=config.directions is not None and config.directions.words_share > 0,
        )
    if config.validate_on_training:
        training = validation = list(range(len(store)))
    else:
        training, validation = training_and_validation(store, config.validation_share, config.split_counts)
    if config.directions is not None and config.directions.captioned_only:
        training = [index for index in training if has_caption(store.captions[index])]
        if not training:
            raise DataError("directions.captioned_only leaves no photograph: none of them has a caption by a person")
    snapshot_steps = schedule.snapshot_steps(config.snapshot_every_kimg, len(training))
    if snapshot_steps:
        require_enough(validation)

    # The networks, as they were at the newest checkpoint where there is one.
    memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
    model = build_model(config).train()
    model = model.to(memory_format=memory_format)  # type: ignore[call-overload]  # torch leaves it out of its stubs
    averaged = copy.deepcopy(model).to(accelerator.device).requires_grad_(False).eval()
    plain_optimizer = build_optimizer(model, config)
    adversary = build_adversary(config, model)
    networks: dict[str, nn.Module] = {"model": model, "averaged": averaged}
    optimizers = {"optimizer": plain_optimizer}
    if adversary:
        networks["discriminator"] = adversary.network
        optimizers["discriminator_optimizer"] = adversary.optimizer
    begin = 0
    if resume and list_checkpoints(folder):
        newest = list_checkpoints(folder)[-1]
        begin = load_checkpoint(newest, networks=networks, optimizers=optimizers)["step"]
        accelerator.print(f"resuming from {newest}")
    wrapped, optimizer = accelerator.prepare(model, plain_optimizer)
    if adversary:
        adversary.prepare(accelerator)
    trainer = Trainer(accelerator, config, model, wrapped, averaged, optimizer, adversary)
    if config.text_encoder is not None:
        trainer.text_encoder = TextEncoder(Path(config.text_encoder)).to(accelerator.device)
    if config.compile:
        trainer.wrapped = torch.compile(wrapped)
    if any(name in CLASSIFICATION_LOSSES for phase in config.phases for name in phase.losses):
        trainer.class_weights = class_weights(store, training).to(accelerator.device)

    process = (accelerator.process_index, accelerator.num_processes)
    if accelerator.num_processes > 1:
        accelerator.print(f"{accelerator.num_processes} processes, {config.batch_size} pictures a step in all")
    batches = iter(make_batches(config, schedule, store, training, begin, process))
    log = Log(folder) if accelerator.is_main_process else None
    if log:
        (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    progress = tqdm(total=schedule.num_steps, initial=begin, unit="step", disable=log is None, mininterval=2)
    speed = Speed()
    for step in range(begin, schedule.num_steps):
        phase, last = schedule.phase(step), step + 1 == schedule.num_steps
        # Whatever a step draws at random is decided by (seed, step, process): a resumed run draws the same.
        torch.manual_seed((config.seed << 40) + step * process[1] + process[0])
        if schedule.adversary_enters(step):
            # The generator goes on from the weights that the discriminator has seen, which are the better ones, too.
            model.load_state_dict(averaged.state_dict())
            if log and step in snapshot_steps:
                save_snapshot(averaged, folder, step)
        rates = {"rate": schedule.learning_rate(step)}
        for group in optimizer.param_groups:
            group["lr"] = rates["rate"] * group["scale"]
        if adversary and phase.stage != "generator":
            rates["discriminator_rate"] = schedule.discriminator_learning_rate(step)
            adversary.set_learning_rate(rates["discriminator_rate"])
        values = trainer.step(next(batches), phase, f"step {step}, phases[{schedule.index(step)}] ({phase.stage})")
        num_pictures = (step + 1) * config.batch_size
        if phase.stage != "discriminator":
            halflife = phase.ema_halflife_kimg or config.ema_halflife_kimg
            update_ema(averaged, model, ema_decay(halflife, num_pictures, config.batch_size))
        progress.update()
        speed.add(config.batch_size)
        if log is None:
            continue
        if step % 50 == 0 or step in schedule.begins or last:
            values |= rates | {"pictures_per_s": speed.pictures_per_s()}
            progress.set_postfix({name: f"{value:.3g}" for name, value in values.items()}, refresh=False)
            log.scalars("train", step, num_pictures, values | {"peak_memory_mb": peak_memory_mb(accelerator.device)})
        if phase.stage != "discriminator" and _crosses(
            config.validate_every_kimg, num_pictures, config.batch_size, last
        ):
            chosen = validation[: config.num_validation]
            scores = score_model(averaged, store, chosen, phase.size_px, accelerator.device)
            if config.directions is not None:
                scores.values |= score_directed(averaged, store, chosen, phase.size_px, trainer.text_encoder)
            log.scores(step, num_pictures, scores)
            tqdm.write(json.dumps({"kimg": num_pictures / 1000, **scores.values}))
            speed.restart()
        if step + 1 in snapshot_steps and phase.stage == "adversarial":
            save_snapshot(averaged, folder, step + 1)
            speed.restart()
        if _crosses(config.checkpoint_every_kimg, num_pictures, config.batch_size, last):
            save_checkpoint(folder, step=step + 1, networks=networks, optimizers=optimizers, recipe=recipe)
            save_colorizer(averaged, folder / "model")
            if config.text_encoder is not None:
                copy_text_encoder(Path(config.text_encoder), folder / "model" / "text_encoder")
            speed.restart()
    progress.close()
    accelerator.end_training()
    if log:
        log.writer.close()
        if snapshot_steps:
            choose_snapshot(folder, snapshot_steps, config, store, validation, accelerator.device)
    return folder / "model"


def _crosses(every_kimg: float, num_pictures: int, batch_size: int, last: bool) -> bool:
    """Whether this step's pictures reach a multiple of the interval, or the end."""
    interval = every_kimg * 1000
    return last or num_pictures // interval > (num_pictures - batch_size) // interval


def _require_finite(values: dict[str, Tensor], where: str) -> None:
    """Stop at the first value that is not a number to go by."""
    for name, value in values.items():
        if not math.isfinite(value.item()):
            raise DataError(
                f"{where}: the {name} is {value.item()} ({ {one: v.item() for one, v in values.items()} }); the last "
                f"checkpoint is kept: lower the learning rates or check the photographs, then --resume"
            )


def _check_head(model: Colorizer, phase: Phase) -> None:
    wanting = [name for name in phase.losses if name in CLASSIFICATION_LOSSES]
    if wanting and model.config.head != "bins":
        raise SettingError(f"the loss {wanting[0]} needs a model with head 'bins', got head {model.config.head!r}")
    directed = [name for name in phase.losses if name in DIRECTED_LOSSES]
    if directed and not model.takes_directions:
        raise SettingError(f"the loss {directed[0]} needs decoder 'steered_unet', got {model.config.decoder!r}")


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
            build_adversary(config, model)
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

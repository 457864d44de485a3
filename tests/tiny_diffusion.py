"""Untrained diffusion models of a few kilobytes, as the folders of files that real ones are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
MAX_TOKENS = 48
WORDS = ("red", "green", "blue", "yellow", "a", "girl", "in", "raincoat", "photo", "sky")
TEXT_WIDTH = 16


def make_base(folder: Path) -> Path:
    """A base as the training scripts take one: all but the ControlNet, untrained, float32. Returns the folder."""
    pipe = StableDiffusionPipeline(
        **_parts(), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    _save(pipe, folder)
    return folder


def make_controlnet(base: Path, folder: Path) -> Path:
    """A ControlNet that fits a base made by `make_base`, whose every part answers (a fresh one is silent).

    Returns the folder: `config.json` and `diffusion_pytorch_model.safetensors`.
    """
    unet = UNet2DConditionModel.from_pretrained(base / "unet", use_safetensors=True)
    torch.manual_seed(4)
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    with torch.no_grad():
        for name, parameter in controlnet.named_parameters():
            if parameter.ndim > 1 and ("controlnet_" in name):
                parameter.normal_(std=0.3)
    controlnet.save_pretrained(folder)
    return folder


def make_pipeline(folder: Path) -> Path:
    """A whole folder as `diffusion-mini` is one: base and ControlNet together, float16. Returns the folder."""
    make_base(folder)
    make_controlnet(folder, folder / "controlnet")
    kept = {"use_safetensors": True, "dtype": torch.float16}
    controlnet = ControlNetModel.from_pretrained(folder / "controlnet", **kept)
    nothing = {"safety_checker": None, "requires_safety_checker": False}
    pipe = StableDiffusionControlNetPipeline.from_pretrained(folder, controlnet=controlnet, **nothing, **kept)
    _save(pipe, folder)
    return folder


def make_tokenizer() -> CLIPTokenizer:
    """Byte pairs: every letter, alone and at a word's end, and `WORDS` whole; at most `MAX_TOKENS` with both marks."""
    letters = sorted(ByteLevel.alphabet())
    merges = list(dict.fromkeys(pair for word in WORDS for pair in _merges(word)))
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_TOKENS, **marks)


def _merges(word: str) -> Iterator[tuple[str, str]]:
    pieces = [*word[:-1], f"{word[-1]}</w>"]
    for end in range(1, len(pieces)):
        yield "".join(pieces[:end]), pieces[end]


def _parts() -> dict[str, Any]:
    """A U-Net of two levels on an autoencoder of factor 8, 128 px, and a text encoder; always the same numbers."""
    tokenizer = make_tokenizer()
    torch.manual_seed(1)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=32,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    torch.nn.init.normal_(text_encoder.get_input_embeddings().weight)
    torch.manual_seed(2)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=128,
        scaling_factor=0.5,
    )
    torch.manual_seed(3)
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )
    return {"vae": vae, "text_encoder": text_encoder, "tokenizer": tokenizer, "unet": unet, "scheduler": scheduler}


def _save(pipe: Any, folder: Path) -> None:
    pipe.save_pretrained(folder, safe_serialization=True)
    # transformers writes one file of its own; a CLIP tokenizer is known by these two, and loads from them.
    pipe.tokenizer.backend_tokenizer.model.save(str(folder / "tokenizer"))
    (folder / "tokenizer" / "tokenizer.json").unlink()

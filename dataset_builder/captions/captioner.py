"""Captions from an image-to-text model of the Hugging Face Hub, for pictures that come without words."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from autochrome.errors import SettingError, UnavailableError
from dataset_builder.captions import CaptionConfig


class Captioner:
    """A model that transformers knows as image-text-to-text (BLIP, GIT, Florence-2, ViT-GPT2, chat models that see).

    Its weights must be safetensors, and its code transformers' own: nothing from the Hub is run. Decoding is greedy, so
    the same pictures in the same batches on the same device give the same captions.
    """

    def __init__(self, config: CaptionConfig) -> None:
        """Load `config.model`, from its folder or from the Hub.

        Raises:
            SettingError: no model is named, it is no image-to-text model, or there is no such device.
            UnavailableError: it is neither here nor can it be fetched.
        """
        if config.model is None:
            raise SettingError("captions.model is null; name an image-to-text model of the Hub, or a folder with one")
        self.config = config
        self.device = _device(config.model_device)
        options = {"revision": config.model_revision} if config.model_revision else {}
        try:
            kind = AutoConfig.from_pretrained(config.model, **options).model_type
            model = AutoModelForImageTextToText.from_pretrained(config.model, use_safetensors=True, **options)
            self.processor, self.tokenizer = _load_processor(config.model, kind, options)
        except OSError as error:
            raise UnavailableError(
                f"the captioner {config.model} is neither a folder with a model nor can it be fetched from the Hub "
                f"({_first_line(error)}); go online, or download it and give its folder as captions.model"
            ) from error
        except ValueError as error:
            raise SettingError(
                f"captions.model must be an image-to-text model, {config.model} is not ({_first_line(error)})"
            ) from error
        self.model = model.to(self.device).eval()
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def caption(self, pictures: Sequence[Image.Image]) -> list[str]:
        """A caption for each picture (mode RGB), `config.model_batch_size` at a time."""
        size = self.config.model_batch_size
        return [
            caption
            for start in range(0, len(pictures), size)
            for caption in self._caption_batch(list(pictures[start : start + size]))
        ]

    @torch.inference_mode()
    def _caption_batch(self, pictures: list[Image.Image]) -> list[str]:
        inputs = self._inputs(pictures).to(self.device)
        tokens = self.model.generate(
            **inputs, max_new_tokens=self.config.model_max_tokens, do_sample=False, num_beams=1
        )
        if self._chats:  # its answer follows what it was asked
            tokens = tokens[:, inputs["input_ids"].shape[1] :]
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.strip().removeprefix(self.config.model_prompt).split()) for text in texts]

    @property
    def _chats(self) -> bool:
        return getattr(self.processor, "chat_template", None) is not None

    def _inputs(self, pictures: list[Image.Image]) -> Any:
        prompt = self.config.model_prompt
        if self._chats:
            question = {"type": "text", "text": prompt or "Describe this picture in one sentence."}
            return self.processor.apply_chat_template(
                [[{"role": "user", "content": [{"type": "image", "image": one}, question]}] for one in pictures],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            )
        if prompt:
            return self.processor(images=pictures, text=[prompt] * len(pictures), padding=True, return_tensors="pt")
        return self.processor(images=pictures, return_tensors="pt")


def _load_processor(model: str, kind: str, options: dict[str, str]) -> tuple[Any, Any]:
    """What prepares pictures (and prompts), and the tokenizer; encoder-decoder pairs such as ViT-GPT2 keep them
    apart."""
    if kind == "vision-encoder-decoder":
        images = AutoImageProcessor.from_pretrained(model, **options)
        return images, AutoTokenizer.from_pretrained(model, **options)
    processor = AutoProcessor.from_pretrained(model, **options)
    return processor, processor.tokenizer


def _device(name: str) -> torch.device:
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator if accelerator is not None else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"captions.model_device {name!r} is not here ({_first_line(error)}); try auto or cpu"
        ) from error
    return device


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

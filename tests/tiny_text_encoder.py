"""A BERT of a few kilobytes with its tokenizer, as the files that a text encoder consists of."""

import json
import string
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from autochrome.models.steering import TEXT_WIDTH

MARKS = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["red", "blue", "a", "photo", "of", "main", "##ly", "cat", "hat", "##s", "the", "und", "für", "greenhouse"]
LETTERS = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), "."]
PIECES = list(dict.fromkeys([*MARKS, *LETTERS, *WORDS]))


def write_text_encoder(folder: Path, *, num_layers: int = 1, whole: bool = False) -> None:
    """Write config.json, model.safetensors and tokenizer.json with random weights, always the same.

    With `whole` they are as published: with a layer that gathers a sentence, places that are no weights, and a
    tokenizer that pads and cuts.
    """
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=TEXT_WIDTH,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    tensors = {name: value.clone() for name, value in BertModel(config, add_pooling_layer=whole).state_dict().items()}
    if whole:
        tensors["embeddings.position_ids"] = torch.arange(64)[None]
    tokenizer = _tokenizer()
    if whole:
        tokenizer.enable_padding(length=12)
        tokenizer.enable_truncation(12)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))


def _tokenizer() -> Tokenizer:
    vocabulary = {piece: index for index, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([mark for mark in MARKS if mark != "[unused0]"])
    return tokenizer

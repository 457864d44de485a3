"""A byte-level BPE vocabulary in CLIP's manner, learned from captions."""

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text (Radford et al. 2021, arXiv:2103.00020, as released)."""


def learn_tokenizer(texts: Iterable[str], *, vocabulary_size: int, max_tokens: int) -> CLIPTokenizer:
    """Learn pieces of words from texts; words that no text has are spelt with shorter pieces, down to bytes.

    Args:
        texts: captions.
        vocabulary_size: at most so many pieces: bytes, bytes at a word's end, two marks, and what is frequent.
        max_tokens: longest prompt, both marks included.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix=_WORD_END))
    learner.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - len(alphabet) - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix=_WORD_END,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]
    bytes_first = [*alphabet, *(symbol + _WORD_END for symbol in alphabet)]
    frequent = sorted(set(learned["vocab"]) - set(bytes_first), key=learned["vocab"].__getitem__)
    vocabulary = {piece: number for number, piece in enumerate([*bytes_first, *frequent, _START, _END])}
    return CLIPTokenizer(
        vocab=vocabulary, merges=[tuple(merge) for merge in learned["merges"]], model_max_length=max_tokens
    )

"""What the text encoder is to know of every text: its sense, its picture, its picture's colors."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm

from autochrome.color import lightness_to_grey, rgb_to_lab, rgb_to_lightness, split_lab
from autochrome.models.backbones import build_backbone
from autochrome.models.bins import NUM_BINS, soft_encode
from autochrome.models.text_encoder import TextEncoder
from autochrome.naming.terms import COLOR_NAMES
from training.parts.data import batches

_SMALL_PX = 16
"""Colors are counted on a copy of this side."""


@torch.no_grad()
def sentence_senses(texts: Sequence[str], encoder: TextEncoder, *, batch_size: int = 64) -> Tensor:
    """The sentence encoder's vector of every text, `(N, width)`, length 1: the mean over its tokens."""
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    senses = torch.zeros(len(texts), encoder.width)
    for start in tqdm(range(0, len(texts), batch_size), desc="reading captions", unit="batch"):
        chosen = order[start : start + batch_size]
        vectors, mask = encoder([texts[number] for number in chosen])
        mean = (vectors * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp_min(1)
        senses[chosen] = torch.nn.functional.normalize(mean, dim=1)
    return senses


@torch.no_grad()
def picture_features(pictures: Tensor, backbone_dir: Path) -> Tensor:
    """A trained classifier's pooled features of the grey pictures, `(N, C)`; each with mean 0 and deviation 1."""
    backbone = build_backbone("mobilenet_v2", {}, backbone_dir, num_classes=0).eval()
    assert backbone.head is not None
    found = []
    for rgb in tqdm(batches(pictures, 64), total=-(-len(pictures) // 64), desc="looking at pictures", unit="batch"):
        grey = lightness_to_grey(rgb_to_lightness(rgb)) * 2 - 1
        found.append(backbone.head(backbone(grey)[-1]))
    features = torch.cat(found)
    return (features - features.mean(dim=0)) / features.std(dim=0).clamp_min(1e-3)


def color_shares(pictures: Tensor) -> Tensor:
    """How a picture's a*b* spread over the bins of `autochrome.models.bins`: `(N, 309)`, each row with sum 1."""
    shares = []
    for rgb in tqdm(batches(pictures, 256), total=-(-len(pictures) // 256), desc="counting colors", unit="batch"):
        small = torch.nn.functional.interpolate(rgb, size=(_SMALL_PX, _SMALL_PX), mode="area")
        indices, weights = soft_encode(split_lab(rgb_to_lab(small))[1])
        counts = torch.zeros(len(rgb), NUM_BINS)
        shares.append(counts.scatter_add_(1, indices.flatten(1), weights.flatten(1)) / _SMALL_PX**2)
    return torch.cat(shares)


def single_words(tokenizer_path: Path, limit: int) -> list[str]:
    """Words, most of which no caption has: the whole words among a sentence encoder's pieces, each also with a color.

    BERT's vocabulary stands in the order of frequency; the first few hundred (marks, letters, particles) are left out.
    """
    vocabulary = Tokenizer.from_file(str(tokenizer_path)).get_vocab()
    ordered = sorted(vocabulary, key=vocabulary.__getitem__)
    words = [word for word in ordered if word.isascii() and word.isalpha() and len(word) > 2][300 : 300 + limit]
    colored = [f"a {COLOR_NAMES[number % len(COLOR_NAMES)]} {word}" for number, word in enumerate(words)]
    return [*words, *colored]

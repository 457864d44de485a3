"""A CLIP-style text encoder that learns what a caption means: in pictures, in colors, in a larger encoder's sense."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from autochrome.files import replacing, replacing_folder
from autochrome.models.bins import NUM_BINS
from autochrome.models.text_encoder import TextEncoder
from training.parts.config import PartsConfig, TextConfig
from training.parts.data import Captioned, step_generator
from training.parts.loop import append_log, train
from training.parts.targets import color_shares, picture_features, sentence_senses, single_words
from training.parts.vocabulary import learn_tokenizer

_NUM_WORDS = 8000
"""Single words whose sense is matched, and as many with a color before them."""
_TEMPERATURE = 0.07
_SENSE_WEIGHT = 4.0
_MATCH_WEIGHT = 0.25
_VALIDATION_BATCH = 128
"""Pictures among which a caption's own is to be found; fewer where there are fewer."""


def build_text_encoder(config: TextConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained CLIPTextModel that fits a tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=4 * config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            max_position_embeddings=config.max_tokens,
            projection_dim=config.hidden_size,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Heads(nn.Module):
    """What is asked of a text's last vector; training only."""

    def __init__(self, hidden_size: int, sense_width: int, num_features: int) -> None:
        super().__init__()
        self.sense = nn.Linear(hidden_size, sense_width)
        self.colors = nn.Linear(hidden_size, NUM_BINS)
        self.match = nn.Linear(hidden_size, hidden_size)
        self.picture = nn.Linear(num_features, hidden_size)


@dataclass(frozen=True)
class Targets:
    """Everything that the captions of one split are compared with; rows as the pictures, then single words.

    Attributes:
        texts: captions without color words, captions with them, single words: `num_pictures`, as many, and the rest.
        senses: the sentence encoder's vectors of them.
        features: `(num_pictures, C)`.
        shares: of colors, `(num_pictures, 309)`.
    """

    texts: list[str]
    senses: Tensor
    features: Tensor
    shares: Tensor

    @property
    def num_pictures(self) -> int:
        """How many pictures there are."""
        return len(self.features)


def make_targets(data: Captioned, words: list[str], config: TextConfig, cache: Path) -> Targets:
    """Compute the targets, or read them from `cache` where a run before this one left them."""
    texts = [*data.text, *data.text_color, *words]
    made_from = json.dumps([config.sentence_encoder, config.backbone, texts])
    digest = {"made_from": hashlib.sha256(made_from.encode()).hexdigest()}
    kept = _read_targets(cache, digest) if cache.is_file() else None
    if kept is None:
        kept = {
            "senses": sentence_senses(texts, TextEncoder(Path(config.sentence_encoder))).half(),
            "features": picture_features(data.pictures, Path(config.backbone)).half(),
            "shares": color_shares(data.pictures).half(),
        }
        with replacing(cache) as temporary:
            save_file(kept, temporary, metadata=digest)
    return Targets(texts, *(kept[name].float() for name in ("senses", "features", "shares")))


def _read_targets(cache: Path, digest: dict[str, str]) -> dict[str, Tensor] | None:
    """What a file holds, if it was made from the same."""
    with safe_open(cache, framework="pt") as opened:
        return load_file(cache) if opened.metadata() == digest else None


def text_losses(
    model: CLIPTextModel, heads: Heads, tokenizer: CLIPTokenizer, targets: Targets, rows: Tensor, words: Tensor
) -> dict[str, Tensor]:
    """The losses of some pictures' captions and some single words.

    Args:
        rows: which pictures, `(B,)`.
        words: which texts beyond the captions, `(W,)`.

    Returns:
        `sense`: 1 - cosine to the sentence encoder's vector. `colors`: cross-entropy of the picture's colors, predicted
        from the caption with color words. `match`: cross-entropy of finding the picture of a caption and back (Radford
        et al. 2021), among this batch; the captions are those without color words where there is one.
    """
    count = targets.num_pictures
    has_text = torch.tensor([bool(targets.texts[row]) for row in rows.tolist()])
    plain = torch.where(has_text, rows, rows + count)
    chosen = torch.cat([plain, rows + count, words])
    pooled = pool(model, tokenizer, [targets.texts[number] for number in chosen.tolist()])
    of_plain, of_color, _ = pooled.split([len(rows), len(rows), len(words)])
    sense = 1 - F.cosine_similarity(heads.sense(pooled), targets.senses[chosen], dim=1).mean()
    colors = -(targets.shares[rows] * F.log_softmax(heads.colors(of_color), dim=1)).sum(dim=1).mean()
    left = F.normalize(heads.match(of_plain), dim=1)
    right = F.normalize(heads.picture(targets.features[rows]), dim=1)
    scores = left @ right.T / _TEMPERATURE
    same = torch.arange(len(rows))
    match = (F.cross_entropy(scores, same) + F.cross_entropy(scores.T, same)) / 2
    return {"sense": _SENSE_WEIGHT * sense, "colors": colors, "match": _MATCH_WEIGHT * match}


def pool(model: CLIPTextModel, tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """The vector at each text's end mark, `(B, hidden_size)`; it has seen all that stands before it."""
    encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    hidden = model(encoded.input_ids).last_hidden_state.float()
    pooled: Tensor = hidden[torch.arange(len(texts)), encoded.attention_mask.sum(dim=1) - 1]
    return pooled


def train_text_encoder(
    config: PartsConfig, data: Captioned, validation: Captioned, folder: Path, *, resume: bool
) -> None:
    """Learn the vocabulary, then the encoder; leaves the folders `tokenizer` and `text_encoder`."""
    part = config.text
    work = folder / "text"
    work.mkdir(parents=True, exist_ok=True)
    captions = [*data.text, *data.text_color]
    tokenizer = learn_tokenizer(captions, vocabulary_size=part.vocabulary_size, max_tokens=part.max_tokens)
    words = single_words(Path(part.sentence_encoder) / "tokenizer.json", _NUM_WORDS)
    targets = make_targets(data, words, part, work / "targets.safetensors")
    torch.manual_seed(config.seed)
    model = build_text_encoder(part, tokenizer).train()
    heads = Heads(part.hidden_size, targets.senses.shape[1], targets.features.shape[1])

    def step_losses(step: int) -> dict[str, Tensor]:
        generator = step_generator(config.seed, step)
        rows = torch.randint(targets.num_pictures, (part.batch_size,), generator=generator)
        num_words = part.batch_size // 2 if words else 0
        extra = torch.randint(max(1, len(words)), (num_words,), generator=generator) + 2 * targets.num_pictures
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            return text_losses(model, heads, tokenizer, targets, rows, extra)

    train(
        "text encoder",
        work,
        {"text_encoder": model, "heads": heads},
        step_losses,
        num_steps=part.num_steps,
        learning_rate=part.learning_rate,
        checkpoint_every=config.checkpoint_every,
        resume=resume,
        recipe=str(config),
    )
    model.eval()
    held_back = make_targets(validation, words[-1000:], part, work / "validation.safetensors")
    values = measure_text_encoder(model, heads, tokenizer, held_back)
    append_log(work, {"kind": "validation", "step": part.num_steps, **values})
    for part, name in ((tokenizer, "tokenizer"), (model, "text_encoder")):
        with replacing_folder(folder / name) as temporary:  # a resumed run takes what is there for finished
            part.save_pretrained(temporary)


@torch.no_grad()
def measure_text_encoder(
    model: CLIPTextModel, heads: Heads, tokenizer: CLIPTokenizer, targets: Targets
) -> dict[str, float]:
    """The losses on pictures that training never saw, and the cross-entropy of colors without words."""
    totals: dict[str, list[float]] = {}
    words = torch.arange(2 * targets.num_pictures, len(targets.texts))[:_VALIDATION_BATCH]
    size = min(_VALIDATION_BATCH, targets.num_pictures)
    for start in range(0, targets.num_pictures - size + 1, size):
        rows = torch.arange(start, start + size)
        for key, value in text_losses(model, heads, tokenizer, targets, rows, words).items():
            totals.setdefault(key, []).append(value.item())
    prior = targets.shares.mean(dim=0).clamp_min(1e-9)
    values = {key: sum(entries) / len(entries) for key, entries in totals.items()}
    return {**values, "colors_without_words": -(targets.shares * prior.log()).sum(dim=1).mean().item()}

"""`TextEncoder`: words as vectors, by a small trained sentence encoder whose last layers are left out."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from autochrome.errors import ModelError
from autochrome.files import replacing
from autochrome.models.checkpoint import load_weights

TOKENIZER_NAME = "tokenizer.json"
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"


def copy_text_encoder(source: Path, target: Path) -> None:
    """Copy an encoder's three files; each appears whole or not at all."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG_NAME, WEIGHTS_NAME, TOKENIZER_NAME):
        with replacing(target / name) as temporary:
            shutil.copyfile(source / name, temporary)


class TextEncoder(nn.Module):
    """A BERT (Devlin et al. 2019, arXiv:1810.04805) with its tokenizer: one vector for each token of a text.

    Attributes:
        width: length of a vector.
        max_tokens: longer texts are cut; the marks at beginning and end are counted.
    """

    def __init__(self, folder: Path, *, max_tokens: int = 64) -> None:
        """Load a folder with `config.json`, `model.safetensors` and `tokenizer.json`: float32, frozen, on the CPU.

        Raises:
            ModelError: a file is missing or damaged, or the weights belong to another architecture.
        """
        # Here: it costs a second, and most never read a word.
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel

        super().__init__()
        for name in (CONFIG_NAME, WEIGHTS_NAME, TOKENIZER_NAME):
            if not (folder / name).is_file():
                raise ModelError(f"{folder} holds no {name}; a text encoder has it")
        try:
            config = BertConfig(**json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")))
            tensors = load_file(folder / WEIGHTS_NAME)
            self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_NAME))
            self.bert = BertModel(config, add_pooling_layer=False)
        except Exception as error:  # tokenizers raises plain Exception, transformers many kinds
            raise ModelError(f"the text encoder in {folder} is damaged ({error})") from error
        load_weights(self.bert, tensors, origin=str(folder))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.width: int = config.hidden_size
        self.max_tokens = min(max_tokens, config.max_position_embeddings)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts to vectors `(B, T, width)` and a mask `(B, T)`, True where a token is; T is that of the longest.

        An empty text has no token at all, not even the marks of beginning and end.
        """
        encoded = [self._ids(text) for text in texts]
        longest = max((len(ids) for ids in encoded), default=0)
        device = self.bert.embeddings.word_embeddings.weight.device
        there = [[place < len(ids) for place in range(longest)] for ids in encoded]
        mask = torch.tensor(there, dtype=torch.bool, device=device).reshape(len(encoded), longest)
        if longest == 0:
            return torch.zeros(len(encoded), 0, self.width, device=device), mask
        ids = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in encoded], device=device)
        some = mask.any(dim=1)  # attention over no token at all would be NaN
        vectors = torch.zeros(len(encoded), longest, self.width, device=device)
        vectors[some] = self.bert(input_ids=ids[some], attention_mask=mask[some].long()).last_hidden_state.float()
        return vectors, mask

    def cut_off(self, text: str) -> str:
        """The end of a text that is too long to be read; empty where all of it is."""
        encoding = self.tokenizer.encode(text)
        if len(encoding.ids) <= self.max_tokens:
            return ""
        begin: int = encoding.offsets[self.max_tokens - 1][0]
        return text[begin:].strip()

    def _ids(self, text: str) -> list[int]:
        if not text.strip():
            return []
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]

"""Make a sentence encoder small enough to ship: `python -m training.trim_text_encoder SOURCE OUTPUT [--layers N]`.

SOURCE is a folder with all-MiniLM-L6-v2 (Apache-2.0) or another uncased BERT. Kept are its first layers (the last ones
gather a sentence into one vector; a decoder that looks at single words has no use for that) and the pieces of words
that are plain ASCII and frequent: BERT's vocabulary stands in the order of frequency. A word whose piece is left out is
spelt with shorter ones, down to single letters, so that no text becomes unreadable.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from autochrome.errors import AutochromeError, DataError
from autochrome.files import replacing, write_json

EMBEDDINGS = "embeddings.word_embeddings.weight"


def keep_pieces(vocabulary: dict[str, int], num_frequent: int) -> list[str]:
    """The pieces to keep, in their old order: marks, single characters, and the first so many others in plain ASCII."""
    kept, count = [], 0
    for piece, _ in sorted(vocabulary.items(), key=lambda entry: entry[1]):
        if not piece.isascii() or piece.startswith("[unused"):
            continue
        single = len(piece.removeprefix("##")) == 1 or piece.startswith("[")
        if single or count < num_frequent:
            kept.append(piece)
            count += not single
    return kept


def trim(source: Path, output: Path, *, num_layers: int, num_frequent: int) -> None:
    """Write the smaller encoder: `config.json`, `model.safetensors` (float16), `tokenizer.json`.

    Raises:
        DataError: the source lacks a file, or is no BERT.
    """
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
        tensors = load_file(source / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(
            f"{source} is no folder with config.json, tokenizer.json and model.safetensors: {error}"
        ) from error
    if config.get("model_type") != "bert" or not 1 <= num_layers <= config["num_hidden_layers"]:
        raise DataError(f"{source} must be a BERT of at least {num_layers} layers, and 1 or more are kept")
    old = tokenizer["model"]["vocab"]
    kept = keep_pieces(old, num_frequent)
    new = {piece: index for index, piece in enumerate(kept)}
    tensors[EMBEDDINGS] = tensors[EMBEDDINGS][[old[piece] for piece in kept]]
    dropped = ("pooler.", *(f"encoder.layer.{index}." for index in range(num_layers, config["num_hidden_layers"])))
    weights = {
        name: value.to(torch.float16).contiguous()
        for name, value in tensors.items()
        if not name.startswith(dropped) and not name.endswith("position_ids")
    }
    tokenizer["model"]["vocab"] = new
    for entry in tokenizer["added_tokens"]:
        entry["id"] = new[entry["content"]]
    for entry in tokenizer["post_processor"].get("special_tokens", {}).values():
        entry["ids"] = [new[token] for token in entry["tokens"]]
    tokenizer["padding"] = tokenizer["truncation"] = None
    output.mkdir(parents=True, exist_ok=True)
    names = (
        *("hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings", "type_vocab_size"),
        *("layer_norm_eps", "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    )
    small = {name: config[name] for name in names}
    write_json({**small, "num_hidden_layers": num_layers, "vocab_size": len(kept)}, output / "config.json")
    with replacing(output / "tokenizer.json") as temporary:
        Tokenizer.from_str(json.dumps(tokenizer)).save(str(temporary), pretty=False)
    with replacing(output / "model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 where the source cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m training.trim_text_encoder", description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder of the whole encoder")
    parser.add_argument("output", type=Path, help="folder for the small one")
    parser.add_argument("--layers", type=int, default=4, help="layers to keep, from the first (default 4)")
    parser.add_argument("--pieces", type=int, default=16000, help="frequent pieces of words to keep (default 16000)")
    options = parser.parse_args(arguments)
    try:
        trim(options.source, options.output, num_layers=options.layers, num_frequent=options.pieces)
    except AutochromeError as error:
        print(f"trim_text_encoder: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

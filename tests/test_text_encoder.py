"""The text encoder: what becomes a vector and what does not, damage, and how the shipped one is trimmed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_text_encoder import PIECES, write_text_encoder

from autochrome.errors import DataError, ModelError
from autochrome.models.text_encoder import TextEncoder, copy_text_encoder
from training.trim_text_encoder import EMBEDDINGS, keep_pieces, main, trim


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "encoder"
    write_text_encoder(path)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of two layers as it is published, before trimming."""
    path = tmp_path_factory.mktemp("words") / "whole"
    write_text_encoder(path, num_layers=2, whole=True)
    return path


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(folder, tmp_path / "damaged"))


def test_a_text_has_a_vector_for_each_token(folder: Path) -> None:
    vectors, mask = TextEncoder(folder)(["Red cats", "a photo of a blue hat."])
    assert vectors.shape == (2, 9, 384)
    assert vectors.dtype == torch.float32
    assert mask.sum(dim=1).tolist() == [5, 9], "red, cat, ##s and seven words with their stop, and two marks each"
    assert not vectors.requires_grad


def test_an_empty_text_has_no_token(folder: Path) -> None:
    encoder = TextEncoder(folder)
    for texts in (["", " \n"], []):
        vectors, mask = encoder(texts)
        assert (vectors.shape, mask.shape) == ((len(texts), 0, 384), (len(texts), 0))
        assert mask.dtype == torch.bool, "a number would be added to what attention says, not shut it out"
    vectors, mask = encoder(["", "red", "  "])
    assert mask.tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert vectors.isfinite().all()
    assert not vectors[[0, 2]].any()


def test_company_does_not_change_a_text(folder: Path) -> None:
    encoder = TextEncoder(folder)
    alone, _ = encoder(["red hat"])
    together, mask = encoder(["", "red hat", "the cats of a greenhouse"])
    torch.testing.assert_close(together[1][mask[1]], alone[0], atol=1e-5, rtol=0)
    assert torch.equal(encoder(["RED Hat"])[0], alone), "case means nothing"


def test_a_long_text_is_cut_and_the_rest_is_named(folder: Path) -> None:
    encoder = TextEncoder(folder, max_tokens=5)
    assert encoder.cut_off("red hat cat") == ""
    text = "red hat cat blue of the photo"
    assert encoder.cut_off(text) == "blue of the photo"
    vectors, mask = encoder([text])
    assert mask.sum() == 5
    torch.testing.assert_close(vectors, encoder(["red hat cat"])[0], atol=1e-5, rtol=0)
    assert TextEncoder(folder)(["red " * 500])[0].shape == (1, 64, 384)


def test_an_encoder_stays_as_it_is_in_training(folder: Path) -> None:
    encoder = TextEncoder(folder)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(encoder(["red hat"])[0], encoder(["red hat"])[0])


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    with pytest.raises(ModelError, match=f"holds no {name}; a text encoder has it"):
        TextEncoder(damaged)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "the text encoder in .* is damaged"),
        ("config.json", b"[1]", "the text encoder in .* is damaged"),
        ("config.json", b'{"hidden_size": 384, "num_attention_heads": 7}', "the text encoder in .* is damaged"),
        ("config.json", b'{"hidden_size": 384, "hidden_act": "sharp"}', "the text encoder in .* is damaged"),
        ("model.safetensors", b"no tensors", "the text encoder in .* is damaged"),
        ("tokenizer.json", b"{}", "the text encoder in .* is damaged"),
        ("config.json", json.dumps({"hidden_size": 384, "vocab_size": 7}).encode(), "belong to another architecture"),
    ],
)
def test_a_damaged_file_is_refused(damaged: Path, name: str, content: bytes, message: str) -> None:
    (damaged / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        TextEncoder(damaged)


def test_a_copy_has_the_three_files_and_no_others(damaged: Path, tmp_path: Path) -> None:
    (damaged / "notes.txt").write_text("mine")
    copy_text_encoder(damaged, tmp_path / "model" / "text_encoder")
    files = sorted(path.name for path in (tmp_path / "model" / "text_encoder").iterdir())
    assert files == ["config.json", "model.safetensors", "tokenizer.json"]
    assert torch.equal(TextEncoder(damaged)(["red"])[0], TextEncoder(tmp_path / "model" / "text_encoder")(["red"])[0])


def test_kept_are_marks_letters_and_the_most_frequent_pieces() -> None:
    vocabulary = {piece: index for index, piece in enumerate(PIECES)}
    kept = keep_pieces(vocabulary, 4)
    left_out = set(PIECES) - set(kept)
    assert kept == [piece for piece in PIECES if piece in set(kept)], "in their old order"
    assert left_out == {"[unused0]", "main", "##ly", "cat", "hat", "the", "und", "für", "greenhouse"}
    assert {"red", "blue", "photo", "of", "a", "##a", "##s", "[CLS]", "[PAD]", "."} <= set(kept)
    assert set(PIECES) - set(keep_pieces(vocabulary, 1000)) == {"[unused0]", "für"}
    assert kept[0] == "[PAD]", "what fills up is number 0"


def test_a_trimmed_encoder_gives_what_the_first_layers_gave(whole: Path, tmp_path: Path) -> None:
    trim(whole, tmp_path / "small", num_layers=1, num_frequent=8)
    small = TextEncoder(tmp_path / "small")
    tensors = load_file(tmp_path / "small" / "model.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert not any(name.startswith(("pooler.", "encoder.layer.1.")) for name in tensors)

    from transformers import BertConfig, BertModel

    config = BertConfig(**json.loads((whole / "config.json").read_text()))
    bert = BertModel(config).eval()
    bert.load_state_dict({k: v for k, v in load_file(whole / "model.safetensors").items() if "position_ids" not in k})
    words = ["[CLS]", "red", "cat", "##s", "of", "blue", ".", "[SEP]"]
    ids = torch.tensor([[PIECES.index(word) for word in words]])
    with torch.no_grad():
        first = bert(ids, output_hidden_states=True).hidden_states[1]
    vectors, mask = small(["red cats of blue.", "a photo of the red hats of a cat."])
    torch.testing.assert_close(vectors[0][mask[0]], first[0], atol=0.02, rtol=0)
    assert mask[1].sum() > 10, "the published tokenizer cut at twelve"


def test_a_word_whose_piece_is_gone_is_spelt(whole: Path, tmp_path: Path) -> None:
    trim(whole, tmp_path / "small", num_layers=2, num_frequent=3)
    tokenizer = TextEncoder(tmp_path / "small").tokenizer
    assert tokenizer.encode("red cats").tokens == ["[CLS]", "red", "c", "##a", "##t", "##s", "[SEP]"]
    assert "[UNK]" not in tokenizer.encode("a greenhouse und the hat").tokens
    embeddings = load_file(tmp_path / "small" / "model.safetensors")[EMBEDDINGS]
    assert len(embeddings) == tokenizer.get_vocab_size()
    full = load_file(whole / "model.safetensors")[EMBEDDINGS].half()
    for piece, index in tokenizer.get_vocab().items():
        assert torch.equal(embeddings[index], full[PIECES.index(piece)]), piece


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_json(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


def no_tensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no tensors")


def no_bert(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2", "num_hidden_layers": 9}')


@pytest.mark.parametrize(
    ("spoil", "layers", "message"),
    [
        (no_config, 1, "is no folder with config.json, tokenizer.json and model.safetensors"),
        (no_json, 1, "is no folder with config.json, tokenizer.json and model.safetensors"),
        (no_tensors, 1, "is no folder with config.json, tokenizer.json and model.safetensors"),
        (no_bert, 1, "must be a BERT of at least 1 layers"),
        (None, 3, "must be a BERT of at least 3 layers"),
        (None, 0, "must be a BERT of at least 0 layers, and 1 or more are kept"),
    ],
)
def test_no_bert_is_trimmed(
    whole: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None] | None,
    layers: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = Path(shutil.copytree(whole, tmp_path / "source"))
    if spoil is not None:
        spoil(source)
    assert main([str(source), str(tmp_path / "out"), "--layers", str(layers)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=message):
        trim(source, tmp_path / "out", num_layers=layers, num_frequent=9)


def test_trimming_from_the_command_line(whole: Path, tmp_path: Path) -> None:
    assert main([str(whole), str(tmp_path / "out"), "--layers", "1", "--pieces", "2"]) == 0
    assert TextEncoder(tmp_path / "out")(["red"])[0].shape == (1, 3, 384)

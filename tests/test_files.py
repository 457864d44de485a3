"""Files appear whole or not at all."""

import json
from pathlib import Path

import pytest

from autochrome.errors import DataError
from autochrome.files import replacing, replacing_folder, write_json


def test_json_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.json"
    write_json({"a": "é"}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "é"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": float("nan")}, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["out.json"]
    with pytest.raises(
        DataError, match=r"cannot write .*out\.json/no': .*; give a path in a folder that can be written"
    ):
        write_json({}, path / "no")


def test_what_goes_wrong_inside_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("notes.txt", "new")]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"

    def write(name: str, *, fails: bool) -> None:
        with replacing_folder(path) as temporary:
            (temporary / name).touch()
            if fails:
                raise RuntimeError("power cut")

    for _ in range(2):
        write("first", fails=False)
    with pytest.raises(RuntimeError, match="power cut"):
        write("second", fails=True)
    assert [entry.name for entry in path.iterdir()] == ["first"]
    write("third", fails=False)
    assert [entry.name for entry in path.iterdir()] == ["third"]
    assert [entry.name for entry in path.parent.iterdir()] == ["model"]
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "no"
    with pytest.raises(DataError, match=r"cannot write .*file/no': .*; give a path in a folder that can be written"):
        write("fourth", fails=False)

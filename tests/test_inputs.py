"""Archives and folders as inputs, hostile ones too."""

import io
import os
import stat
import zipfile
from pathlib import Path

import PIL.Image
import pytest

from autochrome.errors import DataError
from autochrome.inputs import printable, select


@pytest.fixture
def picture() -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("L", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


def refused(archive: Path, **options: int) -> dict[str, str]:
    """Reasons by the members' names."""
    selection = select([archive], Path("out"), **options)
    assert not selection.items
    return {name.removeprefix(f"{archive}/"): reason for name, reason in selection.refused}


@pytest.mark.parametrize(
    "name", ["../a.png", "b/../../a.png", "/a.png", "..\\a.png", "\\a.png", "C:\\a.png", "C:a.png"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, picture: bytes, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, picture)
    assert list(refused(tmp_path / "a.zip").values()) == ["its name leads out of the archive"]


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert refused(tmp_path / "a.zip") == {"link.png": "a symbolic link, not a picture"}


def test_encrypted_members_are_refused(tmp_path: Path, picture: bytes) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", picture)
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert refused(archive) == {"a.png": "it is encrypted; unpack the archive first"}


def test_bombs_by_declared_size_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.bmp", bytes(3_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 10_000
    reasons = refused(tmp_path / "a.zip", max_member_bytes=2_999_999)
    assert reasons == {"a.bmp": "unpacked it would have 3,000,000 bytes; the limit is 2,999,999"}
    assert len(select([tmp_path / "a.zip"], Path("out"), max_member_bytes=3_000_000).items) == 1


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_past_the_declared_size_are_refused(tmp_path: Path, picture: bytes, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as file:
        file.writestr("a.png", picture)
    assert "only stored and deflated members are read" in refused(tmp_path / "a.zip")["a.png"]


def test_bombs_that_lie_about_their_size_are_cut_off(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.bmp", bytes(50_000_000))
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(signature) + offset
        content[start : start + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(content)
    [item] = select([archive], Path("out"), max_member_bytes=2000).items
    with pytest.raises(DataError, match=r"the archive is damaged here \(Bad CRC-32"):
        item.read()


def test_an_archive_without_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("readme.txt", "no pictures")
    with pytest.raises(DataError, match=r"a\.zip holds no pictures \(\.bmp, "):
        select([tmp_path / "a.zip"], Path("out"))


def test_two_members_of_one_name_are_refused(tmp_path: Path, picture: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", picture)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.png", picture)
    with pytest.raises(DataError, match=r"would both become out/a\.png"):
        select([tmp_path / "a.zip"], Path("out"))


def test_folder_order_output_inside_and_links(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("z.jpg", "b/y.jpg", "a/x.jpg", "out/old.png", "a/out/kept.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).touch()
    (photos / "loop").symlink_to(photos)
    (photos / "link.jpg").symlink_to(photos / "z.jpg")
    selection = select([photos], photos / "out")
    assert [str(item.result) for item in selection.items] == [
        "link.png",
        "z.png",
        "a/x.png",
        "a/out/kept.png",
        "b/y.png",
    ]


def test_undecodable_names_can_be_shown() -> None:
    name = os.fsdecode(b"f\xff\x1b.png")
    assert printable(name) == r"'f\udcff\x1b.png'"
    assert printable("schön.png") == "schön.png"

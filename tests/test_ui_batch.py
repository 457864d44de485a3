"""Batches and comparisons without a server: what is taken, what is refused and why, and what comes out."""

import csv
import io
import stat
import threading
import zipfile
from pathlib import Path, PurePosixPath

import PIL.Image
import pytest
import skimage.data

from autochrome.catalog import Catalog
from autochrome.errors import DataError, PictureError
from autochrome.pipelines.base import silent
from autochrome.ui.batch import choosing
from autochrome.ui.batch.choosing import Choice, choose
from autochrome.ui.batch.running import MAX_RESULT_BYTES, Batch
from autochrome.ui.batch.table import finished_html, progress_html, table_html
from autochrome.ui.compare import table as compare_table
from autochrome.ui.compare.contest import NO_COLOR, TRUTH, compare
from autochrome.ui.studio import Studio


@pytest.fixture(autouse=True)
def _files_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def studio(tiny_catalog: Catalog) -> Studio:
    return Studio(tiny_catalog)


def picture_bytes(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(skimage.data.coffee()).resize((60, 40)).save(buffer, kind)
    return buffer.getvalue()


def upload(folder: Path, name: str, content: bytes) -> Path:
    """An upload lies in a folder of its own, as Gradio puts it."""
    path = folder / f"secret-{len(list(folder.glob('secret-*')))}" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def run(batch: Batch, studio: Studio, cancel_after: int = 999) -> None:
    stopped = threading.Event()
    for number, _ in enumerate(batch.run(studio, "tiny-one", {}, stopped)):
        if number >= cancel_after:
            stopped.set()


def test_a_batch_of_three_with_one_broken_file(studio: Studio, tmp_path: Path) -> None:
    uploads = [
        upload(tmp_path, "a.jpg", picture_bytes("JPEG")),
        upload(tmp_path, "broken.jpg", b"no picture"),
        upload(tmp_path, "more.zip", archive({"town/b.png": picture_bytes(), "notes.txt": b"left out in silence"})),
    ]
    batch = Batch(choose(uploads), tmp_path / "out" / "autochrome.zip")
    run(batch, studio)
    assert [(record.name, record.status) for record in batch.records] == [
        ("a.jpg", "done"), ("broken.jpg", "failed"), ("more.zip/town/b.png", "done")
    ]  # fmt: skip
    with zipfile.ZipFile(batch.path) as file:
        assert file.namelist() == ["a.png", "town/b.png", "metrics.csv"]
        assert file.testzip() is None
        with PIL.Image.open(io.BytesIO(file.read("town/b.png"))) as picture:
            assert picture.size == (60, 40)
            assert picture.info["Comment"] == "AI-colorized"
        rows = list(csv.DictReader(io.StringIO(file.read("metrics.csv").decode())))
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert "cannot be read as a picture" in rows[1]["reason"]
    assert float(rows[0]["ciede2000"]) > 0, "in color, so its own truth"
    assert float(rows[2]["lightness_error"]) < 0.3
    assert [path.name for path in batch.path.parent.iterdir()] == ["autochrome.zip"], "nothing else is left"
    assert finished_html(batch) == "<p>2 colored, 1 failed. The .zip has the results and metrics.csv.</p>"
    shown = table_html(batch)
    assert shown.index("broken.jpg") < shown.index("a.jpg"), "what failed comes first"
    assert "secret" not in shown + batch.csv(), "no folder of the server"
    assert "3 of 3: the end." in progress_html(batch, "the end")


def test_names_are_shown_as_text(studio: Studio, tmp_path: Path) -> None:
    batch = Batch(choose([upload(tmp_path, "<b>x<.png", b"no")]), tmp_path / "out.zip")
    run(batch, studio)
    assert "<b>x" not in table_html(batch) + progress_html(batch, "<b>x<.png")
    assert "nothing to download" in finished_html(batch)


def test_two_of_one_name_both_stay(tmp_path: Path) -> None:
    uploads = [upload(tmp_path, name, picture_bytes()) for name in ("a.png", "A.jpg", "a.webp", "b.png")]
    results = [job.result for job in choose(uploads).jobs]
    assert results == [PurePosixPath(name) for name in ("a.png", "A (2).png", "a (3).png", "b.png")]


def test_a_cancelled_batch_keeps_what_is_done(studio: Studio, tmp_path: Path) -> None:
    uploads = [upload(tmp_path, f"{number}.png", picture_bytes()) for number in range(4)]
    batch = Batch(choose(uploads), tmp_path / "out.zip")
    run(batch, studio, cancel_after=2)
    assert [record.status for record in batch.records] == ["done", "done", "cancelled", "cancelled"]
    with zipfile.ZipFile(batch.path) as file:
        assert file.namelist() == ["0.png", "1.png", "metrics.csv"]
    assert finished_html(batch).startswith("<p>2 colored, 2 cancelled.")


def test_a_batch_that_nobody_waits_for_leaves_no_file(studio: Studio, tmp_path: Path) -> None:
    uploads = [upload(tmp_path, f"{number}.png", picture_bytes()) for number in range(3)]
    folder = tmp_path / "out"
    working = Batch(choose(uploads), folder / "autochrome.zip").run(studio, "tiny-one", {}, threading.Event())
    next(working)
    next(working)
    assert len(list(folder.iterdir())) == 1
    working.close()  # type: ignore[attr-defined]  # a generator, as Gradio ends it
    assert list(folder.iterdir()) == []


def test_results_beyond_the_limit_are_listed(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_RESULT_BYTES > 10**9
    monkeypatch.setattr("autochrome.ui.batch.running.MAX_RESULT_BYTES", 10)
    uploads = [upload(tmp_path, f"{number}.png", picture_bytes()) for number in range(2)]
    batch = Batch(choose(uploads), tmp_path / "out.zip")
    run(batch, studio)
    assert [record.status for record in batch.records] == ["done", "failed"]
    assert "which is the limit; make another batch" in batch.records[1].reason


def evil_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../outside.png", picture_bytes())
        file.writestr("inner.zip", archive({"x.png": picture_bytes()}))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("good.png", picture_bytes())
        file.writestr("zeros.png", bytes(1000))
    content = bytearray(buffer.getvalue())
    # The list says that zeros.png has a terabyte or so unpacked: 4 GB is what its 32 bits can say.
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = b"\xf0\xff\xff\xff"
    return bytes(content)


def test_evil_archives(studio: Studio, tmp_path: Path) -> None:
    choice = choose([upload(tmp_path, "evil.zip", evil_archive())])
    assert [job.name for job in choice.jobs] == ["evil.zip/good.png"]
    reasons = dict(choice.refused)
    assert reasons["evil.zip/../outside.png"] == "its name leads out of the archive"
    assert "an archive inside an archive" in reasons["evil.zip/inner.zip"]
    assert "a symbolic link" in reasons["evil.zip/link.png"]
    assert "unpacked it would have 4,294,967,280 bytes" in reasons["evil.zip/zeros.png"]
    batch = Batch(choice, tmp_path / "out.zip")
    run(batch, studio)
    assert batch.num_done == 1
    assert len(batch.records) == 5, "what was refused is listed too"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.zip", b"", "empty.zip: not a .zip archive that can be read: "),
        ("broken.zip", b"PK\x03\x04 and then nothing", "broken.zip: not a .zip archive that can be read: "),
        ("words.zip", archive({"a.txt": b"words"}), "words.zip: words.zip holds no pictures ("),
        ("many.zip", b"PK\x01\x02" * 10_001, "many.zip: many.zip has more than 10,000 entries; make several archives"),
    ],
)
def test_archives_that_are_refused_stop_nothing(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    choice = choose([upload(tmp_path, name, content), upload(tmp_path, "good.png", picture_bytes())])
    assert [job.name for job in choice.jobs] == ["good.png"]
    [refused] = choice.refused
    assert ": ".join(refused).startswith(reason)


def test_an_upload_that_was_deleted_is_listed(tmp_path: Path) -> None:
    gone = upload(tmp_path, "gone.zip", b"")
    gone.unlink()
    assert choose([gone]).refused == [("gone.zip", "the upload is no longer on the server; upload it again")]


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"there are no files yet: drop pictures or \.zip archives"):
        choose([])
    many = upload(tmp_path, "many.zip", archive({f"{number}.png": b"x" for number in range(5000)}))
    with pytest.raises(DataError, match="there are more than 200 pictures; make several batches, or use `autochrome"):
        choose([many])
    monkeypatch.setattr(choosing, "MAX_UPLOAD_BYTES", 100)
    with pytest.raises(DataError, match=r"these files have [\d,]+ bytes; a batch takes 100\. Make several batches"):
        choose([many])


def test_a_guess_of_the_time_left(tmp_path: Path) -> None:
    batch = Batch(Choice(), tmp_path / "out.zip")
    assert batch.remaining_seconds is None


def test_comparing_all_models(studio: Studio, tmp_path: Path) -> None:
    photo = upload(tmp_path, "cup.png", picture_bytes())
    contestants = list(compare(studio, photo, None, silent))
    assert [each.name for each in contestants] == [NO_COLOR, "Tiny One", "Tiny Two", "Not Installed", TRUTH]
    grey, one, two, missing, truth = contestants
    assert grey.measures is not None
    assert one.measures is not None
    assert grey.measures["colorfulness"] < 1 < one.measures["colorfulness"]
    assert one.measures["truth_from"] == "upload"
    assert grey.measures["ciede2000"] == pytest.approx(one.measures["baselines"]["grey"]["ciede2000"], abs=0.1)
    assert one.path != two.path
    assert missing.path is None
    assert "weights are not installed" in (missing.reason or "")
    with PIL.Image.open(truth.path or "") as picture, PIL.Image.open(photo) as original:
        assert picture.tobytes() == original.tobytes()
    html = compare_table.table_html(contestants)
    assert html.count("<tr>") == 4, "a head, no color, and two models"
    assert "Not in this comparison" in html
    assert html.count('class="bar"') == 3


def test_comparing_without_a_truth(studio: Studio, grey_photo: Path) -> None:
    contestants = list(compare(studio, grey_photo, None, silent))
    assert TRUTH not in [each.name for each in contestants]
    html = compare_table.table_html(contestants)
    assert "cannot be known without them" in html
    assert "CIEDE2000" not in html


def test_comparing_refuses_what_is_no_picture(studio: Studio, tmp_path: Path, grey_photo: Path) -> None:
    with pytest.raises(PictureError, match="cannot be read as a picture"):
        next(compare(studio, upload(tmp_path, "x.png", b"no"), None, silent))
    with pytest.raises(PictureError, match="the reference is 60 × 40 pixels and the picture 203 × 131"):
        next(compare(studio, grey_photo, upload(tmp_path, "r.png", picture_bytes()), silent))

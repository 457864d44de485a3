"""The report of an evaluation: a page that needs nothing beside it, and its figures."""

import base64
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from evaluation_files import dull, pixels, save

from autochrome.errors import DataError, PictureError
from autochrome.evaluation import evaluate
from autochrome.report import write_report
from autochrome.report.density import ab_density
from autochrome.report.markup import number, text
from autochrome.report.pictures import MAX_ERROR, TILE_PX, choose, find_pairs, make_tiles
from autochrome.report.sentences import summary, wilson

ROOT = Path(__file__).parent.parent
Make = Callable[..., tuple[Path, Path]]

HOSTILE = ("<img src=x onerror=alert(1)>", "a'b\"c & d", "$\\frac{x", "\u202egpj", "日本語", "{0}%s")


class Page(HTMLParser):
    """What a page holds: the texts of its elements and every address in it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Folders of predictions, with half of the truth's color, and of references, by the names given."""

    def folders(*names: str, share: float = 0.5) -> tuple[Path, Path]:
        for index, name in enumerate(names):
            truth = pixels(index)
            save(dull(truth, share), tmp_path / "ours" / f"{name}.png")
            save(truth, tmp_path / "truth" / f"{name}.png")
        return tmp_path / "ours", tmp_path / "truth"

    return folders


def scored(folders: tuple[Path, Path], **options: Any) -> dict[str, Any]:
    return evaluate(*folders, jobs=1, **options)


def written(evaluation: dict[str, Any], folders: tuple[Path, Path], folder: Path) -> tuple[str, Page]:
    source = write_report(evaluation, *folders, folder).read_text(encoding="utf-8")
    return source, Page(source)


def test_a_page_stands_alone_and_its_pictures_can_be_read(make: Make, tmp_path: Path) -> None:
    folders = make(*(f"p{index:02}" for index in range(12)))
    rows = [f'{{"file_name": "p{index:02}.png", "kind": "{"ab"[index % 2]}"}}' for index in range(12)]
    (folders[1] / "metadata.jsonl").write_text("\n".join(rows))
    source, page = written(scored(folders, by=["kind"]), folders, tmp_path / "report")

    without_pictures = re.sub(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+", "", source)
    for outside in ("http:", "https:", "//", "url(", "@import", "<script", "<link"):
        assert outside not in without_pictures, outside
    assert not set(page.tags) & {"script", "link", "iframe", "object", "form", "base"}
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert page.tags.count("img") == 4 * (4 * 5) + 2 * 4
    for address in page.addresses:
        with PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2], validate=True))) as picture:
            picture.load()
    for heading in ("Random", "Worst", "Median", "Best", "All measures", "Distributions", "By kind"):
        assert heading in page.texts, heading
    assert "12 pictures were scored" in page.text
    names = {"index.html"} | {f"sheet-{name}.png" for name in ("random", "worst", "median", "best")}
    names |= {
        f"{name}{theme}.png" for name in ("curve", "scatter", "distributions", "density") for theme in ("", "-dark")
    }
    assert {path.name for path in (tmp_path / "report").iterdir()} == names
    for path in (tmp_path / "report").glob("*.png"):
        with PIL.Image.open(path) as picture:
            picture.load()


def test_equal_input_gives_equal_bytes_and_matplotlib_stays_as_it_was(make: Make, tmp_path: Path) -> None:
    import matplotlib

    def settings() -> dict[str, Any]:
        """All but the backend: to look at it is to choose it."""
        return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}

    folders = make("one", "two", "three")
    evaluation = scored(folders, metrics=["ciede2000", "colorfulness", "delta_colorfulness"])
    with matplotlib.rc_context({"text.color": "#123456", "font.size": 31}):
        before = settings()
        write_report(evaluation, *folders, tmp_path / "first")
        assert settings() == before
    write_report(evaluation, *folders, tmp_path / "second")
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}


def test_names_of_strangers_stay_text(make: Make, tmp_path: Path) -> None:
    folders = make(*HOSTILE)
    save(pixels(1), folders[1] / "<b>lost<b>.png")
    save(pixels(1), folders[0] / "<i>more<i>.png")
    save(pixels(1)[:20], folders[0] / "<u>small<u>.png")
    save(pixels(1), folders[1] / "<u>small<u>.png")
    evaluation = scored(folders, metrics=["ciede2000"])
    names = [picture["name"] for picture in evaluation["pictures"]]
    evaluation["groups"] = {"<s>": {name: {**evaluation, "num_pictures": 1} for name in names}}
    source, page = written(evaluation, folders, tmp_path / "report")
    assert not set(page.tags) & {"script", "s>", "<s>"}
    assert "onerror" not in page.attributes
    assert page.tags.count("img") == 4 * len(HOSTILE) + 2 * 3
    for name in [*names, "<b>lost<b>", "<i>more<i>", "<u>small<u>"]:
        assert name in page.texts, name
    assert "By <s>" in page.text
    assert "\u202e" not in source
    assert "1 had no prediction, 1 could not be scored, 1 had no reference" in page.text.lower()
    assert "1 could not be scored" in page.texts


def test_one_picture_of_archives_has_no_intervals_and_the_page_says_so(make: Make, tmp_path: Path) -> None:
    ours, truth = (Path(shutil.make_archive(str(folder), "zip", folder)) for folder in make("deep/only"))
    _, page = written(scored((ours, truth)), (ours, truth), tmp_path / "report")
    assert "1 picture was scored" in page.text
    assert "With one picture there are no intervals" in page.text
    assert "95% interval" not in page.text.replace("with 95% intervals", "")
    assert {"All pictures", "deep/only", "ours.zip", "truth.zip"} <= set(page.texts)
    assert (tmp_path / "report" / "sheet-all.png").exists()


def test_nothing_scored_is_a_page_with_the_reasons(make: Make, tmp_path: Path) -> None:
    folders = make("broken")
    (folders[0] / "broken.png").write_bytes(b"no picture")
    _, page = written(scored(folders), folders, tmp_path / "report")
    assert "0 pictures were scored" in page.text
    assert "its content is of no known picture format" in page.text
    assert "img" not in page.tags


def test_grey_references_and_few_metrics_leave_out_what_cannot_be_said(make: Make, tmp_path: Path) -> None:
    folders = make("a", "b", share=0.0)
    grey = (folders[0], folders[0])
    _, page = written(scored(grey, metrics=["ciede2000", "colorfulness"]), grey, tmp_path / "grey")
    assert "The references themselves have next to no color" in page.text
    assert not (tmp_path / "grey" / "curve.png").exists()
    _, page = written(scored(folders, metrics=["psnr"], curve=False), folders, tmp_path / "psnr")
    assert "psnr" in page.texts
    assert not {"Near the truth, or vivid", "Not scored"} & set(page.texts)


def test_pictures_that_have_gone_are_named(make: Make, tmp_path: Path) -> None:
    folders = make("here", "gone", "spoiled")
    evaluation = scored(folders)
    (folders[0] / "gone.png").unlink()
    with pytest.raises(
        DataError, match=r"'gone' was scored but is not in both .* give the folders that were evaluated"
    ):
        write_report(evaluation, *folders, tmp_path / "report")
    save(pixels(0), folders[0] / "gone.png")
    (folders[0] / "spoiled.png").write_bytes(b"")
    with pytest.raises(PictureError, match=r"spoiled.png was scored but cannot be read any more: .* is empty"):
        write_report(evaluation, *folders, tmp_path / "report")
    save(pixels(0)[:9], folders[0] / "spoiled.png")
    with pytest.raises(PictureError, match=r"spoiled.png was scored but has another size than its reference now"):
        write_report(evaluation, *folders, tmp_path / "report")


def test_without_matplotlib_the_install_command_is_named(tmp_path: Path) -> None:
    """In a process where importing matplotlib fails as it does where there is none."""
    code = (
        "import sys; from pathlib import Path; sys.modules['matplotlib'] = None\n"
        "from autochrome.report import write_report\n"
        "from autochrome.errors import UnavailableError\n"
        "try: write_report({}, Path('a'), Path('b'), Path(sys.argv[1]))\n"
        "except UnavailableError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "report")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "needs matplotlib, which is not installed; install it with: pip install matplotlib" in result.stdout
    assert not (tmp_path / "report").exists()


def test_the_chosen_pictures_are_worst_median_best_and_the_same_random_ones() -> None:
    pictures = [{"name": f"{index:03}", "ciede2000": float(index)} for index in range(101)]
    chosen = {name: [row["ciede2000"] for row in rows] for name, rows in choose(pictures[::-1]).items()}
    assert chosen["worst"] == [100, 99, 98, 97, 96]
    assert chosen["median"] == [52, 51, 50, 49, 48]
    assert chosen["best"] == [0, 1, 2, 3, 4]
    assert chosen["random"] == [row["ciede2000"] for row in choose(pictures)["random"]]
    assert len(set(chosen["random"])) == 5
    assert [row["name"] for row in choose(pictures[:3])["all"]] == ["002", "001", "000"]
    assert choose([]) == {}
    assert set(choose([{"name": str(index), "psnr": 1.0} for index in range(11)])) == {"random"}


def test_tiles_are_small_and_the_error_map_is_the_difference(make: Make) -> None:
    folders = make("small")
    wide = np.zeros((20, 900, 3), np.uint8)
    save(wide, folders[0] / "wide.png")
    save(wide + np.uint8(255), folders[1] / "wide.png")
    pairs = find_pairs(scored(folders, metrics=["psnr"], curve=False), *folders)
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    tiles = make_tiles(pairs["wide"], palette)
    assert tiles.result.size == tiles.truth.size == tiles.grey.size == tiles.error.size == (TILE_PX, 7)
    assert np.asarray(tiles.error).min() == 255  # black on white is more than MAX_ERROR
    tiles = make_tiles(pairs["small"], palette)
    assert tiles.truth.size == (40, 30)
    from autochrome.image import picture_to_tensor
    from autochrome.metrics import ciede2000_map

    expected = ciede2000_map(picture_to_tensor(tiles.result), picture_to_tensor(tiles.truth))[0, 0].numpy()
    assert np.abs(np.asarray(tiles.error)[..., 0] / 255 * MAX_ERROR - expected).max() <= MAX_ERROR / 255


def test_the_density_counts_each_picture_once_and_grey_in_the_middle(make: Make, tmp_path: Path) -> None:
    folders = make("grey", share=0.0)
    save(np.full((300, 200, 3), (255, 0, 0), np.uint8), folders[1] / "red.png")
    save(np.full((300, 200, 3), 90, np.uint8), folders[0] / "red.png")
    evaluation = scored(folders, metrics=["psnr"], curve=False)
    (result, truth), count = ab_density(find_pairs(evaluation, *folders))
    assert count == 2
    middle = len(result) // 2
    assert result[middle, middle] == pytest.approx(1)
    assert truth.sum() == pytest.approx(1)
    red = [round((axis / 111 + 1) / 2 * 111 - 0.5) for axis in (67.2, 80.1)]  # b*, a* of sRGB red
    assert truth[red[0], red[1]] == pytest.approx(0.5, abs=1e-6)


def test_sentences_follow_the_numbers() -> None:
    def said(mean: float, interval: list[float] | None, colorful: float, count: int = 100, light: float = 0.1) -> str:
        evaluation = {
            "num_pictures": count,
            "metrics": {"ciede2000": {"mean": mean, "interval": interval}, "lightness_error": {"mean": light}},
            "baselines": {"grey": {"ciede2000": {"mean": 10.0}}},
            "shares": {"better_than_grey": 0.75, "colorfulness_of_reference": colorful},
            "curve": {"at_half": 0.9, "at_one": None},
            "missing": [],
            "extra": [],
            "failed": [],
        }
        return " ".join(summary(evaluation))

    assert "closer to the truth than no color at all" in said(9.0, [8.5, 9.5], 0.3)
    assert "leaving the pictures grey would have been closer" in said(11.0, [10.5, 11.5], 1.5)
    assert "does not tell these colors from no color at all" in said(9.9, [9.5, 10.3], 0.6)
    assert "is dull" in said(9.0, [8.5, 9.5], 0.3)
    assert "is duller than the truth" in said(9.0, [8.5, 9.5], 0.6)
    assert "about as colorful" in said(9.0, [8.5, 9.5], 1.0)
    assert "more colorful than the truth" in said(9.0, [8.5, 9.5], 1.2)
    assert "beat grey on 75% of the pictures (95% interval 66% to 82%)" in said(9.0, [8.5, 9.5], 1.0)
    assert "CIEDE2000 is 0.90 at half of the truth’s" in said(9.0, [8.5, 9.5], 1.0)
    assert "intervals are wide" in said(9.0, [8.5, 9.5], 1.0, count=5)
    assert "intervals are wide" not in said(9.0, [8.5, 9.5], 1.0)
    assert "do not keep the photographs’ own light" in said(9.0, [8.5, 9.5], 1.0, light=0.9)


def test_wilson_interval_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for wins, count in ((0, 5), (5, 5), (7, 10), (71, 100)):
        expected = binomtest(wins, count).proportion_ci(method="wilson")
        assert wilson(wins / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_numbers_and_texts_of_the_page() -> None:
    assert [number(value) for value in (1.234, -0.5, 0.01234, None, float("nan"), float("inf"))] == [
        "1.23",
        "−0.500",
        "0.012",
        "–",
        "–",
        "∞",
    ]
    assert text("<a href='x'>&\"") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"
    assert text("a\x00b") == "&#x27;a\\x00b&#x27;"

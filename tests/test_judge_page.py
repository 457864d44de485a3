"""The page of `autochrome judge`, over real HTTP and in a real browser: blind, closed to others, and easy to answer."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from judge_pages import Page, contestants, piece, pixels, save_piece, serving
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Page as Tab
from test_browser import CHROMIUM, FLAGS, PATIENCE_MS

from autochrome.judge.pictures import MAX_SIDE_PX
from autochrome.judge.votes import read_votes

NAMES = ["first-system", "second-system"]


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    return tmp_path / "votes.jsonl"


def chunks(png: bytes) -> list[bytes]:
    """The kinds of a PNG's chunks, up to its end."""
    kinds: list[bytes] = []
    offset = 8
    while not kinds or kinds[-1] != b"IEND":
        length = int.from_bytes(png[offset : offset + 4], "big")
        kinds.append(png[offset + 4 : offset + 8])
        offset += 12 + length
    return kinds


@pytest.mark.parametrize("question", ["natural", "real"])
def test_nothing_says_whose_picture_is_whose(tmp_path: Path, votes: Path, question: str) -> None:
    folders, truth = contestants(tmp_path, NAMES, 6)
    comment = PngInfo()
    comment.add_text("Comment", "made by first-system")
    for path in folders[0].rglob("*.png"):  # what a colorizer may write into its results
        with PIL.Image.open(path) as picture:
            picture.save(path, dpi=(300, 300), pnginfo=comment)
    with serving(folders, truth, question, votes) as (url, session):
        page = Page(url)
        order = []
        while page.state["trial"]:
            left, right = page.pictures()
            assert left.headers == right.headers
            assert len(left.body) == len(right.body)
            assert set(chunks(left.body)) | set(chunks(right.body)) == {b"IHDR", b"IDAT", b"IEND"}
            assert left.body[:33] == right.body[:33], "size and encoding of the pixels"
            order.append((pixels(left.body), pixels(right.body)))
            assert [page.get(f"/picture/{name}").status for name in page.state["upcoming"]] in ([], [200, 200])
            page.answer("left")
        heard = b"\n".join(answer.headers.encode() + answer.body for answer in page.heard)
        assert session.failed == []
    names = [*NAMES, "truth", "picture-", "deep/", "uvicorn", "pytest", "votes.jsonl"]
    assert [name for name in names if name.encode() in heard] == []

    # What was shown is what the file of votes says, pixel for pixel.
    cast = read_votes(votes).votes
    assert len(cast) == len(order) == 6
    for vote, shown in zip(cast, order, strict=True):
        for label, seen in zip((vote.left, vote.right), shown, strict=True):
            (path,) = (tmp_path / label).glob(f"{vote.picture}.*")
            np.testing.assert_array_equal(seen, pixels(path.read_bytes()))


def test_names_of_pictures_are_new_in_every_sitting(tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 3)
    seen = []
    for _ in range(2):
        with serving(folders, None, "natural", votes) as (url, _session):
            page = Page(url)
            seen += [page.state["trial"][key] for key in ("id", "left", "right")] + [page.token]
    assert len(set(seen)) == 8
    assert all(re.fullmatch(r"[\w-]{16,}", name) for name in seen)


def test_only_the_page_itself_may_vote(tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 3)
    with serving(folders, None, "natural", votes) as (url, session):
        page = Page(url)
        ballot = {"trial": page.state["trial"]["id"], "choice": "left"}
        body = json.dumps(ballot).encode()
        for path in ("/vote", "/undo"):
            for refused in (
                page.request("POST", path, {}, body),
                page.request("POST", path, {"X-Judge-Token": "guess"}, body),
                page.request("POST", path, {"X-Judge-Token": "gu\xe9ss"}, body),
                page.post(path, ballot, Origin="https://example.com"),
                page.post(path, ballot, Origin="null"),
            ):
                assert refused.status == 403, path
                assert refused.json()["error"]
            assert page.post(path, ballot, Host="example.com").status == 400, "a name that was rebound to loopback"
            assert page.get(path).status == 405
        for path in ("/state", "/results"):
            assert page.request("GET", path, {}).status == 403
        assert page.request("GET", "/", {"Host": "example.com"}).status == 400
        assert session.results()["num_votes"] == 0
        own = page.post("/vote", ballot, Origin=url.rstrip("/"))
        assert (own.status, own.json()["num_answered"]) == (200, 1)
        assert not any("access-control" in answer.headers.lower() for answer in page.heard)
    assert len(read_votes(votes).votes) == 1


def test_the_page_asks_nobody_else(tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 2)
    with serving(folders, None, "natural", votes) as (url, _):
        page = Page(url)
        headers = page.heard[0].headers
    assert "//" not in re.sub(r"(?m)\s// .*$", "", page.html), "no address of another host"
    policy = re.search(r"content-security-policy: (.*)", headers)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    nonce = rules["script-src"]
    assert re.fullmatch(r"'nonce-[\w-]{20,}'", nonce)
    assert nonce.removeprefix("'nonce-").rstrip("'") in page.html
    assert rules == {
        **dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'"),
        **{"script-src": nonce, "style-src": nonce, "img-src": "'self' data:", "connect-src": "'self'"},
    }
    assert "x-content-type-options: nosniff" in headers
    assert "cross-origin-resource-policy: same-origin" in headers


def test_bad_ballots_change_nothing(tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 3)
    with serving(folders, None, "natural", votes) as (url, _):
        page = Page(url)
        trial = page.state["trial"]["id"]
        bad: list[object] = [{}, [], {"trial": trial}, {"trial": trial, "choice": "up"}, {"trial": 1, "choice": "left"}]
        for content in bad:
            refused = page.post("/vote", content)
            assert (refused.status, refused.json()["error"]) == (400, "a vote is a trial and one of left, right, skip")
        assert page.request("POST", "/vote", {"X-Judge-Token": page.token}, b"{").status == 400
        assert page.post("/vote", {"trial": trial, "choice": "left", "more": "x" * 5000}).status == 400
        assert page.get("/picture/unknown").status == 404
        assert page.undo().status == 409, "nothing to take back"
        page.answer("left")
        again = page.post("/vote", {"trial": trial, "choice": "right"})
        assert (again.status, again.json()) == (409, page.state), "it is answered; two pages may be open"
    assert [vote.choice for vote in read_votes(votes).votes] == ["left"]


def test_undo_asks_again(tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 3)
    with serving(folders, None, "natural", votes) as (url, _):
        page = Page(url)
        first = page.state
        page.answer("left")
        page.answer("skip")
        assert page.undo().status == 200
        page.undo()
        assert page.state == first
        for choice in ("right", "left", "left"):
            page.answer(choice)
        assert (page.state["trial"], page.state["num_answered"]) == (None, 3)
        page.undo()
        assert page.state["trial"] is not None
        assert page.get("/results").json()["num_votes"] == 2


def test_what_would_tell_them_apart_is_not_asked(tmp_path: Path, votes: Path) -> None:
    (system,), truth = contestants(tmp_path, ["system"], 7)
    (system / "picture-0.png").write_bytes(b"not a picture")
    save_piece(system / "picture-1.png", 1, size=(40, 40))
    PIL.Image.open(truth / "picture-2.jpg").save(system / "picture-2.png")
    piece(3).convert("L").save(truth / "picture-3.jpg")
    save_piece(system / "picture-4.png", 4, 0.5, size=(64, 43))  # a pixel of rounding is no other shape
    save_piece(truth / "picture-4.jpg", 4, size=(480, 320))
    save_piece(system / "picture-5.png", 5, 0.5, size=(MAX_SIDE_PX * 2, 320))
    save_piece(truth / "picture-5.jpg", 5, size=(MAX_SIDE_PX * 2, 320))
    with serving([system], truth, "real", votes) as (url, session):
        page = Page(url)
        sizes = []
        while page.state["trial"]:
            sizes.append((page.state["trial"]["width"], page.state["trial"]["height"]))
            assert {pixels(answer.body).shape[1::-1] for answer in page.pictures()} == {sizes[-1]}
            page.answer("left")
        assert page.state["num_questions"] == page.state["num_answered"] == 3
        assert sorted(sizes) == [(48, 32), (64, 43), (MAX_SIDE_PX, 160)]
        reasons = dict(session.failed)
    assert set(reasons) == {"picture-0", "picture-1", "picture-2", "picture-3"}
    assert re.search("picture-0.png cannot be read: .*its content is of no known picture format", reasons["picture-0"])
    assert re.search(
        r"the two have different shapes \(.*40 x 40.*\), which would tell them apart", reasons["picture-1"]
    )
    assert reasons["picture-2"] == "the two pictures are the same, pixel for pixel"
    assert reasons["picture-3"] == "the real photograph has no color, so it could not be mistaken for a colored one"


# In a real browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no browser here; install one (on Debian: apt-get install chromium) to run this test")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, **settings: Any) -> Iterator[Tab]:
    """The page, ready for an answer. Afterwards: no error in the console, no request to anywhere else."""
    context = browser.new_context(**settings)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    troubles: list[str] = []
    tab.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("request", lambda request: troubles.append(request.url) if not request.url.startswith(url) else None)
    tab.goto(url)
    expect(tab.locator("#stage")).not_to_have_class(re.compile("waiting"))
    yield tab
    context.close()
    assert [trouble for trouble in troubles if not trouble.startswith("data:")] == []


def press(tab: Tab, key: str, count: str) -> None:
    tab.keyboard.press(key)
    expect(tab.locator("#count")).to_have_text(count)
    expect(tab.locator("#stage")).not_to_have_class(re.compile("waiting"))


def test_keys_clicks_and_results(browser: Browser, tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 8)
    with serving(folders, None, "natural", votes) as (url, _), opened(browser, url) as tab:
        expect(tab.locator("h1")).to_have_text("Which looks more natural?")
        expect(tab.locator("#count")).to_have_text("1 of 8")
        expect(tab.get_by_role("button", name="Undo")).to_be_disabled()
        for number, key in enumerate(["ArrowLeft", "ArrowRight", "a", "B", "Space"], start=2):
            press(tab, key, f"{number} of 8")
        press(tab, "u", "5 of 8")
        press(tab, "s", "6 of 8")
        tab.keyboard.press("x")
        tab.keyboard.press("Control+a")
        tab.get_by_role("button", name="Choose picture B").click()
        expect(tab.locator("#count")).to_have_text("7 of 8")
        expect(tab.locator("#stage")).not_to_have_class(re.compile("waiting"))
        press(tab, "Space", "8 of 8")  # it skips: a click does not make the picture the button that space presses
        tab.get_by_role("button", name="Choose picture A").focus()
        shown = tab.locator("body").inner_text()
        tab.keyboard.press("Enter")
        expect(tab.locator("h1")).to_have_text("Results")
        assert not any(name in shown for name in NAMES)
        expect(tab.locator("#results")).to_contain_text("6 votes and 2 skipped questions.")
        expect(tab.locator("#results")).to_contain_text("first-system against second-system")
        expect(tab.locator("#results")).to_contain_text("Fewer than 10 votes: too few to say anything.")
        press(tab, "u", "8 of 8")
        expect(tab.locator("#stage")).to_be_visible()
        tab.get_by_role("button", name="Results").click()
        expect(tab.locator("h1")).to_have_text("Results so far")
        tab.keyboard.press("ArrowLeft")  # no pictures are on the screen
        tab.get_by_role("button", name="Go on with the questions").click()
        expect(tab.locator("h1")).to_have_text("Which looks more natural?")
        expect(tab.locator("#stage")).not_to_have_class(re.compile("waiting"))
        tab.keyboard.press("ArrowLeft")
        expect(tab.locator("h1")).to_have_text("Results")
    choices = ["left", "right", "left", "right", "skip", "right", "skip", "left"]
    assert [vote.choice for vote in read_votes(votes).votes] == choices


def test_both_pictures_are_seen_whole_at_every_width(browser: Browser, tmp_path: Path, votes: Path) -> None:
    folders, truth = contestants(tmp_path, ["one"], 2)
    with serving(folders, truth, "real", votes) as (url, _):
        for width, height in ((1280, 800), (390, 844), (844, 390)):
            with opened(browser, url, viewport={"width": width, "height": height}) as tab:
                expect(tab.locator("h1")).to_have_text("Which is the real photograph?")
                boxes = [tab.locator(f"#{side} img").bounding_box() for side in ("left", "right")]
                left, right = (box for box in boxes if box is not None)
                assert (left["width"], left["height"]) == (right["width"], right["height"])
                assert left["width"] == pytest.approx(1.5 * left["height"], abs=1)
                assert left["width"] == 48 * 2.5, "no larger than is any use"
                for box in (left, right):
                    assert box["x"] >= 0
                    assert box["x"] + box["width"] <= width
                    assert box["y"] + box["height"] <= height
                stacked = left["y"] + left["height"] <= right["y"]
                assert stacked or left["x"] + left["width"] <= right["x"]
                assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_says_when_the_program_has_ended(browser: Browser, tmp_path: Path, votes: Path) -> None:
    folders, _ = contestants(tmp_path, NAMES, 3)
    context = browser.new_context()
    tab = context.new_page()
    with serving(folders, None, "natural", votes) as (url, _):
        tab.goto(url)
        expect(tab.locator("#stage")).not_to_have_class(re.compile("waiting"))
    tab.keyboard.press("ArrowLeft")
    expect(tab.get_by_role("alert")).to_contain_text("The program does not answer. Start it again with the same")
    context.close()

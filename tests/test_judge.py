"""`autochrome judge` but for its page: the plan, the file of votes, the statistics, the command."""

import argparse
import itertools
import json
import math
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import scipy.optimize
import scipy.stats
from judge_pages import START_SECONDS, Page, contestants, run_judge, save_piece

from autochrome.cli import judge
from autochrome.errors import DataError, UnavailableError
from autochrome.judge.contest import gather, short_names
from autochrome.judge.plan import Trial, make_plan
from autochrome.judge.server import serve
from autochrome.judge.session import Session
from autochrome.judge.statistics import summarize, table, wilson_interval
from autochrome.judge.votes import Study, Vote, VoteLog, read_votes

STUDY = Study("natural", ("one", "two"), None, 0, "abc")
PICTURES = [f"picture-{number:02}" for number in range(40)]


def vote(choice: str = "left", picture: str = "a", left: str = "one", right: str = "two") -> Vote:
    return Vote(picture, left, right, choice, 1.5, "2026-01-02T03:04:05+00:00")


# The plan


def test_every_pair_meets_on_every_picture() -> None:
    plan = make_plan(PICTURES, ["a", "b", "c"], None, seed=3)
    assert len(plan) == len({trial.key for trial in plan}) == 40 * 3
    assert {trial.picture for trial in plan[:40]} == set(PICTURES), "each picture once before any comes again"
    for length in range(1, 41):
        met = Counter(trial.key[1] for trial in plan[:length])
        assert max(met.values()) - min(met[frozenset(pair)] for pair in itertools.combinations("abc", 2)) <= 1


def test_each_picture_is_shown_once_with_the_truth() -> None:
    plan = make_plan(PICTURES, ["a", "b"], "truth", seed=0)
    assert sorted(trial.picture for trial in plan) == PICTURES
    assert Counter(trial.key[1] for trial in plan) == {frozenset(("a", "truth")): 20, frozenset(("b", "truth")): 20}


@pytest.mark.parametrize(("systems", "reference"), [(["a", "b", "c"], None), (["a", "b"], "truth")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sides_are_balanced_wherever_one_stops(systems: list[str], reference: str | None, seed: int) -> None:
    plan = make_plan([f"{number}" for number in range(200)], systems, reference, seed)
    for pair in {trial.key[1] for trial in plan}:
        lefts = [trial.left == min(pair) for trial in plan if trial.key[1] == pair]
        for length in range(len(lefts) + 1):
            assert abs(2 * sum(lefts[:length]) - length) <= 5
            assert length % 10 or 2 * sum(lefts[:length]) == length


def test_the_seed_decides_order_and_sides() -> None:
    plans = [make_plan(PICTURES, ["a", "b"], None, seed) for seed in range(200)]
    assert make_plan(reversed(PICTURES), ["a", "b"], None, 7) == plans[7]
    assert len({tuple(plan) for plan in plans}) == 200
    assert 70 < sum(plan[0].left == "a" for plan in plans) < 130, "the first side is a fair coin"
    assert len({plan[0].picture for plan in plans}) > 30


# The statistics


@pytest.mark.parametrize("num_votes", [1, 2, 9, 10, 63, 1000])
def test_the_interval_is_that_of_scipy(num_votes: int) -> None:
    for num_chosen in {0, 1, num_votes // 3, num_votes // 2, num_votes - 1, num_votes}:
        expected = scipy.stats.binomtest(num_chosen, num_votes).proportion_ci(0.95, method="wilson")
        assert wilson_interval(num_chosen, num_votes) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("num_chosen", "num_votes"), [(3, 12), (40, 41), (7, 14)])
def test_the_interval_holds_the_shares_that_the_score_test_keeps(num_chosen: int, num_votes: int) -> None:
    """Its definition: the ends are where (share - p) is 1.96 standard errors of p itself."""
    share = num_chosen / num_votes

    def excess(p: float) -> float:
        return abs(share - p) - 1.959963984540054 * math.sqrt(p * (1 - p) / num_votes)

    ends = scipy.optimize.brentq(excess, 1e-9, share), scipy.optimize.brentq(excess, share, 1 - 1e-9)
    assert wilson_interval(num_chosen, num_votes) == pytest.approx(ends, abs=1e-9)


@pytest.mark.parametrize(
    ("num_chosen", "num_votes", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(num_chosen: int, num_votes: int, low: float, high: float) -> None:
    """R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998),
    pp. 857-872, table I, method 3."""
    assert wilson_interval(num_chosen, num_votes) == pytest.approx((low, high), abs=5e-5)


def test_no_votes_have_no_interval() -> None:
    assert wilson_interval(0, 0) is None
    (pair,) = summarize(STUDY, [])["pairs"]
    assert (pair["win_rate"], pair["interval"], pair["verdict"]) == (None, None, "no votes yet")


def test_skips_are_counted_apart() -> None:
    votes = [vote("left")] * 9 + [vote("right", left="two", right="one")] * 6 + [vote("right")] * 5 + [vote("skip")] * 4
    results = summarize(STUDY, votes)
    (pair,) = results["pairs"]
    assert (pair["system"], pair["against"]) == ("one", "two")
    assert (pair["num_chosen"], pair["num_votes"], pair["num_skipped"]) == (15, 20, 4)
    assert pair["win_rate"] == 0.75
    expected = scipy.stats.binomtest(15, 20).proportion_ci(method="wilson")
    assert pair["interval"] == pytest.approx((expected.low, expected.high))
    assert pair["verdict"] == "chosen more often"
    assert (results["num_votes"], results["num_skipped"], results["left"]["num_chosen"]) == (20, 4, 9)
    text = "\n".join(table(results))
    assert "20 votes, 4 skipped" in text
    assert "75.0% (53.1% to 88.8%)" in text


@pytest.mark.parametrize(
    ("num_chosen", "num_votes", "natural", "real"),
    [
        (9, 9, "fewer than 10 votes: too few to say anything", "fewer than 10 votes: too few to say anything"),
        (6, 10, "no difference beyond chance", "cannot be told from the photograph by these votes"),
        (1, 12, "chosen less often", "people can tell it from the photograph"),
        (12, 12, "chosen more often", "taken for the photograph more often than the photograph itself"),
    ],
)
def test_the_verdict_is_careful(num_chosen: int, num_votes: int, natural: str, real: str) -> None:
    votes = [vote("left")] * num_chosen + [vote("right")] * (num_votes - num_chosen)
    assert summarize(STUDY, votes)["pairs"][0]["verdict"] == natural
    fooling = summarize(Study("real", ("one",), "two", 0, "abc"), votes)["pairs"][0]
    assert (fooling["verdict"], fooling["fooling_rate"]) == (real, num_chosen / num_votes)


def test_three_systems_are_ranked_over_all_their_votes() -> None:
    study = Study("natural", ("one", "two", "three"), None, 0, "abc")
    votes = [vote("left")] * 3 + [vote("right", right="three")] * 2 + [vote("skip", left="two", right="three")]
    results = summarize(study, votes)
    assert [(row["system"], row["against"]) for row in results["pairs"]] == [
        ("one", "two"),
        ("one", "three"),
        ("two", "three"),
    ]
    assert [(row["system"], row["num_chosen"], row["num_votes"]) for row in results["overall"]] == [
        ("three", 2, 2),
        ("one", 3, 5),
        ("two", 0, 3),
    ]
    assert "(all the others)" in "\n".join(table(results))


# The file of votes


@pytest.fixture
def log(tmp_path: Path) -> Iterator[VoteLog]:
    log = VoteLog(tmp_path / "votes.jsonl", STUDY)
    yield log
    log.close()


def test_votes_are_kept_and_taken_back(log: VoteLog) -> None:
    log.append(vote("left"))
    log.append(vote("skip", "b"))
    assert log.undo() == vote("skip", "b")
    log.append(vote("right", "b"))
    log.append(vote("left", "c"))
    log.undo()
    record = read_votes(log.path)
    assert record.votes == log.votes == [vote("left"), vote("right", "b")]
    assert (record.study, record.num_lost_bytes) == (STUDY, 0)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line.get("choice", line.get("undo", "first")) for line in lines] == [
        *("first", "left", "skip", True, "right", "left", True)
    ]


def test_nothing_to_take_back(log: VoteLog) -> None:
    before = log.path.read_bytes()
    assert log.undo() is None
    assert log.path.read_bytes() == before


@pytest.mark.parametrize("num_cut", [1, 5, 60])
def test_a_half_written_last_vote_is_left_out(log: VoteLog, num_cut: int) -> None:
    log.append(vote("left"))
    whole = log.path.read_bytes()
    log.append(vote("right", "b"))
    log.close()
    os.truncate(log.path, log.path.stat().st_size - num_cut)
    lost = log.path.stat().st_size - len(whole)
    assert read_votes(log.path).num_lost_bytes == lost
    again = VoteLog(log.path, STUDY)
    assert (again.votes, again.num_lost_bytes) == ([vote("left")], lost)
    again.append(vote("left", "d"))
    assert read_votes(log.path).votes == [vote("left"), vote("left", "d")]
    again.close()


def test_a_full_disk_leaves_the_file_as_it_was(log: VoteLog) -> None:
    log.append(vote("left"))
    before = log.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(DataError, match=r"the vote could not be written to '.*votes.jsonl': File too large"):
            log.append(vote("right", "b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.path.read_bytes() == before
    assert log.votes == [vote("left")]


def test_one_process_at_a_time(log: VoteLog) -> None:
    with pytest.raises(DataError, match=r"another process is adding votes to '.*'; end it, or choose another file"):
        VoteLog(log.path, STUDY)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"systems": ("one", "three")}, "about other systems: there one, two, here one, three; choose another file"),
        ({"question": "real"}, "about another question: there natural, here real"),
        ({"reference": "truth"}, "about another reference: there None, here truth"),
        ({"seed": 5}, "about another seed: there 0, here 5"),
        ({"pictures": "def"}, r"about other pictures \(some were added, removed or made again\); choose"),
    ],
)
def test_votes_of_another_study_are_refused(log: VoteLog, change: dict[str, object], text: str) -> None:
    log.append(vote())
    log.close()
    before = log.path.read_bytes()
    other = Study(**{**STUDY.__dict__, **change})
    with pytest.raises(DataError, match=text):
        VoteLog(log.path, other)
    assert log.path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "hello", "hello\n", "[]\n", "{}\n", '{"format": "autochrome votes 1"}\n'])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"'.*notes.txt' is not a file of votes; choose another name with --votes"):
        VoteLog(path, STUDY)
    assert path.read_text() == content


@pytest.mark.parametrize(
    "line",
    ['{"picture"', "[1]", "{}", '{"undo": true}', json.dumps({**vote().__dict__, "choice": "both"})]
    + [json.dumps({**vote().__dict__, "left": left}) for left in ("three", "two")],
)
def test_damage_in_the_middle_is_named(log: VoteLog, line: str) -> None:
    first = log.path.read_text()
    log.append(vote())
    log.path.write_text(f"{first}{line}\n{json.dumps(vote().__dict__)}\n")
    with pytest.raises(DataError, match=r"line 2 of '.*' is not a vote that fits its first line .*; take the line out"):
        read_votes(log.path)


def test_a_file_that_is_not_there_or_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the votes in '.*none.jsonl': No such file.*; give --votes"):
        read_votes(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"cannot write the votes to '.*': Is a directory; give --votes FILE.jsonl"):
        VoteLog(tmp_path, STUDY)


# Who takes part


def test_names_are_as_long_as_needed() -> None:
    assert short_names([Path("/x/one"), Path("/x/two.zip")]) == ["one", "two.zip"]
    assert short_names([Path("/x/a/out"), Path("/x/b/out"), Path("/y/b")]) == ["a/out", "b/out", "y/b"]


def test_folders_and_archives_are_matched(tmp_path: Path) -> None:
    folders, truth = contestants(tmp_path, ["one", "two"], 4)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folders[1].rglob("*.png"):
            archive.write(path, path.relative_to(folders[1]))
    (folders[0] / "picture-1.png").unlink()
    save_piece(folders[0] / "more.png", 9)
    contest = gather([folders[0], packed], truth, "natural", 0)
    assert contest.pictures == ["deep/picture-3", "picture-0", "picture-2"]
    assert contest.left_out == ["more", "picture-1"]
    assert contest.study.systems == ("one", "packed.zip")
    assert contest.study.reference is None
    assert {trial.picture for trial in contest.plan()} == {"deep/picture-3", "picture-0", "picture-2"}


def test_the_fingerprint_changes_with_the_pictures_that_are_shown(tmp_path: Path) -> None:
    folders, truth = contestants(tmp_path, ["one", "two"], 3)
    before = gather(folders, truth, "natural", 0).study
    assert gather(folders, truth, "natural", 0).study == before
    save_piece(truth / "picture-0.jpg", 7)
    assert gather(folders, truth, "natural", 0).study == before, "the truth is not shown"
    save_piece(folders[0] / "picture-0.png", 7)
    assert gather(folders, truth, "natural", 0).study != before


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    (one, two), truth = contestants(tmp_path, ["one", "two"], 2)
    with pytest.raises(DataError, match="'natural' compares two folders or more, and 1 is given; add another, or"):
        gather([one], truth, "natural", 0)
    for folders, reference in (([one], None), ([], truth)):
        with pytest.raises(DataError, match="'real' needs one folder or more, and the real photographs: --reference"):
            gather(folders, reference, "real", 0)
    with pytest.raises(DataError, match="one is given twice; a folder cannot be compared with itself"):
        gather([one, two, tmp_path / "two" / ".." / "one"], None, "natural", 0)
    shutil.rmtree(two)
    save_piece(two / "other.png", 0)
    with pytest.raises(
        DataError, match=r"no picture is in all of the 2 folders .*one: deep/picture-1, two: other.*the same"
    ):
        gather([one, two], None, "natural", 0)


# The command, as a program of its own


def test_killed_and_gone_on(tmp_path: Path) -> None:
    """Votes are safe the moment they are answered, whatever happens then; Ctrl+C ends with the results."""
    folders, _ = contestants(tmp_path, ["one", "two"], 12)
    votes, result = tmp_path / "votes.jsonl", tmp_path / "results.json"
    arguments = [*folders, "--votes", votes, "--seed", 4]
    with run_judge(*arguments) as (process, url):
        page = Page(url)
        for choice in ("left", "right", "skip", "left"):
            page.answer(choice)
        page.undo()
        process.send_signal(signal.SIGKILL)
        process.wait(START_SECONDS)
    kept = read_votes(votes)
    assert [one.choice for one in kept.votes] == ["left", "right", "skip"]
    assert kept.num_lost_bytes == 0
    with votes.open("ab") as file:
        file.write(b'{"picture": "picture-0", "le')

    with run_judge(*folders, "--votes", votes, "--json", result) as (process, url):  # the seed is the file's
        page = Page(url)
        assert (page.state["num_answered"], page.state["num_questions"]) == (3, 12)
        while page.state["trial"]:
            page.answer("left")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, err
    assert "is cut off (28 bytes): a vote that was interrupted, left out" in err
    assert "11 votes, 1 skipped" in out
    record = read_votes(votes)
    plan = make_plan({vote.picture for vote in record.votes}, ["one", "two"], None, seed=4)
    assert [Trial(vote.picture, vote.left, vote.right) for vote in record.votes] == plan
    assert json.loads(result.read_text()) == json.loads(json.dumps(summarize(record.study, record.votes)))


def test_results_need_the_file_only(log: VoteLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        log.append(vote())
    assert run_here("--results", "--votes", log.path, "--json", tmp_path / "out.json") == 0
    assert "fewer than 10 votes" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["pairs"][0]["num_chosen"] == 3
    assert run_here(tmp_path / "one", tmp_path / "two", "--results", "--votes", log.path) == 0
    with pytest.raises(DataError, match="holds votes about one, two, not about one, three; give the file of these"):
        run_here(tmp_path / "one", tmp_path / "three", "--results", "--votes", log.path)


def run_here(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    judge.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["judge", *map(str, arguments)])
    code: int = args.run(args)
    return code


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--port", "70000"], ["--port", "x"], ["--question", "why"], ["--seed", "x"]):
        with pytest.raises(SystemExit) as caught:
            run_here(*arguments)
        assert caught.value.code == 2
    assert "70000 is no port; give 0 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    folders, _ = contestants(tmp_path, ["one", "two"], 2)
    contest = gather(folders, None, "natural", 0)
    log = VoteLog(tmp_path / "votes.jsonl", contest.study)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UnavailableError, match=rf"cannot open port {port} \(Address already in use\); give another --port, or 0"
        ):
            serve(Session(contest, log), port, print)
    log.close()


def test_results_load_no_torch(log: VoteLog) -> None:
    code = (
        "import sys; from autochrome.cli import main\n"
        f"main(['judge', '--results', '--votes', {str(log.path)!r}])\n"
        "heavy = {'torch', 'starlette', 'numpy', 'PIL'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 votes, 0 skipped" in done.stdout

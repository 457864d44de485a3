"""From votes to rates with intervals."""

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import NormalDist
from typing import Any

from autochrome.judge.votes import Study, Vote

CONFIDENCE = 0.95
FEW_VOTES = 10
"""With fewer votes a rate is shown, and called too uncertain to say anything."""

METHOD = f"Wilson score interval, {CONFIDENCE:.0%}; skipped questions are counted apart and are in no rate"


def wilson_interval(num_chosen: int, num_votes: int, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """The score interval of a binomial proportion, without continuity correction; None without votes.

    It holds near 0 and 1 and for few votes, where the usual "p +- 1.96 standard errors" fails. E. B. Wilson, Probable
    inference, the law of succession, and statistical inference, Journal of the American Statistical Association 22
    (1927), pp. 209-212; recommended by Brown, Cai and DasGupta, Interval estimation for a binomial proportion,
    Statistical Science 16 (2001), pp. 101-133, equation 4.
    """
    assert 0 <= num_chosen <= num_votes, f"{num_chosen} of {num_votes}"
    if num_votes == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = num_chosen / num_votes
    center = share + z**2 / (2 * num_votes)
    spread = z * math.sqrt(share * (1 - share) / num_votes + z**2 / (4 * num_votes**2))
    scale = 1 + z**2 / num_votes
    # Rounding may leave 1e-17 in place of 0 or of 1, which are exact where all votes agree.
    low = 0.0 if num_chosen == 0 else (center - spread) / scale
    high = 1.0 if num_chosen == num_votes else (center + spread) / scale
    return low, high


def summarize(study: Study, votes: Sequence[Vote]) -> dict[str, Any]:
    """Everything that the votes say, as plain values for JSON.

    `pairs`: one row for every two that met, `{"system", "against", "num_votes", "num_skipped", "num_chosen", RATE,
    "interval", "verdict"}`; RATE is `win_rate`, the share of votes for `system`, or with the question "real"
    `fooling_rate`, the share of votes that took it for the photograph (one half: nobody can tell them apart). `overall`
    (three systems or more, question "natural"): the same of each system against all others, best first. `left`: how
    often the left picture was chosen, which shows a habit of the hand. `num_votes` leaves the skipped ones out.
    """
    real = study.question == "real"
    rate = "fooling_rate" if real else "win_rate"
    if study.reference is not None and real:
        matches = [(system, study.reference) for system in study.systems]
    else:
        matches = [(a, b) for index, a in enumerate(study.systems) for b in study.systems[index + 1 :]]
    pairs = []
    for system, against in matches:
        met = [vote for vote in votes if {vote.left, vote.right} == {system, against}]
        pairs.append({"system": system, "against": against, **_row(met, system, rate)})
    overall = []
    if not real and len(study.systems) > 2:
        for system in study.systems:
            met = [vote for vote in votes if system in (vote.left, vote.right)]
            overall.append({"system": system, **_row(met, system, rate)})
        overall.sort(key=lambda row: -1.0 if row[rate] is None else row[rate], reverse=True)
    decided = [vote for vote in votes if vote.choice != "skip"]
    num_left = sum(vote.choice == "left" for vote in decided)
    return {
        "question": study.question,
        "systems": list(study.systems),
        "reference": study.reference,
        "num_votes": len(decided),
        "num_skipped": len(votes) - len(decided),
        "pairs": pairs,
        "overall": overall,
        "left": {"num_chosen": num_left, "interval": wilson_interval(num_left, len(decided))},
        "method": METHOD,
    }


def _row(votes: Sequence[Vote], system: str, rate: str) -> dict[str, Any]:
    decided = [vote for vote in votes if vote.choice != "skip"]
    num_chosen = sum(vote.chosen == system for vote in decided)
    interval = wilson_interval(num_chosen, len(decided))
    return {
        "num_votes": len(decided),
        "num_skipped": len(votes) - len(decided),
        "num_chosen": num_chosen,
        rate: num_chosen / len(decided) if decided else None,
        "interval": interval,
        "verdict": _verdict(len(decided), interval, fooling=rate == "fooling_rate"),
    }


def _verdict(num_votes: int, interval: tuple[float, float] | None, *, fooling: bool) -> str:
    """What a careful person would say of the rate."""
    if interval is None:
        return "no votes yet"
    if num_votes < FEW_VOTES:
        return f"fewer than {FEW_VOTES} votes: too few to say anything"
    low, high = interval
    if low <= 0.5 <= high:
        return "cannot be told from the photograph by these votes" if fooling else "no difference beyond chance"
    if fooling:
        return (
            "people can tell it from the photograph"
            if high < 0.5
            else "taken for the photograph more often than the photograph itself"
        )
    return "chosen more often" if low > 0.5 else "chosen less often"


def table(results: dict[str, Any]) -> Iterator[str]:
    """The results as lines of text."""
    real = results["question"] == "real"
    what = "fooling rate: taken for the real photograph" if real else "win rate: judged more natural"
    yield f"{results['num_votes']} votes, {results['num_skipped']} skipped ({what})"
    rate = "fooling_rate" if real else "win_rate"
    sections = [("against", results["pairs"]), ("all the others", results["overall"])]
    for label, rows in sections:
        if rows:
            yield ""
            yield from _lines(rows, rate, label)
    left = results["left"]
    if results["num_votes"]:
        yield ""
        yield f"the left picture was chosen in {_percent(left['num_chosen'] / results['num_votes'], left['interval'])}"
    yield results["method"]


def _lines(rows: Iterable[dict[str, Any]], rate: str, label: str) -> Iterator[str]:
    cells = [("system", label, "votes", "skipped", "rate", "verdict")]
    for row in rows:
        against = row.get("against", "(all the others)")
        numbers = (str(row["num_votes"]), str(row["num_skipped"]), _percent(row[rate], row["interval"]))
        cells.append((row["system"], against, *numbers, row["verdict"]))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _percent(rate: float | None, interval: tuple[float, float] | None) -> str:
    if rate is None or interval is None:
        return "-"
    return f"{rate:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"

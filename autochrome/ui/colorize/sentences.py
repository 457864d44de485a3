"""What happened, in a plain sentence under the picture; a screen reader reads it out."""

from html import escape

from autochrome.ui.coloring import Coloring

CANCELLING_HTML = "<p>Cancelling…</p>"
"""From the click until the browser has let go of the run; a click on Colorize before that would be lost."""
STARTING_OVER_HTML = "<p>Starting over…</p>"
"""From the click until the stage is empty."""


def status_html(coloring: Coloring, model_name: str) -> str:
    """How a run went."""
    output = coloring.output
    several = coloring.num_candidates
    pick = f" {several} candidates: pick one below the picture." if several > 1 else ""
    notes = "".join(f" {escape(note)}" for note in output.notes)
    return (
        f"<p>Colored by {escape(model_name)} in {output.seconds:.2f} s, "
        f"{output.source.width:,} × {output.source.height:,} pixels.{pick} Drag the line to compare.{notes}</p>"
    )


def cancelled_html(*, before: bool) -> str:
    """A run was ended by who had asked for it; `before` says whether an earlier result is on the stage again."""
    return f"<p>Cancelled. {'This is the result before it.' if before else 'Nothing was colored.'}</p>"


def candidate_caption(coloring: Coloring, candidate: int) -> str:
    """A candidate in a word or two, for its small picture."""
    seed = _seed(coloring, candidate)
    if seed is not None:
        return f"seed {seed}"
    if candidate == 0:
        return "plain"
    factors = _factors(coloring, candidate)
    if factors is None:
        return f"candidate {candidate + 1}"
    return f"{_words(*factors)} ({factors[1]})"


def picked_html(coloring: Coloring, candidate: int) -> str:
    """Which candidate is the result now, and what makes it different."""
    number = f"candidate {candidate + 1} of {coloring.num_candidates}"
    seed = _seed(coloring, candidate)
    if seed is not None:
        return f"<p>Now {number}, drawn with seed {seed}. No model ran.</p>"
    if candidate == 0:
        return f"<p>Now {number}, the plain result. No model ran.</p>"
    factors = _factors(coloring, candidate)
    if factors is None:
        return f"<p>Now {number}. No model ran.</p>"
    chosen, factor = factors
    words = _words(chosen, factor)
    return f"<p>Now {number}, made at render factor {factor} instead of {chosen}: often {words}. No model ran.</p>"


def _seed(coloring: Coloring, candidate: int) -> int | None:
    """The seed of a candidate, where that is what they differ in."""
    if coloring.num_candidates == 1 or "seed" not in coloring.candidate_settings(1):
        return None
    return int({**coloring.output.settings, **coloring.candidate_settings(candidate)}["seed"])


def _factors(coloring: Coloring, candidate: int) -> tuple[int, int] | None:
    """The render factors of the plain result and of a candidate; None where that is not what they differ in."""
    chosen = coloring.output.settings.get("render_factor")
    factor = coloring.candidate_settings(candidate).get("render_factor")
    return None if chosen is None or factor is None else (chosen, factor)


def _words(chosen: int, factor: int) -> str:
    return "bolder" if factor < chosen else "calmer"


def restored_html(caption: str, *, kept: bool) -> str:
    """A result of this session is back."""
    if kept:
        return f"<p>Back again: {escape(caption)}. No model ran.</p>"
    return f"<p>Picture and settings of {escape(caption)} are back; the result is no longer kept. Press Colorize.</p>"

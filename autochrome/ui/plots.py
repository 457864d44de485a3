"""Small plots as inline SVG: no library, no request, readable by a screen reader, in the colors of the style sheet."""

from collections.abc import Sequence
from html import escape

from autochrome.ui.words import DIFFERENCE_WORDS

STRIP_WIDTH, STRIP_HEIGHT = 600, 22


def difference_strip(shares: Sequence[float], baseline: Sequence[float]) -> str:
    """How much of the picture is how far off: a strip of the result over one of plain grey, with a legend in words.

    Args:
        shares: of the picture, 0..1, in each step of `DIFFERENCE_WORDS`.
        baseline: the same of the picture without color.
    """
    legend = "".join(
        f'<li><i class="step-{step}" aria-hidden="true"></i>{escape(words)} <b>{share:.0%}</b></li>'
        for step, ((_, words), share) in enumerate(zip(DIFFERENCE_WORDS, shares, strict=True))
    )
    rows = "".join(
        f'<div class="strip"><span>{name}</span>{_strip(name, values)}</div>'
        for name, values in (("this result", shares), ("without color", baseline))
    )
    caption = "<figcaption>How much of the picture is</figcaption>"
    return f'<figure class="differences">{caption}<ul>{legend}</ul>{rows}</figure>'


def _strip(name: str, shares: Sequence[float]) -> str:
    spoken = ", ".join(f"{words} {share:.0%}" for (_, words), share in zip(DIFFERENCE_WORDS, shares, strict=True))
    left, parts = 0.0, []
    for step, share in enumerate(shares):
        width = share * STRIP_WIDTH
        parts.append(f'<rect class="step-{step}" x="{left:.1f}" y="0" width="{width:.1f}" height="{STRIP_HEIGHT}"/>')
        left += width
    return (
        f'<svg viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(name)}: {escape(spoken)}">{"".join(parts)}</svg>'
    )


def bar(value: float, longest: float) -> str:
    """A bar whose length is the share of `value` in `longest`; the number stands beside it, so it is not read out."""
    width = 0 if longest <= 0 else 100 * min(1.0, max(0.0, value / longest))
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="8"/></svg>'
    )

"""Numbers in words that people understand: one scale a measure, used wherever the page shows it."""

from math import inf

Scale = tuple[tuple[float, str], ...]
"""`(upper end, words)` in rising order; the last end is infinite."""

DIFFERENCE_WORDS: Scale = (
    (1.0, "too small to see"),
    (2.5, "hard to see"),
    (6.0, "close at a glance"),
    (12.0, "clearly different"),
    (inf, "other colors altogether"),
)
"""CIEDE2000 in words; 1 is about the smallest difference that people see side by side."""

COLORFULNESS_WORDS: Scale = (
    (7.5, "as good as grey"),
    (24.0, "slightly colorful"),
    (39.0, "moderately colorful"),
    (52.0, "colorful"),
    (70.0, "quite colorful"),
    (inf, "highly colorful"),
)
"""Half-way between the values that observers gave these words: Hasler and Süsstrunk (2003), table 2."""

LIGHTNESS_WORDS: Scale = (
    (0.6, "the photograph's own light, kept"),
    (2.0, "slightly softer than the photograph"),
    (inf, "not the photograph's light"),
)
"""Mean |ΔL*|; rounding to 8 bits alone costs up to about 0.2."""


def in_words(value: float, scale: Scale) -> str:
    """The words for a value on a scale."""
    return next(words for end, words in scale if value < end or end == inf)

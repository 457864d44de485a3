"""The panel of measures: numbers, what they stand beside, and what they mean, as HTML."""

from collections.abc import Mapping
from html import escape
from math import inf
from typing import Any

from autochrome.ui.plots import difference_strip
from autochrome.ui.words import COLORFULNESS_WORDS, DIFFERENCE_WORDS, LIGHTNESS_WORDS, in_words


def panel_html(measures: Mapping[str, Any]) -> str:
    """The measures of `Yardstick.measure` as cards, with a sentence on what they are compared with."""
    cards, plot = [_colorfulness_card(measures), _lightness_card(measures)], ""
    if measures["truth_from"] is not None:
        cards = [*_comparison_cards(measures), *cards]
        plot = difference_strip(measures["ciede2000_shares"], measures["baselines"]["grey"]["ciede2000_shares"])
    note = {
        "upload": "Your upload is in color, so its own colors serve as the truth; the model saw only its lightness.",
        "reference": "Compared with the reference picture under “More settings”; the model never saw it.",
        None: "How near these colors are to the real ones cannot be known without them: "
        "give a reference picture under “More settings” to measure it.",
    }[measures["truth_from"]]
    text = f"<p>{escape(note)}</p><dl>{''.join(cards)}</dl>{plot}"
    return f'<section class="measures" aria-label="Measures">{text}</section>'


def _comparison_cards(measures: Mapping[str, Any]) -> list[str]:
    grey = measures["baselines"]["grey"]
    difference, noise = measures["ciede2000"], measures["psnr"]
    cards = [
        _card(
            "Color difference",
            "CIEDE2000",
            f"{difference:.1f}",
            f"without color {grey['ciede2000']:.1f}",
            f"How far off the colors look, 0 is exact: {in_words(difference, DIFFERENCE_WORDS)}.",
            better=difference < grey["ciede2000"],
        ),
        _card(
            "Signal to noise",
            "PSNR",
            "exact" if noise == inf else f"{noise:.1f} dB",
            f"without color {grey['psnr']:.1f} dB",
            "Closeness pixel by pixel; higher is nearer. A careful grey scores well too.",
            better=noise > grey["psnr"],
        ),
    ]
    if "ssim" in measures:  # a picture smaller than its window has none
        likeness = _card(
            "Likeness",
            "SSIM",
            f"{measures['ssim']:.3f}",
            f"without color {grey['ssim']:.3f}",
            "Whether the same structures are there, in all three channels; 1 is identical.",
            better=measures["ssim"] > grey["ssim"],
        )
        cards.append(likeness)
    return cards


def _colorfulness_card(measures: Mapping[str, Any]) -> str:
    value = measures["colorfulness"]
    truth = measures.get("truth", {}).get("colorfulness")
    return _card(
        "Colorfulness",
        "Hasler–Süsstrunk",
        f"{value:.0f}",
        "grey is 0" if truth is None else f"the truth has {truth:.0f}",
        f"How much color there is, right or wrong: {in_words(value, COLORFULNESS_WORDS)}.",
    )


def _lightness_card(measures: Mapping[str, Any]) -> str:
    value = measures["lightness_error"]
    return _card(
        "Lightness error",
        "mean |ΔL*|",
        f"{value:.2f}",
        "on a scale of 100",
        f"How far the light strayed from your file: {in_words(value, LIGHTNESS_WORDS)}.",
    )


def _card(name: str, measure: str, value: str, beside: str, meaning: str, better: bool | None = None) -> str:
    verdict = "" if better is None else f' data-better="{str(better).lower()}"'
    mark = {None: "", True: "▲ ", False: "▼ "}[better]
    spoken = {None: "", True: "better than grey: ", False: "worse than grey: "}[better]
    return (
        f'<div class="measure"{verdict}><dt>{escape(name)} <small>{escape(measure)}</small></dt>'
        f'<dd class="value">{escape(value)}</dd>'
        f'<dd class="beside"><span aria-hidden="true">{mark}</span><span class="sr">{spoken}</span>'
        f"{escape(beside)}</dd>"
        f'<dd class="meaning">{escape(meaning)}</dd></div>'
    )

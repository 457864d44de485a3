"""The two captions of a picture: one without color words, one with them."""

from autochrome.naming.color_words import names_color, remove_color_words, tidy
from autochrome.naming.main_colors import Floats, list_in_words, name_main_colors

MIN_COLOR_SHARE = 0.1
MAX_COLORS = 3
COLOR_TEMPLATE = "Mainly {colors}."


def caption_pair(
    caption: str,
    lab: Floats,
    *,
    min_color_share: float = MIN_COLOR_SHARE,
    max_colors: int = MAX_COLORS,
    color_template: str = COLOR_TEMPLATE,
) -> tuple[str, str]:
    """`text` and `text_color` of a picture: the caption without color words, and one that names colors.

    The second is the caption as it is, tidied, where it names a color; else a sentence with the picture's main colors
    is added to it. An empty caption gives that sentence alone.

    Args:
        caption: what somebody said of the picture, or nothing.
        lab: the picture's pixels in CIELAB (D65), `(N, 3)`; some 1,000 of a small copy will do.
        min_color_share: colors that cover less of the picture, 0..1, are not named.
        max_colors: at most so many are named; 0: none, and `text_color` is the caption as it is.
        color_template: the sentence, with `{colors}` where the names go.
    """
    caption = tidy(caption)
    text = remove_color_words(caption)
    if names_color(caption) or not max_colors:
        return text, caption
    colors = name_main_colors(lab, min_share=min_color_share, max_colors=max_colors)
    if not colors:
        return text, caption
    sentence = color_template.replace("{colors}", list_in_words(colors))
    if not caption:
        return text, sentence
    return text, f"{caption}{'' if caption.endswith(('.', '!', '?')) else '.'} {sentence}"

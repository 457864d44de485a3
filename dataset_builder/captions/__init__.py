"""Two captions for every picture: `text` names no color, `text_color` does.

Automatic colorizing must not be taught with captions that give the colors away, and prompts must be taught with
captions that do: so each picture has both, made from the same words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autochrome.errors import SettingError
from autochrome.naming.captions import COLOR_TEMPLATE, MAX_COLORS, MIN_COLOR_SHARE, caption_pair
from autochrome.naming.color_words import names_color, tidy, with_article
from dataset_builder.small_copy import SmallCopy

CHOICES = ("first", "longest", "colorful")


@dataclass
class CaptionConfig:
    """Where captions come from and which colors they name."""

    choose: str = "first"
    """Which of several given captions: `first`, `longest`, or `colorful`: the first that names a color, else the
    first."""
    label_template: str = "a photo of {label}"
    """Caption made from a label where no caption is given; `{a_label}` puts "a" or "an" before it."""
    min_color_share: float = MIN_COLOR_SHARE
    """Colors that cover less of the picture, as a share, are not named."""
    max_colors: int = MAX_COLORS
    """At most so many colors are named where the caption names none; 0 names none."""
    color_template: str = COLOR_TEMPLATE
    """Sentence that is added to a caption that names no color, to make `text_color`."""
    model: str | None = None
    """Captioner for pictures with neither caption nor label: an image-to-text model of the Hub, or a folder; null:
    none."""
    model_revision: str | None = None
    """Commit, branch or tag of the captioner; a 40-hex commit makes builds repeatable."""
    model_prompt: str = ""
    """What the captioner is asked, for models that take a prompt."""
    model_batch_size: int = 8
    """Pictures that the captioner sees at once."""
    model_max_tokens: int = 40
    """Longest caption from the captioner, in tokens."""
    model_device: str = "auto"
    """`auto`: an accelerator if there is one; or torch's name of a device, e.g. `cpu`, `cuda:1`."""

    def __post_init__(self) -> None:
        """Raises `SettingError` for a value that is not allowed."""
        if self.choose not in CHOICES:
            raise SettingError(f"captions.choose must be one of {', '.join(CHOICES)}; got {self.choose!r}")
        if not 0 < self.min_color_share <= 1:
            raise SettingError(
                f"captions.min_color_share must lie above 0 and be at most 1, got {self.min_color_share}"
            )
        if self.max_colors < 0:
            raise SettingError(f"captions.max_colors must be at least 0, got {self.max_colors}")
        for name in ("model_batch_size", "model_max_tokens"):
            if getattr(self, name) < 1:
                raise SettingError(f"captions.{name} must be at least 1, got {getattr(self, name)}")
        _check_template("label_template", self.label_template, ("{label}", "{a_label}"))
        _check_template("color_template", self.color_template, ("{colors}",))


def make_captions(
    captions: Sequence[str], label: str | None, small: SmallCopy, config: CaptionConfig
) -> tuple[str, str]:
    """The two captions of a picture, of which a small copy will do: `text` without color words, `text_color` with them.

    Both come from one of the given captions, else from the label (underscores become spaces), else `text` is empty.
    `text_color` is that caption as it is where it names a color, else with its main colors added (`autochrome.naming`).
    """
    given = [tidy(caption) for caption in captions if caption.strip()]
    if given:
        caption = _choose(given, config.choose)
    elif label is not None and label.strip():
        words = " ".join(label.replace("_", " ").split())
        caption = config.label_template.replace("{label}", words).replace("{a_label}", with_article(words))
    else:
        caption = ""
    return caption_pair(
        caption,
        small.colors(),
        min_color_share=config.min_color_share,
        max_colors=config.max_colors,
        color_template=config.color_template,
    )


def _choose(captions: list[str], how: str) -> str:
    if how == "longest":
        return max(captions, key=len)
    if how == "colorful":
        return next((caption for caption in captions if names_color(caption)), captions[0])
    return captions[0]


def _check_template(name: str, template: str, placeholders: tuple[str, ...]) -> None:
    if not any(placeholder in template for placeholder in placeholders):
        raise SettingError(f"captions.{name} must hold {' or '.join(placeholders)}, got {template!r}")

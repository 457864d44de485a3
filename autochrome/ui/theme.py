"""How the page looks: a quiet theme of true greys, so that the only color on the page is the picture's."""

from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.ui.doors import door_settings
from autochrome.ui.limits import DEFAULT_LIMITS, Limits
from autochrome.ui.script import PAGE_SCRIPT

LOOKS_DIR = Path(__file__).resolve().parents[2] / "space_config"
STYLE_PATHS = [LOOKS_DIR / "style.css", LOOKS_DIR / "steering.css"]

SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def launch_settings(limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """What `demo.launch()` is given: looks, limits, and doors that stay closed."""
    return {
        "theme": make_theme(),
        "css_paths": list[str | Path](STYLE_PATHS),
        "js": PAGE_SCRIPT,
        "footer_links": ["api", "settings"],
        "ssr_mode": False,
        "_frontend": False,  # no look at its own page before it serves: that gives up after 3 s, too few when busy
        **door_settings(limits),
    }


def make_theme() -> gr.themes.Base:
    """The theme: system fonts, nothing is fetched from elsewhere."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.neutral,
        radius_size=gr.themes.sizes.radius_md,
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font(name) for name in MONO],
    )
    return theme.set(
        body_background_fill="#f6f6f5",
        body_background_fill_dark="#161616",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1e1e1e",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1e1e1e",
        block_border_color="#e2e2e0",
        block_border_color_dark="#343434",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="#555555",
        block_label_text_color_dark="#b4b4b4",
        block_title_text_color="#333333",
        block_title_text_color_dark="#dddddd",
        block_title_text_weight="600",
        block_info_text_color="#5c5c5c",
        block_info_text_color_dark="#a8a8a8",
        block_shadow="none",
        body_text_color="#222222",
        body_text_color_dark="#ececec",
        body_text_color_subdued="#5c5c5c",
        body_text_color_subdued_dark="#a8a8a8",
        input_background_fill="#ffffff",
        input_background_fill_dark="#262626",
        input_border_color="#cfcfcc",
        input_border_color_dark="#484848",
        input_border_width="1px",
        input_border_width_dark="1px",
        button_border_width="1px",
        button_border_width_dark="1px",
        button_primary_border_color="transparent",
        button_primary_border_color_dark="transparent",
        button_primary_background_fill="#b3401f",
        button_primary_background_fill_dark="#b3401f",
        button_primary_background_fill_hover="#983416",
        button_primary_background_fill_hover_dark="#c64d29",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#2a2a2a",
        button_secondary_background_fill_hover="#efefed",
        button_secondary_background_fill_hover_dark="#343434",
        button_secondary_border_color="#cfcfcc",
        button_secondary_border_color_dark="#484848",
        button_secondary_text_color="#222222",
        button_secondary_text_color_dark="#ececec",
        color_accent="#b3401f",
        color_accent_soft="#f7e7e1",
        color_accent_soft_dark="#3a2620",
        slider_color="#b3401f",
        slider_color_dark="#e0714f",
        checkbox_background_color_selected="#b3401f",
        checkbox_background_color_selected_dark="#c64d29",
        checkbox_border_color_selected="#b3401f",
        checkbox_border_color_selected_dark="#c64d29",
    )

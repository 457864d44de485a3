"""What the server answers while a person draws: previews, main colors, sessions. An error is an answer too."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
import numpy as np

from autochrome.color import lab_to_gamut, rgb_to_lab
from autochrome.errors import SettingError
from autochrome.image import picture_to_tensor, tensor_to_picture
from autochrome.naming import cluster_colors
from autochrome.pipelines import suggest_points
from autochrome.pipelines.base import needs_sentence
from autochrome.pipelines.directions import (
    MAX_PALETTE,
    directions_to_json,
    parse_directions,
    parse_hints,
    parse_palette,
)
from autochrome.pipelines.exemplar import exemplar_notes
from autochrome.ui.guard import sentences
from autochrome.ui.steering.asked import Uploads, entry_of
from autochrome.ui.steering.encoding import as_jpeg, doubt_overlay
from autochrome.ui.studio import Studio

MAX_AT_ONCE = 4
"""Previews on this server at one time; the browser of one more is told to ask again, for its then latest state."""

MAX_SESSION_BYTES = 2 * 2**20
MIN_SHARE = 0.01
"""A main color of a picture covers at least so much of it."""

_THUMBNAIL_PX = 320
_COLORS_SIDE_PX = 96
Answer = dict[str, Any]


class Answers:
    """The answers of one page. Each takes what the browser sent, and returns JSON; none raises."""

    def __init__(self, studio: Studio, uploads: Uploads) -> None:
        self._studio = studio
        self._uploads = uploads
        self._room = threading.BoundedSemaphore(MAX_AT_ONCE)

    def preview(self, asked: object) -> Answer:
        """The result on a reduced copy of the photograph.

        Args:
            asked: `photograph` (path of an upload), `model`, `settings` by name, the directions (`Uploads.directions`),
                `suggest` and `doubt` (true or false).

        Returns:
            `picture`, `notes`, `colored` (false where a way that needs directions has none yet), `guesses` (whether
            the model says where it guesses), and as asked `suggestion` and `doubt`; `seconds` of each part. Or `busy`.
            Or `error`.
        """
        if not self._room.acquire(blocking=False):
            return {"busy": True}
        try:
            return _answered(self._preview, asked)
        finally:
            self._room.release()

    def main_colors(self, asked: object) -> Answer:
        """The main colors of an uploaded picture, as a palette: `colors`, or `error`."""
        return _answered(self._main_colors, asked)

    def exemplar(self, asked: object) -> Answer:
        """A small `picture` of an uploaded exemplar, and `notes` on it; or `error`, where it cannot be used."""
        return _answered(self._exemplar, asked)

    def save_session(self, asked: object) -> Answer:
        """The directions as the `text` of a JSON file, or `error`."""
        return _answered(_save_session, asked)

    def load_session(self, asked: object) -> Answer:
        """`hints`, `palette` and `prompt` of the `text` of a JSON file, those that are there; or `error`."""
        return _answered(_load_session, asked)

    def _preview(self, asked: object) -> Answer:
        start = time.perf_counter()
        row = self._studio.row(entry_of(asked, "model"))
        source = self._uploads.source(entry_of(asked, "photograph"))
        settings = entry_of(asked, "settings") or {}
        # Candidates are for the full run: here one is shown, at once.
        settings = {name: entry_of(settings, name) for name in row.settings if name != "candidates"}
        settings |= self._uploads.directions(asked, row)
        read = time.perf_counter()
        needs = self._studio.pipeline(row.id).needs_directions
        if needs and not any(settings.get(name) for name in needs):
            note = f"{row.name} colors nothing by itself: {needs_sentence(needs)}."
            return {"picture": as_jpeg(source.convert("L").convert("RGB")), "notes": [note], "colored": False}
        output = self._studio.run(row.id, source, self._studio.check_settings(row.id, settings))
        ran = time.perf_counter()
        answer: Answer = {
            "picture": as_jpeg(output.images[0]),
            "notes": list(output.notes),
            "colored": True,
            "guesses": output.expected_error is not None,
        }
        if output.expected_error is not None and entry_of(asked, "suggest"):
            places = [(hint.x, hint.y) for hint in output.settings["hints"]]
            answer["suggestion"] = suggest_points(output.expected_error, 1, places)[0]
        if output.expected_error is not None and entry_of(asked, "doubt"):
            answer["doubt"] = doubt_overlay(output.expected_error)
        encode = time.perf_counter() - ran
        answer["seconds"] = {"read": read - start, "run": ran - read, **output.timings, "encode": encode}
        return answer

    def _main_colors(self, asked: object) -> Answer:
        picture = self._uploads.source(entry_of(asked, "path")).convert("RGB")
        picture.thumbnail((_COLORS_SIDE_PX, _COLORS_SIDE_PX))
        pixels = rgb_to_lab(picture_to_tensor(picture))[0].flatten(1).T.double()
        centers, shares = cluster_colors(pixels.numpy(), MAX_PALETTE)
        order = [index for index in np.argsort(-shares) if shares[index] >= MIN_SHARE]
        lab = pixels.new_tensor(centers[order]).float().T[None, :, :, None]
        levels = tensor_to_picture(lab_to_gamut(lab)).tobytes()
        colors = [f"#{levels[start : start + 3].hex()}" for start in range(0, len(levels), 3)]
        return {
            "colors": [
                {"color": color, "weight": round(float(shares[index]), 4)}
                for color, index in zip(colors, order, strict=True)
            ]
        }

    def _exemplar(self, asked: object) -> Answer:
        exemplar = self._uploads.exemplar(entry_of(asked, "path"))
        small = exemplar.picture.copy()
        small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
        return {"picture": as_jpeg(small), "notes": list(exemplar_notes(exemplar))}


def _save_session(asked: object) -> Answer:
    hints = parse_hints(entry_of(asked, "hints") or [])
    palette = entry_of(asked, "palette")
    session = directions_to_json(hints, parse_palette(palette) if palette else (), str(entry_of(asked, "prompt") or ""))
    return {"text": json.dumps(session, indent=2) + "\n"}


def _load_session(asked: object) -> Answer:
    text = entry_of(asked, "text")
    if not isinstance(text, str) or len(text) > MAX_SESSION_BYTES:
        raise SettingError(f"a session is a JSON file of at most {MAX_SESSION_BYTES:,} bytes; this is another file")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError("a session is a JSON file as this page saves it; this file is no JSON") from error
    found = parse_directions(content)
    prompt = found.pop("prompt", "")
    if not isinstance(prompt, str):
        raise SettingError(f"prompt must be a text in a session, got {str(prompt)[:80]!r}")
    return {**{name: [entry.to_json() for entry in entries] for name, entries in found.items()}, "prompt": prompt}


def _answered(function: Callable[[object], Answer], asked: object) -> Answer:
    """What a function returns, or its error as a sentence: the browser shows it beside the picture."""
    try:
        with sentences():
            return function(asked)
    except gr.Error as error:
        text = str(error.message)
        return {"error": f"{text[:1].upper()}{text[1:]}"}


def server_functions(answers: Answers) -> list[Callable[..., Any]]:
    """The answers as `gr.HTML` takes them: functions that it can mark, by the names that the browser calls."""

    def named(name: str) -> Callable[[Any], Mapping[str, Any]]:
        def answer(asked: Any) -> Mapping[str, Any]:
            found: Mapping[str, Any] = getattr(answers, name)(asked)
            return found

        answer.__name__ = name
        return answer

    return [named(name) for name in ("preview", "main_colors", "exemplar", "save_session", "load_session")]

"""The small change of the page: escaped text, numbers, and pictures as data URIs."""

import base64
import html
import math

from autochrome.inputs import printable


def text(value: object) -> str:
    """Anything from outside as it may stand in HTML, in quoted attributes too; control characters are made visible."""
    return html.escape(printable(str(value)), quote=True)


def named(value: object) -> str:
    """A name from outside, in an element that keeps right-to-left letters from reordering what stands around it."""
    return f'<span class="name" dir="auto">{text(value)}</span>'


def number(value: float | None) -> str:
    """A number of a table, with a true minus sign; an en dash for none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return (f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}").replace("-", "−")


def data_uri(content: bytes, kind: str) -> str:
    """The bytes of a picture (`png`, `jpeg`) as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""Autochrome: color for black-and-white photographs.

    from autochrome import load_pipeline
    pipe = load_pipeline("gan-artistic")
    out = pipe("photo.jpg")
    out.images[0].show()

Importing this package is quick: torch is loaded with the first pipeline.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autochrome.catalog import load_pipeline

__version__ = "0.1.0"

__all__ = ["__version__", "load_pipeline"]


def __getattr__(name: str) -> Any:
    if name == "load_pipeline":
        from autochrome.catalog import load_pipeline

        return load_pipeline
    raise AttributeError(f"module 'autochrome' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

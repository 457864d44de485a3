"""Errors as people meet them: a sentence for what they can mend, a polite generic one for a bug of ours."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from autochrome.errors import AutochromeError

BUG_SENTENCE = "Something went wrong on our side and was written to the log. Try again, or try another picture."

log = logging.getLogger(__name__)


@contextmanager
def sentences(*, for_page: bool = False) -> Iterator[None]:
    """Turn whatever is raised inside into a `gr.Error` with one clear sentence; the server goes on.

    The page shows messages as HTML: there, what a person typed is escaped. Programs get the plain text.
    """
    try:
        yield
    except gr.Error:
        raise
    except AutochromeError as error:
        message = str(error)
        if for_page:
            message = html.escape(message[:1].upper() + message[1:], quote=False)
        raise gr.Error(message, print_exception=False) from error
    except Exception:
        log.exception("a request failed")
        raise gr.Error(BUG_SENTENCE, print_exception=False) from None

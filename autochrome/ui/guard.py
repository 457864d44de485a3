"""Errors as people meet them: a sentence for what they can mend, a polite generic one for a bug of ours."""

import html
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
from gradio.context import LocalContext

from autochrome.errors import AutochromeError
from autochrome.pipelines import Progress

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


def stop_if_unwanted() -> None:
    """End the work for a request that was cancelled, or whose client has gone: somebody else is waiting.

    Outside a request nothing happens. The queue says it: a thread cannot be stopped from outside.

    Raises:
        gr.Error: nobody waits for the result any more, and so nobody sees the message.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return
    event = blocks._queue.event_ids_to_events.get(event_id)
    if event is None or not event.alive:
        raise gr.Error("this request was cancelled", print_exception=False)


def while_wanted(progress: Progress | None) -> Progress:
    """A progress that also ends the work, at its next step, when nobody waits for it any more."""

    def report(share: float, step: str) -> None:
        stop_if_unwanted()
        if progress is not None:
            progress(share, step)

    return report

"""Names, tokens, and what the Hub's refusals mean in one sentence that says what to do."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autochrome.errors import AutochromeError, SettingError, UnavailableError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

TOKEN_PAGE = "https://huggingface.co/settings/tokens"
_PUSH_AGAIN = "push again: what was uploaded is not sent again"


def check_repo_id(repo_id: str, kind: str) -> None:
    """Refuse what is no name of a repository, before anybody is asked.

    Args:
        kind: "model", "dataset" or "space".

    Raises:
        SettingError: it is not "owner/name".
    """
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # in its public docs

    try:
        if "/" not in repo_id:  # the client would take the token's owner for some calls, and fail in others
            raise ValueError("it names no owner")
        validate_repo_id(repo_id)
    except ValueError as error:
        raise SettingError(
            f"'{repo_id}' is no name of a {kind} on the Hub ({error}); they look like your-name/{kind}-name"
        ) from error


def write_token() -> str:
    """The token of HF_TOKEN.

    Raises:
        UnavailableError: there is none, or it cannot be one.
    """
    token = read_token()
    if token is None:
        raise UnavailableError(
            f"no token for the Hub: set the environment variable HF_TOKEN to one with write access, from {TOKEN_PAGE}"
        )
    return token


def read_token() -> str | None:
    """The token of HF_TOKEN, or None: what is public needs none.

    Raises:
        UnavailableError: it cannot be a token.
    """
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UnavailableError("HF_TOKEN holds characters that no token has; copy it again, without line breaks")
    return token or None


@contextmanager
def explained(repo_id: str, token: str | None, *, writing: bool) -> Iterator[None]:
    """What goes wrong between here and the Hub, as one sentence that says what to do, never with the token in it.

    Raises:
        UnavailableError: no such repository or revision, a token that does not do, a rate limit, no network.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except AutochromeError:
        raise
    # The client's HTTP library; its offline mode (ConnectionError); what its uploaders (RuntimeError) and its
    # downloads (LocalEntryNotFoundError) make of either.
    except (httpx2.HTTPError, ConnectionError, RuntimeError, LocalEntryNotFoundError) as error:
        cause: BaseException = error
        while not isinstance(cause, HfHubHTTPError) and cause.__cause__ is not None:
            cause = cause.__cause__
        # What is not cached is such an error too, without an answer.
        if isinstance(cause, HfHubHTTPError) and getattr(cause, "response", None) is not None:
            raise _refusal(cause, repo_id, writing=writing, with_token=token is not None) from error
        reason = str(cause) or type(cause).__name__
        hidden = reason.replace(token, "***") if token else reason
        again = _PUSH_AGAIN if writing else "try again; a commit that was loaded here before needs no network"
        raise UnavailableError(f"the Hub cannot be reached ({hidden}); check the network and {again}") from error
    except OSError as error:
        raise UnavailableError(
            f"a file of '{repo_id}' cannot be read or written here ({error}); check permissions and the room on the "
            "disk. HF_HOME says where the client keeps what it fetches"
        ) from error


def _refusal(error: "HfHubHTTPError", repo_id: str, *, writing: bool, with_token: bool) -> AutochromeError:
    """Our exception for an answer of the Hub that says no."""
    status, said = error.response.status_code, error.server_message or error.response.reason_phrase
    again = _PUSH_AGAIN if writing else "try again"
    access = "write" if writing else "read"
    if status == 401 and not with_token:
        return UnavailableError(
            f"the Hub shows no '{repo_id}' without a token (401): there is none of that name, or it is private or "
            "gated; check the name, or set HF_TOKEN to a token that may read it"
        )
    if status == 401:
        return UnavailableError(
            "the Hub does not know the token in HF_TOKEN (401): it was mistyped, revoked or has expired; make one "
            f"with {access} access at {TOKEN_PAGE}"
        )
    if status == 403:
        owner = ", and a name that is yours or your organization's" if writing else ", of somebody it was opened for"
        return UnavailableError(
            f"the token in HF_TOKEN may not {access}{' to' if writing else ''} '{repo_id}' (403: {said}); use one with "
            f"{access} access, from {TOKEN_PAGE}{owner}"
        )
    if status == 404:
        what = "the name before the slash" if writing else "the name and the revision"
        return UnavailableError(f"the Hub finds no '{repo_id}' (404: {said}); check {what}")
    if status == 429:
        headers = error.response.headers
        seconds = re.search(r"\bt=(\d+)|^(\d+)$", headers.get("ratelimit") or headers.get("retry-after") or "")
        wait = f"wait {seconds[1] or seconds[2]} seconds" if seconds else "wait some minutes"
        return UnavailableError(f"the Hub's rate limit is reached (429); {wait} and {again}")
    if status == 412:
        return UnavailableError(f"somebody else changed '{repo_id}' during the push (412); {again}")
    later = again.replace("again", "again later", 1)
    return UnavailableError(f"the Hub answered {status} ({said}); {later}")

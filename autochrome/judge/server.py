"""The page and its few requests, on this machine only.

Another web page, open in the same browser, must neither vote nor look: requests need the name of this host (against DNS
rebinding), a token that only our page knows, and no foreign origin; nothing here allows reading across origins.
"""

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from autochrome.errors import DataError, UnavailableError
from autochrome.judge.session import Session
from autochrome.judge.votes import CHOICES

HOST = "127.0.0.1"
TOKEN_HEADER = "X-Judge-Token"

_PAGE = Path(__file__).with_name("page.html")
_MAX_BODY_BYTES = 1000
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_Messages = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Messages]]
_Send = Callable[[_Messages], Awaitable[None]]


def make_app(session: Session) -> Starlette:
    """The page at `/`; the rest is for its script: `/state`, `/results`, `/picture/NAME`, and POST `/vote`, `/undo`."""
    token = secrets.token_urlsafe(24)
    html = _PAGE.read_text(encoding="utf-8")

    def page(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        content = html.replace("{{nonce}}", nonce).replace("{{token}}", token)
        headers = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
        return HTMLResponse(content, headers=headers)

    def state(request: Request) -> Response:
        return _refusal(request, token) or _json(session.state())

    def results(request: Request) -> Response:
        return _refusal(request, token) or _json(session.results())

    def picture(request: Request) -> Response:
        content = session.picture(request.path_params["name"])
        if content is None:
            return Response(status_code=404)
        # Kept by the browser for the moment between loading in advance and showing.
        return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})

    async def vote(request: Request) -> Response:
        refusal = _refusal(request, token)
        if refusal is not None:
            return refusal
        answer = await _body(request)
        trial, choice = answer.get("trial"), answer.get("choice")
        if not isinstance(trial, str) or choice not in CHOICES:
            return _json({"error": f"a vote is a trial and one of {', '.join(CHOICES)}"}, 400)
        return await _changed(lambda: session.vote(trial, choice))

    async def undo(request: Request) -> Response:
        return _refusal(request, token) or await _changed(session.undo)

    async def _changed(change: Callable[[], bool]) -> Response:
        """Make a change and answer with the new state; with status 409 where there was nothing to change."""
        try:
            done = await run_in_threadpool(change)
        except DataError as error:
            return _json({"error": str(error)}, 500)
        return _json(await run_in_threadpool(session.state), 200 if done else 409)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/state", state),
            Route("/results", results),
            Route("/picture/{name}", picture),
            Route("/vote", vote, methods=["POST"]),
            Route("/undo", undo, methods=["POST"]),
        ],
        middleware=[
            Middleware(_SafeHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
        ],
    )


def make_server(session: Session) -> uvicorn.Server:
    """A server of the page, to be run on an open socket; it logs no request and does not name itself."""
    config = uvicorn.Config(
        make_app(session),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(session: Session, port: int, announce: Callable[[str], None]) -> None:
    """Serve the page on loopback until interrupted; `announce` is called with its address. Port 0: any free one.

    Raises:
        UnavailableError: the port is taken or not allowed.
    """
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise UnavailableError(
            f"cannot open port {port} ({os.strerror(error.errno or 0)}); give another --port, or 0 for any that is free"
        ) from error
    with listener:
        announce(f"http://{HOST}:{listener.getsockname()[1]}/")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends well, and then passes it on
            make_server(session).run(sockets=[listener])


def _refusal(request: Request, token: str) -> Response | None:
    """Why a request is not ours to answer, or None."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{request.headers['host']}":
        return _json({"error": "asked by another web page"}, 403)
    given = request.headers.get(TOKEN_HEADER, "")
    if not secrets.compare_digest(given.encode(), token.encode()):
        return _json({"error": "this page is of an earlier run of the program; load it again"}, 403)
    return None


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; empty where it is none, or too long for one of ours."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY_BYTES:
            return {}
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store"})


class _SafeHeaders:
    """Adds what every answer carries, those of errors too."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: _Messages, receive: _Receive, send: _Send) -> None:
        async def send_more(message: _Messages) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_more)

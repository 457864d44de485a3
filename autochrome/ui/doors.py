"""The doors of the server: what is let in, what stays closed, and the sentence that those get who are turned away."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from autochrome.ui.addresses import is_address
from autochrome.ui.limits import Limits
from autochrome.ui.mcp import repair_mcp
from autochrome.ui.sweeping import sweeping

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

CLOSED = re.compile(r"/gradio_api/(proxy=|process_recording|vibe|file[=/]\s*[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
"""Routes of Gradio that fetch addresses for whoever asks, run ffmpeg or edit the program; nothing here needs them."""

HAS_FILES = re.compile(r"/gradio_api/(queue/join|call/|run/|api/|stream/)")
"""Routes whose JSON may name files."""


def door_settings(limits: Limits) -> dict[str, Any]:
    """What `demo.launch()` is given for the safety of the server and its people."""
    repair_mcp()
    return {
        "share": False,
        "allowed_paths": [],
        "strict_cors": True,
        "max_file_size": limits.max_file_bytes,
        "state_session_capacity": limits.max_sessions,
        "enable_monitoring": False,
        "run_history": False,
        "mcp_server": True,
        "app_kwargs": {
            "middleware": [Middleware(Doorkeeper, limits=limits)],
            "exception_handlers": {503: _say_full, TypeError: _say_unknown, KeyError: _say_unknown},
            "lifespan": sweeping(limits),
        },
    }


class Doorkeeper:
    """ASGI middleware: closed routes, bodies that are too large, and addresses in place of files."""

    def __init__(self, app: App, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, changed or bounded, or answer it with a sentence."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if CLOSED.search(path):
            await _refuse(403, "this server fetches no addresses and runs nothing here", scope, receive, send)
            return
        bounded = _Bounded(scope, receive, send, self._max_bytes(path))
        if not bounded.exceeded and scope["method"] == "POST" and HAS_FILES.search(path):
            body = await bounded.whole()
            if not bounded.exceeded:
                try:
                    body = without_fetching(body)
                except (ValueError, RecursionError):
                    await _refuse(400, "the body of the request must be JSON", scope, receive, send)
                    return
                scope["headers"] = _with_length(scope["headers"], len(body))
                await self.app(scope, _replay(body, receive), send)
        elif not bounded.exceeded:
            await bounded.run(self.app)
        if bounded.exceeded:
            sentence = f"the request is larger than the {bounded.max_bytes:,} bytes that are taken here"
            await _refuse(413, sentence, scope, receive, send)

    def _max_bytes(self, path: str) -> int:
        if path.startswith("/gradio_api/upload"):
            return self.limits.max_upload_bytes
        return self.limits.max_mcp_bytes if path.startswith("/gradio_api/mcp") else self.limits.max_request_bytes


def without_fetching(body: bytes) -> bytes:
    """A JSON body in which no file has a web address for its path *and* Gradio's mark of a file.

    Gradio downloads a marked one at once, whole, into memory. Unmarked it reaches `uploaded_path`, which knows limits.

    Raises:
        ValueError, RecursionError: it is no JSON, or too deep.
    """
    content = json.loads(body)
    return json.dumps(content).encode() if _unmark(content) else body


def _unmark(content: object) -> bool:
    """Take the mark off, anywhere inside; whether any was taken."""
    found, stack = False, [content]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and is_address(path.strip()) and value.pop("meta", None) is not None:
                found = True
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return found


class _Bounded:
    """A request whose body ends, as if its sender had left, where it has too many bytes."""

    def __init__(self, scope: Message, receive: Receive, send: Send, max_bytes: int) -> None:
        self.scope = scope
        self.max_bytes = max_bytes
        self._receive = receive
        self._send = send
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        self._seen = int(declared) if declared.isdigit() and int(declared) > max_bytes else 0

    @property
    def exceeded(self) -> bool:
        return self._seen > self.max_bytes

    async def run(self, app: App) -> None:
        """Hand the request on; what is answered to a body that was cut is dropped."""

        async def send(message: Message) -> None:
            if not self.exceeded:
                await self._send(message)

        try:
            await app(self.scope, self.receive, send)
        except Exception:
            if not self.exceeded:
                raise

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.exceeded else message

    async def whole(self) -> bytes:
        body, more = bytearray(), True
        while more:
            message = await self.receive()
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
        return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _with_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    kept = [header for header in headers if header[0] not in (b"content-length", b"transfer-encoding")]
    return [*kept, (b"content-length", str(length).encode())]


async def _refuse(status: int, sentence: str, scope: Message, receive: Receive, send: Send) -> None:
    await JSONResponse({"detail": sentence}, status)(scope, receive, send)


async def _say_full(request: Request, error: Exception) -> JSONResponse:
    """The queue is full, or the server stops."""
    del request
    if "full" not in str(getattr(error, "detail", "")):
        return JSONResponse({"detail": "the server is going down; try again in a minute"}, 503)
    sentence = "many people are waiting here and the queue is full; please try again in a minute"
    return JSONResponse({"detail": sentence}, 503, {"Retry-After": "60"})


async def _say_unknown(request: Request, error: Exception) -> JSONResponse:
    """Gradio raises these, and answers 500, when a call names no endpoint or no argument of it."""
    if not re.match(r"/gradio_api/call/", request.url.path):
        raise error
    what = "has arguments that this endpoint does not take, or lacks one" if isinstance(error, TypeError) else "is none"
    sentence = f"{request.url.path} {what}; GET /gradio_api/info lists the endpoints and their arguments"
    return JSONResponse({"detail": sentence}, 400 if isinstance(error, TypeError) else 404)

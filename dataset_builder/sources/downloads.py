"""Fetching pictures from the web: politely, in parallel, within limits, and never from private addresses."""

import ipaddress
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpcore

from autochrome.errors import DataError

MAX_REDIRECTS = 5
_RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_MAX_WAIT_S = 60.0
_TOTAL_TIMEOUTS = 4


@dataclass(frozen=True)
class Limits:
    """What a download may take.

    Attributes:
        max_bytes: size of a file.
        timeout_s: wait for a connection or for the next bytes, in seconds; a whole file may take four times as long.
        retries: further attempts after a failure that may pass.
        connections_per_host: at the same time.
        allow_private: whether private, loopback and link-local addresses may be asked.
        user_agent: who asks.
    """

    max_bytes: int
    timeout_s: float
    retries: int
    connections_per_host: int
    allow_private: bool
    user_agent: str


class Downloader:
    """Downloads over connections that are kept; several threads may use one."""

    def __init__(self, limits: Limits, max_connections: int) -> None:
        self.limits = limits
        backend = _PublicBackend(limits.allow_private)
        self._pool = httpcore.ConnectionPool(
            max_connections=max_connections, keepalive_expiry=10, network_backend=backend
        )
        self._hosts: dict[str, threading.BoundedSemaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(limits.connections_per_host)
        )
        self._lock = threading.Lock()

    def close(self) -> None:
        self._pool.close()

    def get(self, url: str) -> bytes:
        """The content behind an address; redirects are followed, passing failures tried again, `Retry-After` kept.

        Raises:
            DataError: a bad or private address, a failure that stays, a file that is too large, or a site that forbids
                machine learning with its pictures (header `X-Robots-Tag: noai` or `noimageai`).
        """
        attempt = 0
        while True:
            try:
                return self._follow(url)
            except _PassingError as error:
                if attempt >= self.limits.retries:
                    raise DataError(f"{url}: {error}, {attempt + 1} times; try again later") from error
                time.sleep(min(_MAX_WAIT_S, max(error.wait_s, 0.5 * 2**attempt)))
                attempt += 1

    def _follow(self, url: str) -> bytes:
        address = url
        for _ in range(MAX_REDIRECTS + 1):
            problem = url_problem(address)
            if problem is not None:
                raise DataError(problem)
            host = urlsplit(address).hostname or ""
            with self._lock:
                turn = self._hosts[host]
            with turn:
                status, headers, content = self._request(address)
            location = headers.get("location")
            if status in (301, 302, 303, 307, 308) and location:
                address = urljoin(address, location)
                continue
            if status in _RETRY_STATUS:
                wait = headers.get("retry-after", "")
                raise _PassingError(f"the server answered {status}", float(wait) if wait.isdigit() else 0.0)
            if status != 200:
                raise DataError(f"{url}: the server answered {status}; check the address")
            if {"noai", "noimageai"} & {word.strip().lower() for word in headers.get("x-robots-tag", "").split(",")}:
                raise DataError(f"{url}: the site forbids machine learning with it (X-Robots-Tag)")
            return content
        raise DataError(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _request(self, url: str) -> tuple[int, dict[str, str], bytes]:
        limits = self.limits
        timeout = dict.fromkeys(("connect", "read", "write"), limits.timeout_s)
        headers = [("User-Agent", limits.user_agent), ("Accept", "image/*,*/*;q=0.1"), ("Accept-Encoding", "identity")]
        deadline = time.monotonic() + _TOTAL_TIMEOUTS * limits.timeout_s
        try:
            with self._pool.stream("GET", _ascii(url), headers=headers, extensions={"timeout": timeout}) as response:
                fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                body = response.iter_stream() if response.status == 200 else ()
                return response.status, fields, self._collect(body, url, deadline)
        except httpcore.UnsupportedProtocol as error:
            raise DataError(f"{url}: {error}; only http and https are fetched") from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise _PassingError(f"{type(error).__name__} ({str(error) or 'no answer in time'})") from error

    def _collect(self, parts: Iterable[bytes], url: str, deadline: float) -> bytes:
        content = bytearray()
        for part in parts:
            content += part
            if len(content) > self.limits.max_bytes:
                raise DataError(f"{url}: more than {self.limits.max_bytes / 1e6:g} MB; raise max_mb if it is wanted")
            if time.monotonic() > deadline:
                raise DataError(f"{url}: too slow, not finished in {_TOTAL_TIMEOUTS * self.limits.timeout_s:g} s")
        return bytes(content)


def url_problem(url: str) -> str | None:
    """Why an address is not fetched whatever it answers, or None."""
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        return f"{url!r} is no web address; they look like https://example.org/picture.jpg"
    if parts.scheme not in ("http", "https"):
        return f"{url!r}: only http and https are fetched, not {parts.scheme!r}"
    return None


class _PassingError(Exception):
    """A failure that another attempt may not meet."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class _PublicBackend(httpcore.SyncBackend):
    """Connects to the very address that was checked: a name cannot point elsewhere a moment later, nor a redirect."""

    def __init__(self, allow_private: bool) -> None:
        self.allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error.strerror}") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not self.allow_private:
            for address in addresses:
                if not _is_public(address):
                    raise DataError(
                        f"{host} is {address}, a private or local address; set allow_private=true if it is wanted"
                    )
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed.is_global and not parsed.is_multicast


def _ascii(url: str) -> str:
    """The address with everything beyond ASCII percent-encoded, as browsers do; names of hosts as IDNA."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    path = "".join(c if c.isascii() and c > " " else "".join(f"%{b:02X}" for b in c.encode()) for c in parts.path)
    query = "".join(c if c.isascii() and c > " " else "".join(f"%{b:02X}" for b in c.encode()) for c in parts.query)
    return f"{parts.scheme}://{host}{port}{path or '/'}{'?' + query if query else ''}"

"""Pictures that a program names by a web address: fetched from the public internet only, bounded in bytes and time.

Whoever may send an address could otherwise read what only this machine can reach: its own ports, its network, the
cloud's metadata service. So every address that the name stands for must be a public one, the connection goes to an
address that was checked (not to what the name stands for a moment later), and each redirection is checked again.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import unquote

import httpx

from autochrome.errors import PictureError

FETCH_SECONDS = 10.0
"""For the whole picture, redirections included."""

MAX_REDIRECTIONS = 3
CHUNK_BYTES = 64 * 1024
OWN_FILE = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/gradio_api/file=([^?#]+)")
"""The address of a file of this server, as the MCP server's tools are given it; the group is the file's path."""


def is_address(path: str) -> bool:
    """Whether this is a web address and no path."""
    return path.lower().startswith(("http://", "https://"))


def own_path(address: str) -> str | None:
    """The path of a file of this server behind its address; None if it is none. Whether it may be read is not asked."""
    match = OWN_FILE.fullmatch(address)
    return unquote(match[1]) if match else None


def file_name(address: str) -> str:
    """The last part of an address' path, safe as the name of a file."""
    try:
        name = PurePosixPath(httpx.URL(address).path).name
    except (httpx.InvalidURL, ValueError):
        name = ""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".")[-100:] or "picture"


def is_public(ip: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global and not address.is_multicast


def fetch(address: str, name: str, *, max_bytes: int, allowed: Callable[[str], bool] = is_public) -> bytes:
    """The bytes behind an address.

    Args:
        address: http or https.
        name: what the message calls it.
        max_bytes: more is refused.
        allowed: whether to connect to an IP address.

    Raises:
        PictureError: it leads into this machine or its network, cannot be reached, is too large or takes too long.
    """
    deadline = time.monotonic() + FETCH_SECONDS
    try:
        url = httpx.URL(address)
        for _ in range(MAX_REDIRECTIONS + 1):
            content, redirection = _get(url, name, max_bytes, allowed, deadline)
            if redirection is None:
                return content
            url = url.join(redirection)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        # The reason stays here: it could tell what answers in this machine's network.
        raise PictureError(f"{name} could not be fetched from its address; upload the file instead") from error
    raise PictureError(f"{name} was redirected more than {MAX_REDIRECTIONS} times; give the address of the file itself")


def _get(
    url: httpx.URL, name: str, max_bytes: int, allowed: Callable[[str], bool], deadline: float
) -> tuple[bytes, str | None]:
    """The content, or where it went."""
    ip = _checked_ip(url, name, allowed)
    left = deadline - time.monotonic()
    headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
    extensions = {"sni_hostname": url.host}
    # trust_env: a proxy would look the name up once more, and by itself.
    with (
        httpx.Client(trust_env=False, timeout=max(left, 0.1)) as client,
        client.stream("GET", url.copy_with(host=ip), headers=headers, extensions=extensions) as response,
    ):
        if response.has_redirect_location:
            return b"", response.headers["Location"]
        response.raise_for_status()
        content = bytearray()
        for chunk in response.iter_raw(CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise PictureError(f"{name} has more than {max_bytes:,} bytes, which is the limit; make it smaller")
            if time.monotonic() > deadline:
                raise PictureError(f"{name} did not come within {FETCH_SECONDS:g} s; upload the file instead")
        return bytes(content), None


def _checked_ip(url: httpx.URL, name: str, allowed: Callable[[str], bool]) -> str:
    """One IP address of the host, after all of them were checked."""
    if url.scheme not in ("http", "https") or not url.host:
        raise PictureError(f"{name} must have an http or https address; or upload the file")
    found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    ips = [str(entry[4][0]) for entry in found]
    if not ips or not all(map(allowed, ips)):
        raise PictureError(f"{name} has an address that is not on the public internet; upload the file instead")
    return ips[0]

"""Finding the example scripts of diffusers: given by the person, in our cache, or downloaded and checked."""

import hashlib
import importlib.metadata
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from autochrome.errors import DataError, UnavailableError
from autochrome.files import replacing

SOURCE = "https://raw.githubusercontent.com/huggingface/diffusers"
"""Where scripts are downloaded from; below it come commit and path."""
_TIMEOUT_S = 30
_MAX_BYTES = 2**21


@dataclass(frozen=True)
class Release:
    """A release of diffusers, and the digests of its scripts."""

    versions: str
    """The installed versions that its scripts run with."""
    tag: str
    commit: str
    sha256: dict[str, str]
    """Name of the script to its SHA-256."""


# A script refuses an installed diffusers older than itself, and those of the main branch refuse every release.
RELEASES = (
    Release(
        versions=">=0.40,<0.43",
        tag="v0.40.0",
        commit="d035dcd7cc7c88e0a154609b62887d50bba9fdc2",
        sha256={
            "controlnet": "2f0742b561447565d1ea509582d7eb165dac58b857f99508d5ec02ca745142e3",
            "text_to_image": "d4430bca96ab52aaed12d99132a4410b2db4b1114ec4cf85fb24cc0889ed8408",
        },
    ),
)


def find_script(name: str, script_path: str | None = None, *, source: str = SOURCE) -> Path:
    """The example script called `name` ("controlnet" or "text_to_image") that fits the installed diffusers.

    A given path wins; then comes our cache (AUTOCHROME_CACHE, else ~/.cache/autochrome); then a download from
    `source`, kept only if its SHA-256 is the one written here.

    Raises:
        DataError: no file lies at the given path, or the download is not what it should be.
        UnavailableError: no script is known for this diffusers, or it cannot be downloaded.
    """
    if script_path is not None:
        given = Path(script_path).expanduser()
        if not given.is_file():
            raise DataError(f"no script at '{given}'; script_path is an example of diffusers, or null to download it")
        return given
    release = fitting_release(importlib.metadata.version("diffusers"))
    file_name = f"train_{name}.py"
    path = _cache_dir() / "scripts" / release.tag / file_name
    if path.is_file() and _sha256(path.read_bytes()) == release.sha256[name]:
        return path
    url = f"{source}/{release.commit}/examples/{name}/{file_name}"
    content = _download(url, path)
    if _sha256(content) != release.sha256[name]:
        raise DataError(
            f"{url} is not the script of diffusers {release.tag} (SHA-256 {_sha256(content)[:12]}..., expected "
            f"{release.sha256[name][:12]}...): something on the way changed it; nothing was kept"
        )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def fitting_release(version: str) -> Release:
    """The release whose scripts run with this version of diffusers.

    Raises:
        UnavailableError: none is known to.
    """
    for release in RELEASES:
        if version in SpecifierSet(release.versions, prereleases=True):
            return release
    known = ", ".join(release.versions for release in RELEASES)
    raise UnavailableError(
        f"no example scripts are known for diffusers {version} (known: {known}); install one of those, or download the "
        f"script of its release tag yourself and give script_path=FILE"
    )


def _cache_dir() -> Path:
    return Path(os.environ.get("AUTOCHROME_CACHE") or "~/.cache/autochrome").expanduser()


def _download(url: str, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            content: bytes = response.read(_MAX_BYTES)
    except OSError as error:  # URLError, HTTPError and timeouts are such
        raise UnavailableError(
            f"cannot download {url} ({error}); with no network, put the file at '{path}' or give script_path=FILE"
        ) from error
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

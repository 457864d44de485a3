"""The demo to a Space of the Hub: what it needs to run and nothing more, its front matter checked before it goes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from autochrome.errors import DataError
from autochrome.hub.card import read_card
from autochrome.hub.pushing import CARD, Pushed, push_files
from autochrome.hub.space_head import check_space_head

REQUIREMENTS = "requirements.txt"
ROOT_FILES = ("app.py", CARD, REQUIREMENTS, "LICENSE")
FOLDERS = ("autochrome", "space_config")
SUFFIXES = (".py", ".typed", ".html", ".css", ".js", ".svg", ".yaml", ".json", ".md", ".safetensors", ".png", ".jpg")
"""Of files in `FOLDERS`. Whatever else lies there is refused, not left out: the demo may need it, or it is a stray."""

NAMES = ("merges.txt",)
"""What else may lie there: half of a tokenizer."""

CPU_TORCH = b"""# This Space has no graphics card. Of two builds of one version pip takes the one with "+cpu", which
# is ten times smaller than PyPI's with its CUDA libraries.
--extra-index-url https://download.pytorch.org/whl/cpu
"""

_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class SpaceFiles:
    """What a Space would hold.

    Attributes:
        contents: path in the Space to path here; of README.md and requirements.txt to their content, made here.
        hardware: what its front matter suggests.
        preload: what the Hub fetches while it builds the Space: "owner/name file,file commit".
    """

    contents: dict[str, Path | bytes]
    hardware: str
    preload: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            path: len(content) if isinstance(content, bytes) else content.stat().st_size
            for path, content in self.contents.items()
        }


def collect_space(root: Path, *, hardware: str, preload: Sequence[str] = ()) -> SpaceFiles:
    """Gather what the Space needs from a clone of the project; asks nobody.

    That is `app.py`, `README.md` and the pictures it shows, `requirements.txt`, `LICENSE`, `autochrome/` and
    `space_config/`. The front matter gets `suggested_hardware`, `preload_from_hub` and `models` as they are needed;
    without a graphics card, `requirements.txt` asks for torch's CPU build.

    Args:
        root: the clone.
        hardware: a flavor of the Hub, like "cpu-basic" or "zero-a10g".
        preload: entries of `preload_from_hub`, each "owner/name file,file commit".

    Raises:
        DataError: a file is missing, or has no place in a Space; the front matter is not what the Hub takes.
    """
    missing = [name for name in (*ROOT_FILES, *FOLDERS) if not (root / name).exists()]
    if missing:
        raise DataError(
            f"'{root}' holds no {missing[0]}; a Space is deployed from a clone of the project, not from an installed "
            "package"
        )
    paths = [root / name for name in ROOT_FILES]
    paths += [path for name in FOLDERS for path in sorted((root / name).rglob("*")) if _is_wanted(path, root)]
    head, text = read_card(root / CARD)
    paths += _shown_pictures(text, root)
    head["suggested_hardware"] = hardware
    models = dict.fromkeys([*head.get("models", []), *(entry.split()[0] for entry in preload)])
    for name, values in (("models", list(models)), ("preload_from_hub", list(preload))):
        if values:
            head[name] = values
        else:
            head.pop(name, None)
    contents: dict[str, Path | bytes] = {path.relative_to(root).as_posix(): path for path in paths}
    check_space_head(head, contents)
    written = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
    contents[CARD] = f"---\n{written}---\n{text}".encode()
    if hardware.startswith("cpu-"):
        contents[REQUIREMENTS] = CPU_TORCH + (root / REQUIREMENTS).read_bytes()
    return SpaceFiles(dict(sorted(contents.items())), hardware, tuple(preload))


def deploy_space(files: SpaceFiles, repo_id: str, *, private: bool = False) -> Pushed:
    """Make the Hub's Space `repo_id` ("name/space") hold these files, in one commit; see `push_files`.

    It is made if there is none, on the free hardware: what `suggested_hardware` names may cost money, and is chosen in
    the Space's settings.

    Raises:
        DataError, SettingError, UnavailableError: as in `push_files`.
    """
    return push_files(files.contents, repo_id, "space", is_pushed=_is_pushed, private=private)


def _is_wanted(path: Path, root: Path) -> bool:
    inside = path.relative_to(root)
    if not path.is_file() or "__pycache__" in inside.parts or any(part.startswith(".") for part in inside.parts):
        return False
    if (path.suffix not in SUFFIXES and path.name not in NAMES) or path.is_symlink():
        raise DataError(
            f"'{path}' has no place in the Space; nothing was uploaded. Take it out of {inside.parts[0]}/, or, if the "
            "demo needs it, add its suffix to SUFFIXES in autochrome/hub/space.py"
        )
    return True


def _shown_pictures(text: str, root: Path) -> list[Path]:
    """The pictures of the repository that a README shows."""
    shown = [name for name in dict.fromkeys(_PICTURE.findall(text)) if not re.match(r"[a-z]+:", name)]
    for name in shown:
        if ".." in PurePosixPath(name).parts or not (root / name).is_file():
            raise DataError(f"{CARD} shows the picture {name}, and there is none in '{root}'; correct its path")
    return [root / name for name in shown]


def _is_pushed(path: str) -> bool:
    """Whether a deploy is what brought this file to the Hub."""
    return path in ROOT_FILES or path.split("/")[0] in FOLDERS

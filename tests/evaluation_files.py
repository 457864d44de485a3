"""Folders of small pictures for the tests of evaluation: pieces of a photograph, and duller versions of them."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import skimage.data

Pixels = npt.NDArray[np.uint8]
Run = Callable[..., tuple[int, str, str]]


def pixels(index: int, size: tuple[int, int] = (40, 30)) -> Pixels:
    """A piece of a photograph, another one for another index."""
    width, height = size
    photo: Pixels = skimage.data.astronaut()
    return photo[5 * index : 5 * index + 3 * height : 3, 150 : 150 + 3 * width : 3]


def dull(picture: Pixels, share: float = 0.5) -> Pixels:
    """With that share of its color."""
    mixed: Pixels = (share * picture + (1 - share) * picture.mean(axis=-1, keepdims=True)).round().astype(np.uint8)
    return mixed


def save(picture: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture).save(path)


def command(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, stdout, stderr. An AutochromeError is raised, as to the program's `main`."""
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers(required=True))
    name = module.__name__.rpartition(".")[2]

    def run(*arguments: object) -> tuple[int, str, str]:
        args = parser.parse_args([name, *map(str, arguments)])
        code = args.run(args)
        return code, *capsys.readouterr()

    return run

"""The exception tree: what callers may rely on when they catch."""

import inspect
import re

import pytest

from autochrome import errors

CLASSES = {name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__}


def drawn_tree() -> dict[str, str]:
    """Class to parent, as the module's docstring draws them: four columns deeper is one level down."""
    parents: dict[str, str] = {}
    line_of_descent: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([ │├└─]*)([A-Z]\w+)", line)
        if match:
            depth = len(match[1]) // 4
            del line_of_descent[depth:]
            parents[match[2]] = line_of_descent[-1] if line_of_descent else "Exception"
            line_of_descent.append(match[2])
    return parents


def test_the_tree_is_the_one_that_is_drawn() -> None:
    assert drawn_tree() == {name: cls.__bases__[0].__name__ for name, cls in CLASSES.items()}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES.keys())
def test_one_except_clause_catches_all(cls: type[Exception]) -> None:
    with pytest.raises(errors.AutochromeError, match=r"^what came, what is allowed$"):
        raise cls("what came, what is allowed")


def test_bad_input_is_a_value_error() -> None:
    """So that a caller who knows nothing of us still catches it; broken weights are not the caller's value."""
    assert issubclass(errors.PictureTooLargeError, ValueError)
    assert issubclass(errors.PictureTooLargeError, errors.PictureError)
    assert not issubclass(errors.ModelError, ValueError)
    assert not issubclass(errors.UnavailableError, ValueError)

"""The house rules: who may import whom, which library stays in which room, what is never written, how long a file is.

Every rule is a function from source files to complaints ("file:line: what is wrong"), and each is also given a small
bad file, so that it cannot pass by being blind.
"""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
Sources = dict[str, str]
"""Path from the root, with slashes, to the text of the file."""

# Which rooms a room may import. A room is a module or package of autochrome, or a folder or file at the root.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "recipes": {"errors"},
    "color": {"errors"},
    "engines": {"errors"},
    "naming": {"color"},
    "image": {"color", "files", "errors"},
    "models": {"color", "files", "errors"},
    "metrics": {"models", "image", "color", "errors"},
    "inputs": {"image", "errors"},
    "evaluation": {"inputs", "metrics", "image", "color", "files", "errors"},
    "report": {"evaluation", "inputs", "metrics", "image", "color", "files", "errors"},
    "judge": {"evaluation", "inputs", "metrics", "image", "color", "files", "errors"},
    "pipelines": {"models", "image", "naming", "color", "errors"},
    "hub": {"models", "files", "errors"},
    "catalog": {"pipelines", "hub", "models", "errors"},
    "cli": {
        *("autochrome", "catalog", "hub", "pipelines", "report", "judge", "evaluation", "inputs", "engines"),
        *("metrics", "image", "color", "files", "errors"),
    },
    "ui": {"catalog", "inputs", "naming", "pipelines", "metrics", "image", "color", "files", "errors"},
    "autochrome": {"catalog", "pipelines", "errors"},
    "training": {
        *("autochrome", "catalog", "hub", "pipelines", "models", "evaluation", "inputs", "naming", "recipes"),
        *("metrics", "image", "color", "files", "errors"),
    },
    "dataset_builder": {"hub", "inputs", "naming", "recipes", "metrics", "image", "color", "files", "errors"},
    "metric_spaces": {"metrics", "image", "errors"},
    "app": {"ui", "catalog"},
}
# Where the parts of a diffusion model are built anew.
PARTS = {f"training/parts/{name}.py" for name in ("autoencoder", "folder", "text_encoder", "vocabulary")}
# Which rooms, or files, may import these libraries.
HOMES: dict[str, set[str]] = {
    "gradio": {"ui", "app", "metric_spaces"},
    "diffusers": {"models", *PARTS},
    "transformers": {"models", "dataset_builder/captions/captioner.py", *PARTS},
    "datasets": {"dataset_builder", "training", "hub", "metric_spaces"},
    "evaluate": {"metric_spaces"},
}
HEAVY = ["torch", "gradio", "transformers", "diffusers", "datasets"]
MAX_LINES = 500
MAX_MEDIAN_LINES = 180


def project_sources() -> Sources:
    files = [ROOT / "app.py"]
    for folder in ("autochrome", "training", "dataset_builder", "metric_spaces", "tests"):
        files += sorted((ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


def room_of(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[0] != "autochrome":
        return parts[0]
    return "autochrome" if parts[1] == "__init__" else parts[1]


def room_in(module: str) -> str | None:
    """The room that a dotted module name lies in, or None for somebody else's library.

    What is no room is a name of the package's own front door, as in `from autochrome import load_pipeline`; the
    version is a mere constant there, open to all.
    """
    if module == "autochrome.__version__":
        return None
    first, _, rest = module.partition(".")
    if first == "autochrome":
        second = rest.partition(".")[0]
        return second if second in ALLOWED else "autochrome"
    return first if first in ALLOWED and first not in HOMES else None


def imports(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, inside functions too; `from autochrome import color` is autochrome.color.

    `importlib.import_module("...")` and `__import__("...")` count as well.
    """
    package = list(PurePosixPath(path).parts[:-1])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "autochrome":
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from ((node.lineno, str(name.value)) for name in node.args[:1] if isinstance(name, ast.Constant))


def wrong_directions(sources: Sources) -> list[str]:
    complaints = []
    for path, text in sources.items():
        room = room_of(path)
        if room == "tests":
            continue
        if room not in ALLOWED:
            complaints.append(f"{path}:1: no room is called '{room}'; add it to ALLOWED in tests/test_house.py")
            continue
        for line, module in imports(path, text):
            target = room_in(module)
            if target is not None and target != room and target not in ALLOWED[room]:
                allowed = ", ".join(sorted(ALLOWED[room])) or "none"
                complaints.append(f"{path}:{line}: {room} imports {module}; of our rooms it may import: {allowed}")
    return complaints


def libraries_away_from_home(sources: Sources) -> list[str]:
    complaints = []
    for path, text in sources.items():
        for line, module in imports(path, text):
            homes = HOMES.get(module.partition(".")[0])
            if homes is not None and room_of(path) != "tests" and not homes & {room_of(path), path}:
                complaints.append(f"{path}:{line}: imports {module}, allowed only in: {', '.join(sorted(homes))}")
    return complaints


def unsafe_loading(sources: Sources) -> list[str]:
    """No pickle, no `torch.load` that may run code, no `load_state_dict` that ignores what does not fit."""
    complaints = []
    for path, text in sources.items():
        for line, module in imports(path, text):
            if module.partition(".")[0] in ("pickle", "dill", "joblib", "cloudpickle"):
                complaints.append(f"{path}:{line}: imports {module}; keep data as JSON, YAML or safetensors")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            function = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if function == "torch.load" and options.get("weights_only") != "True":
                complaints.append(f"{path}:{node.lineno}: torch.load without weights_only=True")
            if function.endswith("load_state_dict") and options.get("strict", "True") != "True":
                complaints.append(f"{path}:{node.lineno}: load_state_dict that is not strict")
            if options.get("allow_pickle", "False") != "False":
                complaints.append(f"{path}:{node.lineno}: allow_pickle")
    return complaints


def stray_exceptions(sources: Sources) -> list[str]:
    return [
        f"{path}:{node.lineno}: class {node.name}; exceptions live in autochrome/errors.py"
        for path, text in sources.items()
        if path.startswith("autochrome/") and path != "autochrome/errors.py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Exception", "Warning"))
    ]


def long_files(sources: Sources) -> list[str]:
    lines = {path: text.count("\n") for path, text in sources.items()}
    complaints = [f"{path}: {count} lines, allowed {MAX_LINES}" for path, count in lines.items() if count > MAX_LINES]
    median = statistics.median(lines.values())
    if median >= MAX_MEDIAN_LINES:
        complaints.append(f"{len(lines)} files: median {median:g} lines, allowed below {MAX_MEDIAN_LINES}")
    return complaints


RULES = [wrong_directions, libraries_away_from_home, unsafe_loading, stray_exceptions, long_files]


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule: Callable[[Sources], list[str]]) -> None:
    complaints = rule(project_sources())
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("rule", "path", "text", "complaint"),
    [
        (
            wrong_directions,
            "autochrome/color.py",
            "import autochrome.image",
            "color.py:1: color imports autochrome.image",
        ),
        (
            wrong_directions,
            "autochrome/image.py",
            "\ndef f():\n    from . import cli",
            ":3: image imports autochrome.cli",
        ),
        (wrong_directions, "autochrome/ui/a.py", "from ..cli import main", ":1: ui imports autochrome.cli"),
        (
            wrong_directions,
            "autochrome/metrics/a.py",
            "from autochrome import pipelines",
            "metrics imports autochrome.pipelines",
        ),
        (wrong_directions, "autochrome/models/a.py", "import training.losses", ":1: models imports training.losses"),
        (wrong_directions, "autochrome/cli/a.py", "import app", ":1: cli imports app"),
        (wrong_directions, "training/a.py", "from dataset_builder import x", ":1: training imports dataset_builder"),
        (wrong_directions, "training/a.py", "from autochrome.ui.studio import x", ":1: training imports autochrome.ui"),
        (wrong_directions, "app.py", "from autochrome import color", ":1: app imports autochrome.color"),
        (
            wrong_directions,
            "autochrome/color.py",
            "importlib.import_module('autochrome.ui')",
            "color imports autochrome.ui",
        ),
        (wrong_directions, "autochrome/utils.py", "", "utils.py:1: no room is called 'utils'"),
        (libraries_away_from_home, "autochrome/cli/a.py", "def f():\n  import gradio as gr", ":2: imports gradio"),
        (
            libraries_away_from_home,
            "autochrome/pipelines/base.py",
            "from diffusers.utils import x",
            "imports diffusers",
        ),
        (libraries_away_from_home, "training/a.py", "import transformers", ":1: imports transformers"),
        (libraries_away_from_home, "autochrome/image.py", "import datasets", ":1: imports datasets, allowed only in:"),
        (unsafe_loading, "training/a.py", "import pickle", ":1: imports pickle"),
        (unsafe_loading, "training/a.py", "torch.load(path)", ":1: torch.load without weights_only=True"),
        (unsafe_loading, "training/a.py", "\ntorch.load(path, weights_only=False)", ":2: torch.load"),
        (unsafe_loading, "autochrome/models/a.py", "m.load_state_dict(s, strict=False)", "that is not strict"),
        (unsafe_loading, "training/a.py", "np.load(path, allow_pickle=True)", ":1: allow_pickle"),
        (stray_exceptions, "autochrome/hub.py", "class HubError(Exception): pass", ":1: class HubError"),
        (long_files, "autochrome/a.py", "\n" * 501, "a.py: 501 lines, allowed 500"),
        (long_files, "autochrome/a.py", "\n" * 180, "median 180 lines, allowed below 180"),
    ],
)
def test_the_rule_sees_a_breach(rule: Callable[[Sources], list[str]], path: str, text: str, complaint: str) -> None:
    assert complaint in "\n".join(rule({path: text}))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("autochrome/color.py", "from autochrome.errors import InputError"),
        ("autochrome/pipelines/base.py", "from autochrome.pipelines.settings import x"),
        ("autochrome/models/a.py", "from .decoder import x\nfrom transformers import y"),
        ("autochrome/ui/a.py", "import gradio as gr"),
        ("training/a.py", "from autochrome import load_pipeline\nimport datasets"),
        ("training/a.py", "torch.load(path, weights_only=True)\nm.load_state_dict(s)"),
    ],
)
def test_what_is_allowed_is_let_through(path: str, text: str) -> None:
    assert [complaint for rule in RULES for complaint in rule({path: text})] == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, autochrome; print(*[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_requirements_are_listed_once() -> None:
    """pyproject.toml reads requirements.txt, and no extra lists a package of it a second time."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["project"]["dynamic"] == ["dependencies", "version"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines += [line for extra in pyproject["project"]["optional-dependencies"].values() for line in extra]
    listed = [line for line in lines if line and not line.startswith(("#", "autochrome["))]
    names = [re.split(r"[<>=!~\[; ]", line)[0].lower() for line in listed]
    assert "torch" in names
    assert [name for name in names if names.count(name) > 1] == []


def test_the_space_runs_the_gradio_that_is_required() -> None:
    """The Hub installs `sdk_version` beside requirements.txt: it must lie inside the range given there."""
    version = re.search(r"^sdk_version: (\d+)\.(\d+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    required = re.search(r"^gradio\[mcp\]>=(\d+)\.(\d+),<(\d+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert version is not None
    assert required is not None
    assert (int(required[1]), int(required[2])) <= (int(version[1]), int(version[2])) < (int(required[3]), 0)

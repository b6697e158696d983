"""The shape of the package: imports point down, catalogue packages export what they hold, files stay small."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import isometry
from isometry.component import Component
from isometry.expression import CATALOGUE

ROOT = Path(isometry.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAYERS = (
    ("version", "component", "embedded", "samples", "cost", "lite"),
    ("ops",),
    ("distributed", "relation", "similarity", "reference"),
    ("miner", "noise", "label_metric"),
    ("similarities", "references", "miners", "relations", "blocks", "label_neighbours"),
    ("metrics",),
    ("engine", "caching"),
    ("term",),
    ("loss",),
    ("heads", "around"),
    ("losses", "regularisers", "trunks", "samplers", "rerank", "codes"),
    ("expression",),
    ("optimizers", "schedules"),
    ("data", "scheme", "schemes"),
    ("catalogue", "model", "protocols", "supervision"),
    ("config", "checkpoint", "pace", "precision", "sampling"),
    ("embedder", "label_check"),
    ("evaluation",),
    ("report", "fingerprint", "diagnostics"),
    ("queries", "label_space"),
    ("run",),
    ("training", "bundle"),
    ("index", "export", "attribution"),
    ("openset",),
    ("audit", "serve"),
    ("explore",),
    ("use", "api", "comparison"),
    ("bench", "commands"),
    ("show", "cli"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """Modules of the package that a file imports when it is loaded (not inside functions, nor for types only)."""

    def walk(nodes):
        for node in nodes:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isometry"):
                module = node.module.split(".")
                yield from [module[1]] if len(module) > 1 else [alias.name for alias in node.names]
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                yield from walk(node.body)

    return set(walk(ast.parse(path.read_text()).body))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    own = room(path)
    if own == "__init__":
        assert imports(path) <= {"version"}
        return
    for other in imports(path) - {own}:
        assert LEVEL[other] < LEVEL[own], f"{path.relative_to(ROOT)} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_small(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_packages_export_what_they_hold(name):
    package = importlib.import_module(f"isometry.{name}")
    if not hasattr(package, "__path__"):
        return
    source = ast.parse(Path(package.__file__).read_text())
    exported = {a.name for n in source.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert sorted(package.__all__) == sorted(exported)
    for path in Path(package.__path__[0]).glob("*.py"):
        module = importlib.import_module(f"isometry.{name}" + ("" if path.stem == "__init__" else f".{path.stem}"))
        for thing in vars(module).values():
            own = isinstance(thing, type) and issubclass(thing, Component) and thing.__module__ == module.__name__
            if own and not inspect.isabstract(thing) and not thing.__name__.startswith("_"):
                assert thing.__name__ in package.__all__, f"{thing.__name__} of {path.name} is not exported"


def test_importing_is_light():
    code = "import torch, sys; before = set(sys.modules); import isometry; "
    code += "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"isometry", "importlib", "typing"}


def test_help_does_not_load_torch():
    code = "import sys; import isometry.cli; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_every_exported_name_is_documented():
    for name in CATALOGUE:
        package = importlib.import_module(f"isometry.{name}")
        for thing in getattr(package, "__all__", ()):
            assert (getattr(package, thing).__doc__ or "").strip(), f"{name}.{thing}"

"""What a program of ours imports from other distributions, read from the sources without running them."""

import ast
import importlib.metadata
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = tuple(_ROOT / name for name in ("operator", "services", "cli", "protos/gen"))
_NAMESPACES = {"google": 2, "opentelemetry": 2}
"""Packages that several distributions share, and how many parts of a name say whose it is."""
_WITH = {"pydantic-core": "pydantic"}
"""Distributions that come with another, which says their version."""


def distributions_of(module: str) -> set[str]:
    """Return the distributions that a module of ours needs, with whatever the modules that it imports need."""
    seen: set[str] = set()
    foreign: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for imported in _imports(name):
            if _source(imported) is not None:
                waiting.append(imported)
            elif not _source(imported.split(".")[0]):
                foreign.add(imported)
        waiting.extend([name.rpartition(".")[0]] if "." in name else [])
    return {owner for name in foreign for owner in _owners(name)}


@cache
def _source(module: str) -> Path | None:
    relative = module.replace(".", "/")
    candidates = (folder / end for folder in _FOLDERS for end in (f"{relative}.py", f"{relative}/__init__.py"))
    return next((path for path in candidates if path.is_file()), None)


def _imports(module: str) -> Iterator[str]:
    """Yield what a module imports: anywhere in it, and what a package's table of late names points to."""
    source = _source(module)
    if source is None:
        return
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif source.name == "__init__.py" and isinstance(node, ast.Constant) and _is_ours(node.value):
            yield node.value


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and name.startswith("labelplane") and _source(name) is not None


def _owners(module: str) -> set[str]:
    first = module.split(".", maxsplit=1)[0]
    if first in sys.stdlib_module_names or first == "labelplane":
        return set()
    if first in _NAMESPACES:
        package = Path(*module.split(".")[: _NAMESPACES[first]])
        return {each for each in _by_module().get(first, ()) if _has(each, package)}
    return {_WITH.get(name, name) for name in _by_module().get(first, [first])[:1]}


@cache
def _by_module() -> dict[str, list[str]]:
    found = importlib.metadata.packages_distributions()
    return {module: [name.lower().replace("_", "-") for name in names] for module, names in found.items()}


@cache
def _has(distribution: str, package: Path) -> bool:
    files = importlib.metadata.files(distribution) or ()
    return any(path.parts[: len(package.parts)] == package.parts for path in files)

"""Scripts of hack/ as modules: they have no ending, so `import` does not find them."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

_HACK = Path(__file__).resolve().parents[2] / "hack"


def load_script(name: str) -> ModuleType:
    """Return hack/<name> as a module, without running it."""
    loader = SourceFileLoader(name.replace("-", "_"), str(_HACK / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for the names of types
    loader.exec_module(module)
    return module

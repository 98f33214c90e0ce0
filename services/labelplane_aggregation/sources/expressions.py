"""Conditions that are programs over one item: a CEL expression, or a Python function of a trusted package."""

import hashlib
import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cel
import numpy as np

from labelplane_aggregation.sources.block import IMAGE_FEATURES, BoolArray, ItemBlock
from labelplane_aggregation.sources.comparisons import measured_features
from labelplane_aggregation.sources.specs import Setting

__all__ = ["Expression", "Function"]

_log = logging.getLogger(__name__)

_WHERE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_FIELD = re.compile(r"\bitem\.([A-Za-z_]\w*)")
_LOOP = re.compile(r"\b(all|exists|exists_?one|map|filter|transform\w*|bind|reduce|fold)\s*\(", re.IGNORECASE)
_MOST_LOOPS = 2
_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")

_UNDEFINED = "Undefined variable or function"

Decide = Callable[[Mapping[str, Any]], bool]


class Expression:
    """A CEL expression over `item`: its id, text, meta and measured features. True votes, everything else abstains.

    An item on which the expression fails (a field that it lacks, a number compared with a text) is abstained on, too,
    and counted in `failures`; guard with `has(item.meta.field)` where that is not meant.

    Raises:
        ValueError: it is no CEL, or reads what no item has; the message says at which line and column of it.
    """

    def __init__(self, source: str, setting: Setting) -> None:
        if len(_LOOP.findall(source)) > _MOST_LOOPS:
            # Each may double what the one before has made: a dozen would take all memory there is.
            raise ValueError(
                f"it loops more than {_MOST_LOOPS} times (exists, all, map, filter): write it in two rules"
            )
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ValueError(_syntax_problem(str(error))) from error
        self._check_names(source, setting)
        self.reads_pixels = any(name in IMAGE_FEATURES for name in _FIELD.findall(source))
        self.failures = 0
        self.first_failure = ""

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return for which items the expression is true, (items,)."""
        return _decided(self, block, lambda item: self._program.execute({"item": item}) is True)

    def _check_names(self, source: str, setting: Setting) -> None:
        for name in self._program.variables():
            if name != "item" and not re.search(rf"\(\s*{name}\s*,", source):  # the variable of a macro
                raise ValueError(f"{name!r} is not known: an expression reads item, as in item.text")
        known = ("id", "text", "meta", *measured_features(setting.modality))
        for name in _FIELD.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "''", source)):
            if name not in known:
                raise ValueError(f"item.{name} is not known: take one of {', '.join(f'item.{each}' for each in known)}")
        self._check_functions(known, setting)

    def _check_functions(self, known: Sequence[str], setting: Setting) -> None:
        """Run it once on an item without content: an unknown function shows by its error, whatever the item is."""
        probe: dict[str, Any] = dict.fromkeys(known, 0.0) | {"id": "", "text": ""}
        probe["meta"] = dict.fromkeys(setting.metadata_fields, "")
        try:
            self._program.execute({"item": probe})
        except RuntimeError as error:
            if str(error).startswith(_UNDEFINED):
                raise ValueError(f"{str(error).split('. ')[0]}: correct its name") from error
        except Exception:  # noqa: BLE001, S110 - an item without content proves nothing else
            pass


class Function:
    """A Python function that takes an item, a mapping as CEL sees it, and tells whether the rule votes.

    Its code runs with all rights of the process, so it must lie in a package that the installation trusts. An item on
    which it raises is abstained on and counted in `failures`.

    Raises:
        ValueError: the path is malformed, the package is not trusted, or it holds no such function.
    """

    reads_pixels = True

    def __init__(self, path: str, setting: Setting) -> None:
        match = _FUNCTION.fullmatch(path)
        if match is None:
            raise ValueError(f"{path!r} is no function: write package.module:function")
        module_name, name = match.groups()
        if module_name.partition(".")[0] not in setting.trusted_packages:
            trusted = ", ".join(setting.trusted_packages) or "none"
            raise ValueError(
                f"package {module_name.partition('.')[0]!r} is not trusted here (trusted: {trusted}): set "
                "LABELPLANE_TRUSTED_PACKAGES where the service runs (on a cluster the chart's jobs.trustedPackages), "
                "or write the rule in another way"
            )
        self._decide, self.code_digest = _loaded(module_name, name)
        self.failures = 0
        self.first_failure = ""

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return for which items the function returns a true value, (items,)."""
        return _decided(self, block, lambda item: bool(self._decide(item)))


def _decided(condition: Expression | Function, block: ItemBlock, decide: Decide) -> BoolArray:
    holds = np.zeros(len(block), dtype=bool)
    for row, item in enumerate(block.items):
        try:
            holds[row] = decide(item)
        except Exception as error:  # noqa: BLE001 - a program of the user's fails as it likes; the item is abstained on
            condition.failures += 1
            if not condition.first_failure:
                condition.first_failure = f"item {block.item_ids[row]}: {type(error).__name__}: {error}"
                _log.warning("a rule could not decide and abstains: %s", condition.first_failure)
    return holds


def _loaded(module_name: str, name: str) -> tuple[Decide, str]:
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the import runs code that is not ours
        raise ValueError(f"module {module_name!r} cannot be imported ({type(error).__name__}: {error})") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"module {module_name!r} has no function {name!r}")  # noqa: TRY004 - a wrong name
    file = getattr(module, "__file__", None)  # a module in Python itself has none
    code = Path(file).read_bytes() if file else b""
    return function, hashlib.sha256(code).hexdigest()


def _syntax_problem(text: str) -> str:
    match = _WHERE.search(text)
    if match is None:
        return f"it is no CEL ({' '.join(text.split())[:200]})"
    line, column, problem = match.groups()
    return f"it is no CEL (line {line}, column {column} of it: {problem.strip()})"

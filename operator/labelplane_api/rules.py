"""Rules between fields, each written once: the CEL of the schema beside the Python check.

A model class names its rules in `checks` (run whenever an object is parsed) and `transitions` (checked when an
object replaces an older one). The generator of the CRD reads the same tuples, so that `kubectl apply` and
`labelplane run` refuse the same objects. Field names in rules are JSON names, dotted when they lie deeper.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

# Words that CEL keeps for itself; Kubernetes escapes a field of that name as `__name__`.
_CEL_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A condition that every object of a model class fulfils.

    Attributes:
        field: JSON name of the field at fault, dotted when deeper; empty for the object itself.
        message: what the API server answers; says what to do.
        check: gives None when the rule holds, else the text that follows the field's path in an error line.
        cel: the same condition as CEL over `self`; None when `extension` says it.
        extension: structural schema keys put on the field, where they say the rule cheaper than CEL.
    """

    field: str
    message: str
    check: Callable[[Any], str | None]
    cel: str | None = None
    extension: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, and the text that follows the path of its field."""

    rule: Rule
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class TransitionRule:
    """A condition between the old object and the one that replaces it.

    Attributes:
        field: JSON name of the field at fault.
        message: what the API server answers.
        check: takes the old and the new object; gives None when the rule holds, else the text after the field's path.
        cel: the same condition as CEL over `self` and `oldSelf`.
    """

    field: str
    message: str
    check: Callable[[Any, Any], str | None]
    cel: str


def violations(model: BaseModel, rules: Sequence[Rule]) -> tuple[Violation, ...]:
    """Check every rule and return those that do not hold, in the order of the rules."""
    texts = ((rule, rule.check(model)) for rule in rules)
    return tuple(Violation(rule=rule, text=text) for rule, text in texts if text is not None)


def value_at(model: Any, path: str) -> Any:
    """Return the value at a dotted JSON path, None as soon as a part of the path is absent."""
    value = model
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, attribute_name(type(value), name))
    return value


def attribute_name(model_class: type[BaseModel], json_name: str) -> str:
    """Return the Python attribute of a JSON field name.

    Raises:
        KeyError: the class has no such field; a rule or a table names one that does not exist.
    """
    for name, info in model_class.model_fields.items():
        if json_name == (info.alias or name):
            return name
    raise KeyError(f"{model_class.__name__} has no field {json_name}")


def cel_has(path: str) -> str:
    """Write the CEL that is true when a dotted JSON path is present, reserved words escaped."""
    return f"has({cel_path(path)})"


def cel_path(path: str) -> str:
    """Write a dotted JSON path as CEL on `self`, reserved words escaped."""
    names = (f"__{name}__" if name in _CEL_RESERVED else name for name in path.split("."))
    return ".".join(("self", *names))


def exactly_one(*names: str) -> Rule:
    """Make the rule of a union: of these optional fields one is set and no other."""
    listed = ", ".join(names)

    def check(model: Any) -> str | None:
        given = [name for name in names if value_at(model, name) is not None]
        if len(given) == 1:
            return None
        if not given:
            return f": none of {listed} is set: set exactly one"
        return f": {' and '.join(given)} are set together: keep exactly one of {listed}"

    cel = f"[{', '.join(cel_has(name) for name in names)}].filter(given, given).size() == 1"
    return Rule(field="", message=f"exactly one of {listed} must be set", check=check, cel=cel)


def at_least_one(*names: str) -> Rule:
    """Make the rule that one of these optional objects or lists is set and not empty."""
    listed = ", ".join(names)

    def check(model: Any) -> str | None:
        if any(value_at(model, name) not in (None, ()) for name in names):
            return None
        return f": none of {listed} is set: set at least one"

    # Both objects and lists have a size only as a list: an object that is present counts by itself.
    cel = " || ".join(f"({cel_has(name)} && dyn({cel_path(name)}) != dyn([]))" for name in names)
    return Rule(field="", message=f"at least one of {listed} must be set", check=check, cel=cel)


def not_above(low: str, high: str) -> Rule:
    """Make the rule that the number in `low` is at most the number in `high`."""

    def check(model: Any) -> str | None:
        lower, upper = value_at(model, low), value_at(model, high)
        if lower <= upper:
            return None
        return f" ({lower}) is above {high} ({upper}): lower it or raise {high}"

    message = f"{low} must not be above {high}: lower it or raise {high}"
    return Rule(field=low, message=message, check=check, cel=f"{cel_path(low)} <= {cel_path(high)}")


def unique_items(name: str, *, key: str | None = None) -> Rule:
    """Make the rule that a list holds nothing twice: no value, or no object with the same `key`.

    The schema says it by the list's type (`set`, `map`), which costs the API server less than CEL.
    """
    extension: dict[str, Any] = {"x-kubernetes-list-type": "set"}
    if key is not None:
        extension = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}

    def check(model: Any) -> str | None:
        values = value_at(model, name) or ()
        twice = _first_twice(values if key is None else (value_at(value, key) for value in values))
        return None if twice is None else f': "{twice}" is listed twice: remove one'

    return Rule(field=name, message=f"{name} must not list anything twice", check=check, extension=extension)


def _first_twice(values: Iterator[Any] | Sequence[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def needs(name: str, *, when: str, reason: str, holds: Callable[[Any], bool]) -> Rule:
    """Make the rule that a field is set whenever a condition holds.

    Args:
        name: the field that is needed then.
        when: the condition as CEL over `self`.
        reason: the condition in words, as in "for format Csv".
        holds: the condition in Python.
    """

    def check(model: Any) -> str | None:
        if not holds(model) or value_at(model, name) is not None:
            return None
        return f": is needed {reason}: add it"

    cel = f"!({when}) || {cel_has(name)}"
    return Rule(field=name, message=f"{name} is needed {reason}", check=check, cel=cel)


def only(name: str, *, when: str, reason: str, holds: Callable[[Any], bool]) -> Rule:
    """Make the rule that a field is absent unless a condition holds; arguments as in `needs`."""

    def check(model: Any) -> str | None:
        if value_at(model, name) is None or holds(model):
            return None
        return f": has a meaning only {reason}: remove it"

    cel = f"!{cel_has(name)} || ({when})"
    return Rule(field=name, message=f"{name} has a meaning only {reason}", check=check, cel=cel)


def immutable(name: str) -> TransitionRule:
    """Make the rule that a field keeps its value for the life of the object, absence included.

    Of a list without repetitions (`unique_items`) the order may change, as it may for CEL.
    """

    def check(old: Any, new: Any) -> str | None:
        before, after = value_at(old, name), value_at(new, name)
        if _unordered(before) == _unordered(after):
            return None
        return f": cannot change from {_shown(before)} to {_shown(after)}: make a new job for that"

    here, there = cel_path(name), cel_path(name).replace("self", "oldSelf", 1)
    cel = f"has({here}) == has({there}) && (!has({here}) || {here} == {there})"
    return TransitionRule(field=name, message=f"{name} cannot change: make a new job for that", check=check, cel=cel)


def grows(name: str) -> TransitionRule:
    """Make the rule that a list without repetitions (`unique_items`) keeps every value it ever had."""

    def check(old: Any, new: Any) -> str | None:
        kept = set(value_at(new, name))
        lost = [value for value in value_at(old, name) if value not in kept]
        return f': "{lost[0]}" was removed: the list may grow, never shrink' if lost else None

    here, there = cel_path(name), cel_path(name).replace("self", "oldSelf", 1)
    # + unites sets of the schema; looking for each value in the list would be too dear for a thousand of them.
    cel = f"({here} + {there}).size() == {here}.size()"
    return TransitionRule(field=name, message=f"{name} may grow, never shrink", check=check, cel=cel)


def _unordered(value: Any) -> Any:
    return frozenset(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value}"

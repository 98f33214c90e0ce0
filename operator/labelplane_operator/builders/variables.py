"""Environment variables of containers."""

from typing import Any, Final

__all__ = ["PREFIX", "can_be_told", "cpu_limit", "plain", "secret"]

PREFIX: Final = "LABELPLANE_"
"""What the names of all settings begin with."""

_FIRST, _LAST = " ", "\uffff"
_CONTROLS: Final = frozenset(map(chr, range(0x7F, 0xA0)))


def can_be_told(text: str) -> bool:
    """Whether a container can be told a text: without control characters, and nothing beyond 16 bits.

    An applied object is sent as JSON and read as YAML, which does not know JSON's way to write such characters.
    """
    return all(letter in "\n\t" or (_FIRST <= letter <= _LAST and letter not in _CONTROLS) for letter in text)


def plain(name: str, value: str) -> dict[str, Any]:
    """Return a setting that the process reads as it is: the kubelet would put variables in the place of `$(NAME)`."""
    return {"name": f"{PREFIX}{name}", "value": value.replace("$", "$$")}


def secret(name: str, secret_name: str, key: str, *, is_optional: bool = False) -> dict[str, Any]:
    """Return a setting whose value the kubelet takes from a Secret."""
    reference: dict[str, Any] = {"name": secret_name, "key": key}
    if is_optional:
        reference["optional"] = True
    return {"name": f"{PREFIX}{name}", "valueFrom": {"secretKeyRef": reference}}


def cpu_limit(name: str) -> dict[str, Any]:
    """Return a variable of another library that holds the container's limit of CPUs, rounded up."""
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}}}

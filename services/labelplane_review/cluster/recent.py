"""Answers that hold for some seconds, at most so many of them."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Keeps values for `seconds`; of more than `most` the oldest go first."""

    def __init__(self, *, seconds: float, most: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._kept: OrderedDict[_Key, tuple[float, _Value]] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        """Return a value that still holds, None when there is none."""
        until, value = self._kept.get(key, (0.0, None))
        return value if self._monotonic() < until else None

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value from now on."""
        self._kept.pop(key, None)
        self._kept[key] = (self._monotonic() + self._seconds, value)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

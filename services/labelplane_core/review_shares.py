"""Of which rules people look at a share of the items: written by Vote, read by Select."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from labelplane_core.errors import DamagedRecord

__all__ = ["ReviewShares"]

_FORM = 1


@dataclass(frozen=True, slots=True)
class ReviewShares:
    """Shares above 0 and at most 1, by the name of the rule."""

    by_rule: Mapping[str, float]

    def to_json(self) -> bytes:
        """Return the shares as they lie in the store."""
        return json.dumps({"form": _FORM, "shares": dict(self.by_rule)}, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, *, key: str) -> Self:
        """Return the shares at `key`; `DamagedRecord` when they are none of this version."""
        try:
            fields: dict[str, Any] = json.loads(data)
            del fields["form"]
            return cls({str(name): float(share) for name, share in fields["shares"].items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedRecord(f"{key} holds no shares of rules ({error!r}): restore it from a backup") from error

"""What all types of the API share: the base model, the bounded field types and the way a field is described.

A description is what `kubectl explain` prints, so `option` writes into it what the schema also holds: the default,
the bounds and what a change does. Numbers and booleans are strict and strings are bounded, because the API server
takes no "3" for 3 and asks for a maximum on everything that a CEL rule may read.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Self, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from labelplane_api.rules import Rule, TransitionRule, violations

RULE_ERROR: Final = "labelplane_rule"
"""The pydantic error type that carries broken rules; its context holds them under `violations`."""

# Unicode's white space, character by character: \s is that for pydantic, but only ASCII's for the API server.
_SPACES: Final = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
ADDRESS_PATTERN: Final = r"^((s3|gs|az)://[a-z0-9][a-z0-9._-]*(/[^:]*)?|[^:]+)$"
KEY_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
ENDPOINT_PATTERN: Final = rf"^https?://[A-Za-z0-9.\[\]:-]+(/[^{_SPACES}]*)?$"
TARGET_PATTERN: Final = r"^[A-Za-z0-9.-]+:[0-9]{1,5}$"
CLASS_PATTERN: Final = rf"^[^{_SPACES}](.*[^{_SPACES}])?$"
WORD_PATTERN: Final = r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"
QUANTITY_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
REASON_PATTERN: Final = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"

PATTERN_HINTS: Final = {
    LABEL_PATTERN: "use small letters, digits and -, a letter or digit at both ends",
    SUBDOMAIN_PATTERN: "use small letters, digits, - and ., a letter or digit at both ends",
    ADDRESS_PATTERN: "give s3://bucket/prefix, or a path without a colon",
    KEY_PATTERN: "give a relative path of letters, digits, ., _ and -, without .. and without / at the ends",
    ENDPOINT_PATTERN: "give an address like https://host:9000",
    TARGET_PATTERN: "give host:port, as in triton.example.com:8001",
    CLASS_PATTERN: "remove the space at its start or end",
    WORD_PATTERN: "use letters, digits, _, . and -, a letter or digit at both ends",
    CURRENCY_PATTERN: "give three capital letters, as in USD",
    QUANTITY_PATTERN: "give a Kubernetes quantity, as in 500m or 2Gi",
    REASON_PATTERN: "give one word in PascalCase",
}
"""What a person is told when a string does not match, by the pattern."""

Int = Annotated[int, Field(strict=True)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Bool = Annotated[bool, Field(strict=True)]

Label = Annotated[str, StringConstraints(max_length=63, pattern=LABEL_PATTERN)]
ObjectName = Annotated[str, StringConstraints(max_length=253, pattern=SUBDOMAIN_PATTERN)]
Address = Annotated[str, StringConstraints(max_length=1024, pattern=ADDRESS_PATTERN)]
Key = Annotated[str, StringConstraints(max_length=512, pattern=KEY_PATTERN)]
Endpoint = Annotated[str, StringConstraints(max_length=512, pattern=ENDPOINT_PATTERN)]
Target = Annotated[str, StringConstraints(max_length=320, pattern=TARGET_PATTERN)]
ClassName = Annotated[str, StringConstraints(max_length=128, pattern=CLASS_PATTERN)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Word = Annotated[str, StringConstraints(max_length=63, pattern=WORD_PATTERN)]
Currency = Annotated[str, StringConstraints(max_length=3, pattern=CURRENCY_PATTERN)]
Quantity = Annotated[str, StringConstraints(max_length=32, pattern=QUANTITY_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
LongText = Annotated[str, StringConstraints(max_length=32768)]


def _to_whole_utc_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _to_rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_to_whole_utc_second),
    PlainSerializer(_to_rfc3339, return_type=str, when_used="json"),
]
"""A moment in UTC, cut to the second as Kubernetes writes it (`2026-01-31T09:30:00Z`)."""


class Change(Enum):
    """What a change of a field does once the job has started; the value is the sentence in its description."""

    NEVER = "Immutable."
    NEXT_ROUND = "A change counts from the next round."
    AT_ONCE = "A change counts at once."
    GROWS = "May grow, never shrink."
    NONE = ""


class ApiModel(BaseModel):
    """The base of every type: frozen, closed to unknown fields, camelCase in JSON, with its rules checked."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    checks: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the fields of every object."""

    transitions: ClassVar[tuple[TransitionRule, ...]] = ()
    """What must hold between an object and the one that replaces it."""

    @model_validator(mode="before")
    @classmethod
    def _take_null_for_absent(cls, data: Any) -> Any:
        # As the API server does, in objects and in maps: `run:` with nothing behind it is a group of defaults.
        if not isinstance(data, dict):
            return data
        fields = {name: info for field, info in cls.model_fields.items() for name in (field, info.alias)}
        return {
            key: _without_null(value) if key in fields and get_origin(fields[key].annotation) is dict else value
            for key, value in data.items()
            if value is not None or key not in fields
        }

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        broken = violations(self, self.checks)
        if broken:
            text = "; ".join(f"{violation.rule.field}{violation.text}".removeprefix(": ") for violation in broken)
            raise PydanticCustomError(RULE_ERROR, "{text}", {"text": text, "violations": broken})
        return self

    def to_manifest(self) -> dict[str, Any]:
        """Return the object as JSON types under its JSON names, fields without a value left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _without_null(entries: Any) -> Any:
    if not isinstance(entries, dict):
        return entries
    return {key: value for key, value in entries.items() if value is not None}


def option(
    what: str,
    default: Any = ...,
    *,
    change: Change = Change.NEXT_ROUND,
    otherwise: str | None = None,
    **limits: Any,
) -> Any:
    """Declare a field with the description that `kubectl explain` prints.

    Args:
        what: what the field is, beginning with its JSON name, with its unit.
        default: the value when it is left out; `...` makes it required.
        change: what a change does once the job has started.
        otherwise: what happens without it, for a field without a value as default.
        **limits: bounds and other arguments of pydantic's `Field`.

    Returns:
        What `pydantic.Field` returns.
    """
    parts = [what, _default_text(default, otherwise), _limits_text(limits), change.value]
    description = " ".join(part for part in parts if part)
    return Field(default, description=description, **limits)


def group(model_class: type[ApiModel], what: str) -> Any:
    """Declare a field that holds an object with defaults of its own, present even when it is left out."""
    return Field(default_factory=model_class, description=what)


def mapping(what: str, *, max_length: int, change: Change = Change.NEXT_ROUND) -> Any:
    """Declare a map from strings, empty when it is left out, with at most `max_length` entries."""
    parts = [what, "Default empty.", f"At most {max_length} entries.", change.value]
    description = " ".join(part for part in parts if part)
    return Field(default_factory=dict, max_length=max_length, description=description)


def _default_text(default: Any, otherwise: str | None) -> str:
    if default is ...:
        return "Required."
    if default is None:
        return f"Default none: {otherwise}." if otherwise else "Default none."
    if default == ():
        return "Default empty."
    if isinstance(default, tuple):
        return f"Default {', '.join(str(value) for value in default)}."
    if isinstance(default, bool):
        return f"Default {str(default).lower()}."
    return f"Default {default}."


def _limits_text(limits: dict[str, Any]) -> str:
    if "min_length" in limits or "max_length" in limits:
        return f"{_range_text(limits.get('min_length'), limits.get('max_length'))} entries."
    if "gt" in limits or "lt" in limits:
        bounds = (("above", "gt"), ("at least", "ge"), ("below", "lt"), ("at most", "le"))
        text = ", ".join(f"{word} {limits[name]}" for word, name in bounds if name in limits)
        return f"{text.capitalize()}."
    numbers = _range_text(limits.get("ge"), limits.get("le"))
    return f"{numbers}." if numbers else ""


def _range_text(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"At most {high}"
    return f"At least {low}" if high is None else f"From {low} to {high}"

"""Valid jobs for property tests, drawn from the JSON schema of the types."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from job_builder import make_job

from labelplane_api import LabelingJob, SpecInvalidError, validate_job

_SCHEMA = LabelingJob.model_json_schema(by_alias=True)
_UNIONS = {
    "SimulatedAnnotators": ("accuracy", "random", "confusion"),
    "Humans": ("simulated", "files", "labelStudio", "inbox"),
    "RuleSource": ("regex", "keywords", "metadata", "expression", "function"),
    "KnowledgeBaseSource": ("gazetteer", "wordNet", "wikipedia"),
    "ModelSource": ("student", "model", "zeroShot"),
}
_REQUIRED_BY_RULES = {"RuleSource": ("label",), "KeywordMatch": ("any",), "Sources": ("humans",)}
_LEFT_OUT = {"RuleSource": ("configMap",)}
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12)
_GROUPS = (
    "profile",
    "storage",
    "sources",
    "sampling",
    "aggregation",
    "model",
    "serving",
    "stop",
    "budget",
    "quality",
    "scaling",
    "review",
    "output",
    "run",
    "scheduling",
    "podOverrides",
)


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a job file's object that is valid: the default job with a few groups drawn from the schema."""
    groups = draw(st.lists(st.sampled_from(_GROUPS), unique=True, min_size=1, max_size=3))
    builder = make_job()
    for group in groups:
        drawn = draw(_values(_SCHEMA["$defs"]["LabelingJobSpec"]["properties"][group]))
        changed = builder.having(f"spec.{group}", drawn)
        # A group may break a rule between fields; the job then keeps its default there.
        builder = changed if _is_valid(changed.as_manifest()) else builder
    return builder.as_manifest()


def _is_valid(manifest: dict[str, Any]) -> bool:
    try:
        validate_job(manifest)
    except SpecInvalidError:
        return False
    return True


def _values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return _values({**_SCHEMA["$defs"][name], "name": name})
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return _values(next(option for option in schema["anyOf"] if option.get("type") != "null"))
    if schema.get("type") in _DRAWN:
        return _DRAWN[schema["type"]](schema)
    return _TEXT


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        pattern = schema["pattern"].removeprefix("^").removesuffix("$")
        return st.from_regex(pattern, fullmatch=True, alphabet=_PRINTABLE).filter(lambda text: len(text) <= 40)
    return _TEXT


_PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


def _integers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**31))


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1e9))
    return st.floats(low, high, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema)


def _arrays(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    low = schema.get("minItems", 0)
    return st.lists(_values(schema["items"]), min_size=low, max_size=min(schema["maxItems"], low + 2))


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        inner = schema["additionalProperties"]
        names = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
        return st.dictionaries(names, _TEXT if inner is True else _values(inner), max_size=2)
    name = schema.get("name", "")
    union = _UNIONS.get(name, ())
    needed = {*schema.get("required", ()), *_REQUIRED_BY_RULES.get(name, ())}
    plain = {
        key: _values(inner)
        for key, inner in schema["properties"].items()
        if key not in union and key not in _LEFT_OUT.get(name, ())
    }
    required = {key: drawn for key, drawn in plain.items() if key in needed}
    optional = {key: drawn for key, drawn in plain.items() if key not in needed}
    drawn = st.fixed_dictionaries(required, optional=optional)
    if not union:
        return drawn
    member = st.one_of(*(st.fixed_dictionaries({key: _values(schema["properties"][key])}) for key in union))
    return st.builds(lambda fields, chosen: {**fields, **chosen}, drawn, member)


_DRAWN: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _strings,
    "integer": _integers,
    "number": _numbers,
    "array": _arrays,
    "object": _objects,
    "boolean": lambda _schema: st.booleans(),
}

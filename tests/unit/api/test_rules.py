"""Every rule between fields: accepted once, refused once, with the sentence that the user reads."""

import pytest
from api_types import MODELS
from job_builder import JobBuilder, make_job
from pydantic import ValidationError
from rule_cases import CHANGES, JOB, RULES

from labelplane_api import SpecInvalidError, validate_change
from labelplane_api.rules import (
    Rule,
    attribute_name,
    cel_has,
    exactly_one,
    grows,
    immutable,
    not_above,
    unique_items,
    value_at,
)
from labelplane_api.sources import RuleSource


@pytest.mark.parametrize(("accepted", "refused", "want_message"), RULES)
def test_a_rule_accepts_and_refuses(accepted: JobBuilder, refused: JobBuilder, want_message: str) -> None:
    accepted.build()

    with pytest.raises(SpecInvalidError) as caught:
        refused.build()
    assert want_message in [problem.message for problem in caught.value.problems]


def _broken_rules(refused: object) -> list[Rule]:
    assert isinstance(refused, JobBuilder)
    with pytest.raises(SpecInvalidError) as caught:
        refused.build()
    cause = caught.value.__cause__
    assert isinstance(cause, ValidationError)
    contexts = (details.get("ctx", {}) for details in cause.errors())
    return [violation.rule for context in contexts for violation in context.get("violations", ())]


def test_no_rule_is_without_a_row_in_the_table() -> None:
    broken = {id(rule) for row in RULES for rule in _broken_rules(row.values[1])}
    rules = [
        (model.__name__, rule.field, rule.message)
        for model in MODELS
        for rule in model.checks
        if id(rule) not in broken
    ]

    assert rules == []


def test_every_rule_is_said_to_the_api_server_too() -> None:
    for model in MODELS:
        for rule in model.checks:
            assert (rule.cel is None) != (not rule.extension), f"{model.__name__}: {rule.message}"
            assert rule.message
        for transition in model.transitions:
            assert "oldSelf" in transition.cel


def refused_changes(old: JobBuilder, new: JobBuilder) -> list[str]:
    """Return what is told of a change, nothing when it is allowed."""
    try:
        validate_change(old.build(), new.build())
    except SpecInvalidError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize(("old", "new", "want_message"), CHANGES)
def test_what_cannot_change_is_refused(old: JobBuilder, new: JobBuilder, want_message: str) -> None:
    assert want_message in refused_changes(old, new)


def test_classes_may_grow_and_settings_may_change() -> None:
    changed = JOB.with_classes(*"0123456789", "none").with_sampling(strategy="Entropy")
    assert refused_changes(JOB, changed) == []


def test_the_order_of_a_list_without_repetitions_may_change() -> None:
    old, new = (JOB.with_dataset(metadata_fields=names) for names in (["author", "year"], ["year", "author"]))
    assert refused_changes(old, new) == []


def test_cel_is_written_for_the_api_server() -> None:
    assert not_above("minReplicas", "maxReplicas").cel == "self.minReplicas <= self.maxReplicas"
    assert exactly_one("a", "b").cel == "[has(self.a), has(self.b)].filter(given, given).size() == 1"
    assert grows("classes").cel == "(self.classes + oldSelf.classes).size() == self.classes.size()"
    assert immutable("uri").cel == "has(self.uri) == has(oldSelf.uri) && (!has(self.uri) || self.uri == oldSelf.uri)"
    assert unique_items("classes").extension == {"x-kubernetes-list-type": "set"}
    assert unique_items("env", key="name").extension == {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }


def test_cel_escapes_its_own_words() -> None:
    assert cel_has("function") == "has(self.__function__)"
    assert cel_has("metadata.namespace") == "has(self.metadata.__namespace__)"


def test_a_rule_about_a_field_that_does_not_exist_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError, match="RuleSource has no field pattern"):
        attribute_name(RuleSource, "pattern")


def test_a_path_through_something_absent_has_no_value() -> None:
    job = make_job().with_votes_from_files().build()

    assert value_at(job, "spec.sources.humans.simulated.seed") is None
    assert value_at(job, "spec.sources.humans.files.uri") == "votes"

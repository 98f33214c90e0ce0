"""Rules and knowledge bases of a job, as messages and back."""

from typing import Any

import pytest
from cluster_jobs import with_rules
from job_builder import make_job
from planned_world import CLUSTER, PlannedWorld

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane_aggregation.requests import RuleFile
from labelplane_aggregation.source_converters import knowledge_base_specs, rule_entries, rule_specs
from labelplane_aggregation.source_specs import knowledge_base_spec, rule_spec
from labelplane_aggregation.sources import (
    Comparison,
    ComparisonSpec,
    ExpressionSpec,
    FunctionSpec,
    GazetteerSpec,
    KeywordSpec,
    KnowledgeBaseSpec,
    RegexSpec,
    RuleSpec,
    WikipediaSpec,
    WordNetSpec,
)
from labelplane_api.conditions import ConditionType, find_condition
from labelplane_api.sources import KnowledgeBaseSource, RuleSource
from labelplane_api.status import Stage
from labelplane_core.errors import InvalidInput
from labelplane_operator.vote_sources import knowledge_base_message, rule_message


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"regex": "a+", "unless": "b", "priority": -3}, RuleSpec("r", "1", RegexSpec("a+"), unless="b", priority=-3)),
        (
            {"keywords": {"any": ["a"], "all": ["b", "c"], "within": 4, "wholeWords": False, "matchCase": True}},
            RuleSpec("r", "1", KeywordSpec(("a",), ("b", "c"), within=4, whole_words=False, match_case=True)),
        ),
        ({"keywords": {"any": ["a"]}}, RuleSpec("r", "1", KeywordSpec(("a",)))),
        (
            {"metadata": {"field": "year", "comparison": "Less", "value": "7"}},
            RuleSpec("r", "1", ComparisonSpec("year", Comparison.LESS, "7")),
        ),
        ({"expression": "item.text == ''"}, RuleSpec("r", "1", ExpressionSpec("item.text == ''"))),
        ({"function": "a.b:c"}, RuleSpec("r", "1", FunctionSpec("a.b:c"))),
        ({"regex": "a", "reviewShare": 0.2}, RuleSpec("r", "1", RegexSpec("a"), review_share=0.2)),
    ],
)
def test_a_rule_arrives_as_it_was_sent(fields: dict[str, Any], want: RuleSpec) -> None:
    source = RuleSource.model_validate({"name": "r", "label": "1", **fields})

    assert rule_specs([rule_message(source)]) == (want,)
    assert rule_spec(source) == want  # as a file of rules is read


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"gazetteer": {"uri": "t.csv"}}, GazetteerSpec("t.csv")),
        ({"gazetteer": {"uri": "t.csv", "wholeWords": False}}, GazetteerSpec("t.csv", whole_words=False)),
        ({"wordNet": {"uri": "dict", "synsets": {"1": "one.n.01"}}}, WordNetSpec("dict", {"1": "one.n.01"})),
        ({"wikipedia": {"uri": "d.xml", "categories": {"1": "One"}}}, WikipediaSpec("d.xml", {"1": "One"})),
    ],
)
def test_a_knowledge_base_arrives_as_it_was_sent(fields: dict[str, Any], want: Any) -> None:
    source = KnowledgeBaseSource.model_validate({"name": "k", **fields})

    assert knowledge_base_specs([knowledge_base_message(source)]) == (KnowledgeBaseSpec("k", want),)
    assert knowledge_base_spec(source) == KnowledgeBaseSpec("k", want)


def test_a_file_of_rules_stands_in_the_place_that_names_it() -> None:
    own, *files = with_rules().build().spec.sources.rules

    assert rule_entries([rule_message(each) for each in (files[0], own, files[1])]) == (
        RuleFile("team-rules", "rules.yaml"),
        RuleSpec("own", "1", RegexSpec("one")),
        RuleFile("team-rules", "more.yaml"),
    )


@pytest.mark.parametrize(
    ("named", "want"),
    [
        (pb.RuleFile(config_map="a"), "rules[0].file.key '' is no name of a key"),
        (pb.RuleFile(key="a"), "rules[0].file.config_map '' is no name of a config map"),
        (pb.RuleFile(config_map="..", key="a"), "rules[0].file.config_map '..' is no name of a config map"),
        (pb.RuleFile(config_map="a", key="../../token"), "rules[0].file.key '../../token' is no name of a key"),
    ],
)
def test_a_file_that_lies_elsewhere_is_refused(named: pb.RuleFile, want: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rule_entries([pb.Rule(name="r", file=named)])
    assert str(caught.value) == want


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        (pb.Rule(label="1", regex="a"), "rules[0].name must have 1 to 253 characters"),
        (pb.Rule(name="r"), "rules[0]: none of regex, keywords, metadata, expression and function is set: set one"),
        (
            pb.Rule(name="r", keywords=pb.Keywords()),
            "rules[0].keywords: any and all must name from 1 to 1000 words each",
        ),
        (
            pb.Rule(name="r", metadata=pb.Comparison(field="f", comparison="Like")),
            "rules[0].metadata.comparison 'Like' is none of Equal, Greater, GreaterOrEqual, Less, ",
        ),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: pb.Rule, want: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rule_specs([rule])
    assert str(caught.value).startswith(want)


@pytest.mark.parametrize(
    ("base", "want"),
    [
        (pb.KnowledgeBase(name="k"), "knowledge_bases[0]: none of gazetteer, word_net and wikipedia is set: set one"),
        (pb.KnowledgeBase(name="k", gazetteer=pb.Gazetteer()), "knowledge_bases[0]: uri must be set"),
        (
            pb.KnowledgeBase(name="k", word_net=pb.WordNet(uri="d")),
            "knowledge_bases[0].word_net.synsets must have from 1 to 1000 entries",
        ),
    ],
)
def test_a_knowledge_base_that_says_nothing_is_refused(base: pb.KnowledgeBase, want: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        knowledge_base_specs([base])
    assert str(caught.value) == want


def test_more_than_the_bounds_are_refused() -> None:
    with pytest.raises(InvalidInput, match="rules must be at most 1000, got 1001"):
        rule_specs([pb.Rule(name="r", regex="a")] * 1001)
    with pytest.raises(InvalidInput, match="knowledge_bases must be at most 20, got 21"):
        knowledge_base_specs([pb.KnowledgeBase()] * 21)


RULE = {"name": "r", "label": "1", "regex": "one"}


def test_every_vote_is_told_the_rules_as_they_are_now() -> None:
    job = make_job().having("spec.sources.rules", [RULE]).having("spec.dataset.metadataFields", ["year"])
    world = PlannedWorld(job.with_budget(votes=30).build())
    world.play()

    messages = [request.message for request in world.started if request.stage is Stage.VOTE]
    assert len(messages) > 1
    assert all([rule.name for rule in each.rules] == ["r"] for each in messages)
    assert all(list(each.metadata_fields) == ["year"] for each in messages)


def test_a_change_of_the_rules_is_a_condition_until_a_round_without_one() -> None:
    world = PlannedWorld(make_job().having("spec.sources.rules", [RULE]).with_budget(votes=300).build())
    world.results[Stage.VOTE] = lambda number: {"rule_change": "changed: r"} if number == 1 else {}

    world.reach(Stage.VOTE, 1)
    assert find_condition(world.job.status.conditions, ConditionType.RULES_CHANGED) is None
    world.reach(Stage.SELECT, 1)
    assert world.condition(ConditionType.RULES_CHANGED) == (
        "True",
        "RulesMeasured",
        "round 1: changed: r. This counts from now on",
    )
    world.reach(Stage.SELECT, 2)
    status, reason, _ = world.condition(ConditionType.RULES_CHANGED)
    assert (status, reason) == ("False", "RulesUnchanged")
    told = [event for event in world.events if event.reason in {"RulesMeasured", "RulesUnchanged"}]
    assert [(event.reason, event.is_warning) for event in told] == [("RulesMeasured", False), ("RulesUnchanged", False)]


def test_select_is_told_the_rounds_own_shares_of_rules_that_people_look_at() -> None:
    world = PlannedWorld(make_job().having("spec.sources.rules", [RULE]).with_budget(votes=300).build())
    world.results[Stage.VOTE] = lambda number: {"review_shares": "shares-1.json"} if number == 1 else {}
    world.play()

    told = {
        request.message.round.number: request.message.review_shares_ref
        for request in world.started
        if request.stage is Stage.SELECT
    }
    assert len(told) > 2
    assert told.pop(1) == "shares-1.json"
    assert set(told.values()) == {""}


def test_labels_of_rules_alone_are_enough_to_train_on() -> None:
    world = PlannedWorld(make_job().having("spec.sources.rules", [RULE]).with_budget(votes=30).build())
    world.figures[Stage.AGGREGATE] = lambda number: {"labelled": 10 * number, "voted": 900, "min_class_count": 50}
    world.play()

    assert "Train/0" in world.stages()
    assert world.job.status.rounds[0].labelled == 0


def test_a_job_that_asks_nobody_runs_one_round_and_ends() -> None:
    world = PlannedWorld(make_job().having("spec.sources", {"rules": [RULE]}).build())
    world.figures[Stage.AGGREGATE] = lambda _: {"labelled": 0, "voted": 900, "min_class_count": 50}
    world.play()

    assert world.stages() == ["Prepare/0", "Vote/0", "Aggregate/0", "Train/0", "Score/0", "Finalize/0"]
    complete = find_condition(world.job.status.conditions, "Complete")
    assert complete is not None
    assert (complete.reason, complete.message) == (
        "NobodyAsked",
        "no person is asked (spec.sources.humans): one round of rules and training is all",
    )


def test_on_a_cluster_every_vote_is_told_the_files_of_rules() -> None:
    world = PlannedWorld(with_rules().with_budget(votes=30).build(), installation=CLUSTER)
    world.play()

    messages = [request.message for request in world.started if request.stage is Stage.VOTE]
    assert len(messages) > 1
    assert all(
        [rule.file.config_map for rule in each.rules][1:] == ["team-rules"] * 2 + ["shared.rules"] for each in messages
    )


def test_on_one_machine_a_config_map_that_is_not_read_is_refused_and_not_ignored() -> None:
    rules = [RULE, {"name": "team", "configMap": {"name": "rules"}}]
    world = PlannedWorld(make_job().having("spec.sources.rules", rules).build())
    world.play()

    accepted = find_condition(world.job.status.conditions, "Accepted")
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "NotSupported")
    assert "spec.sources.rules[1].configMap" in accepted.message

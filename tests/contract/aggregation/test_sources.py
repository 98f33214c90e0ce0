"""Rules and knowledge bases in the stages, over real gRPC."""

import asyncio
from typing import Any

import pytest
from aggregation_world import (
    Service,
    World,
    aggregate,
    finalize,
    prepare,
    read_json,
    vote,
    vote_stage,
    write_scores,
)
from vote_tables import make_votes

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.task.v1 import task_pb2
from labelplane_core.tables import (
    INDEX,
    LABELS,
    POSTERIORS,
    RELIABILITIES,
    RULE_DIAGNOSTICS,
    VOTES,
    TableManifest,
    write_table,
)

ROWS = [
    ("a", "the cat purrs", ""),
    ("b", "a dog barks", ""),
    ("c", "cat and dog", ""),
    ("d", "nothing here", ""),
    ("g", "a golden cat", "cat"),
    ("h", "a golden dog", "cat"),
]
CAT = pb.Rule(name="cats", label="cat", regex="cat")
DOG = pb.Rule(name="dogs", label="dog", keywords=pb.Keywords(any=["dog"]), priority=1)
SILENT = pb.Rule(name="birds", label="dog", expression="item.text.contains('bird') && item.meta.page > 1")
TERMS = pb.KnowledgeBase(name="sounds", gazetteer=pb.Gazetteer(uri="terms.csv"))
WORDNET = pb.WordNet(uri="dict", synsets={"cat": "cat.n.01"})
ALL = {"rules": [CAT, DOG, SILENT], "knowledge_bases": [TERMS], "metadata_fields": ["page"]}


async def prepared(world: World) -> Service:
    world.write_csv(["id,text,gold,page", *(f"{item},{text},{gold},7" for item, text, gold in ROWS)])
    world.write_csv(["term,class,weight", "purrs,cat,1", "barks,dog,3", "barks,cat,1"], name="terms.csv")
    service = await world.start()
    await service.run(
        "StartPrepare", prepare(gold_field="gold", gold_gate_share=1.0, index="items.csv", metadata_fields=["page"])
    )
    return service


async def voted(service: Service, number: int = 0, previous: str = "", **sources: Any) -> Any:
    return await service.run("StartVote", vote_stage(number, previous, **(ALL | sources)))


async def rows_of(service: Service, ref: str) -> list[tuple[str, str, str, float]]:
    votes = (await service.tables.read(ref, VOTES)).to_pylist()
    return sorted(
        (row["item_id"], row["annotator"], row["answer"], row["weight"]) for row in votes if not row["retracted"]
    )


def source_parts(world: World, manifest: str) -> list[str]:
    return [part["key"] for part in read_json(world.out / manifest)["parts"] if "/part-" in part["key"]]


async def test_rules_and_knowledge_bases_vote_on_every_item(world: World) -> None:
    service = await prepared(world)

    operation = await voted(service)

    assert await rows_of(service, operation.results["votes"]) == [
        ("a", "cats", "cat", 1.0),
        ("a", "sounds", "cat", 1.0),
        ("b", "dogs", "dog", 1.0),
        ("b", "sounds", "cat", 0.25),
        ("b", "sounds", "dog", 0.75),
        ("c", "dogs", "dog", 1.0),  # the higher priority votes alone
        ("g", "cats", "cat", 1.0),
        ("h", "dogs", "dog", 1.0),
    ]
    assert (operation.figures["people_votes"], operation.figures["source_votes"]) == (0, 9)


async def test_votes_of_rules_are_not_votes_of_people(world: World) -> None:
    service = await prepared(world)
    await service.submit(vote("v1", "a", "ann", "cat"), vote("v2", "d", "ann", "dog"), vote("v3", "d", "bob", "dog"))

    operation = await voted(service)
    aggregated = await service.run("StartAggregate", aggregate(0, operation.results["votes"]))

    assert (operation.figures["people_votes"], operation.figures["new_votes"]) == (3, 3)
    assert (aggregated.figures["labelled"], aggregated.figures["voted"]) == (2, 6)
    assert "gate_accuracy" not in aggregated.figures  # nobody has voted on gold
    assert (await service.progress()).votes == 3


async def test_a_change_of_the_rules_is_measured_on_a_sample(world: World) -> None:
    service = await prepared(world)
    first = await voted(service)
    golden = pb.Rule(name="cats", label="cat", regex="golden")
    nothing = pb.Rule(name="nothing", label="dog", regex="nothing")

    second = await voted(service, 1, first.results["votes"], rules=[golden, DOG, nothing])
    third = await voted(service, 2, second.results["votes"], rules=[golden, DOG, nothing])

    assert "rule_change" not in first.results  # the first rules of a job change nothing
    assert second.results["rule_change"] == (
        "changed: cats; new: nothing; gone: birds. On 6 items drawn at random they cover 83.3 % -> 100.0 %, and "
        "disagree on 16.7 % -> 16.7 %; of the labels that they give alone 0 change, 1 are new and 0 are lost"
    )
    assert (second.figures["canary_items"], second.figures["canary_new"]) == (6, 1)
    assert second.figures["canary_coverage_after"] == 1
    assert "rule_change" not in third.results
    assert "canary_items" not in third.figures


async def test_a_sample_is_drawn_from_blocks_all_over_the_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelplane_aggregation.source_voting._SAMPLE_ITEMS", 20)
    monkeypatch.setattr("labelplane_aggregation.source_voting._SAMPLE_BLOCKS", 2)
    world.write_csv(["id,text", *(f"i{row:04d},{'cat' if row < 8000 else 'dog'}" for row in range(10_000))])
    service = await world.start()
    await service.run("StartPrepare", prepare(index="items.csv"))
    plain = {"knowledge_bases": [], "metadata_fields": []}
    first = await voted(service, rules=[CAT], **plain)

    second = await voted(service, 1, first.results["votes"], rules=[CAT, DOG], **plain)

    figures = second.figures
    assert figures["canary_items"] == 20
    assert (figures["canary_coverage_before"], figures["canary_coverage_after"]) == (
        0.5,
        1,
    )  # the first block, the last


async def test_shares_of_rules_that_people_look_at_are_handed_on_and_shape_no_vote(world: World) -> None:
    service = await prepared(world)
    first = await voted(service)
    looked_at = pb.Rule(name="cats", label="cat", regex="cat", review_share=0.25)

    second = await voted(service, 1, first.results["votes"], rules=[looked_at, DOG, SILENT])

    assert "review_shares" not in first.results
    assert read_json(world.out / second.results["review_shares"])["shares"] == {"cats": 0.25}
    assert source_parts(world, second.results["votes"]) == source_parts(world, first.results["votes"])


async def test_unchanged_rules_are_not_voted_again(world: World) -> None:
    service = await prepared(world)
    first = await voted(service)
    before = {path: path.stat().st_mtime_ns for path in (world.out / "votes").rglob("*") if path.is_file()}

    second = await voted(service, 1, first.results["votes"])

    assert source_parts(world, second.results["votes"]) == source_parts(world, first.results["votes"])
    assert {path: path.stat().st_mtime_ns for path in (world.out / "votes").rglob("*") if path.is_file()} == before


async def test_a_changed_rule_votes_anew_and_a_removed_one_counts_no_more(world: World) -> None:
    service = await prepared(world)
    first = await voted(service)

    changed = pb.Rule(name="cats", label="cat", regex="golden")
    second = await voted(service, 1, first.results["votes"], rules=[changed, DOG], knowledge_bases=[])

    assert await rows_of(service, second.results["votes"]) == [
        ("b", "dogs", "dog", 1.0),
        ("c", "dogs", "dog", 1.0),
        ("g", "cats", "cat", 1.0),
        ("h", "dogs", "dog", 1.0),
    ]
    third = await voted(service, 2, second.results["votes"])
    assert source_parts(world, third.results["votes"]) == source_parts(world, first.results["votes"])


TEAM = pb.Rule(name="team", file=pb.RuleFile(config_map="team", key="rules.yaml"))
TEAM_FILE = """\
rules:
  - { name: dogs, label: dog, keywords: { any: [dog] }, priority: 1 }
  - { name: birds, label: dog, expression: "item.text.contains('bird') && item.meta.page > 1" }
knowledgeBases:
  - { name: sounds, gazetteer: { uri: terms.csv } }
"""


async def test_a_file_of_rules_votes_as_its_rules_in_the_request_do(world: World) -> None:
    service = await prepared(world)
    told = await voted(service)
    world.write_rules("team", TEAM_FILE)

    read = await voted(service, 1, rules=[CAT, TEAM], knowledge_bases=[])

    assert source_parts(world, read.results["votes"]) == source_parts(world, told.results["votes"])
    assert read.figures["source_votes"] == told.figures["source_votes"]
    assert "rule_files" not in told.results


async def test_a_file_that_changes_counts_from_the_next_vote_and_is_kept_as_it_was(world: World) -> None:
    service = await prepared(world)
    world.write_rules("team", TEAM_FILE)
    first = await voted(service, rules=[TEAM], knowledge_bases=[])
    world.write_rules("team", TEAM_FILE.replace("any: [dog]", "any: [cat]"))

    second = await voted(service, 1, first.results["votes"], rules=[TEAM], knowledge_bases=[])
    world.write_rules("team", TEAM_FILE)
    third = await voted(service, 2, second.results["votes"], rules=[TEAM], knowledge_bases=[])

    dogs = [row[0] for row in await rows_of(service, second.results["votes"]) if row[1] == "dogs"]
    assert dogs == ["a", "c", "g"]
    assert source_parts(world, third.results["votes"]) == source_parts(world, first.results["votes"])
    kept = [read_json(world.out / each.results["rule_files"])["files"] for each in (first, second, third)]
    assert kept[0] == kept[2] == [{"config_map": "team", "key": "rules.yaml", "text": TEAM_FILE}]
    assert "any: [cat]" in kept[1][0]["text"]


@pytest.mark.parametrize(
    ("text", "want_reason", "want"),
    [
        pytest.param(
            "rules:\n  - { name: r, label: dog, regexp: a }\n",
            "BadRuleFile",
            "ConfigMap team, rules.yaml:2:36: rules[0].regexp: unknown field: did you mean regex?",
            id="a misspelt field",
        ),
        pytest.param(
            "rules:\n  - { name: r, label: bird, regex: a }\n",
            "BadRule",
            "ConfigMap team, rules.yaml:2:23: rule 'r': label: 'bird' is no class of the task: take one of cat, dog",
            id="an unknown class",
        ),
        pytest.param(
            "rules:\n  - { name: cats, label: cat, regex: a }\n",
            "BadRule",
            "ConfigMap team, rules.yaml:2:13: rule 'cats': name: two rules have this name: rename one",
            id="a name that the job has, too",
        ),
        pytest.param(
            "rules:\n" + "".join(f"  - {{ name: r{n}, label: cat, regex: a }}\n" for n in range(200)),
            "BadRuleFile",
            "ConfigMap team, rules.yaml: with it the job has 201 rules: 200 are the most",
            id="too many rules",
        ),
        pytest.param("a: [", "BadRuleFile", "ConfigMap team, rules.yaml:1: is no YAML", id="no YAML"),
    ],
)
async def test_a_file_that_cannot_be_taken_ends_the_stage_with_its_line(
    world: World, text: str, want_reason: str, want: str
) -> None:
    service = await prepared(world)
    world.write_rules("team", text)

    error = await service.fail("StartVote", vote_stage(0, **(ALL | {"rules": [CAT, TEAM]})))

    assert (error.reason, error.retryable) == (want_reason, False)
    assert error.message.startswith(want)


async def test_a_file_that_is_not_there_yet_is_worth_another_try(world: World) -> None:
    service = await prepared(world)

    error = await service.fail("StartVote", vote_stage(0, **(ALL | {"rules": [TEAM]})))
    world.write_rules("team", TEAM_FILE)
    operation = await service.run(
        "StartVote", vote_stage(0, attempt=2, **(ALL | {"rules": [TEAM], "knowledge_bases": []}))
    )

    assert (error.reason, error.retryable) == ("MissingRuleFile", True)
    assert error.message.startswith("ConfigMap team, rules.yaml: cannot be read (No such file or directory): see that")
    assert operation.figures["source_votes"] > 0


async def test_changed_terms_vote_anew(world: World) -> None:
    service = await prepared(world)
    first = await voted(service)
    world.write_csv(["term,class", "nothing,dog"], name="terms.csv")

    second = await voted(service, 1, first.results["votes"])

    rows = await rows_of(service, second.results["votes"])
    assert [row for row in rows if row[1] == "sounds"] == [("d", "sounds", "dog", 1.0)]


async def test_each_rule_is_measured(world: World) -> None:
    service = await prepared(world)
    operation = await voted(service)

    aggregated = await service.run("StartAggregate", aggregate(0, operation.results["votes"]))

    table = await service.tables.read(aggregated.results["rule_diagnostics"], RULE_DIAGNOSTICS)
    rows = {row["annotator"]: row for row in table.to_pylist()}
    assert {name: (row["hits"], row["conflicts"], row["outvoted"]) for name, row in rows.items()} == {
        "cats": (3, 1, 1),
        "dogs": (3, 1, 0),
        "birds": (0, 0, 0),
        "sounds": (2, 0, 0),
    }
    assert {name: (row["gold_right"], row["gold_hits"]) for name, row in rows.items()} == {
        "cats": (1, 1),
        "dogs": (0, 1),
        "birds": (0, 0),
        "sounds": (0, 0),
    }
    assert aggregated.results["silent"] == "birds"
    figures = aggregated.figures
    assert figures["rule_coverage"] == pytest.approx(5 / 6)
    assert figures["rule_conflict"] == pytest.approx(1 / 6)
    assert figures["silent_rules"] == 1
    assert "gate_accuracy" in figures  # nobody has voted, so rules are all there is to measure
    reliabilities = await service.tables.read(aggregated.results["reliabilities"], RELIABILITIES)
    assert {row["annotator"]: row["source"] for row in reliabilities.to_pylist()} == {
        "cats": "rules",
        "dogs": "rules",
        "sounds": "knowledge-bases",
    }


async def test_items_that_rules_alone_have_voted_on_are_not_human(world: World) -> None:
    service = await prepared(world)
    await service.submit(vote("v1", "d", "ann", "dog"))
    operation = await voted(service)
    scores = await write_scores(service, {item: [0.0, 4.0] if item == "a" else [0.1, 0.0] for item, _, _ in ROWS})

    final = await service.run(
        "StartFinalize",
        finalize(
            0,
            operation.results["votes"],
            model_predictions=pb.ModelPredictions(scores_ref=scores),
            acceptance=pb.Acceptance(enabled=False),
            provenance=pb.Provenance(price_per_vote=2.0),
        ),
    )

    labels = {row["item_id"]: row for row in (await service.tables.read(final.results["labels"], LABELS)).to_pylist()}
    assert {item: row["state"] for item, row in labels.items()} == {
        "a": "predicted",
        "b": "predicted",
        "c": "predicted",
        "d": "human",
        "g": "human",
        "h": "human",
    }
    assert (labels["b"]["n_votes"], labels["d"]["n_votes"]) == (3, 1)  # a split vote is counted as its parts
    assert final.figures["human"] == 3
    report = world.report()
    assert "Rules and knowledge bases" in report
    assert "sounds" in report


async def test_vote_that_is_killed_at_a_write_ends_the_same(world: World) -> None:
    service = await prepared(world)
    whole = await voted(service)
    want = read_json(world.out / whole.results["votes"])["digest"]
    for number, key in enumerate(["members.json", "part-", "vote/1/manifest"], start=1):
        changed = {"rules": [CAT, pb.Rule(name="dogs", label="dog", regex=f"dog|{number}")]}
        service.store.die_at(key, after=number % 2 == 0)
        playing = asyncio.create_task(voted(service, number, whole.results["votes"], **changed))
        await asyncio.wait_for(service.store.died.wait(), timeout=30)
        await world.kill(service)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        service = await world.start()

        again = await voted(service, number, whole.results["votes"], **changed)

        assert again.takeovers == 1
        assert len(source_parts(world, again.results["votes"])) == 2
    last = await voted(service, 9, again.results["votes"])
    assert read_json(world.out / last.results["votes"])["digest"] == want


@pytest.mark.parametrize(
    ("sources", "want_reason", "want"),
    [
        pytest.param(
            {"rules": [pb.Rule(name="r", label="cat", regex="(")]},
            "BadRule",
            "rule 'r': regex: RE2 cannot read it (missing ): ()",
            id="a pattern with a typo",
        ),
        pytest.param(
            {"rules": [pb.Rule(name="r", label="bird", regex="a")]},
            "BadRule",
            "rule 'r': label: 'bird' is no class of the task: take one of cat, dog",
            id="an unknown class",
        ),
        pytest.param(
            {"rules": [pb.Rule(name="sounds", label="cat", regex="a")]},
            "BadRule",
            "rule 'sounds': name: a knowledge base has this name, too: rename one",
            id="one name for two",
        ),
        pytest.param(
            {"rules": [pb.Rule(name="r", label="cat", function="os:getcwd")]},
            "BadRule",
            "rule 'r': function: package 'os' is not trusted here (trusted: none): set LABELPLANE_TRUSTED_PACKAGES",
            id="a function that nobody trusts",
        ),
        pytest.param(
            {"knowledge_bases": [pb.KnowledgeBase(name="k", gazetteer=pb.Gazetteer(uri="no.csv"))]},
            "BadKnowledgeBase",
            "knowledge base 'k': there is no file 'no.csv' at '.': correct its uri",
            id="a gazetteer that is not there",
        ),
        pytest.param(
            {
                "knowledge_bases": [
                    pb.KnowledgeBase(name="k", word_net=pb.WordNet(uri="dict", synsets={"cat": "cat.n.01"}))
                ]
            },
            "BadKnowledgeBase",
            "knowledge base 'k': there is no file 'index.noun' at 'dict': correct its uri",
            id="no WordNet there",
        ),
        pytest.param(
            {"knowledge_bases": [pb.KnowledgeBase(name="k", gazetteer=pb.Gazetteer(uri="items.csv"))]},
            "BadKnowledgeBase",
            "knowledge base 'k': items.csv: no column 'term'",
            id="a table that is no gazetteer",
        ),
    ],
)
async def test_a_source_that_cannot_vote_ends_the_stage_with_one_clear_line(
    world: World, sources: dict[str, Any], want_reason: str, want: str
) -> None:
    service = await prepared(world)

    error = await service.fail("StartVote", vote_stage(0, **(ALL | sources)))

    assert error.reason == want_reason
    assert error.message.startswith(want)
    assert not error.retryable


async def test_an_empty_part_is_written_where_no_rule_votes(world: World) -> None:
    service = await prepared(world)

    operation = await voted(service, rules=[SILENT], knowledge_bases=[])
    aggregated = await service.run("StartAggregate", aggregate(0, operation.results["votes"]))

    manifest = TableManifest.from_json(
        (await service.store.get(operation.results["votes"])).data, VOTES, key="manifest"
    )
    index = await service.tables.read_manifest("dataset/manifest.json", INDEX)
    assert [part.block for part in manifest.parts] == list(index.blocks)
    assert (await service.tables.read(aggregated.results["posteriors"], POSTERIORS)).num_rows == 0
    assert aggregated.results["silent"] == "birds"


async def test_rules_of_images_vote_by_what_is_measured(world: World) -> None:
    for number, shade in enumerate((0, 255, 120)):
        world.write_image(f"x/{number}.png", shade)
    service = await world.start()
    images = task_pb2.Task(type="ImageClassification", classes=["cat", "dog"])
    await service.run("StartPrepare", prepare(task=images))
    bright = pb.Rule(name="red", label="cat", metadata=pb.Comparison(field="red", comparison="Greater", value="0.4"))

    request = vote_stage(0, rules=[bright])
    request.task.CopyFrom(images)
    operation = await service.run("StartVote", request)

    assert [row[0] for row in await rows_of(service, operation.results["votes"])] == ["x/1.png", "x/2.png"]


async def test_votes_of_an_unchanged_rule_are_copied_from_the_part_before(world: World) -> None:
    service = await prepared(world)
    first = await voted(service, knowledge_bases=[])
    key = source_parts(world, first.results["votes"])[0]
    marked = make_votes().vote("copied", item="d", annotator="cats", answer="cat", source="rules").build()
    (world.out / key).write_bytes(write_table(marked, VOTES, key=key))

    changed = pb.Rule(name="dogs", label="dog", regex="dog")
    second = await voted(service, 1, first.results["votes"], rules=[CAT, changed], knowledge_bases=[])

    rows = await rows_of(service, second.results["votes"])
    assert [row for row in rows if row[1] == "cats"] == [("d", "cats", "cat", 1.0)]
    assert [row[0] for row in rows if row[1] == "dogs"] == ["b", "c", "h"]


async def test_votes_of_other_sources_are_kept_and_are_not_peoples(world: World) -> None:
    service = await prepared(world)
    model = make_votes().vote("m1", item="a", annotator="student", answer="cat", source="student").build()
    before = await service.tables.write_table(
        model, VOTES, part_key="votes/student/00000001.parquet", manifest_key="votes/student/manifest.json"
    )
    await service.submit(vote("v1", "b", "ann", "dog"))

    operation = await voted(service, 1, before, rules=[], knowledge_bases=[])

    assert operation.figures["people_votes"] == 1
    assert [row[1] for row in await rows_of(service, operation.results["votes"])] == ["student", "ann"]

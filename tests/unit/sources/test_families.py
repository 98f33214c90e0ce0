import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_cases import CLASSES, TEXTS, block, rule

from labelplane_aggregation.sources import (
    Ballots,
    Family,
    GazetteerSpec,
    ItemBlock,
    KnowledgeBase,
    KnowledgeBaseSpec,
    Known,
    VoteSource,
)
from labelplane_core.tables import KNOWLEDGE_BASES, RULES, VOTES, current_votes, table_digest

ITEMS = block("a cat eats", "an oat plant", "a cat plant", "nothing")


def family(*members: VoteSource) -> Family:
    return Family(RULES, members, CLASSES)


def said(votes: object) -> list[tuple[str, str, str]]:
    rows = votes.to_pylist()  # type: ignore[attr-defined]
    return sorted((row["item_id"], row["annotator"], row["answer"]) for row in rows)


CAT = rule("cat", name="cat")
PLANT = rule("plant", name="plant", label="plant")


def test_votes_have_the_rule_as_annotator_and_can_be_told_from_those_of_people() -> None:
    votes = family(CAT, PLANT).vote(ITEMS, number=3)

    assert votes.schema.equals(VOTES.columns)
    assert set(votes.column("source").to_pylist()) == {RULES}
    assert said(votes) == [
        ("i0", "cat", "animal"),
        ("i1", "plant", "plant"),
        ("i2", "cat", "animal"),
        ("i2", "plant", "plant"),
    ]
    assert len(set(votes.column("vote_id").to_pylist())) == 4
    assert not any(votes.column("retracted").to_pylist())


def test_voting_again_gives_the_same_rows_to_the_bit() -> None:
    votes = [family(rule("cat"), rule("oat", name="oat")).vote(ITEMS, number=0) for _ in range(2)]

    assert table_digest(votes[0], VOTES) == table_digest(votes[1], VOTES)


def test_the_higher_of_two_rules_that_disagree_votes_alone() -> None:
    high = rule("plant", name="plant", label="plant", priority=5)
    eats = rule("eats", name="eats", label="animal", priority=5)

    votes = family(CAT, high, eats).vote(ITEMS, number=0)

    assert said(current_votes(votes)) == [
        ("i0", "cat", "animal"),  # the higher one agrees
        ("i0", "eats", "animal"),
        ("i1", "plant", "plant"),
        ("i2", "plant", "plant"),
    ]
    assert len(votes) == 5


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(CLASSES), st.integers(-2, 2)), min_size=1, max_size=12))
def test_a_vote_stands_exactly_when_no_higher_one_contradicts_it(rows: list[tuple[int, str, int]]) -> None:
    members = [
        rule(f"^{item}$", name=f"r{number}", label=label, priority=priority)
        for number, (item, label, priority) in enumerate(rows)
    ]
    votes = family(*members).vote(block("0", "1", "2"), number=0)
    want = {
        f"r{number}"
        for number, (item, label, priority) in enumerate(rows)
        if not any(other[0] == item and other[1] != label and other[2] > priority for other in rows)
    }

    assert set(current_votes(votes).column("annotator").to_pylist()) == want


def test_only_rules_that_changed_vote_again() -> None:
    old = family(CAT, PLANT, rule("oat", name="gone", label="food"))
    known = Known(old.vote(ITEMS, number=0), old.digests)
    changed = rule("nothing", name="plant", label="plant")

    class Silent:
        name, digest, priority, reads_pixels = CAT.name, CAT.digest, 0, False

        def prepare(self) -> None:
            raise AssertionError("it has nothing to do")

        def vote(self, block: ItemBlock) -> Ballots:
            raise AssertionError("it has voted before")

    votes = family(Silent(), changed).vote(ITEMS, number=0, known=known)

    assert table_digest(votes, VOTES) == table_digest(family(CAT, changed).vote(ITEMS, number=0), VOTES)


def test_a_vote_that_had_yielded_counts_again_when_the_higher_rule_is_gone() -> None:
    old = family(CAT, rule("plant", name="plant", label="plant", priority=1))
    known = Known(old.vote(ITEMS, number=0), old.digests)

    votes = family(CAT).vote(ITEMS, number=0, known=known)

    assert said(current_votes(votes)) == [("i0", "cat", "animal"), ("i2", "cat", "animal")]


def test_the_digest_of_a_family_changes_with_all_that_shapes_its_votes() -> None:
    families = [
        family(CAT),
        family(CAT, PLANT),
        family(rule("cat", name="cat", priority=1)),
        family(rule("cat", name="other")),
        Family(RULES, (CAT,), (*CLASSES, "person")),
        Family(KNOWLEDGE_BASES, (CAT,), CLASSES),
    ]
    digests = [each.digest("index") for each in families] + [family(CAT).digest("other index")]

    assert all(one != other for one, other in itertools.combinations(digests, 2))
    assert family(CAT).digest("index") == digests[0]


@pytest.mark.parametrize("text", ["cat and oat"])
def test_a_split_vote_is_two_rows_with_ids_of_their_own(text: str) -> None:
    spec = KnowledgeBaseSpec("kb", GazetteerSpec("t.csv"))
    source = KnowledgeBase(spec, {"": b"term,class,weight\ncat,animal,3\noat,plant,1\n"}, TEXTS)

    votes = Family(KNOWLEDGE_BASES, (source,), CLASSES).vote(block(text), number=0)

    assert votes.column("answer").to_pylist() == ["animal", "plant"]
    assert votes.column("weight").to_pylist() == [0.75, 0.25]
    assert len(set(votes.column("vote_id").to_pylist())) == 2


def test_a_family_without_a_vote_gives_an_empty_table() -> None:
    assert family(rule("zebra")).vote(ITEMS, number=0).num_rows == 0
    assert family().vote(ITEMS, number=0).num_rows == 0

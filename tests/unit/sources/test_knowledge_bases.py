import bz2
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_cases import CLASSES, IMAGES, TEXTS, block, hits

from labelplane_aggregation.errors import BadKnowledgeBase
from labelplane_aggregation.sources import (
    GazetteerSpec,
    KnowledgeBase,
    KnowledgeBaseSpec,
    WikipediaSpec,
    WordNetSpec,
    needed_files,
)
from labelplane_aggregation.sources.terms import TermFinder, Terms, _Alphabet

INDEX_NOUN = """  1 licence
animal n 1 1 ~ 1 1 00000050
plant n 2 1 ~ 2 1 00000300 00000400
"""


def gazetteer(text: str, *, name: str = "terms.csv", whole_words: bool = True) -> KnowledgeBase:
    spec = KnowledgeBaseSpec("kb", GazetteerSpec(f"s3://bucket/{name}", whole_words=whole_words))
    return KnowledgeBase(spec, {"": text.encode()}, TEXTS)


def votes(source: KnowledgeBase, *texts: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = [{} for _ in texts]
    ballots = source.vote(block(*texts))
    for row, answer, weight in zip(ballots.rows, ballots.answers.to_pylist(), ballots.weights, strict=True):
        found[row][answer] = round(float(weight), 6)
    return found


def test_a_text_with_terms_of_one_class_is_a_vote_for_it() -> None:
    source = gazetteer("term,class\ncat,animal\nblue whale,animal\nwhale,food\noat,plant\n")

    assert votes(source, "The Cat sat.", "A BLUE  WHALE!", "a whale", "nothing", "a goat") == [
        {"animal": 1.0},
        {"animal": 1.0},  # the longest term wins over the one inside it
        {"food": 1.0},
        {},
        {},
    ]


def test_an_ambiguous_text_splits_its_vote_by_the_weights() -> None:
    source = gazetteer("term,class,weight\ncat,animal,3\noat,plant,\nplum,food,1\nplum,plant,1\nvoid,food,0\n")

    assert votes(source, "cat and oat", "a plum", "cat cat oat", "void") == [
        {"animal": 0.75, "plant": 0.25},
        {"food": 0.5, "plant": 0.5},
        {"animal": 0.857143, "plant": 0.142857},  # twice the same term weighs twice
        {},
    ]


def test_terms_are_found_in_parts_of_words_when_asked() -> None:
    assert votes(gazetteer("term,class\ncat,animal\n", whole_words=False), "concatenate", "CAT") == [
        {"animal": 1.0},
        {"animal": 1.0},
    ]


def test_terms_that_follow_each_other_are_all_found() -> None:
    assert votes(gazetteer("term,class\ncat,animal\noat,plant\n"), "cat oat cat") == [
        {"animal": 0.666667, "plant": 0.333333}
    ]


def test_gazetteers_are_read_by_their_ending() -> None:
    assert votes(gazetteer('{"term": "cat", "class": "animal"}\n', name="t.jsonl"), "a cat") == [{"animal": 1.0}]


@given(st.lists(st.text(alphabet="ab c", min_size=1, max_size=6), min_size=1, max_size=8), st.text("ab c", max_size=30))
def test_the_automaton_finds_what_a_search_for_the_longest_finds(terms: list[str], text: str) -> None:
    finder = TermFinder(
        Terms(terms, np.zeros(len(terms), np.int64), np.ones(len(terms))), whole_words=True, n_classes=1
    )
    words, patterns = text.split(), {tuple(term.split()): 0 for term in terms if term.split()}
    multiplicity = [tuple(term.split()) for term in terms]
    want, place = 0, 0
    while place < len(words):
        fitting = [each for each in patterns if tuple(words[place : place + len(each)]) == each]
        longest = max(fitting, key=len, default=())
        want += multiplicity.count(longest) if longest else 0
        place += len(longest) or 1

    assert finder.scores(block(text))[0, 0] == want


@pytest.mark.parametrize(
    ("name", "text", "want"),
    [
        ("terms.csv", "", "terms.csv: the gazetteer is empty: give it terms, or leave it out"),
        ("terms.csv", "term,class\n", "terms.csv: the gazetteer is empty: give it terms, or leave it out"),
        ("terms.csv", "term,kind\ncat,animal\n", "terms.csv: no column 'class'; there are 'term', 'kind'"),
        ("terms.csv", "term,class\ncat,animl\n", "terms.csv:2: class 'animl' is no class of the task: correct it"),
        ("terms.csv", "term,class\n ,animal\n", "terms.csv:2: the term is empty: remove the row"),
        (
            "terms.csv",
            "term,class,weight\ncat,animal,1\ndog,animal,nan\n",
            "terms.csv:3: weight 'nan' is no number of at least 0: correct it",
        ),
        (
            "terms.csv",
            "term,class,weight\ncat,animal,-1\n",
            "terms.csv:2: weight '-1' is no number of at least 0: correct it",
        ),
        (
            "terms.csv",
            "term,class,weight\ncat,animal,much\n",
            "terms.csv:2: weight 'much' is no number of at least 0: correct it",
        ),
        ("terms.jsonl", "{\n", "terms.jsonl:1: not JSON"),
        ("terms.txt", "cat", "terms.txt: a table ends in one of .csv, .jsonl, .ndjson, .parquet"),
    ],
)
def test_a_gazetteer_that_cannot_be_read_is_told_with_file_and_line(name: str, text: str, want: str) -> None:
    with pytest.raises(BadKnowledgeBase) as caught:
        gazetteer(text, name=name).prepare()
    assert str(caught.value).startswith(f"knowledge base 'kb': {want}")


def test_knowledge_bases_look_into_texts_only() -> None:
    with pytest.raises(BadKnowledgeBase, match="the items are images: leave it out"):
        KnowledgeBase(KnowledgeBaseSpec("kb", GazetteerSpec("t.csv")), {"": b""}, IMAGES)


def test_the_digest_changes_with_the_terms_and_how_they_are_matched() -> None:
    text = "term,class\ncat,animal\n"
    digests = {
        gazetteer(text).digest,
        gazetteer(text + "dog,animal\n").digest,
        gazetteer(text, whole_words=False).digest,
    }

    assert len(digests) == 3
    assert gazetteer(text).digest == gazetteer(text).digest
    assert gazetteer(text).priority == 0


# -- WordNet ----------------------------------------------------------------------------------------------------------


def synset(offset: int, words: str, *below: int, kind: str = "~") -> bytes:
    """Write a line of a data file, as wndb(5WN) has it, at its offset."""
    names = words.split()
    fields = [f"{offset:08d}", "05", "n", f"{len(names):02x}"]
    fields += [field for name in names for field in (name, "0")]
    fields += [f"{len(below) + 1:03d}", "@", "00000050", "n", "0000"]
    fields += [field for at in below for field in (kind, f"{at:08d}", "n", "0000")]
    return (" ".join(fields) + " | a gloss ~ 00000050\n").encode()


def wordnet_files() -> dict[str, bytes]:
    data = b"  1 licence".ljust(49) + b"\n"
    for offset, line in (
        (50, synset(50, "animal fauna", 300)),
        (300, synset(300, "dog domestic_dog", 400)),
        (400, synset(400, "Rex", 300, kind="~i")),  # a circle: it must end all the same
    ):
        data = data.ljust(offset - 1) + b"\n" * (offset > len(data)) + line
    return {"index.noun": INDEX_NOUN.encode(), "data.noun": data}


def wordnet(synsets: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> KnowledgeBase:
    spec = KnowledgeBaseSpec("kb", WordNetSpec("s3://bucket/wordnet", synsets))
    return KnowledgeBase(spec, wordnet_files() if files is None else files, TEXTS)


def test_wordnet_gives_the_words_of_a_synset_and_of_all_below_it() -> None:
    assert hits(wordnet({"animal": "animal.n.01"}), block("Fauna", "a domestic dog", "rex!", "plant")) == [0, 1, 2]


def test_wordnet_needs_the_files_of_the_parts_of_speech_that_are_named() -> None:
    spec = KnowledgeBaseSpec("kb", WordNetSpec("dict", {"animal": "animal.n.01", "food": "eat.v.01"}))

    assert needed_files(spec) == ("index.noun", "data.noun", "index.verb", "data.verb")
    assert needed_files(KnowledgeBaseSpec("kb", GazetteerSpec("t.csv"))) == ("",)


@pytest.mark.parametrize(
    ("synsets", "want"),
    [
        ({"animal": "animal.n.02"}, "synset 'animal.n.02': WordNet knows 1 senses of 'animal': give one of them"),
        ({"animal": "unicorn.n.01"}, "synset 'unicorn.n.01': WordNet has no word 'unicorn': correct it"),
        ({"beast": "animal.n.01"}, "synsets: 'beast' is no class of the task: correct it"),
    ],
)
def test_a_synset_that_is_not_there_is_told(synsets: dict[str, str], want: str) -> None:
    with pytest.raises(BadKnowledgeBase) as caught:
        wordnet(synsets).prepare()
    assert str(caught.value) == f"knowledge base 'kb': {want}"


def test_a_synset_that_is_written_otherwise_is_told_before_anything_is_read() -> None:
    with pytest.raises(BadKnowledgeBase, match=r"synset 'dog': write word, part of speech and sense, as in dog\.n\.01"):
        needed_files(KnowledgeBaseSpec("kb", WordNetSpec("dict", {"animal": "dog"})))


# -- Wikipedia --------------------------------------------------------------------------------------------------------

DUMP = """<mediawiki><siteinfo><namespaces><namespace key="0" /><namespace key="14">Kategorie</namespace></namespaces>
</siteinfo>
<page><title>Katze (Tier)</title><ns>0</ns><revision><text>Ein Tier. [[Kategorie:Haus tier|K]]</text></revision></page>
<page><title>Mieze</title><ns>0</ns><redirect title="Katze (Tier)" /><revision><text>#REDIRECT</text></revision></page>
<page><title>Hafer</title><ns>0</ns><revision><text>[[category: getreide]] [[Bild:x.png]]</text></revision></page>
<page><title>Kategorie:Haus tier</title><ns>14</ns><revision><text>[[Kategorie:Getreide]]</text></revision></page>
</mediawiki>"""
CATEGORIES = {"animal": "Haus_tier", "plant": "getreide"}


def wikipedia(data: bytes, categories: Mapping[str, str] = CATEGORIES) -> KnowledgeBase:
    spec = KnowledgeBaseSpec("kb", WikipediaSpec("s3://bucket/dump.xml", categories))
    return KnowledgeBase(spec, {"": data}, TEXTS)


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
def test_wikipedia_gives_titles_and_redirects_of_the_pages_in_a_category(pack: Any) -> None:
    source = wikipedia(pack(DUMP.encode()))

    assert votes(source, "die Katze", "eine Mieze", "HAFER", "Haus tier") == [
        {"animal": 1.0},
        {"animal": 1.0},
        {"plant": 1.0},
        {},
    ]


@pytest.mark.parametrize(
    ("data", "categories", "want"),
    [
        (DUMP.encode(), {"animal": "Hund"}, "dump.xml: no page stands in 'Hund': correct the categories"),
        (DUMP.encode(), {"beast": "Haus tier"}, "categories: 'beast' is no class of the task: correct it"),
        (
            DUMP.encode(),
            {"animal": "x", "food": "X"},
            "categories: 'X' stands for two classes: give each its own",
        ),
        (b"no dump", CATEGORIES, "dump.xml: no dump of Wikipedia (syntax error"),
        (b"BZh9 cut", CATEGORIES, "dump.xml: no dump of Wikipedia ("),
        (
            b'<!DOCTYPE x [<!ENTITY a "aaaa">]><mediawiki>&a;</mediawiki>',
            CATEGORIES,
            "dump.xml: no dump of Wikipedia (it declares entities of its own)",
        ),
    ],
)
def test_a_dump_that_cannot_be_used_is_told(data: bytes, categories: dict[str, str], want: str) -> None:
    with pytest.raises(BadKnowledgeBase) as caught:
        wikipedia(data, categories).prepare()
    assert str(caught.value).startswith(f"knowledge base 'kb': {want}")


def test_a_gazetteer_of_blanks_is_told() -> None:
    finder = TermFinder(Terms(["  "], np.zeros(1, np.int64), np.ones(1)), whole_words=True, n_classes=len(CLASSES))

    assert finder.n_terms == 0
    assert finder.scores(block("a cat")).sum() == 0


def test_words_whose_characters_would_be_spaces_or_halves_of_pairs_are_found() -> None:
    terms = [f"w{number}" for number in range(60_000)]
    finder = TermFinder(Terms(terms, np.zeros(60_000, np.int64), np.ones(60_000)), whole_words=True, n_classes=1)

    assert finder.n_terms == 60_000
    assert finder.scores(block(*terms[8:40], *terms[55_290:55_300], "w60000 w", terms[-1])).tolist() == [
        *([[1.0]] * 42),
        [0.0],
        [1.0],
    ]


def test_more_words_than_characters_are_told() -> None:
    alphabet = _Alphabet(largest=3)

    assert len(set(alphabet.spell(["a", "b", "c"]))) == 3
    with pytest.raises(ValueError, match="the terms have more than 3 different words: split them in two"):
        alphabet.spell(["a", "d"])

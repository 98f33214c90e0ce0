"""`labelplane rules test`."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_app import CommandLine

from labelplane_cli.commands.rules import try_out
from labelplane_cli.trusting import package_names

RULES = """\
rules:
  - { name: cats, label: animal, regex: cat }
  - { name: oats, label: plant, keywords: { any: [oat] } }
  - { name: birds, label: animal, keywords: { any: [bird] } }
  - { name: pages, label: plant, expression: item.meta.page > 5 }
knowledgeBases:
  - { name: terms, gazetteer: { uri: terms.csv } }
"""
ITEMS = [
    {"id": "a", "text": "a cat", "page": 1, "label": "animal"},
    {"id": "b", "text": "an oat", "page": 2, "label": "plant"},
    {"id": "c", "text": "a cat in the oat", "page": 3, "label": "animal"},
    {"id": "d", "text": "nothing", "page": None, "label": ""},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rules.yaml").write_text(RULES, encoding="utf-8")
    Path("items.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ITEMS), encoding="utf-8")
    Path("terms.csv").write_text("term,class\ncat,animal\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine({"test": try_out}, capsys)


def tried(run: CommandLine, *arguments: str) -> Any:
    ended = run("test", "rules.yaml", "items.jsonl", "--json", *arguments)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_the_table_tells_how_each_rule_does(run: CommandLine) -> None:
    ended = run("test", "rules.yaml", "items.jsonl")

    assert ended.code == 0, ended.err
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0].startswith("4 items: 75.0 % covered, 50.0 % by several rules, 25.0 % in conflict, together they")
    assert any(line.startswith("cats animal 50.0 % 100.0 % 50.0 % - ") for line in lines)
    assert any(line.startswith("oats plant 50.0 % 50.0 % 50.0 % - ") and line.endswith("50.0 % of 2") for line in lines)
    assert "birds never votes: correct it, or take it out" in lines
    assert "pages failed on 1 item and abstained; item d: TypeError: No such overload" in " ".join(lines)
    assert "a -> animal a cat" in lines
    assert "c: cats -> animal, oats -> plant, terms -> animal a cat in the oat" in lines


def test_json_holds_the_same_for_programs(run: CommandLine) -> None:
    found = tried(run)

    assert (found["items"], found["covered"], found["overlapping"], found["conflicting"]) == (4, 3, 2, 1)
    assert {rule["name"]: rule["hits"] for rule in found["rules"]} == {
        "cats": 2,
        "oats": 2,
        "birds": 0,
        "pages": 0,
        "terms": 2,
    }
    assert [each["item"] for each in found["conflicts"]] == ["c"]
    assert [each["rule"] for each in found["failures"]] == ["pages"]
    assert "diff" not in found


def test_diff_tells_what_another_file_changes_on_the_same_items(run: CommandLine) -> None:
    changed = RULES.replace("regex: cat", "regex: cat in").replace("[bird]", "[nothing]").replace("terms.csv", "t.csv")
    Path("changed.yaml").write_text(changed, encoding="utf-8")
    Path("t.csv").write_text("term,class\ndog,animal\n", encoding="utf-8")

    found = tried(run, "--diff", "changed.yaml")

    assert {name: found["diff"][name] for name in ("changed", "new", "lost")} == {"changed": 1, "new": 1, "lost": 1}
    assert {"item": "d", "before": None, "after": "animal"} in found["diff"]["items"]
    assert {"item": "a", "before": "animal", "after": None} in found["diff"]["items"]
    assert {"rule": "cats", "before": 2, "after": 1} in found["diff"]["rules"]

    text = run("test", "rules.yaml", "items.jsonl", "--diff", "changed.yaml").out
    assert "with the other rules: 1 labels change, 1 are new, 1 are lost, 1 items stay as they are" in text
    assert "d: no label -> animal" in text


def test_a_sample_is_the_same_whatever_the_rules(run: CommandLine) -> None:
    rows = [{"id": f"i{number}", "text": "cat" if number % 2 else "oat"} for number in range(200)]
    Path("many.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    Path("other.yaml").write_text(RULES.replace("cats", "dogs"), encoding="utf-8")

    def drawn(rules: str, seed: int = 0) -> Any:
        arguments = ("test", rules, "many.jsonl", "--sample", 50, "--seed", seed, "--json")
        return json.loads(run(*arguments).out)

    one, other = drawn("rules.yaml"), drawn("other.yaml")
    assert one["items"] == 50
    assert one["rules"][0]["hits"] == other["rules"][0]["hits"]
    assert any(drawn("rules.yaml", seed)["rules"][0]["hits"] != one["rules"][0]["hits"] for seed in range(1, 6))


def test_a_job_file_brings_its_classes_and_columns(run: CommandLine) -> None:
    samples = Path(__file__).parents[3] / "manifests/samples"

    ended = run("test", samples / "glosses-rules.yaml", samples / "glosses/items.jsonl", "--sample", 200, "--json")

    found = json.loads(ended.out)
    assert found["items"] == 200
    assert found["right"]["right"] / found["right"]["of"] > 0.5
    assert {rule["name"] for rule in found["rules"]} >= {"people", "person-who", "nouns"}


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(
            ("regex: cat", "regex: (cat"),
            "rules.yaml:2:41: rule cats: regex: RE2 cannot read it (missing ): (cat)",
            id="a pattern with a typo",
        ),
        pytest.param(
            ("regex:", "regx:"),
            "rules.yaml:2:40: rules[0].regx: unknown field: did you mean regex?",
            id="a misspelt field",
        ),
        pytest.param(
            ("item.meta.page > 5", "item.mta.page > 5"),
            "rules.yaml:5:46: rule pages: expression: item.mta is not known: take one of item.id, item.text, ",
            id="a field that no item has",
        ),
        pytest.param(
            ("terms.csv", "none.csv"),
            "knowledge base 'terms': ",
            id="no gazetteer there",
        ),
        pytest.param(
            ("terms.csv", "s3://b/t.csv"), "knowledge base 'terms': s3://b/t.csv lies in object storage", id="S3"
        ),
        pytest.param(
            (RULES, "rules: []"), "rules.yaml:1:1: none of humans, rules, knowledgeBases, models is set", id="no rules"
        ),
    ],
)
def test_rules_that_are_wrong_end_with_one_line(run: CommandLine, change: tuple[str, str], want: str) -> None:
    write("rules.yaml", RULES.replace(*change))

    assert run("test", "rules.yaml", "items.jsonl").error_line.startswith(want)


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (("none.yaml", "items.jsonl"), "none.yaml: no such file: check the path"),
        (("rules.yaml", "none.csv"), "none.csv: no such file: check the path"),
        (
            ("rules.yaml", "terms.csv"),
            (
                "terms.csv: no column text or item or sentence or body or content; there are term, class: "
                "name one with --text-field"
            ),
        ),
        (
            ("rules.yaml", "items.jsonl", "--label-field", "truth"),
            "items.jsonl: no column truth; there are id, text, page, label: name one with --label-field",
        ),
    ],
)
def test_files_that_are_wrong_end_with_one_line(run: CommandLine, arguments: tuple[str, ...], want: str) -> None:
    assert run("test", *arguments).error_line == want


def test_one_class_alone_is_told(run: CommandLine) -> None:
    write("rules.yaml", "rules: [{ name: a, label: x, regex: cat }]\n")
    write("items.csv", "text\na cat\n")

    assert run("test", "rules.yaml", "items.csv").error_line.startswith(
        "the rules and the known labels name fewer than"
    )


def test_a_job_without_rules_is_told(run: CommandLine) -> None:
    job = Path(__file__).parents[3] / "manifests/samples/glosses.yaml"

    assert "the job has neither rules nor knowledge bases" in run("test", job, "items.jsonl").error_line


def test_a_job_of_images_is_told(run: CommandLine) -> None:
    job = Path(__file__).parents[3] / "manifests/samples/digits.yaml"

    assert "rules are tried on texts alone" in run("test", job, "items.jsonl").error_line


def test_a_function_runs_only_from_a_trusted_package(
    run: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    write("team_rules.py", "def short(item):\n    return len(item['text']) < 6\n")
    write("rules.yaml", RULES.replace("expression: item.meta.page > 5", "function: team_rules:short"))

    assert "package 'team_rules' is not trusted here" in run("test", "rules.yaml", "items.jsonl").error_line
    found = tried(run, "--trust", "team_rules")
    assert {rule["name"]: rule["hits"] for rule in found["rules"]}["pages"] == 1


def test_packages_are_named_with_commas() -> None:
    assert package_names(" a, b ,,") == ("a", "b")
    assert package_names("") == ()

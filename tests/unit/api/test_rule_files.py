import pytest
import yaml
from job_builder import make_job

from labelplane_api import JobFileError, parse_manifests, parse_rule_file

RULES = """\
rules:
  - name: cats
    label: cat
    regex: \'(?i)cat\'
knowledgeBases:
  - name: nouns
    gazetteer: { uri: terms.csv }
"""


def test_a_file_of_rules_says_what_sources_say_in_a_job() -> None:
    found = parse_rule_file(RULES, source="rules.yaml")

    assert [(rule.name, rule.label, rule.regex) for rule in found.rules] == [("cats", "cat", "(?i)cat")]
    assert [base.name for base in found.knowledge_bases] == ["nouns"]
    assert found.origins["cats"].place("regex") == "rules.yaml:4:12"
    assert found.origins["nouns"].place("gazetteer.uri") == "rules.yaml:7:23"
    assert found.origins["cats"].place("unless") == "rules.yaml:2:5"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            RULES.replace("regex", "regexp"),
            [
                "rules.yaml:4:13: rules[0].regexp: unknown field: did you mean regex?",
            ],
        ),
        (
            RULES.replace("label: cat", "label: 7"),
            ['rules.yaml:3:12: rules[0].label: 7 is a number: put it in quotes ("7")'],
        ),
        (
            RULES.replace("name: nouns", "name: -x"),
            ['rules.yaml:6:11: knowledgeBases[0].name: "-x" is not allowed: use letters, digits'],
        ),
        ("rule: []", ["rules.yaml:1:7: rule: unknown field: did you mean rules?"]),
        ("rules: []", ["rules.yaml:1:1: none of humans, rules, knowledgeBases, models is set: set at least one"]),
        (
            f"{RULES}humans: {{ inbox: {{}} }}\n",
            ["rules.yaml:8:9: humans: only rules and knowledgeBases stand here"],
        ),
        ("rules: [", ["rules.yaml:1: is no YAML ("]),
        (f"{RULES}---\n{RULES}", ["rules.yaml: holds 2 documents: write rules: in one"]),
        ("", ["rules.yaml: holds 0 documents: write rules: in one"]),
        (
            "rules:\n  - { name: all, configMap: { name: x } }\n",
            ["rules.yaml:2:29: rules[0].configMap: a file of rules names no other: remove it"],
        ),
        (
            RULES.replace("knowledgeBases", "  - { name: cats, label: dog, regex: dog }\nknowledgeBases"),
            ['rules.yaml:2:3: rules: "cats" is listed twice: remove one'],
        ),
    ],
)
def test_a_file_of_rules_with_a_typo_is_told_with_line_and_column(text: str, want: list[str]) -> None:
    with pytest.raises(JobFileError) as caught:
        parse_rule_file(text, source="rules.yaml")
    assert len(caught.value.lines) == len(want)
    assert all(line.startswith(start) for line, start in zip(caught.value.lines, want, strict=True))


def job_file(rules: str, *config_maps: str) -> str:
    manifest = make_job().of_texts().build().to_manifest()
    manifest["spec"]["sources"]["rules"] = "RULES"
    text = yaml.safe_dump(manifest, sort_keys=False).replace("rules: RULES", f"rules: {rules}")
    return "---\n".join([text, *config_maps])


CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: { name: team }
data:
  rules.yaml: |
    rules:
      - { name: cats, label: "1", regex: cat }
      - { name: dogs, label: "2", regex: dog }
"""


def test_rules_of_a_config_map_take_the_place_that_names_it() -> None:
    text = job_file(
        '[{ name: a, label: "1", regex: a }, { name: all, configMap: { name: team } }, '
        '{ name: z, label: "2", regex: z }]',
        CONFIG_MAP,
    )

    found = parse_manifests(text, source="job.yaml")

    assert [rule.name for rule in found.job.spec.sources.rules] == ["a", "cats", "dogs", "z"]
    assert found.rule_origins["dogs"].place("regex") == "job.yaml: ConfigMap team, rules.yaml:3:38"
    assert found.rule_origins["a"].place("regex").startswith("job.yaml:")


def test_knowledge_bases_of_a_config_map_join_those_of_the_job() -> None:
    terms = "    knowledgeBases: [{ name: nouns, gazetteer: { uri: t.csv } }]\n    rules:"
    text = job_file("[{ name: all, configMap: { name: team } }]", CONFIG_MAP.replace("    rules:", terms))

    found = parse_manifests(text, source="job.yaml")

    assert [base.name for base in found.job.spec.sources.knowledge_bases] == ["nouns"]
    assert found.rule_origins["nouns"].place("gazetteer.uri") == "job.yaml: ConfigMap team, rules.yaml:1:51"
    twice = CONFIG_MAP.replace("    rules:", terms.replace("nouns", "cats"))
    with pytest.raises(JobFileError, match='a rule "cats" is listed twice: rename one'):
        parse_manifests(
            job_file('[{ name: cats, label: "1", regex: a }, { name: all, configMap: { name: team } }]', twice),
            source="job.yaml",
        )


@pytest.mark.parametrize(
    ("rules", "config_maps", "want"),
    [
        (
            "[{ name: all, configMap: { name: team } }]",
            (),
            (
                "spec.sources.rules[0].configMap: ConfigMap team with the key rules.yaml is not in the job file: "
                "add it there as a further document"
            ),
        ),
        (
            "[{ name: all, configMap: { name: team } }]",
            (CONFIG_MAP.replace("regex: dog", "regexp: dog"),),
            "ConfigMap team, rules.yaml:3:39: rules[1].regexp: unknown field: did you mean regex?",
        ),
        (
            '[{ name: cats, label: "1", regex: a }, { name: all, configMap: { name: team } }]',
            (CONFIG_MAP,),
            'spec.sources.rules[1]: a rule "cats" is listed twice: rename one',
        ),
    ],
)
def test_a_config_map_that_cannot_be_taken_is_told(rules: str, config_maps: tuple[str, ...], want: str) -> None:
    with pytest.raises(JobFileError) as caught:
        parse_manifests(job_file(rules, *config_maps), source="job.yaml")
    line = caught.value.lines[0]
    assert line.startswith("job.yaml:")
    assert line.endswith(want)


def test_more_rules_than_a_job_may_have_are_told() -> None:
    lines = [f'      - {{ name: r{number}, label: "1", regex: a }}' for number in range(150)]
    first = CONFIG_MAP.split("      -", maxsplit=1)[0] + "\n".join(lines) + "\n"
    second = first.replace("name: team", "name: other").replace("name: r", "name: s")
    text = job_file("[{ name: a, configMap: { name: team } }, { name: b, configMap: { name: other } }]", first, second)

    with pytest.raises(JobFileError, match="has 300 entries with those of ConfigMaps: 200 are the most"):
        parse_manifests(text, source="job.yaml")

"""Rules that cannot be compiled are told with file, line and column, before anything runs."""

from collections.abc import Mapping, Sequence

from labelplane_aggregation.errors import BadRule
from labelplane_aggregation.source_converters import rule_specs
from labelplane_aggregation.sources import Rule, Setting, compile_rules
from labelplane_api.errors import JobFileError
from labelplane_api.load import Manifests
from labelplane_api.rule_files import RuleOrigin
from labelplane_api.sources import RuleSource
from labelplane_cli.embedded.data_set import task_of
from labelplane_operator.vote_sources import rule_message

__all__ = ["check_job_rules", "compiled"]


def check_job_rules(manifests: Manifests, *, trusted_packages: tuple[str, ...]) -> None:
    """Compile a job's rules.

    Raises:
        JobFileError: one line for each rule that is wrong.
    """
    job = manifests.job
    if not job.spec.sources.rules:
        return
    task = task_of(job)
    setting = Setting(task.classes, task.kind.modality, job.spec.dataset.metadata_fields, trusted_packages)
    compiled(job.spec.sources.rules, setting, origins=manifests.rule_origins)


def compiled(rules: Sequence[RuleSource], setting: Setting, *, origins: Mapping[str, RuleOrigin]) -> tuple[Rule, ...]:
    """Return the rules, ready to vote.

    Raises:
        JobFileError: one line for each rule that is wrong, with file, line and column.
    """
    found: list[Rule] = []
    lines: list[str] = []
    for spec in rule_specs([rule_message(rule) for rule in rules]):
        try:
            found.extend(compile_rules([spec], setting))
        except BadRule as error:
            lines.append(f"{origins[error.rule].place(error.field)}: rule {error.rule}: {error.field}: {error.problem}")
    if lines:
        raise JobFileError(lines)
    return tuple(found)

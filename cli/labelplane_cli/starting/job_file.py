"""Writes what was found as a commented job file."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from labelplane_api.load import parse_job
from labelplane_api.support import check_supported
from labelplane_api.task import TaskType
from labelplane_cli.starting.findings import Findings
from labelplane_cli.terminal import one_line

__all__ = ["PLACEHOLDERS", "classes_line", "job_name", "job_text"]

PLACEHOLDERS: Final = ("class-a", "class-b")
"""Classes of a job whose data set shows none."""

_LONGEST_NAME: Final = 50
"""A DNS label has 63 characters; the folders of results and votes add to the name."""

_NETWORKS: Final = {
    TaskType.IMAGE_CLASSIFICATION: ("SmallCnn", "Mlp"),
    TaskType.TEXT_CLASSIFICATION: ("HashedNgrams", "HashedNgrams"),
}
"""The networks of teacher and student that need torch and no weights."""

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_NO_TEXTS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_WIDTH: Final = 110
_INDENT: Final = " " * 6
_VOTES_OF_A_REHEARSAL: Final = 3
_FEWEST_ITEMS: Final = 100
_MOST_UP: Final = 2


def job_name(path: Path) -> str:
    """Return a job's name for a folder or file: small letters, digits and single dashes."""
    own = path.absolute().resolve()
    words = re.findall(r"[a-z0-9]+", (own.name if own.is_dir() else own.stem).lower())
    return "-".join(words)[:_LONGEST_NAME].strip("-") or "labels"


def job_text(found: Findings, *, name: str, file: Path, has_torch: bool) -> str:
    """Return the text of a job file, checked as `labelplane run` checks it.

    Args:
        found: the data set.
        name: of the job; results and votes lie in folders of that name beside the file.
        file: where the text will stand; the data set's address is relative to it.
        has_torch: whether networks can be trained here.
    """
    environment = Environment(
        loader=PackageLoader("labelplane_cli", "starting"),
        autoescape=False,  # noqa: S701 - YAML, not HTML; every text goes through a filter below
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(scalar=_scalar, sequence=_sequence, line=one_line)
    per_item = _VOTES_OF_A_REHEARSAL if found.truth_field else 1
    text = environment.get_template("labelingjob.yaml.j2").render(
        found=found,
        name=name,
        file_name=file.name,
        uri=_address(found.folder, file.absolute().parent),
        placeholders=PLACEHOLDERS,
        **_encoders(found.task, has_torch=has_torch),
        what="image" if found.task is TaskType.IMAGE_CLASSIFICATION else "text",
        batch=min(100, max(20, found.n_items // 10)),
        per_item="three" if per_item > 1 else "one",
        most_votes=per_item * found.n_items,
        votes=per_item * min(found.n_items, max(_FEWEST_ITEMS, found.n_items // 4)),
    )
    check_supported(parse_job(text, source=file.name))
    return text


def classes_line(text: str) -> int:
    """Return the line of a job file's text on which its classes stand."""
    lines = text.splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.startswith("    classes:"))


def _encoders(task: TaskType, *, has_torch: bool) -> dict[str, str]:
    """Return the best encoders that train here, and what else there is."""
    teacher, student = _NETWORKS[task]
    if not has_torch:
        return {
            "teacher": "Linear",
            "student": "Linear",
            "encoders": f"needs no torch; better: {teacher}, with pip install 'labelplane[local]'",
        }
    return {"teacher": teacher, "student": student, "encoders": "or Linear, which needs no torch"}


def _address(folder: Path, beside: Path) -> str:
    """Return a folder as seen from the job file; one that is far away by its full path."""
    relative = Path(os.path.relpath(folder.resolve(), beside.resolve()))
    return str(folder.resolve() if relative.parts.count("..") > _MOST_UP else relative)


def _scalar(text: str) -> str:
    """Return a text as YAML, in quotes where it would be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXTS:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10_000)
    return quoted.strip()


def _sequence(texts: Sequence[str]) -> str:
    """Return texts as a YAML list on one line, or on several of bounded width."""
    scalars = [_scalar(each) for each in texts]
    flow = f"[{', '.join(scalars)}]"
    if len(flow) <= _WIDTH - len("    classes: "):
        return flow
    lines = [""]
    for each in scalars:
        if lines[-1] and len(lines[-1]) + len(each) > _WIDTH - len(_INDENT):
            lines.append("")
        lines[-1] += f"{each}, "
    body = "\n".join(f"{_INDENT}{line.rstrip()}" for line in lines)
    return f"[\n{body}\n    ]"

"""A kubectl for tests: it answers from objects that the test has put into its cluster, in kubectl's own words."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelplane_kubectl.kubectl import Answer

Object = dict[str, Any]

_RESOURCE = "labelingjobs.labelplane.io"


@dataclass
class RecordedStream:
    """A `kubectl logs` that ends at once, or when somebody has looked so often whether it has."""

    code: int = 0
    said: str = ""
    looks_left: int = 0
    is_stopped: bool = False

    def poll(self) -> int | None:
        if self.looks_left:
            self.looks_left -= 1
            return None
        return self.code

    def wait(self) -> int:
        return self.code

    def complaint(self) -> str:
        return self.said

    def stop(self) -> None:
        self.is_stopped = True


@dataclass
class RecordedKubectl:
    """Answers `get`, `patch` and `logs` of LabelingJobs and their children.

    Attributes:
        jobs: the LabelingJobs.
        children: Deployments and pods.
        refusals: what it complains about, by a word of the call that is refused.
        calls: every call.
        streams: every log that was asked for, by its call.
        log_looks: how often somebody looks at a log before it ends.
        after_call: called after each answer: the world moves on.
    """

    jobs: list[Object] = field(default_factory=list)
    children: list[Object] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    streams: dict[tuple[str, ...], RecordedStream] = field(default_factory=dict)
    log_looks: int = 0
    after_call: Callable[["RecordedKubectl"], None] | None = None

    def ask(self, arguments: Sequence[str]) -> Answer:
        self.calls.append(list(arguments))
        answer = self._answer(list(arguments))
        if self.after_call is not None:
            self.after_call(self)
        return answer

    def stream(self, arguments: Sequence[str]) -> RecordedStream:
        self.calls.append(list(arguments))
        said = next((text for word, text in self.refusals.items() if word in arguments), "")
        stream = RecordedStream(code=1 if said else 0, said=said, looks_left=self.log_looks)
        self.streams[tuple(arguments)] = stream
        return stream

    def _answer(self, arguments: list[str]) -> Answer:
        for word, text in self.refusals.items():
            if word in arguments:
                return Answer(1, "", text)
        verb, what, *_ = [each for each in arguments if not each.startswith("-")]
        if what == "deployments.apps,pods":
            (selector,) = (each.partition("=")[2] for each in arguments if each.startswith("--selector="))
            key, _, value = selector.partition("=")
            items = [each for each in self.children if each["metadata"]["labels"].get(key) == value]
            return Answer(0, json.dumps({"items": items}))
        if what == _RESOURCE:
            return self._list(arguments)
        name = what.removeprefix(f"{_RESOURCE}/")
        job = next((each for each in self.jobs if each["metadata"]["name"] == name), None)
        if job is None:
            return Answer(1, "", f'Error from server (NotFound): {_RESOURCE} "{name}" not found\n')
        if verb == "patch":
            (patch,) = (json.loads(each.partition("=")[2]) for each in arguments if each.startswith("--patch="))
            job["spec"].setdefault("run", {}).update(patch["spec"]["run"])
            job["metadata"]["generation"] += 1
        return Answer(0, json.dumps(job))

    def _list(self, arguments: list[str]) -> Answer:
        if "--output=name" in arguments:
            return Answer(0, "\n".join(f"labelingjob.labelplane.io/{each['metadata']['name']}" for each in self.jobs))
        return Answer(0, json.dumps({"items": self.jobs}))


def words(printed: str) -> str:
    """Return what was printed, each run of blanks as one."""
    return re.sub(r"\s+", " ", printed).strip()

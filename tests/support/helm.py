"""The chart as Helm renders it, and releases on a real API server."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "labelplane"
RELEASE = "labelplane"
NAMESPACE = "labelplane-system"
KUBE_VERSION = "1.31.0"

Manifest = dict[str, Any]


class HelmError(Exception):
    """Helm refused; the message is what it printed."""


@dataclass(frozen=True)
class Objects:
    """The objects of one rendering."""

    manifests: tuple[Manifest, ...]

    def of(self, kind: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] == kind]

    def only(self, kind: str, *, ending: str = "") -> Manifest:
        """Return the one object of a kind, among those whose name ends so."""
        found = [each for each in self.of(kind) if each["metadata"]["name"].endswith(ending)]
        assert len(found) == 1, f"{len(found)} objects {kind} *{ending}"
        return found[0]

    @property
    def container(self) -> Manifest:
        """The operator's container."""
        containers: list[Manifest] = self.pod["containers"]
        assert len(containers) == 1
        return containers[0]

    @property
    def pod(self) -> Manifest:
        """The specification of the operator's pods."""
        pod: Manifest = self.only("Deployment", ending="-operator")["spec"]["template"]["spec"]
        return pod

    @property
    def environment(self) -> dict[str, Any]:
        """What the operator is told, by name: the value, or where it comes from."""
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container["env"]}


@dataclass
class Chart:
    """Renders the chart; each set of values once.

    Attributes:
        helm: the binary.
        folder: where Helm keeps what it has, away from the user's own.
    """

    helm: str
    folder: Path
    _rendered: dict[str, Objects] = field(default_factory=dict, repr=False)

    def render(self, values: Mapping[str, Any] | None = None, *, namespace: str = NAMESPACE) -> Objects:
        """Return the objects that the values give, for a release in a namespace.

        Raises:
            HelmError: the schema or a check refuses the values.
        """
        key = json.dumps([values or {}, namespace], sort_keys=True)
        if key not in self._rendered:
            options = _options(self.folder, values, namespace=namespace)
            text = self.run("template", RELEASE, os.fspath(CHART), *options)
            self._rendered[key] = Objects(tuple(read_manifests(text)))
        return self._rendered[key]

    def lint(self, values: Mapping[str, Any] | None = None) -> str:
        """Return what Helm's linter says.

        Raises:
            HelmError: it found an error, or something to warn of.
        """
        arguments = ["--strict", "--quiet", f"--kube-version={KUBE_VERSION}", f"--values={_file(self.folder, values)}"]
        return self.run("lint", os.fspath(CHART), *arguments)

    def run(self, *arguments: str, **environment: str) -> str:
        """Run Helm and return what it printed.

        Raises:
            HelmError: it failed.
        """
        kept = {"HOME": os.fspath(self.folder), "PATH": os.environ.get("PATH", "")}
        done = subprocess.run(
            [self.helm, *arguments], capture_output=True, text=True, check=False, env={**kept, **environment}
        )
        if done.returncode:
            raise HelmError(f"{done.stdout}{done.stderr}")
        return done.stdout


@dataclass(frozen=True)
class Release:
    """A release of the chart on an API server."""

    chart: Chart
    kubeconfig: Path
    name: str
    namespace: str

    def install(self, values: Mapping[str, Any] | None = None) -> str:
        """Install it, and return the notes."""
        return self._change("install", values)

    def upgrade(self, values: Mapping[str, Any] | None = None) -> str:
        """Upgrade it to the values, and return the notes."""
        return self._change("upgrade", values)

    def uninstall(self) -> str:
        """Remove it, and return what Helm says that it kept."""
        return self._run("uninstall", self.name)

    def remove_if_there(self) -> None:
        """Remove it unless that was done."""
        self._run("uninstall", self.name, "--ignore-not-found")

    def _change(self, verb: str, values: Mapping[str, Any] | None) -> str:
        """Let other releases and tests have made the resource definition, which is one for the cluster."""
        path = _file(self.chart.folder, values)
        return self._run(verb, self.name, os.fspath(CHART), "--no-hooks", "--take-ownership", f"--values={path}")

    def _run(self, *arguments: str) -> str:
        return self.chart.run(*arguments, f"--namespace={self.namespace}", KUBECONFIG=os.fspath(self.kubeconfig))


def _options(folder: Path, values: Mapping[str, Any] | None, *, namespace: str) -> list[str]:
    return [f"--namespace={namespace}", f"--kube-version={KUBE_VERSION}", f"--values={_file(folder, values)}"]


def _file(folder: Path, values: Mapping[str, Any] | None) -> str:
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False) as file:
        json.dump(values or {}, file)
    return file.name


def read_manifests(text: str) -> Iterator[Manifest]:
    """Yield the objects of a YAML text, read as the API server's clients do."""
    for document in yaml.load_all(text, Loader=_StrictLoader):
        if document is not None:
            yield document


class _StrictLoader(yaml.CSafeLoader):  # type: ignore[misc, unused-ignore]
    """Refuses a key that stands twice in a map, and takes 1e-06 for a number: so do the API server's clients."""


def _map_of_unique_keys(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"twice in one map: {', '.join(twice)}", node.start_mark)
    made: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return made


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _map_of_unique_keys)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d+)?[eE][-+]?\d+$"), list("-+0123456789")
)

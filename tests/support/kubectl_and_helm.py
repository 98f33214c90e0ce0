"""kubectl and Helm as a user runs them, on a cluster of the end-to-end tests."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_parts import find_tool

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class User:
    """Somebody with a kubeconfig.

    Attributes:
        kubeconfig: names the cluster, and who asks.
        folder: takes files that commands read.
    """

    kubeconfig: Path
    folder: Path

    def kubectl(self, *words: str, stdin: str = "", seconds: float = 600) -> str:
        """Run kubectl and return what it printed; it must succeed."""
        return self._run(find_tool("kubectl"), *words, stdin=stdin, seconds=seconds)

    def apply(self, *manifests: Mapping[str, Any]) -> str:
        """Apply objects, as `kubectl apply -f -` does."""
        return self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in manifests))

    def get(self, *words: str) -> Any:
        """Return an object or a list as kubectl gets it."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def helm(self, *words: str, values: Mapping[str, Any] | None = None, seconds: float = 600) -> str:
        """Run Helm and return what it printed; it must succeed."""
        given = []
        if values is not None:
            file = self.folder / "values.json"
            file.write_text(json.dumps(values))
            given = ["--values", os.fspath(file)]
        return self._run(find_tool("helm"), *words, *given, seconds=seconds)

    def _run(self, *command: str, stdin: str = "", seconds: float) -> str:
        kept = {"PATH": os.environ["PATH"], "HOME": os.fspath(self.folder), "KUBECONFIG": os.fspath(self.kubeconfig)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=kept, timeout=seconds
        )
        assert done.returncode == 0, f"{' '.join(command[:6])}: {done.stdout}{done.stderr}"
        return done.stdout

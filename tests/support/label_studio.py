"""A real Label Studio for tests: the program of .tools/parts on a free port, over a copy of a database made once.

The database holds two people, Ann and Bob, with a legacy token each. Making it takes the program's first start, 20 s to
minutes, so it is kept beside the program's environment.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_parts import TOOLS, free_ports, running, stop

ANN, BOB = "ann@example.org", "bob@example.org"
TOKENS = {ANN: "a" * 40, BOB: "b" * 40}
_PASSWORD = "a-password-of-the-tests"
_SEED = "seed-1"
_READY_SECONDS = 600.0


@dataclass(frozen=True)
class Person:
    """Somebody at the server, who calls its HTTP API with plain requests as any client does."""

    http: httpx.Client

    def get(self, path: str, **parameters: Any) -> Any:
        return self._read(self.http.get(path, params=parameters))

    def post(self, path: str, body: Any = None, **parameters: Any) -> Any:
        return self._read(self.http.post(path, json=body, params=parameters))

    def patch(self, path: str, body: Any) -> Any:
        return self._read(self.http.patch(path, json=body))

    def delete(self, path: str) -> None:
        self._read(self.http.delete(path))

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Every task of a project with its annotations."""
        found: list[dict[str, Any]] = []
        while True:
            page = len(found) // 1000 + 1
            response = self.http.get(
                "/api/tasks", params={"project": project, "fields": "all", "page": page, "page_size": 1000}
            )
            if response.status_code == 404:
                return found
            tasks = self._read(response)["tasks"]
            found += tasks
            if len(tasks) < 1000:
                return found

    def annotate(self, task: int, label: str, *, control: str = "label", target: str = "text", **more: Any) -> int:
        """Answer a task, and return the annotation's number."""
        body = {"result": result(label, control=control, target=target), "lead_time": 2.5, **more}
        return int(self.post(f"/api/tasks/{task}/annotations/", body)["id"])

    def change(self, annotation: int, label: str, **more: Any) -> None:
        """Answer anew in an annotation that is there, whose ever it was."""
        self.patch(f"/api/annotations/{annotation}/", {"result": result(label, **more)})

    def remove(self, annotation: int) -> None:
        self.delete(f"/api/annotations/{annotation}/")

    @staticmethod
    def _read(response: httpx.Response) -> Any:
        assert response.status_code < 300, f"{response.request.url}: {response.status_code} {response.text[:500]}"
        return response.json() if response.content else None


@dataclass(frozen=True)
class LabelStudio:
    """A running server."""

    url: str

    @contextmanager
    def person(self, email: str = ANN) -> Iterator[Person]:
        headers = {"Authorization": f"Token {TOKENS[email]}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=120) as http:
            yield Person(http)

    def personal_token(self, email: str = ANN) -> str:
        """Make a personal token, from which access tokens are had."""
        with self.person(email) as person:
            return str(person.post("/api/token/")["token"])


def result(label: str, *, control: str = "label", target: str = "text") -> list[dict[str, Any]]:
    """What an annotation of one class holds."""
    return [{"from_name": control, "to_name": target, "type": "choices", "value": {"choices": [label]}}]


@contextmanager
def running_label_studio(folder: Path, *, port: int | None = None) -> Iterator[LabelStudio]:
    """Start a server whose data lie below `folder`, and stop it by its process id afterwards.

    A folder that has a database already goes on with it, as after a restart.
    """
    program = _program()
    database = folder / "data" / "label_studio.sqlite3"
    if not database.exists():
        database.parent.mkdir(parents=True)
        shutil.copyfile(_seed(program), database)
    port = port or free_ports(1)[0]
    with running(_command(program, port, folder), log=folder / "log", environment=_environment(folder)) as process:
        url = f"http://127.0.0.1:{port}"
        _await_ready(process, url, folder / "log")
        yield LabelStudio(url)


def _program() -> Path:
    program = TOOLS / "parts" / "label-studio" / "bin" / "label-studio"
    if not program.exists():
        reason = f"{program} is not there: run `make tools`"
        if os.environ.get("LABELPLANE_REQUIRE_PARTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def _command(program: Path, port: int, folder: Path) -> list[str]:
    address = ["--internal-host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "data")]
    return [str(program), "start", "--no-browser", *address]


def _environment(folder: Path, email: str = ANN) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    return {
        **kept,
        "HOME": str(folder),
        "SECRET_KEY": "a-secret-of-the-tests-that-signs-personal-tokens",
        "LABEL_STUDIO_USERNAME": email,
        "LABEL_STUDIO_PASSWORD": _PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": TOKENS[email],
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "SSRF_PROTECTION_ENABLED": "false",
    }


def _seed(program: Path) -> Path:
    """Return the database with two people, made once for the program's environment."""
    home = program.resolve().parents[1]
    seed = home / _SEED / "label_studio.sqlite3"
    with (home / f".{_SEED}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not seed.exists():
            with tempfile.TemporaryDirectory() as name:
                made = _make_database(program, Path(name))
                seed.parent.mkdir(exist_ok=True)
                shutil.copyfile(made, seed.with_suffix(".part"))
                seed.with_suffix(".part").replace(seed)
    return seed


def _make_database(program: Path, folder: Path) -> Path:
    (port,) = free_ports(1)
    (folder / "data").mkdir()
    with running(_command(program, port, folder), log=folder / "log", environment=_environment(folder)) as process:
        _await_ready(process, f"http://127.0.0.1:{port}", folder / "log")
        stop(process)
    words = ["init", "-q", "first", "--username", BOB, "--password", _PASSWORD, "--user-token", TOKENS[BOB]]
    subprocess.run(
        [str(program), *words, "--data-dir", str(folder / "data")],
        env=_environment(folder, BOB),
        check=True,
        capture_output=True,
    )
    return folder / "data" / "label_studio.sqlite3"


def _await_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Label Studio did not start: {log.read_text()[-2000:]}")

"""What of a file was confirmed: appended batch by batch, so that the same command goes on where it was."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from labelplane_review.file_votes import FileAnswer

__all__ = ["PushMemory", "state_folder"]


class PushMemory:
    """The answers of one file that one job has confirmed. Without it votes are sent again, and count once."""

    def __init__(self, folder: Path, *, job_uid: str, name: str) -> None:
        digest = hashlib.blake2b(json.dumps([job_uid, name]).encode(), digest_size=16).hexdigest()
        self._path = folder / f"{digest}.jsonl"

    def read(self) -> dict[str, FileAnswer]:
        """Return the answers by voter; a line that was cut short by a crash is passed over."""
        answers: dict[str, FileAnswer] = {}
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return answers
        for line in lines:
            try:
                voter, label, changes = json.loads(line)
                answers[str(voter)] = FileAnswer(str(label), int(changes))
            except (ValueError, TypeError):
                continue
        return answers

    def add(self, answers: Mapping[str, FileAnswer]) -> None:
        """Note what is confirmed now."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [json.dumps([voter, each.label, each.changes], ensure_ascii=False) for voter, each in answers.items()]
        with self._path.open("a", encoding="utf-8", errors="surrogatepass") as file:
            file.write("".join(f"{line}\n" for line in lines))


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where such files lie, as the XDG base directories say."""
    base = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "labelplane" / "pushed"

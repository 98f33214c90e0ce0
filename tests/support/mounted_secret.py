"""A Secret as the kubelet mounts it: its files are links through one link, which is turned to each new version."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

ACCESS, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


class MountedSecret:
    """The folder of a Secret, empty until it is turned to something."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._numbers = count()

    def turn_to(self, files: Mapping[str, str]) -> None:
        """Let all files change at once, and remove those of the version before."""
        version = self.folder / f"..{next(self._numbers)}"
        version.mkdir()
        for name, text in files.items():
            (version / name).write_text(text, encoding="utf-8")
        current = self.folder / "..data"
        before = current.resolve() if current.is_symlink() else None
        (self.folder / "..next").symlink_to(version.name)
        (self.folder / "..next").replace(current)
        self._link(files)
        if before is not None:
            self._remove(before)

    def _link(self, files: Mapping[str, str]) -> None:
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")

    @staticmethod
    def _remove(version: Path) -> None:
        for path in version.iterdir():
            path.unlink()
        version.rmdir()

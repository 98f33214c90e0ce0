"""Keys of a bucket out of a folder of files, such as a mounted Secret, read again as long as the process lives."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from labelplane_core.clock import Clock
from labelplane_core.errors import AccessDenied

if TYPE_CHECKING:
    from obstore.store import S3Credential

__all__ = ["FolderKeys", "Keys"]

_ACCESS, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_CURRENT = "..data"
"""The link that the kubelet turns when a Secret changes, so that all its files change at once."""
_GOOD_FOR = timedelta(seconds=30)
"""Shorter than the five minutes before its end at which the client asks for the next key: so it asks for each call."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """An access key, its secret, and the token of temporary keys, empty without one."""

    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""

    @property
    def are_whole(self) -> bool:
        """Whether they can sign."""
        return bool(self.access_key and self.secret_key)


class FolderKeys:
    """Gives the client the keys of a folder, as they are when a request is signed.

    The folder holds `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary keys, `AWS_SESSION_TOKEN`. The
    client asks again at the latest 100 ms after it last asked; so a rotation needs no restart. A folder without keys,
    as a Secret that is not mounted yet, leaves `otherwise`.

    Args:
        folder: where the files lie.
        otherwise: the keys while the folder has none.
        clock: the time.
    """

    def __init__(self, folder: Path, *, otherwise: Keys, clock: Clock) -> None:
        self._folder = folder
        self._otherwise = otherwise
        self._clock = clock

    def __call__(self) -> "S3Credential":
        """Return the keys as the client wants them.

        Raises:
            AccessDenied: there are none, or their files cannot be read.
        """
        keys = self.read()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.session_token or None,
            "expires_at": self._clock.now() + _GOOD_FOR,
        }

    def read(self) -> Keys:
        """Return the keys that count now; raises as a call does."""
        keys = self._read_at_once()
        if keys.are_whole:
            return keys
        if self._otherwise.are_whole:
            return self._otherwise
        raise AccessDenied(
            f"folder {self._folder} holds no keys: it needs the files {_ACCESS} and {_SECRET}, "
            "which a mounted Secret with these keys gives it"
        )

    def _read_at_once(self) -> Keys:
        while True:
            version = self._version()
            keys = Keys(*(self._read(version / name) for name in (_ACCESS, _SECRET, _TOKEN)))
            # Where the link turned meanwhile, the files may be gone, or of two versions.
            if version == self._version():
                return keys

    def _version(self) -> Path:
        current = self._folder / _CURRENT
        return current.resolve() if current.is_symlink() else self._folder

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise AccessDenied(f"key file {self._folder / path.name} cannot be read: {why}") from error

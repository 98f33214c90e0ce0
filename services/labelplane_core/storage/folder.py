"""Objects as files below one folder, with the same promises that object storage makes."""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from labelplane_core.errors import (
    AccessDenied,
    AlreadyExists,
    BadKey,
    LinkLeavesRoot,
    ObjectNotFound,
    PreconditionFailed,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from labelplane_core.storage.store import RESERVED_FOLDER, ObjectInfo, StoredObject, check_key, check_prefix

__all__ = ["FolderStore"]

_LOCKS = 64
_ABANDONED_SECONDS = 3600.0
_LIST_BATCH = 1024


class FolderStore:
    """An `ObjectStore` over a folder of a POSIX file system.

    A write goes to a file of its own below `.labelplane/`, which is synced, renamed (or, for a create, linked) into
    place, and whose folder is synced: after a return, or a crash at any point, an object is whole. Writes of one key
    take one of 64 lock files (`flock`), so a compare-and-set holds between threads and processes; locks die with
    their process. ETags are hashes of the content, so a replace costs one read of the old object. Unfinished files
    older than an hour are removed at the first write.

    Symbolic links are followed inside the folder; one that leads out of it raises `LinkLeavesRoot`. The folder is
    made by the first write; reading writes nothing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._swept = False

    async def get(self, key: str) -> StoredObject:
        """Return the object under `key`."""
        return await asyncio.to_thread(self._get, key)

    async def put(self, key: str, data: bytes) -> str:
        """Write `data` whatever is there."""
        return await asyncio.to_thread(self._put, key, data)

    async def create(self, key: str, data: bytes) -> str:
        """Write `data` where nothing is."""
        return await asyncio.to_thread(self._create, key, data)

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        """Write `data` over the version named `etag`."""
        return await asyncio.to_thread(self._replace, key, data, etag)

    async def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        await asyncio.to_thread(self._delete, key)

    async def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        return await asyncio.to_thread(self._exists, key)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every object below the folder `prefix`, sorted by key within each folder."""
        walk = self._walk(check_prefix(prefix))
        while batch := await asyncio.to_thread(_take, walk, _LIST_BATCH):
            for info in batch:
                yield info

    def _get(self, key: str) -> StoredObject:
        with _store_errors(key):
            data = self._resolve(key).read_bytes()
        return StoredObject(data, _etag(data))

    def _put(self, key: str, data: bytes) -> str:
        with self._writing(key, data) as (unfinished, path):
            unfinished.replace(path)
        return _etag(data)

    def _create(self, key: str, data: bytes) -> str:
        with self._writing(key, data) as (unfinished, path):
            # A link, unlike a rename, fails where a file is: the file system itself decides who was first.
            os.link(unfinished, path)
        return _etag(data)

    def _replace(self, key: str, data: bytes, etag: str) -> str:
        with self._writing(key, data) as (unfinished, path):
            try:
                standing = _etag(path.read_bytes())
            except FileNotFoundError as error:
                raise PreconditionFailed(f"object {key!r} is gone since it was read") from error
            if standing != etag:
                raise PreconditionFailed(f"object {key!r} changed since it was read: read it again")
            unfinished.replace(path)
        return _etag(data)

    def _delete(self, key: str) -> None:
        path = self._resolve(key)
        with _store_errors(key), contextlib.suppress(FileNotFoundError):
            if path.exists():
                with self._locked(key):
                    path.unlink()
                    _sync_folder(path.parent)

    def _exists(self, key: str) -> bool:
        return self._resolve(key).is_file()

    def _walk(self, prefix: str) -> Iterator[ObjectInfo]:
        top = self._resolve(prefix) if prefix else self._root
        with _store_errors(prefix or str(self._root)):
            for folder, folders, files in os.walk(top, onerror=_raise_unless_absent):
                folders[:] = sorted(name for name in folders if Path(folder, name) != self._root / RESERVED_FOLDER)
                for name in folders:
                    self._check_inside(Path(folder, name))
                for name in sorted(files):
                    path = Path(folder, name)
                    self._check_inside(path)
                    yield ObjectInfo(path.relative_to(self._root).as_posix(), path.stat().st_size)

    def _resolve(self, key: str) -> Path:
        path = self._root / check_key(key)
        self._check_inside(path)
        return path

    def _check_inside(self, path: Path) -> None:
        resolved = os.path.realpath(path)
        root = os.path.realpath(self._root)
        if resolved != root and not resolved.startswith(root.rstrip(os.sep) + os.sep):
            raise LinkLeavesRoot(
                f"{path} is a link that leads out of {self._root}: copy the file in, or name its own folder"
            )

    @contextlib.contextmanager
    def _writing(self, key: str, data: bytes) -> Iterator[tuple[Path, Path]]:
        """Hold the key's lock and a synced file of `data` to be moved to the key's path; then sync its folder."""
        path = self._resolve(key)
        with _store_errors(key):
            _make_folder(path.parent)
            with _unfinished(self._own_folder("unfinished"), data) as unfinished, self._locked(key):
                yield unfinished, path
                _sync_folder(path.parent)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        stripe = zlib.crc32(key.encode()) % _LOCKS
        descriptor = os.open(self._own_folder("locks") / f"{stripe:02d}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _own_folder(self, name: str) -> Path:
        folder = self._root / RESERVED_FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        if name == "unfinished" and not self._swept:
            self._swept = True
            _sweep(folder)
        return folder


def _etag(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@contextlib.contextmanager
def _unfinished(folder: Path, data: bytes) -> Iterator[Path]:
    """Yield a synced file that holds `data`, and remove its name afterwards when it still has it."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove files that killed processes left, judged by the file system's own clock."""
    with tempfile.NamedTemporaryFile(dir=folder) as fresh:
        oldest = os.fstat(fresh.fileno()).st_mtime - _ABANDONED_SECONDS
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _make_folder(folder: Path) -> None:
    """Make `folder` and its parents, each made durable in its own parent."""
    missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, "a part of the path is a file") from error
    for path in missing:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(walk: Iterator[ObjectInfo], count: int) -> list[ObjectInfo]:
    return [info for _, info in zip(range(count), walk, strict=False)]


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


@contextlib.contextmanager
def _store_errors(key: str) -> Iterator[None]:
    """Turn the file system's errors into ours, named for `key`."""
    try:
        yield
    except OSError as error:
        raise _from_os_error(key, error) from error


def _from_os_error(key: str, error: OSError) -> StoreError | BadKey:
    text = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT:
            return ObjectNotFound(f"object {key!r} does not exist")
        case errno.EEXIST:
            return AlreadyExists(f"object {key!r} exists already")
        case errno.EISDIR | errno.ENOTDIR | errno.ENAMETOOLONG | errno.ELOOP:
            return BadKey(f"key {key!r} does not fit this folder: {text}")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return AccessDenied(f"object {key!r}: {text}: check the folder's owner and permissions")
        case errno.ENOSPC | errno.EDQUOT:
            return StoreFull(f"object {key!r} cannot be written: {text}: free some space")
        case _:
            return StoreUnavailable(f"object {key!r}: {text}")

"""What a running stage sees of its operation."""

import threading

from labelplane_core.errors import LabelplaneError
from labelplane_core.operations.record import Progress

__all__ = ["OperationContext"]


class OperationContext:
    """The handle that a stage's body holds: it says how far it is, and asks whether it may go on.

    `generation` counts how often the operation was taken over before; a manifest named by it is never written by two
    processes. All methods may be called from any thread.
    """

    def __init__(self, request_id: str, generation: int) -> None:
        self.request_id = request_id
        self.generation = generation
        self._progress = Progress()
        self._stop: LabelplaneError | None = None
        self._lock = threading.Lock()

    def progress(self, done: int, total: int, unit: str) -> None:
        """Say that `done` of `total` units are finished; `total` is 0 while it is not known."""
        with self._lock:
            self._progress = Progress(done=done, total=total, unit=unit)

    def check(self) -> None:
        """Return if the stage may go on.

        Raises:
            OperationCancelled: somebody asked to stop it.
            Fenced: another process has taken the operation over; nothing that this one writes will be followed.
            Draining: this process shuts down; another resumes the operation.
        """
        with self._lock:
            stop = self._stop
        if stop is not None:
            raise stop

    def stop(self, error: LabelplaneError) -> None:
        """Make the next `check` raise `error`; the first call decides."""
        with self._lock:
            self._stop = self._stop or error

    def current_progress(self) -> Progress:
        """Return what the stage said last."""
        with self._lock:
            return self._progress

"""The end of a process."""

import logging
import os
import sys
from typing import NoReturn

__all__ = ["leave"]

_NOT_TOLD = 120
"""Python's own exit code when what was printed did not arrive."""


def leave(code: int) -> NoReturn:
    """End the process with this exit code, without taking the interpreter down first.

    The object store's client has threads of its own. One that hands an answer back while the interpreter is taken down
    aborts the process (SIGABRT in place of the code): measured on 11 of 40 processes that read an object and ended.
    What is open must be closed before; only the standard streams and the log are flushed here.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # whoever read it is gone, or the disk is full
            code = code or _NOT_TOLD
    os._exit(code)

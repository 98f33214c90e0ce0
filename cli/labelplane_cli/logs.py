"""Where the services' log goes while they run inside a command."""

import logging

__all__ = ["start_logging"]


def start_logging(*, debug: bool) -> None:
    """Send the log to stderr when somebody debugs, else nowhere: the display and the error line say what matters."""
    root = logging.getLogger()
    if debug:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    elif not root.handlers:
        root.addHandler(logging.NullHandler())

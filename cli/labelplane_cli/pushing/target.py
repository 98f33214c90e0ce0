"""Where votes go: the review page's address and its token, from a link or from a run's folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from labelplane_cli.errors import BadFile, BadUsage

__all__ = ["Target", "target_of_folder", "target_of_link"]


@dataclass(frozen=True, slots=True)
class Target:
    """A front, as https://host:port, and what it takes calls with."""

    address: str
    token: str = field(repr=False)


def target_of_link(link: str, *, token: str) -> Target:
    """Return the front that a link leads to; the token in the link counts before the other one.

    Raises:
        BadUsage: the link is no address, or there is no token.
    """
    parts = urlsplit(link.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise BadUsage("--to: give the link of the review page, as in http://127.0.0.1:8080/enter/TOKEN")
    _, _, secret = parts.path.partition("/enter/")
    token = secret.strip("/") or token
    if not token:
        raise BadUsage(f"--to {parts.scheme}://{parts.netloc}: has no token: give the whole link, .../enter/TOKEN")
    return Target(f"{parts.scheme}://{parts.netloc}", token)


def target_of_folder(folder: Path) -> Target:
    """Return the front of a run on this machine, from the folder of its results.

    Raises:
        BadFile: no review page was ever served from there.
    """
    path = folder / "review-link.json"
    try:
        fields = json.loads(path.read_bytes())
        return Target(f"http://127.0.0.1:{int(fields['port'])}", str(fields["secret"]))
    except FileNotFoundError as error:
        raise BadFile(f"{folder}: no review page was served from here: start it by labelplane run --review") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path}: cannot be read: give the page's link with --to") from error

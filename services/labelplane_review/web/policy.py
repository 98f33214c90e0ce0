"""What a page of ours may load and run."""

import re

__all__ = ["content_policy"]

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")


def content_policy(pictures_from: str = "") -> str:
    """Return the Content-Security-Policy: nothing but ours, and pictures from one origin more where it is one."""
    more = f" {pictures_from}" if _ORIGIN.fullmatch(pictures_from) else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:{more}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

"""Settings of webhooks, from environment variables named LABELPLANE_WEBHOOK_*."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labelplane_core.errors import InvalidInput
from labelplane_review.webhooks.addresses import checked_url
from labelplane_review.webhooks.signing import Signature

__all__ = ["WebhookSettings"]

_URLS: Final = "LABELPLANE_WEBHOOK_URLS"
_SECRET: Final = "LABELPLANE_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
_SECRET_FILE: Final = "LABELPLANE_WEBHOOK_SECRET_FILE"  # noqa: S105 - the variable's name


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where notices go, and the secret that signs them."""

    addresses: tuple[str, ...]
    secret: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WebhookSettings | None":
        """Return the settings, None when no address is set.

        `LABELPLANE_WEBHOOK_URLS` are addresses with spaces or commas between; `LABELPLANE_WEBHOOK_SECRET`, or the file
        that `LABELPLANE_WEBHOOK_SECRET_FILE` names, signs.

        Raises:
            InvalidInput: an address or the secret cannot be used; the message names the variable.
        """
        urls = environment.get(_URLS, "").replace(",", " ").split()
        if not urls:
            return None
        try:
            addresses = tuple(dict.fromkeys(checked_url(url) for url in urls))
        except InvalidInput as error:
            raise InvalidInput(f"{_URLS}: {error}") from error
        secret = _secret(environment)
        try:
            Signature(secret)
        except InvalidInput as error:
            raise InvalidInput(f"{_SECRET}: {error}") from error
        return cls(addresses, secret)


def _secret(environment: Mapping[str, str]) -> str:
    path = environment.get(_SECRET_FILE, "")
    if not path:
        return environment.get(_SECRET, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{_SECRET_FILE} {path}: cannot be read: {error}") from error

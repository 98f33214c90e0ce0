"""The signature of a notice, as the Standard Webhooks specification has it, so that receivers have libraries for it."""

import base64
import binascii
import hashlib
import hmac

from labelplane_core.errors import InvalidInput

__all__ = ["Signature"]

_PREFIX = "whsec_"
_LEAST_BYTES = 16


class Signature:
    """Signs with a shared secret: `whsec_` and base64, or any text of 16 bytes and more."""

    def __init__(self, secret: str) -> None:
        self._key = _key(secret)

    def headers(self, *, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Return the headers of a notice.

        Args:
            event_id: the same for every attempt.
            timestamp: seconds since 1970 of this attempt; receivers refuse old ones, so that none is played again.
            body: what is sent, byte for byte.
        """
        signed = f"{event_id}.{timestamp}.".encode() + body
        mac = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{mac}"}


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error) as error:
            raise InvalidInput("the webhooks' secret begins with whsec_ and is no base64 after it") from error
    else:
        key = secret.encode()
    if len(key) < _LEAST_BYTES:
        raise InvalidInput(
            f"the webhooks' secret must have {_LEAST_BYTES} bytes or more, as `openssl rand -hex 24` gives"
        )
    return key

"""The token of a job: derived, so that nobody needs to read it back."""

import hashlib
import hmac

__all__ = ["job_token"]


def job_token(key: bytes, uid: str) -> str:
    """Return the token that every call to a job's services carries: HMAC-SHA256 of the job's uid, 64 hex digits.

    Operator and review front hold the installation's key and find the same token; a new object of the same name has
    another uid, and another token.
    """
    return hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()

"""Our errors for obstore's: one line each that names the object, what is the case and what to do."""

import html
import re

from obstore import exceptions as theirs

from labelplane_core.errors import (
    AccessDenied,
    AlreadyExists,
    BadKey,
    ChecksumMismatch,
    NoConditionalPut,
    ObjectNotFound,
    PreconditionFailed,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreNotTrusted,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
)

__all__ = ["is_conflict", "our_error"]

_STATUS = re.compile(r"\bstatus: (\d{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})<")
_SAID = re.compile(r"<(?:Code|Message)>([^<]{1,200})<")
_DAMAGED = re.compile(r"<Code>(?:BadDigest|XAmzContent\w+Mismatch)<")
_CONFLICT = "ConditionalRequestConflict"
"""S3's word for two conditional writes at once, of which neither is decided yet."""
_TIMEOUT = re.compile(r"kind: Timeout|TimedOut|timed out")
_REGION = re.compile(r"<Region>([\w-]{1,40})<")
_NO_KEYS = re.compile(r"credential provider: AccessDenied: ([^\n]+)")
"""What `FolderKeys` raised, as obstore tells it."""
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+?)(?:Context)?\b")

_KINDS: tuple[tuple[type[Exception], type[StoreError | BadKey], str], ...] = (
    (theirs.AlreadyExistsError, AlreadyExists, "exists already"),
    (theirs.PreconditionError, PreconditionFailed, "changed since it was read: read it again"),
    (theirs.PermissionDeniedError, AccessDenied, "access denied: check what the credentials allow"),
    (theirs.UnauthenticatedError, AccessDenied, "access denied: check the credentials"),
    (theirs.NotSupportedError, NoConditionalPut, "the store does not support this kind of write"),
    (NotImplementedError, NoConditionalPut, "the store does not support this kind of write"),
    (theirs.InvalidPathError, BadKey, "the store does not take this key"),
)

_UNKNOWN_KEY = (
    "access denied: the server does not know the access key: check the credentials, and that they are this server's"
)
_CODES: dict[str, tuple[type[StoreError], str]] = {
    "NoSuchBucket": (StoreNotFound, "the bucket does not exist: make it, or correct the address"),
    "InvalidAccessKeyId": (AccessDenied, _UNKNOWN_KEY),
    "XAdminUserNotFound": (AccessDenied, _UNKNOWN_KEY),
    "SignatureDoesNotMatch": (
        AccessDenied,
        "access denied: the secret key does not belong to the access key: check the credentials",
    ),
    "ExpiredToken": (
        AccessDenied,
        "access denied: the temporary credentials have expired: put new ones in their place",
    ),
    "InvalidTokenId": (AccessDenied, "access denied: the session token is not valid: check the credentials"),
    "InvalidToken": (AccessDenied, "access denied: the session token is not valid: check the credentials"),
    "RequestTimeTooSkewed": (
        AccessDenied,
        "access denied: the clocks of this machine and the server differ: set them right",
    ),
    "AccessDenied": (AccessDenied, "access denied: check what the credentials allow"),
    "AuthorizationHeaderMalformed": (StoreRefused, "the region is not the bucket's: set the region"),
    "PermanentRedirect": (StoreRefused, "the bucket lies in another region or at another endpoint: set them"),
    "NotImplemented": (
        NoConditionalPut,
        "the server does not know this kind of request, as conditional puts: use a server with them",
    ),
    "XMinioStorageFull": (StoreFull, "the server's disks are full: free some space"),
}
"""What S3's own words for an error mean here; each stands before the HTTP status."""

_CERTIFICATES: dict[str, str] = {
    "Expired": "the server's certificate has expired: renew it there",
    "NotValidYet": "the server's certificate is not valid yet: see its dates and the clocks",
    "NotValidForName": "the server's certificate is for another name: use a name that it holds as the endpoint",
    "UnknownIssuer": "the server's certificate is signed by nobody known here: give the authority's as the CA bundle",
}

_SERVER_ERROR = 500
_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429


def is_conflict(error: Exception) -> bool:
    """Whether a conditional write was undecided, because another was under way, and is to be asked again."""
    return _CONFLICT in str(error)


def our_error(key: str, where: str, error: Exception) -> StoreError | BadKey:
    """Return our error for one of obstore's.

    Args:
        key: the object that the call was about, or the folder of a listing.
        where: the store's address, without credentials.
        error: what obstore raised.
    """
    what, text = f"object {key!r} in {where}", str(error)
    if is_conflict(error):
        return StoreUnavailable(f"{what}: another write of it is under way")
    if (no_keys := _NO_KEYS.search(text)) is not None:
        return AccessDenied(f"{what}: access denied: {no_keys[1]}")
    if (refusal := _by_code(what, where, text)) is not None:
        return refusal
    if isinstance(error, FileNotFoundError | theirs.NotFoundError):
        return ObjectNotFound(f"{what} does not exist")
    for kind, ours, message in _KINDS:
        if isinstance(error, kind):
            return ours(f"{what}: {message}")
    return _by_response(what, text)


def _by_code(what: str, where: str, text: str) -> StoreError | None:
    code = _CODE.search(text)
    if code is None or code[1] not in _CODES:
        return None
    kind, message = _CODES[code[1]]
    if kind is StoreRefused and (region := _REGION.search(text)) is not None:
        message = f"{message}; it says that it is {region[1]}"
    return kind(f"{where if kind is StoreNotFound else what}: {message}")


def _by_response(what: str, text: str) -> StoreError:
    """Judge an error that obstore does not class, by the HTTP status or the kind of failure in its text."""
    if (found := _CERTIFICATE.search(text)) is not None:
        advice = _CERTIFICATES.get(found[1], f"the server's certificate is not accepted ({found[1]})")
        return StoreNotTrusted(f"{what}: {advice}")
    first_line = text.split("\n", 1)[0].split(": <?xml", 1)[0][:300]
    said = "; ".join([first_line, *map(html.unescape, _SAID.findall(text)[:2])])
    status = _STATUS.search(text)
    code = int(status.group(1)) if status else _SERVER_ERROR
    if _TIMEOUT.search(text) or code == _REQUEST_TIMEOUT:
        return StoreTimeout(f"{what}: no answer in time: {said}")
    if _DAMAGED.search(text):
        return ChecksumMismatch(f"{what} was damaged on the way: {said}")
    if code < _SERVER_ERROR and code != _TOO_MANY_REQUESTS:
        return StoreRefused(f"{what}: {said}")
    return StoreUnavailable(f"{what}: {said}")

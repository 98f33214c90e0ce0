import pytest
from obstore import exceptions as theirs

from labelplane_core.errors import (
    AccessDenied,
    NoConditionalPut,
    ObjectNotFound,
    StoreError,
    StoreFull,
    StoreNotTrusted,
    StoreRefused,
    StoreTimeout,
    StoreUnavailable,
)
from labelplane_core.storage.obstore_errors import our_error


def answer(status: int, code: str, more: str = "") -> str:
    """Return obstore's text for a server's refusal: its first line, the server's words, and its own state."""
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>Said &#34;so&#34;.</Message>{more}</Error>'
    return (
        f"Generic S3 error: Error performing PUT http://s3/b/a - Server returned {status}: {body}\n\nstatus: {status},"
    )


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        pytest.param(
            theirs.PermissionDeniedError(answer(403, "ExpiredToken")),
            AccessDenied,
            "access denied: the temporary credentials have expired: put new ones in their place",
            id="temporary keys that ran out",
        ),
        pytest.param(
            theirs.PermissionDeniedError(answer(403, "RequestTimeTooSkewed")),
            AccessDenied,
            "access denied: the clocks of this machine and the server differ: set them right",
            id="clocks",
        ),
        pytest.param(
            theirs.PermissionDeniedError(answer(403, "AccessDenied")),
            AccessDenied,
            "access denied: check what the credentials allow",
            id="a missing right",
        ),
        pytest.param(
            theirs.NotFoundError(answer(404, "XAdminUserNotFound")),
            AccessDenied,
            "access denied: the server does not know the access key",
            id="an unknown user, as a server says that answers 404",
        ),
        pytest.param(
            theirs.GenericError(answer(301, "PermanentRedirect", "<Region>eu-west-1</Region>")),
            StoreRefused,
            "the bucket lies in another region or at another endpoint: set them; it says that it is eu-west-1",
            id="another region",
        ),
        pytest.param(
            theirs.GenericError(answer(501, "NotImplemented")),
            NoConditionalPut,
            "the server does not know this kind of request",
            id="no conditional puts",
        ),
        pytest.param(
            theirs.GenericError(answer(507, "XMinioStorageFull")), StoreFull, "the server's disks are full", id="full"
        ),
        pytest.param(theirs.NotFoundError(answer(404, "NoSuchKey")), ObjectNotFound, "", id="no object"),
        pytest.param(
            theirs.GenericError(answer(503, "SlowDown")),
            StoreUnavailable,
            'Generic S3 error: Error performing PUT http://s3/b/a - Server returned 503; SlowDown; Said "so".',
            id="busy",
        ),
        pytest.param(theirs.GenericError(answer(408, "Late")), StoreTimeout, "no answer in time", id="late"),
        pytest.param(
            theirs.GenericError("Generic S3 error\n\nerror: InvalidCertificate(\n    NotValidYetContext {"),
            StoreNotTrusted,
            "the server's certificate is not valid yet",
            id="a certificate of tomorrow",
        ),
        pytest.param(
            theirs.GenericError("Generic S3 error\n\nerror: InvalidCertificate(\n    BadEncoding,\n"),
            StoreNotTrusted,
            "the server's certificate is not accepted (BadEncoding)",
            id="a certificate with another fault",
        ),
    ],
)
def test_error_is_one_line_that_names_the_object_and_says_what_to_do(
    error: Exception, kind: type[StoreError], said: str
) -> None:
    ours = our_error("a", "s3://b", error)

    assert type(ours) is kind
    assert str(ours).startswith("object 'a' in s3://b")
    assert said in str(ours)
    assert "\n" not in str(ours)

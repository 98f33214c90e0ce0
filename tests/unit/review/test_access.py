"""Who may come in, by link, cookie and host."""

import base64
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from labelplane_review.web.access import SecretLink, checked_name

LINK = SecretLink("secret", name="ann", hosts=("127.0.0.1:80",))


def cookies_of(secret: str = "secret", name: str = "") -> str:
    response = web.Response()
    SecretLink(secret, name="x", hosts=()).let_in(response)
    if name:
        LINK.rename(response, name)
    return "; ".join(f"{key}={morsel.value}" for key, morsel in response.cookies.items())


def person(cookies: str, host: str = "127.0.0.1:80") -> str | None:
    return LINK.person(make_mocked_request("GET", "/", headers={"Host": host, "Cookie": cookies}, app=Mock()))


def test_whoever_has_the_cookie_is_this_machines_user_until_they_choose_a_name() -> None:
    assert person(cookies_of()) == "ann"
    assert person(cookies_of(name="Zoë")) == "Zoë"


@pytest.mark.parametrize(
    ("cookies", "host"),
    [
        pytest.param("", "127.0.0.1:80", id="no cookie"),
        pytest.param(cookies_of("other"), "127.0.0.1:80", id="the cookie of another run"),
        pytest.param(cookies_of(), "evil.example", id="another host"),
        pytest.param(cookies_of(), "127.0.0.1:81", id="another port"),
    ],
)
def test_all_others_stay_out(cookies: str, host: str) -> None:
    assert person(cookies, host) is None


@pytest.mark.parametrize("name", ["%%%", "AAA", base64.urlsafe_b64encode(b"\xff\xfe").decode(), "x" * 500])
def test_name_that_cannot_be_read_is_passed_over(name: str) -> None:
    assert person(f"{cookies_of()}; labelplane_name={name}") == "ann"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param(" Ada  Lovelace ", "Ada Lovelace", id="space is put right"),
        pytest.param("x" * 64, "x" * 64, id="as long as it may be"),
        pytest.param("x" * 65, None, id="too long"),
        pytest.param("  ", None, id="empty"),
        pytest.param("a\x07b", None, id="a control character"),
        pytest.param("a\u202eb", None, id="one that turns the text around"),
    ],
)
def test_names_are_checked(name: str, want: str | None) -> None:
    assert checked_name(name) == want

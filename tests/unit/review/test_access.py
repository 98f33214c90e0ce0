"""Who may come in, by link, cookie and host."""

import base64
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from labelplane_api.review import Review
from labelplane_review.desk_client import Part
from labelplane_review.web.access import SecretLink, checked_name
from labelplane_review.web.rights import Visitor, may_adjudicate, part_of

LINK = SecretLink("secret", name="ann", hosts=("127.0.0.1:80",))


def cookies_of(secret: str = "secret", name: str = "") -> str:
    response = web.Response()
    SecretLink(secret, name="x", hosts=()).let_in(response)
    if name:
        LINK.rename(response, name)
    return "; ".join(f"{key}={morsel.value}" for key, morsel in response.cookies.items())


def person(cookies: str, host: str = "127.0.0.1:80") -> str | None:
    found = LINK.visitor(make_mocked_request("GET", "/", headers={"Host": host, "Cookie": cookies}, app=Mock()))
    return None if found is None else found.name


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


# -- rights -----------------------------------------------------------------------------------------------------------

BOTH = SecretLink("secret", name="ann", hosts=("127.0.0.1:80",), guest_secret="for-others")


def visitor(cookies: str = "", *, host: str = "127.0.0.1:80", **headers: str) -> Visitor | None:
    sent = {"Host": host, "Cookie": cookies, **headers}
    return BOTH.visitor(make_mocked_request("GET", "/", headers=sent, app=Mock()))


def guests_cookie() -> str:
    response = web.Response()
    BOTH.let_in(response, secret="for-others")
    return "; ".join(f"{key}={morsel.value}" for key, morsel in response.cookies.items())


def test_the_link_for_others_lets_in_a_guest_who_has_not_the_owners_name() -> None:
    assert BOTH.opens("for-others")
    assert visitor(guests_cookie()) == Visitor("guest", is_owner=False)
    assert visitor(cookies_of()) == Visitor("ann", is_owner=True)


def test_without_a_guests_secret_no_empty_word_opens() -> None:
    assert not LINK.opens("")


@pytest.mark.parametrize(
    ("header", "want"),
    [
        pytest.param("Bearer secret", Visitor("ann", is_owner=True), id="the owner's"),
        pytest.param("Bearer for-others", None, id="a guest's: tools bring votes of others"),
        pytest.param("Bearer secre", None, id="a part"),
        pytest.param("Bearer ", None, id="nothing"),
        pytest.param("Basic c2VjcmV0", None, id="another scheme"),
    ],
)
def test_programs_bring_the_owners_secret_by_any_host_name(header: str, want: Visitor | None) -> None:
    assert visitor(host="tunnel.example", Authorization=header) == want
    assert visitor(cookies_of(), Authorization=header) == want  # a wrong token is not made good by a cookie


@pytest.mark.parametrize(
    ("who", "want"),
    [
        pytest.param(Visitor("zoe", is_owner=True), True, id="the owner"),
        pytest.param(Visitor("judy", is_owner=False), True, id="whom the job names"),
        pytest.param(Visitor("bob", is_owner=False), False, id="named without the right"),
        pytest.param(Visitor("zoe", is_owner=False), False, id="anybody else"),
    ],
)
def test_who_may_adjudicate(who: Visitor, want: bool) -> None:
    people = [{"name": "judy", "adjudicator": True}, {"name": "bob", "classes": ["cat"], "share": 0.5}]
    review = Review.model_validate({"people": people})
    assert may_adjudicate(who, review) is want
    assert part_of("bob", review) == Part(("cat",), 0.5)
    assert part_of("zoe", review) == Part()

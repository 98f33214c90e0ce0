"""Whom a front believes who calls: the signing proxy, and nobody who writes its headers."""

from ipaddress import ip_network
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from labelplane_review.cluster.proxy import SECRET_HEADER, SigningProxy
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Visitor

USER, GROUPS, SECRET = "X-User", "X-Groups", "a-secret-of-the-proxy"
BY_SECRET = SigningProxy(USER, GROUPS, secret=SECRET.encode(), user_prefix="oidc:", groups_prefix="oidc:")
BY_NETWORK = SigningProxy(USER, GROUPS, networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
BY_BOTH = SigningProxy(USER, GROUPS, networks=BY_NETWORK.networks, secret=SECRET.encode())
NO_PROXY = SigningProxy("")


def visitor(proxy: SigningProxy, *headers: tuple[str, str], caller: str = "192.0.2.1") -> Visitor | None:
    request = make_mocked_request("GET", "/", headers=CIMultiDict(headers), app=Mock())
    return proxy.visitor(request.clone(remote=caller))


def test_the_proxy_names_a_user_and_their_groups_with_the_prefixes_of_the_api_server() -> None:
    found = visitor(BY_SECRET, (USER, "ada@example.com"), (GROUPS, "team-a, team-b,"), (SECRET_HEADER, SECRET))

    assert found == Visitor("oidc:ada@example.com", groups=("oidc:team-a", "oidc:team-b", "system:authenticated"))


def test_groups_of_the_clusters_own_are_passed_over() -> None:
    found = visitor(BY_NETWORK, (USER, "ada"), (GROUPS, "system:masters,team"), caller="10.1.2.3")

    assert found is not None
    assert found.groups == ("team", "system:authenticated")


@pytest.mark.parametrize("caller", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"])
def test_a_proxy_is_known_by_its_network(caller: str) -> None:
    assert visitor(BY_NETWORK, (USER, "ada"), caller=caller) is not None


def test_without_a_header_nobody_is_named() -> None:
    assert visitor(BY_SECRET) is None
    assert visitor(NO_PROXY, (USER, "ada")) is None


@pytest.mark.parametrize(
    ("proxy", "headers", "caller"),
    [
        pytest.param(BY_SECRET, [(USER, "ada")], "10.1.2.3", id="no secret"),
        pytest.param(BY_SECRET, [(USER, "ada"), (SECRET_HEADER, "guess")], "10.1.2.3", id="a wrong secret"),
        pytest.param(BY_SECRET, [(GROUPS, "team")], "10.1.2.3", id="groups alone"),
        pytest.param(BY_SECRET, [(SECRET_HEADER, "guess")], "10.1.2.3", id="a guess at the secret alone"),
        pytest.param(BY_NETWORK, [(USER, "ada")], "192.0.2.1", id="another network"),
        pytest.param(BY_BOTH, [(USER, "ada"), (SECRET_HEADER, SECRET)], "192.0.2.1", id="the secret from elsewhere"),
        pytest.param(BY_BOTH, [(USER, "ada")], "10.1.2.3", id="the network without the secret"),
        pytest.param(
            BY_SECRET, [(USER, "ada"), (USER, "root"), (SECRET_HEADER, SECRET)], "10.1.2.3", id="the header twice"
        ),
    ],
)
def test_forged_headers_are_refused(proxy: SigningProxy, headers: list[tuple[str, str]], caller: str) -> None:
    with pytest.raises(Refused) as caught:
        visitor(proxy, *headers, caller=caller)
    assert (caught.value.status, caught.value.reason) == (401, "ForgedHeader")


@pytest.mark.parametrize("name", ["", " ", "system:admin", "a\x07b", "x" * 300], ids=repr)
def test_names_that_no_person_has_are_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        visitor(BY_NETWORK, (USER, name), caller="10.1.2.3")
    assert (caught.value.status, caught.value.reason) == (401, "NotSignedIn")

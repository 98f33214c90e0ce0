"""What the front of a cluster is told, and what it refuses to be told."""

from pathlib import Path

import pytest

from labelplane_core.errors import InvalidInput
from labelplane_review.cluster.settings import FrontSettings

LEAST = {"LABELPLANE_INSTALLATION_KEY_FILE": "key"}


def test_a_key_is_all_that_must_be_said() -> None:
    settings = FrontSettings.from_environment({**LEAST, "LABELPLANE_WATCH_NAMESPACES": "a, b", "OTHER": "x"})

    assert settings.namespaces == ("a", "b")
    assert settings.user_header == ""


@pytest.mark.parametrize(
    ("values", "word"),
    [
        pytest.param({"USER_HEADER": "X-User"}, "proxy_secret_file or proxy_addresses", id="a header of anybody"),
        pytest.param({"PROXY_ADDRESSES": "10.0.0.300/8"}, "PROXY_ADDRESSES", id="no network"),
        pytest.param({"SERVICE_ADDRESS": "{service}.{place}"}, "SERVICE_ADDRESS", id="an address with gaps"),
        pytest.param({"API_SERVER": "http://api"}, "API_SERVER", id="the API server without TLS"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: dict[str, str], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        FrontSettings.from_environment({**LEAST, **{f"LABELPLANE_{name}": value for name, value in values.items()}})


def test_a_key_that_is_missing_or_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    settings = FrontSettings.from_environment({"LABELPLANE_INSTALLATION_KEY_FILE": str(path)})
    with pytest.raises(InvalidInput, match="mount it there"):
        settings.read_installation_key()
    path.write_text("short\n")
    with pytest.raises(InvalidInput, match="has 5 bytes, 16 are the least"):
        settings.read_installation_key()

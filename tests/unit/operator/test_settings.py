"""Settings of the operator: from variables, with every mistake named at once."""

from pathlib import Path

import pytest

from labelplane_operator.errors import InvalidSettings
from labelplane_operator.settings import OperatorSettings

LEAST = {
    "LABELPLANE_INSTALLATION": "test",
    "LABELPLANE_INSTALLATION_KEY_FILE": "key",
    "LABELPLANE_POD_NAME": "operator-0",
    "LABELPLANE_POD_NAMESPACE": "labelplane",
    **{f"LABELPLANE_IMAGE_{part}": "i:1" for part in ("SMALL", "AGGREGATION", "SCORING", "DISTILLATION", "REVIEW")},
}


def _settings(**variables: str) -> OperatorSettings:
    return OperatorSettings.from_environment(LEAST | {f"LABELPLANE_{name}": value for name, value in variables.items()})


def test_only_what_has_no_default_must_be_given() -> None:
    settings = _settings()

    assert (settings.workers, settings.namespaces, settings.pull_secrets) == (16, (), ())


def test_lists_are_separated_by_commas() -> None:
    settings = _settings(WATCH_NAMESPACES=" team-a,team-b, ", IMAGE_PULL_SECRETS="registry")

    assert settings.namespaces == ("team-a", "team-b")
    assert settings.pull_secrets == ("registry",)


@pytest.mark.parametrize(
    ("name", "value", "want"),
    [
        pytest.param("INSTALLATION", "", "LABELPLANE_INSTALLATION: String should have at least 1", id="empty"),
        pytest.param("WORKERS", "0", "LABELPLANE_WORKERS: Input should be greater than or equal to 1", id="too small"),
        pytest.param("WORKERS", "many", "LABELPLANE_WORKERS: Input should be a valid integer", id="no number"),
        pytest.param("LOG_LEVEL", "LOUD", "LABELPLANE_LOG_LEVEL: String should match", id="no such level"),
        pytest.param("RETRY_PERIOD_SECONDS", "9", "renew_deadline_seconds must be at least 1.2 times", id="too seldom"),
        pytest.param("LEASE_DURATION_SECONDS", "10", "must be above renew_deadline_seconds", id="two leaders at once"),
        pytest.param("SERVICE_ADDRESS", "host:1", "LABELPLANE_SERVICE_ADDRESS: String should match", id="no service"),
        pytest.param(
            "SERVICE_ADDRESS",
            "{service}.{zone}",
            "LABELPLANE_SERVICE_ADDRESS: Value error, only {service} and {namespace} can be filled in",
            id="a word that nobody knows",
        ),
        pytest.param("SERVICE_ADDRESS", "{service}.{", "only {service} and {namespace}", id="a brace too many"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name: str, value: str, want: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        _settings(**{name: value})

    assert want in str(caught.value)


def test_all_mistakes_are_told_together() -> None:
    with pytest.raises(InvalidSettings) as caught:
        OperatorSettings.from_environment({"LABELPLANE_WORKERS": "0", "PATH": "/bin"})

    assert str(caught.value).count("Field required") == len(LEAST)
    assert "LABELPLANE_WORKERS" in str(caught.value)


def test_the_installation_key_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"0123456789abcdef\n")

    assert _settings(INSTALLATION_KEY_FILE=str(file)).read_installation_key() == b"0123456789abcdef"


def test_a_key_that_is_not_there_or_too_short_is_told_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(InvalidSettings, match="No such file or directory: mount the installation's key there"):
        _settings(INSTALLATION_KEY_FILE=str(file)).read_installation_key()
    file.write_bytes(b"short")
    with pytest.raises(InvalidSettings, match="has 5 bytes, 16 are the least"):
        _settings(INSTALLATION_KEY_FILE=str(file)).read_installation_key()

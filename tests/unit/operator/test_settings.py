"""The operator's environment: what it reads, and the one line that tells what is wrong."""

from pathlib import Path

import pytest

from labelplane_operator.errors import InvalidSettings
from labelplane_operator.settings import OperatorSettings

KEY = b"0123456789abcdef"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    key = tmp_path / "key"
    key.write_bytes(KEY + b"\n")
    images = {f"LABELPLANE_IMAGE_{part}": "image" for part in ("SMALL", "AGGREGATION", "SCORING", "DISTILLATION")}
    return {
        "LABELPLANE_INSTALLATION": "here",
        "LABELPLANE_INSTALLATION_KEY_FILE": str(key),
        "LABELPLANE_POD_NAME": "operator-0",
        "LABELPLANE_POD_NAMESPACE": "system",
        "LABELPLANE_IMAGE_REVIEW": "image",
        **images,
    }


def test_what_is_not_said_has_the_times_of_kubernetes_own_controllers(environment: dict[str, str]) -> None:
    settings = OperatorSettings.from_environment(environment)

    times = (settings.lease_duration_seconds, settings.renew_deadline_seconds, settings.retry_period_seconds)
    assert times == (15.0, 10.0, 2.0)
    assert settings.namespaces == ()
    assert settings.read_installation_key() == KEY


def test_lists_are_separated_by_commas(environment: dict[str, str]) -> None:
    more = {
        "LABELPLANE_WATCH_NAMESPACES": "team-a, team-b,",
        "LABELPLANE_IMAGE_PULL_SECRETS": "pull",
        "LABELPLANE_TRUSTED_PACKAGES": "house_rules,team",
    }
    settings = OperatorSettings.from_environment(environment | more)

    assert settings.namespaces == ("team-a", "team-b")
    assert settings.pull_secrets == ("pull",)
    assert settings.trusted_package_names == ("house_rules", "team")


def test_variables_of_others_are_not_read(environment: dict[str, str]) -> None:
    OperatorSettings.from_environment(environment | {"LABELPLANE_OF_A_SERVICE": "x", "PATH": "/bin"})


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"INSTALLATION": ""}, "LABELPLANE_INSTALLATION: ", id="no installation"),
        pytest.param({"WORKERS": "many"}, "LABELPLANE_WORKERS: ", id="no number"),
        pytest.param({"LOG_LEVEL": "LOUD"}, "LABELPLANE_LOG_LEVEL: ", id="no level"),
        pytest.param({"SERVICE_ADDRESS": "localhost:1"}, "LABELPLANE_SERVICE_ADDRESS: ", id="one address for all"),
        pytest.param({"SERVICE_ADDRESS": "{service}.{zone}"}, "only {service} and {namespace}", id="an unknown word"),
        pytest.param({"SERVICE_ADDRESS": "{service}.{"}, "only {service} and {namespace}", id="a brace too many"),
        pytest.param({"RENEW_DEADLINE_SECONDS": "20"}, "must be above renew_deadline_seconds", id="deadline too long"),
        pytest.param({"SCALER_PORT": "6000"}, "scaler_port and scaler_address", id="a scaler that nobody can reach"),
        pytest.param({"RETRY_PERIOD_SECONDS": "9"}, "1.2 times retry_period_seconds", id="tries too seldom"),
    ],
)
def test_a_wrong_value_is_named(environment: dict[str, str], changes: dict[str, str], want: str) -> None:
    wrong = environment | {f"LABELPLANE_{name}": value for name, value in changes.items()}

    with pytest.raises(InvalidSettings) as caught:
        OperatorSettings.from_environment(wrong)
    assert want in str(caught.value)


def test_every_variable_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        OperatorSettings.from_environment({})

    for name in ("INSTALLATION", "INSTALLATION_KEY_FILE", "POD_NAME", "POD_NAMESPACE", "IMAGE_SMALL"):
        assert f"LABELPLANE_{name}: " in str(caught.value)


def test_a_key_that_is_not_there_or_no_key_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"secret")
    for path, want in ((tmp_path / "nothing", "mount the installation's key there"), (short, "16 are the least")):
        settings = OperatorSettings.from_environment(environment | {"LABELPLANE_INSTALLATION_KEY_FILE": str(path)})
        with pytest.raises(InvalidSettings, match=want):
            settings.read_installation_key()

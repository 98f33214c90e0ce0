from pathlib import Path

import pytest

from labelplane_core.settings import ProcessSettings, ServiceSettings


def test_temporary_credentials_reach_the_store() -> None:
    settings = ProcessSettings.from_environment(
        {"LABELPLANE_S3_ACCESS_KEY": "a", "LABELPLANE_S3_SECRET_KEY": "s", "LABELPLANE_S3_SESSION_TOKEN": "t"}
    )

    options = settings.store_options()

    assert (options.access_key, options.secret_key, options.session_token) == ("a", "s", "t")


def test_a_folder_of_credentials_reaches_the_store() -> None:
    settings = ProcessSettings.from_environment({"LABELPLANE_S3_CREDENTIALS": "/etc/keys"})

    assert settings.store_options().credentials == Path("/etc/keys")


@pytest.mark.parametrize(("text", "want"), [("", ()), ("team_rules", ("team_rules",)), (" a, b,", ("a", "b"))])
def test_packages_are_trusted_by_name_and_none_by_default(text: str, want: tuple[str, ...]) -> None:
    settings = ServiceSettings.from_environment(
        {"LABELPLANE_STORE_URI": "s3://b", "LABELPLANE_DATA_URI": "s3://d", "LABELPLANE_TRUSTED_PACKAGES": text}
    )

    assert settings.trusted_package_names == want

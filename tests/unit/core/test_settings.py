from labelplane_core.settings import ProcessSettings


def test_temporary_credentials_reach_the_store() -> None:
    settings = ProcessSettings.from_environment(
        {"LABELPLANE_S3_ACCESS_KEY": "a", "LABELPLANE_S3_SECRET_KEY": "s", "LABELPLANE_S3_SESSION_TOKEN": "t"}
    )

    options = settings.store_options()

    assert (options.access_key, options.secret_key, options.session_token) == ("a", "s", "t")

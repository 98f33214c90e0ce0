import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from job_builder import JobBuilder, make_job

from labelplane_api.load import Manifests
from labelplane_cli.embedded.addresses import TOKEN_VARIABLE, RunAddresses, resolve_addresses
from labelplane_cli.errors import CliError
from labelplane_core.errors import StoreReadOnly

SECRET = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "AWS_SESSION_TOKEN": "token",
}


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The folder of the job file, with items in it, that is not the working folder."""
    (tmp_path / "jobs" / "digits").mkdir(parents=True)
    return tmp_path / "jobs"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def resolved(builder: JobBuilder, beside: Path, **flags: str) -> RunAddresses:
    return resolve_addresses(Manifests(builder.build()), beside=beside, **flags)


def test_paths_of_the_job_are_relative_to_its_file(beside: Path, here: Path) -> None:
    addresses = resolved(make_job(), beside)

    assert addresses.data_uri == f"file://{beside}/digits"
    assert addresses.store_uri == f"file://{beside}/out"
    assert addresses.folder == beside / "out"


def test_paths_of_flags_are_relative_to_the_working_folder(beside: Path, here: Path) -> None:
    (here / "items").mkdir()

    addresses = resolved(make_job(), beside, data="items", out="results")

    assert addresses.data_uri == f"file://{here}/items"
    assert addresses.folder == here / "results"


def test_results_in_a_bucket_lie_below_the_jobs_prefix_and_the_run_gets_a_folder_here(beside: Path, here: Path) -> None:
    addresses = resolved(make_job().with_storage(uri="s3://bucket/labels/"), beside)

    assert addresses.store_uri == "s3://bucket/labels/default/digits"
    assert addresses.folder == here / "digits-run"


def test_prefix_of_the_job_names_the_place_in_the_bucket(beside: Path, here: Path) -> None:
    addresses = resolved(make_job().with_output(prefix="mine"), beside, out="gs://bucket")

    assert addresses.store_uri == "gs://bucket/mine"


def test_items_in_a_bucket_are_not_looked_for_on_this_machine(beside: Path) -> None:
    assert resolved(make_job().with_dataset(uri="s3://items/x"), beside).data_uri == "s3://items/x"


@pytest.mark.parametrize("kind", ["absent", "a file"])
def test_folder_of_items_must_be_one(beside: Path, kind: str) -> None:
    if kind == "a file":
        (beside / "items").write_bytes(b"")

    with pytest.raises(CliError, match=rf"^spec\.dataset\.uri: {beside}/items is no folder: .* --data$"):
        resolved(make_job().with_dataset(uri="items"), beside)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with space", id="a space"),
        pytest.param("100%20", id="what an address would decode"),
        pytest.param("issue#7", id="what would begin a fragment"),
        pytest.param("which?", id="what would begin a query"),
        pytest.param("zähler 日本", id="letters of other scripts"),
        pytest.param("../jobs/digits", id="a step up"),
    ],
)
def test_folder_of_any_name_is_read_and_written(beside: Path, name: str) -> None:
    (beside / name).mkdir(exist_ok=True)
    (beside / name / "1.txt").write_bytes(b"one")

    addresses = resolved(make_job().with_dataset(uri=name).with_storage(uri=f"{name}/out"), beside)
    asyncio.run(addresses.open_store().put("a", b"1"))

    assert asyncio.run(addresses.open_data().get("1.txt")).data == b"one"
    assert addresses.folder.resolve() == (beside / name / "out").resolve()
    assert (beside / name / "out" / "a").read_bytes() == b"1"


def test_address_of_a_folder_is_decoded_as_the_store_decodes_it(beside: Path) -> None:
    (beside / "with space").mkdir()

    addresses = resolved(make_job(), beside, data=f"file://{beside}/with%20space", out=f"file://{beside}/the%20out")
    asyncio.run(addresses.open_store().put("a", b"1"))

    assert addresses.folder == beside / "the out"
    assert (addresses.folder / "a").read_bytes() == b"1"


def test_votes_from_files_are_relative_to_the_job_file(beside: Path, here: Path) -> None:
    (beside / "votes").mkdir()
    (beside / "votes" / "ann.csv").write_bytes(b"item,answer\n")

    store = resolved(make_job(), beside).open_votes("votes")

    assert asyncio.run(store.get("ann.csv")).data == b"item,answer\n"


def test_items_are_opened_to_be_read_alone(beside: Path) -> None:
    with pytest.raises(StoreReadOnly):
        asyncio.run(resolved(make_job(), beside).open_data().put("a", b"1"))


def secured(**secrets: Mapping[str, str]) -> Manifests:
    job = make_job().with_storage(
        uri="s3://bucket", endpoint="http://storage:9000", region="eu-1", path_style=True, credentials_secret="keys"
    )
    return Manifests(job.build(), secrets=secrets)


def test_options_of_the_store_come_from_the_job_and_its_secret(beside: Path) -> None:
    options = resolve_addresses(secured(keys=SECRET), beside=beside).options

    assert (options.endpoint, options.region, options.path_style) == ("http://storage:9000", "eu-1", True)
    assert (options.access_key, options.secret_key, options.session_token) == ("key", "hunter2", "token")
    assert options.allow_http


def test_plain_http_is_allowed_to_an_endpoint_that_says_so_alone(beside: Path) -> None:
    job = make_job().with_storage(uri="s3://bucket", endpoint="https://storage")

    assert not resolved(job, beside).options.allow_http
    assert not resolved(make_job(), beside).options.allow_http


def test_secret_that_is_not_in_the_job_file_is_named(beside: Path) -> None:
    with pytest.raises(CliError, match=r"^spec\.storage\.credentialsSecret: Secret keys is not in the job file"):
        resolve_addresses(secured(others=SECRET), beside=beside)


def trusting(config_maps: Mapping[str, Mapping[str, str]]) -> Manifests:
    job = make_job().with_storage(uri="s3://bucket", ca_bundle_config_map="trust")
    return Manifests(job.build(), config_maps=config_maps)


def test_certificates_of_the_job_are_given_to_the_store_as_a_file(beside: Path) -> None:
    addresses = resolve_addresses(
        trusting({"trust": {"ca.crt": "certificate"}}), beside=beside, out=str(beside / "out")
    )

    addresses.open_store()

    assert (addresses.folder / "ca.crt").read_text(encoding="utf-8") == "certificate"
    assert addresses._trusting().ca_bundle == addresses.folder / "ca.crt"


@pytest.mark.parametrize(
    "config_maps",
    [pytest.param({}, id="no ConfigMap"), pytest.param({"trust": {"other": ""}}, id="no key ca.crt in it")],
)
def test_certificates_that_are_not_in_the_job_file_are_named(
    beside: Path, config_maps: Mapping[str, Mapping[str, str]]
) -> None:
    with pytest.raises(CliError, match=r"^spec\.storage\.caBundleConfigMap: ConfigMap trust with the key ca\.crt"):
        resolve_addresses(trusting(config_maps), beside=beside)


def at_label_studio(secrets: Mapping[str, Mapping[str, str]], **fields: str) -> Manifests:
    return Manifests(make_job().with_label_studio(**fields).build(), secrets=secrets)


def test_token_of_label_studio_comes_from_the_job_file_or_the_environment(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    access = resolve_addresses(at_label_studio({"ls": {"token": "hunter2"}}), beside=beside).open_stores().label_studio
    assert access is not None
    assert access.token == "hunter2"
    assert "hunter2" not in repr(access)

    with pytest.raises(
        CliError, match=r"labelStudio\.tokenSecret: Secret ls with the key token is not in the job file"
    ):
        resolve_addresses(at_label_studio({"ls": {"other": "x"}}), beside=beside)

    monkeypatch.setenv(TOKEN_VARIABLE, "from-outside")
    access = resolve_addresses(at_label_studio({}), beside=beside).label_studio
    assert access is not None
    assert access.token == "from-outside"


def test_certificates_for_label_studio_that_are_not_in_the_job_file_are_named(beside: Path) -> None:
    with pytest.raises(CliError, match=r"labelStudio\.caBundleConfigMap: ConfigMap trust with the key ca\.crt"):
        resolve_addresses(at_label_studio({"ls": {"token": "t"}}, caBundleConfigMap="trust"), beside=beside)

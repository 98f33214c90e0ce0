"""Items of a bucket are shown from the bucket by addresses that run out, and the front holds no key of it."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aggregation_world import Service, World, aggregation_world, image_task, prepare, review, write_selection
from front_world import Browser, front_of
from PIL import Image
from s3_server import S3Server, running_s3_server

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_core.errors import BadKey
from labelplane_core.storage import StoreOptions, open_signer, open_store

ITEMS = ["a b/ü.png", "plain.png", "scan.tif"]


def picture(shade: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 40)).save(buffer, kind)
    return buffer.getvalue()


PICTURES = {name: picture(shade, "TIFF" if name.endswith("tif") else "PNG") for shade, name in enumerate(ITEMS)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with aggregation_world(tmp_path) as made:
        yield made


@pytest.fixture
async def service(world: World, server: S3Server, tmp_path: Path) -> Service:
    uri = f"{server.make_bucket(tmp_path.name.replace('_', '-')[:60].lower())}/some folder"
    store = open_store(uri, options=server.options)
    for name, data in PICTURES.items():
        await store.put(name, data)
    signer = open_signer(uri, options=server.options, endpoint=server.endpoint)
    assert signer is not None
    service = await world.start(data=open_store(uri, options=server.options, readonly=True), item_addresses=signer)
    await service.run("StartPrepare", prepare(task=image_task()))
    await service.run("StartReview", review(0, await write_selection(service, 0, ITEMS), task=image_task()))
    return service


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    async with front_of(service) as made:
        await made.enter()
        yield made


async def shown(browser: Browser) -> dict[str, str]:
    """Return where each item's picture lies, as the page is told."""
    _, answer = await browser.call("lease", {"count": 3})
    return {task["item"]: task["image"] for task in answer["tasks"]}


async def test_the_front_leads_to_the_bucket_and_the_address_needs_no_key(browser: Browser, server: S3Server) -> None:
    images = await shown(browser)
    for name in ITEMS[:2]:
        response = await browser.client.get(images[name], allow_redirects=False)
        assert response.status == 302
        address = response.headers["Location"]
        assert address.startswith(f"{server.endpoint}/")
        assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["300"]
        assert "max-age=150" in response.headers["Cache-Control"]
        async with httpx.AsyncClient() as stranger:
            got = await stranger.get(address)
            assert (got.status_code, got.content) == (200, PICTURES[name])
            assert (await stranger.get(address.split("?")[0])).status_code == 403
            assert (await stranger.get(address.replace(".png", ".tif"))).status_code == 403


async def test_formats_that_browsers_do_not_know_are_streamed(browser: Browser) -> None:
    response = await browser.client.get((await shown(browser))["scan.tif"], allow_redirects=False)
    assert (response.status, response.content_type) == (200, "image/png")


async def test_pages_may_load_pictures_from_the_bucket_and_from_nowhere_else(
    browser: Browser, server: S3Server
) -> None:
    for path in ("/t/job", "/jobs/job", "/jobs/job/conflicts"):
        policy = (await browser.client.get(path)).headers["Content-Security-Policy"]
        assert f"img-src 'self' data: {server.endpoint};" in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")


async def test_an_address_runs_out_and_asking_again_gives_another(server: S3Server, service: Service) -> None:
    response = await service.inbox.SignItem(pb.SignItemRequest(item_id="plain.png"), timeout=30)
    assert response.address
    assert response.address_expires.seconds < response.expires.seconds
    again = await service.inbox.SignItem(pb.SignItemRequest(content_ticket=response.content_ticket), timeout=30)
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(again.address)).content == PICTURES["plain.png"]
        signer = open_signer(server.make_bucket("of-a-second"), options=server.options, endpoint=server.endpoint)
        assert signer is not None
        await open_store("s3://of-a-second", options=server.options).put("k", b"x")
        short = await signer.address("k", seconds=1)
        while (got := await stranger.get(short)).status_code == 200:
            assert got.content == b"x"
        assert got.status_code == 403


async def test_without_an_endpoint_or_a_bucket_nothing_is_signed() -> None:
    options = StoreOptions()
    assert open_signer("s3://bucket", options=options, endpoint="") is None
    assert open_signer("file:///data", options=options, endpoint="https://s3.example.com") is None
    for wrong in ("s3.example.com", "file:///x", "https://s3.example.com/path", "https://key@s3.example.com"):
        with pytest.raises(BadKey, match="endpoint"):
            open_signer("s3://bucket", options=options, endpoint=wrong)

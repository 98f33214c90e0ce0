"""Labelling interfaces, and what a task shows."""

import base64
import io
from datetime import UTC, datetime
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from labelplane_core.storage import Layout, StoreOptions, open_store
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX
from labelplane_review.desk_client import Shown
from labelplane_review.errors import RequestRefused
from labelplane_review.inbox_client import OpenTask
from labelplane_review.label_studio.assembly import data_signer
from labelplane_review.label_studio.contents import LARGEST_BYTES, InlineContents, SignedContents, expires_at
from labelplane_review.label_studio.finding import ItemFinder
from labelplane_review.label_studio.forms import label_config, read_form

ODD = ("a & b", '<c> "d"', "ü, \u732b", "it's")


@pytest.mark.parametrize("is_image", [True, False])
def test_an_interface_is_read_back_as_it_was_written(is_image: bool) -> None:
    form = read_form(label_config(ODD, is_image=is_image), where="here")
    assert form.choices == ODD
    assert form.field == ("image" if is_image else "text")
    assert form.missing([*ODD, "more"]) == ["more"]


def test_an_interface_of_somebody_else_is_understood() -> None:
    config = (
        '<View><Header value="Which?"/><Image name="pic" value="$photo"/>'
        '<Choices name="kind" toName="pic"><Choice value="Cat" alias="cat"/><Choice value="dog"/></Choices></View>'
    )
    form = read_form(config, where="here")
    assert (form.control, form.target, form.field, form.choices) == ("kind", "pic", "photo", ("cat", "dog"))


@pytest.mark.parametrize(
    ("config", "want"),
    [
        pytest.param("<View>", "is no XML", id="torn"),
        pytest.param("<View/>", "has 0 Choices", id="no choices"),
        pytest.param('<View><Choices name="a" toName="b"/></View>', "which shows nothing", id="about nothing"),
        pytest.param("<View><Choices/><Choices/></View>", "has 2 Choices", id="two questions"),
    ],
)
def test_an_interface_that_is_no_classification_is_told(config: str, want: str) -> None:
    with pytest.raises(RequestRefused, match=f"here: .*{want}"):
        read_form(config, where="here")


class Desk:
    """Hands one item on, in pieces."""

    def __init__(self, data: bytes | None, media_type: str = "image/png") -> None:
        self._data = data
        self._media_type = media_type

    async def sign(self, item_id: str) -> Shown:
        if self._data is None:
            raise grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), item_id)
        return Shown("", f"ticket of {item_id}")

    async def content(self, content_ticket: str) -> Any:
        assert content_ticket == "ticket of i"
        assert self._data is not None
        half = len(self._data) // 2
        yield self._media_type, self._data[:half]
        yield "", self._data[half:]


def open_task(*, text: str = "") -> OpenTask:
    return OpenTask(0, "i", 0, 1, "" if text else "a/b c.png", text, "", 0.0)


def png(side: int) -> bytes:
    sink = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(sink, "PNG")
    return sink.getvalue()


async def test_a_small_image_stands_in_its_task_as_it_is_and_a_large_one_smaller() -> None:
    small, large = png(8), png(900)
    shown = await InlineContents(Desk(small), is_image=True).show(open_task())  # type: ignore[arg-type]
    assert shown == f"data:image/png;base64,{base64.b64encode(small).decode()}"
    shown = await InlineContents(Desk(large), is_image=True).show(open_task())  # type: ignore[arg-type]
    assert shown is not None
    head, _, encoded = shown.partition(",")
    assert head == "data:image/jpeg;base64"
    assert len(base64.b64decode(encoded)) <= LARGEST_BYTES < len(large)


async def test_an_image_that_is_gone_is_not_shown_and_a_text_needs_nobody() -> None:
    contents = InlineContents(Desk(None), is_image=True)  # type: ignore[arg-type]
    assert await contents.show(open_task()) is None
    assert await contents.show(open_task(text="hello")) == "hello"


async def test_a_text_that_lies_in_a_file_is_shown_as_it_is() -> None:
    desk = Desk("h\u00e9llo".encode(), "text/plain; charset=utf-8")
    assert await InlineContents(desk, is_image=False).show(open_task()) == "h\u00e9llo"  # type: ignore[arg-type]


async def test_an_image_in_a_bucket_has_an_address_that_says_when_it_ends() -> None:
    options = StoreOptions(endpoint="http://s3:9000", access_key="a", secret_key="b", allow_http=True)
    signer = data_signer("s3://bucket/data", options)
    assert signer is not None
    shown = await SignedContents(signer).show(open_task())
    assert shown is not None
    assert shown.startswith("http://s3:9000/bucket/data/a/b%20c.png?")
    assert expires_at(shown) is not None
    public = data_signer("s3://bucket/data", options, endpoint="https://images.example.org")
    assert public is not None
    assert (await public.address("x", seconds=60)).startswith("https://images.example.org/bucket/data/x?")
    assert data_signer("file:///data", options) is None


def test_the_end_of_an_address_is_read_from_its_own_words() -> None:
    address = "https://s3/x?X-Amz-Date=20260102T030405Z&X-Amz-Expires=60"
    assert expires_at(address) == datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC)
    assert expires_at("https://elsewhere/x.png") is None


async def test_items_are_found_by_name_text_or_file_and_not_by_what_several_share() -> None:
    store, layout = open_store("memory://"), Layout()
    rows = [("t", None, "hello"), ("u", None, "twice"), ("v", None, "twice"), ("w", "sub/a b.png", None)]
    fields = [
        {"block": 0, "item_id": item, "uri": uri, "text": text, "digest": "", "gold": None, "gold_role": "", "meta": ""}
        for item, uri, text in rows
    ]
    finder = ItemFinder(store, layout)
    await finder.ready()
    assert finder({"item": "t"}) == "t"
    assert finder({"text": "hello"}) is None
    await TableStore(store).write_table(
        INDEX.arrow.empty_table().from_pylist(fields, schema=INDEX.arrow),
        INDEX,
        part_key=layout.index_part(0),
        manifest_key=layout.index_manifest,
    )
    await finder.ready()
    assert finder({"text": "hello", "other": 3}) == "t"
    assert finder({"text": "twice"}) is None
    assert finder({"image": "/data/upload/1/0a1b2c3d-a%20b.png"}) == "w"
    assert finder({"image": "s3://bucket/sub/a b.png"}) == "w"
    assert finder({"text": "nothing"}) is None

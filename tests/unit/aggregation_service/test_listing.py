"""What a data set lists, in each of its shapes."""

from collections.abc import Mapping

import pytest

from labelplane_aggregation.errors import BadDataset
from labelplane_aggregation.preparing import Listing, read_listing, read_truth
from labelplane_aggregation.requests import Dataset, DatasetFormat, Task
from labelplane_core.errors import EmptyDataset
from labelplane_core.storage import ObjectStore, open_store
from labelplane_core.tasks import task_kind

IMAGES = Task(task_kind("ImageClassification"), ("cat", "dog"))
TEXTS = Task(task_kind("TextClassification"), ("cat", "dog"))


async def store_of(files: Mapping[str, str]) -> ObjectStore:
    store = open_store("memory:///")
    for key, text in files.items():
        await store.put(key, text.encode())
    return store


async def listing_of(
    files: Mapping[str, str], task: Task, dataset: Dataset | None = None, *, fields: tuple[str, ...] = ()
) -> Listing:
    return await read_listing(await store_of(files), task, dataset or Dataset(), fields=fields)


async def test_class_folders_are_items_whose_folder_is_a_column() -> None:
    files = {"dog/b.png": "", "cat/a.PNG": "", "cat/notes.txt": "", ".cache/c.png": "", "cat/.thumb.png": ""}
    listing = await listing_of(files, IMAGES, Dataset(format=DatasetFormat.CLASS_FOLDERS), fields=("$folder", "folder"))
    assert list(listing.item_ids) == ["cat/a.PNG", "dog/b.png"]
    assert listing.uris == listing.item_ids
    assert listing.texts is None
    assert listing.fields == {"$folder": ["cat", "dog"], "folder": ["cat", "dog"]}


async def test_table_lists_images_by_their_paths() -> None:
    files = {
        "items.csv": "id,image,gold\nx,images/1.png,cat\ny,images/2.png,\n",
        "images/1.png": "",
        "images/2.png": "",
    }
    listing = await listing_of(files, IMAGES, fields=("gold",))
    assert list(listing.item_ids) == ["x", "y"]
    assert listing.uris == ["images/1.png", "images/2.png"]
    assert listing.fields == {"gold": ["cat", ""]}
    assert listing.place(1) == "items.csv:3"


async def test_table_lists_texts_as_they_are() -> None:
    listing = await listing_of({"items.jsonl": '{"item": 5, "text": "a"}\n'}, TEXTS)
    assert list(listing.item_ids) == ["5"]
    assert listing.texts == ["a"]
    assert listing.uris is None


async def test_texts_may_be_files() -> None:
    listing = await listing_of({"items.csv": "file\na/b.txt\n", "a/b.txt": "hello"}, TEXTS)
    assert listing.uris == ["a/b.txt"]
    assert list(listing.item_ids) == ["a/b.txt"]


async def test_texts_without_ids_are_numbered_by_their_row() -> None:
    listing = await listing_of({"items.csv": "text\na\na\n"}, TEXTS)
    assert list(listing.item_ids) == ["row-1", "row-2"]


async def test_named_columns_go_before_the_usual_ones() -> None:
    dataset = Dataset(index="sub/t.csv", id_field="key", item_field="body")
    listing = await listing_of({"sub/t.csv": "id,key,text,body\n1,k,t,b\n"}, TEXTS, dataset)
    assert (list(listing.item_ids), listing.texts) == (["k"], ["b"])


REFUSED = [
    pytest.param({}, IMAGES, Dataset(), "no file ends in", id="empty folder"),
    pytest.param({"a.doc": ""}, IMAGES, Dataset(), "no file ends in .bmp", id="files of another kind"),
    pytest.param({"a.csv": "", "b.csv": ""}, TEXTS, Dataset(), "there are 2 tables (a.csv, b.csv)", id="two tables"),
    pytest.param(
        {"a.csv": "text\nx\n"},
        TEXTS,
        Dataset(format=DatasetFormat.JSONL),
        "no table ends in .jsonl",
        id="no such table",
    ),
    pytest.param({}, TEXTS, Dataset(index="no.csv"), "dataset.index 'no.csv' is not below", id="missing index"),
    pytest.param(
        {"a.csv": "body\nx\n"}, TEXTS, Dataset(), "set dataset.itemField to one of 'body'", id="unknown columns"
    ),
    pytest.param({"a.csv": "text\nx\n"}, TEXTS, Dataset(id_field="key"), "a.csv: no column 'key'", id="no id column"),
    pytest.param(
        {"a.csv": "id,text\n1,x\n2,y\n1,z\n"},
        TEXTS,
        Dataset(),
        "a.csv:4: id '1' stands already at a.csv:2",
        id="duplicate ids",
    ),
    pytest.param({"a.csv": "id,text\n,x\n"}, TEXTS, Dataset(), "a.csv:2: id must have 1 to 512", id="empty id"),
    pytest.param(
        {"a.csv": "image\n../x.png\n"},
        IMAGES,
        Dataset(),
        "a.csv:2: image '../x.png' must be a path below",
        id="path that leaves",
    ),
    pytest.param(
        {"a.csv": "image\n/etc/x.png\n"}, IMAGES, Dataset(), "'/etc/x.png' must be a path below", id="absolute path"
    ),
    pytest.param(
        {"a.csv": "image\nfile:///x.png\n"}, IMAGES, Dataset(), "'file:///x.png' must be", id="another scheme"
    ),
    pytest.param({"a.csv": "image\na\\..\\x.png\n"}, IMAGES, Dataset(), "must be a path below", id="backslashes"),
    pytest.param({"a.csv": "id,image\n1,\n"}, IMAGES, Dataset(), "a.csv:2: image '' must be", id="no path"),
]


@pytest.mark.parametrize(("files", "task", "dataset", "want"), REFUSED)
async def test_data_set_is_refused_in_one_clear_sentence(
    files: dict[str, str], task: Task, dataset: Dataset, want: str
) -> None:
    with pytest.raises((BadDataset, EmptyDataset)) as caught:
        await listing_of(files, task, dataset)
    assert want in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_files_have_no_column_but_their_folder() -> None:
    with pytest.raises(BadDataset, match="no column 'gold'"):
        await listing_of({"a.png": ""}, IMAGES, fields=("gold",))


async def test_truth_is_spelled_as_the_classes_and_leaves_out_what_is_none() -> None:
    store = await store_of({"items.csv": "id,text,truth\n1,a,CAT\n2,b,\n3,c,cow\n"})
    truth = await read_truth(store, TEXTS, Dataset(), field="truth")
    assert truth.classes == {"1": "cat"}
    assert truth.unknown == 1

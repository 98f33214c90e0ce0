import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_app import CommandLine

from labelplane_aggregation.preparing.gold import known_classes
from labelplane_aggregation.preparing.listing import read_listing
from labelplane_aggregation.requests import Dataset, Task
from labelplane_aggregation.requests import DatasetFormat as ListedFormat
from labelplane_api.dataset import DatasetFormat
from labelplane_api.job import LabelingJob
from labelplane_api.load import parse_job, read_manifests
from labelplane_api.sources import Connector
from labelplane_api.support import check_supported
from labelplane_api.task import TaskType
from labelplane_cli.commands.init import init
from labelplane_cli.starting.findings import Findings
from labelplane_cli.starting.job_file import job_text
from labelplane_core.storage.folder import FolderStore
from labelplane_core.tasks import task_kind

TASK_TYPES = (TaskType.IMAGE_CLASSIFICATION, TaskType.TEXT_CLASSIFICATION)
SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return CommandLine({"init": init}, capsys)


def job_in(path: str) -> LabelingJob:
    job = read_manifests(Path(path)).job
    check_supported(job)
    return job


def make_files(root: str, *names: str) -> Path:
    for name in names:
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path(root)


def make_classes(root: str, *classes: str, count: int = 4, suffix: str = ".png") -> Path:
    return make_files(root, *(f"{name}/{n}{suffix}" for name in classes for n in range(count)))


def write_lines(path: str, records: list[dict[str, Any]]) -> Path:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    return target


def texts(count: int = 12, **columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    return [{"text": f"text number {n}", **{name: of(n) for name, of in columns.items()}} for n in range(count)]


# -- folders ----------------------------------------------------------------------------------------------------------


def test_class_folders_become_the_classes_of_a_rehearsal(run: CommandLine) -> None:
    ended = run("init", make_classes("my-images", "cats", "dogs"))
    job = job_in("my-images.labelingjob.yaml")
    assert "8 PNG images in 2 folders; the folder names look like classes: cats dogs" in ended.out
    assert ended.out.splitlines()[-1].split() == ["Next:", "labelplane", "run", "my-images.labelingjob.yaml"]
    assert job.spec.task.classes == ("cats", "dogs")
    assert job.spec.dataset.uri == "my-images"
    assert (job.spec.dataset.truth_field, job.spec.dataset.gold_field) == ("folder", None)
    assert job.spec.sources.humans is not None
    assert job.spec.sources.humans.connector is Connector.SIMULATED


def test_images_outside_the_class_folders_are_what_people_label(run: CommandLine) -> None:
    make_classes("pets", "cats", "dogs")
    ended = run("init", make_files("pets", "new-1.jpg", "new-2.jpg"))
    job = job_in("pets.labelingjob.yaml")
    assert "2 files lie in no folder" in ended.out
    assert (job.spec.dataset.truth_field, job.spec.dataset.gold_field) == (None, "folder")
    assert job.spec.sources.humans is not None
    assert job.spec.sources.humans.connector is Connector.INBOX


def test_a_flat_folder_gets_placeholders_and_the_output_says_where_to_write_classes(run: CommandLine) -> None:
    ended = run("init", make_files("flat", "a.png", "b.jpg", ".hidden.png", "notes.md"))
    text = Path("flat.labelingjob.yaml").read_text(encoding="utf-8").splitlines()
    assert "2 images (1 JPEG, 1 PNG); its classes are not known" in ended.out
    where = next(line for line in ended.out.splitlines() if "write your classes into" in line).split(":")[-1]
    assert "classes:" in text[int(where) - 1]
    assert "PLACEHOLDERS" in text[int(where) - 2]
    assert job_in("flat.labelingjob.yaml").spec.dataset.gold_field is None


def test_given_classes_are_asked_of_people_on_the_review_page(run: CommandLine) -> None:
    ended = run("init", make_classes("pets", "one", "two"), "--classes", " cat, dog,cat ,")
    job = job_in("pets.labelingjob.yaml")
    assert "your classes: cat dog" in ended.out
    assert ended.out.splitlines()[-1].split()[1:] == ["labelplane", "run", "pets.labelingjob.yaml", "--review"]
    assert job.spec.task.classes == ("cat", "dog")
    assert job.spec.dataset.truth_field is None
    humans = job.spec.sources.humans
    assert humans is not None
    assert (humans.connector, humans.votes_per_item) == (Connector.INBOX, 1)
    assert job.spec.budget.votes == 8


@pytest.mark.parametrize("classes", ["cat", ",", "cat,cat", f"a,{'x' * 200}"])
def test_given_classes_that_are_none_are_refused(run: CommandLine, classes: str) -> None:
    ended = run("init", make_files("flat", "a.png"), "--classes", classes)
    assert ended.code == 2
    assert "give 2 to 1,000 names with commas between" in ended.err
    assert not Path("flat.labelingjob.yaml").exists()


def test_folder_names_can_be_ignored(run: CommandLine) -> None:
    run("init", make_classes("pets", "cats", "dogs"), "--no-classes")
    job = job_in("pets.labelingjob.yaml")
    assert "cats" not in job.spec.task.classes
    assert job.spec.dataset.truth_field is None


@pytest.mark.parametrize(
    ("names", "want"),
    [
        pytest.param(["1", "10", "2"], ("1", "2", "10"), id="numbers are texts in the order of people"),
        pytest.param(["no", "yes"], ("no", "yes"), id="words that YAML takes for truth values"),
        pytest.param(["0o17", "1e3"], ("0o17", "1e3"), id="what YAML takes for numbers"),
        pytest.param(["a: b", "#c", 'd"e', "ü"], ("#c", "a: b", 'd"e', "ü"), id="signs of YAML"),
        pytest.param(["<script>", "{{ x }}"], ("<script>", "{{ x }}"), id="markup"),
        pytest.param([f"class number {n:03d}" for n in range(300)], None, id="more classes than a line holds"),
    ],
)
def test_class_names_keep_their_spelling(run: CommandLine, names: list[str], want: tuple[str, ...] | None) -> None:
    assert run("init", make_classes("items", *names)).code == 0
    assert job_in("items.labelingjob.yaml").spec.task.classes == (want or tuple(names))
    assert max(map(len, Path("items.labelingjob.yaml").read_text(encoding="utf-8").splitlines())) <= 120


@pytest.mark.parametrize(
    ("files", "why"),
    [
        pytest.param([f"{n}/only.png" for n in range(9)], "too many to be classes", id="a folder for each image"),
        pytest.param(["train/a.png", "test/b.png", "test/c.png", "train/d.png"], "parts of the data", id="splits"),
        pytest.param([" a/1.png", " a/2.png", "b/1.png", "b/2.png"], "no names of classes", id="names with a space"),
        pytest.param(["wrap/1.png", "wrap/2.png"], "no class folders", id="one folder"),
    ],
)
def test_folders_that_do_not_look_like_classes_are_not_taken(run: CommandLine, files: list[str], why: str) -> None:
    ended = run("init", make_files("items", *files))
    assert "its classes are not known" in ended.out
    assert why in ended.out
    assert job_in("items.labelingjob.yaml").spec.dataset.truth_field is None


@pytest.mark.parametrize(
    ("outer", "want"),
    [
        pytest.param(["images"], "items/images", id="one folder around the class folders"),
        pytest.param(["val", "train"], "items/train", id="train is taken of train and val"),
    ],
)
def test_class_folders_are_found_one_level_below(run: CommandLine, outer: list[str], want: str) -> None:
    for each in outer:
        make_classes(f"items/{each}", "cats", "dogs")
    ended = run("init", "items")
    assert job_in("items.labelingjob.yaml").spec.dataset.uri == want
    assert ("are left out" in ended.out) is (len(outer) > 1)


def test_text_files_become_a_text_job(run: CommandLine) -> None:
    ended = run("init", make_classes("mails", "ham", "spam", suffix=".txt"))
    assert "8 text files in 2 folders" in ended.out
    assert job_in("mails.labelingjob.yaml").spec.task.type == "TextClassification"


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["digits", "digits/items.csv"])
def test_a_sample_is_described_as_its_own_job_file_does(run: CommandLine, address: str) -> None:
    ended = run("init", SAMPLES / address)
    made = job_in("digits.labelingjob.yaml" if address == "digits" else "items.labelingjob.yaml")
    own = read_manifests(SAMPLES / "digits.yaml").job
    assert "1,797 images in items.csv" in ended.out
    assert made.spec.task == own.spec.task
    assert made.spec.dataset.model_copy(update={"uri": ""}) == own.spec.dataset.model_copy(update={"uri": ""})


def test_a_sample_of_texts_is_described_as_its_own_job_file_does(run: CommandLine) -> None:
    assert run("init", SAMPLES / "glosses").code == 0
    made, own = job_in("glosses.labelingjob.yaml"), read_manifests(SAMPLES / "glosses.yaml").job
    assert made.spec.task == own.spec.task
    assert made.spec.dataset.model_copy(update={"uri": ""}) == own.spec.dataset.model_copy(update={"uri": ""})


@pytest.mark.parametrize(
    ("records", "want"),
    [
        pytest.param(texts(label=lambda n: n % 3), ("text", None, None, "label"), id="numbers as labels"),
        pytest.param(
            texts(label=lambda n: n % 3, label_text=lambda n: "abc"[n % 3]),
            ("text", None, None, "label_text"),
            id="words before the numbers that stand for them",
        ),
        pytest.param(
            texts(uid=lambda n: f"u{n}", topic=lambda n: "ab"[n % 2] if n < 8 else None),
            ("text", "uid", "topic", None),
            id="a partly filled column is gold",
        ),
        pytest.param(
            texts(score=lambda n: (n % 2) + 0.5, label=lambda n: n),
            ("text", None, None, None),
            id="numbers that measure",
        ),
        pytest.param(
            texts(kind=lambda n: "ab"[n % 2], split=lambda n: "xy"[n % 2]),
            ("text", None, None, "kind"),
            id="the only column that repeats few values",
        ),
        pytest.param(
            texts(kind=lambda n: "ab"[n % 2], sort=lambda n: "xy"[n % 2]),
            ("text", None, None, None),
            id="two such columns, none is guessed",
        ),
        pytest.param(texts(meta=lambda n: {"n": n}), ("text", None, None, None), id="objects are left alone"),
        pytest.param(
            [{"note": f"a longer note, number {n}", "n": n} for n in range(8)],
            ("note", None, None, None),
            id="the longest texts, whatever they are called",
        ),
    ],
)
def test_columns_are_found_by_name_and_content(
    run: CommandLine, records: list[dict[str, Any]], want: tuple[str | None, ...]
) -> None:
    ended = run("init", write_lines("in.jsonl", records))
    assert ended.code == 0, ended.err
    found = job_in("in.labelingjob.yaml").spec.dataset
    assert (found.item_field, found.id_field, found.gold_field, found.truth_field) == want


def test_a_table_of_images_lists_their_paths(run: CommandLine) -> None:
    make_files("shots", "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    rows = "".join(f"{name},{kind}\n" for name, kind in zip(["a/1", "a/2", "b/1", "b/2"], "xyxy", strict=True))
    Path("shots/metadata.csv").write_text("file_name,class\n" + rows.replace(",", ".jpg,"), encoding="utf-8")
    assert run("init", "shots").code == 0
    job = job_in("shots.labelingjob.yaml")
    assert (job.spec.dataset.index, job.spec.dataset.item_field) == ("metadata.csv", "file_name")
    assert (job.spec.task.type, job.spec.task.classes) == ("ImageClassification", ("x", "y"))


def test_parquet_is_read_too(run: CommandLine) -> None:
    pq.write_table(pa.Table.from_pylist(texts(label=lambda n: n % 2)), "in.parquet")
    assert run("init", "in.parquet").code == 0
    assert job_in("in.labelingjob.yaml").spec.dataset.format == "Parquet"


def test_a_table_that_lists_no_items_does_not_hide_the_images_beside_it(run: CommandLine) -> None:
    make_classes("pets", "cats", "dogs")
    Path("pets/sizes.csv").write_text("width,height\n1,2\n", encoding="utf-8")
    ended = run("init", "pets")
    assert "sizes.csv lists no items and is left out" in ended.out
    assert job_in("pets.labelingjob.yaml").spec.dataset.format == "ClassFolders"


# -- the stage that reads the data set first ---------------------------------------------------------------------------


def _one_folder() -> Path:
    make_classes("pets", "cats", "dogs")
    return make_files("pets", "new.png", ".hidden/x.png", "cats/deep/er.png", "notes.txt")


def _wrapped() -> Path:
    return make_classes("pets/images", "cats", "dogs").parent


def _table_of_texts() -> Path:
    return write_lines("pets.jsonl", texts(id=lambda n: n, gold=lambda n: "ab"[n % 2] if n < 8 else None))


def _table_of_images() -> Path:
    make_files("pets", "1.png", "2.png")
    Path("pets/items.csv").write_text("image,label\n1.png,\n2.png,\n", encoding="utf-8")
    return Path("pets")


@pytest.mark.parametrize(
    ("make", "want_items", "want_gold"),
    [
        pytest.param(_one_folder, 10, ["", "cats", "dogs"], id="class folders and a file outside of them"),
        pytest.param(_wrapped, 8, None, id="class folders in a folder"),
        pytest.param(_table_of_texts, 12, ["", "a", "b"], id="texts in a table"),
        pytest.param(_table_of_images, 2, None, id="images in a table"),
    ],
)
async def test_prepare_lists_what_was_found(
    run: CommandLine, make: Callable[[], Path], want_items: int, want_gold: list[str] | None
) -> None:
    ended = run("init", make())
    assert f"{want_items} " in ended.out
    spec = job_in("pets.labelingjob.yaml").spec
    task = Task(kind=task_kind(spec.task.type.value), classes=spec.task.classes)
    dataset = Dataset(
        format=ListedFormat(spec.dataset.format.value),
        index=spec.dataset.index or "",
        id_field=spec.dataset.id_field or "",
        item_field=spec.dataset.item_field or "",
    )
    gold_field = spec.dataset.gold_field or ""
    fields = (gold_field,) if gold_field else ()
    listing = await read_listing(FolderStore(Path(spec.dataset.uri)), task, dataset, fields=fields)
    assert len(listing) == want_items
    if want_gold is not None:
        known = known_classes(listing.fields[gold_field], listing, task, field=gold_field)
        assert sorted(set(known)) == want_gold


# -- the file that is written -----------------------------------------------------------------------------------------


def test_the_address_is_relative_to_the_job_file(run: CommandLine) -> None:
    make_classes("pets", "cats", "dogs")
    Path("jobs").mkdir()
    ended = run("init", "pets", "--output", "jobs/first.yaml")
    assert job_in("jobs/first.yaml").spec.dataset.uri == "../pets"
    assert "labelplane run jobs/first.yaml" in ended.out


@pytest.mark.parametrize(
    ("folder", "want"),
    [("My Images_2", "my-images-2"), ("__", "labels"), ("x" * 90, "x" * 50), ("Größe", "gr-e")],
)
def test_the_jobs_name_is_a_dns_label(run: CommandLine, folder: str, want: str) -> None:
    assert run("init", make_files(folder, "a.png")).code == 0
    assert job_in(f"{want}.labelingjob.yaml").metadata.name == want


def test_the_working_folder_itself_has_a_name(run: CommandLine) -> None:
    make_files(".", "a.png")
    assert run("init", ".").code == 0
    assert job_in("work.labelingjob.yaml").spec.dataset.uri == "."


def test_a_job_file_is_replaced_by_force_alone(run: CommandLine) -> None:
    make_classes("pets", "cats", "dogs")
    Path("pets.labelingjob.yaml").write_text("mine")
    assert "pets.labelingjob.yaml: is there already: give --force" in run("init", "pets").error_line
    assert Path("pets.labelingjob.yaml").read_text() == "mine"
    assert run("init", "pets", "--force").code == 0
    assert job_in("pets.labelingjob.yaml")


@pytest.mark.parametrize("task", TASK_TYPES)
@pytest.mark.parametrize(("has_torch", "want"), [(False, {"Linear"}), (True, {"SmallCnn", "Mlp", "HashedNgrams"})])
def test_the_encoders_are_those_that_train_on_this_machine(task: TaskType, *, has_torch: bool, want: set[str]) -> None:
    found = Findings(task=task, folder=Path(), format=DatasetFormat.CLASS_FOLDERS, n_items=9, summary="9 items")
    model = parse_job(job_text(found, name="x", file=Path("x.yaml"), has_torch=has_torch), source="x.yaml").spec.model
    assert {model.teacher.encoder, model.student.encoder} <= want


BAD: dict[str, tuple[str, str, str]] = {
    "nothing there": ("", "none", "none: no such file or folder: check the path"),
    "unknown ending": ("items.xlsx", "x", "items.xlsx: cannot be read by its ending: give a file in .csv"),
    "no byte": ("items.csv", "", "items.csv: the file is empty"),
    "header alone": ("items.csv", "id,text\n", "items.csv: the table has no row"),
    "semicolons": ("items.csv", "id;text\n1;a\n", "its cells are separated by ';': save it with commas"),
    "no column of items": ("items.csv", "a,b\n1,2\n", "no column among 'a', 'b' holds texts or paths of images"),
    "id twice": (
        "items.csv",
        "id,text\n1,some words\n1,other words\n",
        "items.csv:3: id '1' stands already at items.csv:2: ids must differ",
    ),
    "images elsewhere": ("items.csv", "image\nno.png\n", "items.csv:2: image 'no.png' is not in"),
    "images of the web": ("items.csv", "image\nhttps://host/a.png\n", "is no path below the table's folder"),
    "images above": ("items.csv", "image\n../a.png\n", "items.csv:2: image '../a.png' is no path below"),
    "no json": ("items.jsonl", "{\n", "items.jsonl:1: not JSON"),
    "space in the table's name": ("my items.csv", "id,text\n1,a b\n", "my items.csv: rename the file"),
}


@pytest.mark.parametrize(("name", "content", "want"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(run: CommandLine, name: str, content: str, want: str) -> None:
    if name:
        Path(name).write_text(content, encoding="utf-8")
    assert want in run("init", name or content).error_line
    assert not list(Path().glob("*.yaml"))


@pytest.mark.parametrize(
    ("files", "want"),
    [
        pytest.param([], "items: holds no files", id="empty folder"),
        pytest.param(["a.pdf", "b.doc"], "items: holds no images and no texts, only .doc, .pdf", id="other files"),
        pytest.param(["a.csv", "b.csv"], "items: has 2 tables (a.csv, b.csv): name one", id="two tables"),
        pytest.param([".git/a.png"], "items: holds no files", id="hidden files"),
    ],
)
def test_a_folder_without_items_is_refused_in_one_line(run: CommandLine, files: list[str], want: str) -> None:
    Path("items").mkdir()
    make_files("items", *files)
    assert want in run("init", "items").error_line


@pytest.mark.parametrize(
    ("target", "want"),
    [
        pytest.param("no/job.yaml", "its folder no is not there", id="no folder"),
        pytest.param("folder.yaml", "folder.yaml: is a folder: name a file", id="a folder"),
        pytest.param("in.jsonl", "in.jsonl: a job file ends in .yaml or .yml", id="the items themselves"),
    ],
)
def test_an_output_that_cannot_be_is_refused_in_one_line(run: CommandLine, target: str, want: str) -> None:
    Path("folder.yaml").mkdir()
    table = write_lines("in.jsonl", texts())
    before = table.read_bytes()
    assert want in run("init", table, "--output", target, "--force").error_line
    assert table.read_bytes() == before


def test_a_folder_with_a_colon_is_refused_in_one_line(run: CommandLine) -> None:
    assert "a job cannot name a path with a colon or" in run("init", make_files("a:b", "a.png")).error_line

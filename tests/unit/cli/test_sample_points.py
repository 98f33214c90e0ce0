import csv
from pathlib import Path

import numpy as np
from PIL import Image

from labelplane_api.load import parse_job
from labelplane_api.support import check_supported
from labelplane_cli.sample_points import CLASSES, JOB, Points, draw_points, write_points


def placed(*places: tuple[float, float]) -> Points:
    return Points(np.asarray(places, np.float64), np.zeros(len(places), np.int64))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "data" / "items.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_same_seed_draws_the_same_points_and_another_seed_others() -> None:
    first, again, other = Points.draw(100), Points.draw(100), Points.draw(100, seed=1)

    assert np.array_equal(first.places, again.places)
    assert np.array_equal(first.classes, again.classes)
    assert not np.array_equal(first.places, other.places)


def test_clouds_are_about_equally_large_and_lie_where_their_names_say() -> None:
    points = Points.draw(3000)
    centres = {name: points.places[points.classes == code].mean(axis=0) for code, name in enumerate(CLASSES)}

    assert np.bincount(points.classes).min() > 900
    assert centres["left"][0] < -0.9
    assert centres["right"][0] > 0.9
    assert centres["top"][1] > 0.8


def test_plane_is_drawn_with_each_point_as_its_first_letter() -> None:
    lines = draw_points(placed((-2.4, 2.4), (2.4, -2.4), (0.01, 0.01)), ["top left", "right", "Middle"])

    assert (len(lines), lines[0]) == (12, "t")
    assert lines[-1] == " " * 47 + "r"
    assert "".join(lines).count("M") == 1


def test_pictures_lie_where_the_table_says_and_one_class_in_five_is_gold(tmp_path: Path) -> None:
    points = Points.draw(11)

    write_points(points, tmp_path)

    table = rows(tmp_path)
    assert [row["truth"] for row in table] == [CLASSES[code] for code in points.classes]
    assert [number for number, row in enumerate(table) if row["gold"]] == [0, 5, 10]
    assert all(row["gold"] in {"", row["truth"]} for row in table)
    for row in table:
        with Image.open(tmp_path / "data" / row["image"]) as picture:
            assert (picture.size, picture.mode) == ((12, 12), "L")


def test_picture_is_brightest_where_its_point_lies(tmp_path: Path) -> None:
    write_points(placed((2.4, 2.4)), tmp_path)

    with Image.open(tmp_path / "data" / "images" / "point-0000.png") as picture:
        light = np.asarray(picture)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert (int(row), int(column)) == (0, 11)


def test_writing_again_leaves_the_pictures_that_are_there(tmp_path: Path) -> None:
    write_points(Points.draw(3), tmp_path)
    kept = tmp_path / "data" / "images" / "point-0001.png"
    kept.write_bytes(b"mine")

    write_points(Points.draw(3), tmp_path)

    assert kept.read_bytes() == b"mine"
    assert len(rows(tmp_path)) == 3


def test_job_of_the_demo_is_valid_built_and_has_the_classes_of_the_points() -> None:
    job = parse_job(JOB, source="demo")

    check_supported(job)
    assert tuple(job.spec.task.classes) == CLASSES

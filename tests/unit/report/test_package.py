import hashlib
import json
import subprocess
import sys
from importlib.resources import files

import pytest

import labelplane_report


@pytest.mark.parametrize("name", labelplane_report.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(labelplane_report, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = labelplane_report.nothing


def test_importing_the_package_loads_no_table_library() -> None:
    code = "import sys, labelplane_report; print(sorted({'pyarrow', 'jinja2', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_rendering_needs_no_grpc_storage_or_torch() -> None:
    code = (
        "import sys, labelplane_report.build, labelplane_report.html, labelplane_report.export;"
        "print(sorted({'grpc', 'obstore', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_chart_js_is_what_was_vendored_and_small() -> None:
    assets = files("labelplane_report").joinpath("assets")
    record = json.loads(assets.joinpath("chart.umd.json").read_text(encoding="utf-8"))
    for name, digest in record["sha256"].items():
        assert hashlib.sha256(assets.joinpath(name).read_bytes()).hexdigest() == digest
    assert len(assets.joinpath("chart.umd.js").read_bytes()) <= 210 * 1024
    assert record["version"] in assets.joinpath("chart.umd.js").read_text(encoding="utf-8")[:200]

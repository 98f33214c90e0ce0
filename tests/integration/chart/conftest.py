"""The chart, rendered by a real Helm."""

import pytest
from helm import Chart, find_tool


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm=find_tool("helm"), folder=tmp_path_factory.mktemp("helm"))

"""The tests' node gives containers the values that a kubelet would."""

import pytest
from hollow_containers import expanded

from labelplane_operator.builders.variables import plain


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("s3://b/$$HOME", "s3://b/$HOME", id="a dollar"),
        pytest.param("$(HOST):$(PORT)", "store:$(PORT)", id="another variable, and one that there is not"),
        pytest.param("$$(HOST)", "$(HOST)", id="what only looks like one"),
        pytest.param("cost: 5$ $x $", "cost: 5$ $x $", id="a lone dollar"),
        pytest.param("$$$$(HOST)", "$$(HOST)", id="two dollars"),
        pytest.param("$$$(HOST)", "$store", id="a dollar before a variable"),
    ],
)
def test_a_value_is_expanded_as_by_a_kubelet(text: str, want: str) -> None:
    assert expanded(text, {"HOST": "store"}) == want


@pytest.mark.parametrize("value", ["plain", "$", "$$", "$(HOST)", "$$(HOST)", "a$b$(HOST)$"])
def test_what_a_builder_sets_arrives_as_it_is(value: str) -> None:
    assert expanded(plain("X", value)["value"], {"HOST": "store"}) == value

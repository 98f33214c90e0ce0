"""Overrides of pods for property tests: right ones, and ones that are a little wrong."""

from typing import Any

from hypothesis import strategies as st

_WORDS = st.sampled_from(
    (
        *("team", "a", "A.b_c", "x-", "-x", "a b", "9", "é", "a" * 63, "a" * 64, "example.com/pool", "Example.com/p"),
        *("a..b/c", "/c", "c/", "a/b/c", f"example.com/{'b' * 64}", "topology.kubernetes.io/zone", "labelplane.io/job"),
    )
)
_VALUES = st.sampled_from(["", "vision", "a_b.c", "-", "a b", "a/b", "v" * 63, "9", "true", "é"])
_RESOURCES = st.sampled_from(
    (
        *("cpu", "memory", "ephemeral-storage", "nvidia.com/gpu", "gpu", "hugepages-2Mi", "hugepages-x", "pods"),
        *("storage", "amd.com/gpu", "kubernetes.io/x", "requests.cpu", "Example.com/x", "example.com/x y"),
        "requests.nvidia.com/gpu",
    )
)
_QUANTITIES = st.sampled_from(
    (
        "0",
        "1",
        "2",
        "500m",
        "0.5",
        "1.5",
        "100Mi",
        "2Gi",
        "2G",
        "3k",
        "1Ei",
        "12345678901234567890",
        "1m",
        "4Mi",
        "0.0001",
    )
)
_CLASSES = st.sampled_from(["labels", "gpu-first"])


def _maps(keys: st.SearchStrategy[str], values: st.SearchStrategy[str], most: int) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(keys, values, max_size=most)


_TOLERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "key": _WORDS,
        "operator": st.sampled_from(["Exists", "Equal"]),
        "value": _VALUES,
        "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        "tolerationSeconds": st.integers(-5, 600),
    },
)
_ENV = st.fixed_dictionaries(
    {"name": st.sampled_from(["A", "_a", "OMP_NUM_THREADS", "HOME", "LABELPLANE_TOKEN"]), "value": st.text(min_size=1)}
)

overrides: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "resources": st.fixed_dictionaries(
            {}, optional={side: _maps(_RESOURCES, _QUANTITIES, 3) for side in ("requests", "limits")}
        ),
        "nodeSelector": _maps(_WORDS, _VALUES, 2),
        "tolerations": st.lists(_TOLERATIONS, max_size=2),
        "labels": _maps(_WORDS, _VALUES, 2),
        "env": st.lists(_ENV, max_size=2, unique_by=lambda variable: variable["name"]),
        "priorityClassName": _CLASSES,
        "runtimeClassName": st.just("nvidia"),
    },
)
"""Objects of one entry of `spec.podOverrides`."""

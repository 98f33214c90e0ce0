"""Events: what they say, that the same is said once, and that one that cannot be made holds up no other."""

from datetime import UTC, datetime
from typing import Any

import pytest
from played_api import PlayedApi, refusal

from labelplane_api.metadata import ObjectMeta
from labelplane_operator.event_recorder import EventRecorder
from labelplane_operator.job_events import event_manifest
from labelplane_operator.kube import Kube
from labelplane_operator.plan import Event

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
EVENTS = "/apis/events.k8s.io/v1/namespaces/team/events"


def _metadata(**fields: Any) -> ObjectMeta:
    return ObjectMeta.model_validate({"name": "digits", "namespace": "team", "uid": "1", "generation": 2} | fields)


def _made(message: str = "Complete: done", **fields: Any) -> dict[str, Any]:
    return event_manifest(_metadata(**fields), Event("Finished", message), now=NOW)


def test_an_event_says_what_happened_to_which_job() -> None:
    event = _made()

    assert event["regarding"]["uid"] == "1"
    assert (event["reason"], event["note"], event["type"]) == ("Finished", "Complete: done", "Normal")
    assert event["eventTime"] == "2026-01-02T03:04:05.000006Z"
    warning = event_manifest(_metadata(), Event("StageFailed", "no", is_warning=True), now=NOW)
    assert warning["type"] == "Warning"


def test_the_same_event_has_the_same_name_and_any_other_another() -> None:
    same, others = _made(), [_made("other"), _made(uid="2"), _made(generation=3)]

    assert _made()["metadata"]["name"] == same["metadata"]["name"]
    assert len({each["metadata"]["name"] for each in [same, *others]}) == 4
    assert len(_made(name="d" * 253)["metadata"]["name"]) <= 253


@pytest.mark.parametrize(
    ("message", "want"),
    [
        pytest.param("x" * 2000, "x" * 1024, id="of letters"),
        pytest.param("é" * 2000, "é" * 512, id="of two bytes each"),
        pytest.param("x" + "\U0001f600" * 500, "x" + "\U0001f600" * 255, id="that would be cut within a character"),
    ],
)
def test_a_long_note_is_cut_to_the_bytes_that_the_api_server_takes(message: str, want: str) -> None:
    assert _made(message)["note"] == want


async def _record(api: PlayedApi, *messages: str, most_waiting: int = 10) -> None:
    kube = Kube(api, may_write=lambda: True, count=lambda *_: None)  # type: ignore[arg-type]
    recorder = EventRecorder(kube, most_waiting=most_waiting)
    async with recorder.running():
        for message in messages:
            recorder.record(_made(message))


def _notes(api: PlayedApi) -> list[str]:
    return [each["note"] for each in api.objects.values()]


async def test_events_that_wait_are_made_before_the_process_leaves() -> None:
    api = PlayedApi()
    await _record(api, "one", "two", "three")

    assert _notes(api) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("error", "want"),
    [
        pytest.param(refusal(409, "exists"), "", id="it was told before"),
        pytest.param(refusal(403, "no right"), "an event was lost: create", id="a right is missing"),
        pytest.param(refusal(403, "ends", causes=("NamespaceTerminating",)), "", id="the namespace ends"),
        pytest.param(TimeoutError(), "an event was lost: create", id="no answer"),
        pytest.param(KeyError("metadata"), "a defect: an event was lost: one", id="a defect"),
    ],
)
async def test_an_event_that_cannot_be_made_holds_up_no_other(
    caplog: pytest.LogCaptureFixture, error: Exception, want: str
) -> None:
    api = PlayedApi()
    api.fail("post", EVENTS, error)
    await _record(api, "one", "two")

    assert _notes(api) == ["two"]
    assert want in caplog.text
    assert bool(caplog.text) is bool(want)


async def test_of_very_many_events_the_last_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    api = PlayedApi()
    await _record(api, "one", "two", most_waiting=1)

    assert _notes(api) == ["one"]
    assert "as 1 others wait: two" in caplog.text

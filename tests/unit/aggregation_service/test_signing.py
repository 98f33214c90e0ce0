"""What is signed is read back, and nothing else is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_aggregation.inbox.signing import Lease, Signer, Ticket

UNTIL = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
SIGNER = Signer(b"key")


@given(st.integers(0, 2**40), st.text(max_size=253), st.text(max_size=100))
def test_leases_and_tickets_are_read_back(number: int, annotator: str, item: str) -> None:
    lease, ticket = Lease(number, annotator, UNTIL), Ticket(item, UNTIL)
    assert SIGNER.lease(SIGNER.lease_id(lease)) == lease
    assert SIGNER.ticket(SIGNER.content_ticket(ticket)) == ticket


@given(st.text(max_size=60))
def test_any_other_word_is_nothing(word: str) -> None:
    assert SIGNER.lease(word) is None
    assert SIGNER.ticket(word) is None


def test_a_lease_is_no_ticket_and_another_key_signs_otherwise() -> None:
    lease_id = SIGNER.lease_id(Lease(1, "ann", UNTIL))
    assert SIGNER.ticket(lease_id) is None
    assert SIGNER.lease(SIGNER.content_ticket(Ticket("i", UNTIL))) is None
    assert Signer(b"other").lease(lease_id) is None


@pytest.mark.parametrize("place", [0, 10, 30, -3])
def test_a_word_with_one_other_letter_is_nothing(place: int) -> None:
    word = SIGNER.lease_id(Lease(1, "ann", UNTIL))
    other = list(word)
    other[place] = "A" if other[place] != "A" else "B"
    assert SIGNER.lease("".join(other)) is None

"""Offer/answer: every row, and what no row allows."""

from itertools import product

import pytest

from switch.dialog.offer_answer import TABLE, OfferEvent, OfferState, glare_status

S, E = OfferState, OfferEvent

ROWS = {
    (S.STABLE, E.SEND_OFFER): S.LOCAL_OFFER,
    (S.STABLE, E.RECEIVE_OFFER): S.REMOTE_OFFER,
    (S.STABLE, E.REFUSED): S.STABLE,
    (S.LOCAL_OFFER, E.RECEIVE_ANSWER): S.STABLE,
    (S.LOCAL_OFFER, E.REFUSED): S.STABLE,
    (S.REMOTE_OFFER, E.SEND_ANSWER): S.STABLE,
    (S.REMOTE_OFFER, E.REFUSED): S.STABLE,
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_rows(state: OfferState, event: OfferEvent) -> None:
    assert TABLE.get((state, event)) is ROWS.get((state, event))


@pytest.mark.parametrize(
    ("state", "status"), [(S.STABLE, None), (S.LOCAL_OFFER, 491), (S.REMOTE_OFFER, 500)]
)
def test_glare(state: OfferState, status: int | None) -> None:
    assert glare_status(state, "INVITE") == glare_status(state, "UPDATE") == status

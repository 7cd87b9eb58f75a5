"""Topics: what is one of ours, and whose."""

import pytest

from firmware_agent.messages.topics import BEACON, QOS, RETAINED, Kind, Topic


@pytest.mark.parametrize("kind", Kind)
def test_round_trip(kind: Kind) -> None:
    topic = Topic(kind, "" if kind is Kind.BEACON else "dev-0001")
    assert Topic.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        "vigie/v1/d/dev-0001/other",
        "vigie/v1/d/DEV-0001/desired",
        "vigie/v1/d/short/desired",
        "vigie/v1/d/dev-0001/desired/more",
        "vigie/v1/d/+/desired",
        "vigie/v1/d/dev-0001/req",
        "vigie/v1/claim/dev-0001/desired",
        "vigie/v2/d/dev-0001/desired",
        "vigie/v1/fleet/other",
        "",
    ],
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no topic"):
        Topic.parse(text)


def test_what_is_kept_and_what_may_be_lost() -> None:
    assert {Kind.DESIRED, Kind.STATUS, Kind.BEACON} == RETAINED
    assert [kind for kind, qos in QOS.items() if qos == 0] == [Kind.TLM]
    assert str(Topic(Kind.ACK, "dev-0001")) == "vigie/v1/d/dev-0001/cmd/ack"
    assert str(Topic(Kind.CLAIM_REQ, "claim-0001")) == "vigie/v1/claim/claim-0001/req"
    assert str(Topic(Kind.BEACON, "")) == BEACON

"""What a REGISTER asks for, read before anything changes."""

import pytest

from switch.registrar.wanted import Limits, TooBriefError, Wanted, read
from switch.sip.build import make_request
from switch.sip.errors import RemoteProtocolError

LIMITS = Limits(contacts=2)


def wanted(*headers: tuple[str, str], is_proxied: bool = False) -> Wanted:
    lines = [("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), *headers]
    return read(make_request("REGISTER", "sip:vigie", lines), LIMITS, is_proxied)


@pytest.mark.parametrize(
    ("param", "header", "lifetime"),
    [
        ("", None, 3600),
        ("", "600", 600),
        (";expires=120", "600", 120),
        (";expires=120", "garbage", 120),
        (";expires=x", "600", 3600),
        (";expires=0", None, 0),
        ("", "0", 0),
        (";expires=99999", None, 7200),
        (f";expires={'9' * 5000}", None, 7200),
    ],
)
def test_lifetimes(param: str, header: str | None, lifetime: int) -> None:
    headers = [("Contact", f"<sip:a@b>{param}")]
    headers += [("Expires", header)] if header is not None else []
    assert wanted(*headers).contacts[0].lifetime_s == lifetime


def test_too_brief() -> None:
    with pytest.raises(TooBriefError):
        wanted(("Contact", "<sip:a@b>;expires=59"))


@pytest.mark.parametrize(
    ("text", "q"), [("0.5", 0.5), ("0", 0.0), ("1.000", 1.0), ("2", 1.0), ("nan", 1.0), ("x", 1.0)]
)
def test_preferences(text: str, q: float) -> None:
    assert wanted(("Contact", f"<sip:a@b>;q={text}")).contacts[0].q == q


def test_several_contacts_on_one_line_and_on_two() -> None:
    one = wanted(("Contact", "<sip:a@b>, <sip:c@d>;q=0.1"))
    two = wanted(("Contact", "<sip:a@b>"), ("Contact", "<sip:c@d>;q=0.1"))
    assert one == two
    assert [str(contact.uri) for contact in one.contacts] == ["sip:a@b", "sip:c@d"]
    with pytest.raises(RemoteProtocolError, match="400"):
        wanted(("Contact", "<sip:a@b>, <sip:c@d>, <sip:e@f>"))


def test_no_contact_is_a_query_and_the_asterisk_removes_all() -> None:
    assert wanted() == Wanted((), False, ())
    assert wanted(("Contact", "*"), ("Expires", "0")).removes_all


def test_text_keeps_what_the_phone_wrote_less_what_is_ours() -> None:
    contact = wanted(("Contact", '"X" <sip:a@b;line=1>;expires=90;received="x";+sip.ice;q=0.5'))
    assert contact.contacts[0].text == "<sip:a@b;line=1>;q=0.5;+sip.ice"


OUTBOUND = ("Contact", '<sip:a@b>;+sip.instance="<urn:uuid:a>";reg-id=1')
SUPPORTED = ("Supported", "path, Outbound")


def test_outbound_needs_support_instance_and_reg_id() -> None:
    assert wanted(OUTBOUND, SUPPORTED).is_outbound
    assert not wanted(OUTBOUND).is_outbound
    assert not wanted(("Contact", "<sip:a@b>;reg-id=1"), SUPPORTED).is_outbound
    assert not wanted(("Contact", '<sip:a@b>;+sip.instance="<a>"'), SUPPORTED).is_outbound


def test_outbound_through_a_proxy_needs_ob_in_the_path_next_to_the_phone() -> None:
    able = ("Path", "<sip:far;lr>, <sip:near;lr;ob>")
    unable = ("Path", "<sip:far;lr;ob>, <sip:near;lr>")
    assert wanted(OUTBOUND, SUPPORTED, able, is_proxied=True).is_outbound
    with pytest.raises(RemoteProtocolError, match="439"):
        wanted(OUTBOUND, SUPPORTED, unable, is_proxied=True)
    assert wanted(("Contact", "<sip:a@b>"), SUPPORTED, unable, is_proxied=True).contacts


def test_a_strangers_path_is_not_read() -> None:
    path = ("Path", "<sip:edge;lr>")
    assert wanted(("Contact", "<sip:a@b>"), path, is_proxied=True).path == ("<sip:edge;lr>",)
    assert wanted(("Contact", "<sip:a@b>"), path).path == ()

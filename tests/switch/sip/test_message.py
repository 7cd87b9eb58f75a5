import pytest

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.message import Request, Response


def request(*headers: tuple[str, str], uri: str = "sip:102@h") -> Request:
    return Request("INVITE", uri, [name for name, _ in headers], [value for _, value in headers])


FULL = (
    ("Via", "SIP/2.0/UDP h;branch=b, SIP/2.0/TCP i"),
    ("Via", "SIP/2.0/TLS j"),
    ("From", '"Ann" <sip:101@h>;tag=f'),
    ("To", "<sip:102@h>"),
    ("Call-ID", "c@h"),
    ("CSeq", "3 INVITE"),
    ("Contact", "<sip:101@p>;q=0.5, sip:101@r"),
    ("Contact", "<sip:101@s>"),
    ("Max-Forwards", "70"),
    ("Expires", "60"),
    ("Content-Type", "Application/SDP ; charset=x"),
    ("Record-Route", "<sip:e1;lr>, <sip:e2;lr>"),
    ("Route", "<sip:r1;lr>"),
)


class TestValues:
    def test_what_is_parsed(self) -> None:
        message = request(*FULL)
        assert (message.via.host, message.via.branch) == ("h", "b")
        assert message.cseq == (3, "INVITE")
        assert (message.from_.display, message.from_tag, message.to_tag) == ("Ann", "f", None)
        assert message.to.uri.user == "102"
        assert message.call_id == "c@h"
        assert [contact.uri.host for contact in message.contacts] == ["p", "r", "s"]
        assert (message.max_forwards, message.expires) == (70, 60)
        assert message.content_type == "application/sdp"
        assert [hop.uri.host for hop in message.record_route] == ["e1", "e2"]
        assert [hop.uri.host for hop in message.route] == ["r1"]
        assert message.request_uri.user == "102"

    def test_they_are_kept(self) -> None:
        message = request(*FULL)
        assert message.via is message.via
        assert message.from_ is message.from_
        assert message.contacts is message.contacts
        assert message.request_uri is message.request_uri

    def test_absent_optional_values(self) -> None:
        message = request()
        assert message.contacts == []
        assert message.route == []
        assert message.max_forwards is None
        assert message.expires is None
        assert message.content_type is None
        assert not message.contact_is_star

    @pytest.mark.parametrize(
        "name", ["via", "cseq", "from_", "to", "from_tag", "to_tag", "call_id"]
    )
    def test_absent_mandatory_values(self, name: str) -> None:
        with pytest.raises(ParseError, match="no "):
            getattr(request(), name)

    def test_a_star(self) -> None:
        message = request(("Contact", "*"))
        assert message.contact_is_star
        assert message.contacts == []

    @pytest.mark.parametrize(
        "headers",
        [
            [("Contact", "<sip:a@b>"), ("Contact", "*")],
            [("Contact", "*"), ("Contact", "<sip:a@b>")],
            [("Contact", "*, <sip:a@b>")],
        ],
    )
    def test_a_star_among_addresses_is_none(self, headers: list[tuple[str, str]]) -> None:
        message = request(*headers)
        assert not message.contact_is_star
        with pytest.raises(ParseError):
            _ = message.contacts

    def test_a_changed_request_uri_is_parsed_anew(self) -> None:
        message = request()
        assert message.request_uri.user == "102"
        message.uri = "sip:103@h"
        assert message.request_uri.user == "103"


class TestLists:
    def test_reading(self) -> None:
        message = request(("A", "1"), ("B", "2"), ("A", "3, 4"))
        assert message.get("A") == "1"
        assert message.get("C") is None
        assert message.get_all("A") == ["1", "3, 4"]
        assert message.get_all("C") == []
        assert message.split("A") == ["1", "3", "4"]
        assert message.has("B")
        assert not message.has("C")

    def test_changing(self) -> None:
        message = request(("A", "1"), ("B", "2"), ("A", "3"), ("C", "4"))
        message.set("A", "5")
        assert list(zip(message.names, message.values, strict=True)) == [
            ("A", "5"), ("B", "2"), ("C", "4"),
        ]  # fmt: skip
        message.set("D", "6")
        message.insert_first("E", "7")
        message.remove("B")
        message.remove("absent")
        message.add("A", "8")
        assert message.names == ["E", "A", "C", "D", "A"]
        assert message.values == ["7", "5", "4", "6", "8"]

    @pytest.mark.parametrize("change", ["add", "insert_first", "set"])
    def test_changes_forget_what_was_parsed(self, change: str) -> None:
        message = request(*FULL[2:])
        message.insert_first("Via", "SIP/2.0/UDP first")
        assert message.via.host == "first"
        assert message.from_tag == "f"
        message.set("Via", "SIP/2.0/UDP other")
        assert message.via.host == "other"
        before = message.contacts
        getattr(message, change)("Contact", "<sip:new@h>")
        assert message.contacts != before
        message.remove("Via")
        with pytest.raises(ParseError):
            _ = message.via

    @pytest.mark.parametrize("change", ["add", "insert_first", "set"])
    def test_content_length_is_not_in_the_lists(self, change: str) -> None:
        with pytest.raises(LocalProtocolError):
            getattr(request(), change)("Content-Length", "3")


class TestWriting:
    def test_bytes(self) -> None:
        message = request(("Via", "SIP/2.0/UDP h"), ("Subject", "é"))
        message.body = b"\xff\0"
        assert message.to_bytes() == (
            "INVITE sip:102@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nSubject: é\r\n"
            "Content-Length: 2\r\n\r\n"
        ).encode() + bytes([0xFF, 0])

    def test_without_headers(self) -> None:
        assert Response(200, "", [], []).to_bytes() == (
            b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
        )

    def test_what_latin_1_cannot_say_is_said_in_utf_8(self) -> None:
        message = Response(200, "", ["Subject"], ["é"], b"", "latin-1")
        assert b"Subject: \xe9\r\n" in message.to_bytes()
        message.add("Server", "€")
        assert "Subject: é\r\nServer: €".encode() in message.to_bytes()

    @pytest.mark.parametrize("body", [b"", b"x" * 9, b"\xff" * 1234])
    def test_the_size_is_that_of_the_bytes(self, body: bytes) -> None:
        message = request(("Via", "SIP/2.0/UDP h"), ("Subject", "é€"), ("X-Empty", ""))
        message.body = body
        assert message.size == len(message.to_bytes())
        assert Response(200, "", [], []).size == len(Response(200, "", [], []).to_bytes())

    @pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
    def test_line_ends_cannot_be_injected(self, end: str) -> None:
        evil = f"x{end}Via: y"
        for message in (
            request(("Subject", evil)),
            request((evil, "x")),
            request(uri=f"sip:{evil}"),
            Request(evil, "sip:a", [], []),
            Response(200, evil, [], []),
        ):
            with pytest.raises(LocalProtocolError):
                message.to_bytes()

    def test_a_space_cannot_split_the_request_line(self) -> None:
        with pytest.raises(LocalProtocolError):
            request(uri="sip:a SIP/2.0").to_bytes()

    def test_representations_hold_no_header_values(self) -> None:
        assert repr(request(("Authorization", "secret"))) == "<Request INVITE sip:102@h>"
        assert repr(Response(200, "OK", [], [])) == "<Response 200 OK>"

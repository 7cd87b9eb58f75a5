"""Damage for messages: of octets, of lines and of values. The seed is given, so a failure is seen again."""

import random

SPICE = (
    b"\r\n", b"\n", b"\r", b"\0", b'"', b"<", b">", b";", b",", b"=", b":", b"@", b" ", b"\t", b"\\",
    b"[", b"]", b"%", b"%00", b"%0d%0a", b"?", b"&", b"*", b"\xff", b"\xc3", b"\xe2\x80\xa8", b"\x85",
    b"sip:", b"sips:", b"tel:", b"urn:service:sos", b"SIP/2.0", b";tag=", b";lr", b";branch=z9hG4bK",
    b"99999999999999999999", b"-1", b"0", b"\r\n\r\n", b"\r\n ", "٣".encode(), "é".encode(), b"z" * 300,
)  # fmt: skip
LINES = (
    b"Content-Length: 0", b"Content-Length: 99999", b"l: 3", b"Contact: *",
    b"Contact: <sip:a@b>, <sip:c@d>", b"Route: <sip:a;lr>", b"Route: sip:a",
    b"Record-Route: <sip:127.0.0.1:9;lr>", b"Record-Route: garbage", b"Record-Route: <sip:x y>",
    b"Require: 100rel", b"Require: timer", b"Require: x", b"RSeq: 1", b"RSeq: 99999999999",
    b"RAck: 1 1 INVITE", b"RAck: x", b"Session-Expires: 90", b"Session-Expires: x;refresher=uas",
    b"Session-Expires: 999999999999999;refresher=uac", b"Min-SE: x", b"Min-SE: 99999999999",
    b"Expires: 0", b"Expires: x", b"Max-Forwards: 0", b"Max-Forwards: x",
    b"Content-Type: application/sdp", b"Content-Type: multipart/mixed;boundary=x",
    b"Content-Type: ", b"Supported: 100rel, timer, outbound, path", b"Priority: psap-callback",
    b"Privacy: id;critical", b"P-Asserted-Identity: <tel:+331>", b"P-Asserted-Identity: x",
    b'P-Preferred-Identity: "', b"Path: <sip:x>", b"Diversion: <sip:a@b>;reason=x",
    b"History-Info: <sip:a@b?Reason=x>;index=1", b"Alert-Info: <x>", b"Reason: Q.850;cause=16",
    b'Reason: "', b'Warning: 399 a "b"', b"Replaces: a;to-tag=b;from-tag=c", b"Subject: \xff\xfe",
    b"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx", b"Via: x", b"To: <sip:a@b>;tag=1;tag=2",
    b"Authorization: Digest", b'Authorization: Digest username="101", nonce=""',
    b"Timestamp: 1e999", b"Allow: UPDATE, PRACK", b'WWW-Authenticate: Digest realm="x", nonce="y"',
    b"Contact: <sip:a@[::1]:0>", b"Contact: <tel:+331>", b'Contact: "\\" <sip:a@b>',
    b"Contact: <sip:a@b;x=\xe9>;expires=x;q=2", b"Identity: x", b"Geolocation: <cid:x>",
    b"Accept-Contact: *", b"CSeq: 1 INVITE", b"CSeq: 0 BYE", b"Call-ID: ",
)  # fmt: skip


def mutate(dice: random.Random, octets: bytes) -> bytes:
    """One to four damages."""
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        octets = dice.choice((_octets, _octets, _lines, _values))(dice, octets)
    return octets[:60_000]


def _octets(dice: random.Random, octets: bytes) -> bytes:
    damaged = bytearray(octets)
    place = dice.randrange(len(damaged) + 1)
    match dice.randrange(5):
        case 0:
            damaged[place:place] = dice.choice(SPICE)
        case 1:
            del damaged[place : place + dice.randint(1, 40)]
        case 2:
            damaged[place : place + 1] = bytes([dice.randrange(256)])
        case 3:
            damaged[place:place] = damaged[place : place + dice.randint(1, 60)]
        case _:
            damaged[place : place + 3] = dice.choice(SPICE)
    return bytes(damaged)


def _lines(dice: random.Random, octets: bytes) -> bytes:
    head, empty, body = octets.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    place = dice.randrange(len(lines))
    match dice.randrange(5):
        case 0:
            lines.insert(max(1, place), dice.choice(LINES))
        case 1:
            del lines[place]
        case 2:
            lines.insert(dice.randrange(len(lines)), lines[place])
        case 3:
            new = dice.choice(LINES)
            name = new.partition(b":")[0].lower()
            lines = [line for line in lines if line.partition(b":")[0].lower() != name]
            lines.insert(min(len(lines), max(1, place)), new)
        case _:
            other = dice.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
    return b"\r\n".join(lines) + empty + body


def _values(dice: random.Random, octets: bytes) -> bytes:
    """A value with spice in it, or that of another line."""
    head, empty, body = octets.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    place = dice.randrange(len(lines))
    name, colon, value = lines[place].partition(b":")
    match dice.randrange(4):
        case 0:
            value = b" " + dice.choice(SPICE)
        case 1:
            at = dice.randrange(len(value) + 1)
            value = value[:at] + dice.choice(SPICE) + value[at:]
        case 2:
            value = dice.choice(lines).partition(b":")[2]
        case _:
            value = b" " + dice.choice((b"", b"x", b"1", b"<>", b"sip:", b"<sip:@>", b"*", b'"'))
    lines[place] = name + colon + value
    return b"\r\n".join(lines) + empty + body

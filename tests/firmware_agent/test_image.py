"""The first line of a played image, and which devices a fault strikes."""

from firmware_agent.image import DEFAULT_BUILD, Header


def test_image_without_a_header_is_good() -> None:
    for content in (b"", b"\x7fELF" * 500, b"[1]\n", b'{"vigie_image":2}\n', b"x" * 5000):
        header = Header.of(content)
        assert header == Header(build=DEFAULT_BUILD)
        assert not header.strikes("never_registers", "dev-0001")


def test_fault_strikes_its_share_of_a_fleet() -> None:
    header = Header.of(b'{"vigie_image":1,"fault":"never_registers","share":3,"trial_s":5}\nrest')
    assert header.trial_s == 5
    struck = [n for n in range(10_000) if header.strikes("never_registers", f"dev-{n:06d}")]
    assert 250 < len(struck) < 350
    assert not any(header.strikes("crashes", f"dev-{n:06d}") for n in range(1000))

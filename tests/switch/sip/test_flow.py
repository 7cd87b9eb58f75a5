from switch.sip.flow import Flow


def test_streams_are_reliable() -> None:
    local, remote = ("127.0.0.1", 5060), ("127.0.0.2", 5062)
    assert not Flow("UDP", local, remote).is_reliable
    assert Flow("TCP", local, remote).is_reliable
    assert Flow("TLS", local, remote, 3).is_reliable
    assert Flow("TCP", local, remote, 1) != Flow("TCP", local, remote, 2)

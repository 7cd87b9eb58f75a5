import pytest

from switch.sip.errors import LocalProtocolError, ParseError, RemoteProtocolError


def test_whose_fault_it_is() -> None:
    error = ParseError("bad Via")
    assert (error.status, error.reason, error.request) == (400, "bad Via", None)
    assert isinstance(error, RemoteProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    with pytest.raises(RemoteProtocolError, match="505 version"):
        raise ParseError("version", status=505)

import pytest

from switch.sip.names import CANONICAL, COMPACT, METHODS, SINGLE_VALUED, canonical


@pytest.mark.parametrize(("short", "name"), COMPACT.items())
def test_compact_forms(short: str, name: str) -> None:
    assert canonical(short) == canonical(short.upper()) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [("CALL-ID", "Call-ID"), ("www-authenticate", "WWW-Authenticate"), ("cSeQ", "CSeq"),
     ("p-ASSERTED-identity", "P-Asserted-Identity"), ("X-Own", "X-Own"), ("z", "z")],
)  # fmt: skip
def test_canonical(written: str, name: str) -> None:
    assert canonical(written) == name


def test_tables_agree() -> None:
    assert set(SINGLE_VALUED) <= set(CANONICAL.values())
    assert set(COMPACT.values()) <= set(CANONICAL.values())
    assert all(canonical(name) == name for name in CANONICAL.values())
    assert all(METHODS[name] == name for name in METHODS)

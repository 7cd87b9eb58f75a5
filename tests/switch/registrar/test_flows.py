"""The index of AORs by flow: one kept bare, several in a set, none left behind."""

from switch.registrar.flows import AorIndex


def test_one_aor_then_several_then_none() -> None:
    index: AorIndex[str] = AorIndex()
    index.add("flow", "101")
    index.add("flow", "101")
    assert (index.only("flow"), list(index.all("flow"))) == ("101", ["101"])
    index.add("flow", "102")
    assert index.only("flow") is None
    assert set(index.all("flow")) == {"101", "102"}
    assert index.holds("flow", "102")
    index.remove("flow", "101")
    index.remove("flow", "999")
    assert index.only("flow") == "102"
    index.remove("flow", "102")
    assert len(index) == 0
    assert not index.holds("flow", "102")
    assert list(index.all("flow")) == []


def test_removing_another_aor_keeps_the_one() -> None:
    index: AorIndex[str] = AorIndex()
    index.add("flow", "101")
    index.remove("flow", "102")
    index.remove("elsewhere", "101")
    assert index.only("flow") == "101"


def test_the_index_may_change_while_it_is_read() -> None:
    index: AorIndex[str] = AorIndex()
    for aor in ("101", "102", "103"):
        index.add("flow", aor)
    for aor in index.all("flow"):
        index.remove("flow", aor)
    assert len(index) == 0

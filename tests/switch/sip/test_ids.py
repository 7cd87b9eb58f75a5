from switch.sip.ids import MAGIC_COOKIE, new_branch, new_call_id, new_tag, stateless_tag


def test_identifiers_do_not_repeat_over_blocks() -> None:
    count = 5_000  # about ten blocks
    assert len({new_tag() for _ in range(count)}) == count
    assert len({new_branch() for _ in range(count)}) == count
    assert len({new_call_id() for _ in range(count)}) == count


def test_forms() -> None:
    assert new_branch().startswith(MAGIC_COOKIE)
    for text in (new_tag(), new_branch()[len(MAGIC_COOKIE) :], new_call_id()):
        int(text, 16)
    assert [len(new_tag()), len(new_branch()), len(new_call_id())] == [16, 27, 32]


def test_a_stateless_tag_is_the_same_for_the_same_request() -> None:
    assert stateless_tag("z9hG4bKa") == stateless_tag("z9hG4bKa")
    assert stateless_tag("z9hG4bKa") != stateless_tag("z9hG4bKb")
    assert stateless_tag("\udc80é").isalnum()

"""Two copies: one of them is whole, whatever became of the other."""

from firmware_agent.files import MemoryFiles
from firmware_agent.two_copies import TwoCopies


def test_newest_whole_copy_is_found() -> None:
    files = MemoryFiles()
    copies = TwoCopies(files, "x")
    assert copies.load() is None
    for payload in (b"first", b"the second is longer", b"3"):
        copies.store(payload)
        assert copies.load() == payload
    whole = {name: bytes(each) for name, each in files.content.items()}
    for name in whole:
        for damage in (b"", b"short", whole[name][:-1], whole[name][:-1] + b"?"):
            files.content.update(whole)
            files.content[name] = damage
            assert copies.load() == b"3", (name, damage)
    files.content.update(dict.fromkeys(whole, b""))
    assert copies.load() is None

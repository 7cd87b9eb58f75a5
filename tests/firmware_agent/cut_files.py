"""Storage that loses power: what was not fsynced is lost, kept, torn or garbage."""

from dataclasses import dataclass, field


class PowerCut(Exception):
    """The power went before this operation, which never happened."""


@dataclass
class CutFiles:
    """Counts every operation that changes storage, and stops before the one numbered `cut_at`."""

    cut_at: int | None = None
    durable: dict[str, bytes] = field(default_factory=dict)
    visible: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def _step(self, what: str) -> None:
        if self.cut_at is not None and len(self.log) >= self.cut_at:
            raise PowerCut(what)
        self.log.append(what)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes | None:
        found = self.visible.get(name)
        if found is None:
            return None
        return found[offset:] if size < 0 else found[offset : offset + size]

    def size(self, name: str) -> int | None:
        found = self.visible.get(name)
        return None if found is None else len(found)

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        self._step(f"write {name} {offset}+{len(content)}")
        found = self.visible.get(name, b"").ljust(offset, b"\0")
        self.visible[name] = found[:offset] + content + found[offset + len(content) :]

    def truncate(self, name: str, size: int = 0) -> None:
        self._step(f"truncate {name} {size}")
        self.visible[name] = self.visible.get(name, b"")[:size].ljust(size, b"\0")

    def fsync(self, name: str) -> None:
        self._step(f"fsync {name}")
        self.durable[name] = self.visible[name]

    def replace(self, name: str, content: bytes) -> None:
        self._step(f"replace {name}")
        self.visible[name] = self.durable[name] = content

    def remove(self, name: str) -> None:
        self._step(f"remove {name}")
        self.visible.pop(name, None)
        self.durable.pop(name, None)

    def after_cut(self, unsynced: str) -> "CutFiles":
        """The storage as it is found when the power is back. `unsynced` says what became of content
        that no fsync covered: lost, kept, torn or garbage."""
        found: dict[str, bytes] = {}
        for name in self.durable.keys() | self.visible.keys():
            old, new = self.durable.get(name), self.visible.get(name, b"")
            if old == new or unsynced == "kept":
                found[name] = new
            elif unsynced == "lost":
                if old is not None:
                    found[name] = old
            elif unsynced == "torn":
                half = len(new) // 2
                found[name] = new[:half] + (old or b"")[half:]
            else:
                found[name] = bytes(byte ^ 0x5A for byte in new)
        return CutFiles(durable=dict(found), visible=found)


UNSYNCED = ("lost", "kept", "torn", "garbage")

"""The key of the nonces, kept in the data directory so that a restart challenges no phone anew."""

import secrets
from pathlib import Path

KEY_BYTES = 32


def nonce_key(path: Path) -> bytes:
    """The key in the file `path`, made at the first start (mode 0600). OSError."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()

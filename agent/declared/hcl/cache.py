"""Parsed files on disk, by content: a file that did not change is not parsed again.

Hides how entries are named, written and checked. An entry is msgpack behind its own digest: data, never code. An
entry that is damaged, or that somebody else could have written, counts as absent. The folder holds configuration
text, so it is readable by its owner alone.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec

from agent.declared.hcl.tree import Body

_FORMAT = "5"
"""Raised whenever `tree` or the conversion changes meaning."""
_DIGEST = 16
# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_BODY = msgspec.msgpack.Decoder(Body)


def key(data: bytes) -> str:
    """Name of a file's entry: its content, our format and python-hcl2's version decide."""
    digest = hashlib.blake2b(_parser(), digest_size=20)
    digest.update(data)
    return digest.hexdigest()


@functools.cache
def _parser() -> bytes:
    return f"{_FORMAT} {version('python-hcl2')}\n".encode()


def load(folder: Path, name: str) -> Body | None:
    """The entry's tree, or None where there is none that can be trusted."""
    path = folder / "hcl" / name
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return None
            entry = file.read()
        digest, payload = entry[:_DIGEST], entry[_DIGEST:]
        if hashlib.blake2b(payload, digest_size=_DIGEST).digest() != digest:
            return None
        return _BODY.decode(payload)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None


def save(folder: Path, name: str, body: Body) -> None:
    """Writes the entry whole or not at all; a folder that cannot be written costs time, not the run."""
    inner = folder / "hcl"
    with contextlib.suppress(OSError, RecursionError):
        payload = msgspec.msgpack.encode(body)
        inner.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=inner, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.blake2b(payload, digest_size=_DIGEST).digest() + payload)
            Path(draft).replace(inner / name)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise

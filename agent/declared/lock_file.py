"""Reads `.terraform.lock.hcl`: which version of each provider a root module uses.

Hides the file's layout (https://developer.hashicorp.com/terraform/language/files/dependency-lock).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.schemas import source_of

NAME = ".terraform.lock.hcl"
MAX_BYTES = 1_000_000
"""Largest lock file read: one of 50 providers with all their hashes has some 100 kB."""


class LockError(Exception):
    """A lock file that cannot be read: which, where, and what would be right."""


def locked(directory: Path) -> Mapping[str, str]:
    """Source (`registry.terraform.io/hashicorp/aws`) → version; empty where the root module has no lock file.

    A link is followed to another lock file only, because whoever wrote the configuration may have made it. Raises
    `LockError`.
    """
    path = directory / NAME
    try:
        if not path.exists():
            return {}
        real = path.resolve()
        if real.name != NAME or not real.is_file():
            raise LockError(f"{path} leads to {real}: only a file called {NAME} is read")
        with real.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LockError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise LockError(f"{path} has more than {MAX_BYTES:,} bytes: no lock file is so large, {_REMAKE}")
    try:
        body = parse(data, str(path))
    except ParseError as error:
        raise LockError(f"{error}; {_REMAKE}") from None
    return dict(_versions(body, path))


_REMAKE = "`terraform init` writes it anew"


def _versions(body: tree.Body, path: Path) -> Iterator[tuple[str, str]]:
    for block in body.of_type("provider"):
        where = f"{path}:{block.line}"
        spelled = block.labels[0] if len(block.labels) == 1 else ""
        source = source_of(spelled) if spelled.count("/") == 2 else ""
        if not source:
            raise LockError(f'{where}: `provider "host/namespace/name"` is needed here; {_REMAKE}')
        version = block.body.attribute("version")
        if not isinstance(version, tree.Literal) or not isinstance(version.value, str):
            raise LockError(f'{where}: `version = "1.2.3"` is missing for {source}; {_REMAKE}')
        yield source, version.value

"""Which files that verdicts rest on changed, and who changed them: exceptions, baseline, standing changes, rules.

Hides how Git is asked, and that a file may lie in no repository, differ from what was committed, or be gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.clean import clean
from agent.config import reading
from agent.declared.git import CutOffError, GitError, Limits, run_git
from agent.declared.provenance import last_change, repository_of

MOST = 200
"""Changed files whose commits are looked up; a new checkout changes all of them at once."""
LARGEST = 16_000_000
"""Bytes of a file that are read."""

_LIMITS = Limits(seconds=10.0)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One file that is not as it was."""

    path: str
    sha256: str
    """Of its content; empty: it is gone, or cannot be read."""
    before: str
    """Of its content as last known; empty: it is new."""
    commit: str = ""
    """The commit that last touched it, where its content is that commit's; empty: not committed."""
    author: str = ""
    """Of that commit, as the commit itself says: a claim."""
    at: datetime | None = None
    """When it was committed."""
    why: str = ""
    """Why there is no commit."""


def changed(files: Iterable[Path], known: Mapping[str, str]) -> list[PolicyChange]:
    """What is not as it was: files by path → digest then (`known`), and files that are there now, both by full path.

    Sorted by path. A file of `known` that is not among `files` is gone. Raises nothing.
    """
    now = {str(file): file for file in files}
    digests = {path: _digest(file) for path, file in now.items()}
    moved = sorted(path for path in {*now, *known} if digests.get(path, "") != known.get(path, ""))
    found = []
    for number, path in enumerate(moved):
        change = PolicyChange(path, digests.get(path, ""), known.get(path, ""))
        if number < MOST:
            found.append(_committed(Path(path), change))
        else:
            found.append(_without(change, f"not looked up: {len(moved)} files changed at once"))
    return found


def _digest(file: Path) -> str:
    data = _content(file)
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _content(file: Path) -> bytes | None:
    """What is in a file; None where it cannot be read, or is too large to be one of ours."""
    try:
        place = reading(file)
        if not place.is_file():
            return None
        with place.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError:
        return None
    return data if len(data) <= LARGEST else None


def _without(change: PolicyChange, why: str) -> PolicyChange:
    return PolicyChange(change.path, change.sha256, change.before, why=clean(why, 300))


def _committed(file: Path, change: PolicyChange) -> PolicyChange:
    """The change with the commit that made the file what it is."""
    try:
        place = repository_of(file.parent)
        if place is None:
            return _without(change, "not in a Git repository")
        repository, folder = place
        path = f"{folder}/{file.name}" if folder else file.name
        if not _is_head(repository, path, _content(file)):
            return _without(change, "not committed")
        commit = last_change(repository, [path])
    except CutOffError:
        return _without(change, "the clone is shallow, and was made after the file was last changed")
    except (GitError, OSError) as error:
        return _without(change, str(error))
    author = f"{commit.author} <{commit.author_email}>" if commit.author_email else commit.author
    return PolicyChange(change.path, change.sha256, change.before, commit.sha, clean(author, 300), commit.committed_at)


def _is_head(repository: Path, path: str, content: bytes | None) -> bool:
    """Whether the file is as the last commit has it; both may have none. Raises GitError."""
    told = run_git(repository, ["ls-tree", "-z", "HEAD", "--", path], limits=_LIMITS).decode("utf-8", "replace")
    fields = told.partition("\t")[0].split(" ")
    blob = fields[2] if len(fields) == 3 and fields[1] == "blob" else ""
    if content is None or not blob:
        return content is None and not blob
    make = hashlib.sha256 if len(blob) == 64 else hashlib.sha1
    return make(b"blob %d\0" % len(content) + content).hexdigest() == blob

"""Who committed what: author, reviewers, merge requests and ticket references of a commit, and a folder's last one.

Hides how git is asked, and where people and platforms leave such words in a message. All of it is claims: whoever
writes a commit chooses its author and its trailers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.declared.git import CutOffError, GitError, run_git
from agent.declared.git_address import Address
from agent.declared.repository import Access, Checkout, deepen
from agent.model import Claim

_FORMAT = "%x00".join(("%H", "%an", "%ae", "%cn", "%ce", "%ct", "%s", "%(trailers:only,unfold)", "%b"))
_LONGEST = 20_000  # characters of a message looked at
_MOST = 50  # trailers, reviewers, references kept
_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,60})\s*:\s*(\S.{0,500})")
_PERSONS = frozenset({"reviewed-by", "approved-by", "acked-by"})
_NO_TICKETS = frozenset({"signed-off-by", "co-authored-by", "reported-by", "tested-by", "cc", "change-id", *_PERSONS})
"""Trailers that name people, or Gerrit's own number."""
_REQUEST = re.compile(
    r"\bSee merge request (?P<gitlab>[\w./-]{0,200}!\d{1,9})"
    r"|\bMerge pull request (?P<github>#\d{1,9})"
    r"|\bMerged in \S{1,200} \(pull request (?P<bitbucket>#\d{1,9})\)"
    r"|\bMerged PR (?P<azure>\d{1,9}):"
)
_SQUASHED = re.compile(r"\((#\d{1,9})\)$")
_DIGEST = re.compile(r"[0-9a-f]{7,64}|HEAD")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as its message tells it."""

    sha: str
    author: str
    author_email: str
    committer: str
    committer_email: str
    committed_at: datetime
    subject: str
    trailers: tuple[tuple[str, str], ...]
    """Key as written, and value."""
    reviewers: tuple[str, ...]
    """Who is said to have reviewed or approved it: `Reviewed-by`, `Approved-by`, `Acked-by`."""
    requests: tuple[str, ...]
    """Merge or pull requests it came in by: `group/project!12`, `#34`."""

    def references(self, patterns: Sequence[re.Pattern[str]]) -> tuple[Claim, ...]:
        """Ticket references: of its trailers, then of its subject; each once, in that order."""
        places = [(f"commit trailer {key}", value) for key, value in self.trailers if key.lower() not in _NO_TICKETS]
        found: dict[str, Claim] = {}
        for where, text in (*places, ("commit subject", self.subject)):
            for match in (match for pattern in patterns for match in pattern.finditer(text)):
                found.setdefault(match[0], Claim(match[0], where))
        return tuple(found.values())[:_MOST]


def repository_of(directory: Path) -> tuple[Path, str] | None:
    """The git directory that a folder is under, and the folder's path in it; None where there is none.

    Reads no file but the pointer that a worktree or a submodule has in its place.
    """
    place = directory.resolve()
    for folder in (place, *place.parents):
        git = folder / ".git"
        path = place.relative_to(folder).as_posix()
        if git.is_dir():
            return git, "" if path == "." else path
        if git.is_file():
            with git.open(encoding="utf-8", errors="replace") as file:
                pointer = file.read(4096)
            if pointer.startswith("gitdir: "):
                return folder / pointer.removeprefix("gitdir: ").strip(), "" if path == "." else path
    return None


def commit(repository: Path, sha: str = "HEAD") -> Commit:
    """A commit of a git directory. Raises `GitError` where it is not there."""
    if not _DIGEST.fullmatch(sha):
        raise GitError("a commit is named by its digest of 7 to 64 hexadecimal digits")
    return _told(run_git(repository, ["log", "-1", *_OPTIONS, "--end-of-options", sha]), sha)


def last_change(repository: Path, paths: Sequence[str], at: str = "HEAD") -> Commit:
    """The commit that last touched one of these folders, up to the commit `at`; with the request that merged it.

    Raises `GitError` where none did, and `CutOffError` where a shallow clone does not go back far enough.
    """
    if not _DIGEST.fullmatch(at):
        raise GitError("a commit is named by its digest of 7 to 64 hexadecimal digits")
    wanted = [path for path in paths if path]
    limited = ["--", *wanted] if wanted and len(wanted) == len(paths) else []
    told = run_git(repository, ["log", "-1", *_OPTIONS, "--end-of-options", at, *limited])
    if not told.strip():
        raise GitError(f"no commit up to {at[:12]} touched {', '.join(wanted)}")
    found = _told(told, at)
    if limited and found.sha in _boundary(repository):
        # Every file of the first commit of a shallow clone looks as if that commit had made it.
        raise CutOffError(
            f"the clone is shallow, and {', '.join(wanted)} was last touched at or before its first commit"
        )
    return _merged(repository, found, at)


def last_change_of(found: Checkout, address: Address, access: Access, paths: Sequence[str] = ()) -> Commit:
    """`last_change` of a checkout's folder, or of `paths`; earlier commits are fetched as far as needed."""
    step = 0
    while True:
        try:
            return last_change(found.repository, paths or (address.path,), found.commit)
        except CutOffError:
            if not deepen(address, access, step):
                raise
            step += 1


_OPTIONS = ("--no-show-signature", "--no-notes", "--no-patch", "--encoding=UTF-8", f"--format=tformat:{_FORMAT}")


def _told(told: bytes, sha: str) -> Commit:
    fields = told.decode("utf-8", "replace").split("\0")
    if len(fields) < 9:
        raise GitError(f"git tells nothing of commit {sha[:12]}")
    digest, author, email, committer, its_email, at, subject, trailers = (field.strip() for field in fields[:8])
    body = "\0".join(fields[8:])[:_LONGEST]
    pairs = [match.groups() for line in trailers[:_LONGEST].splitlines() if (match := _TRAILER.fullmatch(line))][:_MOST]
    reviewers = dict.fromkeys(value for key, value in pairs if key.lower() in _PERSONS)
    return Commit(
        sha=digest,
        author=author[:200],
        author_email=email[:200],
        committer=committer[:200],
        committer_email=its_email[:200],
        committed_at=datetime.fromtimestamp(_seconds(at), UTC),
        subject=subject[:500],
        trailers=tuple((key, value) for key, value in pairs),
        reviewers=tuple(reviewers),
        requests=tuple(dict.fromkeys(_requests(subject, body)))[:_MOST],
    )


def _seconds(text: str) -> int:
    """Unix time that a datetime can hold; what a commit says beyond it is cut."""
    return min(max(int(text) if text.lstrip("-").isdigit() else 0, 0), 253402300799)


def _requests(subject: str, body: str) -> Iterator[str]:
    for match in _REQUEST.finditer(f"{subject}\n{body}"):
        number = match["azure"]
        yield f"#{number}" if number else next(text for text in match.groups() if text)
    if squashed := _SQUASHED.search(subject):
        yield squashed[1]


def _boundary(repository: Path) -> frozenset[str]:
    """The first commits of a shallow clone; empty for a whole one."""
    try:
        common = run_git(repository, ["rev-parse", "--git-common-dir"]).decode().strip()
        return frozenset((repository / common / "shallow").read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _merged(repository: Path, found: Commit, at: str) -> Commit:
    """With the request and the reviewers of the merge that brought it to the branch, where it was merged."""
    line = ["rev-list", "--merges", "--first-parent", "--ancestry-path", "--reverse", f"{found.sha}..{at}"]
    merges = run_git(repository, line).decode("ascii").split()
    if not merges or not run_git(repository, ["rev-list", "-1", found.sha, f"^{merges[0]}^1"]).strip():
        return found  # it stood on the branch before the first merge after it
    merge = commit(repository, merges[0])
    return replace(
        found,
        trailers=tuple(dict.fromkeys((*found.trailers, *merge.trailers)))[:_MOST],
        reviewers=tuple(dict.fromkeys((*found.reviewers, *merge.reviewers)))[:_MOST],
        requests=tuple(dict.fromkeys((*found.requests, *merge.requests)))[:_MOST],
    )

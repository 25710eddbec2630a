"""Git repositories as folders of files: fetched shallowly into a cache of ours, one folder for each commit.

Hides the clone, that a branch is asked for once a minute at most, and how a hostile tree is laid out: nothing outside
its folder, no link out of it, no filter, no submodule, bounded in size.

The cache holds `git/<digest of the address>/`: a bare `repo.git` made without a template, so without hooks, and
`trees/<commit>/`. It is safe to delete; a tree that was not asked for in a week goes by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.declared.git import NETWORK, Credentials, CutOffError, GitError, Limits, run_git
from agent.declared.git_address import Address, git_address
from agent.declared.git_tree import lay_out

FRESH = 60.0
"""Seconds within which a branch is not asked for again: the stacks of one scan see one commit."""
_UNUSED = 7 * 86400.0  # seconds after which a tree nobody asked for is deleted
_DEEPER = (50, 500, 5000)
"""Commits fetched besides, step by step, for an answer that lies deeper than a shallow clone."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORTENED = re.compile(r"[0-9a-f]{7,39}")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder of a repository at one commit."""

    directory: Path
    package: Path
    """Top of the repository's files: what the folder may refer to lies below."""
    commit: str
    repository: Path
    """The bare clone, for whoever asks about commits."""


@dataclass(frozen=True, slots=True)
class Access:
    """How repositories are reached, and where they are kept."""

    cache: Path
    credentials: Credentials = field(default_factory=Credentials)
    limits: Limits = field(default_factory=Limits)
    local: bool = False
    """Whether `file://` is allowed: never for an address that code names."""
    fresh: float = FRESH
    """Seconds within which a branch or tag is not asked for again."""
    offline: bool = False
    """Whether only what was fetched before is found."""

    @property
    def protocols(self) -> tuple[str, ...]:
        """What git may speak."""
        return (*NETWORK, "file") if self.local else NETWORK


def checkout(address: Address | str, access: Access) -> Checkout:
    """The files an address names, fetched where they are not here. Raises `GitError`."""
    address = git_address(address) if isinstance(address, str) else address
    try:
        with _home(address, access) as home:
            commit = _commit(home, address, access)
            tree = _tree(home, commit, access)
    except GitError as error:
        raise GitError(f"{address}: {error}") from None
    except OSError as error:
        raise GitError(f"{address}: the cache {access.cache} cannot be used: {error.strerror}") from None
    directory = tree / address.path
    if not directory.is_dir() or not directory.resolve().is_relative_to(tree.resolve()):
        raise GitError(f"{address}: there is no folder {address.path} at commit {commit[:12]}")
    return Checkout(directory, tree, commit, home / "repo.git")


def deepen(address: Address, access: Access, step: int) -> bool:
    """Fetches the commits before those that are here, more with each step from 0; False after the last step."""
    if step >= len(_DEEPER):
        return False
    with _home(address, access) as home:
        _fetch(home, address, access, f"--deepen={_DEEPER[step]}", f"+{address.ref or 'HEAD'}:{_own(address.ref)}")
    return True


@contextlib.contextmanager
def _home(address: Address, access: Access) -> Iterator[Path]:
    """The folder of an address in the cache, nobody else's while inside; other processes wait."""
    digest = hashlib.sha256(address.url.encode()).hexdigest()[:32]
    home = access.cache / "git" / digest
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "lock").open("wb") as lock:
        until = time.monotonic() + 2 * access.limits.seconds
        while not _locked(lock.fileno()):
            if time.monotonic() > until:
                raise GitError("another process holds its place in the cache")
            time.sleep(0.05)
        repository = home / "repo.git"
        if not (repository / "HEAD").is_file():
            repository.mkdir(mode=0o700, exist_ok=True)
            run_git(repository, ["init", "--quiet", "--bare", "--template="], limits=access.limits)
        for left in (*repository.glob("*.lock"), *repository.glob("refs/**/*.lock")):  # by a git that was killed
            left.unlink(missing_ok=True)
        yield home


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _own(ref: str) -> str:
    """The name under which a ref is kept; theirs could clash as files do (`a` and `a/b`)."""
    return f"refs/driftwarden/{hashlib.sha256(ref.encode()).hexdigest()[:32]}"


def _commit(home: Path, address: Address, access: Access) -> str:
    """The commit an address names now."""
    repository, own = home / "repo.git", _own(address.ref)
    if _COMMIT.fullmatch(address.ref):
        if not _known(repository, address.ref):
            _fetch_commit(home, address, access, own)
        return address.ref
    kept = repository / own
    with contextlib.suppress(OSError):
        if 0 <= time.time() - kept.stat().st_mtime < access.fresh:
            return _resolved(repository, own)
    # The first time its last commit alone; later what came since, so that a branch's history grows with it.
    depth = [] if kept.exists() else ["--depth=1"]
    try:
        _fetch(home, address, access, *depth, f"+{address.ref or 'HEAD'}:{own}")
    except GitError:
        if not _SHORTENED.fullmatch(address.ref):
            raise
        _fetch_everything(home, address, access)
        return _resolved(repository, address.ref)
    if kept.is_file():  # git leaves a ref alone that did not move
        os.utime(kept)
    return _resolved(repository, own)


def _fetch_commit(home: Path, address: Address, access: Access, own: str) -> None:
    """A commit by its digest; a server that does not give one out is asked for all branches and tags."""
    try:
        _fetch(home, address, access, "--depth=1", f"+{address.ref}:{own}")
    except GitError:
        _fetch_everything(home, address, access)
        if not _known(home / "repo.git", address.ref):
            raise


def _fetch_everything(home: Path, address: Address, access: Access) -> None:
    deep = ["--unshallow"] if (home / "repo.git" / "shallow").is_file() else []
    kinds = [f"+refs/{kind}/*:refs/driftwarden/{kind}/*" for kind in ("heads", "tags")]
    _fetch(home, address, access, *deep, *kinds)


def _fetch(home: Path, address: Address, access: Access, *words: str) -> None:
    if access.offline:
        raise GitError("it was not fetched before, and the network is not to be used")
    options = [word for word in words if word.startswith("--")]
    refs = [word for word in words if not word.startswith("--")]
    fixed = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--force", "--no-auto-gc"]
    given = access.credentials
    if address.token:
        given = Credentials(given.ssh_key, given.known_hosts, address.user, address.token)
    run_git(
        home / "repo.git",
        ["fetch", *fixed, *options, "--", address.url, *refs],
        protocols=access.protocols,
        credentials=given,
        limits=access.limits,
    )
    # Packs of many fetches become one, and what no ref reaches any more goes.
    run_git(home / "repo.git", ["gc", "--auto", "--quiet"], limits=access.limits)


def _known(repository: Path, commit: str) -> bool:
    try:
        run_git(repository, ["cat-file", "-e", f"{commit}^{{commit}}"])
    except GitError:
        return False
    return True


def _resolved(repository: Path, name: str) -> str:
    return run_git(repository, ["rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"]).decode().strip()


def _tree(home: Path, commit: str, access: Access) -> Path:
    """The commit's files, laid out once."""
    trees = home / "trees"
    trees.mkdir(mode=0o700, exist_ok=True)
    tree = trees / commit
    if not tree.is_dir():
        draft = Path(tempfile.mkdtemp(dir=trees, prefix="draft-"))
        try:
            lay_out(home / "repo.git", commit, draft, access.limits)
            draft.rename(tree)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    os.utime(tree)
    for old in trees.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _UNUSED:
                shutil.rmtree(old, ignore_errors=True)
    return tree


__all__ = ["FRESH", "Access", "Checkout", "Credentials", "CutOffError", "GitError", "Limits", "checkout", "deepen"]

"""A configured stack: its folder, fetched where it lies elsewhere, and what its code and state are read with.

Hides Git addresses, credentials, who committed what was applied, and who owns a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from agent.config import Config, Stack, environment
from agent.declared.git import Credentials, GitError
from agent.declared.git_address import Address, git_address, is_git
from agent.declared.loading import Options
from agent.declared.module_sources import Reach, Web, resolve, tokens
from agent.declared.owners import Owners, owners
from agent.declared.provenance import Commit, commit, last_change, last_change_of, repository_of
from agent.declared.repository import Access, Checkout, checkout
from agent.declared.variables import Given
from agent.model import Source, StateRead


@dataclass(frozen=True, slots=True)
class Located:
    """Where one stack's files are."""

    directory: Path
    options: Options
    owners: Owners = field(default_factory=Owners)
    inside: str = ""
    """The folder's path in its repository."""
    applied: Commit | None = None
    """The commit last applied, where the configuration says; else the last that touched the folder."""
    why: str = ""
    """Why the files cannot be had; `directory` means nothing then."""
    notes: tuple[str, ...] = ()

    def owner(self, stack: Stack, source: Source | None) -> str:
        """Who owns what a file declares: CODEOWNERS where it names somebody, else the stack's configuration."""
        if source is None:
            return stack.owner
        path = f"{self.inside}/{source.file}" if self.inside else source.file
        return ", ".join(self.owners.of(path)) or stack.owner


def is_local(stack: Stack) -> bool:
    """Whether its code lies on this machine, and not in a repository that is fetched."""
    return not stack.repo and not is_git(stack.dir)


def locate(config: Config, stack: Stack) -> Located:
    """A stack's files and options, fetched where they lie in a Git repository. Raises nothing."""
    cache = config.path(config.store.cache)
    address = _address(stack)
    if isinstance(address, str):
        return Located(Path(), Options(), why=address)
    if address is None:
        return _local(config, stack, cache)
    access = Access(cache, _credentials(config, stack), local=address.url.startswith("file://"))
    try:
        found = checkout(address, access)
    except GitError as error:
        return Located(Path(), Options(), why=str(error))
    commit_, notes = _fetched_commit(stack, found, address, access)
    return Located(
        directory=found.directory,
        options=_options(config, stack, found.directory, found.package, cache),
        owners=owners(found.package),
        inside=address.path,
        applied=commit_,
        notes=notes,
    )


def _address(stack: Stack) -> Address | str | None:
    """The repository a stack's code is in, None where it is on this machine, or why the address cannot be read."""
    try:
        if stack.repo:
            found = git_address(stack.repo)
            path = "/".join(filter(None, (found.path, stack.dir.strip("/") if stack.dir != "." else "")))
            return replace(found, path=path, ref=stack.ref or found.ref)
        if not is_git(stack.dir):
            return None
        found = git_address(stack.dir)
        return replace(found, ref=stack.ref or found.ref)
    except GitError as error:
        return str(error)


def _credentials(config: Config, stack: Stack) -> Credentials:
    return Credentials(ssh_key=config.path(stack.key) if stack.key else None)


def _local(config: Config, stack: Stack, cache: Path) -> Located:
    directory = config.path(stack.dir)
    try:
        there = repository_of(directory)
    except OSError:
        there = None
    git, inside = there or (None, "")
    top = directory.resolve()
    for _ in Path(inside).parts:
        top = top.parent
    notes: tuple[str, ...] = ()
    applied = None
    if git is not None:
        try:
            applied = commit(git, stack.commit) if stack.commit else last_change(git, (inside,))
        except GitError as error:
            notes = (f"the commit of its code cannot be told: {error}",) if stack.commit else ()
    return Located(
        directory=directory,
        options=_options(config, stack, directory, top if git is not None else _below(config, directory), cache),
        owners=owners(top) if git is not None else Owners(),
        inside=inside,
        applied=applied,
        notes=notes,
    )


def _below(config: Config, directory: Path) -> Path | None:
    """What a stack outside any repository may read: what lies beside our configuration, if it does.

    None: its functions read its own folder alone; its modules, which nobody but the user can have put there, lie
    anywhere.
    """
    base = Path(config.base).resolve()
    return base if directory.resolve().is_relative_to(base) else None


def _fetched_commit(
    stack: Stack, found: Checkout, address: Address, access: Access
) -> tuple[Commit | None, tuple[str, ...]]:
    try:
        if stack.commit:
            return commit(checkout(replace(address, ref=stack.commit), access).repository, stack.commit), ()
        return last_change_of(found, address, access), ()
    except GitError as error:
        return None, (f"the commit of its code cannot be told: {error}",)


def _options(config: Config, stack: Stack, directory: Path, repository: Path | None, cache: Path) -> Options:
    return Options(
        workspace=stack.workspace,
        given=Given(
            files=tuple(directory / each for each in stack.var_files),
            values=stack.vars,
            environment=environment(),
        ),
        backend_config=stack.backend_config,
        plan=stack.plan,
        hcl=stack.hcl,
        repository=repository,
        environment=environment(),
        resolve=partial(_resolved, cache, _credentials(config, stack)),
    )


def _resolved(cache: Path, credentials: Credentials, source: str, version: str, directory: Path) -> Path | str:
    reach = Reach(credentials, Web(tokens=tokens(environment())))
    return resolve(source, version, directory, cache, network=True, reach=reach)


def with_commit(
    read: StateRead, located: Located, stack: Stack, patterns: Sequence[re.Pattern[str]], *, applied: bool
) -> StateRead:
    """What was read of a state, with the commit that was applied, its author, reviewers and ticket references.

    `applied` says that nothing of the code waits for an apply: only then is the last commit of the stack's folder the
    applied one, where the configuration names none.
    """
    if located.applied is None or not (applied or stack.commit):
        return replace(read, commit=stack.commit)
    told = located.applied
    return replace(
        read,
        commit=told.sha,
        commit_author=told.author_email or told.author,
        reviewers=told.reviewers,
        claims=told.references(patterns),
    )

"""A stack's code, state and evaluation, side by side.

Hides where the state is, which workspace is meant, and that each of the three may fail without the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.declared import backends, partial, plan_json
from agent.declared.configuration import Module, read_module
from agent.declared.evaluation import Evaluated, Surroundings, evaluate_root
from agent.declared.hcl.error import ParseError
from agent.declared.language.evaluate import TooMuch
from agent.declared.lock_file import LockError, locked
from agent.declared.modules import Resolve, not_fetched
from agent.declared.regular import read_regular
from agent.declared.schemas import provider
from agent.declared.state import State, StateError, read_state
from agent.declared.variables import Given

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True, slots=True)
class Options:
    """What a stack's configuration says beyond its folder and where its state is."""

    workspace: str = ""
    """Empty: the one selected in the folder, else `default`."""
    given: Given = field(default_factory=Given)
    backend_config: tuple[str, ...] = field(default=(), repr=False)
    """May hold passwords."""
    plan: str = ""
    """Path of a plan as JSON, relative to the folder, in place of the code."""
    hcl: bool = True
    """Whether there is code to read."""
    repository: Path | None = None
    """No function of the configuration reads a file outside this folder; its own folder where it is None."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For backends: where tokens and passwords are."""
    resolve: Resolve = not_fetched
    """Fetches modules that are not on disk."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be read of a stack, and why the rest could not."""

    root: Module | None
    evaluated: Evaluated | None
    why_code: str
    """Empty where the code was read, or where there is none to read."""
    state: State | None
    fetched: backends.Fetched | None
    location: str
    why_state: str
    versions: Mapping[str, str]
    """Provider source → locked version."""
    notes: tuple[str, ...] = ()
    """What else could not be told of the stack as a whole."""


def load(
    directory: Path,
    state: str,
    *,
    account: str,
    region: str,
    session: boto3.Session | None = None,
    cache: Path | None = None,
    options: Options | None = None,
) -> Loaded:
    """Reads a stack. Raises nothing for what it cannot read: see `Loaded`."""
    known = options or Options()
    root, why_code = _code(directory, cache, known.repository) if known.hcl else (None, "")
    workspace = known.workspace or _selected(directory, known.environment)
    location, fetched, read, why_state = "", None, None, ""
    try:
        if root is not None or state or not known.hcl:
            location, access = _place(directory, root, state, workspace, known, session)
            fetched = backends.read(location, access)
            read = read_state(fetched.data, location)
    except StateError as error:
        why_state = str(error)
    evaluated = None
    versions, notes = _versions(directory)
    around = Surroundings(
        workspace=workspace,
        account=account,
        region=region,
        given=known.given,
        repository=known.repository,
        cache=cache,
        resolve=known.resolve,
        schema=lambda source: provider(source, versions.get(source, "")),
    )
    try:
        if known.plan:
            evaluated = plan_json.read(directory / known.plan, versions)
        elif root is not None:
            evaluated = evaluate_root(root, read, around)
    except (ParseError, TooMuch, plan_json.PlanError) as error:
        why_code = str(error)
    return Loaded(root, evaluated, why_code, read, fetched, location, why_state, versions, notes)


def peek(
    directory: Path,
    state: str,
    *,
    session: boto3.Session | None = None,
    cache: Path | None = None,
    options: Options | None = None,
) -> backends.Fetched:
    """The state as it is now, undecoded, with its lock: whether it moved since `load` read it. Raises `StateError`."""
    known = options or Options()
    root, why = _code(directory, cache, known.repository) if known.hcl else (None, "")
    if root is None and not state and known.hcl:
        raise StateError(why)
    workspace = known.workspace or _selected(directory, known.environment)
    location, access = _place(directory, root, state, workspace, known, session)
    return backends.read(location, access)


def _code(directory: Path, cache: Path | None, repository: Path | None) -> tuple[Module | None, str]:
    """The root module, or why there is none."""
    try:
        return read_module(directory, directory, cache, repository), ""
    except ParseError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{directory} cannot be read: {error.strerror}"


_WORKSPACE = re.compile(r"[A-Za-z0-9._~$&+=:@-]+")
"""What Terraform takes for a name: nothing that an address would have to escape, and no slash."""


def _selected(directory: Path, environment: Mapping[str, str]) -> str:
    """`terraform workspace select` leaves its choice beside the code; the variable wins over it."""
    if environment.get("TF_WORKSPACE"):
        return environment["TF_WORKSPACE"]
    try:
        text = read_regular(directory / ".terraform" / "environment", 1000, (directory,)).decode(errors="replace")
    except OSError:
        text = ""
    return text.strip() or backends.DEFAULT_WORKSPACE


def _place(
    directory: Path, root: Module | None, state: str, workspace: str, options: Options, session: boto3.Session | None
) -> tuple[str, backends.Access]:
    """Where the state is, by the stack's configuration or by its code, and what is needed to read it."""
    if not _WORKSPACE.fullmatch(workspace) or workspace in (".", ".."):
        raise StateError(f"what is selected in {directory} is no name of a workspace: `terraform workspace select`")
    backend = root.backend if root else None
    name = backends.name_of(state) if state else backend.type if backend else "local"
    settings = backends.settle(
        name,
        backend.settings if backend and backend.type == name else {},
        directory=directory,
        given=partial.given(options.backend_config, directory),
        environment=options.environment,
    )
    access = backends.Access(directory, session, settings=settings, environment=options.environment)
    return state or backends.locate(name, settings, workspace), access


def _versions(directory: Path) -> tuple[Mapping[str, str], tuple[str, ...]]:
    try:
        return locked(directory), ()
    except LockError as error:
        return {}, (str(error),)

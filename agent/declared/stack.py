"""A stack, its code and its state, as the declared `Snapshot`.

Hides where state is, how code and state find each other, and what could not be read: every failure is a gap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.declared import backends
from agent.declared.configuration import (
    Absent,
    Backend,
    Module,
    ModulePath,
    Provider,
    find_modules,
    read_module,
)
from agent.declared.hcl.error import ParseError
from agent.declared.instances import Found, Reader, UnreadableError, covered, declared
from agent.declared.places import Place, module_path, own_place, provider_address, shared_places
from agent.declared.state import Instance, State, StateError, read_state
from agent.model import Gap, Limit, Resource, Scope, Snapshot
from agent.resources import Spec

if TYPE_CHECKING:
    import boto3

_Modules = Mapping[ModulePath, Module | Absent | None]

_NAMED = 8
"""How many uncovered attributes a limit lists by name."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What one stack declares, and which state says so."""

    snapshot: Snapshot
    lineage: str = ""
    """Empty where the state was not read."""
    serial: int = 0
    digest: str = ""
    """SHA-256 of the state file, hex; empty where it was not read."""


def read(
    name: str,
    directory: Path,
    *,
    state: str = "",
    account: str,
    region: str,
    owner: str = "",
    key: bytes,
    taken_at: datetime,
    specs: Mapping[str, Spec],
    session: boto3.Session | None = None,
    cache: Path | None = None,
) -> Stack:
    """What the root module in `directory` and its state declare.

    `state` is where the state is: a path relative to `directory`, or `s3://bucket/key`; empty: where the module's
    `backend` block says, else `terraform.tfstate`. `account` and `region` hold where neither state nor code tells.
    `key` seals sensitive values. `cache` is a folder for parsed files.

    Raises nothing for what it cannot read: an unreadable state, and code that does not parse, are gaps of the whole
    account, because what they declare is then neither managed nor unmanaged.
    """
    root, why_code = _code(directory, cache)
    recorded, why_state = _state(directory, root, state, session)
    modules: _Modules = {}
    if root is not None and recorded is not None:
        modules, why_code = _modules(root, recorded, cache)
    if recorded is None or not modules:
        gaps = [gap for why in (why_code, why_state) if why for gap in _gaps(account, recorded, why)]
        snapshot = Snapshot("declared", taken_at, gaps=tuple(gaps))
    else:
        reading = _Reading(modules, recorded, Place(account, region), Reader(name, owner, key, specs))
        limits = (*reading.limits(), *_unseen(modules, recorded, Scope(account=account)))
        snapshot = Snapshot("declared", taken_at, tuple(reading.resources), tuple(reading.gaps), limits)
    if recorded is None:
        return Stack(snapshot)
    return Stack(snapshot, recorded.lineage, recorded.serial, recorded.digest)


def _gaps(account: str, state: State | None, why: str) -> Iterable[Gap]:
    """One gap for the stack's account, and one for every other that its state speaks of."""
    lost = Counter(own_place(each).account or account for each in state.instances) if state else Counter()
    return [
        Gap(Scope(account=each), why, lost[each]) for each in sorted({account, *lost}, key=lambda a: (a != account, a))
    ]


def _code(directory: Path, cache: Path | None) -> tuple[Module | None, str]:
    """The root module, or why there is none."""
    try:
        return read_module(directory, directory, cache), ""
    except ParseError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{directory} cannot be read: {error.strerror}"


def _modules(root: Module, state: State, cache: Path | None) -> tuple[_Modules, str]:
    """Every module that state speaks of, by call path; none, and why, where one does not parse."""
    providers = {provider_address(each.provider).module for each in state.instances}
    try:
        return find_modules(root, providers | {module_path(each.module) for each in state.instances}, cache), ""
    except (ParseError, OSError) as error:
        return {}, str(error)


def _state(
    directory: Path, root: Module | None, location: str, session: boto3.Session | None
) -> tuple[State | None, str]:
    """The state, or why there is none. Code that does not parse cannot say where the state is."""
    if root is None and not location:
        return None, ""
    try:
        location = location or _location(directory, root.backend if root else None)
        return read_state(backends.fetch(location, backends.Access(directory, session)), location), ""
    except StateError as error:
        return None, str(error)


def _location(directory: Path, backend: Backend | None) -> str:
    """Where the code says the state is; `terraform workspace select` leaves its choice beside it."""
    selected = directory / ".terraform" / "environment"
    try:
        workspace = selected.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        workspace = ""
    workspace = workspace or backends.DEFAULT_WORKSPACE
    if backend is None:
        return backends.locate("local", {}, workspace)
    return backends.locate(backend.type, backend.settings, workspace)


class _Reading:
    """Code and state joined: the resources, what could not be told, and what is not covered."""

    def __init__(self, modules: _Modules, state: State, place: Place, reader: Reader) -> None:
        self.modules = modules
        self.place = place
        self.reader = reader
        self.resources: list[Resource] = []
        self.gaps: list[Gap] = []
        self.unspecified: Counter[tuple[str, str]] = Counter()
        self.instances: Counter[str] = Counter()
        self.uncovered: dict[str, set[str]] = defaultdict(set)
        self.own = {each.address: own_place(each) for each in state.instances}
        self.shared = shared_places((each.provider, self.own[each.address]) for each in state.instances)
        for each in state.instances:
            self.add(each)

    def add(self, instance: Instance) -> None:
        spec = self.reader.specs.get(instance.type)
        if spec is None:
            self.unspecified[instance.type, provider_address(instance.provider).source] += 1
            return
        try:
            found = self.found(instance)
            self.resources += declared(found, self.reader)
        except (StateError, UnreadableError) as error:
            type_ = spec.same_as or instance.type
            account = self.own[instance.address].account or self.place.account
            self.gaps.append(Gap(Scope(account=account, type=type_), str(error), 1))
            return
        self.instances[instance.type] += 1
        if not spec.split:  # what a split makes its facts of, only it knows
            told = {name for name, value in found.recorded.items() if value not in (None, "", [], {})}
            self.uncovered[instance.type] |= told - covered(spec, self.reader.specs)

    def found(self, instance: Instance) -> Found:
        provider = self.provider(instance)
        place = self.own[instance.address].otherwise(Place(region=provider.region))
        module = self.modules[module_path(instance.module)]
        return Found(
            instance=instance,
            recorded=instance.attributes(),
            place=place.otherwise(self.shared[instance.provider]).otherwise(self.place),
            declaration=module.resources.get((instance.type, instance.name)) if isinstance(module, Module) else None,
            default_tags=provider.default_tags,
        )

    def provider(self, instance: Instance) -> Provider:
        address = provider_address(instance.provider)
        module = self.modules[address.module]
        known = module.providers if isinstance(module, Module) else {}
        return known.get((address.name, address.alias), Provider(region="", default_tags=False))

    def limits(self) -> Iterable[Limit]:
        """What is not compared of this stack: types without a specification, attributes outside it."""
        for (type_, source), n in sorted(self.unspecified.items()):
            aws = source.endswith("/aws")
            why = "no resource specification" if aws else f"resources of provider {source or 'unknown'} are not read"
            yield Limit(Scope(type=type_), why, n)
        for type_, names in sorted(self.uncovered.items()):
            if names:
                yield Limit(Scope(type=type_), f"attributes not compared: {_listed(names)}", self.instances[type_])


def _unseen(modules: _Modules, state: State, whole: Scope) -> Iterable[Limit]:
    """What is known of the stack from its state alone."""
    inside = Counter(module_path(each.module) for each in state.instances)
    for path, module in modules.items():
        if isinstance(module, Absent) and inside[path]:
            name = "module." + ".module.".join(path)
            why = f"{name} ({module.source}) is not on disk, compared with its state alone: run `terraform init`"
            yield Limit(whole, why, inside[path])
        elif isinstance(module, Module) and module.unread:
            why = f"JSON configuration is not read: {_listed(module.unread)} in {module.directory}"
            yield Limit(whole, why, inside[path])
        elif isinstance(module, Module) and not module.files:
            yield Limit(whole, f"no .tf file in {module.directory}: compared with state alone", inside[path])
    for address, why in state.notes:
        yield Limit(whole, f"{address}: {why}", 1)


def _listed(names: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    known = sorted(names)
    more = len(known) - _NAMED
    return ", ".join(known[:_NAMED]) + (f" and {more} more" if more > 0 else "")

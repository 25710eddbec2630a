"""A stack, its code and its state, as the declared `Snapshot`.

Hides how code and state find each other, and what could not be read: every failure is a gap.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.declared import unapplied
from agent.declared.evaluation import DeclaredInstance
from agent.declared.evaluation.providers import ProviderConfig
from agent.declared.instances import Found, Reader, UnreadableError, covered, declared
from agent.declared.loading import Loaded, Options, load
from agent.declared.named import is_named, named
from agent.declared.places import Place, own_place, provider_address, shared_places
from agent.declared.schemas import agree, provider
from agent.declared.state import Instance, State, StateError
from agent.model import Gap, Limit, Resource, Scope, Snapshot, Source, StateRead, Unapplied
from agent.resources import Spec

if TYPE_CHECKING:
    import boto3

_NAMED = 8
"""How many uncovered attributes a limit lists by name."""
_TOLD = 20
"""How many problems of a configuration are told one by one."""


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
    owner: str | Callable[[Source | None], str] = "",
    key: bytes,
    taken_at: datetime,
    specs: Mapping[str, Spec],
    session: boto3.Session | None = None,
    cache: Path | None = None,
    options: Options | None = None,
) -> Stack:
    """What the root module in `directory` and its state declare.

    `state` is where the state is: a path relative to `directory`, or `s3://bucket/key`; empty: where the module's
    `backend` block says, else `terraform.tfstate`. `account` and `region` hold where neither state nor code tells.
    `owner` may depend on where the code declares a resource. `key` seals sensitive values. `cache` is a folder for
    parsed files.

    Raises nothing for what it cannot read: an unreadable state, and code that does not parse, are gaps of the whole
    account, because what they declare is then neither managed nor unmanaged.
    """
    known = options or Options()
    loaded = load(directory, state, account=account, region=region, session=session, cache=cache, options=known)
    recorded = loaded.state
    if recorded is None or loaded.why_code:
        gaps = [gap for why in (loaded.why_code, loaded.why_state) if why for gap in _gaps(account, recorded, why)]
        snapshot = Snapshot("declared", taken_at, gaps=tuple(gaps))
        if recorded is None:
            return Stack(snapshot)
    else:
        reading = _Reading(
            loaded,
            recorded,
            Place(account, region),
            Reader(name, owner if callable(owner) else lambda _: owner, key, specs),
        )
        limits = (*reading.limits(), *_whole(loaded, known, Scope(account=account)))
        snapshot = Snapshot(
            "declared",
            taken_at,
            tuple(reading.resources),
            (*reading.gaps, *_absent(loaded, account)),
            limits,
            (*_pending(name, loaded, recorded), *reading.updates),
            named=tuple(reading.named),
        )
    states = (_state_read(name, loaded, recorded, account, key, taken_at),)
    return Stack(replace(snapshot, states=states), recorded.lineage, recorded.serial, recorded.digest)


def _gaps(account: str, state: State | None, why: str) -> Iterable[Gap]:
    """One gap for the stack's account, and one for every other that its state speaks of."""
    lost = Counter(own_place(each).account or account for each in state.instances) if state else Counter()
    return [
        Gap(Scope(account=each), why, lost[each]) for each in sorted({account, *lost}, key=lambda a: (a != account, a))
    ]


def _pending(name: str, loaded: Loaded, state: State) -> Iterable[Unapplied]:
    return unapplied.pending(name, loaded.evaluated, state.instances) if loaded.evaluated else ()


def _absent(loaded: Loaded, account: str) -> Iterable[Gap]:
    """Modules that are called and not to be had: what state has of them is compared, what they merged is not known."""
    absent = loaded.evaluated.absent if loaded.evaluated else {}
    inside = Counter(
        address
        for each in (loaded.state.instances if loaded.state else ())
        for address in absent
        if each.address.startswith((f"{address}.", f"{address}["))
    )
    for address, module in absent.items():
        shown = f"{address} ({module.source})" if module.source else address
        why = f"{shown}: {module.why}; it is compared with its state alone, and what of it is not applied is not known"
        yield Gap(Scope(account, "", "module", address), why, inside[address])


def _state_read(name: str, loaded: Loaded, state: State, account: str, key: bytes, taken_at: datetime) -> StateRead:
    fetched = loaded.fetched
    told = {own_place(each).account for each in state.instances} - {""}
    return StateRead(
        stack=name,
        location=loaded.location,
        lineage=state.lineage,
        serial=state.serial,
        digest=state.digest,
        terraform_version=state.terraform_version,
        accounts=tuple(sorted(told)) or (account,),
        read_at=taken_at,
        modified=fetched.modified if fetched else None,
        locked=fetched.locked if fetched else "",
        provider_versions={
            source.removeprefix("registry.terraform.io/"): version for source, version in loaded.versions.items()
        },
        addresses={each.address: _digests(each, key) for each in state.instances},
    )


def _digests(instance: Instance, key: bytes) -> str:
    """`identity.content`, see `StateRead.addresses`; keyed, because content holds secrets."""
    try:
        id_ = str(instance.attributes().get("id", ""))
    except StateError:
        id_ = ""
    identity = "\n".join((instance.type, id_, instance.provider))
    return f"{_digest(key, identity.encode())}.{_digest(key, bytes(memoryview(instance.recorded)))}"


def _digest(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()[:16]


class _Reading:
    """Code and state joined: the resources, what could not be told, and what is not covered."""

    def __init__(self, loaded: Loaded, state: State, place: Place, reader: Reader) -> None:
        self.loaded = loaded
        self.place = place
        self.reader = reader
        self.resources: list[Resource] = []
        self.named: list[Resource] = []
        self.gaps: list[Gap] = []
        self.unspecified: Counter[tuple[str, str]] = Counter()
        self.unnamed: dict[str, str] = {}
        self.instances: Counter[str] = Counter()
        self.uncovered: dict[str, set[str]] = defaultdict(set)
        self.untold: dict[str, dict[str, str]] = defaultdict(dict)
        self.skewed: Counter[tuple[str, str]] = Counter()
        self.updates: list[Unapplied] = []
        """Resources whose code differs in what is no attribute to compare: their name, a block that makes parts."""
        self.own = {each.address: own_place(each) for each in state.instances}
        self.shared = shared_places((each.provider, self.own[each.address]) for each in state.instances)
        for each in state.instances:
            self.add(each)

    def add(self, instance: Instance) -> None:
        spec = self.reader.specs.get(instance.type)
        if spec is None:
            self.unspecified[instance.type, provider_address(instance.provider).source] += 1
            self.name(instance)
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

    def name(self, instance: Instance) -> None:
        """What no spec reads is known by its names alone, so that calls can be told of it."""
        if not is_named(instance.type) or not provider_address(instance.provider).source.endswith("/aws"):
            return
        code = self.code(instance)
        try:
            found = named(instance, code, self.placed(instance, code), self.reader)
        except StateError as error:
            self.unnamed[instance.type] = str(error)
            return
        if found is not None:
            self.named.append(found)

    def placed(self, instance: Instance, code: DeclaredInstance | None) -> Place:
        """Account and region of an instance: what it tells, what its provider configuration tells, what others tell."""
        config = code.provider if code else self.provider(instance)
        told = Place(config.account, config.region) if config else Place()
        return (
            self.own[instance.address].otherwise(told).otherwise(self.shared[instance.provider]).otherwise(self.place)
        )

    def found(self, instance: Instance) -> Found:
        code = self.code(instance)
        recorded = instance.attributes()
        spec = self.reader.specs[instance.type]
        merged = unapplied.compared(code, recorded, spec) if code else None
        if code and merged:
            self.untold[instance.type] |= {name: why[0] for name, why in merged.untold.items() if why}
            others = merged.differs.keys() - {each.name for each in spec.attributes}
            if others:
                why = f"configured otherwise: {_listed(others)}"
                self.updates.append(Unapplied(self.reader.stack, code.address, "update", code.source, why))
        self.check(instance)
        return Found(
            instance=instance if code is None else replace(instance, address=code.address),
            recorded=recorded,
            place=self.placed(instance, code),
            code=code,
            unapplied=merged.differs if merged else {},
        )

    def check(self, instance: Instance) -> None:
        """Whether the shipped schemas know the layout this instance was written in."""
        source = provider_address(instance.provider).source
        known = provider(source, self.loaded.versions.get(source, ""))
        why = agree(known, instance.type, instance.schema_version) if known else ""
        if why:
            self.skewed[instance.type, why] += 1

    def code(self, instance: Instance) -> DeclaredInstance | None:
        """What the code has of an instance, wherever a move takes it."""
        evaluated = self.loaded.evaluated
        if evaluated is None:
            return None
        return evaluated.instances.get(evaluated.moved.get(instance.address, instance.address))

    def provider(self, instance: Instance) -> ProviderConfig | None:
        """The provider configuration of an instance that no code declares."""
        return self.loaded.evaluated.providers.get(instance.provider) if self.loaded.evaluated else None

    def limits(self) -> Iterable[Limit]:
        """What is not compared of this stack: types without a specification, attributes outside it."""
        for (type_, source), n in sorted(self.unspecified.items()):
            yield Limit(Scope(type=type_), _unspecified(type_, source), n, type_ not in _NOTHING)
        for type_, why in sorted(self.unnamed.items()):
            yield Limit(Scope(type=type_), f"calls that change it are not told of by address: {why}")
        for type_, names in sorted(self.uncovered.items()):
            if names:
                yield Limit(Scope(type=type_), f"attributes not compared: {_listed(names)}", self.instances[type_])
        for type_, whys in sorted(self.untold.items()):
            for name, why in sorted(whys.items()):
                yield Limit(Scope(type=type_, path=name), f"whether {name} is applied cannot be told: {why}", 1)
        for (type_, why), n in sorted(self.skewed.items()):
            yield Limit(Scope(type=type_), why, n)


_NOTHING = ("terraform_data", "null_resource")
"""Types that stand for nothing in the cloud."""


def _unspecified(type_: str, source: str) -> str:
    if type_ in _NOTHING:
        return "it stands for nothing in the cloud: there is nothing to compare it with"
    return (
        "no resource specification"
        if source.endswith("/aws")
        else f"resources of provider {source or 'unknown'} are not read"
    )


def _whole(loaded: Loaded, options: Options, whole: Scope) -> Iterable[Limit]:
    """What is known of the stack as a whole."""
    if not options.hcl and not options.plan:
        yield Limit(whole, "there is no code to read: what is merged and not applied is not known")
    root, evaluated = loaded.root, loaded.evaluated
    if root is not None and not root.files:
        count = len(loaded.state.instances) if loaded.state else 0
        yield Limit(whole, f"no .tf file in {root.directory}: compared with state alone", count)
    for why in loaded.notes:
        yield Limit(whole, why)
    for address, why in loaded.state.notes if loaded.state else ():
        yield Limit(whole, f"{address}: {why}", 1)
    if evaluated is None:
        return
    problems = [each for each in evaluated.problems if each.where not in evaluated.absent]
    for problem in problems[:_TOLD]:
        yield Limit(whole, f"cannot be evaluated: {problem}")
    if len(problems) > _TOLD:
        yield Limit(whole, f"{len(problems) - _TOLD} more places of the configuration cannot be evaluated")
    for address, whys in evaluated.unexpanded.items():
        if address not in evaluated.absent:
            yield Limit(whole, f"how many instances {address} has cannot be told: {'; '.join(whys)}")


def _listed(names: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    known = sorted(names)
    more = len(known) - _NAMED
    return ", ".join(known[:_NAMED]) + (f" and {more} more" if more > 0 else "")

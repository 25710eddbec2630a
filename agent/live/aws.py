"""Reads AWS by interpreting resource specs with boto3: one call reads all types of a service in one region.

It hides paging, threads, sharing of answers and every way a read can fail: what could not be read is a Gap in the
snapshot, never an exception and never silence.
"""

from __future__ import annotations

import functools
import glob
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import boto3
import jmespath
from botocore.config import Config

from agent import tags
from agent.live.requests import DEFAULTS, CallError, Calls, Page, Requests
from agent.live.sought import Sought
from agent.model import GLOBAL, Gap, Key, Resource, Scope, Snapshot
from agent.resources import Attribute, Call, Item, Path, Spec, identity
from agent.seal import seal

WORKERS = 32
"""Enough to reach an account's rate limits long before Python's lock is in the way."""

_REFUSED = 20
"""After so many resources that cannot be read, and none that can, no more are asked for one by one."""

_WEIRD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a path or a spec's function raises on an item it was not made for; JMESPath's errors are ValueErrors."""


def read(
    session: boto3.Session,
    account: str,
    region: str,
    service: str,
    *,
    specs: Mapping[str, Spec],
    key: bytes,
    taken_at: datetime,
    only: Mapping[str, frozenset[str]] | None = None,
    pool: Executor | None = None,
    workers: int = WORKERS,
    calls: Calls | None = None,
    config: Config | None = None,
) -> Snapshot:
    """Everything of one boto3 service in one account and region, as the specs see it.

    `only`: type → names (any spelling) of the resources to read; other types are not looked at. A part is also meant
    by the name of its parent, and with it the parent and all its other parts. What is not there is no gap: it is gone.

    Global services are read once, with region us-east-1; their keys carry region `global`. `specs` are all specs by
    type name: others are needed to name parents. `key` seals secrets. `pool` runs the calls (never one that runs this
    function: it would wait for itself); without one, `workers` threads are started for the time of the read.
    Resources and gaps come sorted. Requests sent are added to `calls`. Raises nothing of AWS's.
    """
    mine = {
        name: spec
        for name, spec in sorted(specs.items())
        if spec.service == service and not spec.same_as and (only is None or name in only)
    }
    requests = Requests(session, region, workers=workers, calls=calls or Calls(), config=config)
    sought = None if only is None else Sought(specs, only)
    by_name = {name: names for name in mine if sought is not None and (names := sought.asked(name)) is not None}
    mine |= {name: _by_name(mine[name]) for name in by_name}
    reader = _Reader(requests, account, region, {**specs, **mine}, key, sought, by_name)
    resources: dict[Key, Resource] = {}
    gaps: list[Gap] = []
    with nullcontext(pool) if pool else ThreadPoolExecutor(workers, thread_name_prefix="live") as threads:
        for outcome in reader.outcomes(mine, threads):
            if isinstance(outcome, Gap):
                gaps.append(outcome)
            elif outcome is not None:
                resources[outcome.key] = outcome
    return Snapshot(
        side="live",
        taken_at=taken_at,
        resources=tuple(resources[name] for name in sorted(resources)),
        gaps=tuple(sorted(set(gaps), key=lambda gap: (str(gap.scope), gap.why))),
    )


def identify(session: boto3.Session) -> str:
    """The account id behind the session's credentials. Raises botocore's errors, ResponseParserError among them."""
    client = session.client("sts", region_name=session.region_name or "us-east-1", config=DEFAULTS)
    return str(client.get_caller_identity()["Account"])


@dataclass(frozen=True, slots=True)
class _Answered:
    """What asking for some resources by name came to."""

    items: Sequence[Item]
    failed: Mapping[str, str] = field(default_factory=dict)
    """Name asked for → why it could not be read."""


@dataclass(frozen=True, slots=True)
class _Reader:
    requests: Requests
    account: str
    region: str
    specs: Mapping[str, Spec]
    key: bytes
    sought: Sought | None = None
    """None: everything."""
    by_name: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Types that are not listed → what is asked for."""
    asked: dict[tuple[int, Sequence[str]], Future[_Answered]] = field(default_factory=dict)
    """By way to ask and names: what types share that are read so."""
    listings: dict[str, Future[list[Page]]] = field(default_factory=dict)
    """By call: specs that name the same listing share its answer."""
    constants: dict[str, Future[Any]] = field(default_factory=dict)
    """By call and part kept: answers of detail calls that bind nothing, and so are the same for every item."""
    batches: dict[tuple[str, Any], Future[Any]] = field(default_factory=dict)
    """By call and bound value: the answer that holds the item's entry among others."""

    def outcomes(self, mine: Mapping[str, Spec], pool: Executor) -> Iterable[Resource | Gap | None]:
        for name, spec in mine.items():
            if name in self.by_name:
                if (asked := (id(spec.one), self.by_name[name])) not in self.asked:
                    self.asked[asked] = pool.submit(self.ask, spec, self.by_name[name])
            elif (signature := _signature(spec, spec.listing)) not in self.listings:
                self.listings[signature] = pool.submit(self.pages, spec, spec.listing, {})
            for call in spec.details:
                if not call.bind and (signature := _signature(spec, call, call.items)) not in self.constants:
                    self.constants[signature] = pool.submit(self.answer, spec, call, {})
        waiting: list[Future[Resource | Gap | None]] = []
        listed = {name: list(self.listed(name)) for name in mine}
        if self.sought is not None:
            for name, found in sorted(listed.items(), key=lambda one: self.specs[one[0]].parent is None):
                self.sought.learn(name, [item for item in found if not isinstance(item, Gap)])
        for name, spec in mine.items():
            items = [item for item in listed[name] if self.is_sought(name, item)]
            # Before the items that wait for them: the pool is first in, first out.
            self.ask_batches(spec, items, pool)
            for item in items:
                if isinstance(item, Gap):
                    yield item
                elif spec.details:
                    waiting.append(pool.submit(self.outcome, name, item))
                else:
                    yield self.outcome(name, item)
        for future in waiting:
            yield future.result()

    def is_sought(self, name: str, item: Item | Gap) -> bool:
        return isinstance(item, Gap) or self.sought is None or (name, item) in self.sought

    def ask_batches(self, spec: Spec, items: Iterable[Item | Gap], pool: Executor) -> None:
        for call in spec.details:
            if not call.batch:
                continue
            ((argument, path),) = call.bind.items()
            found = (_value(path, item) for item in items if not isinstance(item, Gap))
            names = list(dict.fromkeys(name for name in found if name is not None))
            for start in range(0, len(names), call.batch):
                chunk = names[start : start + call.batch]
                answer = pool.submit(self.answer, spec, call, {argument: chunk})
                self.batches.update({(_signature(spec, call), name): answer for name in chunk})

    def entry(self, spec: Spec, call: Call, bound: Any) -> Any:
        """The bound item's entry in the answer of its batch; None where the answer has none."""
        answer = self.batches[_signature(spec, call), bound].result()
        return next((entry for entry in _entries(answer) if _value(call.match, entry) == bound), None)

    def ask(self, spec: Spec, names: Sequence[str]) -> _Answered:
        """The entries of these resources, without those that are gone. Where one cannot be read, each is asked for by
        itself: it must not hide the others. Raises CallError where many and none can be read.
        """
        try:
            return _Answered(self.asked_at_once(spec, names))
        except (CallError, *_WEIRD):
            if len(names) == 1:
                raise
        items: list[Item] = []
        failed: dict[str, str] = {}
        for name in names:
            try:
                items += self.asked_at_once(spec, (name,))
            except (CallError, *_WEIRD) as error:
                failed[name] = _why(error)
                if not items and len(failed) == _REFUSED:
                    raise
        return _Answered(items, failed)

    def asked_at_once(self, spec: Spec, names: Sequence[str]) -> list[Item]:

        def answer(call: Call, **bound: Any) -> Any:
            try:
                return self.answer(spec, call, bound)
            except CallError as failure:
                if failure.code in call.gone:
                    return None
                raise

        assert spec.one is not None
        return list(spec.one.read(answer, names))

    def pages(self, spec: Spec, call: Call, bound: Mapping[str, Any]) -> list[Page]:
        return self.requests.pages(call.service or spec.service, call.operation, {**call.args, **bound})

    def answer(self, spec: Spec, call: Call, bound: Mapping[str, Any]) -> Any:
        return _merged([_value(call.items, page) for page in self.pages(spec, call, bound)])

    def listed(self, name: str) -> Iterable[Item | Gap]:
        spec = self.specs[name]
        unread: list[Gap] = []
        try:
            if name in self.by_name:
                answered = self.asked[id(spec.one), self.by_name[name]].result()
                items, unread = answered.items, list(self.unread(name, answered))
            else:
                pages = self.listings[_signature(spec, spec.listing)].result()
                items = [item for page in pages for item in _entries(_value(spec.listing.items, page))]
        except (CallError, *_WEIRD) as error:
            return [self.gap(name, _why(error))]
        if not spec.expand:
            return [*unread, *items]
        found: list[Item | Gap] = [*unread]
        for item in items:
            try:
                found.extend(spec.expand(item))
            except _WEIRD as error:
                found.append(self.gap(name, f"an entry of {spec.listing.operation} does not expand: {_why(error)}"))
        return found

    def outcome(self, name: str, item: Item) -> Resource | Gap | None:
        """The resource, the gap in its place, or None for what is gone."""
        spec = self.specs[name]
        detailed: dict[str, Any] = {}
        try:
            detailed.update(item)
            gone, why = self.detail(spec, detailed)
            if gone:
                return None
            if why:
                return self.gap(name, why, _partial_identity(spec, detailed))
            return self.resource(name, detailed)
        except _WEIRD as error:
            return self.gap(name, f"an entry does not read: {_why(error)}", _partial_identity(spec, detailed))

    def detail(self, spec: Spec, item: dict[str, Any]) -> tuple[bool, str]:
        """Put every detail call's answer into the item; gives (is it gone, why a call failed)."""
        for call in spec.details:
            bound = {argument: _value(path, item) for argument, path in call.bind.items()}
            item[call.into] = None
            # A binding that finds nothing says that the call does not apply to this item (a key that cannot rotate).
            if None in bound.values():
                continue
            try:
                if call.batch:
                    item[call.into] = self.entry(spec, call, *bound.values())
                    if item[call.into] is None:
                        return True, ""
                elif call.bind:
                    item[call.into] = self.answer(spec, call, bound)
                else:
                    item[call.into] = self.constants[_signature(spec, call, call.items)].result()
            except CallError as failure:
                if failure.code in call.gone:
                    return True, ""
                if failure.code not in call.absent:
                    return False, str(failure)
        return False, ""

    def resource(self, name: str, item: Item) -> Resource | None:
        spec = self.specs[name]
        values = {other: _value(path, item) for other, path in spec.names.items()}
        values |= {attribute.name: self.attribute(attribute, item) for attribute in spec.attributes}
        parts = [values.get(part) for part in spec.identity]
        # Empty, not absent: the spec says that this is no resource (a key that only waits for its deletion).
        if all(part == "" for part in parts):
            return None
        if all(part in (None, "") for part in parts):
            raise ValueError(f"no {' or '.join(spec.identity)}")
        natural = identity(spec.identity, values)
        known = (natural, *(values.get(other) for other in spec.identifiers))
        return Resource(
            key=self.named(name, natural),
            attributes=values,
            identifiers=tuple(dict.fromkeys(text for text in known if text and isinstance(text, str))),
            parent=self.named(spec.parent.type, identity(spec.parent.identity, values)) if spec.parent else None,
            attribute=spec.parent.place(values) if spec.parent else "",
            note=_note(spec, item, values),
        )

    def attribute(self, attribute: Attribute, item: Item) -> Any:
        value = _value(attribute.path, item)
        if attribute.kind == "tags":
            value = tags.plain(value)
        return seal(self.key, value) if attribute.secret else value

    def named(self, name: str, natural: str) -> Key:
        spec = self.specs.get(name)
        if spec and spec.same_as:
            return self.named(spec.same_as, natural)
        return Key(self.account, GLOBAL if spec and spec.is_global else self.region, name, natural)

    def unread(self, name: str, answered: _Answered) -> Iterable[Gap]:
        """What of a type could not be read that was asked for by name."""
        assert self.sought is not None
        for asked, why in answered.failed.items():
            yield from (self.gap_over(name, why, pattern) for pattern in self.sought.meant(name, asked))

    def gap(self, name: str, why: str, natural: str = "") -> Gap:
        # A scope's id is a pattern, a resource's identity is not.
        return self.gap_over(name, why, glob.escape(natural) if natural else "*")

    def gap_over(self, name: str, why: str, pattern: str) -> Gap:
        region = GLOBAL if self.specs[name].is_global else self.region
        return Gap(Scope(self.account, region, name, pattern), why)


def _by_name(spec: Spec) -> Spec:
    """The spec as it reads what is asked for by name."""
    own = spec.one.details if spec.one is not None else None
    return spec if own is None else replace(spec, details=own)


def _signature(spec: Spec, call: Call, kept: str = "") -> str:
    """Equal for the calls that one answer serves."""
    return json.dumps([call.service or spec.service, call.operation, call.args, kept], sort_keys=True, default=str)


def _entries(found: Any) -> Iterable[Item]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _merged(values: list[Any]) -> Any:
    """One value of what the pages of a detail call gave."""
    if len(values) == 1:
        return values[0]
    if all(isinstance(value, Mapping) for value in values):
        return {name: item for value in values for name, item in value.items()}
    return [item for value in values for item in _entries(value)]


def _partial_identity(spec: Spec, item: Item) -> str:
    """The identity of an item that could not be read in full, or "" where that takes what was not read."""
    paths = dict(spec.names) | {attribute.name: attribute.path for attribute in spec.attributes}
    try:
        values = {name: _value(paths[name], item) for name in spec.identity}
    except _WEIRD:
        return ""
    return "" if None in values.values() else identity(spec.identity, values)


def _note(spec: Spec, item: Item, values: Mapping[str, Any]) -> str:
    provided = spec.provided(item) if spec.provided else ""
    return provided or ("equals the service default" if spec.default and spec.default(values) else "")


def _value(path: Path, item: Any) -> Any:
    return path(item) if callable(path) else _compiled(path).search(item)


@functools.cache
def _compiled(path: str) -> Any:
    return jmespath.compile(path)


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, CallError) else f"{type(error).__name__}: {error}"

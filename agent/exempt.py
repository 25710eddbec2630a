"""The exempt stage: what a governed exception or the baseline covers is tolerated, and the rest keeps its verdict.

Hides how the parts of a finding are told apart: each difference, and each thing that each call did, has its own fate,
and the finding takes the worst of them. Nothing here authorises: whoever had authority keeps it, and what is tolerated
is called `excepted` or `baselined` and stays visible.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import translate
from typing import Literal

from agent.clean import clean
from agent.explain import explain
from agent.model import (
    OUTCOMES,
    Baselined,
    Change,
    Drift,
    Finding,
    Hit,
    JudgedChange,
    Key,
    PolicyException,
    Test,
    Tolerated,
    Verdict,
)
from agent.resources import Spec

EXEMPTIBLE = ("unauthorised", "indeterminate", "pending")
"""Outcomes that an exception or the baseline may take the place of. Break-glass has its own way."""

_Subject = tuple[Key, str]
"""A resource or part, and its attribute that differs or was set; the attribute is empty for the whole."""
_Place = tuple[Key, str, str]
"""Where the baseline has an entry: resource, kind of difference, attribute."""
_VAGUE = "?"
"""In place of an attribute: the record does not show what the call set."""
_WILD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class Exempted:
    """What the stage made of the findings."""

    findings: tuple[Finding, ...]
    """All of them, in their order."""
    hits: tuple[Hit, ...] = ()
    """What covered what: one for each entry, finding and attribute."""
    problems: tuple[str, ...] = ()
    """Entries of the baseline that are ignored, and why."""


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one part of a finding."""

    outcome: Literal["excepted", "baselined"]
    id: str


def exempt(
    findings: Sequence[Finding],
    tolerated: Tolerated,
    now: datetime,
    digests: Callable[[Drift], Collection[str]],
    critical: Callable[[Finding], bool],
    specs: Mapping[str, Spec],
    shared: Collection[str] = (),
) -> Exempted:
    """The findings with what is tolerated now marked `excepted` or `baselined`.

    `digests` are the keyed hashes of a difference's live value, one for each install key, `critical` says what no
    baseline may hold, `shared` are the addresses that more than one stack has: for them an exception must name the
    stack. A difference whose live value is not the baseline's is new. Findings about the trail and about states are
    never exempted.
    """
    exceptions = _Exceptions(tolerated.exceptions, now, frozenset(shared))
    baseline: dict[_Place, list[Baselined]] = defaultdict(list)
    for entry in tolerated.baseline:
        if in_force(entry, now):
            baseline[entry.key, entry.kind, entry.attribute].append(entry)
    out, hits, problems = [], list[Hit](), list[str]()
    for finding in findings:
        if finding.trail or finding.cause or finding.verdict.outcome not in EXEMPTIBLE:
            out.append(finding)
            continue
        work = _Exempting(finding, exceptions, specs)
        held = [entry for drift in finding.differences for entry in baseline.get(_place(drift), ())]
        if held and critical(finding):
            problems += [_ignored(entry, finding) for entry in held]
        elif held:
            work.baseline(baseline, digests)
        out.append(work.finding())
        hits += work.hits()
    return Exempted(tuple(out), tuple(hits), tuple(dict.fromkeys(problems)))


def in_force(entry: PolicyException | Baselined, now: datetime) -> bool:
    """Whether it is approved, has begun and has not ended."""
    return bool(entry.approved) and now < entry.until and (entry.since is None or entry.since <= now)


def _pattern(pattern: str) -> re.Pattern[str]:
    """`*` and `?` are wildcards; brackets mean themselves (`aws_x.y["a"]`)."""
    return re.compile(translate(pattern.replace("[", "[[]")))


def _place(drift: Drift) -> _Place:
    return drift.key, drift.kind, drift.attribute


def _ignored(entry: Baselined, finding: Finding) -> str:
    what = finding.address or finding.key
    return f"{entry.source}: {clean(what)} is critical and cannot be baselined; it is reported as if it were not there"


class _Exceptions:
    """The exceptions in force, ready to be asked about a finding."""

    def __init__(self, exceptions: Iterable[PolicyException], now: datetime, shared: frozenset[str]) -> None:
        self._shared = shared
        self._exact: dict[str, list[_Compiled]] = defaultdict(list)
        self._wild: list[_Compiled] = []
        self._nameless: list[_Compiled] = []
        for number, one in enumerate(exceptions):
            if not in_force(one, now):
                continue
            compiled = _Compiled(one, number)
            names = (*one.addresses, *one.keys)
            if not names:
                self._nameless.append(compiled)
            elif any(_WILD.search(name) or name.endswith(_PREFIX_ENDS) for name in names):
                self._wild.append(compiled)
            else:
                for name in names:
                    self._exact[name].append(compiled)
        # Most resources are none of theirs: one look says so, where hundreds of patterns would each take theirs.
        wild = "|".join(f"(?:{pattern.pattern})" for one in self._wild for pattern in one.names)
        self._some = re.compile(wild) if wild else None

    def of(self, finding: Finding) -> list[_Compiled]:
        """Those whose scope includes the resource, or may include one of its parts; in the order they were given."""
        parts = [drift.part for drift in finding.drifts if drift.part is not None]
        parts += [key for item in finding.changes for key in item.change.targets]
        names = {*_addresses(finding, self._shared), *(name for key in (finding.key, *parts) for name in _ids(key))}
        found = {one.number: one for name in names for one in self._exact.get(name, ())}
        if self._some is not None and any(map(self._some.match, names)):
            found |= {one.number: one for one in self._wild if _any(one.names, names)}
        found |= {one.number: one for one in self._nameless}
        return [found[number] for number in sorted(found)]

    def addresses(self, finding: Finding) -> tuple[str, ...]:
        """What a finding's resource may be called by."""
        return _addresses(finding, self._shared)


_PREFIX_ENDS = ("/", ":", "|")
"""A key pattern that ends so is a prefix; any other must match whole, so that `orders` is not `orders-eu` as well."""


def _addresses(finding: Finding, shared: frozenset[str]) -> tuple[str, ...]:
    if not finding.address:
        return ()
    own = (f"{finding.stack}/{finding.address}",) if finding.stack else ()
    return own if finding.address in shared else (*own, finding.address)


def _ids(key: Key) -> tuple[str, str]:
    return key.id, str(key)


class _Compiled:
    """One exception, its patterns made ready once."""

    def __init__(self, exception: PolicyException, number: int) -> None:
        self.exception = exception
        self.number = number
        self._addresses = [_pattern(one) for one in exception.addresses]
        self._exact = {*exception.addresses, *exception.keys}
        self._keys = [_pattern(one + "*" if one.endswith(_PREFIX_ENDS) else one) for one in exception.keys]
        self._types = [_pattern(one) for one in exception.types]
        self._accounts = [_pattern(one) for one in exception.accounts]
        self._attributes = [_pattern(one) for one in exception.attributes]
        self.names = [*self._addresses, *self._keys]

    def covers(self, key: Key, attribute: str, addresses: Sequence[str], whose: Key) -> bool:
        """Whether this attribute of the resource or part `key`, which belongs to the finding of `whose`, may differ.

        Addresses and keys name resources; types, accounts and attributes narrow that down, each where it is given.
        """
        if self._accounts and not _any(self._accounts, (whose.account,)):
            return False
        if self._types and not _any(self._types, (key.type, whose.type)):
            return False
        if self._attributes and not (attribute and _any(self._attributes, _spellings(attribute))):
            return False
        if not self._exact:
            return bool(self._types or self._accounts)
        ids = (*_ids(key), *_ids(whose))
        return (
            not self._exact.isdisjoint((*addresses, *ids)) or _any(self._addresses, addresses) or _any(self._keys, ids)
        )


def _any(patterns: Sequence[re.Pattern[str]], names: Iterable[str]) -> bool:
    return any(pattern.match(name) for name in names for pattern in patterns)


def _spellings(attribute: str) -> tuple[str, ...]:
    """Calls set `tags`, and what is compared is `tags_all`."""
    return ("tags", "tags_all") if attribute in ("tags", "tags_all") else (attribute,)


@dataclass(slots=True)
class _Exempting:
    """One finding and the fate of each of its parts."""

    story: Finding
    exceptions: _Exceptions
    specs: Mapping[str, Spec]
    candidates: list[_Compiled] = field(init=False)
    fates: list[_Fate | None] = field(init=False)
    """Of each difference, in their order."""
    adopted: datetime | None = None
    """Since when the baseline holds what it holds of this finding."""
    told: dict[Hit, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.candidates = self.exceptions.of(self.story)
        self.fates = [self._excepted((drift.part or drift.key, drift.attribute)) for drift in self.story.differences]

    def baseline(
        self, entries: Mapping[_Place, Sequence[Baselined]], digests: Callable[[Drift], Collection[str]]
    ) -> None:
        """Give the differences that no exception covers, and that are as they were adopted, to the baseline."""
        for number, drift in enumerate(self.story.differences):
            held = entries.get(_place(drift), ()) if self.fates[number] is None else ()
            values = digests(drift) if held else ()
            found = next((entry for entry in held if entry.digest in values), None)
            if found is not None:
                self.fates[number] = _Fate("baselined", found.id)
                since = found.since or found.until
                self.adopted = min(self.adopted or since, since)

    def finding(self) -> Finding:
        """The finding with its new verdicts; the same object where nothing is covered."""
        changes = tuple(self._change(item) for item in self.story.changes)
        covered = [fate for fate in self.fates if fate is not None]
        if not covered and changes == self.story.changes:
            return self.story
        for drift, fate in zip(self.story.differences, self.fates, strict=True):
            self._hit(fate, drift.attribute)
        by_events = {item.change.event_ids: item.verdict for item in changes}
        # Among equals the last: a call's verdict says more than a difference's.
        verdicts = [*self._of_drifts(covered), *by_events.values()]
        verdict = min(reversed(verdicts), key=lambda one: OUTCOMES.index(one.outcome))
        return replace(self.story, changes=changes, verdict=verdict, notes=(*self.story.notes, *self._notes()))

    def hits(self) -> Iterator[Hit]:
        """What covered a part of the finding."""
        yield from self.told

    def _of_drifts(self, covered: Sequence[_Fate]) -> Iterator[Verdict]:
        """The verdicts on the differences themselves: what is tolerated, what nothing explains, what is not applied."""
        before = self.story.verdict
        for fate in covered:
            tests = before.tests if before.outcome != "unauthorised" else ()
            yield Verdict(fate.outcome, tests, covered_by=fate.id, environment=before.environment)
        if self.story.unexplained and before.outcome == "pending" and not self._all_covered():
            yield before
        elif self.story.unexplained and any(self._is_unexplained(drift) for drift in self._left()):
            # A worse part may have hidden whether this one was waiting for its evidence.
            unknown = (Test("actor", "unknown", self.story.unexplained),)
            hidden = Verdict("indeterminate", unknown, environment=before.environment)
            yield before if before.outcome == "indeterminate" else hidden
        if self.story.differences != self.story.drifts:
            yield Verdict("unapplied")

    def _left(self) -> list[Drift]:
        """What somebody made and nothing covers; what is in no configured stack need not be tolerated."""
        pairs = zip(self.story.differences, self.fates, strict=True)
        return [drift for drift, fate in pairs if fate is None and drift.note != "unlisted"]

    def _all_covered(self) -> bool:
        return not self._left()

    def _is_unexplained(self, drift: Drift) -> bool:
        recent = [candidate.change for candidate in self.story.candidates]
        return not explain(drift, recent, self.specs).whole

    def _change(self, item: JudgedChange) -> JudgedChange:
        """A call is tolerated when all it did to this resource is."""
        if item.verdict.outcome not in EXEMPTIBLE:
            return item
        subjects = list(self._subjects(item.change))
        fates = [self._fate(subject, item.change) for subject in subjects]
        found = [fate for fate in fates if fate is not None]
        if not found or len(found) < len(fates):
            return item
        for (_, attribute), fate in zip(subjects, found, strict=True):
            self._hit(fate, "" if attribute == _VAGUE else attribute)
        worst = min(found, key=lambda fate: OUTCOMES.index(fate.outcome))
        return replace(item, verdict=replace(item.verdict, outcome=worst.outcome, covered_by=worst.id))

    def _subjects(self, change: Change) -> Iterator[_Subject]:
        """What a call did to the finding's resource and its parts; one that does not say may have done all."""
        own = self.story.key
        said = False
        for touch in change.touches:
            if touch.type == own.type and own in change.targets:
                said = True
                if touch.act != "update":
                    yield own, ""
                elif touch.sets:
                    yield from ((own, name) for name in touch.sets)
                else:
                    yield own, _VAGUE
        for key in change.targets:
            attribute = self._attribute_of(key)
            if attribute is not None:
                said = True
                yield key, attribute
        if not said:
            yield own, ""

    def _attribute_of(self, part: Key) -> str | None:
        """Of a part of the resource: the attribute it shows up in, empty where that is not known. None: no part."""
        for drift in self.story.differences:
            if drift.part == part:
                return drift.attribute
        spec = self.specs.get(part.type)
        if part == self.story.key or spec is None or spec.parent is None or spec.parent.type != self.story.key.type:
            return None
        return spec.parent.attribute if isinstance(spec.parent.attribute, str) else ""

    def _fate(self, subject: _Subject, change: Change) -> _Fate | None:
        key, attribute = subject
        fates = {fate.outcome: fate for fate in self.fates if fate is not None}
        if attribute == _VAGUE:
            # What such a call left behind is all covered; what else it may have set shows nowhere.
            left = fates.get("excepted") if self._all_covered() else None
            found = self._excepted((key, "")) or left
        else:
            found = self._excepted(subject)
        if found is not None or self.adopted is None or change.time > self.adopted:
            return found
        # The baseline holds the estate as it was adopted: what was done before, and no call after.
        held = {
            drift.attribute: fate
            for drift, fate in zip(self.story.differences, self.fates, strict=True)
            if fate is not None and fate.outcome == "baselined"
        }
        return held.get(attribute) or (fates.get("baselined") if self._all_covered() else None)

    def _excepted(self, subject: _Subject) -> _Fate | None:
        key, attribute = subject
        names = self.exceptions.addresses(self.story)
        for one in self.candidates:
            if one.covers(key, attribute, names, self.story.key):
                return _Fate("excepted", one.exception.id)
        return None

    def _hit(self, fate: _Fate | None, attribute: str) -> None:
        if fate is not None:
            self.told[Hit(fate.id, self.story.id, attribute)] = None

    def _notes(self) -> Iterator[str]:
        """One line for each entry that covers something: what of it, until when, and why."""
        by_id: dict[str, list[str]] = defaultdict(list)
        for hit in self.told:
            by_id[hit.id].append(hit.attribute or "the resource")
        known = {one.exception.id: one.exception for one in self.candidates}
        for id_, what in by_id.items():
            named = ", ".join(dict.fromkeys(what))
            if id_ in known:
                one = known[id_]
                until = f"until {one.until:%Y-%m-%d}, owner {one.owner}, approved by {one.approver}"
                yield f"exception {id_} covers {named} {until}: {clean(one.reason, 200)}"
            else:
                yield f"baseline entry {id_} covers {named}"

"""What the trail tells of itself: that somebody stopped or narrowed it, that nothing comes of it, and what it covers.

Hides which CloudTrail calls blind a trail and which open its eyes again, and what silence is normal. Such calls are
changes like any other; the interval between them is a gap besides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.model import Change, Covered, Gap, GapCause, Scope, Tally
from agent.trail.source import EVERYWHERE, TYPE

CONTROLS = frozenset(
    f"cloudtrail:{name}"
    for name in ("CreateTrail", "StartLogging", "StopLogging", "DeleteTrail", "PutEventSelectors", "UpdateTrail")
)
"""Actions that begin or end blindness."""

HISTORY = timedelta(days=7)
"""How far before the interval tallies are looked at, to know what is normal."""
SKEW = timedelta(minutes=5)
"""How far an eventTime may be ahead of the clock that read it: AWS's clocks and ours agree better than that."""

_STOPPED = "logging stopped"
_DELETED = "deleted"
_SELECTORS = "event selectors leave out management writes"
_SWITCHES = {
    "isMultiRegionTrail": "narrowed to one region",
    "includeGlobalServiceEvents": "events of global services left out",
    "enableLogFileValidation": "log file validation turned off",
}
"""Parameter of UpdateTrail that must stay true → what it does otherwise."""
_CAUSES: Mapping[str, GapCause] = {_STOPPED: "stopped", _DELETED: "stopped"}
_HOUR = timedelta(hours=1)
_SILENT = 6  # hours without an event, where there always are some
_KNOWN = 24  # hours with events, to call a place busy
_BUSY = 0.8  # of its hours must have had events: a place that sleeps at night is not busy
_SKEWED = 20  # places with events of the future that are told one by one
_PROVEN = timedelta(hours=4)  # by which digests may lag behind

Place = tuple[str, str]
"""Account and region."""


def blind(changes: Iterable[Change], start: datetime, end: datetime) -> tuple[Gap, ...]:
    """Gaps of the interval that the changes tell of; changes from before `start` count, in any order."""
    gaps = []
    since: dict[tuple[str, str, str, str], Change] = {}
    for change in sorted(changes, key=lambda c: (c.time, c.event_ids)):
        # A trail is controlled from its home region alone; another region may have one of the same name.
        trail = (change.account, change.region, _trail(change))
        for effect, began in _effects(change):
            if began:
                since.setdefault((*trail, effect), change)
            else:
                first = since.pop((*trail, effect), None)
                gaps += _gap(first, change, effect, start, end)
    for (*_, effect), first in since.items():
        gaps += _gap(first, None, effect, start, end)
    return tuple(gaps)


def covered(hours: Iterable[Tally], verified: Mapping[Place, datetime] | None = None) -> tuple[Covered, ...]:
    """What there is of each account and region, sorted; `verified` says until when digests prove it."""
    places: dict[Place, list[Tally]] = {place: [] for place in verified or {}}
    for tally in hours:
        places.setdefault((tally.account, tally.region), []).append(tally)
    return tuple(
        Covered(
            account,
            region,
            sum(tally.events for tally in found),
            min((tally.hour for tally in found), default=None),
            max((tally.newest for tally in found), default=None),
            (verified or {}).get((account, region)),
        )
        for (account, region), found in sorted(places.items())
    )


# --- silence -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Silence:
    """Hours without an event."""

    since: datetime
    until: datetime | None
    """None: it lasts."""

    def __str__(self) -> str:
        return f"from {self.since:%FT%TZ} to {self.until:%FT%TZ}" if self.until else f"since {self.since:%FT%TZ}"


def undelivered(
    hours: Iterable[Tally],
    start: datetime,
    end: datetime,
    expected: Collection[Place] = (),
    verified: Mapping[Place, datetime] | None = None,
    ever: Collection[Place] = (),
) -> tuple[Gap, ...]:
    """Silence in [start, end] where there always was an event, and `expected` places that have none at all.

    Only for sources that deliver: their silence has two reasons. `hours` reach `HISTORY` back from the start, in any
    order. `end` is about now: its last hour may still come. `verified`: until when digests prove that all of it came.
    `ever`: places that had an event before that; of the other `expected` ones silence proves nothing.
    """
    first, last, proven = _floor(start - HISTORY), _floor(end - _HOUR), verified or {}
    heard: dict[Place, set[datetime]] = {}
    for tally in hours:
        if tally.events > 0 and tally.account and tally.region and first <= tally.hour <= end:
            heard.setdefault((tally.account, tally.region), set()).add(_floor(tally.hour))
    silent: dict[_Silence, set[Place]] = {}
    for place, there in heard.items():
        for silence in _silences(there, last):
            all_came = proven.get(place, first) >= (silence.until or end - _PROVEN)
            if (silence.until or last) > start and not all_came:
                silent.setdefault(silence, set()).add(place)
    gaps = [gap for silence, places in silent.items() for gap in _told(silence, places, heard)]
    known = {place for place, there in heard.items() if max(there) >= _floor(start)}.union(*silent.values())
    known |= {place for place, until in proven.items() if until >= end - _PROVEN}
    why = "no event in the interval: nothing was done there, or no trail covers it, which looks the same"
    never = "no event has come from there yet: nothing was done, or none is delivered, which looks the same"
    silent_places, spoke = sorted({*expected} - known), {*heard, *ever}
    gaps += [Gap(_at(place), why, cause="undelivered") for place in silent_places if place in spoke]
    gaps += [Gap(_at(place), never, cause="unproven") for place in silent_places if place not in spoke]
    return tuple(gaps)


def skewed(hours: Iterable[Tally], now: datetime) -> tuple[Gap, ...]:
    """Places with an event of the future, `now` being when it was read at the latest: a clock is wrong, or a record.

    A few of them by name: one forged file may name any number.
    """
    latest: dict[Place, datetime] = {}
    for tally in hours:
        if tally.newest > now + SKEW:
            place = (tally.account, tally.region)
            latest[place] = max(latest.get(place, tally.newest), tally.newest)
    why = "was in the future when it was read: our clock is wrong, or CloudTrail did not write the record"
    told = [
        Gap(_at(place), f"an event of {newest:%FT%TZ} {why}", cause="skewed")
        for place, newest in sorted(latest.items())[:_SKEWED]
    ]
    if len(latest) > _SKEWED:
        told.append(Gap(EVERYWHERE, f"an event of yet another account or region {why}", cause="skewed"))
    return tuple(told)


def _silences(there: Collection[datetime], last: datetime) -> Iterator[_Silence]:
    """The long ones before `last` of a place that is busy but for them."""
    hours = sorted(there)
    for hour, after in zip(hours, (*hours[1:], None), strict=True):
        since, until = hour + _HOUR, after or last
        if until - since >= _SILENT * _HOUR and _busy(hours, since):
            yield _Silence(since, after)


def _busy(there: Collection[datetime], at: datetime) -> bool:
    """Whether nearly every hour of the days before had an event, as far back as anything is known."""
    before = [hour for hour in there if at - HISTORY <= hour < at]
    return len(before) >= _KNOWN and len(before) >= _BUSY * ((at - min(before)) / _HOUR)


def _told(silence: _Silence, places: Collection[Place], heard: Mapping[Place, Collection[datetime]]) -> Iterator[Gap]:
    """One gap for all of it where everything that was busy fell silent at once, else for whole accounts, else each."""
    why = f"no event {silence}, where nearly every hour before had one"
    busy = {place for place, there in heard.items() if _busy(there, silence.since)}
    accounts = {account for account, _ in places}
    if len(accounts) > 1 and busy <= {*places}:
        yield Gap(EVERYWHERE, why, cause="undelivered")
        return
    for account in sorted(accounts):
        here = {place for place in places if place[0] == account}
        if len(here) > 1 and {place for place in busy if place[0] == account} <= here:
            yield Gap(Scope(account=account, type=TYPE), why, cause="undelivered")
        else:
            yield from (Gap(_at(place), why, cause="undelivered") for place in sorted(here))


def _at(place: Place) -> Scope:
    return Scope(account=place[0], region=place[1], type=TYPE)


def _floor(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


# --- controls ------------------------------------------------------------------------------------------------


def _effects(change: Change) -> Iterator[tuple[str, bool]]:
    """(what it does to the trail, whether that begins here)."""
    match change.action.partition(":")[2]:
        case "StopLogging":
            yield _STOPPED, True
        case "DeleteTrail":
            yield _DELETED, True
        case "StartLogging":
            yield _STOPPED, False
            yield _DELETED, False
        case "PutEventSelectors":
            yield _SELECTORS, not _logs_writes(change.request)
        case "UpdateTrail" | "CreateTrail" as name:
            if name == "CreateTrail":  # it begins with all management events
                yield _SELECTORS, False
            for parameter, effect in _SWITCHES.items():
                wide = _flag(change.request.get(parameter))
                if wide is not None and (wide or name == "UpdateTrail"):
                    yield effect, not wide


def _flag(found: Any) -> bool | None:
    """A boolean, or the word for one; None: the record does not say."""
    return {"true": True, "false": False}.get(str(found).lower())


def _logs_writes(request: Mapping[str, Any]) -> bool:
    """Whether management writes of every service still arrive. What the record does not show is taken for yes."""
    selectors = _list(request.get("eventSelectors"))
    if selectors:
        return any(
            s.get("includeManagementEvents") is not False
            and s.get("readWriteType") != "ReadOnly"
            and not s.get("excludeManagementEventSources")
            for s in selectors
        )
    advanced = _list(request.get("advancedEventSelectors"))
    return not advanced or any(_selects_writes(_list(s.get("fieldSelectors"))) for s in advanced)


def _selects_writes(fields: list[Mapping[str, Any]]) -> bool:
    """An advanced selector for all management events, or all of them that write."""
    by_field = {str(f.get("field")): f for f in fields}
    if by_field.get("eventCategory", {}).get("equals") != ["Management"]:
        return False
    rest = by_field.keys() - {"eventCategory", "readOnly"}
    return not rest and by_field.get("readOnly", {}).get("equals") in (None, ["false"])


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _trail(change: Change) -> str:
    """Its name: calls take the name or the ARN."""
    named = change.request.get("name") or change.request.get("trailName") or ""
    return str(named).rsplit("/", 1)[-1]


def _gap(first: Change | None, last: Change | None, effect: str, start: datetime, end: datetime) -> list[Gap]:
    if first is None or first.time > end or (last is not None and last.time < start):
        return []
    until = f" until {last.time:%FT%TZ}" if last else ", and not brought back since"
    named = _trail(first) or "(name not recorded)"
    why = f"trail {named}: {effect} by {first.actor.name} at {first.time:%FT%TZ}{until}"
    cause = _CAUSES.get(effect, "narrowed")
    return [Gap(Scope(account=first.account, type=TYPE, id=named), why, cause=cause)]

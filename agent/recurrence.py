"""On which days a recurring event falls: RFC 5545's rules for whole days, walked from the beginning to a given end.

Hides how periods, filters and positions combine. The walk is bounded by its end, whatever the rule asks for: one that
no day fits is no endless search. Rules for times of day and week numbers are refused by name.
https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
_FREQUENCIES: Mapping[str, Frequency] = {
    "DAILY": "DAILY",
    "WEEKLY": "WEEKLY",
    "MONTHLY": "MONTHLY",
    "YEARLY": "YEARLY",
}
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYSETPOS"}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MOST = 366
"""Values of one part of a rule: each is asked of each day."""
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


class RuleError(ValueError):
    """A rule of recurrence that is not followed; says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `count` and the end are the caller's."""

    frequency: Frequency
    interval: int = 1
    months: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    yeardays: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    """(which of the period, 0 for each; day of the week, 0 for Monday)"""
    positions: tuple[int, ...] = ()
    week_start: int = 0


def rule_of(parts: Mapping[str, Sequence[Any]]) -> Rule:
    """The rule of an RRULE's parts, each name with its values. Raises RuleError."""
    unknown = sorted(set(parts) - _KNOWN)
    if unknown:
        raise RuleError(f"{', '.join(unknown)} is not followed")
    long = sorted(name for name, values in parts.items() if len(values) > _MOST)
    if long:
        raise RuleError(f"{', '.join(long)} has more than {_MOST} values")
    named = str(next(iter(parts.get("FREQ", ())), "")).upper()
    frequency = _FREQUENCIES.get(named)
    if frequency is None:
        raise RuleError(f"recurs {named[:40]}; freezes recur {', '.join(_FREQUENCIES)}")
    interval = int(next(iter(parts.get("INTERVAL", ())), 1))
    if interval < 1:
        raise RuleError("INTERVAL is 1 at least")
    weekdays = tuple(dict.fromkeys(_weekday(str(one)) for one in parts.get("BYDAY", ())))
    if frequency in ("DAILY", "WEEKLY") and any(which for which, _ in weekdays):
        raise RuleError(f"BYDAY with a number says nothing in a {frequency} rule")
    return Rule(
        frequency,
        interval,
        months=_numbers(parts, "BYMONTH"),
        monthdays=_numbers(parts, "BYMONTHDAY"),
        yeardays=_numbers(parts, "BYYEARDAY"),
        weekdays=weekdays,
        positions=_numbers(parts, "BYSETPOS"),
        week_start=_weekday(str(next(iter(parts.get("WKST", ())), "MO")))[1],
    )


def days(rule: Rule, begin: date, end: date) -> Iterator[date]:
    """The days of a rule from `begin` to `end`, both included, in order; `begin` itself only where the rule fits it."""
    fits, period = _filter(rule, begin), _period(rule, begin)
    first = _period_start(rule, begin)
    some: list[date] = []
    at = 0
    for number in range((end - first).days + 1):
        day = first + timedelta(days=number)
        its = period(day)
        if its != at:
            yield from _placed(rule, some, begin)
            some, at = [], its
        if its % rule.interval == 0 and fits(day):
            if rule.positions:
                some.append(day)
            elif day >= begin:
                yield day
    if some:
        # The last period may go on beyond the end, and a position from its end counts from there.
        day = end + timedelta(days=1)
        while period(day) == at:
            some += [day] if fits(day) else []
            day += timedelta(days=1)
        yield from (one for one in _placed(rule, some, begin) if one <= end)


def _placed(rule: Rule, some: Sequence[date], begin: date) -> Iterator[date]:
    """Of one period's days those at the positions that the rule names."""
    chosen = {some[at - 1 if at > 0 else at] for at in rule.positions if 0 < abs(at) <= len(some)}
    yield from (day for day in sorted(chosen) if day >= begin)


def _weekday(text: str) -> tuple[int, int]:
    found = _BYDAY.fullmatch(text.upper())
    if found is None:
        raise RuleError(f"'{text[:20]}' is no day of the week")
    return int(found[1] or 0), _DAYS.index(found[2])


def _numbers(parts: Mapping[str, Sequence[Any]], name: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(one) for one in parts.get(name, ())))


def _period_start(rule: Rule, begin: date) -> date:
    match rule.frequency:
        case "YEARLY":
            return begin.replace(month=1, day=1)
        case "MONTHLY":
            return begin.replace(day=1)
        case "WEEKLY":
            return begin - timedelta(days=min((begin.weekday() - rule.week_start) % 7, begin.toordinal() - 1))
        case "DAILY":
            return begin


def _period(rule: Rule, begin: date) -> Callable[[date], int]:
    """What gives the number of a day's period, counted from that of the beginning."""
    first = _period_start(rule, begin)
    match rule.frequency:
        case "YEARLY":
            return lambda day: day.year - first.year
        case "MONTHLY":
            return lambda day: (day.year - first.year) * 12 + day.month - first.month
        case "WEEKLY":
            return lambda day: (day - first).days // 7
        case "DAILY":
            return lambda day: (day - first).days


def _filter(rule: Rule, begin: date) -> Callable[[date], bool]:
    """What says whether a day fits; where the rule leaves something open the beginning says it."""
    months, monthdays, weekdays = rule.months, rule.monthdays, rule.weekdays
    if not (monthdays or weekdays or rule.yeardays):
        if rule.frequency == "YEARLY":
            months, monthdays = months or (begin.month,), (begin.day,)
        elif rule.frequency == "MONTHLY":
            monthdays = (begin.day,)
        elif rule.frequency == "WEEKLY":
            weekdays = ((0, begin.weekday()),)
    of_year = rule.frequency == "YEARLY" and not months
    in_week, in_year = frozenset(weekdays), frozenset(rule.yeardays)

    def fits(day: date) -> bool:
        if months and day.month not in months:
            return False
        if monthdays:
            length = calendar.monthrange(day.year, day.month)[1]
            if day.day not in monthdays and day.day - length - 1 not in monthdays:
                return False
        if in_year:
            at, length = _of_year(day)
            if at not in in_year and at - length - 1 not in in_year:
                return False
        return not in_week or _is_one(day, in_week, of_year)

    return fits


def _is_one(day: date, weekdays: Collection[tuple[int, int]], of_year: bool) -> bool:
    its = day.weekday()
    if (0, its) in weekdays:
        return True
    if all(which == 0 for which, _ in weekdays):
        return False
    at, length = _of_year(day) if of_year else (day.day, calendar.monthrange(day.year, day.month)[1])
    return ((at - 1) // 7 + 1, its) in weekdays or (-((length - at) // 7) - 1, its) in weekdays


def _of_year(day: date) -> tuple[int, int]:
    """Which day of its year it is, and how many there are."""
    return day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365

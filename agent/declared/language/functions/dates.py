"""Functions over points in time; those that ask the clock say so instead of answering.

Hides Terraform's strict RFC 3339, Go's durations (https://pkg.go.dev/time#ParseDuration) and years that Python's dates
do not reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.text import nfc
from agent.declared.language.types import NUMBER, STRING

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,100}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_CYCLE = 146_097
"""Days of 400 years, after which the calendar repeats itself."""

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as somebody's clock shows it."""

    clock: int
    """Nanoseconds since the start of year 0, as the clock shows it."""
    offset: int
    """How many minutes the clock is ahead of UTC."""

    @property
    def absolute(self) -> int:
        """Nanoseconds that compare between clocks."""
        return self.clock - self.offset * 60 * _SECOND

    @property
    def day(self) -> tuple[int, date]:
        """The year, and a date in the same month, of the same number and on the same weekday."""
        cycle, days = divmod(self.clock // _DAY, _CYCLE)
        found = date.fromordinal(_FIRST + days)
        return found.year - 2000 + 400 * cycle, found

    @property
    def time(self) -> tuple[int, int, int]:
        """Hour, minute, second."""
        seconds = self.clock % _DAY // _SECOND
        return seconds // 3600, seconds // 60 % 60, seconds % 60


_FIRST = date(2000, 1, 1).toordinal()
"""The year 2000 stands for the year 0: both begin a cycle."""


def moment(stamp: str, name: str) -> Moment:
    """An RFC 3339 timestamp, capital letters only. Raises `EvaluationError` that calls it `name`."""
    found = _STAMP.fullmatch(stamp)
    if found is None:
        raise EvaluationError(f"`{name}` is to be a timestamp such as 2006-01-02T15:04:05Z (RFC 3339)")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    hours, minutes = int(found[9] or 0), int(found[10] or 0)
    try:
        days = date(2000 + year % 400, month, day).toordinal() - _FIRST + year // 400 * _CYCLE
    except ValueError:
        raise EvaluationError(f"`{name}` names a day that there is not") from None
    if hour > 23 or minute > 59 or second > 59 or hours > 23 or minutes > 59:
        raise EvaluationError(f"`{name}` names a time or an offset that there is not")
    nanoseconds = int((found[7] or "").ljust(9, "0")[:9])
    offset = (hours * 60 + minutes) * (-1 if found[8] == "-" else 1)
    return Moment(days * _DAY + ((hour * 60 + minute) * 60 + second) * _SECOND + nanoseconds, offset)


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND}
_UNITS["h"] = 3600 * _SECOND

_PART = re.compile(r"(\d{0,100})(?:\.(\d{0,100}))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def duration(spelled: str) -> int:
    """A duration of Go's, `-1h30m` → nanoseconds. Raises `EvaluationError`."""
    wrong = EvaluationError("`duration` is to be such as 1h30m, -5s or 10ms; there are no days")
    rest = spelled[1:] if spelled[:1] in ("+", "-") else spelled
    total, position = 0, 0
    while position < len(rest) and rest != "0":
        part = _PART.match(rest, position)
        if part is None or not (part[1] or part[2]):
            raise wrong
        unit = _UNITS[part[3]]
        total += int(part[1] or 0) * unit + _fraction(part[2] or "", unit)
        position = part.end()
    if not rest:
        raise wrong
    if total > 2**63 - (spelled[0] != "-"):
        raise EvaluationError("`duration` is longer than 292 years")
    return -total if spelled[0] == "-" else total


def _fraction(digits: str, unit: int) -> int:
    """What stands behind the point, in floating point: Go computes it so, and rounding shows."""
    value, scale = 0, 1.0
    for each in digits:
        if value > (2**63 - 1) // 10:
            break
        value, scale = value * 10 + int(each), scale * 10
    return int(float(value) * (float(unit) / scale))


def rfc3339(at: Moment) -> str:
    """A moment as Go spells it, without fractions of a second."""
    year, day = at.day
    hour, minute, second = at.time
    spelled_year = f"{year:04d}" if year >= 0 else f"-{-year:04d}"
    zone = _zone(at, ":") if at.offset else "Z"
    return f"{spelled_year}-{day.month:02d}-{day.day:02d}T{hour:02d}:{minute:02d}:{second:02d}{zone}"


def _zone(at: Moment, between: str) -> str:
    hours, minutes = divmod(abs(at.offset), 60)
    return f"{'-' if at.offset < 0 else '+'}{hours:02d}{between}{minutes:02d}"


def _half(at: Moment) -> str:
    return "AM" if at.time[0] < 12 else "PM"


_SEQUENCES: Mapping[str, Callable[[Moment], str]] = {
    "YYYY": lambda at: f"{at.day[0]:04d}",
    "YY": lambda at: f"{at.day[0] % 100:02d}",
    "MMMM": lambda at: _MONTHS[at.day[1].month - 1],
    "MMM": lambda at: _MONTHS[at.day[1].month - 1][:3],
    "MM": lambda at: f"{at.day[1].month:02d}",
    "M": lambda at: str(at.day[1].month),
    "DD": lambda at: f"{at.day[1].day:02d}",
    "D": lambda at: str(at.day[1].day),
    "EEEE": lambda at: _DAYS[at.day[1].weekday()],
    "EEE": lambda at: _DAYS[at.day[1].weekday()][:3],
    "hh": lambda at: f"{at.time[0]:02d}",
    "h": lambda at: str(at.time[0]),
    "HH": lambda at: f"{at.time[0] % 12 or 12:02d}",
    "H": lambda at: str(at.time[0] % 12 or 12),
    "AA": _half,
    "aa": lambda at: _half(at).lower(),
    "mm": lambda at: f"{at.time[1]:02d}",
    "m": lambda at: str(at.time[1]),
    "ss": lambda at: f"{at.time[2]:02d}",
    "s": lambda at: str(at.time[2]),
    "ZZZZZ": lambda at: _zone(at, ":"),
    "ZZZZ": lambda at: _zone(at, ""),
    "ZZZ": lambda at: _zone(at, "") if at.offset else "UTC",
    "Z": lambda at: _zone(at, ":") if at.offset else "Z",
}

_TOKEN = re.compile(
    r"""(?P<apostrophe>'')|'(?P<quoted>[^'](?:[^']|'')*)'(?!')|'(?P<last>[^'](?:[^']|'')*')'\Z|(?P<open>')"""
    r"|(?P<letters>([A-Za-z])\6*)|[^A-Za-z']+",
    re.DOTALL,
)
"""Two apostrophes are one; a quoted text may also end with the format, whatever apostrophes it ends in."""


def _formatdate(template: str, stamp: str) -> str:
    at = moment(stamp, "time")
    return nfc("".join(_token(found, at) for found in _TOKEN.finditer(template)))


def _token(found: re.Match[str], at: Moment) -> str:
    if found["apostrophe"]:
        return "'"
    if quoted := found["quoted"] or found["last"]:
        return quoted.replace("''", "'")
    if found["open"]:
        raise EvaluationError("`format` has a quote (') that is never closed")
    if not found["letters"]:
        return found[0]
    sequence = _SEQUENCES.get(found["letters"])
    if sequence is None:
        raise EvaluationError(
            f"`format` has letters at character {found.start() + 1} that stand for nothing: text goes in quotes (')"
        )
    return sequence(at)


def _timeadd(stamp: str, spelled: str) -> str:
    at = moment(stamp, "timestamp")
    return rfc3339(Moment(at.clock + duration(spelled), at.offset))


def _timecmp(left: str, right: str) -> int:
    first, second = moment(left, "timestamp_a").absolute, moment(right, "timestamp_b").absolute
    return (first > second) - (first < second)


def _text(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, STRING) for name in names)


FUNCTIONS: Mapping[str, Function] = {
    "formatdate": Function(_text("format", "time"), _formatdate, STRING),
    "plantimestamp": Function((), str, STRING, impure="tells when a plan was made"),
    "timeadd": Function(_text("timestamp", "duration"), _timeadd, STRING),
    "timecmp": Function(_text("timestamp_a", "timestamp_b"), _timecmp, NUMBER),
    "timestamp": Function((), str, STRING, impure="tells the time of the run"),
}

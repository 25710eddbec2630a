"""What every permission says of itself: whose it is, who approved it, from when until when; and how that is read.

Hides the form of a signed statement, that one person may have several names, and what makes an approval count: a
signature by whoever is named as approver, who may approve, made while the permission stood as it stands now.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from agent.clean import clean
from agent.config import reading
from agent.declare.speakers import roles_of
from agent.model import Directory, Person
from agent.people import folded, is_valid, is_wild
from agent.signing import SigningError, verify
from agent.tables import RoleName
from agent.tickets.document import DocumentError, Reader, Value, parse, text

TERMS = ("owner", "approver", "since", "until", "ended", "approved", "approval")
"""Fields that every permission has."""
UNSIGNED = ("ended", "approval")
"""Of them those that no approval is over: anybody may end a permission before its time."""

SKEW = timedelta(minutes=5)
"""How far apart the clocks of two machines may be."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Fields = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who is who, who may approve, and whose signatures count."""

    people: Mapping[str, Sequence[Person]] = field(default_factory=dict)
    """Every name of every entry of the identity map, folded."""
    directory: Directory = field(default_factory=Directory)
    roles: Mapping[RoleName, tuple[str, ...]] = field(default_factory=dict)
    """`[authority.roles]`."""
    signers: Path | None = None
    """The `allowed_signers` file; None: nobody's signature counts."""
    signed_by: Callable[[bytes, str, Path, datetime], str] = verify
    """Statement, signature, signers, time → principals of the key, joined with commas. Raises SigningError."""
    estate: str = ""
    """Name of the estate: an approval for another one, with the same addresses, is none for this."""

    def person(self, name: str, at: datetime) -> str:
        """One name for a person: the id in the identity map; the name itself, folded, where the map knows none."""
        entry = self._entry(name, at)
        return entry.id if entry is not None else folded(name)

    def refused(self, name: str, at: datetime) -> str:
        """Why a person may not approve; empty where they may."""
        entry = self._entry(name, at)
        if entry is None:
            return f"the identity map has no one person '{clean(name, 100)}' at {at:%Y-%m-%d}"
        if "approver" in roles_of(entry.id, self.directory, self.roles, at):
            return ""
        return f"{clean(name, 100)} has not the role approver; [authority.roles] says who has"

    def _entry(self, name: str, at: datetime) -> Person | None:
        found = {one.id: one for one in self.people.get(folded(name), ()) if is_valid(one, at)}
        return next(iter(found.values())) if len(found) == 1 else None


def approvals(
    directory: Directory, roles: Mapping[RoleName, tuple[str, ...]], signers: Path | None, estate: str = ""
) -> Approvals:
    """The approvals of a configuration: its identity map, `[authority.roles]`, `[authority] signers`, its estate."""
    people: dict[str, list[Person]] = defaultdict(list)
    for person in directory.people:
        names = (person.id, *person.users, *(name for name in person.principals if not is_wild(name)))
        for name in {folded(one) for one in names if one}:
            people[name].append(person)
    return Approvals(people, directory, roles, signers, estate=estate)


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose a permission is, and from when until when."""

    owner: str
    approver: str
    since: datetime
    until: datetime


def read_terms(
    fields: Fields, place: Value, reader: Reader, longest: timedelta, approvals: Approvals, name: str
) -> Terms | None:
    """The terms among an entry's fields; None where something is wrong with them, which is noted.

    `longest` is how long the permission may last from its beginning; `name` is what the entry is called in problems.
    """
    before = len(reader.problems)
    said = {one: clean(reader.text(fields.get(one), one), 200) for one in ("owner", "approver")}
    since = moment(fields.get("since"), "since", time.min, reader)
    until = moment(fields.get("until"), "until", time.max, reader)
    ended = moment(fields.get("ended"), "ended", time.min, reader)
    missing = [one for one in ("owner", "approver", "since", "until") if one not in fields]
    if missing:
        reader.wrong(place, f"{name} needs {', '.join(missing)}")
    if len(reader.problems) > before or since is None or until is None:
        return None
    if approvals.person(said["owner"], since) == approvals.person(said["approver"], since):
        reader.wrong(fields["approver"], f"'{said['approver']}' is the owner too; somebody else must approve {name}")
    if until <= since:
        reader.wrong(fields["until"], f"'until' must be later than 'since', {since:%Y-%m-%d}")
    # A day ends with its last second: 90 days from a moment may end on the evening of the 90th.
    elif until > since + longest + timedelta(days=1):
        last = since + longest
        reader.wrong(fields["until"], f"{name} may last {longest.days} days: until {last:%Y-%m-%d} at the latest")
    if len(reader.problems) > before:
        return None
    return Terms(said["owner"], said["approver"], since, min(until, ended or until))


def approved(
    fields: Fields,
    terms: Terms,
    statement: bytes,
    reader: Reader,
    approvals: Approvals,
    now: datetime,
    earliest: datetime | None = None,
) -> tuple[str, datetime] | None:
    """How we know that the approver approved, and from when that counts; None where they have not, or not validly.

    It counts from the time of the signature, which is the signer's word; from `earliest` where that is later, and then
    the signature must be good at both times. No signature is no problem: the permission waits. One that does not count
    is noted.
    """
    signature = reader.text(fields.get("approval"), "approval")
    at = reader.time(fields.get("approved"), "approved")
    if not signature:
        return None
    place = fields["approval"]
    if at is None:
        reader.wrong(place, "'approval' needs 'approved', the time of the signature; `approve` writes both")
        return None
    if not terms.since - SKEW <= at <= now + SKEW:
        reader.wrong(fields["approved"], "'approved' must lie between 'since' and now")
        return None
    counts, principals = max(at, earliest or at), ""
    for when in dict.fromkeys((at, counts)):
        try:
            principals = _principals(terms.approver, statement, signature, approvals, when)
        except SigningError as error:
            late = f"; it counts from {counts:%Y-%m-%d %H:%M} UTC, when a scan first saw it" if when > at else ""
            reader.wrong(place, f"{error}{late}")
            return None
    return f"signed by {clean(principals, 200)}, {at:%Y-%m-%d %H:%M} UTC", counts


def _principals(approver: str, statement: bytes, signature: str, approvals: Approvals, at: datetime) -> str:
    """The principals of the key that signed, the approver's as of then. Raises SigningError with what is wrong."""
    if approvals.signers is None:
        raise SigningError("nobody's signature counts: [authority] signers names no allowed_signers file")
    try:
        principals = approvals.signed_by(statement, signature, approvals.signers, at)
    except SigningError as error:
        raise SigningError(f"'approval' does not count: {error}") from None
    if approvals.person(approver, at) not in (approvals.person(one, at) for one in principals.split(",")):
        raise SigningError(f"'approval' is {clean(principals, 200)}'s signature, not {approver}'s")
    if why := approvals.refused(approver, at):
        raise SigningError(why)
    return principals


def statement(kind: str, content: Mapping[str, Any], estate: str) -> bytes:
    """What an approval signs: an entry as it stands, whatever its layout, and the estate, as canonical JSON."""
    whole = {"driftwarden": kind, "estate": estate, **content}
    return json.dumps(whole, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def content(fields: Fields) -> dict[str, Any]:
    """The fields of an entry that its approval is over, as plain text and lists."""
    return {name: plain(value) for name, value in fields.items() if name not in UNSIGNED}


def plain(value: Value) -> Any:
    """A value without its lines: text, lists and mappings."""
    if isinstance(value.data, list):
        return [plain(item) for item in value.data]
    if isinstance(value.data, dict):
        return {name: plain(item) for name, item in value.data.items()}
    return value.data


def moment(value: Value | None, name: str, of_day: time, reader: Reader) -> datetime | None:
    """A day in UTC, at that time of it, or a time with its zone; None where there is none or it is wrong."""
    written = reader.text(value, name)
    if value is None or not _DAY.fullmatch(written):
        return reader.time(value, name)
    try:
        return datetime.combine(date.fromisoformat(written), of_day, UTC)
    except ValueError:
        reader.wrong(value, f"'{name}': there is no {written}")
        return None


def identifier(fields: Fields, place: Value, reader: Reader, example: str) -> str:
    """The id of an entry; one that is none is noted."""
    found = reader.text(fields.get("id"), "id")
    if not _ID.fullmatch(found):
        reader.wrong(
            fields.get("id", place), f"an entry needs an id of letters, digits and . _ -, for example {example}"
        )
    return found


# --- files ---------------------------------------------------------------------------------------------------


def yaml_files(directory: Path) -> list[Path]:
    """Files by name; none where there is no such folder. Hidden ones are somebody's editor's. Raises OSError."""
    place = reading(directory)
    if not place.is_dir():
        return []
    names = sorted(file.name for file in place.iterdir() if file.suffix in (".yaml", ".yml"))
    return [directory / name for name in names if not name.startswith(".")]


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a folder's files, each with the file it stands in, and what could not be read."""

    found: tuple[tuple[Path, Value], ...]
    unread: tuple[str, ...]
    """Reason per file that is no list of entries."""


def entries(directory: Path) -> Entries:
    """Every entry of every file of a folder; each file is a list of them."""
    found: list[tuple[Path, Value]] = []
    unread: list[str] = []
    try:
        files = yaml_files(directory)
    except OSError as error:
        return Entries((), (f"{directory}: cannot be read: {error.strerror}",))
    for file in files:
        try:
            value = parse(text(file), file)
        except DocumentError as error:
            unread.append(str(error))
            continue
        if isinstance(value.data, list):
            found += [(file, item) for item in value.data]
        elif value.data is not None:
            unread.append(f"{file}:{value.line}: must be a list of entries, each with an id")
    return Entries(tuple(found), tuple(unread))


def twice(ids: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(id, problem) for every id that stands in two places; `ids` are id and place, `file:line`."""
    places: dict[str, list[str]] = defaultdict(list)
    for id_, place in ids:
        places[id_].append(place)
    for id_, found in places.items():
        if len(found) > 1:
            # Which of two permissions under one id was approved is not ours to guess.
            yield id_, f"{found[1]}: id '{id_}' stands in {found[0]} as well; neither is in force"

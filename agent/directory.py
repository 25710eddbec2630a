"""The identity map, read: a file of people and accounts, IAM Identity Center and Organizations → one `Directory`.

Hides the file's format and every check that can be made before an event is seen, AWS's paging and throttling, and how
two sources become one. A mistake in the file is an error with file and line; what AWS does not tell is a reason among
`Directory.unread`, and whoever is missing for it stays who the trail says they are.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from agent.clean import clean
from agent.config import Config, ConfigError
from agent.model import Directory, KnownAccount, Person, PersonKind
from agent.people import IDENTITY_CENTER, folded, is_valid, is_wild
from agent.tickets import document
from agent.tickets.document import DocumentError, Reader, Value

if TYPE_CHECKING:
    import boto3

PERSON = ("id", "name", "kind", "principals", "groups", "team", "sponsor", "valid_from", "valid_until", "users")
ACCOUNT = ("id", "name", "email")
KINDS: Mapping[str, PersonKind] = {str(kind): kind for kind in get_args(PersonKind)}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LEAST = 3  # characters of a wildcard besides its `*` and `?`: with fewer it would be everybody
_SHOWN = 20  # problems of one file that are told
_FOREVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def read(config: Config, session: boto3.Session | None, now: datetime) -> Directory:
    """Everything `[identities]` names. `session`: credentials to ask AWS with; None: there are none.

    Raises `ConfigError` for the file. What AWS does not answer is among `unread`.
    """
    asked = config.identities
    people, accounts = read_file(config.path(asked.file)) if asked.file else ((), ())
    unread: list[str] = []
    told: list[Person] = []
    listed: list[KnownAccount] = []
    if (asked.identity_center or asked.organizations) and session is None:
        unread.append("[identities]: no credentials to ask AWS with")
    elif session is not None:
        with _noted("[identities]", unread):
            client = _clients(asked.role_arn, asked.region, session)
            told = _identity_center(client, asked.identity_center, unread) if asked.identity_center else []
            listed = _organizations(client, unread) if asked.organizations else []
    return Directory(
        people=_together(people, told, now),
        accounts={one.id: one for one in (*listed, *accounts)},
        unread=tuple(unread),
    )


# --- the file ------------------------------------------------------------------------------------------------


def read_file(path: Path) -> tuple[tuple[Person, ...], tuple[KnownAccount, ...]]:
    """The people and accounts of an identity map, in the file's order. Raises `ConfigError` with all its mistakes."""
    try:
        return _parsed(path, document.text(path))
    except DocumentError as error:
        raise ConfigError(str(error)) from None


@functools.lru_cache(maxsize=1)  # a watching process reads it in every scan, and a large one takes seconds
def _parsed(path: Path, text: str) -> tuple[tuple[Person, ...], tuple[KnownAccount, ...]]:
    """Raises `DocumentError` for what is no YAML, `ConfigError` for the rest."""
    value = document.parse(text, path)
    reader = Reader(path)
    fields = reader.fields(value, "the identity map", ("people", "accounts")) if value.data is not None else {}
    people = [(one, _person(one, reader)) for one in reader.items(fields.get("people"), "people")]
    accounts = [(one, _account(one, reader)) for one in reader.items(fields.get("accounts"), "accounts")]
    _claimed_twice(people, "user", lambda one: (one.id, *one.users), reader)
    _claimed_twice(people, "principal", lambda one: one.principals, reader)
    lines: dict[str, int] = {}
    for place, account in accounts:
        if account.id in lines:
            reader.wrong(place, f"account {account.id} stands on line {lines[account.id]} as well")
        lines.setdefault(account.id, place.line)
    if reader.problems:
        found = list(dict.fromkeys(str(one) for one in sorted(reader.problems, key=lambda one: one.line)))
        more = [f"{path}: and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise ConfigError("\n".join(found[:_SHOWN] + more))
    return tuple(one for _, one in people), tuple(one for _, one in accounts)


def _person(value: Value, reader: Reader) -> Person:
    fields = reader.fields(value, "a person", PERSON)
    said = {name: clean(reader.text(fields.get(name), name)) for name in ("id", "name", "team", "sponsor")}
    lists = {name: reader.texts(fields.get(name), name) for name in ("principals", "groups", "users")}
    kind = KINDS.get(reader.text(fields.get("kind"), "kind") or "employee")
    if not said["id"]:
        reader.wrong(value, "a person needs an id, for example id: dana")
    if kind is None:
        reader.wrong(fields["kind"], f"'kind' must be {', '.join(KINDS)}, not {fields['kind'].shape}")
    elif kind in ("contractor", "service") and not said["sponsor"]:
        reader.wrong(value, f"a {kind} needs a sponsor: who answers for {said['id'] or 'it'}")
    for principal in lists["principals"]:
        if is_wild(principal) and len(re.sub(r"[*?]", "", principal)) < _LEAST:
            reader.wrong(fields["principals"], f"'{principal}' would be everybody; write more of the name")
    start = _moment(fields.get("valid_from"), "valid_from", time.min, reader)
    end = _moment(fields.get("valid_until"), "valid_until", time.max, reader)
    if start and end and end < start:
        reader.wrong(fields["valid_until"], "'valid_until' must not be before 'valid_from'")
    return Person(
        said["id"],
        said["name"],
        kind or "employee",
        lists["principals"],
        lists["groups"],
        said["team"],
        said["sponsor"],
        start,
        end,
        lists["users"],
        f"{reader.file.name}:{value.line}",
    )


def _moment(value: Value | None, name: str, of_day: time, reader: Reader) -> datetime | None:
    """A day in UTC, its first or its last moment; or a time with its zone."""
    written = reader.text(value, name)
    if value is None or not _DAY.fullmatch(written):
        return reader.time(value, name)
    try:
        return datetime.combine(date.fromisoformat(written), of_day, UTC)
    except ValueError:
        reader.wrong(value, f"'{name}': there is no {written}")
        return None


def _account(value: Value, reader: Reader) -> KnownAccount:
    fields = reader.fields(value, "an account", ACCOUNT)
    said = {name: clean(reader.text(fields.get(name), name)) for name in ACCOUNT}
    if not re.fullmatch(r"[0-9]{12}", said["id"]):
        reader.wrong(fields.get("id", value), "an account needs an id of 12 digits")
    return KnownAccount(**said, source=f"{reader.file.name}:{value.line}")


def _claimed_twice(
    people: Sequence[tuple[Value, Person]], what: str, names: Callable[[Person], Iterable[str]], reader: Reader
) -> None:
    """Notes names that two entries have at one time: names are reused when people leave, never before."""
    claims: dict[str, list[tuple[datetime, datetime, Value, str]]] = defaultdict(list)
    for value, person in people:
        start, end = person.valid_from or _FOREVER[0], person.valid_until or _FOREVER[1]
        for name in {folded(one): one for one in names(person) if one}.values():
            claims[folded(name)].append((start, end, value, name))
    for entries in claims.values():
        entries.sort(key=lambda one: (one[0], one[1], one[2].line))
        _, latest, before, _ = entries[0]
        for start, end, value, name in entries[1:]:
            if start <= latest:
                first, second = sorted((before, value), key=lambda one: one.line)
                said = f"{what} '{name}' is on line {first.line} as well, at the same time; let one end first"
                reader.wrong(second, said)
            if end > latest:
                latest, before = end, value


# --- AWS -----------------------------------------------------------------------------------------------------

_Client = Callable[[str], Any]
"""A boto3 client for a service; there are no stubs for these three."""


@contextlib.contextmanager
def _noted(what: str, unread: list[str]) -> Iterator[None]:
    """Whatever AWS refuses inside becomes a reason; what was read until then stays."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        unread.append(f"{what}: {clean(error)}")


def _clients(role_arn: str, region: str, session: boto3.Session) -> _Client:
    """Raises botocore's errors where the role cannot be assumed."""
    # Imported here: who is asked for a person of the file needs nothing of it, and it is a third of what that takes.
    import boto3
    from botocore.config import Config as ClientConfig

    patient = ClientConfig(retries={"mode": "standard", "total_max_attempts": 10}, connect_timeout=10, read_timeout=30)
    if role_arn:
        asked = {"RoleArn": role_arn, "RoleSessionName": "driftwarden"}
        issued = session.client("sts", config=patient).assume_role(**asked)["Credentials"]
        keys = (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
        session = boto3.Session(*keys, region_name=session.region_name)
    make: Any = session.client
    return lambda service: make(service, region_name=region or None, config=patient)


def _pages(client: Any, operation: str, field: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
    """The items of all pages. Raises botocore's errors; a token that comes again is one."""
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page.get(field) or ()


def _identity_center(client: _Client, store: str, unread: list[str]) -> list[Person]:
    """Everybody in the identity store, or with `auto` in that of the only instance there is."""
    if store == "auto":
        found: list[str] = []
        with _noted(f"{IDENTITY_CENTER}(auto)", unread):
            instances = _pages(client("sso-admin"), "list_instances", "Instances")
            found = [str(one.get("IdentityStoreId", "")) for one in instances]
            if len(found) != 1:
                why = f"{len(found)} instances are seen; name the identity store, for example d-1234567890"
                unread.append(f"{IDENTITY_CENTER}(auto): {why}")
        if len(found) != 1:
            return []
        store = clean(found[0])
    source, asks = f"{IDENTITY_CENTER}{store}", client("identitystore")
    users: dict[str, Person] = {}
    groups: dict[str, list[str]] = defaultdict(list)
    with _noted(f"{source}: people", unread):
        for user in _pages(asks, "list_users", "Users", IdentityStoreId=store):
            users |= _user(user, source)
    with _noted(f"{source}: groups", unread):
        for group, member in _memberships(asks, store):
            groups[member].append(group)
    return [replace(person, groups=tuple(sorted(groups.get(number, ())))) for number, person in users.items()]


def _user(user: Mapping[str, Any], source: str) -> dict[str, Person]:
    """UserId → entry; nothing for a user without a name."""
    name, number = user.get("UserName"), user.get("UserId")
    if not (isinstance(name, str) and name and isinstance(number, str)):
        return {}
    mails = (one.get("Value") for one in user.get("Emails") or () if isinstance(one, dict))
    names = tuple(dict.fromkeys((name, *(mail for mail in mails if isinstance(mail, str) and mail))))
    called = clean(user.get("DisplayName") or "")
    return {number: Person(clean(name), called, principals=(*names, number), users=names, source=source)}


def _memberships(asks: Any, store: str) -> Iterator[tuple[str, str]]:
    """(Group's name, UserId), group by group."""
    for group in list(_pages(asks, "list_groups", "Groups", IdentityStoreId=store)):
        asked = {"IdentityStoreId": store, "GroupId": str(group.get("GroupId", ""))}
        name = clean(group.get("DisplayName") or asked["GroupId"])
        for one in _pages(asks, "list_group_memberships", "GroupMemberships", **asked):
            yield name, str((one.get("MemberId") or {}).get("UserId", ""))


def _organizations(client: _Client, unread: list[str]) -> list[KnownAccount]:
    found: list[KnownAccount] = []
    with _noted("Organizations: accounts", unread):
        for one in _pages(client("organizations"), "list_accounts", "Accounts"):
            name, email = (clean(one.get(field) or "") for field in ("Name", "Email"))
            found.append(KnownAccount(str(one.get("Id", "")), name, email, "Organizations"))
    return found


# --- both ----------------------------------------------------------------------------------------------------


def _together(people: Sequence[Person], told: Sequence[Person], now: datetime) -> tuple[Person, ...]:
    """Entries of the file, with what only AWS knows of them, then those of AWS that the file does not speak of.

    A user of AWS that the file knows under any name is its entry: the one valid now, else the latest. So whoever left
    stays gone, however long their user is kept.
    """
    claimed: dict[str, list[int]] = defaultdict(list)
    for number, person in enumerate(people):
        for name in person.principals:
            if not is_wild(name):
                claimed[folded(name)].append(number)
    merged, rest = list(people), list[Person]()
    for user in told:
        numbers = sorted({number for name in user.principals for number in claimed.get(folded(name), ())})
        if not numbers:
            rest.append(user)
            continue
        number = max(numbers, key=lambda one: (is_valid(people[one], now), people[one].valid_until or _FOREVER[1], one))
        free = tuple(name for name in user.principals if not claimed.get(folded(name)))
        merged[number] = _filled(merged[number], user, free)
    return (*merged, *rest)


def _filled(person: Person, user: Person, names: tuple[str, ...]) -> Person:
    """The file's entry with AWS's names, and with what it leaves empty itself."""
    return replace(
        person,
        name=person.name or user.name,
        principals=(*person.principals, *names),
        groups=person.groups or user.groups,
        users=tuple(dict.fromkeys((*person.users, *user.users))),
    )

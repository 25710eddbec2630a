"""A Jira issue's history, rebuilt from its change log; pure.

Hides in which forms Jira writes the same value: as JSON in an issue, as two strings in a change log, by account id,
user name or user key. Both become one text, so that the log can be walked backwards and gaps in it show. Shapes:
https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/ (`ChangeDetails`, `IssueBean`) and
https://developer.atlassian.com/server/jira/platform/rest/ for Data Center, whose log names no field ids.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from agent.clean import clean
from agent.model import Ticket, TicketScope
from agent.tickets.history import Edit, Step, rewound, tickets
from agent.tickets.terms import KINDS, LISTS, MAX_ITEM, MAX_ITEMS, Terms, block, fingerprint, terms_in, together

Approvals = Literal["field", "service-desk", "transition"]

TIMES, USERS, TEXTS = ("start", "end"), ("implementer",), ("kind", "plan")
TERMS = (*TIMES, *USERS, *TEXTS, "groups", *LISTS, "description")
"""Our names for what an approval is given for."""
BAD = "\x00"
"""Begins a text that stands for a value we could not read; no value of Jira's begins so."""


class User(msgspec.Struct):
    """A user: Cloud has `accountId` and `accountType` (atlassian, app, customer), Data Center `name` and `key`."""

    accountId: str | None = None  # noqa: N815 - Jira's names
    accountType: str | None = None  # noqa: N815 - Jira's names
    name: str | None = None
    key: str | None = None

    @property
    def id(self) -> str:
        """How the user is called here: what nobody chooses for themselves, where there is such a thing."""
        return self.accountId or self.name or self.key or ""

    @property
    def is_app(self) -> bool:
        """Whether no person stands behind it: an automation rule, an app."""
        return self.accountType == "app"


class Item(msgspec.Struct, rename={"raw_from": "from", "raw_to": "to"}):
    """One field of one entry of the change log."""

    field: str = ""
    fieldId: str | None = None  # noqa: N815 - Jira's names
    raw_from: str | None = None
    fromString: str | None = None  # noqa: N815 - Jira's names
    raw_to: str | None = None
    toString: str | None = None  # noqa: N815 - Jira's names


class Entry(msgspec.Struct):
    """One entry of the change log. Cloud's bulk answer has the time in milliseconds, all others as text."""

    created: str | int
    items: list[Item] = []
    author: User | None = None

    @property
    def at(self) -> datetime:
        """When. Raises ValueError."""
        return moment(self.created)


class When(msgspec.Struct):
    """A time as the service desk writes it."""

    epochMillis: int  # noqa: N815 - Jira's names


class Decision(msgspec.Struct):
    """What one approver of a service desk's approval decided: approved, declined, pending."""

    approver: User | None = None
    approverDecision: str = ""  # noqa: N815 - Jira's names


class Approval(msgspec.Struct):
    """An approval of a request: https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/"""

    approvers: list[Decision] = []
    completedDate: When | None = None  # noqa: N815 - Jira's names


class Entries(msgspec.Struct):
    """The change log inside an issue, as Data Center gives it; it may hold less than there is."""

    histories: list[Entry]
    total: int


class Issue(msgspec.Struct):
    """An issue with the fields that were asked for."""

    id: str
    key: str
    fields: dict[str, Any]
    changelog: Entries | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a site's change tickets are read."""

    fields: Mapping[str, str]
    """Our name → id of the field that holds it, for what has one; the rest stands in the description's block."""
    approvals: Approvals
    approved: frozenset[str]
    """Folded names of the states that a person approves by moving an issue into, where `approvals` is `transition`."""
    names: Mapping[str, str]
    """Id → name of each field, for a log that has only names."""

    def ours(self, item: Item) -> str:
        """Our name of a changed field; empty for one that is none of our business."""
        if item.field in ("status", "description") or item.fieldId in ("status", "description"):
            return item.fieldId or item.field
        for ours, field in self.fields.items():
            if (item.fieldId == field) if item.fieldId else (item.field in (field, self.names.get(field))):
                return ours
        return ""


@dataclass(frozen=True, slots=True)
class Log:
    """The change log of an issue, and what its service desk says of approvals."""

    entries: Sequence[Entry]
    cut: str = ""
    """Why it is not whole."""
    approvals: Sequence[Approval] = ()


def read(issue: Issue, log: Log, reading: Reading, url: str) -> list[Ticket]:
    """The ticket once for each set of terms it had since somebody first agreed to it. Raises ValueError.

    An approval is, as configured, somebody adding *themselves* to the approvers, moving the issue into an approved
    state, or deciding in the service desk; a program is nobody, whichever account it uses.
    """
    entries = sorted(log.entries, key=lambda entry: entry.at)
    known = _known(issue, entries)
    edits = [_edit(entry, reading, known) for entry in entries]
    present = {
        **{name: _present(name, issue.fields.get(field)) for name, field in reading.fields.items()},
        "description": _block(issue.fields.get("description") or ""),
        "status": str(_inside(issue.fields.get("status"), "id")),
    }
    values, missing = rewound(present, edits)
    states = _states(issue, entries)
    steps = [Step(moment(issue.fields.get("created")), states.get(values[0]["status"], ""), _terms(values[0]))]
    for entry, edit, after in zip(entries, edits, values[1:], strict=True):
        steps.append(_step(entry, edit, after, reading))
    if reading.approvals == "service-desk":
        steps += [_decided(one) for one in log.approvals if one.completedDate]
    return tickets(_heading(issue, url, "; ".join(filter(None, (log.cut, missing)))), steps)


def moment(value: object) -> datetime:
    """A time of Jira's in UTC: `2026-03-01T10:00:00.000+0000`, or milliseconds. Raises ValueError."""
    if isinstance(value, int):
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{value} is no time") from error
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"'{clean(value, 40)}' has no time zone")
    return at.astimezone(UTC)


def user_of(value: object) -> User:
    """The user in a field; one without a name for anything else."""
    try:
        return msgspec.convert(value, User) if isinstance(value, dict) else User()
    except msgspec.ValidationError:
        return User()


def _heading(issue: Issue, url: str, incomplete: str) -> Ticket:
    creator = user_of(issue.fields.get("creator"))
    # Whom an issue is reported by can be edited, who created it cannot; an automation creates for its reporter.
    requester = user_of(issue.fields.get("reporter")) if creator.is_app or not creator.id else creator
    title = clean(issue.fields.get("summary") or "")
    return Ticket(issue.key, "jira", title=title, url=url, requester=clean(requester.id), incomplete=incomplete)


def _known(issue: Issue, entries: Sequence[Entry]) -> dict[str, str]:
    """User key → user name, of all users that are mentioned: Data Center's log has either."""
    values = [one for value in issue.fields.values() for one in (value if isinstance(value, list) else [value])]
    users = [*map(user_of, values), *(entry.author for entry in entries if entry.author)]
    return {user.key: user.id for user in users if user.key}


def _states(issue: Issue, entries: Sequence[Entry]) -> dict[str, str]:
    """Id → name of every status the issue was in; a status may have been renamed since."""
    found: dict[str, str] = {}
    status = issue.fields.get("status")
    found[str(_inside(status, "id"))] = str(_inside(status, "name"))
    for entry in reversed(entries):
        for item in entry.items:
            if item.field == "status":
                found[item.raw_to or ""] = item.toString or ""
                found[item.raw_from or ""] = item.fromString or ""
    return found


def _step(entry: Entry, edit: Edit, after: Mapping[str, str], reading: Reading) -> Step:
    state = next((item.toString or "" for item in entry.items if item.field == "status"), None)
    person = "" if entry.author is None or entry.author.is_app else edit.by
    given: set[str] = set()
    taken: set[str] = set()
    if reading.approvals == "field" and "approvers" in edit.after:
        was, now = (set(filter(None, side.get("approvers", "").split(","))) for side in (edit.before, edit.after))
        given, taken = {person} & (now - was), was - now
    elif reading.approvals == "transition" and state is not None and state.casefold() in reading.approved:
        given = {person}
    terms = _terms(after) if edit.after.keys() & set(TERMS) else None
    return Step(edit.at, state, terms, frozenset(given - {""}), frozenset(taken))


def _decided(approval: Approval) -> Step:
    """Jira keeps no time for one approver's decision: it counts from when the approval was complete."""
    yes = {
        one.approver.id
        for one in approval.approvers
        if one.approverDecision == "approved" and one.approver and not one.approver.is_app
    }
    return Step(moment(approval.completedDate.epochMillis if approval.completedDate else None), approved=frozenset(yes))


def _edit(entry: Entry, reading: Reading, known: Mapping[str, str]) -> Edit:
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for item in entry.items:
        if name := reading.ours(item):
            # An entry may hold several items of one field: from the first to the last.
            before.setdefault(name, _past(name, item.raw_from, item.fromString, known))
            after[name] = _past(name, item.raw_to, item.toString, known)
    return Edit(entry.at, entry.author.id if entry.author else "", before, after)


def _present(name: str, value: Any) -> str:
    """A field of an issue as one text."""
    if value is None:
        return ""
    if name in TIMES:
        return _time(str(value))
    if name in USERS:
        return user_of(value).id
    if name == "approvers":
        return ",".join(sorted(user_of(one).id for one in (value if isinstance(value, list) else [value])))
    values = value if isinstance(value, list) else [value]
    return _items(name, "\n".join(str(_inside(one, "value") or _inside(one, "name") or one) for one in values))


def _past(name: str, raw: str | None, shown: str | None, known: Mapping[str, str]) -> str:
    """A value of the change log as the same text."""
    if name == "status":
        return raw or ""
    if name == "description":
        return _block(shown or "")
    if name in TIMES:
        return _time(raw or shown or "")
    if name in USERS:
        return next(iter(_users(raw or "", known)), "")
    if name == "approvers":
        return ",".join(sorted(_users(raw or shown or "", known)))
    return _items(name, shown or "")


def _users(raw: str, known: Mapping[str, str]) -> list[str]:
    """Users of a log's value: `5b10…`, `[5b10…, 5b11…]`, `[dana(JIRAUSER10100), lee]`."""
    found = []
    for part in raw.strip("[] ").split(","):
        name, _, key = part.strip().removesuffix(")").partition("(")
        if name:
            found.append(known.get(key) or known.get(name) or name)
    return found


def _items(name: str, text: str) -> str:
    """A text field; a list one to a line, whatever people put between its items."""
    # Cloud's log escapes what would be markup, and an issue's field does not: `module.orders.\*`.
    plain = re.sub(r"\\([^\w\s])", r"\1", text)
    if name in TEXTS:
        return plain.strip()
    return "\n".join(filter(None, (item.strip() for item in re.split(r"[,\n\r]", plain))))


def _time(text: str) -> str:
    if not text:
        return ""
    try:
        return moment(text).replace(microsecond=0).isoformat()
    except ValueError:
        return f"{BAD}'{clean(text, 40)}' is no time with its zone"


def _block(text: object) -> str:
    lines, problem = block(str(text))
    return f"{BAD}{problem}" if problem else lines


def _inside(value: object, name: str) -> object:
    return (value.get(name) if isinstance(value, dict) else None) or ""


def _terms(values: Mapping[str, str]) -> Terms:
    """The terms that these values state: fields first, then the description's block."""
    problems = [f"{name}: {value[1:]}" for name, value in values.items() if value.startswith(BAD)]
    said = {name: "" if value.startswith(BAD) else value for name, value in values.items()}
    plan = None
    try:
        plan = fingerprint(said["plan"]) if said.get("plan") else None
    except ValueError as error:
        problems.append(str(error))
    start, end = (datetime.fromisoformat(said[name]) if said.get(name) else None for name in TIMES)
    lists = {name: tuple(said.get(name, "").splitlines()) for name in (*LISTS, "groups")}
    if any(clean(item, MAX_ITEM) != item for items in lists.values() for item in items):
        problems.append("its scope holds characters that cannot be seen, or is too long")
    if sum(map(len, lists.values())) > MAX_ITEMS:
        problems.append(f"its scope has more than {MAX_ITEMS} items")
        lists = dict.fromkeys(lists, ())
    fields = Terms(
        KINDS.get(said.get("kind", "").casefold(), "normal") if said.get("kind") else None,
        said.get("implementer", ""),
        TicketScope(**{name: lists[name] for name in LISTS}),
        start,
        end,
        plan,
        lists["groups"],
        "; ".join(problems[:3]),
    )
    return together(fields, terms_in(said["description"]))

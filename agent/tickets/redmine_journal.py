"""A Redmine issue and its journals → the change ticket, once for each set of terms it had; pure.

Hides where each term stands (custom fields, the assignee, a block in the description), that a field of several values
is kept value by value, and rebuilding old values from the journals.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent.clean import clean
from agent.model import Ticket, TicketScope
from agent.tickets import history
from agent.tickets.history import Edit, Step, rewound
from agent.tickets.terms import KINDS, LISTS, MAX_ITEM, MAX_ITEMS, Terms, fingerprint, terms_of, together

FIELDS: Mapping[str, str] = {
    "kind": "Kind",
    "implementer": "Implementer",
    "approved_by": "Approved by",
    "start": "Planned start",
    "end": "Planned end",
    "plan": "Plan",
    "groups": "Groups",
    **{name: name.capitalize() for name in LISTS},
}
"""What a ticket says → the custom field it is looked for in."""
STATUS, PROJECT, TRACKER, AUTHOR = "attr:status_id", "attr:project_id", "attr:tracker_id", "attr:author_id"
ASSIGNEE, DESCRIPTION = "attr:assigned_to_id", "attr:description"


class Named(msgspec.Struct):
    """Something with a number and a name. The name of a user is for show: everybody may change their own."""

    id: int
    name: str = ""


class Field(msgspec.Struct):
    """A custom field's value, as far as our user may see the field."""

    id: int
    name: str
    value: Any = None
    multiple: bool = False


class Detail(msgspec.Struct):
    """One value that a journal changed: of `attr`, of `cf`, or of something that is no matter of ours."""

    property: str
    name: str
    old_value: str | None = None
    new_value: str | None = None


class Journal(msgspec.Struct):
    """What somebody did, or wrote, at one time."""

    id: int
    created_on: datetime
    user: Named | None = None
    notes: str | None = None
    details: list[Detail] = []
    updated_on: datetime | None = None
    """When its note was last written; None: the site does not show it, as Redmine 5.0 does not."""
    updated_by: Named | None = None
    """Who rewrote its note, where the site shows it; None is no proof that nobody did."""

    @property
    def rewritten(self) -> bool | None:
        """Whether the note is other than as `user` first wrote it; None: the site shows nothing of it."""
        # Times are shown in seconds: a rewrite within the second of the note has only its `updated_by`.
        if self.updated_by and (self.user is None or self.updated_by.id != self.user.id):
            return True
        return None if self.updated_on is None else self.updated_on != self.created_on


class Issue(msgspec.Struct):
    """An issue; https://www.redmine.org/projects/redmine/wiki/Rest_Issues, and the answers of Redmine 5.0."""

    id: int
    project: Named
    tracker: Named
    status: Named
    created_on: datetime
    updated_on: datetime
    author: Named | None = None
    assigned_to: Named | None = None
    subject: str = ""
    description: str | None = None
    custom_fields: list[Field] = []
    journals: list[Journal] = []
    allowed_statuses: list[Named] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the change tickets of a site are read."""

    fields: Mapping[str, str]
    """As `FIELDS`; a name, or the number of the field."""
    required: frozenset[str]
    """Which of them the configuration names: one that cannot be seen is hidden from us, not empty."""
    approving: frozenset[str]
    """Statuses, in lower case, that whoever moves a ticket into one approves with; empty: the field `approved_by`."""
    project: int
    tracker: int
    statuses: Mapping[int, str]


class Past:
    """An issue's values over time. Raises ValueError for values in a form we do not know."""

    def __init__(self, issue: Issue, reading: Reading) -> None:
        self.issue = issue
        self.reading = reading
        self._keys = _keys(issue, reading)
        several = {f"cf:{field.id}" for field in issue.custom_fields if field.multiple}
        # Every field that may hold several values is kept as its values in order, one to a line.
        present = _present(issue)
        edits = [_edit(journal, held) for journal, held in _held(issue, present, several)]
        self.values, self._problem = rewound(present, edits)

    @property
    def author(self) -> str:
        """Number of the user who created it, whoever is called its author by now."""
        return self.values[0][AUTHOR]

    @property
    def people(self) -> frozenset[int]:
        """Numbers of the users whose names matter."""
        found = {self.author}
        for values in self.values:
            found.add(values.get(self._keys.get("implementer", ""), "") or values[ASSIGNEE])
            found |= self._approvers(values)
        steps = zip(self.issue.journals, self.values[:-1], self.values[1:], strict=True)
        found |= {str(one.user.id) for one, was, now in steps if one.user and self._moved_into_approval(was, now)}
        return frozenset(int(item) for item in found if re.fullmatch(r"[0-9]{1,10}", item))

    def window(self) -> tuple[datetime | None, datetime | None]:
        """The window that is planned now; open where none is planned, or what is written is no time."""
        terms = self._terms(self.values[-1], {})
        return terms.start, terms.end

    def tickets(self, ref: str, system: str, url: str, logins: Mapping[int, str]) -> list[Ticket]:
        """The ticket for each set of terms, oldest first. `logins` has the `people` who could be named."""
        unnamed = sorted(self.people - logins.keys())
        hidden = sorted(self.reading.required - self._keys.keys())
        problems = (
            self._problem,
            f"users {', '.join(map(str, unnamed))} cannot be named: locked, or hidden from us" if unnamed else "",
            f"no field '{clean(self.reading.fields[hidden[0]], 60)}' can be seen in it" if hidden else "",
        )
        heading = Ticket(
            ref,
            system,
            title=clean(self.issue.subject),
            url=url,
            requester=_user(self.author, logins),
            incomplete="; ".join(filter(None, problems)),
        )
        return history.tickets(heading, self._steps(logins))

    def _steps(self, logins: Mapping[int, str]) -> list[Step]:
        began = self.values[0]
        created = Step(self.issue.created_on, self._state(began), self._terms(began, logins))
        steps = [replace(created, approved=self._given({}, began, began[AUTHOR], logins))]
        for journal, was, now in zip(self.issue.journals, self.values[:-1], self.values[1:], strict=True):
            by = str(journal.user.id) if journal.user else ""
            steps.append(
                Step(
                    journal.created_on,
                    self._state(now) if now[STATUS] != was[STATUS] else None,
                    self._terms(now, logins),
                    self._given(was, now, by, logins),
                    frozenset(_user(item, logins) for item in self._approvers(was) - self._approvers(now)),
                )
            )
        return steps

    def _state(self, values: Mapping[str, str]) -> str:
        number = values[STATUS]
        return self.reading.statuses.get(int(number), f"status {number}") if number.isdigit() else number

    def _approvers(self, values: Mapping[str, str]) -> set[str]:
        """Numbers of the users in the field of approvals, where that is what counts."""
        if self.reading.approving or "approved_by" not in self._keys:
            return set()
        return set(filter(None, values.get(self._keys["approved_by"], "").split("\n")))

    def _given(
        self, was: Mapping[str, str], now: Mapping[str, str], by: str, logins: Mapping[int, str]
    ) -> frozenset[str]:
        """Whose approval a step gives: theirs who entered themselves, or who moved the ticket into such a status."""
        entered = by in self._approvers(now) - self._approvers(was)
        return (
            frozenset((_user(by, logins),)) if by and (entered or self._moved_into_approval(was, now)) else frozenset()
        )

    def _moved_into_approval(self, was: Mapping[str, str], now: Mapping[str, str]) -> bool:
        return was.get(STATUS) != now[STATUS] and self._state(now).lower() in self.reading.approving

    def _terms(self, values: Mapping[str, str], logins: Mapping[int, str]) -> Terms:
        if (values[PROJECT], values[TRACKER]) != (str(self.reading.project), str(self.reading.tracker)):
            return Terms(problem="it was no change ticket then: in another project, or of another tracker")
        said = {name: values.get(key, "") for name, key in self._keys.items()}
        written = terms_of(values[DESCRIPTION])
        problems: list[str] = []
        start, end = (_time(self.reading.fields[name], said.get(name, ""), problems) for name in ("start", "end"))
        plan = None
        if said.get("plan"):
            try:
                plan = fingerprint(said["plan"].strip())
            except ValueError as error:
                problems.append(str(error))
        kind = said.get("kind", "").strip().lower()
        scope = {name: _listed(name, said.get(name, ""), problems) for name in LISTS}
        if sum(map(len, scope.values())) > MAX_ITEMS:
            problems.append(f"more than {MAX_ITEMS} items")
        implementer = said.get("implementer", "") or ("" if written.implementer else values[ASSIGNEE])
        fields = Terms(
            KINDS.get(kind, "normal") if kind else None,
            _user(implementer, logins),
            TicketScope(**scope),
            start,
            end,
            plan,
            _listed("groups", said.get("groups", ""), problems),
            problems[0] if problems else "",
        )
        return together(fields, written)


def _keys(issue: Issue, reading: Reading) -> dict[str, str]:
    """What a ticket says → the key of the field it says it in, of the fields that can be seen."""
    known = {str(field.id): f"cf:{field.id}" for field in issue.custom_fields}
    known |= {field.name: f"cf:{field.id}" for field in issue.custom_fields}
    return {name: known[field] for name, field in reading.fields.items() if field in known}


def _present(issue: Issue) -> dict[str, str]:
    values = {
        STATUS: str(issue.status.id),
        PROJECT: str(issue.project.id),
        TRACKER: str(issue.tracker.id),
        AUTHOR: str(issue.author.id) if issue.author else "",
        ASSIGNEE: str(issue.assigned_to.id) if issue.assigned_to else "",
        DESCRIPTION: issue.description or "",
    }
    for field in issue.custom_fields:
        items = field.value if isinstance(field.value, list) else [field.value]
        if field.multiple:
            values[f"cf:{field.id}"] = "\n".join(sorted(str(item) for item in items if item not in (None, "")))
        else:
            values[f"cf:{field.id}"] = "" if field.value is None else str(field.value)
    return values


def _held(
    issue: Issue, present: Mapping[str, str], several: Iterable[str]
) -> Sequence[tuple[Journal, Mapping[str, tuple[str, str]]]]:
    """Each journal, oldest first, with what it made of fields of several values: (before, after)."""
    holds = {key: set(filter(None, present[key].split("\n"))) for key in several}
    found = []
    for journal in reversed(issue.journals):
        after = {key: set(items) for key, items in holds.items()}
        touched = set()
        for detail in journal.details:
            key = f"{detail.property}:{detail.name}"
            if key in holds:
                touched.add(key)
                if detail.new_value:
                    # Gone although nobody took it away: `after` then differs from what the next entry found.
                    after[key].add(detail.new_value)
                    holds[key].discard(detail.new_value)
                if detail.old_value:
                    after[key].discard(detail.old_value)
                    holds[key].add(detail.old_value)
        found.append(
            (journal, {key: ("\n".join(sorted(holds[key])), "\n".join(sorted(after[key]))) for key in touched})
        )
    return found[::-1]


def _edit(journal: Journal, held: Mapping[str, tuple[str, str]]) -> Edit:
    before = {key: was for key, (was, _) in held.items()}
    after = {key: became for key, (_, became) in held.items()}
    for detail in journal.details:
        key = f"{detail.property}:{detail.name}"
        if key not in held:
            before[key], after[key] = detail.old_value or "", detail.new_value or ""
    return Edit(journal.created_on, str(journal.user.id) if journal.user else "", before, after)


def _user(value: str, logins: Mapping[int, str]) -> str:
    """The login behind a user's number. Text that is none, as a field for a name holds it, stays."""
    return logins.get(int(value), f"user {value}") if re.fullmatch(r"[0-9]{1,10}", value) else value.strip()


def _listed(name: str, text: str, problems: list[str]) -> tuple[str, ...]:
    """The wildcards of a field, one to a line."""
    items = tuple(filter(None, map(str.strip, re.split(r"[\r\n]+", text))))
    for item in items:
        if clean(item, MAX_ITEM) != item:
            problems.append(f"'{name}' holds what cannot be seen, or is too long: {clean(item, 80)}")
        elif name == "tags" and "=" not in item:
            problems.append(f"an item of 'tags' is Name=value, not '{clean(item, 40)}'")
    return items


def _time(name: str, text: str, problems: list[str]) -> datetime | None:
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        problems.append(f"'{name}' is a time such as 2026-03-01T10:00Z, not '{clean(text, 40)}'")
    else:
        problems.append(f"'{name}' has no time zone; write Z for UTC, or its offset")
    return None

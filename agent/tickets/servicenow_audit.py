"""A ServiceNow change request's history, rebuilt from its audit records, approvals and configuration items; pure.

Hides that states and references are kept as numbers and ids, and who may be believed to have approved. Tables and
fields: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
(rows with `sysparm_display_value=all`), `change_request`, `sysapproval_approver`, `task_ci` and `sys_audit`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from agent.clean import clean
from agent.model import Ticket, TicketScope
from agent.tickets.history import Edit, Step, rewound, tickets
from agent.tickets.terms import KINDS, LISTS, MAX_ITEM, MAX_ITEMS, Terms, block, fingerprint, terms_in, together

Row = Mapping[str, Any]
"""Field → `{"value", "display_value"}`; an empty reference is an empty text."""

BAD = "\x00"
"""Begins a text that stands for a value we could not read."""
CI = "ci "
"""Begins our name for one affected configuration item; its id follows."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How an instance's change requests are read."""

    fields: Mapping[str, str]
    """Our name → field of the table."""
    states: Mapping[str, str]
    """Value of a state → its label."""
    first: str
    """Value of the state a change request begins in."""
    users: Mapping[str, str]
    """Id of a user → user name."""
    items: Mapping[str, str]
    """Id of a configuration item → its name."""
    delegates: bool
    """Whether who approves in another's place counts, as themselves."""
    programs: frozenset[str]
    """User names that no person stands behind."""


@dataclass(frozen=True, slots=True)
class Records:
    """What an instance keeps about one change request besides itself."""

    audit: Sequence[Row] = ()
    """Of the change request."""
    approvals: Sequence[Row] = ()
    approval_audit: Sequence[Row] = ()
    """Of the approvals."""
    items: Sequence[Row] = ()
    """Affected configuration items."""


def value(row: Row, name: str) -> str:
    """A field as it is kept: times in UTC, references as ids."""
    cell = row.get(name)
    found = cell.get("value") if isinstance(cell, Mapping) else cell
    return str(found) if found is not None else ""


def label(row: Row, name: str) -> str:
    """A field as it is shown."""
    cell = row.get(name)
    found = cell.get("display_value") if isinstance(cell, Mapping) else cell
    return str(found) if found is not None else ""


def moment(text: str) -> datetime:
    """`2026-03-01 10:00:00`, UTC. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def read(change: Row, records: Records, reading: Reading, url: str) -> list[Ticket]:
    """The change request once for each set of terms it had since somebody first agreed to it. Raises ValueError.

    An approval counts where the approver wrote it, in person or, if so configured, as somebody's delegate.
    """
    names = {ours: field for ours, field in reading.fields.items() if ours != "requester"}
    present = {ours: _kept(ours, value(change, field)) for ours, field in names.items()}
    present |= {f"{CI}{value(row, 'ci_item')}": label(row, "ci_item.name") for row in records.items}
    edits = _edits(records, names)
    values, problem = rewound(present, edits)
    if not records.audit and value(change, "sys_mod_count") not in ("", "0") and present["state"] != reading.first:
        problem = "its audit records are not shown to us"
    reading = replace(reading, states={**reading.states, present["state"]: label(change, reading.fields["state"])})
    steps = [Step(moment(value(change, "sys_created_on")), _state(values[0], reading), _terms(values[0], reading))]
    for edit, after in zip(edits, values[1:], strict=True):
        state = _state(after, reading) if "state" in edit.after else None
        terms = _terms(after, reading) if edit.after.keys() - {"state"} else None
        steps.append(Step(edit.at, state, terms))
    given, unsure = _approvals(records, reading)
    title = clean(value(change, "short_description"))
    heading = Ticket(
        value(change, "number"),
        "servicenow",
        title=title,
        url=url,
        requester=clean(value(change, reading.fields["requester"])),
        incomplete="; ".join(filter(None, (problem, unsure))),
    )
    return tickets(heading, [*steps, *given])


def _edits(records: Records, names: Mapping[str, str]) -> list[Edit]:
    """Rows of the audit that were written at once are one edit, as is adding a configuration item; oldest first."""
    ours = {field: name for name, field in names.items()}
    at_once: dict[tuple[datetime, int, str], tuple[dict[str, str], dict[str, str]]] = {}
    for row in records.audit:
        if name := ours.get(value(row, "fieldname")):
            count = value(row, "record_checkpoint")
            key = (moment(value(row, "sys_created_on")), int(count) if count.isdecimal() else 0, value(row, "user"))
            before, after = at_once.setdefault(key, ({}, {}))
            before.setdefault(name, _kept(name, value(row, "oldvalue")))
            after[name] = _kept(name, value(row, "newvalue"))
    edits = [Edit(at, by, *sides) for (at, _, by), sides in sorted(at_once.items(), key=lambda one: one[0][:2])]
    for row in records.items:
        name, shown = f"{CI}{value(row, 'ci_item')}", label(row, "ci_item.name")
        edits.append(
            Edit(moment(value(row, "sys_created_on")), value(row, "sys_created_by"), {name: ""}, {name: shown})
        )
    return sorted(edits, key=lambda edit: edit.at)


def _approvals(records: Records, reading: Reading) -> tuple[list[Step], str]:
    """Who approved and took it back, when; and why that cannot be relied on."""
    steps: list[Step] = []
    unsure = ""
    audit: dict[str, list[Row]] = {}
    for row in records.approval_audit:
        if value(row, "fieldname") == "state":
            audit.setdefault(value(row, "documentkey"), []).append(row)
    for approval in records.approvals:
        state, approver = value(approval, "state"), value(approval, "approver.user_name")
        group = label(approval, "group.assignment_group.name")
        rows = sorted(audit.get(value(approval, "sys_id"), ()), key=lambda row: value(row, "sys_created_on"))
        if rows and value(rows[-1], "newvalue") == state:
            steps += _decisions(rows, approver, group, reading)
        elif state == "approved":
            by = value(approval, "sys_updated_by")
            # Without its audit the record tells only who wrote it last, and when: that is no earlier than the approval.
            at = moment(value(approval, "sys_updated_on"))
            steps.append(Step(at, approved=_counted(by, approver, reading), group=group))
            if by != approver:
                unsure = f"the approval of {clean(approver, 40)} was last written by {clean(by, 40)}"
    return steps, unsure


def _decisions(rows: Sequence[Row], approver: str, group: str, reading: Reading) -> list[Step]:
    steps: list[Step] = []
    counted: frozenset[str] = frozenset()
    for row in rows:
        at, by = moment(value(row, "sys_created_on")), value(row, "user")
        if value(row, "newvalue") == "approved":
            counted = _counted(by, approver, reading)
            steps.append(Step(at, approved=counted, group=group))
        elif value(row, "oldvalue") == "approved":
            steps.append(Step(at, withdrawn=counted))
    return steps


def _counted(by: str, approver: str, reading: Reading) -> frozenset[str]:
    """Whose approval it is that `by` wrote into the approval of `approver`; nobody's where it does not count."""
    good = by and by not in reading.programs and (by == approver or reading.delegates)
    return frozenset({by} if good else ())


def _state(values: Mapping[str, str], reading: Reading) -> str:
    return reading.states.get(values["state"], values["state"])


def _kept(name: str, text: str) -> str:
    """A value as it is compared: lists one to a line, a description as its block."""
    if name == "description":
        lines, problem = block(text)
        return f"{BAD}{problem}" if problem else lines
    if name in LISTS or name == "groups":
        return "\n".join(filter(None, (item.strip() for item in text.replace(",", "\n").splitlines())))
    return text.strip()


def _terms(values: Mapping[str, str], reading: Reading) -> Terms:
    """The terms that these values state: fields first, then the description's block."""
    problems = [f"{name}: {text[1:]}" for name, text in values.items() if text.startswith(BAD)]
    said = {name: "" if text.startswith(BAD) else text for name, text in values.items()}
    times: dict[str, datetime | None] = {"start": None, "end": None}
    plan = None
    try:
        plan = fingerprint(said["plan"]) if said.get("plan") else None
        times = {name: moment(said[name]) if said.get(name) else None for name in times}
    except ValueError as error:
        problems.append(clean(error, 200))
    lists = {name: tuple(said.get(name, "").splitlines()) for name in (*LISTS, "groups")}
    affected = {text for name, text in said.items() if name.startswith(CI)}
    if ci := said.get("ci"):
        affected.add(reading.items.get(ci, ci))
    lists["names"] = (*lists["names"], *sorted(affected - {""}))
    if any(clean(item, MAX_ITEM) != item for items in lists.values() for item in items):
        problems.append("its scope holds characters that cannot be seen, or is too long")
    if sum(map(len, lists.values())) > MAX_ITEMS:
        problems.append(f"its scope has more than {MAX_ITEMS} items")
        lists = dict.fromkeys(lists, ())
    implementer = said.get("implementer", "")
    fields = Terms(
        KINDS.get(said.get("kind", "").casefold(), "normal") if said.get("kind") else None,
        reading.users.get(implementer, implementer),
        TicketScope(**{name: lists[name] for name in LISTS}),
        times["start"],
        times["end"],
        plan,
        lists["groups"],
        "; ".join(problems[:3]),
    )
    return together(fields, terms_in(said.get("description", "")))

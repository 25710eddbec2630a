"""ServiceNow over its Table API: change requests, and cases as incidents (https://www.servicenow.com).

Hides encoded queries, pages, where an instance keeps what it knows of a change, and how a case is found again.
`docs/tickets.md` says what an instance needs.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Case, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError
from agent.tickets.http import Site
from agent.tickets.servicenow_audit import Reading, Records, Row, moment, read, value
from agent.tickets.text import body, lines, marker

BATCH = 50
"""Records named in one request, so that its address stays under 4,000 characters."""
PAGE = 1000
MOST_ROWS = 50_000
"""Rows of one question; a change request has some ten audit records."""
TITLE, DESCRIPTION, NOTES = 160, 4000, 30_000
"""Characters that an incident's short description, description and work notes take."""
OURS = "driftwarden"
"""`correlation_display` of every case; its `correlation_id` is the case's key."""

_NUMBER = re.compile(r"[A-Z]{2,10}[0-9]{4,12}")
_Field = Annotated[str, Meta(pattern=r"^[a-z0-9_]*$")]
_Value = Annotated[str, Meta(pattern=r"^-?[A-Za-z0-9_]+$")]


class Fields(Table, frozen=True):
    """Which field of `change_request` holds what; what has none stands in the description's block."""

    state: _Field = "state"
    start: _Field = "start_date"
    end: _Field = "end_date"
    implementer: _Field = "assigned_to"
    requester: Annotated[str, Meta(pattern=r"^[a-z0-9_.]+$")] = "sys_created_by"
    """A user name. Whom a change is requested by (`requested_by.user_name`) can be edited, who created it cannot."""
    kind: _Field = "type"
    ci: _Field = "cmdb_ci"
    plan: _Field = ""
    groups: _Field = ""
    addresses: _Field = ""
    resources: _Field = ""
    types: _Field = ""
    accounts: _Field = ""
    environments: _Field = ""
    tags: _Field = ""
    names: _Field = ""
    attributes: _Field = ""
    actions: _Field = ""


STATES: Mapping[str, str] = {
    "-5": "New",
    "-4": "Assess",
    "-3": "Authorize",
    "-2": "Scheduled",
    "-1": "Implement",
    "0": "Review",
    "3": "Closed",
    "4": "Canceled",
}
"""As ServiceNow delivers them."""


class Settings(Table, frozen=True):
    """A ServiceNow instance."""

    url: str
    user: Annotated[str, Meta(pattern=r"^[^\^\s]+$")]
    """User name we work under: by it we know our own notes again."""
    password: str = ""
    token: Annotated[str, Meta(pattern=r"^[!-~]*$")] = ""
    """OAuth access token of that user, in place of the password."""
    changes: Annotated[str, Meta(pattern=r"^(?!.*\^NQ)")] = ""
    """Encoded query that change requests must match; empty: all that we may read."""
    fields: Fields = Fields()
    states: dict[str, str] = msgspec.field(default_factory=dict)
    """Value → label of states of your own; those that ServiceNow delivers are known."""
    first_state: _Value = "-5"
    delegates: bool = False
    """Whether an approval that somebody gave in the approver's place counts, as theirs."""
    programs: tuple[str, ...] = ("system", "guest")
    """User names that no person stands behind: they approve nothing."""
    case_table: Annotated[str, Meta(pattern=r"^[a-z0-9_]+$")] = "incident"
    closed_state: _Value = "6"
    """State that a case is closed with: 6 is an incident's Resolved."""
    closed_states: tuple[_Value, ...] = ("6", "7", "8")
    """States in which a case is no longer open: Resolved, Closed, Canceled."""
    close_code: str = "Solution provided"
    extra: dict[str, str] = msgspec.field(default_factory=dict)
    """More fields of a new case: `assignment_group`, `category`."""


def open_system(settings: Settings, base: Path) -> "ServiceNow":  # noqa: ARG001 - the contract's
    """The instance of a configuration. Raises `TicketError` for settings that do not go together."""
    return ServiceNow(settings)


class _Rows(msgspec.Struct):
    result: list[dict[str, Any]]


class _Row(msgspec.Struct):
    result: dict[str, Any]


class ServiceNow:
    """One instance, as one of its users."""

    name = "servicenow"

    def __init__(self, settings: Settings, *, timeout: float = 30.0) -> None:
        """`timeout` in seconds. Raises `TicketError` for settings that do not go together."""
        if bool(settings.password) == bool(settings.token):
            raise TicketError("ServiceNow needs either a password or a token", permanent=True)
        auth = (settings.user, settings.password) if settings.password else None
        headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        self._site = Site(settings.url, auth, headers, timeout)
        self._settings = settings
        names = settings.fields.__struct_fields__
        self._fields = {name: getattr(settings.fields, name) for name in names if getattr(settings.fields, name)}
        self._fields["description"] = "description"

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. References are numbers: `CHG0030012`.

        About 4 requests for 50 change requests.
        """
        named = sorted(ref for ref in refs if _NUMBER.fullmatch(ref))
        try:
            changes = {value(row, "sys_id"): row for row in self._changes(named, start, end)}
            records = self._records(list(changes))
            reading = self._reading(list(changes.values()), records)
        except (TicketError, ValueError) as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        found: list[Ticket] = []
        for key, change in changes.items():
            ref = value(change, "number")
            tickets = self._tickets(change, records.get(key, Records()), reading)
            if ref in named or any(_meets(ticket, start, end) for ticket in tickets):
                found += tickets
        return Tickets(tuple(sorted(found, key=lambda ticket: ticket.ref)))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours."""
        ours = f"sys_created_by={self._settings.user}^correlation_display={OURS}"
        ours += f"^stateNOT IN{','.join(self._settings.closed_states)}"
        fields = "number,correlation_id,description"
        rows: list[Row] = []
        if key := _plain(case.key):
            rows += self._rows(self._settings.case_table, f"{ours}^correlation_id={key}", fields)
        for batch in _batches(sorted({_plain(finding) for finding in case.findings} - {""})):
            mentioned = "^OR".join(f"descriptionLIKE{finding}" for finding in batch)
            rows += self._rows(self._settings.case_table, f"{ours}^{mentioned}", fields)
        found = [
            (value(row, "correlation_id") != case.key, value(row, "number"))
            for row in rows
            if value(row, "correlation_id") == case.key or _findings(value(row, "description")) & {*case.findings}
        ]
        return min(found)[1] if found else None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`. What does not fit the description stands in the first work note as well."""
        head = len(body(replace(case, body="")))
        short, whole = (_inert(body(case, max(most - head - 100, 0))) for most in (DESCRIPTION, NOTES))
        title = f"{clean(case.title, TITLE - 50)} ({marker(case.key)})"
        sent = {
            **self._settings.extra,
            "short_description": title[:TITLE],
            "description": short[:DESCRIPTION],
            "correlation_id": case.key,
            "correlation_display": OURS,
        }
        sent |= {"work_notes": whole} if whole != short else {}
        return value(self._write("POST", self._settings.case_table, sent), "number")

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats the last one is its second delivery, and changes nothing."""
        case = value(self._case(ref), "sys_id")
        said = _inert(lines(note, NOTES))
        last = self._journal(case, "^ORDERBYDESCsys_created_on", limit=1)
        if not any(value(row, "value").strip() == said.strip() for row in last[:1]):
            self._write("PATCH", f"{self._settings.case_table}/{case}", {"work_notes": said})

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        case = self._case(ref)
        if value(case, "state") in self._settings.closed_states:
            return
        said = _inert(lines(reason, NOTES))
        sent = {"state": self._settings.closed_state, "close_code": self._settings.close_code}
        sent |= {"close_notes": said[:DESCRIPTION], "work_notes": said}
        self._write("PATCH", f"{self._settings.case_table}/{value(case, 'sys_id')}", sent)

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`. Comments and work notes."""
        rows = self._journal(value(self._case(ref), "sys_id"), "^ORDERBYsys_created_on")
        found: list[Reply] = []
        for row in rows:
            by = value(row, "sys_created_by")
            try:
                at = moment(value(row, "sys_created_on"))
            except ValueError as error:
                raise TicketError(f"{self._site.url}: a note has a time we do not understand: {error}") from error
            if by and by != self._settings.user and (since is None or at >= since):
                found.append(Reply(clean(value(row, "sys_id")), at, clean(by), lines(value(row, "value"))))
        return tuple(found)

    def _changes(self, named: Sequence[str], start: datetime, end: datetime) -> list[Row]:
        """Change requests with these numbers, touched since the start, or active and planned for the interval."""
        # The instance may read a time in the time zone of its user; a day on either side covers them all.
        since, until = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (start - timedelta(days=1), end + timedelta(days=1)))
        first, last = self._fields.get("start", "start_date"), self._fields.get("end", "end_date")
        planned = f"active=true^{first}<={until}^OR{first}ISEMPTY^{last}>={since}^OR{last}ISEMPTY"
        only = f"{self._settings.changes}^" if self._settings.changes else ""
        queries = [f"{only}sys_updated_on>={since}^NQ{only}{planned}"]
        queries += [f"{only}numberIN{','.join(batch)}" for batch in _batches(named)]
        shown = {"sys_id", "number", "short_description", "sys_created_on", "sys_created_by", "sys_mod_count"}
        shown |= {*self._fields.values()}
        shown |= {f"{self._fields[name]}.{part}" for name, part in _NAMED.items() if name in self._fields}
        return [row for query in queries for row in self._rows("change_request", query, ",".join(sorted(shown)))]

    def _records(self, changes: Sequence[str]) -> dict[str, Records]:
        found: dict[str, Records] = {}
        for batch in _batches(changes):
            named = ",".join(batch)
            shown = (
                "sys_id,sysapproval,state,approver.user_name,sys_updated_on,sys_updated_by,group.assignment_group.name"
            )
            approvals = self._rows("sysapproval_approver", f"sysapprovalIN{named}", shown)
            items = self._rows("task_ci", f"taskIN{named}", "task,ci_item,ci_item.name,sys_created_on,sys_created_by")
            audit = self._audit("change_request", batch)
            for some in _batches([value(row, "sys_id") for row in approvals]):
                audit += self._audit("sysapproval_approver", some)
            for key in batch:
                mine = [row for row in approvals if value(row, "sysapproval") == key]
                ids = {value(row, "sys_id") for row in mine}
                found[key] = Records(
                    [row for row in audit if value(row, "documentkey") == key],
                    mine,
                    [row for row in audit if value(row, "documentkey") in ids],
                    [row for row in items if value(row, "task") == key],
                )
        return found

    def _audit(self, table: str, keys: Sequence[str]) -> list[Row]:
        fields = ",".join(sorted({*self._fields.values(), "state"}))
        query = f"tablename={table}^documentkeyIN{','.join(keys)}^fieldnameIN{fields}"
        shown = "documentkey,fieldname,oldvalue,newvalue,user,sys_created_on,record_checkpoint"
        return self._rows("sys_audit", query, shown)

    def _reading(self, changes: Sequence[Row], records: Mapping[str, Records]) -> Reading:
        """With the names of everybody and everything that changes or their audits name by id."""
        known: dict[str, dict[str, str]] = {}
        for ours, (table, part) in {"implementer": ("sys_user", "user_name"), "ci": ("cmdb_ci", "name")}.items():
            field = self._fields.get(ours, "")
            names = {value(row, field): value(row, f"{field}.{part}") for row in changes}
            old = {
                value(row, side)
                for record in records.values()
                for row in record.audit
                if value(row, "fieldname") == field
                for side in ("oldvalue", "newvalue")
            }
            for batch in _batches(sorted(one for one in old - names.keys() if re.fullmatch(r"[0-9a-f]{32}", one))):
                rows = self._rows(table, f"sys_idIN{','.join(batch)}", f"sys_id,{part}")
                names |= {value(row, "sys_id"): value(row, part) for row in rows}
            known[ours] = {key: name for key, name in names.items() if key and name}
        asked = self._settings
        return Reading(
            self._fields,
            {**STATES, **asked.states},
            asked.first_state,
            known["implementer"],
            known["ci"],
            asked.delegates,
            frozenset(asked.programs),
        )

    def _tickets(self, change: Row, records: Records, reading: Reading) -> list[Ticket]:
        ref = clean(value(change, "number"), 40)
        url = f"{self._site.url}nav_to.do?uri=change_request.do?sys_id={quote(value(change, 'sys_id'), safe='')}"
        try:
            return read(change, records, reading, url)
        except ValueError as error:
            return [Ticket(ref, self.name, url=url, incomplete=f"it cannot be read: {clean(error, 200)}")]

    def _case(self, ref: str) -> Row:
        """The record of a case of ours. Raises `TicketError` where there is none of that number."""
        if _NUMBER.fullmatch(ref):
            query = f"number={ref}^correlation_display={OURS}"
            if rows := self._rows(self._settings.case_table, query, "sys_id,number,state"):
                return rows[0]
        raise TicketError(f"'{clean(ref, 40)}' is no case in {self._settings.case_table}", permanent=True)

    def _journal(self, case: str, order: str, limit: int = PAGE) -> list[Row]:
        query = f"element_id={case}^elementINwork_notes,comments{order}"
        return self._rows("sys_journal_field", query, "sys_id,value,sys_created_by,sys_created_on", limit=limit)

    def _rows(self, table: str, query: str, fields: str, *, limit: int = PAGE) -> list[Row]:
        """All rows that match; with a `limit` under `PAGE` the first of them. Raises `TicketError`."""
        asked = {"sysparm_query": query if "^ORDERBY" in query else f"{query}^ORDERBYsys_created_on"}
        asked |= {"sysparm_fields": fields, "sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}
        page = self._site.ask_page(
            "GET", f"api/now/table/{table}", _Rows, params={**asked, "sysparm_limit": str(limit)}
        )
        rows: list[Row] = [*page.answer.result]
        seen = {page.next}
        # A page may be short, or empty, where we may not see all its rows: only the link says which is the last.
        while page.next and limit == PAGE:
            page = self._site.ask_page("GET", page.next, _Rows)
            rows += page.answer.result
            if len(rows) > MOST_ROWS:
                raise TicketError(f"{self._site.url}: more than {MOST_ROWS:,} rows of {table}", permanent=True)
            if page.next in seen:
                raise TicketError(f"{self._site.url}: its pages go round in circles")
            seen |= {page.next} - {None}
        return rows

    def _write(self, method: str, path: str, sent: Mapping[str, str]) -> Row:
        asked = {"sysparm_fields": "number,sys_id"}
        return self._site.ask(method, f"api/now/table/{path}", _Row, params=asked, send=sent).result


_NAMED = {"implementer": "user_name", "ci": "name"}


def _plain(word: str) -> str:
    """A key as a value of an encoded query, where `^` would begin another condition."""
    return word if re.fullmatch(r"[\w.:/-]{1,100}", word) else ""


def _findings(description: str) -> set[str]:
    """Findings that the head of a case's description names; its body may hold anybody's words."""
    head = description.split("\n\n", 2)[1:2]
    named = [
        line.removeprefix("Findings:") for part in head for line in part.splitlines() if line.startswith("Findings:")
    ]
    return {name.strip() for line in named for name in line.split(",")}


def _inert(text: str) -> str:
    """ServiceNow renders what stands between `[code]` and `[/code]` of a journal as HTML."""
    return re.sub(r"\[(?=\s*/?\s*code\s*\])", "[ ", text, flags=re.IGNORECASE)


def _batches(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[at : at + BATCH] for at in range(0, len(items), BATCH)]


def _meets(ticket: Ticket, start: datetime, end: datetime) -> bool:
    """Whether a ticket's window or history meets the interval."""
    planned = (ticket.start is None or ticket.start <= end) and (ticket.end is None or ticket.end >= start)
    return planned or any(start <= event.at <= end for event in ticket.history)

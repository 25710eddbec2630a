"""A ServiceNow instance that keeps what it is told, and the people who work in it.

Paths, parameters and answers are those of ServiceNow's published Table API (rows under `result`, `sysparm_fields` with
dot-walking, `sysparm_display_value=all` giving value and display_value, `Link` headers for pages, 404 and 401 bodies).
The tables and their fields are those that ServiceNow delivers: change_request, sysapproval_approver, task_ci,
sys_audit, incident, sys_journal_field. Not published, and taken from practice: that rows a user may not see shorten a
page without a word. A condition that is not understood is refused here, where an instance would pass it over.
"""

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from people import HOUR, MORE, SCOPE, START

from agent.model import Case
from agent.tickets import TicketSystem
from agent.tickets.servicenow import ServiceNow, Settings
from agent.tickets.terms import LISTS

BOT, PASSWORD = "svc.driftwarden", "secret-word-71"
Row = dict[str, str]
Answer = tuple[int, Mapping[str, str], Any]
REFERENCES = {
    "assigned_to": "sys_user",
    "requested_by": "sys_user",
    "approver": "sys_user",
    "cmdb_ci": "cmdb_ci",
    "ci_item": "cmdb_ci",
    "group": "sysapproval_group",
    "assignment_group": "sys_user_group",
}
AUDITED = ("change_request", "sysapproval_approver")


class FakeServiceNow:
    """An instance. What it does wrong is switched on by its attributes."""

    def __init__(self, states: Mapping[str, str]) -> None:
        """`states` are the labels of a change request's states."""
        self.url = ""
        self.states = states
        self.tables: dict[str, dict[str, Row]] = {
            name: {}
            for name in (
                *("change_request", "sysapproval_approver", "sysapproval_group", "task_ci", "sys_audit", "incident"),
                *("sys_journal_field", "sys_user", "sys_user_group", "cmdb_ci"),
            )
        }
        self.asked: list[str] = []
        self.page = 1000
        """Rows on one page, at most."""
        self.hidden: Callable[[str, Row], bool] = lambda table, row: False
        """Rows that we may not see."""
        self.expired = False
        """The password is no longer good."""
        self.before: Callable[[str, str], Answer | None] = lambda method, path: None
        """Answers instead, where it gives something."""
        self.drop = ""
        """Regular expression over `METHOD path`: done, and the connection closed without an answer, once."""
        self._number = 30_000
        self._lock = threading.RLock()

    # --- what people do ---------------------------------------------------------------------------------------

    def insert(self, table: str, by: str, **fields: str) -> str:
        """Id of a new record."""
        with self._lock:
            key, now = uuid.uuid4().hex, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
            kept = {"sys_id": key, "sys_created_on": now, "sys_created_by": by, "sys_updated_on": now}
            self.tables[table][key] = {**kept, "sys_updated_by": by, "sys_mod_count": "0", **fields}
            return key

    def update(self, table: str, key: str, by: str, **fields: str) -> None:
        """Write fields of a record, with the audit that the instance keeps."""
        with self._lock:
            row = self.tables[table][key]
            count = str(int(row["sys_mod_count"]) + 1)
            for name, new in fields.items():
                old = row.get(name, "")
                if table in AUDITED and old != new:
                    said = {"fieldname": name, "oldvalue": old, "newvalue": new, "user": by, "record_checkpoint": count}
                    self.insert("sys_audit", by, tablename=table, documentkey=key, **said)
            now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
            row.update(fields, sys_updated_on=now, sys_updated_by=by, sys_mod_count=count)

    def user(self, name: str) -> str:
        """Id of a user, made where there is none."""
        return self._named("sys_user", "user_name", name)

    def item(self, name: str) -> str:
        """Id of a configuration item, made where there is none."""
        return self._named("cmdb_ci", "name", name)

    def _named(self, table: str, field: str, name: str) -> str:
        found = next((key for key, row in self.tables[table].items() if row[field] == name), "")
        return found or self.insert(table, "admin", **{field: name})

    def change(self, user: str, **fields: str) -> str:
        """Id of a new change request."""
        self._number += 1
        fresh = {"number": f"CHG00{self._number}", "state": "-5", "type": "normal", "active": "true"}
        return self.insert("change_request", user, **{"short_description": "Raise it", **fresh, **fields})

    def ask(self, change: str, approver: str, group: str = "") -> str:
        """Id of an approval that somebody is asked for."""
        fields = {"sysapproval": change, "approver": self.user(approver), "state": "requested"}
        if group:
            team = self._named("sys_user_group", "name", group)
            fields["group"] = self.insert("sysapproval_group", "system", assignment_group=team)
        return self.insert("sysapproval_approver", "system", **fields)

    def note(self, user: str, table: str, key: str, element: str, text: str) -> None:
        """A comment or a work note."""
        self.insert("sys_journal_field", user, name=table, element_id=key, element=element, value=text)

    # --- what it answers --------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, sent: Any, authorization: str) -> Answer:
        """Status, headers and body."""
        parts = urlsplit(target)
        params = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/")
        self.asked.append(f"{method} {path}")
        special = self.before(method, path)
        if special is not None:
            return special
        good = f"Basic {base64.b64encode(f'{BOT}:{PASSWORD}'.encode()).decode()}"
        if self.expired or authorization != good:
            detail = "Required to provide Auth information"
            return 401, {}, {"error": {"message": "User Not Authenticated", "detail": detail}, "status": "failure"}
        found = re.fullmatch(r"api/now/table/([a-z_]+)(?:/([0-9a-f]{32}))?", path)
        if not found or found[1] not in self.tables:
            return 400, {}, {"error": {"message": "Invalid table", "detail": None}, "status": "failure"}
        with self._lock:
            if method == "GET":
                return self._select(path, found[1], params)
            return self._written(method, found[1], found[2], params, sent)

    def _select(self, path: str, table: str, params: dict[str, str]) -> Answer:
        every = list(self.tables[table].values())
        query, orders = _ordered(params["sysparm_query"])
        found = [row for row in every if any(self._matches(table, row, part) for part in query.split("^NQ"))]
        for name, down in reversed(orders):
            # Of records of one second the last is the newest.
            found.sort(key=lambda row: (row.get(name, ""), every.index(row)), reverse=down)
        at, size = int(params.get("sysparm_offset", "0")), min(self.page, int(params["sysparm_limit"]))
        shown = [
            self._shown(table, row, params["sysparm_fields"].split(","))
            for row in found[at : at + size]
            if not self.hidden(table, row)
        ]
        links = [f'<{self._link(path, params, 0)}>;rel="first"']
        links += [f'<{self._link(path, params, at + size)}>;rel="next"'] if at + size < len(found) else []
        links += [f'<{self._link(path, params, max(len(found) - 1, 0))}>;rel="last"']
        return 200, {"Link": ",".join(links), "X-Total-Count": str(len(found))}, {"result": shown}

    def _link(self, path: str, params: dict[str, str], offset: int) -> str:
        return f"{self.url}{path}?{urlencode({**params, 'sysparm_offset': str(offset)})}"

    def _matches(self, table: str, row: Row, query: str) -> bool:
        """Whether a row matches an encoded query without `^NQ`: `a=1^b>2^ORbISEMPTY`."""
        parts: list[list[str]] = []
        for condition in filter(None, query.split("^")):
            if condition.startswith("OR") and parts:
                parts[-1].append(condition.removeprefix("OR"))
            else:
                parts.append([condition])
        return all(any(self._holds(table, row, condition) for condition in part) for part in parts)

    def _holds(self, table: str, row: Row, condition: str) -> bool:
        found = re.fullmatch(r"([a-z_.]+)(ISEMPTY|NOT IN|IN|LIKE|!=|>=|<=|=)(.*)", condition, re.DOTALL)
        assert found, condition
        name, operator, wanted = found.groups()
        kept = self._walk(row, name)
        if operator == "ISEMPTY":
            return not kept
        if operator in ("IN", "NOT IN"):
            return (kept in wanted.split(",")) == (operator == "IN")
        if operator == "LIKE":
            return wanted.lower() in kept.lower()
        tests = {"=": kept == wanted, "!=": kept != wanted, ">=": kept >= wanted, "<=": bool(kept) and kept <= wanted}
        return tests[operator]

    def _walk(self, row: Row, name: str) -> str:
        first, _, rest = name.partition(".")
        kept = row.get(first, "")
        if not rest:
            return kept
        other = self.tables[REFERENCES[first]].get(kept)
        return self._walk(other, rest) if other else ""

    def _shown(self, table: str, row: Row, fields: list[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name in fields:
            kept = self._walk(row, name)
            if not kept and "." in name:
                shown[name] = ""
                continue
            display = kept
            if name == "state" and table == "change_request":
                display = self.states.get(kept, kept)
            elif name in REFERENCES and kept:
                other = self.tables[REFERENCES[name]].get(kept, {})
                display = other.get("name") or other.get("user_name", "").title()
            shown[name] = {"display_value": display, "value": kept}
        return shown

    def _written(self, method: str, table: str, key: str | None, params: dict[str, str], sent: Any) -> Answer:
        assert all(isinstance(text, str) for text in sent.values())
        if len(sent.get("short_description", "")) > 160 or len(sent.get("description", "")) > 4000:
            return 400, {}, {"error": {"message": "Data truncated", "detail": None}, "status": "failure"}
        note = sent.pop("work_notes", None)
        if method == "POST":
            self._number += 1
            key = self.insert(table, BOT, number=f"INC00{self._number}", state="1", **sent)
        elif key not in self.tables[table]:
            detail = "Record doesn't exist or ACL restricts the record retrieval"
            return 404, {}, {"error": {"message": "No Record found", "detail": detail}, "status": "failure"}
        else:
            self.update(table, key, BOT, **sent)
        if note is not None:
            self.note(BOT, table, key, "work_notes", note)
        shown = self._shown(table, self.tables[table][key], params["sysparm_fields"].split(","))
        plain = {name: cell["value"] if isinstance(cell, dict) else cell for name, cell in shown.items()}
        return (201 if method == "POST" else 200), {}, {"result": plain}


def _ordered(query: str) -> tuple[str, list[tuple[str, bool]]]:
    """The query without its orders, and each of those with whether it runs down."""
    found = re.findall(r"\^ORDERBY(DESC)?([a-z_]+)", query)
    return re.sub(r"\^ORDERBY(DESC)?[a-z_]+", "", query), [(name, bool(down)) for down, name in found]


@contextmanager
def served(instance: FakeServiceNow) -> Iterator[FakeServiceNow]:
    """The instance at an address of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = json.loads(raw) if raw else None
            status, headers, body = instance.answer(
                self.command, self.path, sent, self.headers.get("Authorization", "")
            )
            if instance.drop and re.search(instance.drop, f"{self.command} {self.path}"):
                instance.drop = ""
                self.close_connection = True
                return
            answer = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PATCH = do_GET  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    instance.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield instance
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(instance: FakeServiceNow, **others: Any) -> Settings:
    """What the fake needs."""
    return Settings(**{"url": instance.url, "user": BOT, "password": PASSWORD, **others})


@dataclass
class ServiceNowPeople:
    """People with a browser."""

    instance: FakeServiceNow
    system: TicketSystem

    @classmethod
    @contextmanager
    def make(cls, tmp_path: Path) -> Iterator["ServiceNowPeople"]:
        """People in an instance of their own, whose states are called as in the contract."""
        states = {"-5": "draft", "-2": "approved"}
        with served(FakeServiceNow(states)) as instance:
            yield cls(instance, ServiceNow(settings(instance, states=states)))

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        scope = [f"{name}: {', '.join(getattr(SCOPE, name))}" for name in LISTS if getattr(SCOPE, name)]
        fields = {"description": "\n".join(["```driftwarden", *scope, "```"]), "type": "standard"}
        fields |= {f"{name}_date": f"{at:%Y-%m-%d %H:%M:%S}" for name, at in (("start", start), ("end", end)) if at}
        key = self.instance.change("dana", assigned_to=self.instance.user("lee"), **fields)
        approval = self.instance.ask(key, "sam")
        self.instance.update("change_request", key, "system", state="-2")
        self.instance.update("sysapproval_approver", approval, "sam", state="approved")
        return self.instance.tables["change_request"][key]["number"]

    def withdraw(self, ref: str) -> None:
        key = self._key("change_request", ref)
        approvals = self.instance.tables["sysapproval_approver"]
        (approval,) = (one for one, row in approvals.items() if row["sysapproval"] == key)
        self.instance.update("sysapproval_approver", approval, "sam", state="rejected")

    def edit(self, ref: str) -> None:
        key = self._key("change_request", ref)
        types = f"types: {', '.join(SCOPE.types)}"
        text = self.instance.tables["change_request"][key]["description"].replace(types, f"{types}, {MORE}")
        self.instance.update("change_request", key, "dana", description=text)

    def delete(self, ref: str) -> None:
        del self.instance.tables["change_request"][self._key("change_request", ref)]

    def reply(self, ref: str, who: str, text: str) -> None:
        self.instance.note(who, "incident", self._key("incident", ref), "comments", text)

    def read(self, ref: str) -> list[str]:
        key = self._key("incident", ref)
        case = self.instance.tables["incident"][key]
        notes = [row for row in self.instance.tables["sys_journal_field"].values() if row["element_id"] == key]
        texts = [row["value"] for row in notes]
        # What does not fit the description stands in the first note, which came with it.
        whole = bool(texts) and "more lines: see the report)" in case["description"]
        return [case["short_description"], *([] if whole else [case["description"]]), *texts]

    def count(self, case: Case) -> int:
        return sum(row.get("correlation_id") == case.key for row in self.instance.tables["incident"].values())

    def _key(self, table: str, number: str) -> str:
        return next(key for key, row in self.instance.tables[table].items() if row["number"] == number)

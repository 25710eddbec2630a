"""A Jira that keeps what it is told, Cloud or Data Center, and the people who work in it.

Paths, bodies and answers are those that Atlassian publishes: for Cloud the REST API's OpenAPI description, as the
package jira.js 5.4.0 carries it (search/jql with nextPageToken and reconcileIssues, issue/bulkfetch,
changelog/bulkfetch, comments, transitions, servicedeskapi approvals), for Data Center its REST reference. Not
published, and taken from practice: how a change log writes times and users (`[dana(JIRAUSER1), lee]`, account ids in
Cloud), that the bulk answer has its times in milliseconds, and that Cloud escapes markup in texts. The search
understands the JQL that is asked here, and refuses any other.
"""

import base64
import copy
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from people import HOUR, MORE, SCOPE, START

from agent.model import Case
from agent.tickets import TicketSystem
from agent.tickets.jira import Fields, Jira, Settings
from agent.tickets.terms import LISTS

BOT, TOKEN = "bot@example.com", "secret-token-71"
STATUSES = {
    "1": ("draft", "new"),
    "2": ("approved", "indeterminate"),
    "3": ("closed", "done"),
    "10": ("To Do", "new"),
    "11": ("Done", "done"),
}
FIELDS = {
    "customfield_10010": ("Planned start", "time"),
    "customfield_10011": ("Planned end", "time"),
    "customfield_10012": ("Approvers", "users"),
    "customfield_10013": ("Change kind", "option"),
    "customfield_10014": ("Addresses", "text"),
    "assignee": ("assignee", "user"),
    "description": ("description", "text"),
    "summary": ("summary", "text"),
    "labels": ("labels", "labels"),
    "status": ("status", "status"),
    "creator": ("creator", "user"),
    "reporter": ("reporter", "user"),
}
OURS = Fields(
    start="customfield_10010",
    end="customfield_10011",
    approvers="customfield_10012",
    kind="customfield_10013",
    addresses="customfield_10014",
)
Answer = tuple[int, Mapping[str, str], Any]


@dataclass
class Issue:
    """An issue as it is kept: times as datetimes, users by name, an option by its value."""

    id: int
    key: str
    values: dict[str, Any]
    created: datetime
    updated: datetime
    log: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    approvals: list[dict[str, Any]] = field(default_factory=list)


class FakeJira:
    """A Jira. What it does wrong is switched on by its attributes."""

    def __init__(self, *, cloud: bool) -> None:
        self.cloud = cloud
        self.url = ""
        self.issues: dict[str, Issue] = {}
        self.asked: list[str] = []
        self.page = 100
        """Issues, entries and comments on one page, at most."""
        self.index: dict[str, Issue] | None = None
        """What the search knows, where that is not what there is: see `freeze`."""
        self.expired = False
        """The token is no longer good: we are a stranger, who may see nothing."""
        self.shown_log = 10_000
        """Entries of a change log that Data Center shows."""
        self.before: Callable[[str, str], Answer | None] = lambda method, path: None
        """Answers instead, where it gives something."""
        self.drop: str = ""
        """Regular expression over `METHOD path`: done, and the connection closed without an answer, once."""
        self._number = 100
        self._lock = threading.RLock()

    # --- what people do ---------------------------------------------------------------------------------------

    def create(self, user: str, project: str = "CHG", **values: Any) -> str:
        """Key of a new issue; values by field id."""
        with self._lock:
            self._number += 1
            key = f"{project}-{self._number}"
            now = datetime.now(UTC)
            fresh = {"status": "1", "creator": user, "reporter": user, "labels": [], "summary": "Raise it"}
            self.issues[key] = Issue(self._number, key, {**fresh, **values}, now, now)
            return key

    def edit(self, user: str | None, key: str, **values: Any) -> None:
        """One entry of the change log, with every field that changed."""
        with self._lock:
            issue = self.issues[key]
            items = [self._item(name, issue.values.get(name), value) for name, value in values.items()]
            author = self.user(user) if user else None
            issue.updated = datetime.now(UTC)
            issue.log.append({"id": str(len(issue.log)), "author": author, "created": issue.updated, "items": items})
            issue.values.update(values)

    def comment(self, user: str, key: str, text: str) -> None:
        """A person's comment."""
        self._comment(self.issues[key], user, document(text) if self.cloud else text)

    def move(self, key: str, project: str) -> str:
        """The issue's new key in another project."""
        with self._lock:
            issue = self.issues[key]
            issue.key = f"{project}-{issue.id}"
            item = {
                "field": "Key",
                "fieldtype": "jira",
                "fromString": key,
                "toString": issue.key,
                "from": None,
                "to": None,
            }
            issue.log.append({"id": "k", "author": self.user("dana"), "created": datetime.now(UTC), "items": [item]})
            self.issues[issue.key] = issue
            return issue.key

    def freeze(self) -> None:
        """From now on the search does not notice what happens."""
        self.index = copy.deepcopy(self.issues)

    # --- how it writes things ---------------------------------------------------------------------------------

    def user(self, name: str) -> dict[str, Any]:
        """A user as the API shows one."""
        if self.cloud:
            kind = "app" if name.startswith("app-") else "atlassian"
            return {"accountId": name, "accountType": kind, "displayName": name.title(), "active": True}
        return {"name": name, "key": f"JIRAUSER-{name}", "displayName": name.title(), "active": True}

    def _item(self, name: str, was: Any, now: Any) -> dict[str, Any]:
        title, kind = FIELDS[name]
        item = {"field": title, "fieldtype": "custom" if name.startswith("custom") else "jira"}
        item |= {"fieldId": name} if self.cloud else {}
        for side, value in (("from", was), ("to", now)):
            item[side], item[f"{side}String"] = self._logged(kind, value)
        return item

    def _logged(self, kind: str, value: Any) -> tuple[str | None, str | None]:
        if value in (None, "", []):
            return None, None
        if kind == "time":
            return f"{value:%Y-%m-%dT%H:%M:%S%z}", f"{value:%d/%b/%y %I:%M %p}"
        if kind == "status":
            return value, STATUSES[value][0]
        if kind == "user":
            return (value if self.cloud else f"JIRAUSER-{value}"), value.title()
        if kind == "users":
            names = [one if self.cloud else f"{one}(JIRAUSER-{one})" for one in value]
            return f"[{', '.join(names)}]", f"[{', '.join(one.title() for one in value)}]"
        if kind == "option":
            return f"20{len(value)}", value
        if kind == "labels":
            return None, " ".join(value)
        return None, re.sub(r"([*\[])", r"\\\1", value) if self.cloud and kind == "text" else value

    def _shown(self, name: str, value: Any, api: str) -> Any:
        kind = FIELDS[name][1]
        if value is None:
            return None
        if kind == "time":
            return f"{value:%Y-%m-%dT%H:%M:%S.000%z}"
        if kind == "status":
            title, category = STATUSES[value]
            return {"id": value, "name": title, "statusCategory": {"key": category}}
        if kind == "user":
            return self.user(value)
        if kind == "users":
            return [self.user(one) for one in value]
        if kind == "option":
            return {"id": f"20{len(value)}", "value": value}
        if name == "description" and isinstance(value, str) and api == "3":
            return document(value)
        return value

    def _issue(self, issue: Issue, fields: list[str], api: str, *, log: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": str(issue.id),
            "key": issue.key,
            "self": f"{self.url}rest/api/2/issue/{issue.id}",
        }
        shown["fields"] = {
            name: f"{issue.created:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
            if name == "created"
            else self._shown(name, issue.values.get(name), api)
            for name in fields
            if name in FIELDS or name == "created"
        }
        if log:
            entries = [self._entry(one) for one in issue.log]
            histories = entries[-self.shown_log :]
            shown["changelog"] = {
                "startAt": 0,
                "maxResults": len(histories),
                "total": len(entries),
                "histories": histories,
            }
        return shown

    @staticmethod
    def _entry(entry: dict[str, Any], *, bulk: bool = False) -> dict[str, Any]:
        at = entry["created"]
        return {**entry, "created": int(at.timestamp() * 1000) if bulk else f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"}

    def _comment(self, issue: Issue, user: str, body: Any) -> dict[str, Any]:
        with self._lock:
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
            who = self.user(user)
            comment = {"id": str(90_000 + len(issue.comments)), "body": body, "created": now, "updated": now}
            issue.comments.append({**comment, "author": who, "updateAuthor": who})
            issue.updated = datetime.now(UTC)
            return issue.comments[-1]

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
        good = f"Basic {base64.b64encode(f'{BOT}:{TOKEN}'.encode()).decode()}" if self.cloud else f"Bearer {TOKEN}"
        stranger = self.expired or authorization != good
        if path.endswith("/myself"):
            return (401, {}, "Client must be authenticated") if stranger else (200, {}, self.user("bot"))
        if stranger and not path.endswith(("search", "search/jql", "bulkfetch")):
            return 404, {}, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
        with self._lock:
            return self._routed(method, path, params, sent or {}, stranger=stranger)

    def _routed(self, method: str, path: str, params: dict[str, str], sent: Any, *, stranger: bool) -> Answer:
        if self.cloud and method == "POST" and path == "rest/api/2/search/jql":
            return self._cloud_search(sent, stranger=stranger)
        if not self.cloud and method == "POST" and path == "rest/api/2/search":
            return self._center_search(sent, stranger=stranger)
        if self.cloud and method == "POST" and path == "rest/api/2/issue/bulkfetch":
            wanted = [] if stranger else [self.issues.get(key.upper()) for key in sent["issueIdsOrKeys"]]
            found = {issue.id: self._issue(issue, sent["fields"], "2") for issue in wanted if issue}
            return 200, {}, {"issues": [found[number] for number in sorted(found)], "issueErrors": []}
        if self.cloud and method == "POST" and path == "rest/api/2/changelog/bulkfetch":
            return self._logs(sent)
        version = "3" if self.cloud else "2"
        if method == "POST" and path == f"rest/api/{version}/issue":
            return self._created(sent["fields"])
        if found := re.fullmatch(rf"rest/api/{version}/issue/([^/]+)(?:/(comment|transitions))?", path):
            issue = self.issues.get(found[1])
            if issue is None:
                return 404, {}, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
            if found[2] == "comment":
                return self._comments(method, issue, params, sent)
            if found[2] == "transitions":
                return self._transitions(method, issue, sent)
            return 200, {}, self._issue(issue, params["fields"].split(","), version)
        if found := re.fullmatch(r"rest/servicedeskapi/request/([^/]+)/approval", path):
            issue = self.issues.get(found[1])
            if issue is None or not issue.approvals:
                return 404, {}, {"errorMessage": "The request does not exist."}
            at = int(params["start"])
            values = issue.approvals[at : at + self.page]
            last = at + len(values) >= len(issue.approvals)
            return 200, {}, {"start": at, "size": len(values), "isLastPage": last, "values": values}
        return 404, {}, {"errorMessages": [f"no {method} {path}"]}

    def _cloud_search(self, sent: Any, *, stranger: bool) -> Answer:
        if "ORDER BY" in sent["jql"] or not sent["jql"]:
            return 400, {}, {"errorMessages": ["Unbounded JQL queries are not allowed here."]}
        known = self.issues if self.index is None else self.index
        afresh = {issue.key: issue for issue in self.issues.values() if issue.id in sent.get("reconcileIssues", ())}
        every = {issue.id: issue for issue in {**known, **afresh}.values()}
        found = [] if stranger else [one for one in every.values() if matches(sent["jql"], one, "bot")]
        at = int(sent.get("nextPageToken", "0"))
        size = min(self.page, sent.get("maxResults", 50))
        answer: dict[str, Any] = {
            "issues": [self._issue(one, sent.get("fields", ["id"]), "2") for one in found[at : at + size]]
        }
        answer |= {"nextPageToken": str(at + size), "isLast": False} if at + size < len(found) else {"isLast": True}
        return 200, {}, answer

    def _center_search(self, sent: Any, *, stranger: bool) -> Answer:
        jql, _, order = sent["jql"].partition(" ORDER BY ")
        assert order == "id ASC"
        keys = re.findall(r"key IN \(([^)]*)\)", jql)
        unknown = [key for key in (keys[0].split(",") if keys else []) if key not in self.issues]
        if unknown and sent.get("validateQuery", True):
            return 400, {}, {"errorMessages": [f"An issue with key '{unknown[0]}' does not exist for field 'key'."]}
        known = self.issues if self.index is None else self.index
        every = {issue.id: issue for issue in known.values()}
        found = [] if stranger else [one for _, one in sorted(every.items()) if matches(jql, one, "bot")]
        at, size = sent["startAt"], min(self.page, sent["maxResults"])
        log = "changelog" in sent.get("expand", ())
        issues = [self._issue(one, sent["fields"], "2", log=log) for one in found[at : at + size]]
        names = {name: title for name, (title, _) in FIELDS.items() if name in sent["fields"]}
        return 200, {}, {"startAt": at, "maxResults": size, "total": len(found), "issues": issues, "names": names}

    def _logs(self, sent: Any) -> Answer:
        ids = sent["issueIdsOrKeys"]
        every = [
            (one["created"], issue.id, one)
            for issue in self.issues.values()
            for one in issue.log
            if str(issue.id) in ids
        ]
        every.sort(key=lambda one: one[:2])
        at = int(sent.get("nextPageToken", "0"))
        size = min(self.page, sent["maxResults"])
        logs: dict[int, list[Any]] = {}
        for _, number, entry in every[at : at + size]:
            logs.setdefault(number, []).append(self._entry(entry, bulk=True))
        answer = {"issueChangeLogs": [{"issueId": str(number), "changeHistories": log} for number, log in logs.items()]}
        more = at + size < len(every)
        return 200, {}, {**answer, "nextPageToken": str(at + size) if more else None}

    def _created(self, fields: Any) -> Answer:
        if len(fields["summary"]) > 255 or "\n" in fields["summary"]:
            return 400, {}, {"errors": {"summary": "The summary is invalid because it is too long or has newlines."}}
        if any(" " in label or len(label) > 255 for label in fields.get("labels", ())):
            return 400, {}, {"errors": {"labels": "The label contains spaces which is invalid."}}
        if wrong := self._wrong(fields["description"]):
            return 400, {}, {"errors": {"description": wrong}}
        values = {name: fields[name] for name in ("summary", "description", "labels")}
        key = self.create("bot", fields["project"]["key"], status="10", **values)
        return 201, {}, {"id": str(self.issues[key].id), "key": key, "self": f"{self.url}rest/api/2/issue/{key}"}

    def _wrong(self, text: Any) -> str:
        if isinstance(text, dict) != self.cloud:
            return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        long = len(plain(text)) if self.cloud else len(text)
        return "CONTENT_LIMIT_EXCEEDED" if long > 32_767 else ""

    def _comments(self, method: str, issue: Issue, params: dict[str, str], sent: Any) -> Answer:
        if method == "POST":
            if wrong := self._wrong(sent["body"]):
                return 400, {}, {"errors": {"comment": wrong}}
            return 201, {}, self._comment(issue, "bot", sent["body"])
        at, size = int(params.get("startAt", "0")), min(self.page, int(params.get("maxResults", "50")))
        shown = issue.comments[at : at + size]
        return 200, {}, {"startAt": at, "maxResults": size, "total": len(issue.comments), "comments": shown}

    def _transitions(self, method: str, issue: Issue, sent: Any) -> Answer:
        ways = {"31": ("Finish", "11"), "21": ("Reopen", "10")}
        if method == "GET":
            shown = [
                {"id": number, "name": name, "to": self._shown("status", status, "2")}
                for number, (name, status) in ways.items()
                if issue.values["status"] != status
            ]
            return 200, {}, {"transitions": shown}
        self.edit("bot", issue.key, status=ways[sent["transition"]["id"]][1])
        return 204, {}, None


def document(text: str) -> dict[str, Any]:
    """What Cloud's editor makes of a text: a paragraph to a line."""
    lines = [{"type": "text", "text": line} for line in text.splitlines()]
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [line]} for line in lines]}


def plain(body: Any) -> str:
    """The text in a document, or in Data Center's markup, as a person sees it."""
    if isinstance(body, str):
        return re.sub(r"^\{noformat\}\n|\n\{noformat\}$", "", body)
    return "\n".join("".join(one.get("text", "") for one in part.get("content", ())) for part in body["content"])


_TOKEN = re.compile(r'\s*(\(|\)|,|!=|<=|>=|=|"[^"]*"|cf\[\d+\]|[\w.%-]+(?:\(\))?)')


def matches(jql: str, issue: Issue, us: str) -> bool:
    """Whether an issue matches a JQL expression. Fails for one that Jira would not understand either."""
    tokens = _TOKEN.findall(jql)
    assert "".join(tokens) == re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", jql), jql
    found, rest = _either(tokens, issue, us)
    assert not rest, (jql, rest)
    return found


def _either(tokens: list[str], issue: Issue, us: str) -> tuple[bool, list[str]]:
    found, rest = _both(tokens, issue, us)
    while rest and rest[0] == "OR":
        other, rest = _both(rest[1:], issue, us)
        found = found or other
    return found, rest


def _both(tokens: list[str], issue: Issue, us: str) -> tuple[bool, list[str]]:
    found, rest = _term(tokens, issue, us)
    while rest and rest[0] == "AND":
        other, rest = _term(rest[1:], issue, us)
        found = found and other
    return found, rest


def _term(tokens: list[str], issue: Issue, us: str) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        found, rest = _either(tokens[1:], issue, us)
        assert rest[0] == ")"
        return found, rest[1:]
    name, operator, *rest = tokens
    if operator == "IN":
        end = rest.index(")")
        wanted = [one.strip('"') for one in rest[1:end] if one != ","]
        have = {"id": [str(issue.id)], "key": [issue.key], "labels": issue.values["labels"]}[name]
        return bool({*wanted} & {*have}), rest[end + 1 :]
    value = rest[0].strip('"')
    if name.startswith("cf["):
        kept = issue.values.get(f"customfield_{name[3:-1]}")
        if operator == "IS":
            assert value == "EMPTY"
            return kept is None, rest[1:]
        return kept is not None and _compared(kept, operator, value), rest[1:]
    if name == "updated":
        return _compared(issue.updated, operator, value), rest[1:]
    have, wanted_one = {
        "project": (issue.key.rpartition("-")[0], value),
        "creator": (issue.values["creator"], us if value == "currentUser()" else value),
        "statusCategory": (STATUSES[issue.values["status"]][1], value.lower()),
    }[name]
    assert operator in ("=", "!=")
    return (have == wanted_one) == (operator == "="), rest[1:]


def _compared(kept: datetime, operator: str, value: str) -> bool:
    """Jira reads a date in its user's time zone: ours lives far in the west."""
    at = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC) + timedelta(hours=11)
    return kept <= at if operator == "<=" else kept >= at


@contextmanager
def served(jira: FakeJira) -> Iterator[FakeJira]:
    """The Jira at an address of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = json.loads(raw) if raw else None
            authorization = self.headers.get("Authorization", "")
            status, headers, body = jira.answer(self.command, self.path, sent, authorization)
            if jira.drop and re.search(jira.drop, f"{self.command} {self.path}"):
                jira.drop = ""
                self.close_connection = True
                return
            answer = (
                b"" if body is None else body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
            )
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    jira.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield jira
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(jira: FakeJira, **others: Any) -> Settings:
    """What the fake needs: changes in project CHG, cases in OPS."""
    kind = {"user": BOT} if jira.cloud else {"deployment": "datacenter"}
    known = {"url": jira.url, "token": TOKEN, "project": "OPS", "changes": "project = CHG", "fields": OURS}
    return Settings(**{**known, **kind, **others})


@dataclass
class JiraPeople:
    """People with a browser, in Jira Cloud."""

    jira: FakeJira
    system: TicketSystem

    @classmethod
    @contextmanager
    def make(cls, tmp_path: Path) -> Iterator["JiraPeople"]:
        """People in a Jira of their own."""
        with served(FakeJira(cloud=True)) as jira:
            yield cls(jira, Jira(settings(jira)))

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        rest = [f"{name}: {', '.join(getattr(SCOPE, name))}" for name in LISTS[1:] if getattr(SCOPE, name)]
        text = "\n".join(["Please.", "{code}driftwarden", *rest, "{code}"])
        fields = {"customfield_10013": "Standard", "customfield_10014": "\n".join(SCOPE.addresses)}
        fields |= {"customfield_10010": start, "customfield_10011": end}
        key = self.jira.create("dana", assignee="lee", description=text, **fields)
        self.jira.edit("sam", key, status="2", customfield_10012=["sam"])
        return key

    def withdraw(self, ref: str) -> None:
        self.jira.edit("sam", ref, customfield_10012=[])

    def edit(self, ref: str) -> None:
        text = self.jira.issues[ref].values["description"]
        types = f"types: {', '.join(SCOPE.types)}"
        self.jira.edit("dana", ref, description=text.replace(types, f"{types}, {MORE}"))

    def delete(self, ref: str) -> None:
        del self.jira.issues[ref]

    def reply(self, ref: str, who: str, text: str) -> None:
        """Somebody's comment on a case."""
        self.jira.comment(who, ref, text)

    def read(self, ref: str) -> list[str]:
        issue = self.jira.issues[ref]
        texts = [issue.values["description"], *(comment["body"] for comment in issue.comments)]
        return [issue.values["summary"], *map(plain, texts)]

    def count(self, case: Case) -> int:
        return sum(f"driftwarden-{case.key}" in issue.values["labels"] for issue in self.jira.issues.values())


@dataclass
class JiraDataCenterPeople(JiraPeople):
    """People with a browser, in a Jira Data Center."""

    @classmethod
    @contextmanager
    def make(cls, tmp_path: Path) -> Iterator["JiraDataCenterPeople"]:
        """People in a Jira of their own."""
        with served(FakeJira(cloud=False)) as jira:
            yield cls(jira, Jira(settings(jira)))

"""A Redmine in memory, with the answers of a real one, and people's way into either.

The shapes, the silent refusals and the stranger behind a wrong key are those of Redmine 5.0.4, which the same tests
meet in `test_redmine_real.py`. Hides statuses, workflow, custom fields and journals.
"""

import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from people import HOUR, MORE, SCOPE, START

from agent.model import Case
from agent.tickets.redmine import Redmine, Settings
from agent.tickets.text import marker

USERS = {1: "root", 5: "dana", 6: "lee", 7: "sam", 8: "driftwarden"}
STATUSES = {1: "New", 2: "In Progress", 5: "Closed", 7: "draft", 8: "approved", 9: "closed"}
TRACKERS = {1: "Bug", 4: "Change"}
PROJECTS = {1: "changes", 2: "cases"}
BEGINS = {1: 1, 4: 7}
"""Tracker → the status its issues begin with."""
WORKFLOW = {1: {1: {1, 2, 5}, 2: {2, 5}, 5: {1, 5}}, 4: {7: {7, 8, 9}, 8: {7, 8, 9}, 9: {7, 9}}}
"""Tracker → status → what it may become."""
FIELDS = [
    "Kind",
    "Implementer",
    "Approved by",
    "Planned start",
    "Planned end",
    "Plan",
    *("Addresses", "Resources", "Types", "Accounts", "Environments", "Tags", "Names"),
]
"""Custom fields of the tracker of changes, numbered from 1."""
SEVERAL = 3
CLIENT = httpx2.Client(timeout=60)
"""Everybody's: making one takes longer than an answer."""
ATTRIBUTES = ("subject", "description", "status_id", "tracker_id", "project_id", "author_id", "assigned_to_id")


@dataclass
class Site:
    """The tracker's store, and what it was asked."""

    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    """Custom fields that only root sees."""
    revoked: set[str] = field(default_factory=set)
    revoke_after: int = -1
    """After so many requests more our key is nobody's; -1: never."""
    asked: list[str] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)
    """Part of a request → the status it is answered with."""
    cut: set[int] = field(default_factory=set)
    """Issues whose first journal is lost."""
    lost: int = 0
    """Issues that a page lacks without saying so."""
    tells_edits: bool = False
    """Whether it shows when a note was last edited, and by whom; 5.0 does not."""
    page: int = 100
    now: datetime | None = None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def time(self) -> str:
        return f"{self.now or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def user(self, key: str) -> int:
        """Number of the user with that key; 0 for a stranger."""
        known = {f"key-{login}": number for number, login in USERS.items()}
        return 0 if key in self.revoked else known.get(key, 0)

    def shown(self, issue: Mapping[str, Any], user: int, include: str = "") -> dict[str, Any]:
        """The issue as the site's answer shows it."""
        at = issue["status_id"]
        seen = {key: value for key, value in issue.items() if key in ("id", "subject", "description", "is_private")}
        fields = [
            {"id": number, "name": name, "value": issue["fields"].get(number, [] if number == SEVERAL else None)}
            | ({"multiple": True} if number == SEVERAL else {})
            for number, name in enumerate(FIELDS, 1)
            if issue["tracker_id"] == 4 and (user == 1 or number not in self.hidden)
        ]
        seen |= {
            "project": {"id": issue["project_id"], "name": PROJECTS[issue["project_id"]].capitalize()},
            "tracker": {"id": issue["tracker_id"], "name": TRACKERS[issue["tracker_id"]]},
            "status": {"id": at, "name": STATUSES[at], "is_closed": STATUSES[at].lower() == "closed"},
            "author": named(issue["author_id"]),
            "created_on": issue["created_on"],
            "updated_on": issue["updated_on"],
            "custom_fields": fields,
        }
        if issue["assigned_to_id"]:
            seen["assigned_to"] = named(issue["assigned_to_id"])
        if "journals" in include:
            kept = issue["journals"][1:] if issue["id"] in self.cut else issue["journals"]
            hidden = {f"cf{number}" for number in self.hidden if user != 1}
            seen["journals"] = [
                ({"updated_on": one["created_on"]} if self.tells_edits else {})
                | one
                | {"details": [d for d in one["details"] if d["property"] + d["name"] not in hidden]}
                for one in kept
            ]
        if "allowed_statuses" in include:
            may = sorted(WORKFLOW[issue["tracker_id"]].get(at, {at}))
            seen["allowed_statuses"] = [
                {"id": number, "name": STATUSES[number], "is_closed": number in (5, 9)} for number in may
            ]
        return seen

    def create(self, user: int, sent: Mapping[str, Any]) -> tuple[int, Any]:
        project = project_of(sent.get("project_id", ""))
        if project is None:
            return 422, {"errors": ["Project cannot be blank", "Tracker cannot be blank", "Status cannot be blank"]}
        if len(sent["subject"]) > 255:
            return 422, {"errors": ["Subject is too long (maximum is 255 characters)"]}
        number, tracker = next(self.numbers), int(sent.get("tracker_id", 1))
        at = self.time()
        self.issues[number] = {
            **{"id": number, "subject": sent["subject"], "project_id": project, "tracker_id": tracker},
            **{"author_id": user, "assigned_to_id": None, "status_id": BEGINS[tracker], "fields": {}, "journals": []},
            **{"description": crlf(sent.get("description")), "is_private": sent.get("is_private", False)},
            **{"created_on": at, "updated_on": at},
        }
        self.issues[number]["fields"] |= {one["id"]: one["value"] for one in sent.get("custom_fields", [])}
        return 201, {"issue": self.shown(self.issues[number], user)}

    def edit(self, user: int, issue: dict[str, Any], sent: Mapping[str, Any]) -> tuple[int, Any]:
        """What the workflow does not permit is dropped, and the answer is the same."""
        details = []
        for name in ATTRIBUTES:
            new = crlf(sent[name]) if name == "description" and name in sent else sent.get(name, issue[name])
            new = int(new) if name.endswith("_id") and new is not None else new
            permitted = name != "status_id" or new in WORKFLOW[issue["tracker_id"]].get(issue["status_id"], ())
            if permitted and new != issue[name]:
                details.append(detail("attr", name, issue[name], new))
                issue[name] = new
        for one in sent.get("custom_fields", []):
            key, old = one["id"], issue["fields"].get(one["id"])
            if key == SEVERAL:
                had, has = set(old or ()), set(map(str, one["value"]))
                details += [detail("cf", str(key), None, item) for item in sorted(has - had)]
                details += [detail("cf", str(key), item, None) for item in sorted(had - has)]
                issue["fields"][key] = sorted(has)
            elif (old or "") != (one["value"] or ""):
                details.append(detail("cf", str(key), old, one["value"]))
                issue["fields"][key] = one["value"]
        if details or sent.get("notes"):
            entry = {"id": next(self.numbers), "user": named(user), "notes": sent.get("notes", "")}
            issue["journals"].append(entry | {"created_on": self.time(), "private_notes": False, "details": details})
            issue["updated_on"] = self.time()
        return 204, None

    def rewrite(self, user: int, number: int, text: str, at: str) -> None:
        """Somebody who may edit notes edits the last one of an issue."""
        told = {"updated_on": at, "updated_by": named(user)} if self.tells_edits else {}
        self.issues[number]["journals"][-1] |= {"notes": text, **told}

    def search(self, user: int, asked: Mapping[str, str]) -> tuple[int, Any]:
        if asked.get("project_id") and project_of(asked["project_id"]) is None:
            return 404, None
        found = [one for one in self.issues.values() if visible(one, user) and matches(one, asked)]
        start, size = int(asked.get("offset", 0)), min(int(asked.get("limit", 25)), self.page)
        page = [self.shown(one, user) for one in found[start : start + size]][self.lost :]
        return 200, {"issues": page, "total_count": len(found), "offset": start, "limit": size}

    def answer(self, method: str, path: str, asked: Mapping[str, str], key: str, sent: Any) -> tuple[int, Any]:
        """Status and body."""
        self.asked.append(f"{method} {path}")
        if self.revoke_after == 0:
            self.revoked.add("key-driftwarden")
        self.revoke_after -= 1
        for part, status in self.refuse.items():
            if part in f"{method} {path}":
                return status, None
        user = self.user(key)
        found: dict[str, Any] = {
            "trackers.json": {"trackers": [named_as(*item) for item in TRACKERS.items()]},
            "issue_statuses.json": {
                "issue_statuses": [named_as(*item) | {"is_closed": item[0] in (5, 9)} for item in STATUSES.items()]
            },
            "custom_fields.json": {"custom_fields": [named_as(*item) for item in enumerate(FIELDS, 1)]},
            **{f"projects/{name}.json": {"project": named_as(number, name)} for number, name in PROJECTS.items()},
        }
        if path in found:
            return 200, found[path]
        if path == "issues.json":
            if method == "GET":
                return self.search(user, asked)
            return self.create(user, sent["issue"]) if user else (401, None)
        if match := re.fullmatch(r"users/(current|\d+)\.json", path):
            number = user if match[1] == "current" else int(match[1])
            if match[1] == "current" and not user:
                return 401, None
            if number not in USERS or (number in self.locked and user != 1):
                return 404, None
            return 200, {"user": {"id": number, "login": USERS[number]}}
        match = re.fullmatch(r"issues/(\d+)\.json", path)
        issue = self.issues.get(int(match[1])) if match else None
        if issue is None:
            return 404, None
        if not visible(issue, user):
            return (403 if user else 401), None
        if method == "GET":
            return 200, {"issue": self.shown(issue, user, asked.get("include", ""))}
        if not user:
            return 401, None
        if method == "DELETE":
            del self.issues[issue["id"]]
            return 204, None
        return self.edit(user, issue, sent["issue"])


def named(user: int) -> dict[str, Any]:
    return {"id": user, "name": f"{USERS[user].capitalize()} Example"}


def named_as(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name}


def detail(kind: str, name: str, old: object, new: object) -> dict[str, Any]:
    was, now = (None if value in (None, "") else str(value) for value in (old, new))
    return {"property": kind, "name": name, "old_value": was, "new_value": now}


def crlf(text: str | None) -> str | None:
    return text and re.sub(r"\r?\n", "\r\n", text)


def project_of(name: object) -> int | None:
    """Its number, of an identifier or a number."""
    return next((number for number, known in PROJECTS.items() if str(name) in (known, str(number))), None)


def visible(issue: Mapping[str, Any], user: int) -> bool:
    return not issue["is_private"] or user in (1, issue["author_id"])


def matches(issue: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """As the site filters: what it does not know as a filter it ignores."""
    closed = STATUSES[issue["status_id"]].lower() == "closed"
    return (
        ("project_id" not in asked or issue["project_id"] == project_of(asked["project_id"]))
        and asked.get("tracker_id", str(issue["tracker_id"])) == str(issue["tracker_id"])
        and asked.get("author_id", str(issue["author_id"])) == str(issue["author_id"])
        and (asked.get("status_id", "open") == "*" or not closed)
        and issue["updated_on"][:10] >= asked.get("updated_on", ">=").removeprefix(">=")
        and asked.get("description", "~").removeprefix("~").lower() in (issue["description"] or "").lower()
    )


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Address of the site while it is served."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("X-Redmine-API-Key", "")
            with lock:
                told = site.answer(self.command, parts.path.lstrip("/"), asked, key, json.loads(raw or "null"))
            content = b"" if told[1] is None else json.dumps(told[1]).encode()
            self.send_response(told[0])
            if told[0] != 204:
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Silence."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class RedminePeople:
    """People with a browser, and an API key where a test needs none."""

    url: str
    keys: Mapping[str, str]
    system: Redmine
    site: Site | None = None
    """None: the site is a real one."""

    @classmethod
    @contextmanager
    def make(cls, tmp_path: Path) -> Iterator["RedminePeople"]:
        """People of a fake that lives as long as the test."""
        site = Site()
        with served(site) as url:
            keys = {login: f"key-{login}" for login in USERS.values()}
            yield cls(url, keys, redmine(url, keys["driftwarden"], final_notes=True), site)

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        fields: dict[str, object] = {"Kind": "standard", "Implementer": self.number("lee")}
        fields |= {name: at.isoformat() for name, at in (("Planned start", start), ("Planned end", end)) if at}
        names = ("addresses", "resources", "types", "accounts")
        fields |= {name.capitalize(): "\n".join(getattr(SCOPE, name)) for name in names}
        ref = self.change("dana", **fields)
        self.put("sam", ref, {"status_id": 8, **self.fields(**{"Approved by": [self.number("sam")]})})
        return ref

    def withdraw(self, ref: str) -> None:
        self.put("sam", ref, self.fields(**{"Approved by": []}))

    def edit(self, ref: str) -> None:
        self.put("dana", ref, self.fields(Types="\n".join([*SCOPE.types, MORE])))

    def delete(self, ref: str) -> None:
        self.ask("root", "DELETE", f"issues/{number_of(ref)}.json", 204)

    def reply(self, ref: str, who: str, text: str) -> None:
        self.put(who, ref, {"notes": text})

    def read(self, ref: str) -> list[str]:
        issue = self.ask("dana", "GET", f"issues/{number_of(ref)}.json", 200, params={"include": "journals"})["issue"]
        texts = [issue["description"], *(one["notes"] for one in issue["journals"] if one["notes"])]
        return [issue["subject"], *map(seen, texts)]

    def count(self, case: Case) -> int:
        asked = {"project_id": "cases", "status_id": "*", "limit": "100"}
        found = self.ask("dana", "GET", "issues.json", 200, params=asked)["issues"]
        return len([one for one in found if marker(case.key) in one["subject"]])

    def change(self, who: str, **fields: object) -> str:
        """Reference of a new change ticket with these custom fields."""
        issue = {"project_id": "changes", "tracker_id": self.tracker("Change"), "subject": "Raise it"}
        made = self.ask(who, "POST", "issues.json", 201, json={"issue": issue | self.fields(**fields)})
        return f"RM-{made['issue']['id']}"

    def put(self, who: str, ref: str, sent: Mapping[str, object]) -> None:
        """Somebody edits an issue."""
        self.ask(who, "PUT", f"issues/{number_of(ref)}.json", 204, json={"issue": sent})

    def fields(self, **said: object) -> dict[str, object]:
        """Custom fields as a request has them."""
        known = {one["name"]: one["id"] for one in self.ask("root", "GET", "custom_fields.json", 200)["custom_fields"]}
        return {"custom_fields": [{"id": known[name], "value": value} for name, value in said.items()]}

    def tracker(self, name: str) -> int:
        known = {one["name"]: int(one["id"]) for one in self.ask("root", "GET", "trackers.json", 200)["trackers"]}
        return known[name]

    def number(self, who: str) -> str:
        """A user's, as a field of users holds it."""
        return str(self.ask(who, "GET", "users/current.json", 200)["user"]["id"])

    def ask(self, who: str, method: str, path: str, status: int, **more: Any) -> Any:
        """The site's answer to a person."""
        got = CLIENT.request(method, self.url + path, headers={"X-Redmine-API-Key": self.keys[who]}, **more)
        assert got.status_code == status, got.text
        return got.json() if got.content else None


def redmine(url: str, key: str, **settings: Any) -> Redmine:
    """The adapter as our own user."""
    return Redmine(Settings(url=url, key=key, project="cases", changes="changes", **settings))


def number_of(ref: str) -> str:
    return ref.removeprefix("RM-")


def seen(text: str) -> str:
    """What the page shows of a text that is to be shown as it stands, and nothing else."""
    shown = re.fullmatch(r"(?:<pre>|~~~)\n(.*)\n(</pre>|~~~)", text.replace("\r\n", "\n"), re.DOTALL)
    assert shown, text
    assert not re.search("~~~|```" if shown[2] == "~~~" else r"</?(?:pre|code|kbd|notextile)", shown[1]), text
    return shown[1]

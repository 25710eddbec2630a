"""A GitLab with one project, over the part of its REST interface that is asked for.

Shapes are those of its documentation (https://docs.gitlab.com/api/issues/, merge_requests, notes,
resource_label_events, resource_state_events, merge_request_approvals, commits, pipelines), read on 2026-11-27; texts of
system notes those of its source, `app/services/system_notes`. Quick actions are taken out of texts and obeyed, by the
rules of `lib/gitlab/quick_actions/extractor.rb`: what a code block of three backticks holds is left alone, and nothing
else.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from forge_server import ForgeState, Request, Response, paged, served, unfenced, written
from people import HOUR, MORE, SCOPE, START

from agent.model import Case
from agent.tickets import TicketSystem
from agent.tickets.gitlab import GitLab, Settings
from agent.tickets.markdown import keys

PROJECT = "acme/changes"
ISSUES, REQUESTS = "issues", "merge_requests"
QUICK = re.compile(r"^```.+?\n```$|^/(?P<command>close|label|assign)[^\n]*(?:\n|$)", re.DOTALL | re.MULTILINE)


def user(name: str) -> dict[str, Any]:
    """A user as GitLab shows them."""
    return {"id": 1, "username": name, "name": name.title(), "state": "active", "web_url": f"https://gitlab.com/{name}"}


@dataclass
class GitLabState(ForgeState):
    """The project."""

    items: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """By kind and number, as they are told; what has a history is under `_labels`, `_states`, `_notes`, `_approved`."""
    commits: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By sha, the numbers of merge `requests` and the `pipelines`."""
    can_label: bool = True

    def write(
        self, who: str, title: str, description: str, labels: tuple[str, ...] = (), kind: str = ISSUES, **more: Any
    ) -> int:
        """Number of a new issue or merge request."""
        number, at = max((n for k, n in self.items if k == kind), default=0) + 1, self.tick()
        self.items[kind, number] = {
            "id": self.id(),
            "iid": number,
            "project_id": 4711,
            "title": title,
            "description": "",
            "state": "opened",
            "created_at": at,
            "updated_at": at,
            "labels": [],
            "author": user(who),
            "web_url": f"https://gitlab.com/{PROJECT}/-/{kind}/{number}",
            "_labels": [],
            "_states": [],
            "_notes": [],
            "_approved": [],
            **more,
        }
        for label in labels if self.can_label else ():
            self.label(who, number, label, kind)
        self.items[kind, number]["description"] = self.obeyed(who, number, kind, description)
        return number

    def obeyed(self, who: str, number: int, kind: str, text: str) -> str:
        """The text without its quick actions, which are carried out."""
        commands = [found["command"] for found in QUICK.finditer(text) if found["command"]]
        if "close" in commands:
            self.turn(who, number, "closed", kind)
        return QUICK.sub(lambda found: "" if found["command"] else found[0], text)

    def edit(self, who: str, number: int, description: str, kind: str = ISSUES) -> None:
        """Somebody edits a description."""
        self.items[kind, number]["description"] = description
        self.note(who, number, "changed the description", kind, system=True)

    def label(self, who: str, number: int, label: str, kind: str = ISSUES, action: str = "add") -> None:
        """Somebody sets a label, or takes it off."""
        item, at = self.items[kind, number], self.tick()
        item["labels"] = [one for one in item["labels"] if one != label] + ([label] if action == "add" else [])
        event = {"id": self.id(), "user": user(who), "created_at": at, "resource_type": "Issue", "resource_id": 1}
        item["_labels"].append({**event, "label": {"id": 73, "name": label, "color": "#34495E"}, "action": action})
        item["updated_at"] = at

    def turn(self, who: str, number: int, state: str, kind: str = ISSUES) -> None:
        """Somebody closes, merges or opens it again."""
        item, at = self.items[kind, number], self.tick()
        item["state"] = "opened" if state == "reopened" else state
        item["_states"].append({"id": self.id(), "user": user(who), "created_at": at, "state": state})
        item["updated_at"] = at

    def note(self, who: str, number: int, body: str, kind: str = ISSUES, *, system: bool = False) -> dict[str, Any]:
        """Somebody writes a comment, or does what GitLab notes down."""
        item, at = self.items[kind, number], self.tick()
        said = {"id": self.id(), "body": body, "author": user(who), "created_at": at, "updated_at": at}
        said |= {"system": system, "noteable_iid": number, "internal": False}
        item["_notes"].append(said)
        item["updated_at"] = at
        if not system:
            said["body"] = self.obeyed(who, number, kind, body)
        return said

    def approve(self, who: str, number: int) -> None:
        """Somebody approves a merge request."""
        self.note(who, number, "approved this merge request", REQUESTS, system=True)
        self.items[REQUESTS, number]["_approved"].append(who)

    def unapprove(self, who: str, number: int) -> None:
        """Somebody takes an approval back."""
        self.note(who, number, "unapproved this merge request", REQUESTS, system=True)
        self.items[REQUESTS, number]["_approved"].remove(who)

    def push(self, who: str, number: int) -> None:
        """Somebody pushes to the branch of a merge request."""
        body = "added 1 commit\n\n<ul><li>89e6c98d - more</li></ul>\n\n[Compare with previous version](/x)"
        self.note(who, number, body, REQUESTS, system=True)

    def merge(self, who: str, number: int, sha: str) -> None:
        """Somebody merges a merge request as this commit."""
        self.turn(who, number, "merged", REQUESTS)
        item = self.items[REQUESTS, number]
        item |= {"merged_at": item["updated_at"], "merge_user": user(who), "merged_by": user(who)}
        self.commits[sha]["requests"].append(number)

    def commit(self, sha: str, *statuses: str) -> None:
        """A commit, with a pipeline of each status."""
        pipelines = [
            {"id": self.id(), "sha": sha, "status": status, "ref": "main", "source": "push"} for status in statuses
        ]
        self.commits[sha] = {"requests": [], "pipelines": pipelines}


def shown(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it is told."""
    return {name: value for name, value in item.items() if not name.startswith("_")}


def answer(state: GitLabState, request: Request) -> Response:
    """What GitLab says to a request."""
    path = request.path.removeprefix("/api/v4/").split("/")
    if path == ["user"]:
        return Response(200, user(request.user))
    match path[2:] if path[:1] == ["projects"] and unquote(path[1]).lower() == PROJECT else None:
        case None:
            return Response(404, {"message": "404 Project Not Found"})
        case [("issues" | "merge_requests") as kind] if request.method == "GET":
            return paged(request, _listed(state, request, kind), request.path)
        case ["issues"] if request.method == "POST":
            sent = request.sent
            labels = tuple(sent.get("labels", "").split(","))
            number = state.write(request.user, sent["title"], sent.get("description", ""), labels)
            return Response(201, shown(state.items[ISSUES, number]))
        case ["repository", "commits", sha, "merge_requests"]:
            if sha not in state.commits:
                return Response(404, {"message": "404 Commit Not Found"})
            found = [shown(state.items[REQUESTS, number]) for number in state.commits[sha]["requests"]]
            return paged(request, found, request.path)
        case ["pipelines"]:
            known = state.commits.get(request.param("sha"), {"pipelines": []})
            return paged(request, known["pipelines"][::-1], request.path)
        case [("issues" | "merge_requests") as kind, number, *rest] if (kind, int(number)) in state.items:
            return _of_item(state, request, kind, int(number), rest)
    return Response(404, {"message": "404 Not found"})


def _of_item(state: GitLabState, request: Request, kind: str, number: int, rest: list[str]) -> Response:
    item = state.items[kind, number]
    match rest:
        case [] if request.method == "GET":
            return Response(200, shown(item))
        case [] if request.method == "PUT":
            if request.sent.get("state_event") == "close":
                state.turn(request.user, number, "closed", kind)
            return Response(200, shown(item))
        case ["notes"] if request.method == "POST":
            return Response(201, state.note(request.user, number, request.sent["body"], kind))
        case ["notes"]:
            return paged(request, item["_notes"][:: 1 if request.param("sort") == "asc" else -1], request.path)
        case ["resource_label_events"]:
            return paged(request, item["_labels"], request.path)
        case ["resource_state_events"]:
            return paged(request, item["_states"], request.path)
        case ["approvals"] if kind == REQUESTS:
            return Response(200, {"iid": number, "approved_by": [{"user": user(one)} for one in item["_approved"]]})
    return Response(404, {"message": "404 Not found"})


def _listed(state: GitLabState, request: Request, wanted: str) -> list[Any]:
    labels = set(filter(None, request.param("labels").split(",")))
    numbers = {int(number) for number in request.params.get("iids[]", ())}
    found = [
        shown(item)
        for (kind, number), item in state.items.items()
        if kind == wanted
        and labels <= set(item["labels"])
        and request.param("state", "all") in ("all", item["state"])
        and item["updated_at"] >= request.param("updated_after")
        and (not numbers or number in numbers)
    ]
    return sorted(found, key=lambda one: one["updated_at"], reverse=True)


@contextmanager
def gitlab() -> Iterator[tuple[GitLabState, str]]:
    """A GitLab, and its address."""
    state = GitLabState()
    with served(state, lambda headers: headers.get("private-token", ""), lambda request: answer(state, request)) as url:
        yield state, url


def system(url: str, **settings: Any) -> GitLab:
    """The adapter for it."""
    return GitLab(Settings(**{"token": "token-of-driftwarden", "project": PROJECT, "url": url, **settings}), timeout=10)


@dataclass
class GitLabPeople:
    """People with a browser."""

    state: GitLabState
    system: TicketSystem

    @classmethod
    @contextmanager
    def make(cls, _: Path) -> "Iterator[GitLabPeople]":
        """People of a GitLab of their own."""
        with gitlab() as (state, url):
            yield cls(state, system(url))

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        window = {name: at.isoformat() for name, at in (("start", start), ("end", end)) if at}
        scope = {name: getattr(SCOPE, name) for name in ("addresses", "resources", "types", "accounts")}
        text = written(kind="standard", implementer="lee", **scope, **window)
        number = self.state.write("dana", "Raise it", text, ("change",))
        self.state.label("sam", number, "approved")
        return f"{PROJECT}#{number}"

    def withdraw(self, ref: str) -> None:
        self.state.label("sam", number_of(ref), "approved", action="remove")

    def edit(self, ref: str) -> None:
        text = self.state.items[ISSUES, number_of(ref)]["description"]
        self.state.edit("dana", number_of(ref), text.replace("\r\ntypes: ", f"\r\ntypes: {MORE}, "))

    def delete(self, ref: str) -> None:
        del self.state.items[ISSUES, number_of(ref)]

    def reply(self, ref: str, who: str, text: str) -> None:
        self.state.note(who, number_of(ref), text)

    def read(self, ref: str) -> list[str]:
        item = self.state.items[ISSUES, number_of(ref)]
        notes = [unfenced(note["body"]) for note in item["_notes"] if not note["system"]]
        return [item["title"], unfenced(item["description"]), *notes]

    def count(self, case: Case) -> int:
        return sum(case.key in keys(item["description"]) for item in self.state.items.values())


def number_of(ref: str) -> int:
    """Number of a reference."""
    return int(re.split("[#!]", ref)[1])

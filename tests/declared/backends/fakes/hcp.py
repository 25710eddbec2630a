"""HCP Terraform's interface as far as reading states goes, with signed addresses on a second server."""

import json
from typing import Any

from fakes.server import Reply, Request

JSON = {"Content-Type": "application/vnd.api+json"}


class Hcp:
    """One organization, `acme`. `archive` is the address of the server that gives the states, `Archive` below."""

    def __init__(self, token: str, archive: str = "") -> None:
        self.token = token
        self.archive = archive
        self.states: dict[str, list[bytes]] = {}
        self.locks: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def reply(self, request: Request) -> Reply:
        self.asked.append(request.path)
        if request.path == "/.well-known/terraform.json":
            return 200, {}, json.dumps({"modules.v1": "/api/registry/v1/modules/", "tfe.v2": "/api/v2/"}).encode()
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, JSON, json.dumps({"errors": [{"status": "401", "title": "unauthorized"}]}).encode()
        match request.path.removeprefix("/api/v2/").split("/"):
            case ["organizations", "acme", "workspaces", name] if name in self.states:
                return self.say(
                    self.workspace(name), [{"id": "user-1", "type": "users", "attributes": {"username": "ann"}}]
                )
            case ["workspaces", id_, "current-state-version"] if self.states.get(id_.removeprefix("ws-")):
                name = id_.removeprefix("ws-")
                return self.say(self.version(name, len(self.states[name])))
            case ["state-versions"]:
                return self.page(request)
            case ["state-versions", id_] if id_.startswith("sv-"):
                name, _, number = id_.removeprefix("sv-").rpartition("-")
                if number.isdecimal() and 0 < int(number) <= len(self.states.get(name, ())):
                    return self.say(self.version(name, int(number)))
            case ["", "api", "state-versions", id_, "hosted_state"]:
                return 302, {"Location": f"https://{self.archive}/v1/object/signed-{id_}"}, b""
        return 404, JSON, json.dumps({"errors": [{"status": "404", "title": "not found"}]}).encode()

    def page(self, request: Request) -> Reply:
        assert request.query["filter[organization][name]"] == "acme"
        name, number = request.query["filter[workspace][name]"], int(request.query["page[number]"])
        size = int(request.query["page[size]"])
        count = len(self.states.get(name, ()))
        all_ = [self.version(name, each) for each in range(count, 0, -1)]
        if count:
            all_.insert(1, {**self.version(name, count), "id": "sv-snapshot"})
            all_[1]["attributes"]["intermediate"] = True
        return self.say(all_[(number - 1) * size : number * size])

    def say(self, data: Any, included: Any = ()) -> Reply:
        return 200, JSON, json.dumps({"data": data, "included": list(included)}).encode()

    def workspace(self, name: str) -> dict[str, Any]:
        lock = self.locks.get(name)
        related = {"locked-by": {"data": lock}} if lock else {}
        attributes = {"name": name, "locked": bool(lock), "created-at": "2026-01-01T00:00:00.000Z"}
        return {"id": f"ws-{name}", "type": "workspaces", "attributes": attributes, "relationships": related}

    def version(self, name: str, number: int) -> dict[str, Any]:
        attributes = {
            "created-at": f"2026-01-02T{number // 60:02}:{number % 60:02}:00.000Z",
            "size": len(self.states[name][number - 1]),
            "serial": number,
            "status": "finalized",
            "intermediate": False,
            "vcs-commit-sha": f"c0ffee{number}",
            "hosted-state-download-url": f"https://{self.host}/api/state-versions/sv-{name}-{number}/hosted_state",
        }
        made = {"created-by": {"data": {"id": "user-2", "type": "users"}}, "run": {"data": None}}
        return {"id": f"sv-{name}-{number}", "type": "state-versions", "attributes": attributes, "relationships": made}

    host = ""
    """Set once it is served."""


class Archive:
    """Gives states to whoever knows the signed address, and refuses tokens, which are none of its business."""

    def __init__(self, hcp: Hcp) -> None:
        self.hcp = hcp

    def reply(self, request: Request) -> Reply:
        if "authorization" in request.headers:
            return 400, {}, b"a token went to a server it is not for"
        name, _, number = request.path.rpartition("/")[2].removeprefix("signed-sv-").rpartition("-")
        return 200, {}, self.hcp.states[name][int(number) - 1]

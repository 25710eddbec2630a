"""State in HCP Terraform or Terraform Enterprise; hides their JSON:API, service discovery, tokens and signed addresses.

A location is `remote://host/organization/workspace`
(https://developer.hashicorp.com/terraform/cloud-docs/api-docs/state-versions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import msgspec

from agent.clean import clean
from agent.declared import partial
from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched, Version
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.state import NoStateError, StateError, refuse_size
from agent.declared.web import Web, same_server

HOST = "app.terraform.io"
_SERVICES = ("tfe.v2.2", "tfe.v2.1", "tfe.v2")
_PAGE = 100
_PAGES = 1_000
_TOLD = {
    401: "does not accept our token: set TF_TOKEN_… of its host, or renew it with `terraform login`",
    404: "there is no such organization or workspace, or our token may not see it",
}


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """The place a `backend "remote"` block names; its `workspaces` has a `name`, or a `prefix` of the selected one."""
    inner = partial.block(settings, "workspaces")
    name, prefix = inner.get("name"), inner.get("prefix")
    if not name and not prefix:
        raise StateError('the `backend "remote"` block\'s `workspaces` has neither `name` nor `prefix`: set one')
    if prefix and workspace == DEFAULT_WORKSPACE:
        raise StateError(f"no workspace with the prefix {prefix} is selected: run `terraform workspace select`")
    return place(settings, str(name or f"{prefix}{workspace}"))


def place(settings: Mapping[str, Any], workspace: str) -> str:
    """The location of a workspace by its full name."""
    organization = settings.get("organization")
    if not organization:
        raise StateError("the backend's block does not name its organization: set it in `backend_config`")
    host = str(settings.get("hostname") or HOST).lower()
    return f"remote://{host}/{quote(str(organization), safe='')}/{quote(workspace, safe='')}"


def read(location: str, access: Access, version: str) -> Fetched:
    """The current state version of a workspace, or the one of an id."""
    with Web(location, access) as web:
        api = _Api(web, location, access)
        workspace = api.workspace()
        if version:
            found = api.one(f"state-versions/{quote(version, safe='')}", f"has no state version {clean(version, 80)}")
        else:
            why = "the workspace has no state yet: apply the stack, or allow our token to read its state versions"
            found = api.one(f"workspaces/{quote(workspace.data.id, safe='')}/current-state-version", why)
        refuse_size(found.data.attributes.size or 0, location, access.limit)
        data = api.download(found.data)
    attributes = found.data.attributes
    return Fetched(
        data,
        version=found.data.id,
        modified=attributes.created_at,
        locked=workspace.holder() if workspace.data.attributes.locked else "",
        writer=found.data.by(),
    )


def history(location: str, access: Access) -> Iterator[Version]:
    """The workspace's state versions; snapshots made during a run are left out."""
    with Web(location, access) as web:
        api = _Api(web, location, access)
        for number in range(1, _PAGES + 1):
            page = api.page(number)
            for each in page.data:
                told = each.attributes
                if not told.intermediate and told.status in ("", "finalized"):
                    commit = clean(told.vcs_commit_sha or "", 64)
                    yield Version(each.id, told.created_at, told.size, told.serial, commit, each.by())
            if len(page.data) < _PAGE:
                return


class _Reference(msgspec.Struct):
    id: str
    type: str = ""


class _Relation(msgspec.Struct):
    data: _Reference | None = None


class _Attributes(msgspec.Struct, rename="kebab"):
    """Of workspaces, state versions and users: what each has."""

    locked: bool = False
    created_at: datetime | None = None
    serial: int | None = None
    size: int | None = None
    status: str = ""
    intermediate: bool = False
    vcs_commit_sha: str | None = None
    hosted_state_download_url: str | None = None
    username: str = ""


class _Item(msgspec.Struct):
    id: str
    attributes: _Attributes
    relationships: dict[str, msgspec.Raw] = {}

    def relation(self, name: str) -> _Reference | None:
        """What it is related to as `name`."""
        try:
            return msgspec.json.decode(self.relationships.get(name, b"{}"), type=_Relation).data
        except msgspec.DecodeError:
            return None

    def by(self) -> str:
        """Who made it."""
        made = self.relation("created-by") or self.relation("run")
        return clean(made.id, 80) if made else ""


class _One(msgspec.Struct):
    data: _Item
    included: list[_Item] = []

    def holder(self) -> str:
        """Who holds the workspace's lock: a user's name, or the id of a run, team or user."""
        lock = self.data.relation("locked-by")
        if lock is None:
            return "somebody"
        name = next((each.attributes.username for each in self.included if each.id == lock.id), "")
        return clean(f"{lock.type.removesuffix('s') or 'holder'} {name or lock.id}", 200)


class _Page(msgspec.Struct):
    data: list[_Item]


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
for _each in (_One, _Page, _Relation):
    msgspec.json.Decoder(_each)


class _Api:
    """The interface of one server, with our token for it."""

    def __init__(self, web: Web, location: str, access: Access) -> None:
        parts = location.partition("://")[2].split("/")
        if len(parts) != 3 or not all(parts):
            raise StateError(f"{location} names no workspace: write remote://host/organization/workspace")
        self.web, self.location, self.limit = web, location, access.limit
        self.host, self.organization, self.name = parts[0], unquote(parts[1]), unquote(parts[2])
        self.url = self._discovered()
        self.headers = {
            "Authorization": f"Bearer {token(self.host, location, access)}",
            "Accept": "application/vnd.api+json",
        }

    def _discovered(self) -> str:
        """Where the interface is (https://developer.hashicorp.com/terraform/internals/remote-service-discovery)."""
        url = f"https://{self.host}/.well-known/terraform.json"
        services = self.web.json(
            url, dict[str, Any], redirects=2, told={404: "offers no Terraform services: correct the `hostname`"}
        )
        found = next((str(services[each]) for each in _SERVICES if each in services), "")
        if not found or urlsplit(urljoin(url, found)).scheme != "https":
            raise StateError(f"{self.location}: offers no states over https: correct the `hostname`")
        return urljoin(url, found).rstrip("/") + "/"

    def workspace(self) -> _One:
        path = f"organizations/{quote(self.organization, safe='')}/workspaces/{quote(self.name, safe='')}"
        return self.web.json(f"{self.url}{path}", _One, self.headers, params={"include": "locked_by"}, told=_TOLD)

    def one(self, path: str, absent: str) -> _One:
        return self.web.json(f"{self.url}{path}", _One, self.headers, told={**_TOLD, 404: absent})

    def page(self, number: int) -> _Page:
        params = {
            "filter[workspace][name]": self.name,
            "filter[organization][name]": self.organization,
            "page[number]": str(number),
            "page[size]": str(_PAGE),
        }
        return self.web.json(f"{self.url}state-versions", _Page, self.headers, params=params, told=_TOLD)

    def download(self, version: _Item) -> bytes:
        """The address is signed, a secret by itself: our token goes with it only to the server the token is for."""
        url = urljoin(self.url, version.attributes.hosted_state_download_url or "")
        if not version.attributes.hosted_state_download_url or urlsplit(url).scheme != "https":
            raise NoStateError(
                f"{self.location}: the state version cannot be downloaded: it is pending or was discarded"
            )
        headers = {"Authorization": self.headers["Authorization"]} if same_server(self.url, url) else {}
        return self.web.get(url, headers, limit=self.limit, redirects=3).body


def token(host: str, location: str, access: Access) -> str:
    """Our token for a host, from where Terraform takes it: `TF_TOKEN_…`, its configuration file, `terraform login`.

    The block's own outranks them. Raises `StateError` where there is none.
    """
    if access.settings.get("token"):
        return str(access.settings["token"])
    wanted = f"tf_token_{host.replace('.', '_').replace('-', '__')}".lower()
    found = next((value for name, value in access.environment.items() if name.lower() == wanted), "")
    home = Path(access.environment.get("HOME") or "/nonexistent")
    configured = access.environment.get("TF_CLI_CONFIG_FILE")
    files = (Path(configured) if configured else home / ".terraformrc", home / ".terraform.d" / "credentials.tfrc.json")
    for path in files:
        found = found or _written(path, host)
    if not found:
        raise StateError(
            f"{location}: there is no token for {host}: set TF_TOKEN_{host.replace('-', '__').replace('.', '_')}, "
            "or write credentials.tfrc.json with `terraform login`"
        )
    return found


def _written(path: Path, host: str) -> str:
    """A host's token in a configuration file of Terraform's; empty where it has none."""
    try:
        with path.open("rb") as file:
            data = file.read(partial.MAX_BYTES)
        if path.name.endswith(".json"):
            return str(msgspec.json.decode(data)["credentials"][host]["token"])
        blocks = [each for each in parse(data, str(path)).blocks if each.labels == (host,)]
        return str(partial.body(blocks[0].body, str(path))["token"]) if blocks else ""
    except (OSError, ParseError, StateError, msgspec.DecodeError, LookupError, TypeError, UnicodeDecodeError):
        return ""

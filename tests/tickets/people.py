"""What people do in a ticket system, told once for each system."""

import uuid
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from roundup_server import ADMIN_PASSWORD, Tracker
from ruamel.yaml import YAML

from agent.model import Case, Ticket, TicketScope
from agent.tickets import TicketSystem
from agent.tickets.text import marker

HOUR = timedelta(hours=1)
START = datetime(2031, 3, 1, 10, tzinfo=UTC)
"""In the future: a tracker writes its journal now, so that nothing but the window lies here."""
SCOPE = TicketScope(
    ("aws_sqs_queue.orders", "module.orders.*"), ("arn:aws:sqs:*:orders",), ("aws_sns_topic",), ("0123*",)
)
MORE = "aws_kms_key"


def told(ticket: Ticket) -> list[str]:
    """The ticket's history, a word an entry: a state, `+` who approved, `-` whose approval ended."""
    words = []
    for event in ticket.history:
        words += [event.state] if event.state else []
        words += [f"+{event.approved_by}"] if event.approved_by else []
        words += [f"-{event.withdrawn_by}"] if event.withdrawn_by else []
    return words


class People(Protocol):
    """What people do in a ticket system, and what they see there."""

    system: TicketSystem

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        """Reference of a standard change with `SCOPE` that dana asked for, lee implements and sam approved."""

    def withdraw(self, ref: str) -> None:
        """Sam takes the approval back."""

    def edit(self, ref: str) -> None:
        """Dana adds `MORE` to the types that the ticket covers."""

    def delete(self, ref: str) -> None:
        """An administrator deletes the ticket."""

    def reply(self, ref: str, who: str, text: str) -> None:
        """One of dana, lee and sam writes into a case's ticket."""

    def read(self, ref: str) -> list[str]:
        """The texts of a filed case, title first."""

    def count(self, case: Case) -> int:
        """How many tickets were ever filed for the case."""


@dataclass
class RegisterPeople:
    """People with an editor."""

    directory: Path
    system: TicketSystem

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        ref = f"CHG-{uuid.uuid4().hex[:8]}"
        at = datetime.now(UTC).isoformat()
        window = {name: at.isoformat() for name, at in (("start", start), ("end", end)) if at}
        events = [{"at": at, "state": "draft"}, {"at": at, "state": "approved"}, {"at": at, "approved_by": "sam"}]
        scope = {name: list(getattr(SCOPE, name)) for name in ("addresses", "resources", "types", "accounts")}
        ticket = {"ref": ref, "title": "Raise it", "kind": "standard", "requester": "dana", "implementer": "lee"}
        self._write(ref, {**ticket, "scope": scope, "window": window, "history": events})
        return ref

    def withdraw(self, ref: str) -> None:
        ticket = YAML(typ="safe").load(self.directory / f"{ref}.yaml")
        ticket["history"].append({"at": datetime.now(UTC).isoformat(), "withdrawn_by": "sam"})
        self._write(ref, ticket)

    def edit(self, ref: str) -> None:
        ticket = YAML(typ="safe").load(self.directory / f"{ref}.yaml")
        before = deepcopy(ticket["scope"])
        ticket["scope"]["types"].append(MORE)
        ticket["history"].append({"at": datetime.now(UTC).isoformat(), "edited": {"scope": before}})
        self._write(ref, ticket)

    def delete(self, ref: str) -> None:
        (self.directory / f"{ref}.yaml").unlink()

    def reply(self, ref: str, who: str, text: str) -> None:
        file = self.directory / "cases" / f"{ref}.yaml"
        filed = YAML(typ="safe").load(file)
        filed["history"].append({"at": datetime.now(UTC).isoformat(), "note": text, "by": who})
        YAML(typ="safe").dump(filed, file)

    def read(self, ref: str) -> list[str]:
        filed = YAML(typ="safe").load(self.directory / "cases" / f"{ref}.yaml")
        return [filed["title"], filed["body"], *(entry["note"] for entry in filed["history"] if "note" in entry)]

    def count(self, case: Case) -> int:
        return len(list((self.directory / "cases").glob(f"{marker(case.key)}*")))

    def _write(self, ref: str, ticket: object) -> None:
        YAML(typ="safe").dump(ticket, self.directory / f"{ref}.yaml")


@dataclass
class RoundupPeople:
    """People with a browser."""

    tracker: Tracker
    system: TicketSystem

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        window = {f"window_{name}": f"{at:%Y-%m-%d.%H:%M:%S}" for name, at in (("start", start), ("end", end)) if at}
        scope = {name: "\n".join(getattr(SCOPE, name)) for name in ("addresses", "resources", "types", "accounts")}
        fields = {"title": "Raise it", "kind": "standard", "implementer": "lee", **window, **scope}
        number = self.tracker.create("dana", "change", **fields)
        edited = self.tracker.edit("sam", "change", number, status="approved", approved_by=["sam"])
        assert edited.status_code == 200, edited.text
        return f"change{number}"

    def withdraw(self, ref: str) -> None:
        edited = self.tracker.edit("sam", "change", ref.removeprefix("change"), approved_by=[])
        assert edited.status_code == 200, edited.text

    def edit(self, ref: str) -> None:
        types = "\n".join([*SCOPE.types, MORE])
        edited = self.tracker.edit("dana", "change", ref.removeprefix("change"), types=types)
        assert edited.status_code == 200, edited.text

    def delete(self, ref: str) -> None:
        with self.tracker.client("admin", ADMIN_PASSWORD) as client:
            path = f"rest/data/change/{ref.removeprefix('change')}"
            etag = client.get(path).json()["data"]["@etag"]
            gone = client.delete(path, headers={"If-Match": etag})
        assert gone.status_code == 200, gone.text

    def reply(self, ref: str, who: str, text: str) -> None:
        number = ref.removeprefix("issue")
        message = self.tracker.create(who, "msg", content=text, author=who, date=".")
        with self.tracker.client(who) as client:
            known = client.get(f"rest/data/issue/{number}").json()["data"]["attributes"]["messages"]
        edited = self.tracker.edit(who, "issue", number, messages=[*(one["id"] for one in known), message])
        assert edited.status_code == 200, edited.text

    def read(self, ref: str) -> list[str]:
        with self.tracker.client("dana") as client:
            issue = client.get(f"rest/data/issue/{ref.removeprefix('issue')}").json()["data"]["attributes"]
            numbers = sorted(int(message["id"]) for message in issue["messages"])
            said = [client.get(f"rest/data/msg/{number}", params={"@verbose": "3"}).json() for number in numbers]
        return [issue["title"], *(message["data"]["attributes"]["content"] for message in said)]

    def count(self, case: Case) -> int:
        with self.tracker.client("dana") as client:
            found = client.get("rest/data/issue", params={"title": marker(case.key)}).json()["data"]
        return int(found["@total_size"])

"""Which ticket systems a configuration opens, and what they answer."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent.config import Config, ConfigError, TicketsConfig
from agent.model import Tickets
from agent.ticketing import look_up, open_systems
from agent.tickets import register, roundup

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
REGISTER = register.Settings(path="tickets")
ROUNDUP = roundup.Settings(url="http://127.0.0.1:1/demo/", user="drift", password="x")
TICKET = "ref: {ref}\nwindow:\n  start: {start}\n  end: {end}\n"


def configured(base: Path, file_to: str = "", **systems: object) -> Config:
    given = Config(tickets=TicketsConfig(file_to=file_to, systems=systems))
    return msgspec.structs.replace(given, base=str(base))


@pytest.mark.parametrize(
    ("tickets", "names", "target"),
    [
        ({}, [], None),
        ({"register": REGISTER}, ["register"], "register"),
        ({"roundup": ROUNDUP}, ["roundup"], "roundup"),
        ({"register": REGISTER, "roundup": ROUNDUP}, ["register", "roundup"], None),
        ({"register": REGISTER, "roundup": ROUNDUP, "file_to": "roundup"}, ["register", "roundup"], "roundup"),
    ],
)
def test_the_systems_and_the_one_that_gets_the_cases(
    tickets: dict[str, object], names: list[str], target: str | None, tmp_path: Path
) -> None:
    systems = open_systems(configured(tmp_path, **tickets))
    assert [system.name for system in systems.every] == names
    assert (systems.target and systems.target.name) == target


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[tickets\.roundup\]: "):
        open_systems(configured(tmp_path, roundup=roundup.Settings(url="ftp://x", user="", password="")))


def asked(base: Path, *refs: str, **tickets: object) -> Tickets:
    """What the systems answer about these references."""
    return look_up(open_systems(configured(base, **tickets)), refs, START, END)


def test_tickets_are_looked_up_by_reference_and_by_time(tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    folder.mkdir()
    for ref, start, end in (
        ("CHG-1", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"),
        ("CHG-2", "2025-03-02T10:00:00Z", "2025-03-02T11:00:00Z"),
        ("CHG-3", "2025-03-02T10:00:00Z", "2025-03-02T11:00:00Z"),
    ):
        (folder / f"{ref}.yaml").write_text(TICKET.format(ref=ref, start=start, end=end))
    found = asked(tmp_path, "CHG-3", register=REGISTER)
    assert [ticket.ref for ticket in found.found] == ["CHG-1", "CHG-3"]
    assert found.unanswered == ()


def test_one_silent_system_does_not_silence_the_other(tmp_path: Path) -> None:
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "one.yaml").write_text("ref: CHG-1\n")
    found = asked(tmp_path, register=REGISTER, roundup=ROUNDUP, file_to="register")
    assert [ticket.ref for ticket in found.found] == ["CHG-1"]
    (why,) = found.unanswered
    assert why.startswith("roundup: ")

"""Which ticket systems a configuration opens, and what they and it say about authority."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent.authorise import PATHS
from agent.config import (
    AuthorityConfig,
    Config,
    ConfigError,
    PipelineConfig,
    RegisterConfig,
    RoundupConfig,
    TicketsConfig,
)
from agent.model import Actor, Authority, Change, Claim, Pipeline, Trail
from agent.ticketing import authority, open_systems

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
REGISTER = RegisterConfig(path="tickets")
ROUNDUP = RoundupConfig(url="http://127.0.0.1:1/demo/", user="drift", password="x")
TICKET = "ref: {ref}\nwindow:\n  start: {start}\n  end: {end}\n"


def configured(base: Path, authority: AuthorityConfig | None = None, **tickets: object) -> Config:
    given = Config(tickets=TicketsConfig(**tickets), authority=authority or AuthorityConfig())
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
        open_systems(configured(tmp_path, roundup=RoundupConfig(url="ftp://x", user="", password="")))


def asked(base: Path, *claims: str, **tickets: object) -> Authority:
    """Authority over one change whose maker typed these references."""
    change = Change(
        ("e1",),
        START,
        "sqs:X",
        Actor("dana", "person"),
        "cli",
        "1",
        "eu-west-1",
        claims=tuple(Claim(text, "session name") for text in claims),
    )
    config = configured(base, **tickets)
    return authority(config, open_systems(config), Trail(START, END, (change,)))


def test_tickets_are_looked_up_by_reference_and_by_time(tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    folder.mkdir()
    for ref, start, end in (
        ("CHG-1", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"),
        ("CHG-2", "2025-03-02T10:00:00Z", "2025-03-02T11:00:00Z"),
        ("CHG-3", "2025-03-02T10:00:00Z", "2025-03-02T11:00:00Z"),
    ):
        (folder / f"{ref}.yaml").write_text(TICKET.format(ref=ref, start=start, end=end))
    found = asked(tmp_path, "CHG-3", register=REGISTER).tickets
    assert [ticket.ref for ticket in found.found] == ["CHG-1", "CHG-3"]
    assert found.unanswered == ()


def test_one_silent_system_does_not_silence_the_other(tmp_path: Path) -> None:
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "one.yaml").write_text("ref: CHG-1\n")
    found = asked(tmp_path, register=REGISTER, roundup=ROUNDUP, file_to="register").tickets
    assert [ticket.ref for ticket in found.found] == ["CHG-1"]
    (why,) = found.unanswered
    assert why.startswith("roundup: ")


def test_the_policy_of_the_configuration(tmp_path: Path) -> None:
    given = AuthorityConfig(
        pipeline=(PipelineConfig(name="deploy", role="arn:x", subject="repo:x", source_ips=("192.0.2.0/24",)),),
        people={"dana@x": "dana"},
        paths={"manual": ("actor", "ticket")},
        approved_states=("Go",),
        approvals=2,
        tolerance="5m",
        grace="1h",
    )
    config = configured(tmp_path, given)
    found = authority(config, open_systems(config), Trail(START, END))
    assert found.pipelines == (Pipeline("deploy", "arn:x", "repo:x", "", ("192.0.2.0/24",)),)
    assert found.people == {"dana@x": "dana"}
    assert found.paths == {**PATHS, "manual": ("actor", "ticket")}
    assert (found.approved_states, found.approvals, found.tolerance, found.grace) == ({"go"}, 2, 300, 3600)


def test_without_a_word_the_defaults_of_both_agree(tmp_path: Path) -> None:
    config = configured(tmp_path)
    found = authority(config, open_systems(config), Trail(START, END))
    assert found == Authority(paths=PATHS)

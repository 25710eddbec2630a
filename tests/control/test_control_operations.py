"""Which commands come through the socket, and who is let in for which: every operation against every kind of peer."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner
from doorway import HELD, STRANGER, UIDS, Asked
from night import CASE, GRANT

from agent.cli import main
from agent.config import load
from agent.control.gate import Nobody, admit
from agent.control.operations import OPERATIONS
from agent.control.peer import Peer
from agent.declare import Refused
from agent.directory import read
from agent.store import connect
from agent.tables import RoleName

ALL = {"root", "probe", "ops", "vera", "dana", "kim", "erik", "ada"}
ROLES = {"dana", "kim", "erik", "ada"}
MAY = {
    "status": ALL,
    "scan": {"root", *ROLES},
    "findings list": ALL,
    "findings show": ALL,
    "why": ALL,
    "report": ALL,
    "report weekly": ALL,
    "cases list": ALL,
    "cases show": ALL,
    "cases review": {"kim"},
    "cases accept": ROLES,
    "cases deliveries": ALL,
    "cases retry": {"ada"},
    "breakglass open": {"dana"},
    "breakglass document": {"vera", *ROLES},
    "breakglass review": {"kim"},
    "breakglass list": ALL,
    "breakglass show": ALL,
    "breakglass template": ALL,
    "except list": ALL,
    "baseline list": ALL,
    "trail status": ALL,
    "trail who": ROLES,
    "trail explain": ROLES,
    "trail access": ROLES,
}
"""Who is let in. Of dana documenter, kim reviewer, dana, kim and erik approver, ada admin, vera nothing; probe is a
service, ops a shared account; a stranger is let in nowhere."""

HERE = {
    "baseline approve": "signs a file of the working copy",
    "baseline propose": "writes files of the working copy, with the install key",
    "except add": "writes a file of the working copy",
    "except approve": "signs a file of the working copy",
    "except expire": "writes a file of the working copy",
    "trail import": "reads files where it is typed, however large",
    "replay": "reads rules where it is typed",
    "rules list": "reads rules where it is typed",
    "rules test": "reads rules where it is typed",
    "rules explain": "reads rules where it is typed",
    "check": "proves the configuration where it is typed",
    "declared": "reads code and states where it is typed",
    "demo": "needs no daemon",
    "init": "needs no daemon",
    "plan": "reads a plan where it is typed",
    "daemon": "is the daemon",
}
"""Commands that never go through the socket, and why."""

AT_THE_STORE = ("db",)
"""Groups of commands that work on the store itself, by whoever holds it."""


def commands(command: click.Command = main, name: str = "") -> Iterator[str]:
    """The words of every command there is."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from commands(found, f"{name} {word}".strip())
    else:
        yield name


def test_every_command_goes_through_the_socket_or_says_why_not() -> None:
    there = {name for name in commands() if name.partition(" ")[0] not in AT_THE_STORE}
    assert there - set(OPERATIONS) - set(HERE) == set()
    assert set(HERE) & set(OPERATIONS) == set()


def test_every_operation_has_its_row() -> None:
    assert set(MAY) == set(OPERATIONS)
    assert all(one.needs for one in OPERATIONS.values())


def test_the_page_says_who_may_what() -> None:
    page = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `([a-z ]+)` \| ([a-z, ]+) \|$", page, flags=re.MULTILINE))
    assert said == {one.name: ", ".join(one.needs) for one in OPERATIONS.values()}
    assert {name for name in said if name.partition(" ")[0] in AT_THE_STORE} == set()


def leaf(name: str) -> click.Command | None:
    command: click.Command = main
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        if found is None:
            return None
        command = found
    return command


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_a_command_and_no_path_crosses(name: str) -> None:
    operation, command = OPERATIONS[name], leaf(name)
    assert command is not None
    kinds = {str(one.name): one.type for one in command.params}
    named = {*operation.options, *operation.direct, *operation.filled, operation.folder, operation.text} - {""}
    assert named <= set(kinds)
    assert not {"config", "key", "offline", "out"} & set(operation.options)
    paths = {one for one in operation.options if isinstance(kinds[one], click.Path | click.File)}
    assert paths <= {operation.text}


def is_in(name: str, who: str, folder: Path) -> bool:
    config, now = load(folder / "driftwarden.toml"), datetime.now(UTC)
    uid = {"root": 0, "stranger": STRANGER, "self": os.geteuid(), **UIDS}[who]
    people, roles = config.daemon.people, config.authority.roles
    maps = (lambda: read(config, None, now),) * 2
    try:
        admit(OPERATIONS[name], Peer(1, uid, uid, "", ""), people, roles, maps, now)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("name", sorted(MAY))
def test_who_is_let_in(name: str, filled: Path) -> None:
    there = {who for who in (*ALL, "stranger", "self") if is_in(name, who, filled)}
    assert there == (MAY[name] | {"self"} if "root" in MAY[name] else MAY[name])
    assert "stranger" not in there


@pytest.mark.parametrize("uid", sorted({0, os.geteuid()}))
def test_who_may_look_is_not_nobody_whatever_they_ask(uid: int, filled: Path) -> None:
    """That would be remembered, and they could not look for so long."""
    config, now = load(filled / "driftwarden.toml"), datetime.now(UTC)
    maps = (lambda: read(config, None, now),) * 2
    for who, nobody in ((uid, False), (STRANGER, True)):
        with pytest.raises(Refused, match="you are nobody here") as refused:
            admit(OPERATIONS["cases review"], Peer(1, who, who, "", ""), {}, config.authority.roles, maps, now)
        assert isinstance(refused.value, Nobody) == nobody


def test_every_role_opens_something_of_its_own() -> None:
    used = {need for one in OPERATIONS.values() for need in one.needs}
    assert set(get_args(RoleName)) <= used


WORKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "findings list": ("probe", {}, ""),
    "findings show": ("probe", {"finding": "aws_sqs_queue.orders"}, "aws_sqs_queue.orders"),
    "why": ("probe", {"name": "aws_sqs_queue.orders", "output": "json"}, "aws_sqs_queue.orders --output json"),
    "cases list": ("vera", {"closed": True}, "--all"),
    "cases show": ("vera", {"case": "SEC-1", "output": "json"}, "SEC-1 --output json"),
    "breakglass list": ("ops", {}, ""),
    "breakglass show": ("ops", {"case": GRANT}, GRANT),
    "breakglass template": ("dana", {"case": "SEC-1"}, "SEC-1"),
    "except list": ("vera", {}, ""),
    "baseline list": ("vera", {"output": "json"}, "--output json"),
    "trail status": ("probe", {}, ""),
    "trail who": ("kim", {"resource": "sg-1", "since": "1d"}, "sg-1 --since 1d"),
    "trail access": ("kim", {}, ""),
}


@pytest.mark.parametrize("name", sorted(WORKS))
def test_it_says_what_the_command_says(name: str, folder: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    who, parameters, typed = WORKS[name]
    monkeypatch.chdir(folder)
    given = asked(who, name, **parameters)
    here = CliRunner().invoke(main, ["--socket", "none", *name.split(), *typed.split()])
    said = [re.sub(r"T[0-9:]{8}Z", "", text).replace(str(folder), "") for text in (given.stdout, here.stdout)]
    assert (given.exit, given.stderr, said[0]) == (here.exit_code, here.stderr, said[1])
    assert given.stdout
    assert "\x1b" not in given.stdout


def test_a_report_crosses_as_text(asked: Asked) -> None:
    given = asked("vera", "report")
    assert sorted(name.rpartition(".")[2] for name in given.files) == ["html", "html", "md", "md"]
    assert (given.exit, given.stdout, given.stderr) == (0, "", "")
    assert given.files["latest.md"].startswith("# ")


def test_what_looks_like_an_option_is_none(asked: Asked) -> None:
    assert "event -1 is not kept" in asked("kim", "trail explain", event_id="-1").stderr
    assert "no case '--help'" in asked("kim", "cases show", case="--help").stderr
    assert "is not one of 'table', 'json'" in asked("kim", "cases list", output="--help").stderr


def test_what_the_daemon_is_asked_itself(asked: Asked) -> None:
    assert (asked("dana", "scan").ask, asked("dana", "scan").by) == ("scan", "dana")
    assert asked("vera", "scan").ask == ""
    assert "has no role documenter" in asked("vera", "scan").stderr
    assert (asked(0, "scan").ask, asked(0, "scan").by) == ("scan", "a user without a name (uid 0)")


def test_nobody_is_told_what_would_be_right(asked: Asked) -> None:
    refused = asked(STRANGER, "cases list")
    assert (refused.exit, refused.stdout, refused.nobody) == (2, "", True)
    assert f'[daemon] people says who you are, for example "uid:{STRANGER}"' in refused.stderr


# --- declarations ---------------------------------------------------------------------------------------------

DOCUMENT = {"why": "Down", "incident": "INC-7", "done": "Rebooted", "told": "kim", "way_back": "revert"}


def test_an_emergency_by_people_without_keys(asked: Asked, folder: Path) -> None:
    assert asked("erik", "breakglass open", incident="INC-8").exit == 2
    opened = asked("dana", "breakglass open", incident="INC-8", length="90m", roles=["*BreakGlass", "--held"])
    assert (opened.exit, opened.stderr) == (0, "")
    assert "declared by dana." in opened.stdout
    assert asked("dana", "breakglass document", case="SEC-1", **DOCUMENT).exit == 0
    own = asked("dana", "breakglass review", case="SEC-1", accepted=True)
    assert own.stderr.endswith("dana has no role reviewer; [authority.roles] gives it to kim\n")
    assert asked("kim", "cases review", case="SEC-1", accepted=True).stdout.startswith("SEC-1: accepted by kim")
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        said = store.declarations.listed()
        events = [event for event in store.ledger.events() if event.kind.startswith("breakglass.")]
    assert [(one.by.how, one.by.person) for one in said] == [("socket", who) for who in ("dana", "dana", "kim")]
    assert said[0].by.principal == f"uid:{UIDS['dana']}"
    assert said[0].by.evidence == f"host, pid 4711, uid {UIDS['dana']}"
    assert [event.body["note"] for event in events] == ["at the socket"] * 3


def test_whoever_acted_does_not_review(asked: Asked, folder: Path) -> None:
    config = folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('reviewer = ["kim"]', 'reviewer = ["kim", "dana"]'))
    assert asked("dana", "breakglass document", case="SEC-1", **DOCUMENT).exit == 0
    own = asked("dana", "breakglass review", case="SEC-1", accepted=True)
    assert (own.exit, own.stderr) == (2, f"driftwarden: dana acted in case {CASE}: somebody else reviews it\n")


def test_a_form_that_was_filled_in_where_the_client_is(asked: Asked) -> None:
    form = asked("vera", "breakglass template", case="SEC-1").stdout
    lines = [
        f"{name}: {DOCUMENT[key]}"
        if (name := line.partition(":")[0]) and (key := name.replace("-", "_")) in DOCUMENT
        else line
        for line in form.splitlines()
    ]
    given = asked("dana", "breakglass document", case="SEC-1", form="\n".join(lines))
    assert (given.stderr, given.exit) == ("", 0)
    empty = asked("dana", "breakglass document", case="SEC-1")
    assert "there is no terminal to edit the form in" in empty.stderr


def test_root_is_no_person(asked: Asked, folder: Path) -> None:
    refused = asked(0, "breakglass open", incident="INC-8")
    assert (refused.exit, refused.stdout) == (2, "")
    assert "you are nobody here" in refused.stderr
    config = folder / "driftwarden.toml"
    config.write_text(config.read_text() + '"uid:0" = "dana"\n')
    waiting = asked(0, "breakglass open", incident="INC-8")
    assert waiting.exit == 0 or "nobody" in waiting.stderr


def test_held_cases_take_two_people(asked: Asked) -> None:
    first = asked("kim", "cases accept", held=True, reason="maintenance")
    assert first.stdout == f"hold {HELD}: accepted by kim (it takes 2 people)\n"
    assert "it takes another" in asked("kim", "cases accept", what=[HELD]).stderr
    assert "acted in case" in asked("dana", "cases accept", what=[HELD]).stderr
    assert "(enough: the next scan goes on with it)" in asked("erik", "cases accept", what=[HELD]).stdout
    assert json.loads(asked("vera", "cases list", output="json").stdout)[0]["stage"]


def test_an_admin_has_what_was_refused_tried_again_and_the_ledger_names_them(asked: Asked, folder: Path) -> None:
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        now = datetime.now(UTC)
        (entry, *_) = store.outbox.claim_some("filer", now, timedelta(minutes=1), 1)
        assert store.outbox.dead(entry, "403: forbidden", now)
    assert "403: forbidden" in asked("vera", "cases deliveries").stdout
    assert asked("kim", "cases retry", everything=True).exit == 2
    answer = asked("ada", "cases retry", ids=[str(entry.id)])
    assert (answer.exit, answer.stdout.startswith("1 delivery is tried again")) == (0, True)
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        assert store.ledger.events()[-1].body == {"outbox": [entry.dedup_key], "by": "ada"}

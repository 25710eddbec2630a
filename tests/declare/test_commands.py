"""The commands, as they are typed: real keys, a real store, and a terminal where one is needed."""

import json
import os
import pty
import re
import select
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from night import CASE, GRANT, call, seen

from agent.cli import breakglass, main
from agent.config import load
from agent.declare import Ground, ground, in_force, pick_up
from agent.model import Directory, Severity
from agent.store import Store, connect

IDENTITIES = """\
people:
  - {id: dana, principals: [dana@example.org], users: [dana.k]}
  - {id: kim}
  - {id: erik}
"""
CONFIG = """\
[estate]
name = "shop"
[identities]
file = "identities.yaml"
[authority]
signers = "allowed_signers"
[authority.roles]
approver = ["kim", "erik"]
[store]
url = "sqlite:///driftwarden.db"
"""


@pytest.fixture
def place(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, in which commands are typed."""
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    (tmp_path / "identities.yaml").write_text(IDENTITIES)
    shutil.copy(keys / "allowed_signers", tmp_path / "allowed_signers")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(place: Path, store: Store) -> Store:
    """The store the commands use, with a case of dana's."""
    now = datetime.now(UTC) - timedelta(hours=1)
    seen(store, call(at=now), at=now, deadline=now + timedelta(hours=24), ticket="SEC-1", body="The calls.")
    return store


Typed = Callable[..., Result]


@pytest.fixture
def typed(keys: Path) -> Typed:
    """Types a command, with somebody's key."""

    def run(line: str, who: str = "", stdin: str = "") -> Result:
        words = line.split() if isinstance(line, str) else line
        return CliRunner().invoke(main, [*words, *(["--key", str(keys / who)] if who else [])], input=stdin)

    return run


FLAGS = "--why=Down --incident=INC-7 --done=Rebooted --told=kim --way-back=revert"


def stages(typed: Typed) -> list[str]:
    return [one["stage"] for one in json.loads(typed("breakglass list --output json").stdout)]


def test_an_emergency_from_open_to_accepted(store: Store, typed: Typed) -> None:
    opened = typed("breakglass open --incident INC-8 --for 90m --role *BreakGlass", "dana")
    assert opened.exit_code == 0
    grant = re.search(r"BG-[0-9a-f]{12}", opened.stdout)
    assert grant is not None
    assert "declared by dana." in opened.stdout
    assert stages(typed) == ["awaiting-document", "window open"]
    assert typed(f"breakglass document {GRANT} {FLAGS}", "dana").exit_code == 0
    assert stages(typed) == ["awaiting-review", "window open"]
    self_review = typed(f"breakglass review {GRANT} --accept", "dana")
    assert (self_review.exit_code, self_review.stdout) == (2, "")
    assert self_review.stderr == f"driftwarden: dana acted in case {CASE}: somebody else reviews it\n"
    assert typed(f"breakglass review {GRANT} --reject --reason=Why?", "kim").exit_code == 0
    assert stages(typed) == ["rejected", "window open"]
    assert typed(f"breakglass document {GRANT} {FLAGS}", "dana").exit_code == 0
    accepted = typed("cases review SEC-1 --accept", "kim")
    assert accepted.stdout == "SEC-1: accepted by kim; the next scan tells the ticket.\n"
    assert stages(typed) == ["way-back", "window open"]
    shown = typed(f"breakglass show {GRANT}").stdout
    for line in ("stage:      way-back", "  why:      Down", "Review: accepted by kim ", "The calls."):
        assert line in shown
    told = json.loads(typed(f"cases show {CASE} --output json").stdout)
    assert (told["document"]["by"], told["review"]["by"], told["calls"][0]["event"]) == ("dana", "kim", ["e1"])
    assert "INC-8, until" in typed(f"breakglass show {grant[0]}").stdout
    now = datetime.now(UTC)
    seen(store, call(at=now), call("e2", at=now + timedelta(minutes=1)), at=now, deadline=now + timedelta(hours=24))
    assert stages(typed) == ["awaiting-document", "window open"]
    assert "A call was made after it, at " in typed("cases show SEC-1").stdout


def test_an_ordinary_case_reviewed(store: Store, typed: Typed) -> None:
    now = datetime.now(UTC)
    seen(store, call("e5", at=now), at=now, grant="", key="eeeeee0123456789", actors=("dana",))
    assert typed("cases review eeeeee --accept --reason=asked", "kim").exit_code == 0
    assert "reviewed: accepted" in typed("cases list").stdout
    (row,) = [one for one in json.loads(typed("cases list --output json").stdout) if one["case"].startswith("eee")]
    assert row["who"] == ["dana"]
    assert "eeeeee" not in typed("breakglass list").stdout


def test_what_is_graver_is_listed_first_and_of_those_what_is_older(store: Store, typed: Typed) -> None:
    began = datetime.now(UTC) - timedelta(days=9)
    severities: list[Severity] = ["low", "critical", "medium", "high", "critical"]
    for number, severity in enumerate(severities):
        key, at = f"{number}{severity}-0123456789", began + timedelta(days=number)
        seen(store, call(f"e-{number}", at=at), at=at, grant="", key=key, severity=severity)
    names = [one["case"].partition("-")[0] for one in json.loads(typed("cases list --output json").stdout)]
    assert names == ["1critical", "4critical", "3high", CASE, "2medium", "0low"]


def test_a_document_is_reviewed_once_a_scan_has_seen_the_calls(store: Store, typed: Typed) -> None:
    (grant,) = set(re.findall(r"BG-[0-9a-f]{12}", typed("breakglass open --incident INC-8", "dana").stdout))
    then = f"driftwarden breakglass review {grant}\n"
    early = typed(f"breakglass document {grant} {FLAGS}", "dana")
    assert early.stdout.endswith(f"Somebody else reviews it, once a scan has seen its calls: {then}")
    refused = typed(f"breakglass review {grant} --accept", "kim")
    assert "no scan has seen the calls of " in refused.stderr
    done = typed(f"breakglass document SEC-1 {FLAGS}", "dana")
    assert done.stdout.endswith("Somebody else reviews it: driftwarden breakglass review SEC-1\n")


def test_the_form_of_a_case_filled_in_and_given_back(store: Store, typed: Typed) -> None:
    form = typed("breakglass template SEC-1").stdout
    assert form.startswith(f"driftwarden document {CASE}\n")
    empty = typed("breakglass document SEC-1 --file -", "dana", form)
    assert empty.exit_code == 2
    assert "the form does not count yet:\nline " in empty.stderr
    filled = form
    for name, answer in {"why": "Down", "incident": "INC-7", "done": "Rebooted", "told": "kim"}.items():
        filled = re.sub(rf"^{name}:.*$", f"{name}: {answer}", filled, flags=re.MULTILINE)
    filled = re.sub(r"^way-back:.*$", "way-back: codify", filled, flags=re.MULTILINE)
    other = filled.replace(CASE, "ffffff0123456789", 1)
    wrong = typed("breakglass document SEC-1 --file -", "dana", other)
    assert "the form is for case ffffff0123456789, not for SEC-1" in wrong.stderr
    assert "no form is in it" in typed("breakglass document SEC-1 --file -", "dana", "hello").stderr
    done = typed("breakglass document SEC-1 --file -", "dana", filled)
    assert (done.exit_code, done.stderr) == (0, "")
    assert stages(typed) == ["awaiting-review"]


@pytest.mark.parametrize(
    ("line", "who", "says"),
    [
        ("breakglass open --incident INC-1", "mallory", "no line of it is of the key that signed"),
        ("breakglass open --incident INC-1 --for 2", "dana", "--for: '2' is no duration"),
        ("breakglass open --incident INC-1 --for 13h", "dana", "longest is 12h"),
        ("breakglass document SEC-9 " + FLAGS, "dana", "no case 'SEC-9'"),
        ("breakglass document SEC-1 --why=Down", "dana", "--incident, --done, --told, --way-back must be given too"),
        ("breakglass document SEC-1", "dana", "there is no terminal to edit the form in: give --why, --incident"),
        ("breakglass review SEC-1", "kim", "say --accept or --reject"),
        ("cases review SEC-1", "kim", "say --accept or --reject"),
        ("breakglass review SEC-1 --accept", "kim", "is not documented yet"),
        ("cases accept", "kim", "name a held case, or say --held"),
        ("cases accept --held", "kim", "no case is held"),
        ("cases accept SEC-1", "kim", f"case {CASE} is not held"),
        ("cases show SEC-9", "", "no case 'SEC-9'"),
        ("breakglass template SEC-9", "", "no case 'SEC-9'"),
        ("breakglass open --incident INC-1 -c none.toml", "dana", "none.toml: no such file"),
        ("breakglass open --incident INC-1 -c none.toml", "dana", "\nWithout the store, `--offline FOLDER` signs it"),
        ("breakglass open --incident INC-1 --offline x -c none.toml", "dana", "none.toml: No such file"),
        ("breakglass open --incident INC-1 --offline driftwarden.toml", "dana", "is a file"),
        ("breakglass open --incident INC-1 --offline driftwarden.toml/x", "dana", "Not a directory"),
    ],
)
def test_what_does_not_count(store: Store, typed: Typed, line: str, who: str, says: str) -> None:
    done = typed(line, who)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert store.declarations.listed() == ()


def test_no_option_says_who_you_are(store: Store, typed: Typed) -> None:
    for line in ("breakglass open --incident INC-1 --as kim", f"breakglass document SEC-1 {FLAGS} --by kim"):
        assert typed(line, "dana").exit_code == 2
    typed(f"breakglass document SEC-1 {FLAGS}", "dana")
    assert [one.by.person for one in store.declarations.listed()] == ["dana"]


def test_held_cases_take_two_people(store: Store, typed: Typed) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    seen(store, call("e2", at=now), at=now, held=True, key="bbbbbb0123456789")
    first = typed("cases accept --held --reason=maintenance", "kim")
    assert first.stdout == "hold bbbbbb0123456789: accepted by kim (it takes 2 people)\n"
    assert "held, 1 of 2 accepted" in typed("cases list").stdout
    assert "it takes another" in typed("cases accept bbbbbb", "kim").stderr
    second = typed("cases accept bbbbbb", "erik")
    assert "(enough: the next scan goes on with it)" in second.stdout
    (row,) = [one for one in json.loads(typed("cases list --output json").stdout) if one["case"].startswith("bbb")]
    assert (row["stage"], sorted(row["accepted_by"])) == ("held, 2 of 2 accepted", ["erik", "kim"])


def test_without_network_store_or_secrets(place: Path, typed: Typed, keys: Path, tmp_path: Path) -> None:
    """On a machine that has the configuration and nothing it refers to; later the files are found."""
    laptop = tmp_path / "laptop"
    laptop.mkdir()
    (laptop / "driftwarden.toml").write_text(CONFIG + '[tickets.roundup]\nurl = "${env:NOT_HERE}"\n')
    config = f"-c {laptop}/driftwarden.toml --offline {laptop}/out"
    opened = typed(f"breakglass open --incident INC-7 {config}", "dana")
    assert opened.exit_code == 0
    grant = re.findall(r"BG-[0-9a-f]{12}", opened.stdout)[0]
    documented = typed(f"breakglass document {grant} {FLAGS} {config}", "dana")
    assert (documented.exit_code, documented.stderr) == (0, "")
    shutil.move(laptop / "out", place / "offline")
    with connect(f"sqlite:///{place}/driftwarden.db") as store:
        judged_by = grounds(place, store)
        now = datetime.now(UTC) + timedelta(hours=5)
        assert [one.state for one in pick_up(place / "offline", judged_by, now)] == ["taken", "taken"]
    assert stages(typed) == ["awaiting-review"]
    assert "dana" in typed("breakglass list").stdout


def grounds(place: Path, store: Store) -> Ground:
    from agent.directory import read_file

    config = load(place / "driftwarden.toml")
    with in_force(config, store, datetime.now(UTC)) as force:
        return ground(config, store, Directory(read_file(place / "identities.yaml")[0]), force)


def test_a_command_never_brings_a_looser_authority_into_force(store: Store, place: Path, typed: Typed) -> None:
    grounds(place, store)
    (place / "driftwarden.toml").write_text(CONFIG.replace('["kim", "erik"]', '["kim", "erik", "dana"]'))
    typed("breakglass open --incident INC-7", "dana")
    assert [event.kind for event in store.ledger.events()].count("authority.loosened") == 0


def at_a_terminal(place: Path, editor: str, answers: str, *words: str) -> str:
    """What a command prints on a terminal, with an editor of one's own."""
    script = place / "editor"
    script.write_text(f"#!/bin/sh\n{editor}\n")
    script.chmod(0o755)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["EDITOR"] = os.environ["VISUAL"] = str(script)
        os.execv(sys.executable, [sys.executable, "-c", "from agent.cli import main; main()", *words])
    said = b""
    try:
        os.write(terminal, answers.encode())
        while select.select([terminal], [], [], 60)[0]:
            try:
                said += os.read(terminal, 4096)
            except OSError:  # the command has ended
                break
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return said.decode().replace("\r\n", "\n")


FILL = r"""if grep -q '^why: Down' "$1"
then sed -i -e 's/^incident:.*/incident: INC-7/' -e 's/^done:.*/done: Rebooted/' -e 's/^told:.*/told: kim/' \
  -e 's/^way-back:.*/way-back: revert/' "$1"
else sed -i 's/^why:.*/why: Down/' "$1"
fi"""


def test_the_form_in_an_editor(store: Store, place: Path, keys: Path) -> None:
    """Edited again until it is whole."""
    said = at_a_terminal(place, FILL, "y\n", "breakglass", "document", "SEC-1", "--key", str(keys / "dana"))
    assert "'told' is empty" in said
    assert "SEC-1: documented by dana." in said
    (document,) = store.declarations.listed()
    assert (document.by.how, document.by.person) == ("signature", "dana")


def test_what_was_written_is_never_lost(
    store: Store, place: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click, "edit", lambda text, **_: text.replace("why:", "why: Down"))
    monkeypatch.setattr(breakglass, "at_terminal", lambda: True)
    done = typed("breakglass document SEC-1", "dana", "n\n")
    assert done.exit_code == 2
    assert "not documented; what you wrote is in driftwarden-document.txt" in done.stderr
    assert "why: Down" in (place / "driftwarden-document.txt").read_text()
    assert store.declarations.listed() == ()


def test_the_first_usual_key_is_taken(store: Store, place: Path, typed: Typed, keys: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(place))
    assert "no key in" in typed("breakglass open --incident INC-7").stderr
    (place / ".ssh").mkdir()
    shutil.copy(keys / "kim", place / ".ssh" / "id_ed25519")
    assert "declared by kim." in typed("breakglass open --incident INC-7").stdout


# --- a window is told at once --------------------------------------------------------------------------------

FILES = '[tickets]\nmode = "file"\n'
REGISTER = '[tickets.register]\npath = "tickets"\n'
SILENT = '[tickets.roundup]\nurl = "http://127.0.0.1:1/demo/"\nuser = "drift"\npassword = "x"\n'
OPEN = "breakglass open --incident INC-8 --reason=orders"


def configured(place: Path, more: str) -> None:
    (place / "driftwarden.toml").write_text(CONFIG + more)
    (place / "tickets").mkdir(exist_ok=True)


def filed(place: Path) -> list[Path]:
    files = (file for file in (place / "tickets").rglob("*") if file.is_file())
    return [file for file in files if "window" in file.read_text()]


def test_opening_a_window_tells_every_approver_at_once(store: Store, place: Path, typed: Typed) -> None:
    configured(place, FILES + REGISTER)
    opened = typed(OPEN, "dana")
    assert opened.exit_code == 0
    (case,) = [one for one in store.cases.open() if one.stage == "open"]
    assert opened.stdout.splitlines()[-1] == f"The approvers are told in {case.ticket}."
    (ticket,) = filed(place)
    for line in ("For kim, erik: so that you know.", "Declared by dana at ", "Incident: INC-8", "Reason: orders"):
        assert line in ticket.read_text()
    kinds = [event.kind for event in store.ledger.events()]
    assert kinds[kinds.index("breakglass.opened") :] == ["breakglass.opened", "case.opened", "case.filed", "case.filed"]
    # Listed as what it is, and nobody can review what was not done.
    assert stages(typed) == ["awaiting-document", "window open"]
    assert "INC-8, until" in typed(f"breakglass show {case.grant}").stdout
    assert typed(f"breakglass document {case.grant} {FLAGS}", "dana").exit_code == 0
    refused = typed(f"breakglass review {case.grant} --accept", "kim")
    assert f"no scan has seen the calls of {case.key} yet" in refused.stderr
    # Another window is another case.
    typed(OPEN, "dana")
    assert len(filed(place)) == 2


def test_a_case_is_opened_between_scans_only_once(store: Store) -> None:
    (case,) = store.cases.open()
    assert not store.cases.begin(case, "opening o1", datetime.now(UTC))
    assert [event.kind for event in store.ledger.events()].count("case.opened") == 1


@pytest.mark.parametrize(
    ("more", "says", "waiting"),
    [
        ("", r"No case is opened, since nothing is filed here \(\[tickets\] mode\): tell the approvers yourself\.", 0),
        (FILES + SILENT, r"Case [0-9a-f]{16} is open and not filed yet; the next scan tries again: .*127\.0\.0\.1", 1),
        (FILES + SILENT.replace("http:", "ftp:"), r"The approvers are not told yet, the next scan does it: .*ftp", 1),
    ],
)
def test_what_became_of_a_window_is_said(
    store: Store, place: Path, typed: Typed, more: str, says: str, waiting: int
) -> None:
    before = len(store.cases.open())
    configured(place, more)
    opened = typed(OPEN, "dana")
    assert opened.exit_code == 0
    assert "is open until" in opened.stdout
    assert re.match(says, opened.stdout.splitlines()[-1])
    assert len(store.cases.open()) == before + waiting
    claimed = store.outbox.claim("test", datetime.now(UTC) + timedelta(hours=2), timedelta(minutes=1))
    assert claimed is not None


def test_what_is_filed_before_it_comes_first(store: Store, place: Path, typed: Typed, monkeypatch: Any) -> None:
    configured(place, FILES + REGISTER)
    monkeypatch.setattr("agent.cli._announce._MOST", 1)
    said = typed(OPEN, "dana").stdout.splitlines()[-1]
    assert said.endswith("is open and not filed yet; the next scan tries again: others are filed before it")


def test_offline_the_approvers_are_told_later(place: Path, typed: Typed) -> None:
    assert typed(f"{OPEN} --offline out", "dana").stdout.endswith("\nThe approvers are told once a scan finds it.\n")


def test_the_review_after_the_work_is_listed(store: Store, typed: Typed) -> None:
    assert typed(f"breakglass document {GRANT} {FLAGS}", "dana").exit_code == 0
    assert typed(f"breakglass review {GRANT} --accept", "kim").exit_code == 0
    now = datetime.now(UTC) - timedelta(hours=1)
    seen(store, call(at=now), at=now, ticket="SEC-1", stage="post-implementation")
    assert stages(typed) == ["post-implementation"]
    assert typed(f"breakglass review {GRANT} --reject --post-implementation --reason=Why?", "kim").exit_code == 0
    assert stages(typed) == ["post-implementation"]
    assert typed(f"breakglass review {GRANT} --accept --post-implementation", "erik").exit_code == 0
    assert stages(typed) == ["reviewed after the work"]


def test_an_ordinary_case_has_no_review_after_the_work(store: Store, typed: Typed) -> None:
    now = datetime.now(UTC)
    seen(store, call("e5", at=now), at=now, grant="", key="eeeeee0123456789", actors=("dana",))
    assert typed("cases review eeeeee --accept --reason=asked", "kim").exit_code == 0
    again = typed("cases review eeeeee --accept --reason=asked --post-implementation", "kim")
    assert "is not break-glass: it has one review, and none after the work" in again.stderr

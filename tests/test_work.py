"""What the daemon has done in child processes: taking a configuration over, and telling that a scan ended."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import standing, work
from agent.config import ConfigError, load, read_from, reading
from agent.declare import in_force
from agent.directory import read_file
from agent.freeze import read_calendars
from agent.rule_file import RuleError
from agent.rules import load_rules
from agent.store import connect
from agent.tolerated.terms import Approvals, entries

CONFIG = """\
[rules]
dirs = ["rules"]

[identities]
file = "people.yaml"

[smtp]
password = "canary-smtp"

[tickets.roundup]
url = "http://127.0.0.1:9"
user = "driftwarden"
password = "canary-roundup"

[[stack]]
name = "shop"
dir = "shop"
"""

RULE = """\
id: ours
title: Ours
severity: low
stage: observe
when: { outcome: unauthorised }
why: Because
fix: Do it
controls: []
examples: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name in ("rules", "exceptions", "shop"):
        (tmp_path / name).mkdir()
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    (tmp_path / "people.yaml").write_text("people: []\n")
    (tmp_path / "exceptions" / "old.yaml").write_text("- id: old\n")
    yield tmp_path
    read_from(None)


def adopt(folder: Path, number: int = 1) -> dict[str, Any]:
    return dict(work.adopt(folder / "driftwarden.toml", folder / "run" / str(number)))


def test_what_was_found_right_is_read_on_though_the_files_change(folder: Path) -> None:
    said = adopt(folder)
    before = load(folder / "driftwarden.toml")
    (folder / "driftwarden.toml").write_text("no toml [")
    (folder / "people.yaml").write_text("people: 7\n")
    (folder / "exceptions" / "old.yaml").unlink()
    (folder / "exceptions" / "new.yaml").write_text("- id: new\n")
    (folder / "rules" / "wrong.yaml").write_text("id: [")
    assert load(folder / "driftwarden.toml") == before
    assert (before.base, before.sha256) == (str(folder), said["config"]["sha256"])
    assert read_file(before.path("people.yaml")) == ((), ())
    assert [(file, one.line) for file, one in entries(before.path("exceptions")).found] == [
        (folder / "exceptions" / "old.yaml", 1)  # under its own name, wherever it was read
    ]
    assert load_rules([reading(before.path("rules"))]) == load_rules()
    read_from(None)
    with pytest.raises(ConfigError, match="not TOML"):
        load(folder / "driftwarden.toml")
    assert "new.yaml" in str(entries(before.path("exceptions")).found[0][0])


def test_what_was_not_there_when_it_was_looked_at_is_not_there(folder: Path, key: str) -> None:
    """Somebody pulls a first exception, and beside it half a file: the one counts as little as the other."""
    (folder / "driftwarden.toml").write_text(
        '[exceptions]\ndir = "policy/exceptions"\n[baseline]\ndir = "policy"\n'
        '[authority]\nsigners = "allowed_signers"\nstanding = "standing"\n'
    )
    (folder / "allowed_signers").write_text(f"dana {key}")
    named = [Path(one) for one in adopt(folder)["policy"]]
    absent = [one for one in named if not one.exists()]
    assert {one.name for one in absent} == {"policy", "exceptions", "standing", "allowed_signers.revoked"}
    (folder / "policy" / "exceptions").mkdir(parents=True)
    (folder / "standing").mkdir()
    for place in ("policy/exceptions", "policy", "standing"):
        (folder / place / "good.yaml").write_text("- id: EX-1\n")
    (folder / "standing" / "half.yaml").write_text("a: [\n")
    (folder / "allowed_signers.revoked").write_text(key)
    assert [one for one in absent if reading(one).exists()] == []
    assert entries(folder / "policy" / "exceptions").found == entries(folder / "policy").found == ()
    nobody = Approvals()
    now = datetime.now(UTC)
    assert standing.read(folder / "standing", nobody, now, lambda _: None).unread == (
        f"{folder}/standing: no such directory",
    )
    read_from(None)
    assert len(entries(folder / "policy" / "exceptions").found) == 1
    with pytest.raises(ConfigError, match=r"standing/half\.yaml:1"):
        adopt(folder, 2)
    read_from(None)
    (folder / "standing" / "half.yaml").unlink()
    adopt(folder, 3)
    assert len(entries(folder / "policy" / "exceptions").found) == len(entries(folder / "policy").found) == 1


def test_a_folder_of_rules_that_is_not_there_is_refused(folder: Path) -> None:
    (folder / "rules").rmdir()
    with pytest.raises(RuleError, match=f"^{folder}/rules: no such directory of rules$"):
        adopt(folder)


def test_the_daemon_itself_gets_no_secrets_of_jobs(folder: Path) -> None:
    text = json.dumps(adopt(folder))
    assert "canary" not in text
    said = json.loads(text)
    assert said["config"]["tickets"]["systems"] == {"roundup": {}}
    assert said["code"] == [str(folder / "shop")]
    assert str(folder / "rules") in said["policy"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "driftwarden.toml",
            '[schedule]\nreport = "0 8 * * mo"\n',
            "driftwarden.toml:2: schedule.report: '0 8 * * mo': 'mo' is no day",
        ),
        (
            "driftwarden.toml",
            '[schedule]\ntimezone = "Mars"\n',
            "driftwarden.toml:2: schedule.timezone: 'Mars' is no time zone",
        ),
        (
            "driftwarden.toml",
            '[[stack]]\nname = "a"\ndir = "a"\nschedule = "often"\n',
            "driftwarden.toml:4: stack[0].schedule: 'often' is no schedule",
        ),
        ("rules/wrong.yaml", "id: [\n", "/rules/wrong.yaml:1: is not YAML"),
        ("rules/ours.yaml", RULE.replace("low", "grave"), "/rules/ours.yaml:3: "),
        ("people.yaml", "people: 7\n", "/people.yaml:1: "),
        ("exceptions/old.yaml", "- id: [\n", "/exceptions/old.yaml:1"),
    ],
    ids=["cron", "timezone", "stack", "yaml", "rule", "people", "exceptions"],
)
def test_what_is_wrong_is_named_by_its_own_file(folder: Path, name: str, content: str, said: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises((ConfigError, RuleError)) as error:
        adopt(folder)
    assert said in str(error.value)
    assert "/run/1" not in str(error.value)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A public key, as its file has it."""
    file = tmp_path_factory.mktemp("key") / "dana"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file.with_name("dana.pub").read_text()


CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"


def test_keys_and_calendars_are_read_as_they_were_found_right(folder: Path, key: str) -> None:
    """Somebody writes them anew: what there is of them meanwhile is nobody's word."""
    path = folder / "driftwarden.toml"
    path.write_text('[authority]\nsigners = "allowed_signers"\ncalendars = ["freezes.ics", "ssm:payments"]\n')
    signers, revoked, calendar = (
        folder / name for name in ("allowed_signers", "allowed_signers.revoked", "freezes.ics")
    )
    signers.write_text(f"# of the team\ndana {key}")
    revoked.write_text(key)
    calendar.write_text(CALENDAR)
    said = adopt(folder)
    assert {str(one) for one in (signers, revoked, calendar)} <= set(said["policy"])
    with connect(load(path).store_url()) as store:
        now = datetime.now(UTC)
        with in_force(load(path), store, now):
            pass
        for file in (signers, revoked, calendar):
            file.write_text("")
        with in_force(load(path), store, now) as force:
            assert (force.told(), force.signers) == ((), signers)
        assert [one.kind for one in store.ledger.events()] == ["authority.begun"]
        assert read_calendars(load(path), lambda: None, now, now).unread == (
            "calendar ssm:payments: there are no credentials to ask SSM with",
        )
        read_from(None)
        # Where no daemon keeps a copy, an empty file is refused: it does not come into force for a moment.
        with pytest.raises(ConfigError, match="has no key"), in_force(load(path), store, now):
            pass
        signers.write_text(f"dana {key}")
        revoked.write_text(key)
        with in_force(load(path), store, now) as force:
            assert force.told() == ()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("allowed_signers", "", "allowed_signers: has no key"),
        ("allowed_signers", "# only\n", "allowed_signers: has no key"),
        ("allowed_signers", "dana {half}", "allowed_signers:1: no key, or half of one"),
        ("allowed_signers", "dana {key}kim ssh-", "allowed_signers:2: no key, or half of one"),
        ("allowed_signers.revoked", "{key}{half}", "allowed_signers.revoked:2: no key, or half of one"),
        ("allowed_signers.revoked", "SSHKRL\n\0\0", "allowed_signers.revoked: is no whole list of revoked keys"),
        ("freezes.ics", CALENDAR[:40], "freezes.ics: "),
        ("freezes.ics", "", "freezes.ics: "),
    ],
    ids=["empty", "comment", "half", "second", "revoked", "krl", "calendar", "no-calendar"],
)
def test_half_a_file_is_not_taken_over(folder: Path, key: str, name: str, content: str, said: str) -> None:
    given = '[authority]\nsigners = "allowed_signers"\ncalendars = ["freezes.ics"]\n'
    (folder / "driftwarden.toml").write_text(given)
    (folder / "allowed_signers").write_text(f'dana namespaces="driftwarden,git" {key}')
    (folder / "freezes.ics").write_text(CALENDAR)
    adopt(folder)
    read_from(None)
    (folder / name).write_text(content.format(key=key, half=key[:50]))
    with pytest.raises(ConfigError) as error:
        adopt(folder, 2)
    assert said in str(error.value)
    assert "/run/2" not in str(error.value)


def test_links_are_followed_and_what_is_relative_stays_where_it_was(folder: Path) -> None:
    """As Kubernetes keeps files: a folder of each version, and a link to the last."""
    for name in ("v1", "v2"):
        (folder / name).mkdir()
        (folder / name / "driftwarden.toml").write_text(f'[estate]\nname = "{name}"\n')
    (folder / "now").symlink_to("v1")
    path = folder / "now" / "driftwarden.toml"
    work.adopt(path, folder / "run" / "1")
    (folder / "next").symlink_to("v2")
    (folder / "next").rename(folder / "now")
    assert (load(path).estate.name, load(path).base) == ("v1", str(folder / "v1"))
    read_from(None)
    assert (load(path).estate.name, load(path).base) == ("v2", str(folder / "v2"))


class _Switch(http.server.BaseHTTPRequestHandler):
    """A dead man's switch."""

    asked: list[str]
    answer = 200

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_said: Any) -> None:
        """Says nothing."""


def test_the_dead_mans_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _Switch.asked = []
    path = tmp_path / "driftwarden.toml"
    with http.server.HTTPServer(("127.0.0.1", 0), _Switch) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        path.write_text(f'[daemon]\nheartbeat = "http://127.0.0.1:{server.server_port}/canary-uuid"\n')
        assert work._main([str(path), "heartbeat"]) == 0
        assert _Switch.asked == ["/canary-uuid"]
        _Switch.answer = 404
        assert work._main([str(path), "heartbeat"]) == work.FAILED
        server.shutdown()
    assert work._main([str(path), "heartbeat"]) == work.FAILED
    path.write_text('[daemon]\nheartbeat = "file:///etc/passwd"\n')
    assert work._main([str(path), "heartbeat"]) == work.FAILED
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.get("error", "") for one in told] == [
        "",
        "the dead man's switch answers 404",
        "the dead man's switch cannot be reached: ConnectionRefusedError",
        "[daemon] heartbeat is no address; write https://…",
    ]
    assert "canary" not in str(told)


def test_a_job_of_a_leader_that_was_fenced_out_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "driftwarden.toml"
    path.write_text('[tickets]\nmode = "file"\n[tickets.register]\npath = "tickets"\n')
    (tmp_path / "tickets").mkdir()
    config = load(path)
    with connect(config.store_url()) as store:
        fence = store.leadership.take("one", datetime.now(UTC))
        store.leadership.take("two", datetime.now(UTC))
    assert work._main([str(path), "file", "--fence", str(fence)]) == work.FAILED
    assert "another" in json.loads(capsys.readouterr().out)["error"]
    assert work._main([str(path), "file", "--fence", str(fence + 1)]) == 0
    assert json.loads(capsys.readouterr().out) == {"sent": 0, "retried": 0, "dead": 0, "errors": []}


def test_a_job_by_a_configuration_that_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "driftwarden.toml").write_text("wrong")
    assert work._main([str(tmp_path / "driftwarden.toml"), "prune"]) == work.MISUSE
    assert "not TOML" in json.loads(capsys.readouterr().out)["error"]


def test_a_configuration_that_is_refused_says_what_it_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong may stand in a file of which nobody else knows."""
    (folder / "people.yaml").write_text("people: 7\n")
    arguments = [str(folder / "driftwarden.toml"), "adopt", "--into"]
    assert work._main([*arguments, str(folder / "run" / "1")]) == work.MISUSE
    said = json.loads(capsys.readouterr().out)
    assert "people.yaml:1: " in said["error"]
    assert {str(folder / name) for name in ("rules", "people.yaml", "exceptions")} <= set(said["policy"])

"""`driftwarden except` and `driftwarden baseline` as people type them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from permissions import office

from agent.cli import main
from agent.model import Baselined, Drift, Finding, Hit, Key, PolicyException, Verdict
from agent.run import install_key
from agent.store import ScanCommit, Seen, connect
from agent.store.tolerated import Use, record
from agent.tolerated.baseline import BaselineFile
from agent.tolerated.shown import baseline_rows, exception_rows

NOW = datetime.now(UTC)
QUEUE = Key("111122223333", "eu-west-1", "aws_sqs_queue", "orders")
ROLE = Key("111122223333", "global", "aws_iam_role", "admin")
IDENTITIES = """\
people:
  - id: dana
    principals: [dana@acme.example]
  - id: sam
    principals: [sam@acme.example]
    groups: [security]
  - id: kim
    principals: [kim@acme.example]
"""
CONFIG = """\
[estate]
name = "acme"
[identities]
file = "identities.yaml"
[authority]
signers = "allowed_signers"
standing = "standing"
[authority.roles]
approver = ["group:security"]
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return office(tmp_path_factory.mktemp("keys")).folder


@pytest.fixture
def folder(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    (tmp_path / "identities.yaml").write_text(IDENTITIES)
    (tmp_path / "allowed_signers").write_text((keys / "allowed_signers").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_an_exception_from_asking_to_its_end(folder: Path, keys: Path) -> None:
    asked = ("--reason", "a migration", "--owner", "dana", "--approver", "sam", "--until", "30d", "--id", "EX-1")
    got = run("except", "add", "--address", "aws_sqs_queue.orders", "--attribute", "delay_seconds", *asked)
    assert got.exit_code == 0, got.output
    assert "EX-1 waits for sam's approval" in got.output
    assert "waiting" in run("except", "list").output

    refused = run("except", "approve", "EX-1", "--key", str(keys / "keys" / "kim"))
    assert refused.exit_code == 2
    assert "kim@acme.example's signature, not sam's" in refused.output

    approved = run("except", "approve", "EX-1", "--key", str(keys / "keys" / "sam"))
    assert approved.exit_code == 0, approved.output
    (row,) = json.loads(run("except", "list", "--output", "json").output)
    assert (row["state"], row["use"], row["unused"]) == ("in force", "not known", False)
    assert row["scope"] == "aws_sqs_queue.orders, delay_seconds"

    with connect(f"sqlite:///{folder}/driftwarden.db") as store, store.database.write() as connection:
        record(connection, [Hit("EX-1", "F-1", "delay_seconds")], NOW)
    assert f"1, last {NOW:%Y-%m-%d}" in run("except", "list").output

    assert run("except", "expire", "EX-1").exit_code == 0
    (ended,) = json.loads(run("except", "list", "--output", "json").output)
    assert ended["state"] == "expired"
    assert run("except", "expire", "EX-2").exit_code == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--until", "400d", "--address", "shop/*"), "at the latest"),
        (("--until", "soon", "--address", "shop/*"), "must be a time"),
        (("--until", "30d"), "needs one of addresses"),
        (("--until", "30d", "--address", "*"), "would be everything"),
        (("--until", "30d", "--address", "shop/*", "--approver", "dana"), "is the owner too"),
    ],
)
def test_what_would_be_refused_is_refused_at_once(folder: Path, words: tuple[str, ...], why: str) -> None:
    got = run("except", "add", "--reason", "x", "--owner", "dana", "--approver", "sam", *words)
    assert got.exit_code == 2
    assert why in got.output
    assert not (folder / "exceptions").exists()


def test_two_of_a_day_have_ids_of_their_own(folder: Path) -> None:
    asked = ("except", "add", "--reason", "x", "--owner", "dana", "--approver", "sam", "--until", "30d", "--address")
    assert [run(*asked, name).exit_code for name in ("shop/*", "bank/*")] == [0, 0]
    assert len(list((folder / "exceptions").iterdir())) == 2


def test_a_broken_file_is_told_and_ends_with_3(folder: Path) -> None:
    (folder / "exceptions").mkdir()
    (folder / "exceptions" / "a.yaml").write_text("- id: EX-1\n")
    got = run("except", "list")
    assert got.exit_code == 3
    assert "a.yaml:1: exception EX-1 needs a reason" in got.output
    assert "No exceptions in" in got.output


def test_a_standing_change_is_approved_the_same_way(folder: Path, keys: Path) -> None:
    (folder / "standing").mkdir()
    file = folder / "standing" / "scaling.yaml"
    file.write_text(
        "- id: STD-1\n  types: [aws_autoscaling_group]\n  groups: [platform]\n  owner: dana\n  approver: sam\n"
        f"  since: {NOW:%Y-%m-%d}\n  until: {NOW + timedelta(days=300):%Y-%m-%d}\n"
    )
    got = run("except", "approve", "STD-1", "--key", str(keys / "keys" / "sam"))
    assert got.exit_code == 0, got.output
    assert "BEGIN SSH SIGNATURE" in file.read_text()


def seen(folder: Path, *findings: Finding) -> None:
    """Findings of a scan that ended; it made the install key."""
    install_key(folder / "driftwarden.key")
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        store.scans.begin("run-1", NOW, "config", "rules")
        kept = ScanCommit("run-1", NOW, "violations", b"{}", seen=tuple(Seen(one) for one in findings))
        store.scans.commit(kept, None)


def test_a_baseline_from_a_scan_to_its_approval(folder: Path, keys: Path) -> None:
    drift = Drift(QUEUE, "changed", "delay_seconds", 0, 60, address="aws_sqs_queue.orders", stack="shop")
    unseen = Verdict("indeterminate")
    story = Finding("F-1", QUEUE, "aws_sqs_queue.orders", "shop", drifts=(drift,), verdict=unseen)
    role = Drift(ROLE, "changed", "path", "/", "/x/")
    seen(folder, story, Finding("F-2", ROLE, "aws_iam_role.admin", "shop", drifts=(role,), verdict=unseen))
    got = run("baseline", "propose", "--owner", "dana", "--approver", "sam", "--until", "180d")
    assert got.exit_code == 0, got.output
    assert "1 differences wait for sam's approval" in got.output
    assert "Critical, and to be answered for (1):\n  F-2  aws_iam_role.admin" in got.output
    (file,) = (folder / "baseline").iterdir()
    assert "waiting" in run("baseline", "list").output
    assert run("baseline", "approve", str(file), "--key", str(keys / "keys" / "dana")).exit_code == 2
    approved = run("baseline", "approve", str(file), "--key", str(keys / "keys" / "sam"))
    assert approved.exit_code == 0, approved.output
    (row,) = json.loads(run("baseline", "list", "--output", "json").output)
    assert (row["state"], row["use"], row["scope"]) == ("in force", "0 of 1", "1 differences of shop")
    assert install_key(folder / "driftwarden.key").hex() not in file.read_text()
    nothing = run("baseline", "propose", "--stack", "bank", "--owner", "dana", "--approver", "sam", "--until", "180d")
    assert "Nothing to adopt" in nothing.output
    file.write_text(file.read_text().replace("delay_seconds", "policy"))
    broken = run("baseline", "list")
    assert broken.exit_code == 3
    assert "does not count" in broken.output


def test_what_needs_somebody_comes_first_and_what_nobody_needs_is_told() -> None:
    def one(id_: str, days: int, approved: str = "signed", begun: int = 30) -> PolicyException:
        until, since = NOW + timedelta(days=days), NOW - timedelta(days=begun)
        return PolicyException(id_, "x", "dana", "sam", until, types=("t",), approved=approved, since=since)

    found = [one("A", 60), one("B", -1), one("C", 5), one("D", 60, ""), one("E", 61, begun=1), one("F", 62, begun=-1)]
    rows = exception_rows(found, {"A": Use(NOW, NOW, 3)}, NOW)
    assert [(row.id, row.state, row.unused) for row in rows] == [
        ("C", "expiring", True),
        ("D", "waiting", False),
        ("A", "in force", False),
        ("E", "in force", False),
        ("F", "not begun", False),
        ("B", "expired", False),
    ]
    entry = Baselined("BL-1", QUEUE, "changed", "policy", "ab", "dana", "sam", NOW)

    def file(name: str, days: int, approved: str = "signed", begun: int = 30) -> BaselineFile:
        until, since = NOW + timedelta(days=days), NOW - timedelta(days=begun)
        return BaselineFile(Path(name), "", "dana", "sam", since, until, approved, (entry,))

    files = [file("a", 60), file("b", -1), file("c", 5), file("d", 60, ""), file("f", 60, begun=-1)]
    listed = baseline_rows(files, {}, NOW)
    assert [(row.id, row.state, row.unused) for row in listed] == [
        ("c", "expiring", True),
        ("d", "waiting", False),
        ("a", "in force", True),
        ("f", "not begun", False),
        ("b", "expired", False),
    ]
    assert {row.use for row in baseline_rows(files, {"BL-1": Use(NOW, NOW, 1)}, NOW)} == {"1 of 1"}
    assert {row.use for row in baseline_rows(files, None, NOW)} == {"not known"}

"""One scan from end to end: what it keeps, what it files, how it ends, and what is never written down."""

import contextlib
import gzip
import json
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from small_estate import ACCOUNT, CONFIG, OURS, REGION, Estate, queue, role, state

from agent import gather
from agent.child import EXIT, MISUSE, scan_in_child
from agent.collect import Collector
from agent.config import ConfigError, aws_environment, load
from agent.model import Gap, Scope, Snapshot, Trail
from agent.run import _main, install_key, run
from agent.store import Store, StoreError, Unit, connect, schema
from agent.store.units import Units
from agent.trail.source import Feed

OBSERVING = CONFIG.replace('mode = "file"', 'mode = "observe"')


def store_of(estate: Estate) -> Store:
    return connect(load(estate.config).store_url())


# --- the install key -----------------------------------------------------------------------------------------


def test_the_install_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.key"
    key = install_key(path)
    assert (len(key), path.read_bytes()) == (32, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert install_key(path) == key
    assert [file.name for file in tmp_path.iterdir()] == ["driftwarden.key"]


def test_two_scans_that_start_together_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(install_key, [tmp_path / "driftwarden.key"] * 32))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["driftwarden.key"]


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"driftwarden\.key: not an install key: 5 bytes instead of 32"):
        install_key(path)
    assert path.read_bytes() == b"short"
    with pytest.raises(ConfigError, match="Is a directory"):
        install_key(tmp_path)
    with pytest.raises(ConfigError, match="No such file or directory"):
        install_key(tmp_path / "no" / "driftwarden.key")


# --- how it ends ---------------------------------------------------------------------------------------------


def test_exit_codes() -> None:
    assert ({"clean": 0, "violations": 1, "incomplete": 3, "held": 4}, 2) == (EXIT, MISUSE)


def test_a_clean_estate(estate: Estate) -> None:
    code, found, said = estate.scan_process()
    assert (code, found["status"], said) == (0, "clean", "")
    assert (found["drifts"], found["coverage"]["gaps"]) == ([], [])
    assert (found["coverage"]["declared"], found["coverage"]["compared"]) == (3, 3)


def test_whoever_waits_for_a_scan_sees_that_it_goes_on(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each request, each delivery of the trail and each filing: only a scan that stands still is taken for hung."""
    estate.set_timeout(120)
    said: list[str] = []
    monkeypatch.setattr("agent.child._BETWEEN_SIGNS", 0.0)
    with aws_environment(estate.variables):
        done = run(load(estate.config), progress=said.append)
        filing = said.index("filing")
        assert said[:filing].count("") > done.calls > 0
        assert "" in said[filing:]
        assert _main([str(estate.config), "--signs"]) == 1
    out, err = capfd.readouterr()
    assert (json.loads(out)["status"], err.strip("\n")) == ("violations", "")
    assert len(err) > done.calls


def test_what_could_not_be_read_is_incomplete(estate: Estate) -> None:
    estate.recorder.deny(OURS, "sns:*")
    code, found, _ = estate.scan_process()
    assert (code, found["status"]) == (3, "incomplete")
    assert {gap["scope"].split("/")[2] for gap in found["coverage"]["gaps"]} == {"aws_sns_topic"}


def test_a_flood_is_held_and_stays_held(estate: Estate) -> None:
    sqs = estate.client("dana", "sqs")
    urls = [sqs.create_queue(QueueName=f"flood-{n}")["QueueUrl"] for n in range(50)]
    estate.write_trail()
    try:
        first = estate.scan_process()
        second = estate.scan()
    finally:
        for url in urls:
            sqs.delete_queue(QueueUrl=url)
    assert (first[0], first[1]["status"], second.scan.status) == (4, "held", "held")
    assert [case["state"] for case in first[1]["cases"]] == ["held"]
    assert second.document["cases"] == first[1]["cases"]
    (alarm,) = estate.tickets
    assert "1 case is held back" in alarm.read_text()


# --- what it keeps and files ---------------------------------------------------------------------------------


def test_a_dry_run_keeps_nothing(estate: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    estate.set_timeout(5)
    with aws_environment(estate.variables):
        dry = run(load(estate.config), dry_run=True)
    assert (dry.scan.status, dry.filed) == ("violations", None)
    assert [(case["state"], case["ticket"]) for case in dry.document["cases"]] == [("open", None)]
    assert (estate.tickets, list(scratch.iterdir())) == ([], [])
    with contextlib.closing(sqlite3.connect(estate.store)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert {name for name, count in rows.items() if count} == {"driftwarden"}
    assert {"scans", "units", "findings", "cases", "outbox"} <= rows.keys()
    wet = estate.scan()
    assert [case["key"] for case in wet.document["cases"]] == [case["key"] for case in dry.document["cases"]]


def test_observing_files_nothing(estate: Estate) -> None:
    estate.configure(OBSERVING)
    estate.set_timeout(5)
    first, second = estate.scan(), estate.scan()
    assert (estate.tickets, first.filed, second.filed) == ([], None, None)
    assert [case["ticket"] for case in first.document["cases"]] == [None]
    assert first.document["cases"] == second.document["cases"]
    with store_of(estate) as store:
        assert store.cases.listed() == ()
        assert [one.status for one in store.scans.last()] == ["violations", "violations"]
        assert [known.finding.address for known in store.findings.open().values()] == ["aws_sqs_queue.orders"]


def test_a_case_is_filed_once(estate: Estate) -> None:
    estate.set_timeout(5)
    first = estate.scan()
    (ticket,) = estate.tickets
    assert (first.filed and first.filed.sent, first.document["cases"][0]["ticket"]) == (1, ticket.stem)
    content = ticket.read_bytes()
    second = estate.scan()
    assert (second.filed and second.filed.sent, second.scan.actions) == (0, ())
    assert [file.read_bytes() for file in estate.tickets] == [content]
    assert second.document["cases"] == first.document["cases"]


def test_a_further_change_is_told_to_the_ticket(estate: Estate) -> None:
    estate.set_timeout(5)
    estate.scan()
    estate.set_timeout(6, who="marco")
    estate.scan()
    (ticket,) = estate.tickets
    assert "by marco" in ticket.read_text()


def test_a_lost_database_files_nothing_twice(estate: Estate) -> None:
    estate.set_timeout(5)
    first = estate.scan()
    estate.store.unlink()
    again = estate.scan()
    assert [ticket.stem for ticket in estate.tickets] == [first.document["cases"][0]["ticket"]]
    assert again.document["cases"] == first.document["cases"]
    # Even with another key for the case: the ticket names the finding.
    estate.store.unlink()
    estate.set_timeout(7)
    (estate.folder / "trail" / f"log-{estate.told}.json.gz").rename(estate.folder / "only.json.gz")
    for log in (estate.folder / "trail").iterdir():
        log.unlink()
    (estate.folder / "only.json.gz").rename(estate.folder / "trail" / "log.json.gz")
    other = estate.scan()
    assert other.document["cases"][0]["key"] != first.document["cases"][0]["key"]
    assert [ticket.stem for ticket in estate.tickets] == [other.document["cases"][0]["ticket"]]


def test_a_ticket_system_that_fails_is_told_and_the_scan_is_kept(estate: Estate) -> None:
    (estate.folder / "tickets" / "cases").write_text("in the way")
    estate.set_timeout(5)
    code, found, said = estate.scan_process()
    assert (code, found["status"], found["cases"][0]["ticket"]) == (1, "violations", None)
    assert [(one["address"], one["verdict"]["outcome"]) for one in found["findings"]] == [
        ("aws_sqs_queue.orders", "unauthorised")
    ]
    assert said.startswith("driftwarden: not filed: ")
    assert "tickets/cases" in said
    with store_of(estate) as store:
        assert len(store.cases.open()) == 1


def test_drift_is_measured_against_the_reading_accepted_before(estate: Estate) -> None:
    """What the code does not set is compared with the last reading nobody objected to."""
    estate.scan()
    with store_of(estate) as store:
        accepted = store.readings.accepted()
    assert {key.type for key in accepted} >= {"aws_sqs_queue", "aws_iam_role", "aws_s3_bucket"}


SOURCES = {
    "lookup": '"lookup"',
    "bucket": '"s3://small-estate-trail/logs"',
    "notified": '["s3://small-estate-trail/other", "s3-notifications:QUEUE"]',
    "bus": '"eventbridge:QUEUE"',
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_trail_comes_from_wherever_it_is(estate: Estate, source: str) -> None:
    with estate.recorder.paused():
        s3, sqs = estate.client("ops", "s3"), estate.client("ops", "sqs")
        s3.create_bucket(Bucket="small-estate-trail")
        queue_url = sqs.create_queue(QueueName="small-estate-events")["QueueUrl"]
    configured = SOURCES[source].replace("QUEUE", queue_url)
    estate.configure(OBSERVING.replace('source = "trail"', f"source = {configured}").replace('"1d"', '"1h"'))
    estate.set_timeout(5, who=f"dana-{source}")
    delivered = estate.recorder.deliver("small-estate-trail", "logs")
    with estate.recorder.paused():
        for body in told(s3, delivered, source):
            sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    try:
        done = estate.scan()
        with estate.recorder.paused():
            counted = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    finally:
        with estate.recorder.paused():
            for entry in s3.list_objects_v2(Bucket="small-estate-trail").get("Contents", ()):
                s3.delete_object(Bucket="small-estate-trail", Key=entry["Key"])
            s3.delete_bucket(Bucket="small-estate-trail")
            sqs.delete_queue(QueueUrl=queue_url)
    assert [gap for gap in done.scan.gaps if "small-estate-trail/other" not in gap.why] == []
    (finding,) = [one for one in done.scan.findings if one.address == "aws_sqs_queue.orders"]
    assert f"dana-{source}" in {item.change.actor.name for item in finding.changes}
    left = [int(counted[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible")]
    assert left == [0, 0]


def told(s3: Any, delivered: Sequence[str], source: str) -> Iterator[str]:
    """Bodies of the messages that tell of the log files, or hold their events."""
    for key in delivered:
        if source == "notified":
            where = {"bucket": {"name": "small-estate-trail"}, "object": {"key": key}}
            yield json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": where}]})
        if source == "bus":
            body = gzip.decompress(s3.get_object(Bucket="small-estate-trail", Key=key)["Body"].read())
            # EventBridge is not sent reads.
            for event in (one for one in json.loads(body)["Records"] if not one["readOnly"]):
                service = event["eventSource"].removesuffix(".amazonaws.com")
                kind = {"detail-type": "AWS API Call via CloudTrail", "source": f"aws.{service}", "account": ACCOUNT}
                yield json.dumps({"version": "0", "id": event["eventID"], **kind, "detail": event})


# --- what breaks ---------------------------------------------------------------------------------------------


def break_units(
    monkeypatch: pytest.MonkeyPatch, which: Callable[[Unit], bool], times: int = 99, error: BaseException | None = None
) -> list[int]:
    """The units that `which` picks raise what nobody foresaw, so many times; gives their attempts as they happen."""
    read, attempts = Collector.run, []

    def broken(collector: Collector, unit: Unit) -> Snapshot | Trail:
        if which(unit):
            attempts.append(unit.attempts)
            if len(attempts) <= times:
                raise error or ValueError(f"invalid literal: '{CANARY}'")
        return read(collector, unit)

    monkeypatch.setattr(Collector, "run", broken)
    return attempts


def test_a_reader_that_breaks_is_a_gap_and_the_rest_is_read(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = break_units(monkeypatch, lambda unit: unit.args.get("service") == "sqs")
    done = estate.scan()
    assert attempts == [1, 2, 3]
    (gap,) = done.scan.gaps
    assert gap.scope == Scope(ACCOUNT, REGION, "aws_sqs_queue")
    assert gap.why.startswith(f"live {ACCOUNT}/{REGION}/sqs: ValueError at test_run.py:")
    assert (done.scan.status, done.scan.drifts, done.scan.compared) == ("incomplete", (), 2)
    assert CANARY not in json.dumps(done.document)


def test_a_global_service_that_breaks_is_a_gap_without_a_region(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_units(monkeypatch, lambda unit: unit.args.get("service") == "iam")
    scopes = {gap.scope for gap in estate.scan().scan.gaps}
    assert {(scope.account, scope.region) for scope in scopes} == {(ACCOUNT, "global")}
    assert "aws_iam_role" in {scope.type for scope in scopes}


def test_a_reader_that_breaks_once_is_tried_again(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = break_units(monkeypatch, lambda unit: unit.kind == "declared", times=2)
    assert (estate.scan().scan.status, attempts) == ("clean", [1, 2, 3])


def test_a_stack_that_breaks_hides_its_account_and_nothing_hangs(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_units(monkeypatch, lambda unit: unit.kind == "declared")
    done = estate.scan()
    (gap,) = done.scan.gaps
    assert (gap.scope, gap.why.partition(": ")[0]) == (Scope(ACCOUNT), "declared shop")
    assert (done.scan.status, done.scan.drifts) == ("incomplete", ())


def test_a_trail_that_breaks_is_a_finding(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_collector: Collector, _args: Mapping[str, Any]) -> list[Feed]:
        raise ValueError(f"invalid literal: '{CANARY}'")

    monkeypatch.setattr(Collector, "feeds", broken)
    done = estate.scan()
    (gap,) = done.scan.gaps
    assert gap.scope == Scope(type="cloudtrail")
    assert done.document["coverage"]["trail"]["gaps"][0]["why"] == gap.why
    assert [violation.rule for violation in done.scan.violations] == ["trail-gap"]
    assert done.scan.compared == 3


def test_what_cannot_be_stored_is_a_gap(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Collector.run

    def odd(collector: Collector, unit: Unit) -> Snapshot | Trail:
        found = read(collector, unit)
        if unit.args.get("service") == "sqs":
            assert isinstance(found, Snapshot)
            return Snapshot("live", found.taken_at, gaps=(Gap(Scope(), b"bytes"),))
        return found

    monkeypatch.setattr(Collector, "run", odd)
    assert [gap.scope.type for gap in estate.scan().scan.gaps] == ["aws_sqs_queue"]


def test_a_unit_that_takes_longer_than_its_lease_is_read_once(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "LEASE", timedelta(seconds=0.8))
    feeds, runs = Collector.feeds, []

    def slow(collector: Collector, args: Mapping[str, Any]) -> list[Feed]:
        runs.append(args)
        time.sleep(2)
        return feeds(collector, args)

    monkeypatch.setattr(Collector, "feeds", slow)
    assert (estate.scan().scan.status, len(runs)) == ("clean", 1)


def test_a_scan_whose_store_fails_ends_though_others_wait_for_the_code(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, read, waits = gather._Declared.side, Collector.run, threading.Event()

    def waited_for(declared: gather._Declared) -> Snapshot:
        waits.set()
        return side(declared)

    def broken(collector: Collector, unit: Unit) -> Snapshot | Trail:
        if unit.kind != "declared":
            return read(collector, unit)
        assert waits.wait(60)
        raise RuntimeError

    def full(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(gather._Declared, "side", waited_for)
    monkeypatch.setattr(Collector, "run", broken)
    monkeypatch.setattr(Units, "fail", full)
    with pytest.raises(StoreError, match="disk full"):
        estate.scan()


def test_the_scan_is_a_process_of_its_own(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert scan_in_child(tmp_path / "no.toml") == (2, None)
    assert "no.toml: no such file" in capfd.readouterr().err
    for line, said in (("kill -9 $$", "by signal 9"), ("exit 1", "with exit code 1"), ("exit 77", "with exit code 77")):
        (tmp_path / "python").write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
        assert scan_in_child(estate.config) == (3, None)
        assert capfd.readouterr().err == (
            f"driftwarden: the scan's process ended {said} before the scan did; nothing of it is kept\n"
        )


def test_nothing_is_imported_from_the_directory_a_scan_is_called_in(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (estate.folder / "boto3.py").write_text("raise SystemExit('imported from the repository')")
    monkeypatch.chdir(estate.folder)
    with aws_environment(estate.variables):
        code, document = scan_in_child(Path("driftwarden.toml"))
    assert (code, capfd.readouterr().err) == (0, "")
    assert document is not None


# --- what is never written down ------------------------------------------------------------------------------

CANARY = "canary-93b1"


def test_no_secret_reaches_disk_or_output(estate: Estate) -> None:
    token = [[{"type": "get_attr", "value": "tags_all"}, {"type": "index", "value": {"value": "Token"}}]]
    declared = queue(tags_all={"Token": f"{CANARY}-state"}, policy="")
    declared["instances"][0]["sensitive_attributes"] = token
    whole = state(declared, role())
    whole["outputs"] = {"password": {"value": f"{CANARY}-output", "type": "string", "sensitive": True}}
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(whole))
    estate.client("ops", "sqs").tag_queue(QueueUrl=estate.queue_url, Tags={"Token": f"{CANARY}-live"})
    ssm, functions = estate.client("dana", "ssm"), estate.client("dana", "lambda")
    ssm.put_parameter(Name="/shop/password", Value=f"{CANARY}-parameter", Type="SecureString")
    functions.create_function(
        FunctionName="settle",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{ACCOUNT}:role/worker",
        Handler="x.y",
        Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18},
        Environment={"Variables": {"TOKEN": f"{CANARY}-environment"}},
    )
    estate.write_trail()
    try:
        done = estate.driftwarden("scan", "--output", "json")
        report = estate.driftwarden("report")
    finally:
        ssm.delete_parameter(Name="/shop/password")
        functions.delete_function(FunctionName="settle")
        with estate.recorder.paused():
            estate.client("ops", "sqs").untag_queue(QueueUrl=estate.queue_url, TagKeys=["Token"])
    assert done.stdout, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    assert {(drift["type"], drift["attribute"]) for drift in found["drifts"]} >= {
        ("aws_sqs_queue", "tags_all"),
        ("aws_ssm_parameter", ""),
        ("aws_lambda_function", ""),
    }
    assert (done.returncode, report.returncode) == (1, 0)
    assert estate.tickets
    ours = [path for path in estate.folder.rglob("*") if path.is_file() and path.parent.name not in ("shop", "trail")]
    assert {path.name for path in ours} > {"driftwarden.db", "driftwarden.key", "latest.html", "latest.md"}
    for said in (done.stdout, done.stderr, report.stdout, report.stderr):
        assert CANARY not in said
    assert [path.name for path in ours if CANARY.encode() in path.read_bytes()] == []
    # Packed columns hide text from a search of the file.
    with store_of(estate) as store, store.database.read() as connection:
        rows = {table.name: repr(connection.execute(table.select()).all()) for table in schema.METADATA.sorted_tables}
    assert "TagQueue" in rows["trail_entries"]
    assert [name for name, said in rows.items() if CANARY in said] == []
    for asked in (("who", "aws_sqs_queue.orders"), ("access",), ("status",)):
        assert CANARY not in estate.driftwarden("trail", *asked, "--output", "json").stdout

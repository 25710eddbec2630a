"""A state that is written while we scan: read again with its cloud, then pending; states nobody reads; edits."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from small_estate import ACCOUNT, CONFIG, Estate, bucket, queue, role, state

from agent import settle
from agent.collect import Collector
from agent.config import load
from agent.declared.backends import Fetched
from agent.declared.state import StateError
from agent.model import Gap, Scope, Snapshot, Trail
from agent.store import Unit, connect

AT_ONCE = CONFIG.replace("[tickets]\n", '[authority]\ngrace = "0s"\n\n[tickets]\n')


def write_state(estate: Estate, serial: int, seconds: int = 30, **fields: Any) -> None:
    """The state as an apply leaves it, written long enough ago to be no news."""
    path = estate.folder / "shop" / "terraform.tfstate"
    content = state(queue(visibility_timeout_seconds=seconds), role(), bucket()) | {"serial": serial} | fields
    path.write_text(json.dumps(content))
    os.utime(path, (time.time() - 60, time.time() - 60))


def set_timeout(estate: Estate, seconds: int) -> None:
    with estate.recorder.paused():
        attributes = {"VisibilityTimeout": str(seconds)}
        estate.client("ops", "sqs").set_queue_attributes(QueueUrl=estate.queue_url, Attributes=attributes)


def after_reading(monkeypatch: pytest.MonkeyPatch, kind: str, act: Callable[[int], None]) -> list[str]:
    """Something happens each time after a unit of that kind that is about the queue was read; what was read."""
    read, seen = Collector.run, []

    def run(collector: Collector, unit: Unit) -> Snapshot | Trail:
        found = read(collector, unit)
        if unit.kind == kind and unit.args.get("service", "sqs") == "sqs":
            seen.append(unit.name)
            act(len(seen))
        return found

    monkeypatch.setattr(Collector, "run", run)
    return seen


def test_an_apply_that_ends_while_we_scan_is_read_again_and_is_nothing(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(times: int) -> None:
        if times == 1:
            code = estate.folder / "shop" / "main.tf"
            code.write_text(code.read_text().replace("= 30", "= 60"))
            set_timeout(estate, 60)
            write_state(estate, 2, 60)

    seen = after_reading(monkeypatch, "live", apply)
    done = estate.scan()
    assert (done.scan.drifts, done.scan.findings, done.scan.status) == ((), (), "clean")
    assert seen == [seen[0]] * 2
    assert [one.serial for one in done.scan.states] == [2]


def test_an_apply_that_goes_on_leaves_its_stack_pending_and_then_nothing(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_timeout(estate, 60)
    with monkeypatch.context() as patch:
        after_reading(patch, "declared", lambda times: write_state(estate, times + 1))
        done = estate.scan()
    assert [one.verdict.outcome for one in done.scan.findings] == ["pending"]
    assert (done.scan.violations, done.scan.actions, done.scan.status) == ((), (), "incomplete")
    assert [gap.why for gap in done.scan.gaps] == [
        "stack shop: its state is written again and again; its differences are pending until the next scan"
    ]
    assert done.document["states"][0]["in_motion"] == "its state is written again and again"
    with connect(load(estate.config).store_url()) as store:
        assert (store.states.last(), len(store.readings.accepted())) == ({}, 0)
    write_state(estate, 9, 60)
    assert estate.scan().scan.status == "clean"


def test_a_locked_state_is_pending_and_its_cloud_is_not_read_twice(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_timeout(estate, 60)
    data = (estate.folder / "shop" / "terraform.tfstate").read_bytes()
    monkeypatch.setattr(settle, "peek", lambda *_, **__: Fetched(data, locked="dana@laptop, apply"))
    seen = after_reading(monkeypatch, "live", lambda _: None)
    done = estate.scan()
    assert [one.verdict.outcome for one in done.scan.findings] == ["pending"]
    assert "its state is locked (dana@laptop, apply)" in done.scan.gaps[0].why
    assert len(seen) == 1


def test_a_state_that_cannot_be_read_again_is_read_again_and_a_gap(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Fetched:
        raise StateError("gone")

    monkeypatch.setattr(settle, "peek", refuse)
    path = estate.folder / "shop" / "terraform.tfstate"
    after_reading(monkeypatch, "live", lambda _: path.unlink(missing_ok=True))
    done = estate.scan()
    assert done.scan.status == "incomplete"
    assert {gap.scope.account for gap in done.scan.gaps} == {ACCOUNT}
    assert done.scan.drifts == ()


def test_a_stack_that_breaks_when_read_again_is_a_gap(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(times: int) -> None:
        write_state(estate, times + 1)
        if times > 1:
            raise RuntimeError("never said")

    after_reading(monkeypatch, "declared", breaks)
    done = estate.scan()
    assert [gap.why.partition(" at ")[0] for gap in done.scan.gaps] == ["stack shop: RuntimeError"]
    assert "never said" not in json.dumps(done.document)


# --- known and unread ----------------------------------------------------------------------------------------


def test_a_state_that_no_stack_reads_suspends_what_is_unmanaged(estate: Estate) -> None:
    with estate.recorder.paused():
        estate.client("ops", "sqs").create_queue(QueueName="theirs")
    try:
        assert [one.kind for one in estate.scan().scan.drifts] == ["unmanaged"]
        unread = 'known_states = ["s3://acme-state/billing.tfstate", "s3://acme-state/audit.tfstate"]'
        estate.configure(CONFIG.replace("complete = true", f"complete = true\n{unread}"))
        done = estate.scan()
        why = (
            "state s3://acme-state/billing.tfstate and 1 more is known to exist and no stack reads it: "
            "what it declares is not known"
        )
        assert (done.scan.drifts, done.scan.gaps, done.scan.status) == ((), (Gap(Scope(ACCOUNT), why),), "incomplete")
        # One that is read by a stack suspends nothing.
        listed = 'known_states = ["terraform.tfstate"]'
        named = CONFIG.replace('dir = "shop"', 'dir = "shop"\nstate = "terraform.tfstate"')
        estate.configure(named.replace("complete = true", listed))
        done = estate.scan()
        # ... and without `complete` it is listed, and no violation.
        assert ([one.note for one in done.scan.drifts], done.scan.status) == (["unlisted"], "clean")
    finally:
        with estate.recorder.paused():
            estate.client("ops", "sqs").delete_queue(QueueUrl=estate.queue_url.replace("orders", "theirs"))


# --- over several scans --------------------------------------------------------------------------------------


def test_a_state_edited_between_two_scans_is_a_case_that_stays(estate: Estate) -> None:
    estate.configure(AT_ONCE)
    assert estate.scan().scan.status == "clean"
    write_state(estate, 2, resources=[queue(), bucket()])  # `terraform state rm aws_iam_role.worker`
    done = estate.scan()
    edit = next(one for one in done.scan.findings if one.cause)
    assert (edit.cause, edit.stack, edit.verdict.failed) == ("state-edited", "shop", ("pipeline", "ticket"))
    assert "left aws_iam_role.worker" in edit.notes[0]
    filed = [path.read_text() for path in estate.tickets]
    assert any("left aws_iam_role.worker" in text for text in filed)
    again = estate.scan()
    assert [one.id for one in again.scan.findings if one.cause] == [edit.id]
    assert len(estate.tickets) == len(filed)


def test_evidence_that_may_still_arrive_keeps_the_question_for_the_next_scan(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    write_state(estate, 2, resources=[queue(), role(), bucket(), queue() | {"name": "again"}])
    for _ in range(2):
        done = estate.scan()
        assert [(one.cause, one.verdict.outcome) for one in done.scan.findings] == [("state-edited", "pending")]
    with connect(load(estate.config).store_url()) as store:
        assert store.states.last()["shop"].serial == 1

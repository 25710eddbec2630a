"""Values the store's tests are told with: a queue somebody changed by hand, its case, and the scan that saw it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agent.model import (
    Actor,
    Case,
    CaseKey,
    Change,
    Claim,
    Drift,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Outcome,
    Secret,
    StateRead,
    Test,
    Ticket,
    TicketEvent,
    Unknown,
    Verdict,
)
from agent.store import Reading, ScanCommit, Seen, Store

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEASE = timedelta(minutes=5)


def key(name: str = "q") -> Key:
    return Key("123456789012", "eu-west-1", "aws_sqs_queue", name)


def change(name: str = "q", event: str = "e1") -> Change:
    dana = Actor("dana", "person", arn="arn:aws:sts::123456789012:assumed-role/Dev/dana", how="session", confidence=0.9)
    return Change((event,), NOW, "sqs:SetQueueAttributes", dana, "console", "123456789012", "eu-west-1")


def finding(name: str = "q", outcome: Outcome = "unauthorised", ticket: str = "") -> Finding:
    verdict = Verdict(outcome, (Test("ticket", "fail", "no reference"),), ticket=ticket)
    drift = Drift(key(name), "changed", "visibility_timeout_seconds", 30, 60, address=f"aws_sqs_queue.{name}")
    return Finding(
        FindingId(f"F-{name}"),
        key(name),
        drifts=(drift,),
        changes=(JudgedChange(change(name), verdict),),
        verdict=verdict,
    )


def case(name: str = "q", **more: Any) -> Case:
    return Case(CaseKey(f"C-{name}"), f"{name} changed by hand", (FindingId(f"F-{name}"),), "high", **more)


def ticket(ref: str = "CHG-1") -> Ticket:
    return Ticket(ref, "register", history=(TicketEvent(NOW - HOUR, "approved", approved_by="kim"),))


def reading(name: str = "q", at: datetime = NOW, **attributes: Any) -> Reading:
    held = {"delay_seconds": 0, "policy": Unknown("denied"), "kms": Secret("ab" * 32)}
    return Reading(key(name), held | attributes, at, "baseline")


def state(serial: int = 4, at: datetime = NOW, **more: Any) -> StateRead:
    address = "aws_sqs_queue.q"
    return StateRead(
        "shop",
        "s3://acme-state/shop.tfstate",
        "3f1c",
        serial,
        f"{serial:064x}",
        accounts=("123456789012",),
        read_at=at,
        addresses={address: "a1.b1"},
        keys={address: (key(),)},
        claims=(Claim("CHG-1", "commit trailer"),),
        **more,
    )


def seen(*findings: Finding, inputs: Any = None) -> tuple[Seen, ...]:
    return tuple(Seen(entry, inputs) for entry in findings)


def scan(store: Store, run: str, at: datetime = NOW, **parts: Any) -> bool:
    """Begins and ends a scan."""
    store.scans.begin(run, at - timedelta(minutes=1), "c" * 64, "r" * 64)
    return store.scans.commit(ScanCommit(run, at, "violations", b'{"schema":"driftwarden/scan/1"}', **parts))

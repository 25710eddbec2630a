"""The end of a scan: what is kept of it, and that it is all or nothing."""

from dataclasses import replace

import pytest
from story import HOUR, LEASE, NOW, case, finding, key, reading, scan, seen, ticket

from agent.model import Close, FindingId, Held, Open, Secret, Unknown, Update
from agent.store import ScanCommit, Seen, Store, StoreError, UnitSpec, connect


def kinds(store: Store) -> list[str]:
    return [event.kind for event in store.ledger.events()]


# --- scans ---------------------------------------------------------------------------------------------------


def test_a_scan_is_listed_before_and_after_its_end(store: Store) -> None:
    store.scans.begin("r1", NOW, "c" * 64, "r" * 64)
    (running,) = store.scans.last()
    assert (running.finished_at, running.status, running.config_sha256) == (None, None, "c" * 64)
    assert store.scans.commit(ScanCommit("r1", NOW + HOUR, "clean", b"{}"))
    (ended,) = store.scans.last()
    assert (ended.finished_at, ended.status) == (NOW + HOUR, "clean")


def test_the_latest_document_is_that_of_the_scan_that_ended_last(store: Store) -> None:
    assert store.scans.document() is None
    for run, hours in (("r1", 1), ("r2", 3), ("r3", 2)):
        store.scans.begin(run, NOW, "", "")
        store.scans.commit(ScanCommit(run, NOW + hours * HOUR, "clean", f'"{run} é"'.encode()))
    store.scans.begin("r4", NOW + 9 * HOUR, "", "")
    assert '"r2 é"'.encode() == store.scans.document()
    assert '"r1 é"'.encode() == store.scans.document("r1")
    assert store.scans.document("r4") is None
    assert store.scans.document("r5") is None
    assert [known.run_id for known in store.scans.last(limit=1)] == ["r4"]


def test_a_run_id_is_used_once(store: Store) -> None:
    scan(store, "r1")
    with pytest.raises(StoreError, match="there is a scan r1 already"):
        store.scans.begin("r1", NOW, "", "")


def test_a_scan_ends_once(store: Store) -> None:
    assert scan(store, "r1")
    assert not store.scans.commit(ScanCommit("r1", NOW + HOUR, "clean", b"other", seen=seen(finding())))
    assert store.findings.open() == {}
    assert store.scans.last()[0].finished_at == NOW


def test_a_scan_that_never_began_cannot_end(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no scan r1 to end"):
        store.scans.commit(ScanCommit("r1", NOW, "clean", b""))


def test_the_join_unit_ends_with_its_scan(store: Store) -> None:
    store.scans.begin("r1", NOW, "", "")
    store.units.add("r1", [UnitSpec("live", "sqs"), UnitSpec("join", "join")])
    live = store.units.claim("r1", "a", NOW, LEASE)
    assert live
    assert store.units.finish(live, b"answer")
    paused = store.units.claim("r1", "a", NOW, LEASE)
    other = store.units.claim("r1", "b", NOW + LEASE, LEASE)
    assert paused
    assert other
    end = ScanCommit("r1", NOW, "clean", b"", seen=seen(finding()))
    assert not store.scans.commit(end, paused)
    assert store.findings.open() == {}
    assert store.scans.commit(end, other)
    assert store.units.counts("r1") == {"done": 2}
    assert [result for _, result in store.units.results("r1")] == [None, None]


def test_a_failing_commit_keeps_nothing(store: Store) -> None:
    store.scans.begin("r1", NOW, "", "")
    bad = ScanCommit(
        "r1",
        NOW,
        "violations",
        b"{}",
        seen=seen(finding()),
        accepted=(reading(),),
        actions=(Open(case()),),
        events=(("note", {"share": 0.5}),),
    )
    with pytest.raises(TypeError, match=r"body\.share: a float has no canonical form"):
        store.scans.commit(bad)
    assert (
        store.findings.open(),
        store.readings.accepted(),
        store.cases.open(),
        store.outbox.unsent(),
    ) == ({}, {}, (), ())
    assert store.scans.commit(replace(bad, events=()))


def test_a_full_disk_is_said_and_keeps_nothing(sqlite_url: str) -> None:
    with connect(sqlite_url) as store:
        limit_pages(store, 60)
        end = ScanCommit("r1", NOW, "clean", b"{}", seen=seen(*(finding(f"q{n}") for n in range(500))))
        store.scans.begin("r1", NOW, "", "")
        with pytest.raises(StoreError, match=r"store sqlite:///.*store\.db: database or disk is full"):
            store.scans.commit(end)
        assert store.findings.open() == {}
        limit_pages(store, 2**30)
        assert store.scans.commit(end)
        assert len(store.findings.open()) == 500


def limit_pages(store: Store, most: int) -> None:
    # The pool hands the same connection out again.
    with store.database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")


def test_every_act_stands_in_the_ledger(store: Store) -> None:
    scan(store, "r1", seen=seen(finding()), actions=(Open(case()),), events=(("note", {"by": "dana"}),))
    assert kinds(store) == ["finding.opened", "verdict.reached", "case.opened", "note", "scan.ended"]
    scan(store, "r2", closed=(FindingId("F-q"),), actions=(Close(case(), "put back"),))
    assert kinds(store)[5:] == ["finding.closed", "case.closed", "scan.ended"]
    assert store.ledger.verify().faults == ()


# --- findings and verdicts -----------------------------------------------------------------------------------


def test_a_finding_keeps_since_when_it_is_seen(store: Store) -> None:
    scan(store, "r1", seen=seen(finding(), finding("p")))
    later = replace(finding(), owner="payments")
    scan(store, "r2", at=NOW + HOUR, seen=seen(later))
    known = store.findings.open()
    assert (later, NOW, NOW + HOUR) == (
        known[FindingId("F-q")].finding,
        known[FindingId("F-q")].first_seen,
        known[FindingId("F-q")].last_seen,
    )
    assert known[FindingId("F-p")].last_seen == NOW  # in a gap: neither seen nor closed


def test_a_closed_finding_that_returns_begins_anew(store: Store) -> None:
    scan(store, "r1", seen=seen(finding()))
    scan(store, "r2", at=NOW + HOUR, closed=(FindingId("F-q"), FindingId("F-unheard-of")))
    assert store.findings.open() == {}
    scan(store, "r3", at=NOW + 2 * HOUR, seen=seen(finding()))
    times = [(known.first_seen, known.closed_at) for known in store.findings.listed()]
    assert times == [(NOW, NOW + HOUR), (NOW + 2 * HOUR, None)]
    assert [known.closed_at for known in store.findings.listed(since=NOW + 2 * HOUR)] == [None]


def test_a_verdict_is_written_when_it_is_new(store: Store) -> None:
    first, later = finding(), finding(outcome="regularised", ticket="CHG-1")
    scan(store, "r1", seen=seen(first, inputs={"tickets": ()}))
    scan(store, "r2", seen=seen(replace(first, owner="payments"), inputs={"tickets": (), "at": NOW}))
    scan(store, "r3", seen=seen(later, inputs={"tickets": (ticket(),), "at": NOW}))
    history = store.findings.judgements(FindingId("F-q"))
    assert [(entry.run_id, entry.finding.verdict.outcome) for entry in history] == [
        ("r1", "unauthorised"),
        ("r3", "regularised"),
    ]
    assert {"tickets": (ticket(),), "at": NOW} == history[1].inputs
    assert later == history[1].finding
    assert store.findings.judgements(FindingId("F-unheard-of")) == ()


def test_a_verdict_on_one_change_is_a_new_verdict(store: Store) -> None:
    first = finding()
    other = replace(first.changes[0], verdict=finding(ticket="CHG-9").verdict)
    scan(store, "r1", seen=seen(first))
    scan(store, "r2", seen=seen(replace(first, changes=(other,))))
    assert [entry.run_id for entry in store.findings.judgements(FindingId("F-q"))] == ["r1", "r2"]


def test_shared_inputs_are_stored_once(store: Store) -> None:
    shared = {"tickets": tuple(ticket(f"CHG-{n}") for n in range(50))}
    scan(store, "r1", seen=(*seen(finding("a"), finding("b"), inputs=shared), Seen(finding("c"), dict(shared))))
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM inputs").scalar() == 1
    assert shared == store.findings.judgements(FindingId("F-c"))[0].inputs


# --- readings ------------------------------------------------------------------------------------------------


def test_readings_come_back_with_when_and_why(store: Store) -> None:
    scan(store, "r1", accepted=(reading(), reading("p")))
    accepted = store.readings.accepted()
    assert {key(), key("p")} == set(accepted)
    assert {"delay_seconds": 0, "policy": Unknown("denied"), "kms": Secret("ab" * 32)} == accepted[key()].attributes
    assert (accepted[key()].since, accepted[key()].accepted_at, accepted[key()].why) == (NOW, NOW, "baseline")


def test_a_reading_keeps_since_when_its_value_holds(store: Store) -> None:
    scan(store, "r1", accepted=(reading(),))
    scan(store, "r2", accepted=(replace(reading(at=NOW + HOUR), why="no drift"),))
    again = store.readings.accepted()[key()]
    assert (again.since, again.accepted_at, again.why) == (NOW, NOW + HOUR, "baseline")
    scan(store, "r3", accepted=(replace(reading(at=NOW + 2 * HOUR, delay_seconds=5), why="CHG-1"),))
    other = store.readings.accepted()[key()]
    assert (other.since, other.accepted_at, other.why) == (NOW + 2 * HOUR, NOW + 2 * HOUR, "CHG-1")
    assert other.attributes["delay_seconds"] == 5


def test_a_reading_is_forgotten(store: Store) -> None:
    scan(store, "r1", accepted=(reading(), reading("p")))
    scan(store, "r2", forgotten=(key(), key("unheard-of")))
    assert [key("p")] == list(store.readings.accepted())


def test_a_key_of_any_length_has_a_reading(store: Store) -> None:
    long = "".join(f"{n:05}" for n in range(4000))
    scan(store, "r1", accepted=(reading(long),))
    assert [key(long)] == list(store.readings.accepted())


# --- cases ---------------------------------------------------------------------------------------------------


def test_a_case_lives_from_open_to_close(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    assert (case(opened_at=NOW),) == store.cases.open()
    grown = case(rules=("R1",))
    scan(store, "r2", at=NOW + HOUR, actions=(Update(grown, "one more rule"),))
    assert (case(rules=("R1",), opened_at=NOW),) == store.cases.open()
    scan(store, "r3", at=NOW + 2 * HOUR, actions=(Close(grown, "put back"),))
    assert store.cases.open() == ()
    (record,) = store.cases.listed()
    assert (record.case.state, record.closed_at, record.reason) == ("closed", NOW + 2 * HOUR, "put back")
    assert store.cases.listed(since=NOW + 3 * HOUR) == ()
    assert [entry.dedup_key.split("/")[2] for entry in store.outbox.unsent()] == ["open", "update", "close"]


def test_a_case_two_scans_opened_is_filed_once(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Open(case(body="seen again")),))
    assert [entry.body for entry in store.cases.open()] == ["seen again"]
    assert [entry.dedup_key for entry in store.outbox.unsent()] == ["r1/0/open/C-q"]


def test_what_a_stale_plan_wants_of_a_closed_case_is_left(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Close(case(), "put back"),))
    scan(store, "r3", actions=(Update(case(), "more"), Close(case(), "again"), Close(case("p"), "unheard of")))
    assert [entry.dedup_key for entry in store.outbox.unsent()] == ["r1/0/open/C-q", "r2/0/close/C-q"]
    assert [record.reason for record in store.cases.listed()] == ["put back"]


def test_a_closed_case_opens_again(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", at=NOW + HOUR, actions=(Close(case(), "put back"),))
    scan(store, "r3", at=NOW + 2 * HOUR, actions=(Open(case()),))
    (record,) = store.cases.listed()
    assert (
        record.case.state,
        record.case.opened_at,
        record.closed_at,
        record.reason,
    ) == ("open", NOW + 2 * HOUR, None, "")


def test_held_cases_raise_one_alarm(store: Store) -> None:
    scan(store, "r1", actions=(Open(case("critical")), Held((case("a"), case("critical")), "a flood")))
    scan(store, "r2", actions=(Held((case("a"), case("b")), "a flood"),))
    scan(store, "r3", actions=(Held((case("a"), case("b")), "a flood"),))
    assert {c.key: c.state for c in store.cases.open()} == {"C-critical": "open", "C-a": "held", "C-b": "held"}
    alarms = [entry.action for entry in store.outbox.unsent() if isinstance(entry.action, Held)]
    assert [tuple(held.key for held in alarm.cases) for alarm in alarms] == [("C-a",), ("C-b",)]


def test_a_held_case_is_filed_when_accepted_and_not_when_it_vanishes(store: Store) -> None:
    scan(store, "r1", actions=(Held((case("a"), case("b")), "a flood"),))
    scan(store, "r2", actions=(Open(case("a")), Close(case("b"), "put back")))
    assert [entry.key for entry in store.cases.open()] == ["C-a"]
    assert [entry.dedup_key for entry in store.outbox.unsent()] == ["r1/0/hold/", "r2/0/open/C-a"]


def test_more_than_one_statement_can_name(store: Store) -> None:
    names = [f"q{n}" for n in range(1100)]
    for run, owner in (("r1", ""), ("r2", "payments")):
        findings = [replace(finding(name), owner=owner) for name in names]
        scan(store, run, seen=seen(*findings, inputs=ticket()), accepted=tuple(map(reading, names)))
    assert {finding.id: finding for finding in findings} == {
        known.finding.id: known.finding for known in store.findings.open().values()
    }
    assert {key(name) for name in names} == set(store.readings.accepted())
    scan(store, "r3", closed=tuple(found.id for found in findings), forgotten=tuple(map(key, names)))
    assert (store.findings.open(), store.readings.accepted()) == ({}, {})

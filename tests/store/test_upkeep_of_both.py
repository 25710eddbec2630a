"""Looking at a store and dropping what is old, on both engines."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from story import HOUR, NOW, case, finding, reading, scan, seen, state

from agent.emergency import case_key, grant_of
from agent.model import (
    Acceptance,
    CaseKey,
    Close,
    Directory,
    Document,
    Emergency,
    FindingId,
    Open,
    Opening,
    Person,
    Proof,
    Review,
)
from agent.store import Made, Store, StoreError, UnitSpec, schema, versions
from agent.store.ledger import PRUNED
from agent.tables import AuthorityConfig, Config
from agent.upkeep import Pruned, UpkeepError, backup, prune, prune_evidence, verify

DAY = timedelta(days=1)
YEARS = NOW - 8 * 366 * DAY
BEFORE = date(2019, 6, 1)
CONFIG = Config(authority=AuthorityConfig(roles={"admin": ("dana", "kim")}))
PEOPLE = Directory((Person("dana"), Person("kim")))


def filled(store: Store, run: str = "r1", name: str = "q", at: object = NOW, **more: object) -> None:
    story = {"seen": seen(finding(name), inputs=name), "accepted": (reading(name),), "actions": (Open(case(name)),)}
    assert scan(store, run, at, **{**story, **more})


def over(store: Store, run: str, name: str, at: object) -> None:
    assert scan(store, run, at, closed=(FindingId(f"F-{name}"),), actions=(Close(case(name), "gone"),))


def proof(person: str, at: object = NOW) -> Proof:
    return Proof(person, "signature", at, at, person, "-----BEGIN SSH SIGNATURE-----")


def agreed(store: Store, what: str, *people: str) -> None:
    for one in people:
        store.declarations.add([("prune.accepted", Acceptance(f"{what} {one}", what, proof(one)))], f"signed by {one}")


def kept(store: Store, body: str, at: object, kind: str = "authority.begun") -> None:
    store.settings.keep("authority", body, at, [(kind, {"sha256": hashlib.sha256(body.encode()).hexdigest()})])


def report(store: Store, name: str = "2018-W48", at: datetime = YEARS, made: datetime | None = None) -> None:
    sha256 = hashlib.sha256(b'{"a":1}').hexdigest()
    store.reports.keep(Made(name, "weekly", at, at + 7 * DAY, made or at + 7 * DAY, sha256, {"a": 1}))


def tamper(store: Store, *statements: str) -> None:
    """As somebody with the database's own rights does: the triggers are no obstacle."""
    with store.database.write() as connection, versions.unguarded(connection):
        for one in statements:
            connection.execute(text(one))


# --- verifying -----------------------------------------------------------------------------------------------


def test_a_store_as_it_was_written_is_sound(store: Store) -> None:
    filled(store)
    over(store, "r2", "q", NOW + HOUR)
    filled(store, "r3", "q", NOW + 2 * HOUR)
    agreed(store, "hold C-q", "dana")
    kept(store, "{}", NOW)
    report(store)
    found = verify(store)
    assert (found.faults, found.head) == ((), store.ledger.head())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE events SET kind = 'x' WHERE seq = 2", "event 2 does not match its hash"),
        ("DELETE FROM events WHERE seq = 2", "event 3 stands where event 2 should"),
        ("DELETE FROM events WHERE seq = 1", "event 2 stands where event 1 should"),
        ("UPDATE verdicts SET body = replace(body, 'dana', 'kim!')", "the verdict on F-q of scan r1 is not what was"),
        ("DELETE FROM verdicts", "the verdict on F-q of scan r1 is gone"),
        ("UPDATE declarations SET body = replace(body, 'hold', 'held')", "declaration hold C-q dana is not what was"),
        ("DELETE FROM declarations", "declaration hold C-q dana is gone"),
        ("INSERT INTO settings (name, at, body) SELECT 'a', at, '{}' FROM events", ""),
        ("INSERT INTO settings (name, at, body) SELECT name, at, '[]' FROM settings", "an [authority] of"),
        ("UPDATE settings SET body = '{\"roles\":{}}'", "the [authority] of 2026-11-22 10:00 UTC is gone"),
        ("UPDATE declarations SET statement = 'forged'", "declaration hold C-q dana is not what was"),
        ("UPDATE declarations SET case_key = 'C-x'", "declaration hold C-q dana is not what was"),
        ("UPDATE inputs SET body = (SELECT document FROM scans WHERE run_id = 'r1')", "what verdicts rest on ("),
        (
            "UPDATE reports SET figures = (SELECT document FROM scans WHERE run_id = 'r1')",
            "report 2018-W48 is not what",
        ),
        ("UPDATE reports SET sha256 = 'ab'", "report 2018-W48 is not what"),
        ("UPDATE reports SET id = 'weekly-x'", "report weekly-x has no event"),
        (
            "UPDATE cases SET state = 'closed', closed_at = opened_at",
            "case C-q is closed, and the ledger says it is open",
        ),
        ("DELETE FROM outbox; DELETE FROM cases", "case C-q is gone"),
        ("UPDATE findings SET closed_at = first_seen", "finding F-q is closed, and the ledger says it is open"),
        ("UPDATE findings SET id = 'F-x'", "finding F-x has no event"),
        ("DELETE FROM findings", "finding F-q is gone"),
        ("UPDATE cases SET body = 'x'", "a case cannot be read"),
        ('UPDATE findings SET body = \'{"$":"Gone"}\'', "an open finding cannot be read"),
    ],
)
def test_what_was_changed_is_found(store: Store, change: str, says: str) -> None:
    filled(store)
    agreed(store, "hold C-q", "dana")
    kept(store, "{}", NOW)
    report(store)
    tamper(store, *change.split("; "))
    faults = verify(store).faults
    assert (says in " | ".join(faults)) and bool(faults) == bool(says)


def test_moved_events_and_a_missing_guard_are_found(store: Store) -> None:
    filled(store)
    tamper(
        store,
        "UPDATE events SET seq = 99 WHERE seq = 2",
        "UPDATE events SET seq = 2 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 99",
    )
    assert any("event 2 does not match its hash" in one for one in verify(store).faults)
    with store.database.write() as connection:
        name = versions.guards(schema.verdicts, connection.dialect.name)[0]
        where = " ON verdicts" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TRIGGER {name}{where}"))
    assert "verdicts: is append-only no more: a trigger is gone" in verify(store).faults


def test_a_key_file_that_is_none_is_found(store: Store, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    assert any("not an install key" in one for one in verify(store, tmp_path / "key").faults)
    assert verify(store, tmp_path / "nowhere").sound, "nothing was sealed yet"
    scan(store, "r1")
    assert any("put it back from a backup" in one for one in verify(store, tmp_path / "nowhere").faults)


def test_postgresql_says_what_to_run(postgres_url: str) -> None:
    from agent.store import connect

    with connect(postgres_url) as store, pytest.raises(UpkeepError, match=r"pg_dump --format=custom .*copy the key"):
        backup(CONFIG, store)


# --- work ----------------------------------------------------------------------------------------------------


def test_work_is_dropped_and_evidence_is_not(store: Store) -> None:
    for run, at in (("old", NOW - 500 * DAY), ("month", NOW - 40 * DAY), ("new", NOW)):
        store.scans.begin(run, at, "", "")
        store.units.add(run, [UnitSpec("live", "sqs")])
        store.scans.begin(f"{run}-look", at, "", "", kind="trail")
    filled(store, "r1", at=NOW - 500 * DAY)
    scan(store, "look", NOW - 40 * DAY, kind="trail", looked=(finding().key,))
    scan(store, "r2", NOW - 40 * DAY)
    entry = store.outbox.claim("a", NOW, HOUR)
    assert entry
    store.outbox.sent(entry, "CHG-1", NOW - 500 * DAY)
    store.jobs.ended("scan", NOW, "ok")
    store.jobs.ended("yearly", NOW - 300 * DAY, "ok")
    store.jobs.due("yearly", NOW + 60 * DAY)
    store.jobs.ended("stack:gone", NOW - 300 * DAY, "ok")
    head = store.ledger.head()
    assert prune(CONFIG, store, NOW) == Pruned(units=2, deliveries=1, documents=2, scans=1, others=2)
    assert prune(CONFIG, store, NOW) == Pruned()
    assert set(store.jobs.all()) == {"scan", "yearly"}
    assert store.scans.document("r1") is None
    assert store.scans.document() == store.scans.document("r2") is not None
    assert len(store.findings.judgements(FindingId("F-q"))) == 1
    assert store.ledger.head() == head
    assert verify(store).sound


def test_the_last_whole_scan_keeps_its_document_however_old_it_is(store: Store) -> None:
    filled(store, at=YEARS)
    assert prune(CONFIG, store, NOW).documents == 0
    assert store.scans.document() is not None


# --- evidence ------------------------------------------------------------------------------------------------


def long_story(store: Store) -> None:
    """Two cases of long ago that are over, one that is still open since, and one of today."""
    for number, name in enumerate(("a", "b")):
        filled(store, f"r{number}", name, YEARS + number * DAY, states=(state(number, YEARS),))
        store.declarations.add(
            [("case.reviewed", Review(f"d{name}", CaseKey(f"C-{name}"), proof("kim", YEARS), True, "fine"))]
        )
        over(store, f"e{number}", name, YEARS + (number + 5) * DAY)
    kept(store, '{"a":1}', YEARS)
    kept(store, '{"a":2}', YEARS + DAY, "authority.changed")
    report(store)
    filled(store, "still", "s", YEARS + 10 * DAY, states=(state(9, YEARS),))
    filled(store, "today", "t", NOW)


def test_old_evidence_goes_when_two_people_agreed(store: Store) -> None:
    long_story(store)
    early = store.ledger.events(limit=1)[0]
    what = f"prune {BEFORE}"
    with pytest.raises(
        UpkeepError, match=rf"two people must accept it first, each with `.* '{what}'`, which counts for a day; nothing"
    ):
        prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    agreed(store, what, "dana")
    with pytest.raises(UpkeepError, match="; dana did; nothing was removed"):
        prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    agreed(store, what, "kim")
    middle = store.ledger.head()
    done = prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    assert done.agreed == ("dana", "kim")
    assert (done.rows["cases"], done.rows["findings"], done.rows["verdicts"], done.rows["inputs"]) == (2, 2, 2, 2)
    assert (done.rows["declarations"], done.rows["settings"], done.rows["reports"]) == (2, 1, 1)
    # What is not over keeps all that was ever written of it, and so does the ledger from there on.
    assert [one.key for one in store.cases.open()] == [CaseKey("C-s"), CaseKey("C-t")]
    assert set(store.findings.open()) == {FindingId("F-s"), FindingId("F-t")}
    assert len(store.findings.judgements(FindingId("F-s"))) == 1
    first, *_ = events = store.ledger.events(limit=1000)
    assert (first.seq, first.body["finding"]) == (done.kept_from, "F-s")
    assert (events[-1].kind, events[-1].body["agreed"]) == (PRUNED, ["dana", "kim"])
    assert store.settings.last("authority").body == '{"a":2}'
    found = verify(store, head=middle)
    assert found.faults == ()
    assert any(f"pruned on 2026-11-22: evidence before {BEFORE} (dana, kim)" in one for one in found.told)
    assert any("was pruned: give a later one" in one for one in verify(store, head=early_head(early)).faults)


def early_head(event: object) -> object:
    from agent.store import Head

    return Head(event.seq, event.hash)


def test_a_pruned_ledger_is_still_held_together(store: Store) -> None:
    long_story(store)
    agreed(store, f"prune {BEFORE}", "dana", "kim")
    done = prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    for table in (schema.events, schema.verdicts, schema.inputs, schema.declarations, schema.settings):
        with pytest.raises(StoreError, match="append-only"), store.database.write() as connection:
            connection.execute(table.delete())
    tamper(store, f"DELETE FROM events WHERE seq = {done.kept_from}")
    assert any(f"event {done.kept_from + 1} stands where event 1 should" in one for one in verify(store).faults)


def test_pruned_twice(store: Store) -> None:
    long_story(store)
    over(store, "r9", "s", YEARS + 200 * DAY)
    for day in (BEFORE, date(2019, 10, 1), date(2019, 10, 2)):
        agreed(store, f"prune {day}", "dana", "kim")
        prune_evidence(CONFIG, store, PEOPLE, day, NOW)
        assert verify(store).faults == ()
    assert [one.key for one in store.cases.listed() for one in [one.case]] == [CaseKey("C-t")]


def window(store: Store, name: str, at: datetime) -> str:
    """A window that somebody declares; gives its grant."""
    said = Opening(name, proof("dana", at), "INC-1", at + HOUR)
    store.declarations.add([("breakglass.opened", said)], f"{name} signed by dana")
    return grant_of(name)


def test_the_window_that_an_open_case_rests_on_stays(store: Store) -> None:
    """It is declared before there is a case of it, and what was accepted since then stays too."""
    filled(store, "old", "a", YEARS)
    over(store, "older", "a", YEARS + HOUR)
    window(store, "over", YEARS + DAY)
    grant, at = window(store, "own", YEARS + 2 * DAY), YEARS + 2 * DAY + HOUR
    store.declarations.add([("hold.accepted", Acceptance("then", "hold C-x", proof("kim", at)))], "signed by kim")
    own = replace(case(grant=grant, opened_at=at + HOUR), key=case_key(grant), findings=())
    assert store.cases.begin(own, "opening own", at + HOUR)
    grant, at = window(store, "of-a-session", YEARS + 3 * DAY), YEARS + 3 * DAY + HOUR
    # Who knew only the window wrote to the key that its case would have had.
    written = Document("written", case_key(grant), proof("dana", at), "why", "INC-1", "did", "told", "revert")
    store.declarations.add([("breakglass.documented", written)], "written by dana")
    held = Emergency(grant, "C-s", "dana", "window", at, at, at, ("e9",), "awaiting-review")
    filled(store, "s", "s", at + HOUR, actions=(Open(case("s", emergencies=(held,), opened_at=at + HOUR)),))
    agreed(store, f"prune {BEFORE}", "dana", "kim")
    done = prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    stay = [one.id for one in store.declarations.listed() if one.by.received_at < NOW]
    assert stay == ["own", "then", "of-a-session", "written"]
    assert store.declarations.statement("own") == "own signed by dana"
    first, *_ = store.ledger.events(limit=1)
    assert (first.seq, first.body["declaration"]) == (done.kept_from, "own")
    assert verify(store).faults == ()


def test_a_report_is_as_old_as_what_the_ledger_says_of_it(store: Store) -> None:
    """A week long ago, asked for last week; one made while it ran; and one made again since, which says the same."""
    filled(store, at=YEARS)
    over(store, "r2", "q", YEARS + HOUR)
    at = datetime.combine(BEFORE, time(), UTC)
    report(store, "again")
    report(store, "running", at - DAY, made=at - DAY)
    kept(store, "{}", at - HOUR)
    report(store, "old", made=NOW - DAY)
    report(store, "again", made=NOW - DAY)
    filled(store, "r3", "p", NOW)
    agreed(store, f"prune {BEFORE}", "dana", "kim")
    assert prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW).rows["reports"] == 1
    assert {one.id for one in store.reports.last("weekly", 9)} == {"old", "running"}
    assert verify(store).faults == ()


def test_evidence_is_not_removed_before_its_time(store: Store) -> None:
    agreed(store, "prune 2026-01-01", "dana", "kim")
    with pytest.raises(UpkeepError, match=r"evidence is kept for 2557d .*give a day up to 2019-11-22; nothing"):
        prune_evidence(CONFIG, store, PEOPLE, date(2026, 1, 1), NOW)


def test_an_agreement_is_of_one_prune_and_one_day(store: Store) -> None:
    what = f"prune {BEFORE}"
    long_story(store)
    agreed(store, what, "dana", "kim")
    for people, when in ((PEOPLE, NOW + DAY + HOUR), (Directory((Person("dana"),)), NOW)):
        with pytest.raises(UpkeepError, match=r"which counts for a day.*nothing was removed"):
            prune_evidence(CONFIG, store, people, BEFORE, when)
    prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    with pytest.raises(UpkeepError, match=r"counts for a day; nothing was removed"):
        prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)


def test_what_is_put_in_after_a_prune_is_found(store: Store) -> None:
    long_story(store)
    agreed(store, f"prune {BEFORE}", "dana", "kim")
    prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    columns = "run_id, at, outcome, body, inputs_sha256"
    tamper(store, f"INSERT INTO verdicts (finding_id, {columns}) SELECT 'F-forged', {columns} FROM verdicts")
    faults = verify(store).faults
    assert any("the verdict on F-forged of scan today has no event in the ledger" in one for one in faults)


def test_a_prune_that_is_stopped_removes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    long_story(store)
    agreed(store, f"prune {BEFORE}", "dana", "kim")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.upkeep.evidence.ledger.append", stop)
    with pytest.raises(KeyboardInterrupt):
        prune_evidence(CONFIG, store, PEOPLE, BEFORE, NOW)
    monkeypatch.undo()
    assert len(store.cases.listed()) == 4
    assert verify(store).faults == ()

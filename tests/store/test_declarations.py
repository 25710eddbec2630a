"""What people declared is kept once, for ever, and the ledger knows of it; so are settings that came into force."""

from datetime import timedelta

import older
import pytest
from story import HOUR, NOW, case, finding, scan, seen
from test_ledger import OVERWRITING, rows, tamper

from agent.model import Acceptance, CaseKey, Declaration, Document, FindingId, Open, Opening, Proof, Review
from agent.store import Store, StoreError, connect, schema
from agent.store.declarations import Setting


def proof(person: str = "dana", hours: int = 0) -> Proof:
    return Proof(person, "signature", NOW + hours * HOUR, NOW + hours * HOUR, person, "-----BEGIN SSH SIGNATURE-----")


OPENING = Opening("o1", proof(), "INC-1", NOW + 2 * HOUR, roles=("arn:aws:iam::*:role/Admin",))
DOCUMENT = Document("d1", "c1", proof(hours=1), "why", "INC-1", "done", "told", "revert", on_behalf_of=("erik",))
REVIEW = Review("r1", "c1", proof("kim", 2), True, "fine")
ACCEPTANCE = Acceptance("a1", "hold c2", proof("kim", 3))
EVERY: list[tuple[str, Declaration]] = [
    ("breakglass.opened", OPENING),
    ("breakglass.documented", DOCUMENT),
    ("breakglass.reviewed", REVIEW),
    ("hold.accepted", ACCEPTANCE),
]


def test_declarations_come_back_as_they_were_said(store: Store) -> None:
    for declared in EVERY:
        assert store.declarations.add([declared], statement="{}") == {declared[1].id}
    assert store.declarations.listed() == (OPENING, DOCUMENT, REVIEW, ACCEPTANCE)
    assert store.declarations.listed(NOW + 2 * HOUR) == (REVIEW, ACCEPTANCE)
    assert store.declarations.listed(case="c1") == (DOCUMENT, REVIEW)
    assert store.declarations.get("r1") == REVIEW
    assert store.declarations.get("r2") is None
    assert store.ledger.verify().faults == ()
    assert [(event.kind, event.at, event.body["declaration"]) for event in store.ledger.events()] == [
        (kind, one.by.received_at, one.id) for kind, one in EVERY
    ]


def test_a_declaration_that_comes_twice_is_one(store: Store) -> None:
    assert store.declarations.add(EVERY[:1]) == {"o1"}
    later = Opening("o1", proof("mallory"), "INC-9", NOW + 9 * HOUR)
    assert store.declarations.add([("breakglass.opened", later), EVERY[1], EVERY[1]]) == {"d1"}
    assert store.declarations.listed() == (OPENING, DOCUMENT)
    assert len(store.ledger.events()) == 2


def test_what_was_signed_is_kept_word_for_word(store: Store) -> None:
    said = 'hostile: \0 \ud800 \\u0000 é \u202e"'
    store.declarations.add(EVERY[1:2], statement=said, note="late")
    assert store.declarations.statement("d1") == said
    assert store.declarations.statement("d2") == ""
    (event,) = store.ledger.events()
    assert event.body["note"] == "late"
    assert event.body["case"] == "c1"
    assert len(event.body["statement_sha256"]) == len(event.body["body_sha256"]) == 64


def test_one_statement_of_many_things_is_kept_once(store: Store) -> None:
    many = [("hold.accepted", Acceptance(f"a{number}", f"hold c{number}", proof("kim"))) for number in range(50)]
    store.declarations.add(many, statement="y" * 10_000)
    assert {store.declarations.statement(one.id) for _, one in many} == {"y" * 10_000}
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT sum(length(statement)) FROM declarations").scalar() == 10_000
    assert len({event.body["statement_sha256"] for event in store.ledger.events()}) == 1
    assert store.ledger.verify().faults == ()


def test_all_of_what_is_said_together_is_kept_or_nothing(store: Store) -> None:
    wrong = Acceptance("a2", "hold c3", Proof("kim", "signature", NOW, NOW.replace(tzinfo=None)))
    with pytest.raises((StoreError, ValueError)):
        store.declarations.add([EVERY[3], ("hold.accepted", wrong)])
    assert store.declarations.listed() == ()
    assert store.ledger.events() == ()


@pytest.mark.parametrize(
    ("table", "column"), [("declarations", "body"), ("settings", "body"), ("policy_files", "path")]
)
def test_rows_cannot_be_changed(store: Store, table: str, column: str) -> None:
    store.declarations.add(EVERY)
    store.settings.keep("authority", "{}", NOW, [])
    with store.database.write() as connection:
        row = {"path": "rules/a.yaml", "sha256": "a", "commit_id": "", "author": "", "seen_at": NOW}
        connection.execute(schema.policy_files.insert(), row)
    before = rows(store, table)
    assert before
    overwriting = OVERWRITING[store.database.engine.dialect.name]
    for statement in ("UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", overwriting):
        with pytest.raises(StoreError, match="append-only"):
            tamper(store, statement.format(table=table, column=column))
    assert before == rows(store, table)


def test_an_upgraded_store_guards_its_new_tables_too(url: str) -> None:
    with connect(url) as store:
        older.make(store.database, 3)
    with connect(url) as store:
        store.declarations.add(EVERY)
        with pytest.raises(StoreError, match="append-only"):
            tamper(store, "DELETE FROM declarations")
        assert len(store.declarations.listed()) == 4


def test_settings_by_name(store: Store) -> None:
    assert store.settings.last("authority") is None
    store.settings.keep("authority", '{"a":1}', NOW, [("authority.begun", {"looser": []})])
    store.settings.keep("other", "x", NOW, [])
    # The clock may be put back: what came last counts, not what is dated last.
    store.settings.keep("authority", '{"a":2}', NOW - HOUR, [("authority.changed", {"looser": ["a"]})])
    assert store.settings.last("authority") == Setting(NOW - HOUR, '{"a":2}')
    assert [event.kind for event in store.ledger.events()] == ["authority.begun", "authority.changed"]


def test_every_story_of_a_finding_is_found_by_its_id(store: Store) -> None:
    scan(store, "r1", seen=seen(finding(), finding("p")), actions=(Open(case()),))
    scan(store, "r2", NOW + HOUR, closed=(FindingId("F-q"),))
    scan(store, "r3", NOW + 2 * HOUR, seen=seen(finding("q", "authorised")))
    found = store.findings.of([FindingId("F-q"), FindingId("F-none")])
    assert [(known.finding.verdict.outcome, known.closed_at) for known in found] == [
        ("unauthorised", NOW + HOUR),
        ("authorised", None),
    ]
    assert CaseKey("C-q") in [record.case.key for record in store.cases.listed()]
    assert found[1].first_seen - found[0].first_seen == timedelta(hours=2)

"""How often exceptions and baseline entries were needed."""

from datetime import UTC, datetime, timedelta

from agent.model import Hit
from agent.store import Store
from agent.store.tolerated import Use, Uses, record

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_each_scan_counts_once_however_much_was_covered(store: Store) -> None:
    uses = Uses(store.database)
    assert uses.counts() == {}
    with store.database.write() as connection:
        record(connection, [Hit("EX-1", "F-1", "policy"), Hit("EX-1", "F-2"), Hit("BL-1", "F-3")], NOON)
    with store.database.write() as connection:
        record(connection, [Hit("EX-1", "F-1", "policy")], NOON)  # the same scan, recorded again
        record(connection, [], NOON)
    later = NOON + timedelta(hours=1)
    with store.database.write() as connection:
        record(connection, [Hit("EX-1", "F-1", "policy"), Hit("EX-2 \0 ⟨x⟩", "F-1")], later)
    assert uses.counts() == {
        "EX-1": Use(NOON, later, 2),
        "BL-1": Use(NOON, NOON, 1),
        "EX-2 \0 ⟨x⟩": Use(later, later, 1),
    }


def test_thousands_at_once(store: Store) -> None:
    hits = [Hit(f"BL-{number}", "F-1") for number in range(2500)]
    for at in (NOON, NOON + timedelta(hours=1)):
        with store.database.write() as connection:
            record(connection, hits, at)
    counts = Uses(store.database).counts()
    assert len(counts) == 2500
    assert {use.count for use in counts.values()} == {2}

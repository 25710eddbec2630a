"""The journal of the trail: a delivery is kept as a whole or not at all, and what comes twice is kept once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.model import Entry, Gap, Identity, KeyUse, Scope, Secret, Tally, Touch, Unknown
from agent.store import Kept, Store, StoreError, connect
from agent.store.database import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GAP = Gap(Scope(type="cloudtrail"), "file-1.json.gz: not JSON", cause="unreadable")


def entry(event: str = "e1", **fields: Any) -> Entry:
    touch = Touch("aws_sqs_queue", ("orders",), "update", {"policy": Secret("ab"), "delay_seconds": Unknown("cut")})
    given: dict[str, Any] = {
        "sort": "change",
        "time": NOON,
        "action": "sqs:SetQueueAttributes",
        "caller": Identity("IAMUser", "arn:aws:iam::111122223333:user/dana", key="AKIADANA"),
        "touches": (touch,),
        "fullness": (700, "aa"),
        "shared": event,
    } | fields
    return Entry(event, **given)


def all_of(store: Store) -> list[Entry]:
    return list(store.journal.entries(NOON - 10 * HOUR, NOON + 10 * HOUR))


def test_what_is_kept_comes_back_oldest_first(store: Store) -> None:
    late, early = entry("b", time=NOON + HOUR), entry("a")
    assert store.journal.keep("feed", Kept([late, early, early]), NOON) == 2
    assert all_of(store) == [early, late]
    assert list(store.journal.entries(NOON + HOUR, NOON + HOUR)) == [late]
    assert list(store.journal.entries(NOON, NOON + HOUR, ["session"])) == []
    assert (store.journal.entry("a"), store.journal.entry("c")) == (early, None)
    assert (store.journal.counts(), store.journal.oldest()) == ({"change": 2}, NOON)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_copies_the_fuller_stays(store: Store, turned: bool) -> None:
    whole, cut = entry(), entry(touches=(), fullness=(300, "bb"))
    for copy in (cut, whole) if turned else (whole, cut):
        store.journal.keep("feed", Kept([copy]), NOON)
    assert all_of(store) == [whole]
    store.journal.keep("feed", Kept([cut, whole, cut]), NOON)
    assert all_of(store) == [whole]


def test_another_reader_replaces_what_the_last_one_read(store: Store) -> None:
    first, second = entry(touches=()), entry()
    store.journal.keep("feed", Kept([first], checkpoint={"at": 1}), NOON, "one")
    store.journal.keep("feed", Kept([second]), NOON, "one")
    assert all_of(store) == [first]
    assert store.journal.checkpoints("feed", "two") == {}
    store.journal.keep("feed", Kept([second], checkpoint={"at": 2}), NOON, "two")
    assert all_of(store) == [second]
    assert store.journal.checkpoints("feed", "two") == {"": {"at": 2}}
    assert store.journal.checkpoints("feed", "one") == {}


def test_a_new_reader_counts_anew(store: Store) -> None:
    kept = Kept([entry()], [Tally("1", "r", NOON, 3, NOON)], gaps=[GAP], checkpoint={"at": 1})
    store.journal.keep("feed", kept, NOON, "one")
    assert not store.journal.recount("one", NOON - HOUR, ["feed"])
    assert store.journal.recount("two", NOON - HOUR, ["feed"])
    assert store.journal.tallies(NOON, NOON + HOUR) == ()
    assert store.journal.gaps(NOON - HOUR) == ()
    assert all_of(store) == [entry()]
    assert [one.checkpoint for one in store.journal.positions()] == [{"at": 1}]


def test_what_a_queue_brought_is_counted_for_good_and_the_rest_again(store: Store) -> None:
    """Of an hour that both tell of, the one that knows more is believed: nearly all of it is in both."""
    hours = [NOON + n * HOUR for n in range(3)]
    of_queue = [Tally("1", "r", hour, 3, hour) for hour in hours[:2]]
    of_bucket = [Tally("1", "r", hour, 5, hour) for hour in hours[1:]]
    day = NOON.replace(hour=0)
    use = [KeyUse("AKIA1", day, "arn", "1", 4), KeyUse("AKIA2", day, "arn", "1", 4)]
    queue = Kept(tallies=of_queue, key_use=use[:1], gaps=[GAP], checkpoint={}, once=True)
    bucket = Kept(tallies=of_bucket, key_use=use, gaps=[replace(GAP, why="bucket")], checkpoint={"at": 1})

    def told() -> tuple[list[int], list[int]]:
        counts = [one.events for one in store.journal.tallies(NOON, NOON + 9 * HOUR)]
        return counts, [one.calls for one in store.journal.key_use(day)]

    store.journal.keep("queue", queue, NOON, "one")
    store.journal.keep("bucket", bucket, NOON, "one")
    before = told()
    assert before == ([3, 5, 5], [4, 4])
    # Whoever reads the queue alone brings nothing back that it would drop.
    assert not store.journal.recount("two", day, [])
    assert told() == before
    assert store.journal.recount("two", day, ["bucket"])
    assert told() == ([3, 3], [4])
    assert store.journal.heard_of([("1", "r")])
    assert [gap.why for gap in store.journal.gaps(day)] == [GAP.why]
    assert [(one.feed, one.reader) for one in store.journal.positions()] == [("bucket", ""), ("queue", "one")]
    store.journal.keep("bucket", bucket, NOON, "two")
    assert told() == before


def test_counts_add_up_by_place_and_hour(store: Store) -> None:
    there = Tally("1", "eu-west-1", NOON, 3, NOON + timedelta(minutes=5))
    for tally in (there, replace(there, events=2, newest=NOON), replace(there, region="us-east-1")):
        store.journal.keep("feed", Kept(tallies=[tally]), NOON)
    assert store.journal.tallies(NOON, NOON + HOUR) == (
        replace(there, events=5),
        replace(there, region="us-east-1"),
    )
    assert store.journal.tallies(NOON + HOUR, NOON + 2 * HOUR) == ()
    # Of places that something was ever heard of, those that are asked for.
    store.journal.keep("feed", Kept(tallies=[Tally("2", "eu-west-1", NOON, 0, NOON)]), NOON)
    asked = [("1", "eu-west-1"), ("1", "eu-west-3"), ("2", "eu-west-1")]
    assert store.journal.heard_of(asked) == {("1", "eu-west-1")}


def test_use_of_keys_adds_up_by_day(store: Store) -> None:
    day = NOON.replace(hour=0)
    one = KeyUse("AKIA1", day, "arn:aws:iam::1:user/dana", "1", 4, "198.51.100.7")
    store.journal.keep("feed", Kept(key_use=[one]), NOON)
    store.journal.keep("feed", Kept(key_use=[replace(one, calls=2, source_ip="203.0.113.9")]), NOON)
    assert store.journal.key_use(day) == (replace(one, calls=6, source_ip="203.0.113.9"),)
    assert store.journal.key_use(day + HOUR) == ()


def test_a_gap_found_again_is_told_for_as_long_again(store: Store) -> None:
    for at in (NOON, NOON + HOUR):
        store.journal.keep("feed", Kept(gaps=[GAP, GAP]), at)
    assert store.journal.gaps(NOON + HOUR) == (GAP,)
    assert store.journal.gaps(NOON + 2 * HOUR) == ()


def test_what_is_read_no_more_keeps_its_gaps_and_is_not_counted_anew_for_ever(store: Store) -> None:
    for feed in ("imported", "bucket"):
        gap = replace(GAP, why=feed)
        store.journal.keep(feed, Kept([entry(feed)], gaps=[gap], checkpoint={"at": 1}), NOON, "one")
    store.journal.keep("queue", Kept(gaps=[replace(GAP, why="queue")]), NOON, "one")
    assert store.journal.recount("two", NOON - HOUR, ["bucket"])
    assert {gap.why for gap in store.journal.gaps(NOON - HOUR)} == {"imported", "queue"}
    store.journal.keep("bucket", Kept(checkpoint={"at": 2}), NOON, "two")
    assert not store.journal.recount("two", NOON - HOUR, ["bucket"])
    assert store.journal.checkpoints("bucket", "two") == {"": {"at": 2}}
    assert store.journal.checkpoints("imported", "two") == {}


def test_a_place_whose_name_is_longer_than_an_index_entry_is_counted(store: Store) -> None:
    forged = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(20_000))
    for _ in range(2):
        store.journal.keep("feed", Kept(tallies=[Tally(forged, forged[::-1], NOON, 3, NOON)]), NOON)
    (found,) = store.journal.tallies(NOON, NOON + HOUR)
    assert (found.events, len(found.account)) == (6, 71)


def test_each_shard_goes_on_where_its_last_delivery_ended(store: Store) -> None:
    for shard, at in (("a", 1), ("b", 1), ("a", 2)):
        store.journal.keep("feed", Kept(shard=shard, checkpoint={"at": at}), NOON)
    store.journal.keep("feed", Kept([entry()], shard="b"), NOON)
    store.journal.keep("other", Kept(checkpoint={"at": 9}), NOON)
    assert store.journal.checkpoints("feed") == {"a": {"at": 2}, "b": {"at": 1}}
    assert [(one.feed, one.shard) for one in store.journal.positions()] == [("feed", "a"), ("feed", "b"), ("other", "")]


ACCOUNT = "123456789012"


def change(event: str, at: datetime, region: str = "eu-west-1", **fields: Any) -> Entry:
    return entry(event, time=at, account=ACCOUNT, recipient=ACCOUNT, region=region, **fields)


def stands(store: Store) -> dict[str, tuple[datetime | None, datetime | None]]:
    return {one.feed: (one.newest, one.missed) for one in store.journal.brought()}


def test_what_a_feed_brought_last_and_what_others_brought_since(store: Store) -> None:
    day = 24 * HOUR
    store.journal.keep("queue", Kept(checkpoint={}), NOON)
    assert stands(store) == {"queue": (None, None)}
    store.journal.keep("queue", Kept([change("a", NOON)]), NOON)
    store.journal.keep("bucket", Kept([change("a", NOON)]), NOON + HOUR)
    store.journal.keep("queue", Kept(checkpoint={}), NOON + day)
    assert stands(store) == {"queue": (NOON, None), "bucket": (NOON, None)}
    # What only counts, failed, or happened elsewhere, need not come through the queue.
    read = Tally(ACCOUNT, "eu-west-1", NOON + HOUR, 9, NOON + HOUR)
    others = [change("b", NOON + 2 * HOUR, "us-east-1"), change("c", NOON + 3 * HOUR, sort="denied")]
    store.journal.keep("bucket", Kept(others, [read]), NOON + 4 * HOUR)
    assert stands(store) == {"queue": (NOON, None), "bucket": (NOON + 3 * HOUR, None)}
    for hour in (6, 5):
        store.journal.keep("lookup://1/eu-west-1", Kept([change(f"{hour}", NOON + hour * HOUR)]), NOON + 9 * HOUR)
    missed = NOON + 6 * HOUR  # the first of them that was noticed
    assert stands(store)["queue"] == (NOON, missed)
    assert stands(store)["lookup"] == (missed, None)
    store.journal.keep("queue", Kept([change("5", NOON + 5 * HOUR)]), NOON + 9 * HOUR)
    assert stands(store)["queue"] == (NOON + 5 * HOUR, missed)
    store.journal.keep("queue", Kept([change("6", NOON + 6 * HOUR)]), NOON + 9 * HOUR)
    assert stands(store)["queue"] == (missed, None)
    assert [one.feed for one in store.journal.positions()] == ["queue"]


def test_an_event_of_the_future_does_not_hide_the_silence_after_it(store: Store) -> None:
    store.journal.keep("queue", Kept([change("a", NOON + 9_999 * HOUR)]), NOON)
    store.journal.keep("bucket", Kept([change("b", NOON + HOUR)]), NOON + HOUR)
    assert stands(store) == {"queue": (NOON, NOON + HOUR), "bucket": (NOON + HOUR, None)}


@pytest.mark.parametrize(("days", "told"), [(29, True), (31, False)], ids=str)
def test_a_region_that_a_source_brought_nothing_of_for_a_month_is_not_expected_of_it(
    store: Store, days: int, told: bool
) -> None:
    later = NOON + days * 24 * HOUR
    store.journal.keep("queue", Kept([change("a", NOON)]), NOON)
    store.journal.keep("queue", Kept([change("b", later - HOUR, "us-east-1")]), later - HOUR)
    store.journal.keep("bucket", Kept([change("c", later)]), later)
    assert stands(store)["queue"] == (later - HOUR, later if told else None)


@pytest.mark.parametrize("account", ["", "nobody", "1" * 13])
def test_what_comes_from_no_account_is_nothing_that_was_brought(store: Store, account: str) -> None:
    store.journal.keep("queue", Kept([entry(recipient=account, region="eu-west-1")]), NOON)
    assert stands(store) == {"queue": (None, None)}


def test_a_delivery_that_cannot_be_kept_whole_is_not_kept(store: Store) -> None:
    kept = Kept([entry()], [Tally("1", "r", NOON, 3, NOON)], gaps=[GAP], checkpoint={"at": 1})
    broken = replace(kept, tallies=[*kept.tallies, Tally("1", "r", NOON.replace(tzinfo=None), 1, NOON)])
    with pytest.raises(StoreError):
        store.journal.keep("feed", broken, NOON)
    assert (all_of(store), store.journal.positions(), store.journal.gaps(NOON)) == ([], (), ())
    assert store.journal.keep("feed", kept, NOON) == 1


def test_what_is_old_is_forgotten_and_the_place_to_go_on_is_not(store: Store) -> None:
    day = NOON.replace(hour=0)
    kept = Kept(
        [entry("old", time=NOON - HOUR), entry("new")],
        [Tally("1", "r", NOON - HOUR, 3, NOON), Tally("1", "r", NOON, 3, NOON)],
        [KeyUse("AKIA1", day, "arn", "1", 4)],
        [GAP],
        checkpoint={"at": 1},
    )
    store.journal.keep("feed", kept, NOON - HOUR)
    assert store.journal.forget(NOON) == 1
    assert [one.event for one in all_of(store)] == ["new"]
    assert [tally.hour for tally in store.journal.tallies(day, NOON + HOUR)] == [NOON]
    assert (store.journal.key_use(day), store.journal.gaps(day)) == ((), ())
    assert store.journal.checkpoints("feed") == {"": {"at": 1}}


def test_what_touched_a_name_is_found_without_reading_all(store: Store) -> None:
    other = entry("other", touches=(Touch("aws_iam_role_policy", ("bills|audit", "q/bills")),))
    late = entry("late", time=NOON + HOUR)
    store.journal.keep("feed", Kept([other, late, entry("first")]), NOON)
    store.journal.keep("feed", Kept([entry("first", fullness=(900, "zz"))]), NOON)
    assert [one.event for one in store.journal.touching(["orders"], NOON)] == ["first", "late"]
    assert [one.event for one in store.journal.touching(["q/bills", "bills", "none"], NOON - HOUR)] == ["other"]
    assert [one.event for one in store.journal.touching(["bills|audit"], NOON)] == ["other"]
    assert [one.event for one in store.journal.touching(["orders", "bills"], NOON + HOUR)] == ["late"]
    store.journal.forget(NOON + HOUR)
    assert store.journal.touching(["bills"], NOON - HOUR) == ()
    assert [one.event for one in store.journal.touching(["orders"], NOON - HOUR)] == ["late"]


def test_calls_of_one_action_are_kept_longer(store: Store) -> None:
    stopped = entry("s", action="cloudtrail:StopLogging", time=NOON - HOUR)
    store.journal.keep("feed", Kept([stopped, entry(time=NOON - HOUR)]), NOON)
    assert store.journal.forget(NOON, ["cloudtrail:StopLogging"]) == 1
    assert store.journal.calls(["cloudtrail:StopLogging", "none"], NOON) == (stopped,)
    assert store.journal.calls(["cloudtrail:StopLogging"], NOON - 2 * HOUR) == ()


def test_hostile_names_are_kept_as_they_are(store: Store) -> None:
    long, strange = "x\udc00" * 5_000, "nul \0 and half \ud800"
    entries = [entry(long, action=strange, account=strange), entry(strange, user_agent="\0" * 500)]
    assert store.journal.keep(strange[:10], Kept(entries), NOON) == 2
    assert store.journal.keep(strange[:10], Kept(entries), NOON) == 0
    assert sorted(all_of(store), key=lambda one: one.event) == sorted(entries, key=lambda one: one.event)
    assert store.journal.entry(long) == entries[0]


def test_more_entries_than_one_page(store: Store) -> None:
    many = [entry(f"e{number:05}", time=NOON + timedelta(seconds=number % 7)) for number in range(2_500)]
    store.journal.keep("feed", Kept(many), NOON)
    found = all_of(store)
    assert len(found) == 2_500
    assert found == sorted(found, key=lambda one: (one.time, one.event))


def test_a_store_that_is_gone_says_so(sqlite_url: str) -> None:
    with connect(sqlite_url) as opened:
        broken = replace(opened.journal, database=Database(opened.database.engine, "gone", opened.database.turn))
        with opened.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE trail_entries")
        with pytest.raises(StoreError, match="no such table"):
            broken.keep("feed", Kept([entry()]), NOON)

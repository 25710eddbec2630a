"""Reading the trail's sources into the journal: once, side by side, and from where the last reading was stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trail_records import ACCOUNT, END, SPECS, START, assume, in_role, packed, record, trail_of, user

from agent.ingest import Ingested, ingest, kept_entries
from agent.model import Entry, Gap, Scope, Trail
from agent.store import Store, StoreError, connect
from agent.trail.entries import Reader
from agent.trail.read import assemble
from agent.trail.source import Blob, Delivery, Feed, Window

GAP = Gap(Scope(type="cloudtrail"), "s3://b/k: AccessDenied")
STORY = [
    assume(user(), "Deploy", "x", "ASIADEPLOY", at="09:00:00"),
    record(at="09:30:00", userIdentity=in_role("Deploy", "x", "ASIADEPLOY")),
    record("DeleteQueue", at="10:00:00"),
    record(at="11:00:00", errorCode="AccessDenied"),
    record("StopLogging", "cloudtrail", at="11:00:00", requestParameters={"name": "t"}),
    record("StartLogging", "cloudtrail", at="11:30:00", requestParameters={"name": "t"}),
    *(record(at=f"12:0{number}:00", readOnly=True, eventName="ListQueues") for number in range(5)),
    record(at="13:00:00"),
]


def test_who_stopped_a_trail_is_still_known_when_their_session_is_long_past(tmp_path: Path) -> None:
    stopped = record(
        "StopLogging",
        "cloudtrail",
        at="10:00:00",
        userIdentity=in_role("Deploy", "x", "ASIADEPLOY"),
        requestParameters={"name": "t"},
    )
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        World([packed(assume(user(), "Deploy", "x", "ASIADEPLOY", at="09:00:00"), stopped)]).read(store)
        told = set()
        for day in range(5):
            start, end = START + timedelta(days=day), END + timedelta(days=day)
            told |= {gap.why for gap in assemble(kept_entries([store.journal], start, end), start, end).gaps}
    assert told == {"trail t: logging stopped by dana at 2026-03-02T10:00:00Z, and not brought back since"}


def test_a_time_that_no_calendar_has_stops_nothing(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        odd = [record(eventTime="9999-12-31T23:59:59-23:59"), record(eventTime="0001-01-01T00:00:00+23:59"), record()]
        assert World([packed(*odd)]).read(store).new == 1
        assert World([packed(*odd)], "again").read(store).gaps == ()


class Killed(BaseException):
    """The process ends here."""


class World:
    """A source of files, the process that reads it, and the moment at which it is killed."""

    def __init__(self, files: list[bytes], name: str = "feed") -> None:
        self.files = files
        self.name = name
        self.given: list[int] = []
        self.acknowledged: list[int] = []
        self.alive = 10**9

    def feed(self, **options: bool) -> Feed:
        return Feed(self.name, self.deliveries, **options)

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        first = window.checkpoints.get("", {}).get("next", 0)
        for number in range(first, len(self.files)):
            self.step()
            self.given.append(number)
            blob = Blob(f"file-{number}", self.files[number])
            done = partial(self.acknowledge, number)
            yield Delivery((blob,), checkpoint={"next": number + 1}, acknowledge=done)

    def acknowledge(self, number: int) -> tuple[Gap, ...]:
        self.step()
        self.acknowledged.append(number)
        return ()

    def now(self) -> datetime:
        self.step()
        return END

    def step(self) -> None:
        self.alive -= 1
        if self.alive < 0:
            raise Killed

    def read(self, store: Store) -> Ingested:
        reader = Reader(SPECS)
        return ingest(store.journal, [self.feed()], reader, START, END, seal=lambda one: one, now=self.now)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with connect(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def trail_in(store: Store) -> Trail:
    return assemble(
        kept_entries([store.journal], START, END),
        START,
        END,
        tallies=store.journal.tallies(START, END),
        gaps=store.journal.gaps(START),
    )


def test_what_was_read_is_the_trail(store: Store) -> None:
    world = World([packed(*STORY[:4]), packed(*STORY[4:])])
    found = world.read(store)
    assert (found.new, found.gaps, found.skipped) == (7, (), ())
    assert trail_in(store) == trail_of(*STORY)
    assert world.acknowledged == [0, 1]


def test_records_of_an_unknown_shape_are_counted(store: Store) -> None:
    world = World([packed(record(eventVersion="2.0"), record(eventVersion="2.1", at="12:01:00"))])
    assert sum(world.read(store).strange.values()) == 2
    assert world.read(store).strange == {}


def test_a_flood_of_refused_calls_is_kept_in_part_and_counted(store: Store) -> None:
    """Under a new session name each: the name is the caller's to choose."""
    flood = [
        record(
            at=f"12:{number // 60:02}:{number % 60:02}",
            errorCode="AccessDenied",
            userIdentity=in_role("R", f"s{number}"),
        )
        for number in range(700)
    ]
    found = World([packed(*flood[:400]), packed(*flood[400:])]).read(store)
    assert (found.new, dict(found.strange)) == (500, {"refused calls beyond 500 an hour of one caller": 200})
    assert trail_in(store).events == 700


def test_use_of_long_lived_keys_is_counted_reads_included(store: Store) -> None:
    reads = [record(at=f"12:0{number}:00", readOnly=True, eventName="ListQueues") for number in range(5)]
    other = record(at="13:00:00", userIdentity=user("erik", "ASIAERIK"))
    World([packed(*reads, record(), other), packed(*reads)]).read(store)
    assert [(one.key, one.calls, one.source_ip) for one in store.journal.key_use(START.replace(hour=0))] == [
        ("AKIADANA", 6, "198.51.100.7")
    ]


def test_nothing_is_read_twice(store: Store) -> None:
    world = World([packed(*STORY[:4])])
    world.read(store)
    world.files.append(packed(*STORY[4:]))
    assert world.read(store).new == 3
    assert world.given == [0, 1]
    assert world.read(store).new == 0
    assert trail_in(store) == trail_of(*STORY)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_killed_at_any_point_it_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Killed before a delivery, before it is kept, before it is acknowledged; again and again."""
    order = data.draw(st.permutations(STORY))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(order) - 1), max_size=5)))
    world = World([packed(*order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)])
    with connect(f"sqlite:///{tmp_path_factory.mktemp('killed')}/store.db") as store:
        for lives in data.draw(st.lists(st.integers(0, 9), max_size=4)):
            world.alive = lives
            try:
                world.read(store)
            except Killed:
                continue
        world.alive = 10**9
        world.read(store)
        assert trail_in(store) == trail_of(*STORY)


CHILD = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from test_ingest import STORY, World, packed
from agent.store import connect

world = World([packed(one) for one in STORY])
point = int(os.environ["DIES_AT"])
class Dying(World):
    def step(self):
        global point
        point -= 1
        if point < 0:
            os.kill(os.getpid(), signal.SIGKILL)
world.__class__ = Dying
with connect(sys.argv[1]) as store:
    world.read(store)
"""


@pytest.mark.parametrize("point", [1, 8, 17])
def test_a_killed_process_has_kept_whole_deliveries(tmp_path: Path, point: int) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    here = Path(__file__).parent
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, url, str(here), str(here / "trail")],
        env={**os.environ, "DIES_AT": str(point)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    with connect(url) as store:
        World([packed(one) for one in STORY]).read(store)
        assert trail_in(store) == trail_of(*STORY)


def test_a_delivery_is_acknowledged_only_when_it_is_kept(store: Store) -> None:
    world = World([packed(*STORY)])
    with store.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE trail_hours")
    with pytest.raises(StoreError):
        ingest(store.journal, [world.feed()], Reader(SPECS), START, END, seal=lambda one: one, now=world.now, by="")
    assert world.acknowledged == []


def gaps_only(gap: Gap) -> Callable[[Window], Iterator[Delivery]]:
    def deliveries(_window: Window) -> Iterator[Delivery]:
        yield Delivery((gap,))
        yield Delivery((gap, Blob("bad", b"no json")), acknowledge=lambda: (gap,))

    return deliveries


def test_a_gap_of_this_reading_is_told_and_what_cannot_be_decoded_is_kept(store: Store) -> None:
    feed = Feed("feed", gaps_only(GAP))
    found = ingest(store.journal, [feed], Reader(SPECS), START, END, seal=lambda one: one, now=lambda: END)
    assert found.gaps == (GAP,)
    (kept,) = store.journal.gaps(END)
    assert kept.why.startswith("bad: not JSON")


def test_sources_side_by_side_converge(store: Store) -> None:
    """More deliveries than may wait, from more sources than one."""
    worlds = [World([packed(one) for one in STORY * 3], f"feed-{number}") for number in range(4)]
    feeds = [world.feed() for world in worlds]
    found = ingest(store.journal, feeds, Reader(SPECS), START, END, seal=lambda one: one, now=lambda: END)
    assert found.new == 7
    assert trail_in(store) == trail_of(*STORY)
    assert all(world.acknowledged == list(range(len(STORY) * 3)) for world in worlds)


@pytest.mark.parametrize("sources", [("queue",), ("bucket",), ("bucket", "queue"), ("imported", "bucket")])
def test_another_reader_neither_loses_nor_doubles_what_was_counted(store: Store, sources: tuple[str, ...]) -> None:
    """An upgrade, a new ticket pattern: what a queue brought is gone from it, and what a bucket has is read again.

    The queue brings no reads, and is read first where both are read at once; one hour it alone tells of.
    """
    key = user() | {"accessKeyId": "AKIA2222222222222222"}
    writes = [packed(record(at=f"{hour:02}:00:00", userIdentity=key)) for hour in range(8, 13)]
    reads = [
        packed(record("ListQueues", at=f"{hour:02}:30:00", readOnly=True, userIdentity=key)) for hour in range(8, 12)
    ]
    worlds = {name: World(writes if name == "queue" else [*writes[:4], *reads], name) for name in sources}

    def read(by: str, *names: str) -> None:
        queue = worlds["queue"] if "queue" in names else None

        def bucket(window: Window) -> Iterator[Delivery]:
            while queue is not None and len(queue.acknowledged) < len(queue.files):
                time.sleep(0.001)
            yield from worlds["bucket"].deliveries(window)

        feeds = [
            Feed(name, bucket) if name == "bucket" else worlds[name].feed(drains=name == "queue") for name in names
        ]
        given = {"seal": lambda one: one, "now": lambda: END, "by": by, "once": "imported" in names}
        ingest(store.journal, feeds, Reader(SPECS), START, END, **given)

    def told() -> tuple[list[int], list[int]]:
        counts = [one.events for one in store.journal.tallies(START, END)]
        return counts, [one.calls for one in store.journal.key_use(START.replace(hour=0))]

    scanned = [name for name in sources if name != "imported"]
    if "imported" in worlds:
        read("one", "imported")
    read("one", *scanned)
    before = told()
    assert (
        before
        == {
            ("queue",): ([1] * 5, [5]),
            ("bucket",): ([2] * 4, [8]),
            ("bucket", "queue"): ([2] * 4 + [1], [8]),
            ("imported", "bucket"): ([2] * 4, [8]),
        }[sources]
    )
    if "queue" in worlds:
        worlds["queue"].files = []
    read("two", *scanned)
    assert told() == before


def test_a_feed_that_breaks_is_no_silence(store: Store) -> None:
    def deliveries(_window: Window) -> Iterator[Delivery]:
        yield Delivery((Blob("file", packed(*STORY)),))
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        ingest(
            store.journal,
            [Feed("feed", deliveries)],
            Reader(SPECS),
            START,
            END,
            seal=lambda one: one,
            now=lambda: datetime.now(UTC),
        )
    assert trail_in(store) == trail_of(*STORY)


def test_a_dry_run_goes_on_from_the_journal_and_leaves_it_alone(store: Store, tmp_path: Path) -> None:
    world = World([packed(*STORY[:4])])
    world.read(store)
    world.files.append(packed(*STORY[4:]))
    queue = World([packed(record(at="14:00:00"))], "queue")
    before = store.journal.positions()
    with connect(f"sqlite:///{tmp_path}/dry.db") as place:
        found = ingest(
            place.journal,
            [world.feed(), queue.feed(drains=True)],
            Reader(SPECS),
            START,
            END,
            seal=lambda one: one,
            now=world.now,
            behind=store.journal,
        )
        assert (found.new, found.skipped, queue.given) == (3, ("queue",), [])
        assert [one.event for one in kept_entries([store.journal, place.journal], START, END)] != []
    assert store.journal.positions() == before
    assert world.given == [0, 1]


def test_what_is_secret_is_sealed_before_it_is_kept(store: Store) -> None:
    def sealed(entry: Entry) -> Entry:
        return Entry(entry.event, entry.sort, entry.time, entry.action, entry.caller, account=ACCOUNT)

    world = World([packed(record(requestParameters={"canary": "c4n4ry"}))])
    ingest(store.journal, [world.feed()], Reader(SPECS), START, END, seal=sealed, now=world.now)
    assert [one.request for one in kept_entries([store.journal], START, END)] == [{}]

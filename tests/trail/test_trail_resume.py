"""Feeds read again and again, killed at any point: in the end there is what perfect delivery would have brought."""

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from trail_delivery import Journal, KilledError, Lookup, MemoryBucket, MemoryQueue, at, perfect, plain
from trail_records import ACCOUNT, REGION, START, packed, user

from agent.trail import bus, files, notified, s3
from agent.trail.source import LATE, Delivery, Feed, Window

BUCKET = "trail-logs"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Deliveries are small, and so there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.trail.batch._FILES", 2)
        yield


@pytest.fixture(scope="module")
def clients(small: None) -> Iterator[tuple[Any, Any]]:
    """Of SQS and S3, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            storage = boto3.client("s3", region_name="us-east-1")
            storage.create_bucket(Bucket=BUCKET)
            yield boto3.client("sqs", region_name=REGION), storage


class Storage:
    """A client of S3 that lists two keys a page, refuses some GETs, and knows what was fetched."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.fetched: list[str] = []
        self.refused: set[str] = set()
        self.pages = 1_000

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects_v2(self, **asked: Any) -> Any:
        self.pages -= 1
        if self.pages < 0:
            raise self._client.exceptions.ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "List")
        pages = {} if isinstance(self._client, MemoryBucket) else {"MaxKeys": 2}
        return self._client.list_objects_v2(**asked, **pages)

    def get_object(self, **asked: Any) -> Any:
        self.fetched.append(asked["Key"])
        if asked["Key"] in self.refused:
            raise self._client.exceptions.ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "GetObject")
        return self._client.get_object(**asked)


class Trail:
    """A trail's folder in the bucket, and the feed of it."""

    def __init__(self, storage: Any) -> None:
        self.client = Storage(storage)
        self.home = f"{uuid.uuid4()}"
        self.now = START

    def put(self, stamp: datetime, *records: dict, day: str = "", account: str = ACCOUNT) -> str:
        day = day or f"{stamp:%Y/%m/%d}"
        name = f"{account}_CloudTrail_{REGION}_{stamp:%Y%m%dT%H%M}Z_{uuid.uuid4().hex[:16]}.json.gz"
        key = f"{self.home}/AWSLogs/{account}/CloudTrail/{REGION}/{day}/{name}"
        self.client.put_object(Bucket=BUCKET, Key=key, Body=packed(*records))
        return key

    def feed(self, **options: Any) -> Feed:
        return s3.feed(self.client, BUCKET, self.home, workers=2, now=lambda: self.now, **options)

    def fetched(self) -> list[str]:
        found, self.client.fetched = self.client.fetched, []
        return sorted(found)


@pytest.fixture
def trail(clients: tuple[Any, Any]) -> Trail:
    return Trail(clients[1])


# --- S3 ------------------------------------------------------------------------------------------------------


def test_each_file_is_fetched_once_however_late_it_lands(trail: Trail) -> None:
    journal = Journal()
    made = [at(START + n * HOUR) for n in range(8)]
    keys = [trail.put(START + n * HOUR, made[n]) for n in range(4)]
    trail.now = START + 4 * HOUR
    assert journal.read(trail.feed(), START, trail.now) == []
    assert trail.fetched() == sorted(keys)
    late = [trail.put(START - 12 * HOUR, made[4]), trail.put(START + 3 * HOUR, made[5])]
    new = trail.put(START + 5 * HOUR, made[6])
    trail.now = START + 6 * HOUR
    assert journal.read(trail.feed(), START, trail.now) == []
    assert trail.fetched() == sorted([*late, new])
    other = trail.put(START + 5 * HOUR, made[7], account="444455556666")
    assert journal.read(trail.feed(), START, trail.now) == []
    assert trail.fetched() == [other]
    assert journal.entries == perfect(made)
    assert journal.counted == 8
    assert journal.lasting == []


def test_what_a_whole_reading_saw_need_not_be_remembered(trail: Trail) -> None:
    """Objects here land now: seen from tomorrow, all that landed an hour before the last reading is known by that."""
    journal = Journal()
    trail.now = datetime.now(UTC).replace(microsecond=0) + 2 * HOUR
    start = trail.now - 10 * HOUR
    for n in range(6):
        trail.put(start + n * HOUR, at(start + n * HOUR))
    journal.read(trail.feed(), start, trail.now)
    (stood,) = journal.checkpoints[trail.feed().name].values()
    assert stood["read"] == []
    assert len(trail.fetched()) == 6
    journal.read(trail.feed(), start, trail.now)
    assert trail.fetched() == []
    assert journal.counted == 6


def test_a_name_that_claims_another_time_moves_nothing(trail: Trail) -> None:
    journal = Journal()
    far = START + timedelta(days=300)
    made = [at(START + n * HOUR) for n in range(4)]
    planted = [
        trail.put(far, made[0], day=f"{START:%Y/%m/%d}"),
        trail.put(START + LATE, made[1]),
        trail.put(START - timedelta(days=900), made[2], day=f"{START + HOUR:%Y/%m/%d}"),
    ]
    trail.now = START + HOUR
    journal.read(trail.feed(), START, trail.now)
    assert trail.fetched() == sorted(planted)
    new = trail.put(START + HOUR, made[3])
    trail.now = START + 2 * HOUR
    journal.read(trail.feed(), START, trail.now)
    assert new in trail.fetched()
    assert journal.entries == perfect(made)


def test_an_earlier_start_reads_what_lies_before_and_nothing_twice(trail: Trail) -> None:
    journal = Journal()
    made = [at(START - timedelta(days=5) + n * 20 * HOUR) for n in range(8)]
    keys = [trail.put(START - timedelta(days=5) + n * 20 * HOUR, one) for n, one in enumerate(made)]
    trail.now = START + LATE
    journal.read(trail.feed(), START, trail.now)
    first = trail.fetched()
    assert 0 < len(first) < 8
    start = START - timedelta(days=6)
    with pytest.raises(KilledError):
        journal.read(trail.feed(), start, trail.now, kill=1, kept=True)
    journal.read(trail.feed(), start, trail.now)
    again = Counter(trail.fetched())
    assert set(again) == set(keys) - set(first)
    assert journal.read(trail.feed(), start, trail.now) == []
    assert trail.fetched() == []
    assert journal.entries == perfect(made)


def test_a_file_that_was_not_to_be_had_is_owed(trail: Trail) -> None:
    journal = Journal()
    made = [at(START + n * HOUR) for n in range(5)]
    keys = [trail.put(START + n * HOUR, one) for n, one in enumerate(made)]
    trail.client.refused = {keys[1], keys[3]}
    trail.now = START + 6 * HOUR
    gaps = journal.read(trail.feed(), START, trail.now)
    assert [key in gap.why for key, gap in zip((keys[1], keys[3]), gaps, strict=True)] == [True, True]
    assert len(journal.entries) == 3
    trail.fetched()
    trail.client.refused = {keys[3]}
    trail.now += timedelta(days=3)
    (gap,) = journal.read(trail.feed(), START, trail.now)
    assert keys[3] in gap.why
    assert trail.fetched() == sorted([keys[1], keys[3]])
    trail.client.refused = set()
    trail.client.delete_object(Bucket=BUCKET, Key=keys[3])
    assert journal.read(trail.feed(), START, trail.now) == []
    assert ["NoSuchKey" in gap.why for gap in journal.lasting] == [True]
    trail.fetched()
    assert journal.read(trail.feed(), START, trail.now) == []
    assert trail.fetched() == []
    assert journal.entries == perfect([one for n, one in enumerate(made) if n != 3])


def test_a_listing_that_ends_early_goes_on_where_it_ended(trail: Trail) -> None:
    journal = Journal()
    made = [at(START + n * HOUR) for n in range(7)]
    keys = [trail.put(START + n * HOUR, one) for n, one in enumerate(made)]
    trail.now = START + 8 * HOUR
    trail.client.pages = 2
    (gap,) = journal.read(trail.feed(), START, trail.now)
    assert "SlowDown" in gap.why
    assert (gap.scope.account, gap.scope.region) == (ACCOUNT, REGION)
    assert trail.fetched() == sorted(keys[:4])
    trail.client.pages = 1_000
    assert journal.read(trail.feed(), START, trail.now) == []
    assert trail.fetched() == sorted(keys[4:])
    assert journal.entries == perfect(made)


def test_reading_stops_where_nothing_can_be_had_and_goes_on_there(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.trail.s3_position._OWED", 3)
    journal = Journal()
    made = [at(START + n * HOUR / 10) for n in range(30)]
    trail.client.refused = {trail.put(START + n * HOUR / 10, one) for n, one in enumerate(made)}
    trail.now = START + 6 * HOUR
    for _ in range(2):
        gaps = journal.read(trail.feed(), START, trail.now)
        assert ["not read on" in gap.why for gap in gaps if "files could not" in gap.why] == [True]
        assert len(trail.fetched()) < 10
    trail.client.refused = set()
    assert journal.read(trail.feed(), START, trail.now) == []
    assert journal.entries == perfect(made)


@pytest.mark.parametrize(
    "checkpoint",
    [
        {},
        {"version": 7},
        {"version": 1, "since": 3, "until": None},
        {"version": 1, "since": "x", "until": "2026-01-01"},
    ],
)
def test_a_checkpoint_that_is_none_is_as_good_as_none(trail: Trail, tmp_path: Path, checkpoint: dict) -> None:
    made = at(START + HOUR)
    trail.put(START + HOUR, made)
    trail.now = START + 2 * HOUR
    (tmp_path / "a.json").write_text(plain(made))
    asked = Lookup()
    asked.records.append(made)
    for feed, shard in (
        (trail.feed(), f"{ACCOUNT}/{REGION}"),
        (files.feed(tmp_path), ""),
        (asked.feed(lambda: START + 2 * HOUR), f"{ACCOUNT}/{REGION}/ReadOnly=false"),
    ):
        journal = Journal(checkpoints={feed.name: {shard: checkpoint}})
        assert journal.read(feed, START, START + 2 * HOUR) == []
        assert journal.entries == perfect([made])
        assert journal.checkpoints[feed.name][shard] != checkpoint


# --- LookupEvents --------------------------------------------------------------------------------------------


def test_ninety_days_go_on_where_they_stopped() -> None:
    asked, journal = Lookup(), Journal()
    now = START + timedelta(days=80)
    asked.records = [at(START + n * timedelta(days=5) + HOUR) for n in range(16)]
    asked.fail = 60
    (gap,) = journal.read(asked.feed(lambda: now, sessions=False), START, now)
    assert "the line is dead" in gap.why
    reached = asked.writes()
    assert reached[0] == (START, START + timedelta(days=1))
    asked.fail = -1
    assert journal.read(asked.feed(lambda: now, sessions=False), START, now) == []
    rest = asked.writes()
    assert rest[0][0] == reached[-1][0]  # the slice that failed
    assert rest[-1][1] == now
    assert journal.entries == perfect(asked.records)
    assert journal.counted == 16


def test_each_reading_asks_again_for_the_last_day_and_counts_it_once() -> None:
    asked, journal = Lookup(), Journal()
    now = START + 12 * HOUR
    asked.records = [at(START + HOUR)]
    journal.read(asked.feed(lambda: now), START, now)
    asked.writes()
    late = now + LATE - HOUR
    asked.records += [at(START + 11 * HOUR), at(late - HOUR)]
    journal.read(asked.feed(lambda: late), START, late)
    assert asked.writes() == [(START, now), (now, late)]
    assert journal.entries == perfect(asked.records)
    assert journal.counted == 2  # the late one is among the changes, and not in the count of its hour
    later = late + timedelta(days=3)
    journal.read(asked.feed(lambda: later), late, later)
    assert asked.writes()[0] == (late - LATE, late)
    journal.read(asked.feed(lambda: later), START - LATE, later)
    assert asked.writes()[0] == (START - LATE, START)
    assert journal.counted == 2


def test_many_events_make_the_slices_short() -> None:
    asked, journal = Lookup(), Journal()
    now = START + timedelta(days=3)
    asked.records = [at(START + n * timedelta(minutes=20)) for n in range(100)]
    journal.read(asked.feed(lambda: now, sessions=False), START, now)
    lengths = [end - start for start, end in asked.writes()]
    assert timedelta(days=1) / 4 in lengths
    assert sum(lengths, timedelta()) == timedelta(days=3)
    assert journal.entries == perfect(asked.records)


def test_what_was_read_in_time_is_no_gap_when_it_is_forgotten() -> None:
    asked, journal = Lookup(), Journal()
    for day in range(0, 120, 40):
        now = START + timedelta(days=day)
        assert journal.read(asked.feed(lambda now=now: now), START - timedelta(days=1), now) == []
    now += timedelta(days=100)
    gaps = journal.read(asked.feed(lambda: now), START - timedelta(days=1), now)
    assert [gap.why for gap in gaps] == ["LookupEvents keeps 90 days: nothing of the interval's first 91"]


# --- files ---------------------------------------------------------------------------------------------------


def test_a_file_is_read_again_when_it_has_grown(tmp_path: Path) -> None:
    journal = Journal()
    made = [at(START + n * HOUR) for n in range(4)]
    (tmp_path / "a.jsonl").write_text(plain(made[0]) + "\n")
    (tmp_path / "b.json").write_text(plain(made[1]))
    journal.read(files.feed(tmp_path), START, START + HOUR)
    assert [one.blobs for one in deliveries(files.feed(tmp_path), journal)] == [()]
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(plain(made[2]) + "\n")
    (tmp_path / "c.json").write_text(plain(made[3]))
    found = [Path(blob.name).name for one in deliveries(files.feed(tmp_path), journal) for blob in one.blobs]
    assert found == ["a.jsonl", "c.json"]
    journal.read(files.feed(tmp_path), START, START + HOUR)
    assert journal.entries == perfect(made)


def test_an_earlier_start_reads_files_again_and_counts_them_once(tmp_path: Path) -> None:
    journal = Journal()
    for n in range(5):
        (tmp_path / f"{n}.json").write_text(plain(at(START + n * HOUR)))
    journal.read(files.feed(tmp_path), START, START + HOUR)
    (tmp_path / "2a.json").write_text(plain(at(START + 9 * HOUR)))
    found = list(files.feed(tmp_path).deliveries(Window(START - LATE, START, journal.checkpoints[str(tmp_path)])))
    assert {Path(blob.name).name: one.again for one in found for blob in one.blobs} == {
        **{f"{n}.json": True for n in range(5)},
        "2a.json": False,
    }
    journal.read(files.feed(tmp_path), START - LATE, START)
    assert journal.counted == 6
    assert [one.blobs for one in deliveries(files.feed(tmp_path), journal, START - LATE)] == [()]


def deliveries(feed: Feed, journal: Journal, start: datetime = START) -> list[Delivery]:
    return list(feed.deliveries(Window(start, START + HOUR, journal.checkpoints[feed.name])))


# --- all of them ---------------------------------------------------------------------------------------------


class Queue:
    """A client of SQS whose messages come back when their reader was killed."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._url = client.create_queue(QueueName=f"{uuid.uuid4()}")["QueueUrl"]
        self.hidden: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            return getattr(self._client, name)(**asked | {"QueueUrl": self._url})

        return call

    def receive_message(self, **asked: Any) -> Any:
        answer = self._client.receive_message(**asked | {"QueueUrl": self._url})
        self.hidden |= {one["ReceiptHandle"]: one["Body"] for one in answer.get("Messages", ())}
        return answer

    def delete_message_batch(self, **asked: Any) -> Any:
        for one in asked["Entries"]:
            self.hidden.pop(one["ReceiptHandle"], None)
        return self._client.delete_message_batch(**asked | {"QueueUrl": self._url})

    def send(self, body: dict) -> None:
        self.send_message(MessageBody=plain(body))

    def release(self) -> None:
        for receipt in self.hidden:
            self.change_message_visibility(ReceiptHandle=receipt, VisibilityTimeout=0)
        self.hidden = {}


class Estate:
    """Every source at once."""

    def __init__(self, storage: Any, announced: Any, events: Any, folder: Path) -> None:
        self.trail = Trail(storage)
        self.announced, self.events = announced, events
        self.lookup = Lookup()
        self.folder = folder
        self.now = START
        folder.mkdir()

    def deliver(self, route: str, one: dict, stamp: datetime) -> None:
        if route == "s3":
            self.trail.put(stamp, one)
        elif route == "notified":
            other = f"{self.trail.home}-announced"
            home, self.trail.home = self.trail.home, other
            key = self.trail.put(stamp, one)
            self.trail.home = home
            self.announced.send({"s3Bucket": BUCKET, "s3ObjectKey": [key]})
        elif route == "bus":
            envelope = {"source": "aws.sqs", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT}
            self.events.send(envelope | {"detail": one})
        elif route == "lookup":
            self.lookup.records.append(one)
        else:
            with (self.folder / f"{route}.jsonl").open("a") as file:
                file.write(plain(one) + "\n")

    def feeds(self) -> list[Feed]:
        self.trail.now = self.now
        return [
            self.trail.feed(),
            notified.feed(self.announced, "announced", self.trail.client, buckets=[BUCKET], wait=0, workers=2),
            bus.feed(self.events, "events", accounts=[ACCOUNT], wait=0),
            self.lookup.feed(lambda: self.now),
            files.feed(self.folder),
        ]

    def release(self) -> None:
        self.announced.release()
        self.events.release()


SCANS = (4, 12, 24, 36)  # hours after the start; events are of the first twelve, and none arrives a day late


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, str, int, int]]:
    """(scan before which it arrives, by which way, event, hours its file is stamped after it), in order of arrival."""
    found = []
    for event in range(draw(st.integers(1, 6))):
        hour = 2 * event
        possible = [n for n, scan in enumerate(SCANS) if hour < scan <= hour + 24]
        ways = draw(
            st.lists(st.sampled_from(["s3", "notified", "bus", "lookup", "file-a", "file-b"]), min_size=1, max_size=4)
        )
        for way in ways:
            scan = draw(st.sampled_from(possible))
            found.append((scan, way, event, draw(st.integers(0, SCANS[scan] - hour))))
    return sorted(draw(st.permutations(found)), key=lambda one: one[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arriving=arrivals(),
    kills=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans()), min_size=3, max_size=3),
)
def test_any_delivery_with_any_kills_keeps_what_a_perfect_one_would(
    small: None,
    tmp_path: Path,
    arriving: list[tuple[int, str, int, int]],
    kills: list[tuple[int, int, bool]],
) -> None:
    storage = MemoryBucket()
    estate, journal = Estate(storage, MemoryQueue(), MemoryQueue(), tmp_path / f"{uuid.uuid4()}"), Journal()
    made = {event: at(START + 2 * event * HOUR, userIdentity=user(f"u{event}")) for _, _, event, _ in arriving}
    for number, hours in enumerate(SCANS):
        storage.now = START + hours * HOUR - HOUR / 2
        for scan, way, event, after in arriving:
            if scan == number:
                estate.deliver(way, made[event], START + (2 * event + after) * HOUR)
        estate.now = START + hours * HOUR
        which, kill, kept = kills[number] if number < len(kills) else (-1, -1, False)
        for place, feed in enumerate(estate.feeds()):
            try:
                journal.read(feed, START, estate.now, kill=kill if place == which else -1, kept=kept)
            except KilledError:
                estate.release()
                break
    assert journal.entries == perfect(list(made.values()))
    assert journal.lasting == []
    assert estate.announced.hidden == estate.events.hidden == {}


@pytest.mark.parametrize("kept", [False, True], ids=["before it was kept", "after it was kept"])
def test_killed_at_every_delivery_of_every_feed(clients: tuple[Any, Any], tmp_path: Path, kept: bool) -> None:
    for place in range(5):
        made = [at(START + n * HOUR) for n in range(4)]
        queues = Queue(clients[0]), Queue(clients[0])
        estate, journal = Estate(clients[1], *queues, tmp_path / f"{place}-{kept}"), Journal()
        estate.now = START + 12 * HOUR
        for n, one in enumerate(made):
            for way in ("s3", "notified", "bus", "lookup", f"file-{n}"):
                estate.deliver(way, one, START + n * HOUR)
        kills = 0
        for kill in range(9):
            try:
                # Each reading gets one delivery further than the last before it is killed, and goes on from there.
                journal.read(estate.feeds()[place], START, estate.now, kill=min(kill, 1), kept=kept)
            except KilledError:
                kills += 1
                estate.release()
            else:
                break
        journal.read(estate.feeds()[place], START, estate.now)
        assert kills > 0
        assert journal.entries == perfect(made)
        assert journal.lasting == []

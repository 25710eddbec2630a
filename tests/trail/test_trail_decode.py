"""Bytes → records: containers, misspellings, and files that are none, each with the reason it gives."""

import gzip
import json
import time
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail_records import packed, record

from agent.model import Gap
from agent.trail import decode, parts
from agent.trail.decode import Record, records
from agent.trail.source import Blob


def decoded(data: bytes) -> tuple[list[Record], list[str]]:
    found = list(records(Blob("a/log.json.gz", data)))
    return [r for r in found if isinstance(r, Record)], [r.why for r in found if isinstance(r, Gap)]


ONE = record()
TWO = record(at="12:00:01")


@pytest.mark.parametrize(
    "data",
    [
        packed(ONE, TWO),
        json.dumps({"Records": [ONE, TWO]}).encode(),
        b"\xef\xbb\xbf" + json.dumps({"Records": [ONE, TWO]}).encode(),
        json.dumps([ONE, TWO], indent=1).encode(),
        f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n".encode(),
        gzip.compress(json.dumps(ONE).encode() + b"\r\n") + gzip.compress(json.dumps(TWO).encode()),
        json.dumps({"Events": [{"CloudTrailEvent": json.dumps(ONE)}, {"CloudTrailEvent": json.dumps(TWO)}]}).encode(),
        "\n".join(
            json.dumps({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": r}) for r in (ONE, TWO)
        ).encode(),
    ],
    ids=["file", "not packed", "byte order mark", "array", "lines", "two gzip members", "LookupEvents", "EventBridge"],
)
def test_every_container_gives_the_same_records(data: bytes) -> None:
    found, gaps = decoded(data)
    assert gaps == []
    assert [ONE["eventID"], TWO["eventID"]] == [r.id for r in found]
    assert [r.name for r in found] == ["SetQueueAttributes"] * 2
    assert ONE["requestParameters"] == decode.mapping(found[0].request)


def test_one_pretty_printed_record() -> None:
    found, gaps = decoded(json.dumps(ONE, indent=2).encode())
    assert ([ONE["eventID"]], []) == ([r.id for r in found], gaps)


def test_an_empty_log_file_is_no_gap() -> None:
    assert decoded(packed()) == ([], [])


NESTED = (
    b'{"Records":[{"eventName":"A","eventSource":"b","requestParameters":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\x1f\x8bnot really", "broken gzip"),
        (packed(ONE)[:-20], "gzip ends early"),
        (b"PK\x03\x04 a zip", "not JSON"),
        (b'{"Records":[{"eventName":', "not JSON"),
        (NESTED, "nested too deep"),
        (gzip.compress(NESTED), "nested too deep"),
        (b'{"Records": 7}', "Records is no array"),
        (b'"text"', "neither an object nor an array"),
        (b'{"configurationItems": []}', "no CloudTrail record"),
        (gzip.compress(b"") * 100, "more than 64 gzip members"),
        (
            json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]}).encode(),
            "record 1 is no CloudTrail record",
        ),
        (b'{"Events": [{"EventId": "x"}, 7]}', "an entry of Events has no CloudTrailEvent in it (and 1 more"),
    ],
)
def test_what_is_no_log_file_is_one_gap_that_names_it(data: bytes, why: str) -> None:
    found, gaps = decoded(data)
    assert found == []
    assert len(gaps) == 1
    assert gaps[0].startswith(f"a/log.json.gz: {why}") or gaps[0].startswith(f"a/log.json.gz: line 1: {why}")


def test_a_gzip_bomb_is_refused_quickly_and_small() -> None:
    bomb = gzip.compress(b'{"Records":[' + b" " * (64 << 20))
    began = time.process_time()
    found, gaps = decoded(bomb)
    assert found == []
    assert "a/log.json.gz: grows past" in gaps[0]
    assert "in gunzip" in gaps[0]
    assert time.process_time() - began < 2


def test_one_bad_line_costs_that_line() -> None:
    lines = [json.dumps(ONE), '{"eventName": ', "7", json.dumps(TWO)]
    found, gaps = decoded("\n".join(lines).encode())
    assert [ONE["eventID"], TWO["eventID"]] == [r.id for r in found]
    assert len(gaps) == 1
    assert gaps[0].startswith("a/log.json.gz: line 2: not JSON")
    assert gaps[0].endswith("(and 1 more like it, of 4 records)")


@pytest.mark.parametrize(
    "change",
    [
        {"eventName": None, "eventSource": "sqs.amazonaws.com"},
        {"eventTime": 1772450000, "eventVersion": 1.08},
        {"userIdentity": "arn:aws:iam::111122223333:user/dana"},
        {"userIdentity": None},
        {"userIdentity": {"invokedBy": "ec2.amazonaws.com", "accountId": "1"}},
        {"responseElements": "null"},
        {"readOnly": "false", "managementEvent": "true", "sessionCredentialFromConsole": True},
        {"eventName": "{event_name}"},
        {"eventID": None, "eventVersion": None, "eventTime": None},
        {"eventTime": "... redacted", "eventVersion": "..."},
        {"userAgent": None, "sourceIPAddress": None, "errorCode": None},
        {"userAgent": ["a", "b"], "errorCode": {"code": 1}, "awsRegion": True},
        {"requestParameters": [1, 2], "resources": {"ARN": "x"}},
        {"resources": None, "additionalEventData": "text", "serviceEventDetails": "text"},
    ],
)
def test_a_misspelt_record_is_read_and_costs_its_neighbours_nothing(change: dict) -> None:
    found, gaps = decoded(packed(ONE | change, TWO))
    kept = [r for r in found if r.id != TWO["eventID"]]
    assert [TWO["eventID"]] == [r.id for r in found if r.id == TWO["eventID"]]
    if change.get("eventName", "") is None:
        assert (kept, len(gaps)) == ([], 1)
    else:
        assert (len(kept), gaps) == (1, [])
        assert isinstance(decode.document(kept[0]), dict)
        decode.at(kept[0])
        decode.event_id(kept[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\xff\xfe"', "��"),
        (b"1" + b"0" * 5000, "1" + "0" * 5000),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_strange_values_inside_a_record(text: bytes, value: object) -> None:
    data = b'{"Records":[{"eventName":"A","eventSource":"b","requestParameters":' + text + b"}]}"
    found, gaps = decoded(data)
    assert gaps == []
    shown = decode.value(found[0].request)
    assert value == shown
    json.dumps(shown).encode()


@pytest.mark.parametrize(("text", "value"), [(b"NaN", None), (b'"\\ud800"', "?"), (b"-Infinity", None), (b"01", None)])
def test_what_is_no_json_costs_at_most_its_record(text: bytes, value: object) -> None:
    bad = b'{"eventName":"A","eventSource":"b","requestParameters":' + text + b"}"
    whole = json.dumps(TWO).encode()
    found, gaps = decoded(b'{"Records":[' + b",".join((whole, bad, whole)) + b"]}")
    assert [TWO["eventID"]] * 2 == [r.id for r in found if r.id]
    if text == b"01":
        assert (len(found), len(gaps)) == (2, 1)
        assert "not JSON" in gaps[0]
    else:
        assert (len(found), gaps) == (3, [])
        assert value == decode.value(found[1].request)


@pytest.mark.parametrize(
    ("time_", "expected"),
    [
        ("2026-03-02T12:00:00Z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T12:00:00", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T14:00:00+02:00", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02 12:00:00.000000000", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        ("", None),
        (None, None),
        ("... redacted", None),
    ],
)
def test_times_are_utc_or_unknown(time_: str | None, expected: datetime | None) -> None:
    assert expected == decode.at(Record(time=time_))


def test_an_id_that_is_no_uuid_does_not_merge_two_events() -> None:
    same = [decode.event_id(Record(id="1", name=name)) for name in ("A", "A", "B")]
    assert same[0] == same[1] != same[2]
    upper = "0E2AE4A3-43BE-4C02-9B0A-6E1A2B1B9A5C"
    assert upper.lower() == decode.event_id(Record(id=upper, name="A")) == decode.event_id(Record(id=upper, name="B"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(alphabet='a"\\[]{},: \n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a"\\{', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6), st.booleans(), st.integers(0, 80))
def test_items_of_an_array_are_found_by_strings_and_brackets(given_: list, spaced: bool, cut: int) -> None:
    text = json.dumps(given_, indent=1 if spaced else None).encode()
    *found, (end, _) = parts.items(text, 1)
    assert [json.loads(text[start:stop]) for start, stop in found] == given_
    assert text[end:] == b"]"
    short = text[: max(1, len(text) - cut)]
    told = [(start, stop) for start, stop in parts.items(short, 1) if start < stop <= len(short)]
    assert told[:-1] == found[: len(told[:-1])]


def test_a_large_file_is_read_a_piece_at_a_time_and_nothing_of_it_twice() -> None:
    """Requests hold whole records, so that most boundaries between two texts lie inside a record."""
    inner = [{"eventVersion": "1.11", "eventName": f"Forged{n}", "eventSource": "b"} for n in range(40)]
    ours = [record(eventID=str(uuid.UUID(int=n)), requestParameters={"items": inner}) for n in range(1200)]
    first = [{"eventVersion": one["eventVersion"], **one} for one in ours]
    data = json.dumps({"Records": first}, separators=(",", ":")).encode()
    assert len(data) > 3 << 20
    found, gaps = decoded(data)
    assert gaps == []
    assert [one["eventID"] for one in ours] == [r.id for r in found]
    # One record is damaged: all others are read.
    found, gaps = decoded(data.replace(b'"eventID":"%s"' % ours[700]["eventID"].encode(), b'"eventID":01', 1))
    assert [one["eventID"] for n, one in enumerate(ours) if n != 700] == [r.id for r in found]
    assert len(gaps) == 1

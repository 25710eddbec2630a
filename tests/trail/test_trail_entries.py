"""A file's records → entries and counts: the short cuts give what the long way gives, and memory has a bound."""

import json
import uuid

import msgspec
import pytest
from deadly import dies_of, nothing, unprepared
from hypothesis import given, settings
from hypothesis import strategies as st
from trail_records import SPECS, assume, in_role, packed, record, user

from agent.model import Gap
from agent.trail import classify, decode, identity
from agent.trail.crew import Crew, Died
from agent.trail.decode import Record
from agent.trail.entries import Reader, Seen
from agent.trail.source import EVERYWHERE, Blob

READ = {"eventName": "GetQueueUrl", "readOnly": True}


def reader() -> Reader:
    return Reader(SPECS)


def numbered(count: int, **fields: object) -> list[dict]:
    return [record(eventID=str(uuid.UUID(int=n)), **fields) for n in range(count)]


# --- what is kept --------------------------------------------------------------------------------------------

WORDS = {
    "read_only": (True, False, "true", None),
    "error": (None, "AccessDenied", "ThrottlingException", ""),
    "type": ("AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn", "AwsVpceEvent", "Odd", None),
    "category": ("Management", "Data", None, "Odd"),
    "name": ("GetQueueUrl", "SetQueueAttributes", "AssumeRole", "ConsoleLogin", "CheckMfa", "PutObject"),
    "version": ("1.0", "1.08", "1.11", "2.0", None),
    "source": ("sqs.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com", "s3.amazonaws.com"),
    "management": (True, False, None),
}


@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries({name: st.sampled_from(words) for name, words in WORDS.items()}))
def test_what_is_passed_over_is_a_plain_read(fields: dict) -> None:
    """Whatever `classify` calls something else, or strange, is an entry or is told."""
    one = Record(id=str(uuid.UUID(int=1)), time="2026-03-02T12:00:00Z", user_identity=msgspec.Raw(b"{}"), **fields)
    own = reader()
    found = own.sift(Blob("file", b'{"Records":[' + msgspec.json.encode(one) + b"]}"))
    sort, odd = classify.sort(one), classify.strange(one)
    assert list(own.strange()) == [odd] * bool(odd)
    if sort in ("denied", "failed", "sign-in") or (sort == "change" and not classify.is_noise(one)):
        assert [entry.sort for entry in found.entries] == [sort]
    elif sort == "read":
        assert found.entries == ()


CALLERS = (user(), in_role("Deploy", "ci"), {"type": "Root", "accountId": "1"}, {"type": "AWSService"}, "text", None)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "userIdentity": st.sampled_from(CALLERS),
                "userAgent": st.sampled_from(("aws-cli/2", "Mozilla/5.0", "terraform-provider-aws/5", "", None)),
                "sourceIPAddress": st.sampled_from(("198.51.100.7", "cloudformation.amazonaws.com", "AWS Internal")),
                "eventSource": st.sampled_from(("sqs.amazonaws.com", "signin.amazonaws.com", "sso.amazonaws.com")),
                "eventType": st.sampled_from(("AwsApiCall", "AwsServiceEvent", "AwsConsoleSignIn", "AwsConsoleAction")),
                "recipientAccountId": st.sampled_from(("111122223333", "444455556666")),
                "sessionCredentialFromConsole": st.sampled_from(("true", None)),
                "eventName": st.sampled_from(("SetQueueAttributes", "Federate", "UserAuthentication", "ConsoleLogin")),
                "requestParameters": st.sampled_from(({"a": 1}, None)),
                "additionalEventData": st.sampled_from(({"MFAUsed": "No"}, None)),
            }
        ),
        min_size=2,
        max_size=12,
    )
)
def test_a_remembered_caller_is_what_the_record_says(changes: list[dict]) -> None:
    given_ = [record(eventID=str(uuid.UUID(int=n)), **change) for n, change in enumerate(changes)]
    told = {}
    for one in decode.records(Blob("file", packed(*given_))):
        assert isinstance(one, Record)
        caller = identity.of(one)
        told[one.id] = (caller, classify.client(one, caller), classify.made_by_service(one, caller))
    for entry in reader().sift(Blob("file", packed(*given_))).entries:
        caller, client, by_service = told[entry.event]
        assert entry.caller == caller
        assert (entry.identity, entry.channel, entry.tool) == (client.identity, client.channel, client.tool)
        assert bool(entry.by_service) == by_service


@pytest.mark.parametrize(
    "request_", [{"tags": {"ticket": "OPS-1234"}}, {"TAGLIST": [{"Key": "Ticket", "Value": "OPS-1234"}]}]
)
def test_a_reference_in_a_tag_is_found_however_it_is_spelt(request_: dict) -> None:
    plain = packed(record(requestParameters=request_))
    escaped = json.dumps({"Records": [record(requestParameters=request_)]}).replace("tags", "t\\u0061gs").encode()
    for data in (plain, escaped):
        (entry,) = reader().sift(Blob("file", data)).entries
        assert [claim.text for claim in entry.references] == ["OPS-1234"]


def test_a_session_is_an_entry_though_it_reads_only() -> None:
    (entry,) = reader().sift(Blob("file", packed(assume(user(), "Deploy", "dana", "ASIA1"), record(**READ)))).entries
    assert (entry.sort, entry.issued.key if entry.issued else "") == ("session", "ASIA1")


def test_a_file_gives_a_bounded_number_of_entries_and_says_what_it_kept_back() -> None:
    """Batch by batch: what is in memory already is kept."""
    lines = b"\n".join(json.dumps(one).encode() for one in numbered(2500))
    own = Reader(SPECS, most=1500)
    found = own.sift(Blob("file", lines))
    assert len(found.entries) == 2000
    (gap,) = found.gaps
    assert gap.why == "file: 1500 entries taken of one file, what follows them is not read"
    assert sum(tally.events for tally in own.tallies()) == 2500


# --- what is counted -----------------------------------------------------------------------------------------


def test_each_event_counts_once_in_its_hour_reads_included() -> None:
    records = [*numbered(3, **READ), record(at="13:30:00"), record(at="13:40:00", recipientAccountId="444455556666")]
    own = reader()
    own.sift(Blob("one", packed(*records)))
    own.sift(Blob("two", packed(*records[1:], *records[:2])))
    found = {(tally.account, tally.hour.hour): tally.events for tally in own.tallies()}
    assert found == {("111122223333", 12): 3, ("111122223333", 13): 1, ("444455556666", 13): 1}
    assert own.tallies() == ()


def test_records_without_an_id_count_by_what_they_are() -> None:
    records = [record(**READ) | {"eventID": "none"}, record(at="12:30:00", **READ) | {"eventID": "none"}]
    own = reader()
    own.sift(Blob("one", packed(*records, records[0])))
    assert [tally.events for tally in own.tallies()] == [2]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=20))
def test_seen_tells_first_from_again_while_it_remembers(batches: list[list[str]]) -> None:
    seen, known = Seen(limit=8), set()
    for batch in batches:
        fresh = seen.fresh(batch)
        told = [one not in known and one not in batch[:n] for n, one in enumerate(batch)]
        assert (list(fresh) if fresh is not None else [True] * len(batch)) == told
        known |= set(batch)


def test_what_is_remembered_of_events_has_a_bound() -> None:
    seen = Seen(limit=1000)
    for start in range(0, 100_000, 100):
        assert seen.fresh([str(n) for n in range(start, start + 100)]) is None
    assert len(seen._new) + len(seen._old) <= 2 * 1000 + 100
    assert seen.fresh([str(n) for n in range(99_000, 100_000)]) == [False] * 1000


def test_junk_places_are_counted_together_beyond_a_bound() -> None:
    head = b'{"Records":['
    junk = b",".join(
        b'{"eventName":"GetA","eventSource":"b","readOnly":true,"awsRegion":"%d","eventTime":"2026-03-02T12:00:00Z"}'
        % n
        for n in range(100_500)
    )
    own = reader()
    own.sift(Blob("file", head + junk + b"]}"))
    found = own.tallies()
    assert len(found) <= 100_001
    assert sum(tally.events for tally in found) == 100_500


# --- in several processes ------------------------------------------------------------------------------------


def test_a_file_that_ends_its_process_costs_itself_alone() -> None:
    with Crew(dies_of, nothing, 2) as crew:
        found = list(crew.each(["a", "b", "deadly", "c", "d", "e"]))
    assert found == ["read a", "read b", Died(), "read c", "read d", "read e"]


def test_a_crew_that_cannot_start_says_so() -> None:
    with Crew(dies_of, unprepared, 1) as crew:
        assert not crew.ready()


def test_where_no_process_can_start_everything_is_read_here() -> None:
    blobs = [Blob(f"file {n}", packed(*numbered(3))) for n in range(3)]
    found = list(reader().sift_all(blobs, unprepared, 1))
    assert [len(sifted.entries) for _, sifted in found] == [3, 3, 3]


def test_several_processes_read_what_one_reads() -> None:
    ours = numbered(30) + numbered(5, **READ) + [record(eventVersion="2.0")]
    blobs: list[Blob | Gap] = [Blob(f"file {n}", packed(*ours[n * 5 : n * 5 + 8])) for n in range(8)]
    large = Blob("large", packed(record(at="15:00:00")) + b"\0" * (3 << 20))
    blobs[3:3] = [Gap(EVERYWHERE, "not there"), Blob("bad", b"?"), large]
    alone, together = reader(), reader()
    one = [alone.sift(blob) for blob in blobs]
    several = list(together.sift_all(blobs, reader, 2))
    assert [blob for blob, _ in several] == blobs
    assert [sifted for _, sifted in several] == one
    assert sorted(alone.tallies(), key=str) == sorted(together.tallies(), key=str)
    assert alone.strange() == together.strange() != {}

"""Public records, thousands of them: none raises, and the counts are those that were counted by other means.

Three datasets of others (not in this repository): one record a line, in the folder DRIFTWARDEN_CLOUDTRAIL_DATA names.
"""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trail_records import SPECS

from agent.model import Trail
from agent.trail import classify, decode, files, identity, who
from agent.trail.decode import Record
from agent.trail.read import read
from agent.trail.source import Blob

FOLDER = Path(
    os.environ.get("DRIFTWARDEN_CLOUDTRAIL_DATA")
    or Path(__file__).resolve().parents[3] / "shared" / "data" / "cloudtrail"
)
ALL_TIME = (datetime(2012, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
NAMES = ("invictus", "stratus", "panther")

pytestmark = pytest.mark.skipif(
    not all((FOLDER / f"{name}.jsonl").is_file() for name in NAMES),
    reason=f"no CloudTrail datasets in {FOLDER}; DRIFTWARDEN_CLOUDTRAIL_DATA names their folder",
)


def records_of(name: str) -> list[Record]:
    file = FOLDER / f"{name}.jsonl"
    found = list(decode.records(Blob(str(file), file.read_bytes())))
    assert [item for item in found if not isinstance(item, Record)] == []
    return [item for item in found if isinstance(item, Record)]


def trail_of(name: str) -> Trail:
    return read([files.source(FOLDER / f"{name}.jsonl")], *ALL_TIME, specs=SPECS)


@pytest.mark.parametrize(
    ("name", "records", "writes", "successful", "names"),
    [("invictus", 2900, 571, 477, 106), ("stratus", 312, 48, 45, 38), ("panther", 456, 299, 248, 133)],
)
def test_writes_are_those_counted_by_other_means(
    name: str, records: int, writes: int, successful: int, names: int
) -> None:
    """panther's own count is 304 (253), 136 names: 5 more of eventType AwsConsoleSignIn, which are no API calls."""
    found = records_of(name)
    sorts = Counter(classify.sort(record) for record in found)
    called = {(r.source, r.name) for r in found if classify.sort(r) in ("change", "failed")}
    assert (len(found), sorts["change"] + sorts["failed"], sorts["change"], len(called)) == (
        records,
        writes,
        successful,
        names,
    )


def test_the_five_writes_of_panther_that_are_no_calls() -> None:
    signed_in = [r.name for r in records_of("panther") if r.type == "AwsConsoleSignIn" and r.name != "ConsoleLogin"]
    assert Counter(signed_in) == {
        "PasswordUpdated": 2,
        "SetContactAddress": 2,
        "ExternalIdPDirectoryLogin": 1,
        "AssumeRole": 1,
    }


@pytest.mark.parametrize(("name", "noise"), [("invictus", 23), ("stratus", 15), ("panther", 13)])
def test_noise(name: str, noise: int) -> None:
    assert sum(classify.sort(r) == "change" and classify.is_noise(r) for r in records_of(name)) == noise


def test_an_hour_of_one_account() -> None:
    trail = trail_of("invictus")
    assert (trail.events, trail.denied, len(trail.changes)) == (2900, 94, 477 - 23)
    assert trail.newest_event == datetime(2023, 7, 10, 12, 37, 50, tzinfo=UTC)
    assert Counter((c.actor.kind, c.channel) for c in trail.changes) == {
        ("person", "iac"): 377,
        ("service", "service"): 40,
        ("person", "other"): 35,
        ("person", "console"): 2,
    }
    assert [gap.why.partition(": ")[2].partition(" by ")[0] for gap in trail.gaps] == [
        "deleted",
        "event selectors leave out management writes",
        "deleted",
    ]


def test_session_chains_join_as_counted_by_other_means() -> None:
    """47 of stratus' 68 role-session records join by key or ARN, 70 of invictus' 76 by key alone."""
    joined = {}
    for name in ("invictus", "stratus"):
        found = records_of(name)
        timed = [(r, at) for r in found if (at := decode.at(r)) is not None]
        sessions = who.index(s for r, at in timed if (s := who.session(r, at)) is not None)
        roles = [(i, at) for r, at in timed if (i := identity.of(r)).kind == "AssumedRole"]
        joined[name] = (sum(i.key in sessions.by_key for i, _ in roles), len(roles))
    assert joined == {"invictus": (70, 76), "stratus": (47, 68)}


@pytest.mark.parametrize("name", NAMES)
def test_no_record_raises_and_each_trail_can_be_kept(name: str) -> None:
    trail = trail_of(name)
    assert len(trail.changes) > 20
    for change in trail.changes:
        assert change.action.count(":") == 1
        assert 0 <= change.actor.confidence <= 1
        assert change.actor.name
        repr(change).encode()

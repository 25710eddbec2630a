"""Why no call explains a difference: what the trail can have missed, named, and when it is worth waiting."""

from dataclasses import replace
from datetime import timedelta

from line import NOON, QUEUE_KEY
from trail_records import ACCOUNT, END, REGION, START

from agent.attribute import finding_id
from agent.model import GLOBAL, Covered, Gap, Key, Scope, Trail
from agent.unseen import Unseen

ID = finding_id(QUEUE_KEY)
GRACE = timedelta(minutes=15)
NEWEST = NOON + timedelta(minutes=3)
SEEN = NOON + timedelta(minutes=5)
TRAIL = Trail(START, END, coverage=(Covered(ACCOUNT, REGION, 12, START, NEWEST),))
WHOLE = (
    "actor unknown: no call in the trail explains it, and none of it is missing: a call to data, one inside AWS, "
    "or one that is not logged"
)


def unseen(trail: Trail = TRAIL, *, minutes: int = 30) -> Unseen:
    return Unseen(trail, {ID: SEEN}, SEEN + timedelta(minutes=minutes), GRACE)


def why(trail: Trail = TRAIL, *, clean: object = START, key: Key = QUEUE_KEY, minutes: int = 30) -> str:
    return unseen(trail, minutes=minutes).why(ID, key, clean)


def test_a_call_may_be_on_its_way_until_the_grace_is_over() -> None:
    assert [unseen(minutes=minutes).waits(ID, START) for minutes in (0, 14, 15)] == [True, True, False]
    assert why(minutes=14) == (
        f"actor not known yet: the trail's newest event of account {ACCOUNT} in {REGION} is 2026-03-02 12:03 UTC, "
        "the difference was first seen 2026-03-02 12:05 UTC, and calls take up to 15 minutes to be delivered"
    )
    nothing = f"actor not known yet: the trail has no event of account {ACCOUNT} in {REGION}, the difference"
    assert why(replace(TRAIL, coverage=()), minutes=14).startswith(nothing)
    assert why(minutes=15) == WHOLE


def test_what_is_new_is_first_seen_now() -> None:
    assert Unseen(TRAIL, {}, END, GRACE).waits(ID, START)


def test_what_was_not_clean_within_the_window_is_not_waited_for() -> None:
    for clean in (None, START - timedelta(seconds=1)):
        assert not unseen(minutes=0).waits(ID, clean)
        assert why(clean=clean, minutes=0) == (
            "actor unknown: before the trail's window, or by a call the trail does not show: none since "
            "2026-03-02 08:00 UTC explains it"
        )


def test_gaps_in_the_trail_are_named() -> None:
    said = "actor unknown: part of the trail was not read: "

    def gap(text: str, cause: str = "stopped", account: str = ACCOUNT, region: str = "*") -> Gap:
        return Gap(Scope(account, region, "cloudtrail"), text, cause=cause)

    def of(*gaps: Gap, key: Key = QUEUE_KEY) -> str:
        return why(replace(TRAIL, gaps=gaps), key=key)

    assert of(gap("logging stopped by marco")) == f"{said}logging stopped by marco"
    assert of(gap("no file at 12:00", region=REGION)) == f"{said}no file at 12:00"
    assert of(gap("x", account="*")) == f"{said}x"
    assert of(gap("x", region=GLOBAL)) == f"{said}x"
    assert of(gap("x", region="us-east-1"), key=Key(ACCOUNT, GLOBAL, "aws_iam_role", "r")) == f"{said}x"
    assert of(gap("x", region="us-west-2")) == WHOLE
    assert of(gap("x", account="444455556666")) == WHOLE
    # A burst of refused calls hides nothing.
    assert of(gap("40 calls refused", "refused")) == WHOLE
    many = of(*(gap(f"file {n}") for n in range(5)), gap("file 0"))
    assert many == f"{said}file 0; part of the trail was not read: file 1; part of the trail was not read: file 2; " + (
        "2 more such gaps"
    )


def test_a_place_the_trail_knows_nothing_of_is_named() -> None:
    away = replace(QUEUE_KEY, region="us-west-2")
    assert why(key=away) == f"actor unknown: the trail has no event of account {ACCOUNT} in us-west-2"
    role = Key(ACCOUNT, GLOBAL, "aws_iam_role", "worker")
    assert why(key=role) == WHOLE
    stranger = replace(role, account="444455556666")
    assert why(key=stranger) == "actor unknown: the trail has no event of account 444455556666"
    silent = replace(TRAIL, coverage=(Covered(ACCOUNT, REGION),))
    assert why(silent) == f"actor unknown: the trail has no event of account {ACCOUNT} in {REGION}"


def test_a_trail_that_has_fallen_behind_is_no_whole_trail() -> None:
    old = replace(TRAIL, coverage=(Covered(ACCOUNT, REGION, 12, START, SEEN - timedelta(minutes=16)),))
    said = (
        f"nothing newer than 2026-03-02 11:49 UTC has come from account {ACCOUNT} in {REGION}: the call may be missing"
    )
    assert why(old) == f"actor unknown: {said}"
    assert why(old, clean=None).endswith(f"; {said}")

"""Which calls are one emergency, and what becomes of it: windows, roles, documents, reviews, deadlines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line import NOON, passes, queue
from trail_records import record

from agent import emergency
from agent.authorise import Estate
from agent.emergency import case_key, fold, grant_of
from agent.emergency.calls import SKEW
from agent.model import (
    Actor,
    Authority,
    Case,
    CaseKey,
    Change,
    Declaration,
    Directory,
    Document,
    Emergency,
    EmergencyRole,
    Environments,
    Key,
    Opening,
    Person,
    Proof,
    Resource,
    Review,
)
from agent.people import Users
from agent.scan import BreakGlass

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
ROLES = (EmergencyRole("break-glass", "arn:aws:iam::*:role/break-glass"),)
THREE = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
USERS = Users(
    Directory(
        (
            Person("dana", users=("dana@example.com",)),
            Person("marco"),
            Person("nils", users=("nils.h",)),
        )
    )
)


def call(event: str, at: datetime = THREE, *, who: str = "dana", role: str = ROLE, **fields: object) -> Change:
    """A call by a person in a role's session."""
    actor = {"kind": "person", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/{who}", "confidence": 0.9, "role": role}
    actor |= {"person": who} | {name: fields.pop(name) for name in ("kind", "person", "confidence") if name in fields}
    given_ = {"session": "ASIAONE", "account": ACCOUNT, "action": "sqs:SetQueueAttributes"} | fields
    return Change((event,), at, actor=Actor(who, **actor), channel="cli", region="eu-west-1", **given_)


def proof(person: str, at: datetime, **fields: object) -> Proof:
    return Proof(person, **({"how": "signature", "said_at": at, "received_at": at} | fields))


def window(person: str = "dana", at: datetime = THREE, **fields: object) -> Opening:
    """A window of two hours."""
    given_ = {"id": "o1", "by": proof(person, at), "incident": "INC-1", "until": at + 2 * HOUR} | fields
    return Opening(**given_)


def document(case: str, at: datetime, person: str = "dana", name: str = "d1", **fields: object) -> Document:
    by = proof(person, at, **{one: fields.pop(one) for one in ("how", "received_at", "principal") if one in fields})
    return Document(name, case, by, "db down", "INC-1", "raised it", "the team", "revert", **fields)


def review(case: str, at: datetime, person: str = "marco", *, accepted: bool = True, name: str = "r1") -> Review:
    return Review(name, case, proof(person, at), accepted, "looked at it")


def folded(
    changes: Sequence[Change] = (),
    declarations: Sequence[Declaration] = (),
    *,
    cases: Sequence[Case] = (),
    now: datetime = THREE + HOUR,
    within: timedelta = DAY,
    environments: Environments | None = None,
    resources: Sequence[Resource] = (),
    **fields: object,
) -> tuple[Emergency, ...]:
    estate, told = Estate(resources), environments or Environments()
    return fold(
        changes,
        declarations,
        ROLES,
        cases,
        now,
        document_within=within,
        environments_of=lambda key: estate.environment(key, told).sides,
        users=USERS,
        **fields,
    )


def one(*args: object, **fields: object) -> Emergency:
    (found,) = folded(*args, **fields)
    return found


def case_of(found: Emergency, **fields: object) -> Case:
    """The case that a plan made of an emergency."""
    given_ = {
        "grant": found.id,
        "deadline": found.deadline,
        "stage": found.state,
        "events": found.events,
        "emergencies": (found,),
        "opened_at": THREE + HOUR,
    } | fields
    return Case(CaseKey(found.case), "break-glass", (), "medium", **given_)


SESSION = grant_of("session ASIAONE")
KEY = case_key(SESSION)

# --- which calls ---------------------------------------------------------------------------------------------


def test_a_session_in_an_emergency_role_is_one_emergency() -> None:
    found = one([call(f"e{n}", THREE + n * timedelta(minutes=1)) for n in range(20)])
    assert (found.id, found.case) == (SESSION, KEY)
    assert SESSION.startswith("BG-")
    assert len(SESSION) == 15
    assert (found.person, found.actors) == ("dana", ("dana",))
    assert found.how == f"emergency role break-glass ({ROLE})"
    assert (found.first, found.last) == (THREE, THREE + timedelta(minutes=19))
    assert found.deadline == found.last + DAY
    assert found.events == tuple(f"e{n}" for n in range(20))
    assert (found.state, found.late, found.opening, found.notes) == ("awaiting-document", False, None, ())


def test_sessions_of_an_emergency_role_are_apart_and_other_roles_are_none() -> None:
    calls = [
        call("e1"),
        call("e2", session="ASIATWO"),
        call("e3", session="AKIADANA"),
        call("e4", session="AKIADANA", at=THREE + DAY),
        call("e5", session="ASIATHREE", role=f"arn:aws:iam::{ACCOUNT}:role/developer"),
        call("e6", session="ASIAFOUR", role=""),
    ]
    found = folded(calls, now=THREE + DAY)
    assert sorted(each.events for each in found) == [("e1",), ("e2",), ("e3",), ("e4",)]
    assert [each.first for each in found] == [THREE, THREE, THREE, THREE + DAY]


def test_a_window_takes_in_the_calls_of_its_people_over_several_sessions() -> None:
    calls = [
        call("e1", THREE, role="", session="AKIADANA"),
        call("e2", THREE + HOUR, role="", session="ASIATWO"),
        call("e3", THREE + 2 * HOUR, role="", session="ASIATHREE"),
        call("late", THREE + 2 * HOUR + timedelta(seconds=1), role="", session="ASIATHREE"),
        call("early", THREE - SKEW - timedelta(seconds=1), role="", session="ASIATHREE"),
        call("e0", THREE - SKEW, role="", session="ASIATHREE"),  # by a clock that is behind
        call("his", THREE, who="marco", role="", session="ASIAFOUR"),
    ]
    found = one(calls, [window()])
    assert found.id == grant_of("o1")
    assert found.case == case_key(found.id)
    assert found.events == ("e0", "e1", "e2", "e3")
    assert found.opening == window()
    assert found.how == "window declared by dana for INC-1, until 2026-03-02 05:00:00 UTC"


def test_a_window_takes_in_calls_that_were_all_made_within_its_first_second() -> None:
    """CloudTrail tells whole seconds: they seem to come before it, one and all."""
    opened = window(at=THREE + timedelta(milliseconds=900))
    assert one([call("e0", role=""), call("e1", role="")], [opened]).events == ("e0", "e1")


@pytest.mark.parametrize(
    ("restriction", "covered"),
    [
        ({"actors": ("marco", "Dana")}, True),
        ({"actors": ("marco",)}, False),
        ({"roles": ("*:role/dev*",)}, True),
        ({"roles": ("*:role/ops",)}, False),
        ({"accounts": (ACCOUNT,)}, True),
        ({"accounts": (OTHER,)}, False),
        ({"environments": ("staging",)}, True),
        ({"environments": ("STAG*", "lab")}, True),
        ({"environments": ("production",)}, False),
    ],
)
def test_a_window_is_held_to_what_it_was_declared_for(restriction: dict[str, object], covered: bool) -> None:
    own = call("e1", role=f"arn:aws:iam::{ACCOUNT}:role/developer")
    found = folded([own], [window(**restriction)], environments=Environments(accounts={ACCOUNT: "staging"}))
    assert len(found) == covered


QUEUE, SECOND = (Key(ACCOUNT, "eu-west-1", "aws_sqs_queue", name) for name in "ab")
SHOP = Resource(QUEUE, {}, "aws_sqs_queue.a", stack="shop")
LIVE = Resource(QUEUE, {})
PART = Resource(Key(ACCOUNT, "eu-west-1", "aws_sqs_queue_policy", "a"), {}, parent=QUEUE)
STAGING = ("staging",)
TOLD = Environments(stacks={"shop": "Production", "lab": "lab"}, accounts={ACCOUNT: "Staging", OTHER: "prod"})


def tagged(value: object, attribute: str = "tags", stack: str = "") -> Resource:
    return Resource(QUEUE, {attribute: {"Environment": value}}, stack=stack)


@pytest.mark.parametrize(
    ("targets", "resources", "windows", "covered"),
    [
        ([QUEUE], [], STAGING, True),
        ([QUEUE], [SHOP], STAGING, False),
        ([QUEUE], [SHOP, LIVE], STAGING, False),
        ([QUEUE], [LIVE, SHOP], STAGING, False),
        ([PART.key], [SHOP, LIVE, PART], STAGING, False),
        ([QUEUE, SECOND], [SHOP], STAGING, False),
        ([SECOND, QUEUE], [SHOP], ("staging", "prod"), True),
        ([QUEUE], [SHOP], ("PROD",), True),
        ([QUEUE], [tagged("dev", stack="lab")], ("lab",), True),
        ([QUEUE], [tagged("dev", stack="lab")], STAGING, False),
        ([QUEUE], [tagged(["prod"])], STAGING, True),
        ([QUEUE], [tagged("Production")], STAGING, False),
        ([QUEUE], [tagged("prod", "tags_all")], STAGING, False),
        # Whoever may tag could otherwise choose the window: both what it was and what it was raised to are asked.
        ([QUEUE], [tagged("prod")], ("production",), False),
        ([QUEUE], [tagged("prod")], ("staging", "production"), True),
    ],
)
def test_a_window_covers_a_call_only_where_it_is_for_every_environment_of_every_target(
    targets: list[Key], resources: list[Resource], windows: tuple[str, ...], covered: bool
) -> None:
    own = call("e1", role="", targets=tuple(targets))
    found = folded([own], [window(environments=windows)], environments=TOLD, resources=resources)
    assert bool(found) is covered


@pytest.mark.parametrize(
    ("account", "windows", "covered"),
    [
        (ACCOUNT, STAGING, True),
        (ACCOUNT, ("production",), False),
        (OTHER, ("production",), True),
        (OTHER, STAGING, False),
        ("999988887777", ("*",), False),
        ("999988887777", (), True),
    ],
)
def test_a_call_whose_target_is_not_known_acted_on_its_accounts_environment(
    account: str, windows: tuple[str, ...], covered: bool
) -> None:
    own = call("e1", role="", account=account)
    assert bool(folded([own], [window(environments=windows)], environments=TOLD)) is covered


@pytest.mark.parametrize(
    ("windows", "outcome"), [(("dev",), "unauthorised"), (("production",), "pending-documentation")]
)
def test_a_scan_holds_a_window_to_what_is_declared_of_a_resource_though_its_live_copy_has_no_stack(
    windows: tuple[str, ...], outcome: str
) -> None:
    opened = window(at=NOON - HOUR, environments=windows)
    told = Environments(stacks={"shop": "production"}, accounts={ACCOUNT: "dev"})
    (found,) = passes(
        declared=[queue()],
        seen=[replace(queue(visibility_timeout_seconds=60), stack="", address="")],
        accepted=[queue()],
        records=[record()],
        authority=Authority(environments=told),
        breakglass=BreakGlass(declarations=(opened,)),
    ).findings
    assert (found.verdict.outcome, found.verdict.environment) == (outcome, "production")


def test_of_two_windows_the_earliest_covers_and_none_takes_what_is_in_anothers_case() -> None:
    first, second = window(id="a", at=THREE - HOUR), window(id="b")
    own = call("e1", role="")
    assert one([own], [second, first]).id == grant_of("a")
    found = one([own], [second])
    kept = one([own], [second, first], cases=[case_of(found)])
    assert (kept.id, kept.case) == (grant_of("b"), found.case)


def test_what_an_emergency_session_did_besides_its_window_is_of_the_window() -> None:
    calls = [call("e1", THREE - HOUR), call("e2"), call("e3", THREE + 3 * HOUR)]
    found = one(calls, [window()], now=THREE + 4 * HOUR)
    assert (found.id, found.events) == (grant_of("o1"), ("e1", "e2", "e3"))


@pytest.mark.parametrize("kind", ["pipeline", "workload", "service"])
def test_machines_have_no_emergencies(kind: str) -> None:
    assert folded([call("e1", kind=kind)], [window()]) == ()


def test_nobodys_credential_is_in_no_window_and_its_own_emergency_says_so() -> None:
    own, shared = call("e1", role="", session="ASIATWO"), call("e2", kind="shared", person="ops", who="ops-key")
    root = call("e3", kind="root", person="", who="root", role="", confidence=0.9)
    opened = window(actors=("dana", "ops", "root"))
    mine, theirs = sorted(folded([own, shared, root], [opened]), key=lambda found: found.opening is None)
    assert mine.events == ("e1",)
    assert mine.notes == (
        "not covered: calls by ops-key, a shared credential (1)",
        "not covered: calls by root, a root credential (1)",
    )
    assert theirs.events == ("e2",)
    assert theirs.notes == ("ops-key is a shared credential: nobody is accountable, and nothing is excused",)
    assert folded([root], [opened]) == ()


def test_whose_name_nobody_vouched_for_is_in_no_window() -> None:
    claimed = call("e1", person="", confidence=0.3, kind="unknown")
    found = one([claimed], [window()])
    assert (found.id, found.person) == (SESSION, "dana")
    assert found.notes == ("who dana is, is not known: that a reviewer is somebody else cannot be told",)
    assert folded([replace(claimed, actor=replace(claimed.actor, role=""))], [window()]) == ()
    vouched = call("e1", person="", role="")
    assert one([vouched], [window()]).person == "dana"


def test_a_window_declared_offline_is_the_signers_word() -> None:
    by = proof("dana", THREE, received_at=THREE + 6 * HOUR)
    opened = window(by=by, offline=True)
    assert folded([call("e1", role="")], [opened]) == ()  # not received yet
    found = one([call("e1", role="")], [opened], now=THREE + 6 * HOUR)
    assert found.notes == (
        "declared offline: that it was at 2026-03-02 03:00:00 UTC is dana's word, received 2026-03-02 09:00:00 UTC",
    )


# --- roles entered, nothing changed --------------------------------------------------------------------------


def test_a_role_that_was_only_entered_is_an_emergency_with_a_finding() -> None:
    entered = call("s1", action="sts:AssumeRole")
    elsewhere = call("s2", session="ASIATWO", role=f"arn:aws:iam::{ACCOUNT}:role/reader", action="sts:AssumeRole")
    found = folded(sessions=[entered, elsewhere], declarations=[window()])
    assert [each.events for each in found] == [("s1",)]
    (told,) = emergency.findings(found, [entered, elsewhere])
    assert told.key == Key(ACCOUNT, "global", "aws_iam_role", ROLE)
    assert [item.change.event_ids for item in told.changes] == [("s1",)]
    assert told.changes[0].change.targets == (told.key,)
    assert told.id.startswith("F-")
    assert told.notes == (f"{found[0].how}: entered, and the trail shows nothing changed",)


def test_a_session_in_which_something_was_changed_needs_no_such_finding() -> None:
    entered, made = call("s1", action="sts:AssumeRole"), call("e1", THREE + HOUR)
    found = folded([made], sessions=[entered])
    assert [each.events for each in found] == [("s1", "e1")]
    assert emergency.findings(found, [entered]) == ()
    assert emergency.findings([replace(found[0], events=())], [entered]) == ()


def test_a_role_that_is_no_arn_stands_for_the_account_of_the_record() -> None:
    entered = call("s1", role="break-glass")
    found = fold(
        [],
        [],
        [EmergencyRole("any", "break-*")],
        [],
        THREE,
        document_within=DAY,
        environments_of=lambda _: (),
        users=USERS,
        sessions=[entered],
    )
    assert emergency.findings(found, [entered])[0].key.account == ACCOUNT


# --- documents and reviews -----------------------------------------------------------------------------------


def test_the_way_of_an_emergency() -> None:
    calls = [call("e1")]
    due = THREE + DAY
    assert one(calls, now=due).state == "awaiting-document"
    assert one(calls, now=due + timedelta(seconds=1)).state == "overdue"
    written = document(KEY, THREE + 2 * HOUR)
    found = one(calls, [written], now=due + HOUR)
    assert (found.state, found.document, found.late) == ("awaiting-review", written, False)
    judged = review(KEY, THREE + 3 * HOUR)
    found = one(calls, [written, judged], now=due + HOUR)
    assert (found.state, found.review) == ("accepted", judged)


def test_a_rejected_document_is_written_anew_against_the_same_deadline() -> None:
    first, no = document(KEY, THREE + HOUR), review(KEY, THREE + 2 * HOUR, accepted=False)
    yes = review(KEY, THREE + 3 * HOUR, "nils", name="r2")
    found = one([call("e1")], [first, no, yes], now=THREE + 4 * HOUR)
    assert (found.state, found.review, found.document, found.deadline) == ("rejected", no, first, THREE + DAY)
    assert found.notes == (
        "review by nils of 2026-03-02 06:00:00 UTC does not count: the document was rejected, and not written anew",
    )
    again = document(KEY, THREE + 5 * HOUR, name="d2")
    found = one([call("e1")], [first, no, yes, again], now=THREE + 6 * HOUR)
    assert (found.state, found.document, found.review, found.late) == ("awaiting-review", again, None, False)
    too_late = document(KEY, THREE + DAY + HOUR, name="d2")
    assert one([call("e1")], [first, no, too_late], now=THREE + 2 * DAY).late
    accepted = review(KEY, THREE + 7 * HOUR, "nils", name="r3")
    assert one([call("e1")], [first, no, yes, again, accepted], now=THREE + 8 * HOUR).state == "accepted"


def test_whoever_rejects_after_another_accepted_is_heard() -> None:
    said = [document(KEY, THREE + HOUR), review(KEY, THREE + 2 * HOUR)]
    no = review(KEY, THREE + 3 * HOUR, "nils", accepted=False, name="r2")
    assert one([call("e1")], [*said, no], now=THREE + DAY).state == "rejected"
    after_the_work = replace(no, post_implementation=True)
    assert one([call("e1")], [*said, after_the_work], now=THREE + DAY).review == said[1]


@pytest.mark.parametrize("person", ["dana", "DANA", "dana@example.com"])
def test_nobody_reviews_what_they_did(person: str) -> None:
    written = document(KEY, THREE + HOUR, "marco")
    found = one([call("e1")], [written, review(KEY, THREE + 2 * HOUR, person)], now=THREE + 3 * HOUR)
    assert found.state == "awaiting-review"
    assert found.notes[-1].endswith("does not count: who acted cannot review")


def test_nobody_reviews_what_they_wrote_under_whatever_name() -> None:
    written = document(KEY, THREE + HOUR, "nils", principal="nils@laptop")
    for by in (proof("nils.h", THREE + 2 * HOUR), proof("x", THREE + 2 * HOUR, principal="NILS@laptop")):
        judged = Review("r1", KEY, by, True, "")
        found = one([call("e1")], [written, judged], now=THREE + 3 * HOUR)
        assert found.state == "awaiting-review"
        assert found.notes[-1].endswith("who wrote the document cannot review it")


def test_a_review_before_the_document_and_a_document_after_the_review_do_not_count() -> None:
    early = review(KEY, THREE + HOUR)
    written = document(KEY, THREE + 2 * HOUR)
    found = one([call("e1")], [early, written], now=THREE + 5 * HOUR)
    assert found.state == "awaiting-review"
    assert "nothing was documented before it" in found.notes[0]
    judged, more = review(KEY, THREE + 3 * HOUR, name="r2"), document(KEY, THREE + 4 * HOUR, name="d2")
    found = one([call("e1")], [early, written, judged, more], now=THREE + 5 * HOUR)
    assert (found.state, found.document) == ("accepted", written)
    assert found.notes[-1] == "dana's document of 2026-03-02 07:00:00 UTC came after the review: it changes nothing"


def test_late_stays_late() -> None:
    late = document(KEY, THREE + DAY + timedelta(seconds=1))
    found = one([call("e1")], [late], now=THREE + 2 * DAY)
    assert (found.state, found.late) == ("awaiting-review", True)
    again = call("e2", THREE + 2 * DAY)
    more = document(KEY, THREE + 2 * DAY + HOUR, name="d2")
    found = one([call("e1"), again], [late, more], now=THREE + 3 * DAY)
    assert (found.document, found.late) == (more, True)


def test_adding_to_a_document_that_was_in_time_is_not_late() -> None:
    said = [document(KEY, THREE + HOUR), document(KEY, THREE + 2 * DAY, name="d2")]
    found = one([call("e1")], said, now=THREE + 3 * DAY)
    assert (found.document, found.late) == (said[1], False)


@pytest.mark.parametrize(
    ("fields", "late"),
    [({}, True), ({"offline": True}, False), ({"how": "ticket"}, False), ({"how": "socket"}, True)],
)
def test_when_a_document_counts_from(fields: dict[str, object], late: bool) -> None:
    """A ticket system knows when a comment was written; a signer only says so, unless they had no other way."""
    written = document(KEY, THREE + HOUR, received_at=THREE + 2 * DAY, **fields)
    assert one([call("e1")], [written], now=THREE + 2 * DAY).late is late


def test_a_call_after_the_document_asks_for_a_new_one_with_a_new_deadline() -> None:
    calls = [call("e1"), call("e2", THREE + 2 * HOUR)]
    said = [document(KEY, THREE + HOUR), review(KEY, THREE + timedelta(minutes=90))]
    found = one(calls, said, now=THREE + 3 * HOUR)
    assert (found.state, found.document, found.review) == ("awaiting-document", None, None)
    assert found.deadline == THREE + 2 * HOUR + DAY
    assert found.notes == ("calls were made after dana's document of 2026-03-02 04:00:00 UTC: it does not cover them",)
    ahead = [document(KEY, THREE - HOUR)]
    assert one([call("e1")], ahead).state == "awaiting-document"
    assert not one([call("e1")], ahead).late


def test_notes_are_bounded() -> None:
    said = [document(KEY, THREE + HOUR)]
    said += [review(KEY, THREE + 2 * HOUR + n * timedelta(seconds=1), "dana", name=f"r{n}") for n in range(30)]
    notes = one([call("e1")], said, now=THREE + DAY).notes
    assert len(notes) == 13
    assert notes[-1] == "and 18 more notes"


# --- over time -----------------------------------------------------------------------------------------------


def test_what_the_trail_no_longer_shows_is_remembered_by_the_case() -> None:
    found = one([call("e1"), call("e2", THREE + HOUR, who="marco")])
    kept = case_of(found)
    later = one(cases=[kept], now=THREE + 10 * DAY)
    assert later == replace(found, state="overdue")
    said = [document(found.case, THREE + 2 * HOUR), review(found.case, THREE + 3 * HOUR, "marco")]
    later = one(declarations=said, cases=[kept], now=THREE + 10 * DAY)
    assert later.state == "awaiting-review"  # marco acted too, though no call of his is seen any more
    assert folded(cases=[replace(kept, state="closed")], now=THREE + 10 * DAY) == ()
    one_actor = case_of(replace(found, actors=()))
    assert one(cases=[one_actor], now=THREE + 10 * DAY).actors == ("dana",)


def test_a_deadline_that_was_told_moves_only_with_another_call() -> None:
    found = one([call("e1")])
    kept = case_of(found)
    assert one([call("e1")], cases=[kept], within=HOUR).deadline == THREE + DAY
    assert one([call("e1"), call("e2", THREE + HOUR)], cases=[kept]).deadline == THREE + HOUR + DAY
    assert one([call("e1"), call("e2", THREE + HOUR)], cases=[kept], within=HOUR).deadline == THREE + DAY
    plain = replace(kept, emergencies=(), deadline=THREE + 5 * HOUR)
    assert one([call("e1")], cases=[plain]).deadline == THREE + 5 * HOUR
    late = case_of(replace(found, late=True))
    assert one([call("e1")], cases=[late]).late


def test_a_case_opened_before_the_window_was_known_is_joined() -> None:
    calls = [call("e1", role="", session="ASIATWO"), call("e2", role="", session="ASIATHREE")]
    earlier = Case(CaseKey("c1"), "by dana", (), "medium", events=("e1",), opened_at=THREE + HOUR)
    other = replace(earlier, key=CaseKey("c2"), events=("e2",), opened_at=THREE + 2 * HOUR)
    done = replace(earlier, key=CaseKey("c0"), state="closed", opened_at=THREE)
    undated = replace(earlier, key=CaseKey("b0"), opened_at=None)
    found = one(
        calls, [window(), document("c2", THREE + 2 * HOUR)], cases=[other, done, undated, earlier], now=THREE + DAY
    )
    assert (found.id, found.case, found.state) == (grant_of("o1"), "c1", "awaiting-review")


def test_a_document_counts_by_the_key_of_the_session_where_a_window_came_to_light_later() -> None:
    said = [document(KEY, THREE + HOUR), window()]
    assert one([call("e1")], said, now=THREE + DAY).state == "awaiting-review"


def test_two_copies_of_a_call_are_one() -> None:
    copy = replace(call("e1"), event_ids=("e1", "e1-of-the-owner"))
    found = one([call("e1")])
    again = one([copy], cases=[case_of(found)], within=HOUR)
    assert (again.events, again.deadline) == (("e1", "e1-of-the-owner"), THREE + DAY)


def arrived(said: Sequence[Declaration], *came: tuple[timedelta, int]) -> Emergency:
    """An emergency whose case a scan opened with one call; then more calls, made at once, came to light."""
    calls = [call("e0")]
    found = one(calls, now=THREE + HOUR)
    for after, count in came:
        calls += [call(f"e{len(calls) + n}", THREE + timedelta(seconds=n)) for n in range(count)]
        found = one(calls, said, cases=[case_of(found)], now=THREE + after)
    return one(calls, said, cases=[case_of(found)], now=THREE + 20 * HOUR)


def test_a_review_is_of_the_calls_that_were_in_its_case() -> None:
    written, judged = document(KEY, THREE + 2 * HOUR), review(KEY, THREE + 3 * HOUR)
    assert arrived([written, judged], (HOUR, 2)).state == "accepted"
    found = arrived([written, judged], (4 * HOUR, 2), (5 * HOUR, 1))
    assert (found.state, found.document, found.review, found.earlier) == ("awaiting-review", written, None, (judged,))
    assert [(each.at, each.calls) for each in found.arrivals] == [(THREE + 4 * HOUR, 2), (THREE + 5 * HOUR, 1)]
    assert found.notes == (
        "3 calls arrived after the review by marco of 2026-03-02 06:00:00 UTC (accepted): it does not cover them",
    )
    assert found.deadline == THREE + timedelta(seconds=1) + DAY
    # Each review is held to what arrived after it alone.
    again = review(KEY, THREE + 6 * HOUR, "nils", name="r2")
    found = arrived([written, judged, again], (4 * HOUR, 2), (7 * HOUR, 1))
    assert (found.state, found.earlier) == ("awaiting-review", (judged, again))
    assert [note.partition(" of ")[0] for note in found.notes] == [
        "2 calls arrived after the review by marco",
        "1 call arrived after the review by nils",
    ]
    third = review(KEY, THREE + 8 * HOUR, name="r3")
    assert arrived([written, judged, again, third], (4 * HOUR, 2), (7 * HOUR, 1)).state == "accepted"


def test_a_review_of_a_document_that_later_calls_had_made_void_says_so() -> None:
    calls = [call("e0"), call("e1", THREE + timedelta(minutes=150))]
    found = one(calls, [document(KEY, THREE + 2 * HOUR), review(KEY, THREE + 3 * HOUR)], now=THREE + 4 * HOUR)
    assert (found.state, found.earlier) == ("awaiting-document", ())
    assert found.notes[-1].endswith("does not count: calls were made before it that no document covered")


def test_a_call_after_the_review_sets_it_aside_and_says_nothing_of_its_arrival() -> None:
    written, judged = document(KEY, THREE + 2 * HOUR), review(KEY, THREE + 3 * HOUR)
    kept = case_of(one([call("e0")], [written, judged], now=THREE + 4 * HOUR))
    calls = [call("e0"), call("e1", THREE + 5 * HOUR)]
    found = one(calls, [written, judged], cases=[kept], now=THREE + 6 * HOUR)
    assert (found.state, found.earlier) == ("awaiting-document", (judged,))
    assert [each.calls for each in found.arrivals] == [1]
    assert found.notes == ("calls were made after dana's document of 2026-03-02 05:00:00 UTC: it does not cover them",)


def test_a_rejected_document_stays_rejected_whatever_arrives() -> None:
    written, no = document(KEY, THREE + 2 * HOUR), review(KEY, THREE + 3 * HOUR, accepted=False)
    found = arrived([written, no], (4 * HOUR, 2))
    assert (found.state, found.review, found.earlier, found.notes) == ("rejected", no, (), ())


def test_a_document_may_be_added_to_once_more_calls_arrived() -> None:
    written, judged = document(KEY, THREE + 2 * HOUR), review(KEY, THREE + 3 * HOUR)
    more = document(KEY, THREE + 5 * HOUR, name="d2")
    found = arrived([written, judged, more], (4 * HOUR, 2))
    assert (found.document, found.late, found.state) == (more, False, "awaiting-review")


def test_of_arrivals_the_last_are_kept() -> None:
    came = arrived([], *((HOUR + n * timedelta(minutes=1), 1) for n in range(30))).arrivals
    assert len(came) == 20
    assert came[-1].at == THREE + HOUR + timedelta(minutes=29)


# --- properties ----------------------------------------------------------------------------------------------

WHO = st.sampled_from(["dana", "marco", "nils"])
WHEN = st.integers(-2, 60).map(lambda hours: THREE + hours * HOUR)
SAID = st.lists(
    st.one_of(
        st.tuples(st.just("document"), WHO, WHEN, st.booleans()), st.tuples(st.just("review"), WHO, WHEN, st.booleans())
    ),
    max_size=7,
)
CALLS = st.lists(st.tuples(WHO, WHEN, st.sampled_from(["ASIAONE", "ASIATWO"])), min_size=1, max_size=5)


def declared(said: Sequence[tuple[str, str, datetime, bool]]) -> list[Declaration]:
    found: list[Declaration] = []
    for n, (what, who, at, yes) in enumerate(said):
        for key in (KEY, case_key(grant_of("session ASIATWO"))):
            name = f"{n}-{key}"
            found.append(
                document(key, at, who, name) if what == "document" else review(key, at, who, accepted=yes, name=name)
            )
    return found


@settings(max_examples=50, deadline=None)
@given(calls=CALLS, said=SAID, data=st.data(), opened=st.booleans())
def test_the_order_of_evidence_does_not_matter(
    calls: Sequence[tuple[str, datetime, str]],
    said: Sequence[tuple[str, str, datetime, bool]],
    data: st.DataObject,
    opened: bool,
) -> None:
    made = [call(f"e{n}", at, who=who, session=key) for n, (who, at, key) in enumerate(calls)]
    heard = [*declared(said), *([window(actors=("dana", "nils")), window(id="o2", at=THREE + HOUR)] if opened else [])]
    now = THREE + 70 * HOUR
    usual = folded(made, heard, now=now)
    shuffled = folded(data.draw(st.permutations(made)), data.draw(st.permutations(heard)), now=now)
    assert usual == shuffled
    # What a case remembers changes nothing while all of it is still seen, nor do cases in another order.
    cases = [case_of(found) for found in usual]
    assert folded(made, heard, cases=data.draw(st.permutations(cases)), now=now) == usual
    assert sorted(event for found in usual for event in found.events) == sorted(f"e{n}" for n in range(len(made)))


@settings(max_examples=60, deadline=None)
@given(calls=CALLS, said=SAID)
def test_nothing_is_accepted_but_by_somebody_else_after_a_document(
    calls: Sequence[tuple[str, datetime, str]], said: Sequence[tuple[str, str, datetime, bool]]
) -> None:
    made = [call(f"e{n}", at, who=who, session=key) for n, (who, at, key) in enumerate(calls)]
    for found in folded(made, declared(said), now=THREE + 70 * HOUR):
        if found.state == "accepted":
            assert found.document
            assert found.review
            assert found.review.accepted
            assert found.review.by.person not in {*found.actors, found.document.by.person}
            assert found.last <= found.document.by.said_at <= found.review.by.said_at

"""How tests combine: policies, environments, risk, emergencies, and what comes to light later."""

from dataclasses import replace
from typing import Any

import pytest
from judging import (
    CI,
    DANA,
    KNOWN,
    LATER,
    PEOPLE,
    SETS,
    TRUSTED,
    approved,
    asked,
    at,
    change,
    emergency,
    history,
    judged,
    merge,
    the,
)
from line import GROUP_KEY, NOON, QUEUE_KEY, SPECS, group, live, queue, ticket
from trail_records import ACCOUNT

from agent.authorise import PATHS, TESTS, Estate, authorise, has_valid_ticket, verdict
from agent.model import (
    Authority,
    Calendar,
    Claim,
    Directory,
    Drift,
    Environments,
    Finding,
    FindingId,
    Freeze,
    Person,
    Policy,
    Proof,
    Review,
    Tickets,
    TicketScope,
    Touch,
    Weights,
)

STAGING = Environments(stacks={"shop": "staging"})
PRODUCTION = Environments(accounts={ACCOUNT: "Prod"})

# --- policies and environments -------------------------------------------------------------------------------


def test_there_are_fourteen_tests_and_four_paths() -> None:
    assert len(set(TESTS)) == 14
    assert list(PATHS) == ["pipeline", "manual", "standing", "emergency"]


@pytest.mark.parametrize(
    ("policies", "failed"),
    [
        ((), ("ticket",)),
        ((Policy(paths={"manual": ("actor",)}),), ()),
        ((Policy(environments=("staging",), paths={"manual": ("actor",)}),), ()),
        ((Policy(environments=("dev",), paths={"manual": ("actor",)}),), ("ticket",)),
        ((Policy(types=("aws_sqs_*",), paths={"manual": ("actor",)}),), ()),
        ((Policy(types=("aws_vpc",), paths={"manual": ("actor",)}),), ("ticket",)),
        ((Policy(risks=("low",), paths={"manual": ("actor",)}),), ("ticket",)),
        ((Policy(types=("aws_*",)), Policy(paths={"manual": ("actor",)})), ("ticket",)),
        ((Policy(paths={"manual": (), "pipeline": (), "standing": (), "emergency": ()}),), ("permitted",)),
        ((Policy(paths={"manual": (), "pipeline": ()}),), ("ticket",)),
    ],
)
def test_the_first_policy_that_fits_says_what_is_required(
    policies: tuple[Policy, ...], failed: tuple[str, ...]
) -> None:
    found = judged(change(claims=()), policies=policies, environments=STAGING)
    assert found.failed == failed
    assert (found.outcome == "authorised") == (failed == ())


def test_a_closed_path_authorises_nothing() -> None:
    assert judged(change(), ticket(), paths={**PATHS, "manual": ()}).outcome == "unauthorised"
    found = judged(change(), ticket(), policies=(Policy(paths=dict.fromkeys(PATHS, ())),))
    assert found.path == ""
    assert the(found, "permitted").evidence == "the policy leaves no path open to such a change"


def test_a_call_on_several_resources_meets_the_policy_of_each() -> None:
    loose = Policy(types=("aws_sqs_*",), paths={"manual": ("actor", "ticket")}, approvals=0)
    strict = Policy(types=("aws_security_*",), paths={"manual": ("actor", "separation")}, approvals=2)
    given: dict[str, Any] = {"policies": (loose, strict)}
    assert asked(judged(change(), ticket(), **given)) == ["actor", "ticket"]
    both = judged(change(), ticket(), targets=(QUEUE_KEY, GROUP_KEY), **given)
    assert asked(both) == ["actor", "ticket", "separation"]
    assert both.failed == ("separation",)
    closed = replace(strict, paths={"manual": ()})
    assert judged(change(), ticket(), targets=(QUEUE_KEY, GROUP_KEY), policies=(loose, closed)).path != "manual"


@pytest.mark.parametrize(
    ("given", "live_tags", "name"),
    [
        (Environments(), {}, "permitted: unknown"),
        (STAGING, {}, "staging"),
        (Environments(stacks={"shop": "staging"}, accounts={ACCOUNT: "dev"}), {}, "staging"),
        (Environments(accounts={ACCOUNT: "dev"}), {}, "dev"),
        (Environments(stacks={"shop": "staging"}, accounts={ACCOUNT: "prod"}), {}, "production"),
        (STAGING, {"Environment": "Production"}, "production"),
        (Environments(stacks={"shop": "prod"}), {"Environment": "dev"}, "production"),
        (replace(STAGING, tag="Stage"), {"Environment": "production"}, "staging"),
        (replace(STAGING, production=("live",)), {"Environment": "LIVE"}, "live"),
    ],
)
def test_where_a_resource_belongs(given: Environments, live_tags: dict[str, str], name: str) -> None:
    """A tag may raise to production, and never lowers."""
    seen = live(queue(tags_all=live_tags)).resources
    for both in ([queue(), *seen], [*seen, queue()]):
        found = judged(
            change(replace(DANA, person="dana")),
            ticket(),
            estate=Estate(both),
            environments=given,
            permitted={"zone-?": ("nobody",), "?*": ("x",)},
        )
        said = the(found, "permitted").evidence
        assert name in (said.split(" ")[0], "permitted: unknown")
        assert (the(found, "permitted").result == "unknown") == (name == "permitted: unknown")


def test_a_part_belongs_where_its_parent_does() -> None:
    parent = replace(group(), attributes={**group().attributes, "tags": {"Environment": "production"}})
    part = replace(KNOWN.known[next(key for key in KNOWN.known if key.type.endswith("_rule"))])
    found = judged(
        change(replace(DANA, person="dana")),
        targets=(part.key,),
        estate=Estate([parent, *live(parent).resources, part]),
        permitted={"production": ("dba",)},
    )
    assert the(found, "permitted").result == "fail"


def test_policies_for_a_call_on_nobody_knows_what() -> None:
    given: dict[str, Any] = {"policies": (Policy(environments=("prod",), types=("aws_sqs_queue",), approvals=3),)}
    wide = ticket(scope=TicketScope(accounts=(ACCOUNT,)))
    assert judged(change(), wide, targets=(), environments=PRODUCTION, **given).failed == ("separation",)
    assert judged(change(touches=()), wide, targets=(), environments=PRODUCTION, **given).outcome == "authorised"
    assert judged(change(), wide, targets=(), **given).outcome == "authorised"


# --- risk ----------------------------------------------------------------------------------------------------

WEIGHTS = Weights(
    environments={"production": 3},
    topics={"network": 5, "exposure": 5, "data": 2},
    acts={"delete": 2},
    sizes=((10, 2),),
    failures=2,
    levels=(("high", 7, 2, "security"), ("medium", 3, 1, ""), ("low", 0, 0, "")),
)
MAP = Directory(PEOPLE)


def test_without_weights_there_is_no_risk() -> None:
    assert judged(change(), ticket()).risk is None


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({}, 0),
        ({"environments": PRODUCTION}, 3),
        ({"environments": Environments(accounts={ACCOUNT: "live"}, production=("live",))}, 3),
        ({"environments": STAGING}, 0),
        ({"failures": {"aws_sqs_queue": 1.0}}, 2),
        ({"failures": {"aws_vpc": 1.0}}, 0),
    ],
)
def test_what_the_risk_is_scored_by(fields: dict[str, Any], score: int) -> None:
    estate = Estate([queue(), group()], SPECS)
    risk = judged(change(), ticket(), estate=estate, weights=WEIGHTS, **fields).risk
    assert risk is not None
    assert risk.score == score


@pytest.mark.parametrize(
    ("touches", "score"),
    [
        ((replace(SETS, sets={"policy": "{}"}),), 5),
        ((replace(SETS, act="delete"),), 4),
        ((), 2),
        ((SETS, Touch("aws_security_group", ("sg-1",), "create")), 5),
    ],
)
def test_what_the_call_is_about(touches: tuple[Touch, ...], score: int) -> None:
    risk = judged(change(touches=touches), ticket(), estate=Estate([queue()], SPECS), weights=WEIGHTS).risk
    assert risk is not None
    assert risk.score == score


@pytest.mark.parametrize("session", ["ASIA1", "AKIA1", ""])
def test_a_session_is_as_large_as_all_it_changed(session: str) -> None:
    made = [
        change(session=session, event_ids=(f"e{number}",), targets=(replace(QUEUE_KEY, id=f"q{number}"),))
        for number in range(12)
    ]
    alone, together = Estate([queue()], SPECS), Estate([queue()], SPECS, made)
    for estate, score in ((alone, 0), (together, 2)):
        risk = judged(made[0], ticket(), estate=estate, weights=WEIGHTS).risk
        assert risk is not None
        assert risk.score == score


def test_low_risk_asks_for_an_approved_ticket_and_no_approval() -> None:
    bare = ticket(history=history((-2, {"state": "approved"})))
    assert judged(change(), bare, weights=WEIGHTS, approvals=0).outcome == "authorised"
    assert judged(change(), bare, weights=WEIGHTS, approvals=1).failed == ("separation",)
    assert (
        judged(change(), bare, weights=WEIGHTS, policies=(Policy(risks=("low",), approvals=0),)).outcome == "authorised"
    )


HIGH = {"weights": replace(WEIGHTS, levels=(("high", 0, 2, "security"),)), "directory": MAP}


@pytest.mark.parametrize(
    ("entries", "result"),
    [
        ([{"approved_by": "sam"}], "fail"),
        ([{"approved_by": "sam"}, {"approved_by": "ada"}], "pass"),
        ([{"approved_by": "sam.smith"}, {"approved_by": "ada"}], "pass"),
        ([{"approved_by": "ada"}, {"approved_by": "kim"}], "unknown"),
        ([{"approved_by": "ada"}, {"approved_by": "kim", "group": "Security"}], "pass"),
        ([{"approved_by": "ada"}, {"approved_by": "kim", "group": "CAB"}], "fail"),
        (
            [{"approved_by": "ada"}, {"approved_by": "kim", "group": "CAB"}, {"approved_by": "kim", "group": "x"}],
            "fail",
        ),
        ([{"approved_by": "sam"}, {"approved_by": "sam", "group": "CAB"}], "fail"),
        ([{"approved_by": "dana", "group": "security"}, {"approved_by": "ada"}, {"approved_by": "kim"}], "unknown"),
    ],
)
def test_high_risk_asks_for_two_and_one_of_security(entries: list[dict[str, str]], result: str) -> None:
    one = ticket(history=history(*((-3, entry) for entry in entries), (-2, {"state": "approved"})))
    found = judged(change(), one, **HIGH)
    assert the(found, "separation").result == result
    assert found.outcome == {"pass": "authorised", "fail": "unauthorised", "unknown": "indeterminate"}[result]


def test_who_was_of_security_is_asked_for_the_time_of_the_change() -> None:
    two = ticket(history=approved("kim", "ada"))
    people = (
        *PEOPLE,
        Person("kim", groups=("security",), valid_until=at(-1)),
        Person("kim", team="dba", valid_from=at(-1)),
    )
    found = judged(change(), two, **(HIGH | {"directory": Directory(people)}))
    assert the(found, "separation").result == "fail"
    before = change(time=at(-1.5))
    assert judged(before, two, **(HIGH | {"directory": Directory(people)})).outcome == "authorised"


# --- emergencies ---------------------------------------------------------------------------------------------

REVIEWED = Review("r1", "c0ffee", Proof("sam", "signature", LATER, LATER), False, "no incident")


@pytest.mark.parametrize(
    ("state", "late", "outcome", "failed"),
    [
        ("awaiting-document", False, "pending-documentation", ()),
        ("awaiting-document", True, "pending-documentation", ()),
        ("awaiting-review", False, "authorised-emergency", ()),
        ("accepted", False, "authorised-emergency", ()),
        ("awaiting-review", True, "regularised", ()),
        ("accepted", True, "regularised", ()),
        ("overdue", False, "unauthorised", ("breakglass",)),
        ("overdue", True, "unauthorised", ("breakglass",)),
        ("rejected", False, "unauthorised", ("breakglass",)),
    ],
)
def test_what_becomes_of_an_emergency(state: str, late: bool, outcome: str, failed: tuple[str, ...]) -> None:
    for review in (None, REVIEWED):
        one = emergency(state, late=late, review=review)
        found = judged(change(claims=()), emergencies=(one,))
        assert (found.outcome, found.failed, found.path) == (outcome, failed, "emergency")
        assert found.grant == "BG-0123456789ab"
        assert found.late == (late and outcome != "unauthorised")
        assert asked(found) == ["actor", "breakglass"]


def test_why_an_emergency_does_not_excuse() -> None:
    overdue = judged(change(claims=()), emergencies=(emergency("overdue"),))
    said = "BG-0123456789ab: role Emergency; not documented by 2026-03-03 12:00:00 UTC"
    assert the(overdue, "breakglass").evidence == said
    rejected = judged(change(claims=()), emergencies=(emergency("rejected", review=REVIEWED),))
    assert the(rejected, "breakglass").evidence.endswith("its document was rejected by sam: no incident")


def test_a_ticket_authorises_in_an_emergency_too() -> None:
    for state in ("awaiting-document", "overdue", "rejected", "accepted"):
        found = judged(change(), ticket(), emergencies=(emergency(state),))
        assert (found.outcome, found.path, found.grant) == ("authorised", "manual", "BG-0123456789ab")


def test_an_overdue_emergency_is_told_before_a_ticket_that_fails() -> None:
    closed = ticket(history=history((-9, {"approved_by": "sam"}), (-8, {"state": "closed"})))
    found = judged(change(), closed, emergencies=(emergency("overdue"),))
    assert (found.path, found.failed) == ("emergency", ("breakglass",))


@pytest.mark.parametrize("kind", ["root", "shared"])
def test_what_nobody_is_accountable_for_is_not_excused(kind: Any) -> None:
    found = judged(change(replace(DANA, kind=kind), ()), emergencies=(emergency(),))
    assert (found.outcome, found.grant) == ("unauthorised", "")
    assert "actor" in found.failed


def test_an_unknown_actor_in_an_emergency_stays_with_it() -> None:
    found = judged(change(replace(DANA, kind="unknown"), ()), emergencies=(emergency(),))
    assert (found.outcome, found.path, found.grant) == ("indeterminate", "emergency", "BG-0123456789ab")


def test_an_emergency_stands_while_a_ticket_system_is_silent() -> None:
    given: dict[str, Any] = {"unanswered": ("jira: down",)}
    assert judged(change(), emergencies=(emergency(),), **given).outcome == "pending-documentation"
    assert judged(change(), emergencies=(emergency("overdue"),), **given).outcome == "indeterminate"


def test_who_may_not_change_an_environment_may_not_in_an_emergency() -> None:
    given: dict[str, Any] = {"permitted": {"*": ("dba",)}, "emergencies": (emergency(),)}
    found = judged(change(replace(DANA, person="dana", groups=("sre",)), ()), **given)
    assert (found.outcome, found.grant) == ("unauthorised", "")
    assert judged(change(replace(DANA, person="dana", groups=("dba",)), ()), **given).outcome == "pending-documentation"


def test_no_freeze_stops_an_emergency() -> None:
    calendar = Calendar((Freeze("year end", at(-1), at(1)),), asked=True)
    found = judged(change(claims=()), emergencies=(emergency(),), calendar=calendar)
    assert (found.outcome, asked(found)) == ("pending-documentation", ["actor", "breakglass"])


def test_an_emergency_covers_its_own_calls_alone() -> None:
    found = judged(change(claims=()), emergencies=(emergency(events=("other",)),))
    assert (found.outcome, found.grant, found.path) == ("unauthorised", "", "manual")
    two = (emergency(id="BG-1", state="overdue"), emergency(id="BG-2", state="accepted"))
    assert judged(change(claims=()), emergencies=two).grant == "BG-2"
    assert judged(change(claims=()), emergencies=two[::-1]).grant == "BG-2"


def test_the_emergency_path_as_configured() -> None:
    paths = {"emergency": ("actor",)}
    assert asked(judged(change(claims=()), paths=paths, emergencies=(emergency(),))) == ["actor", "breakglass"]
    none = judged(change(claims=()), paths=paths)
    assert (none.outcome, none.failed) == ("unauthorised", ("breakglass",))
    assert the(none, "breakglass").evidence == "made in no emergency"
    ticketed = {"emergency": ("actor", "breakglass", "ticket")}
    assert judged(change(), ticket(), paths=ticketed, emergencies=(emergency(),)).outcome == "pending-documentation"
    assert judged(change(claims=()), paths=ticketed, emergencies=(emergency(),)).failed == ("ticket",)
    closed = {"manual": PATHS["manual"]}
    assert judged(change(claims=()), paths=closed, emergencies=(emergency(),)).grant == ""


def test_no_emergency_and_a_listed_breakglass() -> None:
    paths = {"manual": (*PATHS["manual"], "breakglass")}
    assert judged(change(), ticket(), paths=paths).failed == ("breakglass",)


# --- late ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "late"),
    [
        ({"e1": "unauthorised"}, True),
        ({"e1": "indeterminate"}, True),
        ({"e1": "regularised"}, True),
        ({"e1": "authorised"}, False),
        ({"e1": "pending"}, False),
        ({"e2": "unauthorised"}, False),
        ({}, False),
    ],
)
def test_authority_that_is_found_late_says_so(before: dict[str, Any], late: bool) -> None:
    found = judged(change(), ticket(), history=before)
    assert (found.outcome, found.late) == ("authorised", late)
    assert judged(change(claims=()), history=before).late is False


def test_an_approval_given_afterwards_is_told_with_both_its_moments() -> None:
    late = ticket(history=history((-2, {"state": "draft"}), (1, {"approved_by": "sam"}), (2, {"state": "approved"})))
    found = judged(change(), late)
    assert (found.outcome, found.path, found.failed, found.late) == (
        "regularised",
        "manual",
        ("state", "separation"),
        True,
    )
    said = "CHG-7 was draft at 2026-03-02 12:00:00 UTC; afterwards: CHG-7 was approved at 2026-03-02 14:00:00 UTC"
    assert the(found, "state").evidence == said


def test_what_else_fails_is_not_regularised() -> None:
    late = ticket(history=history((1, {"approved_by": "sam"}), (2, {"state": "approved"})), implementer="marco")
    assert judged(change(), late).outcome == "unauthorised"
    assert judged(change(), replace(late, implementer="dana", incomplete="cut short")).outcome == "indeterminate"


def test_the_earliest_approval_regularises() -> None:
    first = ticket("CHG-8", history=history((1, {"approved_by": "sam"}), (1, {"state": "approved"})))
    second = ticket(history=history((2, {"approved_by": "sam"}), (2, {"state": "approved"})))
    both = change(claims=(Claim("CHG-7", "session tag"), Claim("CHG-8", "session tag")))
    assert judged(both, first, second).ticket == "CHG-8"
    assert judged(both, second, first).ticket == "CHG-8"


def test_a_review_given_afterwards_regularises() -> None:
    reviewed = merge(history=history((1, {"approved_by": "sam"})))
    given: dict[str, Any] = {"pipelines": TRUSTED, "merges": (reviewed,)}
    found = judged(change(CI), ticket(), **given)
    assert (found.outcome, found.failed) == ("regularised", ("review",))
    assert judged(change(CI), ticket(), now=at(0.5), **given).outcome == "unauthorised"


def test_an_approval_regularises_what_was_done_in_an_emergency_nobody_documented() -> None:
    late = ticket(history=history((1, {"approved_by": "sam"}), (2, {"state": "approved"})))
    found = judged(change(), late, emergencies=(emergency("overdue"),))
    assert (found.outcome, found.path, found.grant) == ("regularised", "manual", "BG-0123456789ab")


# --- since ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "lines"),
    [
        ((), ()),
        (((1, {"state": "closed"}),), ()),
        (((1, {"state": "implementing"}), (2, {"state": "closed"})), ()),
        (
            ((1, {"state": "closed"}), (2, {"state": "draft"})),
            ("CHG-7 was reopened at 2026-03-02 14:00:00 UTC: from closed to draft",),
        ),
        (
            ((1, {"state": "edited after approval"}), (1, {"withdrawn_by": "sam"})),
            (
                "CHG-7 went from approved to edited after approval at 2026-03-02 13:00:00 UTC",
                "sam's approval of CHG-7 ended at 2026-03-02 13:00:00 UTC",
            ),
        ),
        (((9, {"state": "draft"}),), ()),
    ],
)
def test_what_became_of_the_ticket_changes_nothing(entries: tuple[Any, ...], lines: tuple[str, ...]) -> None:
    one = ticket(history=(*ticket().history, *history(*entries)))
    found = judged(change(), one)
    assert (found.outcome, found.since) == ("authorised", lines)
    assert judged(change(), one).tests == judged(change(), ticket()).tests


# --- the stage -----------------------------------------------------------------------------------------------


def test_many_changes_share_what_was_worked_out_for_the_first() -> None:
    """Answers are kept for as long as what they rest on is the same, and no longer."""
    authority = Authority(
        tickets=Tickets((ticket(start=at(-40)), ticket("CHG-8", implementer="marco")), merges=(merge(),)),
        pipelines=TRUSTED,
        policies=(Policy(types=("aws_security_*",), approvals=2),),
        weights=WEIGHTS,
        permitted={"*": ("deploy", "sre")},
        environments=STAGING,
    )
    sre = replace(DANA, person="dana", groups=("sre",))
    made = [
        change(actor, (Claim(ref, "session tag"),), time=at(hours))
        for _ in range(2)
        for actor in (sre, CI)
        for ref in ("CHG-7", "CHG-8")
        for hours in (-30, 0, 1)
    ]
    shared = Estate([queue(), group()], SPECS)
    together = [verdict(one, (QUEUE_KEY,), authority, shared, LATER) for one in made]
    alone = [verdict(one, (QUEUE_KEY,), authority, Estate([queue(), group()], SPECS), LATER) for one in made]
    assert together == alone
    assert {one.outcome for one in together} == {"authorised", "unauthorised", "regularised"}


def test_what_became_of_a_ticket_is_kept_for_the_next_change() -> None:
    reopened = ticket(history=(*ticket().history, *history((1, {"state": "draft"}))))
    authority, estate = Authority(tickets=Tickets((reopened,))), Estate([queue()])
    two = [verdict(change(time=at(hours)), (QUEUE_KEY,), authority, estate, LATER) for hours in (0, 0.5)]
    assert two[0].since == two[1].since != ()


def test_drift_of_a_state_in_motion_is_pending_and_what_is_not_applied_is_said_to_be() -> None:
    drift, waiting = Drift(QUEUE_KEY, "changed", "delay_seconds"), Drift(QUEUE_KEY, "unapplied", "delay_seconds")
    for drifts, moving, outcome in (
        ((drift,), {FindingId("F-1"): "its state was being written"}, "pending"),
        ((waiting,), {}, "unapplied"),
        ((waiting,), {FindingId("F-1"): "its state was being written"}, "unapplied"),
    ):
        story = Finding(FindingId("F-1"), QUEUE_KEY, drifts=drifts)
        (found,) = authorise([story], Authority(tickets=Tickets()), [queue()], {}, NOON, moving)
        assert found.verdict.outcome == outcome
        assert found.unexplained == (moving.get(FindingId("F-1"), "") if outcome == "pending" else "")


def test_the_stage_takes_an_estate_that_was_made_before() -> None:
    story = Finding(FindingId("F-1"), QUEUE_KEY, unexplained="before the trail's window")
    for resources in ([queue()], Estate([queue()])):
        (found,) = authorise([story], Authority(tickets=Tickets()), resources, {}, NOON)
        assert found.verdict.outcome == "indeterminate"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({"ticket": "pass", "state": "pass", "window": "pass", "scope": "pass"}, True),
        ({"ticket": "pass", "state": "pass", "separation": "fail", "implementer": "fail", "content": "fail"}, True),
        ({"ticket": "pass", "state": "unknown"}, True),
        ({"ticket": "pass", "state": "fail"}, False),
        ({"ticket": "pass", "window": "fail"}, False),
        ({"ticket": "pass", "scope": "fail"}, False),
        ({"ticket": "fail"}, False),
        ({"ticket": "unknown"}, False),
        ({"state": "pass"}, False),
        ({}, False),
    ],
    ids=range(10),
)
def test_a_ticket_that_exists_is_not_yet_one_for_the_change(results: dict[str, str], expected: bool) -> None:
    assert has_valid_ticket(results.items()) is expected
    assert has_valid_ticket(reversed(results.items())) is expected

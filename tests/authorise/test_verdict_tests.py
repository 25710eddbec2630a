"""Each named test, and each answer it gives with its evidence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from judging import (
    CI,
    CLAIM,
    COMMIT,
    DANA,
    LATER,
    PEOPLE,
    RUN,
    SETS,
    TRUSTED,
    approved,
    asked,
    at,
    change,
    history,
    judged,
    merge,
    the,
)
from line import GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, group, live, queue, rule, ticket
from trail_records import ACCOUNT

from agent.authorise import PATHS, Estate
from agent.model import (
    ApprovedPlan,
    Calendar,
    Claim,
    Directory,
    Environments,
    Freeze,
    Key,
    PlannedChange,
    Policy,
    Run,
    Ticket,
    TicketScope,
    Touch,
    Unknown,
)

MAP = Directory(PEOPLE)


def listed(name: str, path: str = "manual") -> dict[str, tuple[str, ...]]:
    """The paths, with a test listed by name."""
    return {**PATHS, path: (*PATHS[path], name)}


# --- ticket --------------------------------------------------------------------------------------------------


def test_a_reference_that_two_systems_know_decides_nothing() -> None:
    found = judged(change(), ticket(), ticket(system="jira"))
    assert (found.outcome, found.ticket) == ("indeterminate", "")
    assert the(found, "ticket").evidence == "CHG-7 is in jira and register: which is meant cannot be told"


def test_another_reference_that_is_plain_still_authorises() -> None:
    two = (*CLAIM, Claim("CHG-8", "session name"))
    found = judged(change(claims=two), ticket(), ticket(system="jira"), ticket("CHG-8"))
    assert (found.outcome, found.ticket) == ("authorised", "CHG-8")
    assert the(found, "ticket").evidence == "CHG-8, named in session name"


def test_a_silent_system_may_know_the_reference_that_nobody_else_does() -> None:
    two = (*CLAIM, Claim("OPS-1", "session name"))
    closed = ticket(history=history((-9, {"state": "closed"})))
    found = judged(change(claims=two), closed, unanswered=("jira: down",))
    assert found.outcome == "indeterminate"
    assert the(found, "ticket").evidence == "OPS-1 (session name): not looked up: jira: down"
    assert judged(change(), closed, unanswered=("jira: down",)).outcome == "unauthorised"
    assert judged(change(claims=two), ticket(), unanswered=("jira: down",)).outcome == "authorised"


def test_a_silent_system_may_have_a_ticket_that_covers_the_change() -> None:
    closed = ticket(history=history((-9, {"state": "closed"})))
    assert judged(change(claims=()), closed).failed == ("state", "separation")
    assert judged(change(claims=()), closed, unanswered=("jira: down",)).outcome == "indeterminate"


def test_the_text_of_the_merge_request_is_a_claim() -> None:
    made = change(CI, ())
    found = judged(made, ticket(), pipelines=TRUSTED, merges=(merge(references=("CHG-7",)),))
    assert (found.outcome, found.path) == ("authorised", "pipeline")
    assert the(found, "ticket").evidence == "CHG-7, named in merge request text"
    assert judged(made, ticket("CHG-8"), pipelines=TRUSTED, merges=(merge(references=("CHG-7",)),)).failed == (
        "ticket",
    )


def test_what_a_run_says_of_itself_is_believed_of_a_trusted_pipeline_alone() -> None:
    """Whoever names a session may write a reviewed commit into it."""
    made = replace(DANA, run=RUN)
    covering = ticket(start=None)
    assert judged(change(made, ()), covering, merges=(merge(references=("CHG-7",)),)).failed == ("ticket",)


# --- state, window -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["state", "separation"])
def test_a_history_that_cannot_be_relied_on_decides_nothing(name: str) -> None:
    for one in (ticket(incomplete="the change log was cut short"), ticket(history=())):
        found = judged(change(), one)
        assert found.outcome == "indeterminate"
        assert the(found, name).result == "unknown"
    assert the(judged(change(), ticket(incomplete="cut short")), name).evidence == "CHG-7: cut short"


@pytest.mark.parametrize(
    ("hours", "result"), [(-4.01, "fail"), (-4, "pass"), (0, "pass"), (4, "pass"), (4.01, "fail"), (-6, "fail")]
)
def test_the_window_with_both_its_ends(hours: float, result: str) -> None:
    found = judged(change(time=at(hours)), ticket(), now=at(48))
    assert the(found, "window").result == result


def test_a_window_in_years_no_tolerance_can_leave() -> None:
    ever = ticket(start=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC))
    assert judged(change(), ever, tolerance=86400).outcome == "authorised"
    assert judged(change(claims=()), ever, tolerance=86400).outcome == "authorised"
    assert the(judged(change(), ticket(start=at(3), end=at(1))), "window").result == "fail"


def test_entries_of_a_history_may_come_in_any_order() -> None:
    assert judged(change(), ticket(history=ticket().history[::-1])).outcome == "authorised"


# --- scope ---------------------------------------------------------------------------------------------------

TAGGED = queue(tags_all={"Name": "orders-queue", "Team": "shop", "Odd": Unknown("not yet")})


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, "fail"),
        ({"names": ("orders",)}, "pass"),
        ({"names": ("orders-queue",)}, "pass"),
        ({"names": ("shop",)}, "pass"),
        ({"names": ("order",)}, "fail"),
        ({"tags": ("Team=shop",)}, "pass"),
        ({"tags": ("T*=sh?p",)}, "pass"),
        ({"tags": ("Team=bank",)}, "fail"),
        ({"tags": ("Team",)}, "fail"),
        ({"tags": ("Odd=*",)}, "fail"),
        ({"environments": ("prod*",)}, "fail"),
        ({"environments": ("Staging",)}, "pass"),
        ({"environments": ("staging",), "addresses": ("aws_vpc.main",)}, "fail"),
        ({"actions": ("sqs:*",)}, "pass"),
        ({"actions": ("sqs:Set*",), "addresses": ("aws_sqs_queue.orders",)}, "pass"),
        ({"actions": ("sns:*",), "addresses": ("aws_sqs_queue.orders",)}, "fail"),
        ({"attributes": ("visibility_*",)}, "pass"),
        ({"attributes": ("delay_seconds",), "addresses": ("aws_sqs_queue.orders",)}, "fail"),
        ({"accounts": (ACCOUNT[:3] + "*",)}, "pass"),
        ({"accounts": ("999999999999",)}, "fail"),
        ({"types": ("aws_sqs_queue",)}, "pass"),
        ({"types": ("aws_sns_topic",), "names": ("orders",)}, "pass"),
    ],
)
def test_what_a_scope_covers(fields: dict[str, Any], result: str) -> None:
    given: dict[str, Any] = {
        "estate": Estate([TAGGED]),
        "environments": Environments(stacks={"shop": "staging"}),
    }
    covering = ticket(scope=TicketScope(**fields))
    assert the(judged(change(), covering, **given), "scope").result == result
    by_scope = judged(change(claims=()), covering, **given)
    assert (by_scope.outcome == "authorised") == (result == "pass")


@pytest.mark.parametrize(
    ("touch", "result"),
    [
        (replace(SETS, sets={"visibility_timeout_seconds": 60, "delay_seconds": 1}), "fail"),
        (replace(SETS, sets={}), "unknown"),
        (replace(SETS, act="create"), "fail"),
        (replace(SETS, ids=("other",)), "unknown"),
        (replace(SETS, ids=()), "pass"),
        (Touch("aws_sqs_queue_policy", (QUEUE_ARN,)), "unknown"),
    ],
)
def test_a_scope_of_attributes_covers_what_is_known_to_have_been_set(touch: Touch, result: str) -> None:
    narrow = ticket(scope=TicketScope(addresses=("aws_sqs_queue.orders",), attributes=("visibility_timeout_seconds",)))
    found = judged(change(touches=(touch,)), narrow)
    assert the(found, "scope").result == result
    by_scope = judged(change(claims=(), touches=(touch,)), narrow)
    outcomes = {"pass": "authorised", "unknown": "indeterminate", "fail": "unauthorised"}
    assert by_scope.outcome == outcomes[result]


def test_declared_tags_count_and_not_what_somebody_added_live() -> None:
    seen = live(queue(tags_all={"Team": "bank"})).resources
    by_tag = ticket(scope=TicketScope(tags=("Team=bank",)))
    assert judged(change(), by_tag, estate=Estate([*seen, queue()])).failed == ("scope",)
    assert judged(change(), by_tag, estate=Estate([queue(), *seen])).failed == ("scope",)
    assert judged(change(), by_tag, estate=Estate(seen)).outcome == "authorised"


def test_an_index_in_an_address_is_no_set_of_characters() -> None:
    named = replace(queue(), address="aws_sqs_queue.qa")
    covering = ticket(scope=TicketScope(addresses=("aws_sqs_queue.q[a]", 'aws_sqs_queue.q["a"]')))
    assert judged(change(), covering, estate=Estate([named])).failed == ("scope",)


def test_all_targets_must_be_covered() -> None:
    both = (QUEUE_KEY, GROUP_KEY)
    found = judged(change(), ticket(), targets=both)
    assert the(found, "scope").evidence == "CHG-7 does not cover aws_security_group.web"
    wide = ticket(scope=TicketScope(addresses=("aws_sqs_queue.orders", "aws_security_group.web")))
    assert judged(change(claims=()), wide, targets=both).outcome == "authorised"
    assert judged(change(claims=()), ticket(), targets=both).failed == ("ticket",)


def test_many_targets_are_not_all_told() -> None:
    keys = tuple(Key(ACCOUNT, "eu-west-1", "aws_sqs_queue", f"q{number}") for number in range(30))
    assert the(judged(change(), ticket(), targets=keys), "scope").evidence.endswith("q19 and 10 more")


@pytest.mark.parametrize(
    ("scope", "result"),
    [
        (TicketScope(accounts=(ACCOUNT,)), "pass"),
        (TicketScope(accounts=("999999999999",)), "fail"),
        (TicketScope(accounts=(ACCOUNT,), actions=("sqs:*",)), "pass"),
        (TicketScope(actions=("sns:*",)), "fail"),
        (TicketScope(accounts=(ACCOUNT,), environments=("*",)), "unknown"),
        (TicketScope(addresses=("*",)), "unknown"),
        (TicketScope(), "unknown"),
    ],
)
def test_a_call_on_nobody_knows_what(scope: TicketScope, result: str) -> None:
    found = judged(change(), ticket(scope=scope), targets=())
    assert the(found, "scope").result == result
    by_scope = judged(change(claims=()), ticket(scope=scope), targets=())
    assert (by_scope.outcome == "authorised") == (result == "pass")


# --- implementer, separation ---------------------------------------------------------------------------------


def test_whoever_merged_implements_a_pipelines_change() -> None:
    paths = listed("implementer", "pipeline")
    given: dict[str, Any] = {"pipelines": TRUSTED, "merges": (merge(),), "paths": paths, "approvals": 1}
    found = judged(change(CI), ticket(implementer="ada"), **given)
    assert (found.outcome, the(found, "implementer").evidence) == (
        "authorised",
        "merged by ada, CHG-7 is implemented by ada",
    )
    assert judged(change(CI), ticket(implementer="marco"), **given).failed == ("implementer",)


def test_whoever_merged_does_not_approve() -> None:
    by_merger = ticket(history=approved("ada"))
    given: dict[str, Any] = {"pipelines": TRUSTED}
    assert judged(change(CI), by_merger, **given).outcome == "authorised"
    found = judged(change(CI), by_merger, merges=(merge(),), **given)
    assert (found.path, found.failed) == ("pipeline", ("separation",))


@pytest.mark.parametrize(
    ("withdrawn", "outcome"), [("sam", "unauthorised"), ("sam.smith", "unauthorised"), ("ada", "authorised")]
)
def test_an_approval_taken_back_under_another_name(withdrawn: str, outcome: str) -> None:
    one = ticket(history=(*approved("sam"), *history((-1, {"withdrawn_by": withdrawn}))))
    assert judged(change(), one, directory=MAP).outcome == outcome


def test_no_approval_where_none_is_required() -> None:
    found = judged(change(), ticket(history=history((-2, {"state": "approved"}))), approvals=0)
    assert (found.outcome, the(found, "separation").evidence) == ("authorised", "no approval is required")


# --- content -------------------------------------------------------------------------------------------------

PLANNED = PlannedChange("aws_sqs_queue.orders", "update", "aws_sqs_queue", (QUEUE_ARN,))


def plan(timeout: int) -> ApprovedPlan:
    """It sets the queue's time-out."""
    name = "visibility_timeout_seconds"
    return ApprovedPlan("sha256:0a", (replace(PLANNED, sets={name: timeout}, changed=(name,)),))


@pytest.mark.parametrize(
    ("attached", "result"),
    [
        (plan(60), "pass"),
        (plan(90), "fail"),
        (ApprovedPlan("sha256:0a", None, "the plan was not found"), "unknown"),
    ],
)
def test_a_plan_that_is_attached_counts(attached: ApprovedPlan, result: str) -> None:
    found = judged(change(), ticket(plan=attached))
    assert the(found, "content").result == result
    assert found.outcome == {"pass": "authorised", "fail": "unauthorised", "unknown": "indeterminate"}[result]
    assert asked(judged(change(), ticket(plan=attached), paths=listed("content"))).count("content") == 1


def test_a_plan_that_is_asked_for_must_be_attached() -> None:
    assert "content" not in asked(judged(change(), ticket()))
    found = judged(change(), ticket(), paths=listed("content"))
    assert found.failed == ("content",)
    assert the(found, "content").evidence == "CHG-7 has no approved plan attached"


# --- permitted -----------------------------------------------------------------------------------------------

SRE = replace(DANA, person="dana", groups=("sre",))
STAGING = Environments(stacks={"shop": "staging"})


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"permitted": {"*": ("SRE",)}}, "pass"),
        ({"permitted": {"stag*": ("dba",)}}, "fail"),
        ({"permitted": {"*": ("dba",), "staging": ("sre",)}}, "pass"),
        ({"permitted": {"production": ("dba",)}}, None),
        ({"permitted": {"production": ("dba",)}, "environments": Environments()}, "unknown"),
        ({"permitted": {"*": ("sre",)}, "environments": Environments()}, "pass"),
        ({"permitted": {"production": ("dba",)}, "paths": listed("permitted")}, "fail"),
        ({"permitted": {}}, None),
        ({"permitted": {}, "paths": listed("permitted")}, "fail"),
        ({"permitted": {}, "paths": listed("permitted"), "environments": Environments()}, "fail"),
    ],
)
def test_who_may_change_an_environment(fields: dict[str, Any], result: str | None) -> None:
    given = {"environments": STAGING} | fields
    found = judged(change(SRE), ticket(), **given)
    assert [test.result for test in found.tests if test.name == "permitted"] == ([result] if result else [])
    assert found.outcome == {"fail": "unauthorised", "unknown": "indeterminate"}.get(result or "", "authorised")
    assert judged(change(SRE), ticket(), **given) == found


def test_whose_groups_are_not_known() -> None:
    found = judged(change(), ticket(), permitted={"*": ("sre",)})
    assert (found.outcome, the(found, "permitted").result) == ("indeterminate", "unknown")


@pytest.mark.parametrize(
    ("allowed", "merger", "actor", "result"),
    [
        ("deploy", "nobody", CI, "pass"),
        ("platform", "ada", CI, "pass"),
        ("sre", "ada", CI, "fail"),
        ("sre", "nobody", CI, "unknown"),
        ("sre", "", CI, "unknown"),
        ("sre", "", replace(CI, person="ci", groups=("sre",)), "pass"),
        ("sre", "", replace(CI, person="ci", groups=("robots",)), "fail"),
    ],
)
def test_a_pipeline_may_what_it_or_whoever_merged_may(allowed: str, merger: str, actor: Any, result: str) -> None:
    given: dict[str, Any] = {"pipelines": TRUSTED, "directory": MAP, "permitted": {"*": (allowed,)}}
    found = judged(change(actor), ticket(), merges=(merge(merged_by=merger),), **given)
    assert the(found, "permitted").result == result


def test_every_environment_concerned_must_be_allowed() -> None:
    elsewhere = replace(group(), stack="live")
    given: dict[str, Any] = {
        "estate": Estate([queue(), elsewhere]),
        "environments": Environments(stacks={"shop": "staging", "live": "prod"}),
        "permitted": {"staging": ("sre",), "prod": ("dba",)},
    }
    wide = ticket(scope=TicketScope(accounts=(ACCOUNT,)))
    assert judged(change(SRE), wide, **given).outcome == "authorised"
    found = judged(change(SRE), wide, targets=(QUEUE_KEY, GROUP_KEY), **given)
    assert found.failed == ("permitted",)
    assert the(found, "permitted").evidence == "production may be changed by dba, none of which dana is of"


# --- review, checks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("merges", "result"),
    [
        ((merge(),), "pass"),
        ((merge(author=""),), "unknown"),
        ((merge(author="", history=()),), "fail"),
        ((merge(author="", history=history((-5, {"approved_by": "sam"}), (-5, {"approved_by": "ada"}))),), "pass"),
        ((merge(history=()),), "fail"),
        ((merge(history=history((-5, {"approved_by": "Lena"}))),), "fail"),
        ((merge(author="sam.smith"),), "fail"),
        ((merge(history=history((-5, {"approved_by": "sam"}), (-4, {"withdrawn_by": "sam"}))),), "fail"),
        ((merge(history=()), merge(system="gitlab")), "pass"),
        ((merge(), merge(commit=COMMIT[:9] + "0" * 31)), "pass"),
        ((merge(commit=COMMIT[:10]),), "pass"),
        ((merge(repository="acme/other"),), None),
        ((merge(commit=COMMIT[:6]),), None),
        ((), None),
    ],
)
def test_the_review_of_the_applied_commit(merges: tuple[Any, ...], result: str | None) -> None:
    found = judged(change(CI), ticket(), pipelines=TRUSTED, merges=merges, directory=MAP)
    assert [test.result for test in found.tests if test.name == "review"] == ([result] if result else [])
    assert judged(change(CI), ticket(), pipelines=TRUSTED, merges=merges[::-1], directory=MAP) == found


def test_a_short_commit_that_may_be_several() -> None:
    short = replace(CI, run=replace(RUN, commit=COMMIT[:8]))
    two = (merge(), merge(commit=COMMIT[:9] + "0" * 31))
    found = judged(change(short), ticket(), pipelines=TRUSTED, merges=two)
    assert [the(found, name).result for name in ("review", "checks")] == ["unknown", "unknown"]
    assert judged(change(short), ticket(), pipelines=TRUSTED, merges=two[:1]).outcome == "authorised"


@pytest.mark.parametrize(
    ("said", "result", "by_name"),
    [
        (("passed",), "pass", "pass"),
        (("failed",), "fail", "fail"),
        (("pending",), "unknown", "unknown"),
        (("none",), None, "fail"),
        (("passed", "failed"), "fail", "fail"),
        (("none", "passed"), "pass", "pass"),
        (("pending", "passed"), "unknown", "unknown"),
    ],
)
def test_the_checks_of_the_applied_commit(said: tuple[str, ...], result: str | None, by_name: str) -> None:
    merges = tuple(merge(system=f"forge{number}", checks=one) for number, one in enumerate(said))
    given: dict[str, Any] = {"pipelines": TRUSTED, "merges": merges}
    found = judged(change(CI), ticket(), **given)
    assert [test.result for test in found.tests if test.name == "checks"] == ([result] if result else [])
    assert the(judged(change(CI), ticket(), paths=listed("checks", "pipeline"), **given), "checks").result == by_name


@pytest.mark.parametrize("name", ["review", "checks"])
def test_a_review_that_is_asked_for_by_name(name: str) -> None:
    paths = listed(name, "pipeline")
    given: dict[str, Any] = {"pipelines": TRUSTED, "paths": paths}
    unknown = judged(change(CI), ticket(), **given)
    assert (unknown.failed, the(unknown, name).evidence) == ((name,), f"no forge knows commit {COMMIT[:12]}")
    nothing = judged(change(replace(CI, run=None)), ticket(), **given)
    assert the(nothing, name).evidence == "the applied commit is not known"


@pytest.mark.parametrize("name", ["review", "checks"])
def test_a_forge_that_did_not_answer_decides_nothing(name: str) -> None:
    found = judged(change(CI), ticket(), pipelines=TRUSTED, merges_unread=("github: 503",))
    assert found.outcome == "indeterminate"
    assert the(found, name).evidence == f"commit {COMMIT[:12]} was not looked up: github: 503"
    assert judged(change(), ticket(), merges_unread=("github: 503",)).outcome == "authorised"
    assert judged(change(replace(CI, run=Run("github"))), ticket(), pipelines=TRUSTED).outcome == "authorised"


# --- freeze --------------------------------------------------------------------------------------------------

FREEZE = Freeze("year end", at(-1), at(1), "freeze.ics")


@pytest.mark.parametrize(
    ("calendar", "one", "result"),
    [
        (Calendar(asked=True), ticket(), "pass"),
        (Calendar((FREEZE,), asked=True), ticket(), "fail"),
        (Calendar((FREEZE,), asked=True), ticket(kind="emergency"), "pass"),
        (Calendar((replace(FREEZE, end=NOON),), asked=True), ticket(), "pass"),
        (Calendar((replace(FREEZE, start=NOON),), asked=True), ticket(), "fail"),
        (Calendar((), ("ssm: denied",), asked=True), ticket(), "unknown"),
        (Calendar((), ("ssm: denied",), asked=True), ticket(kind="emergency"), "pass"),
        (Calendar((FREEZE,), ("ssm: denied",), asked=True), ticket(), "fail"),
        (Calendar((FREEZE,), asked=True), ticket(kind="standard"), "fail"),
        (Calendar(), ticket(), None),
    ],
)
def test_a_change_freeze(calendar: Calendar, one: Ticket, result: str | None) -> None:
    found = judged(change(), one, calendar=calendar)
    assert [test.result for test in found.tests if test.name == "freeze"] == ([result] if result else [])
    assert found.outcome == {"fail": "unauthorised", "unknown": "indeterminate"}.get(result or "", "authorised")


def test_a_freeze_is_named_and_no_ticket_is_needed_to_break_it() -> None:
    found = judged(change(), ticket(), calendar=Calendar((FREEZE,), asked=True))
    said = "change freeze: year end (2026-03-02 11:00:00 UTC to 2026-03-02 13:00:00 UTC)"
    assert the(found, "freeze").evidence == said
    bare = judged(change(claims=()), calendar=Calendar((FREEZE,), asked=True))
    assert bare.failed == ("ticket", "freeze")


def test_a_freeze_that_is_asked_for_without_a_calendar() -> None:
    assert judged(change(), ticket(), paths=listed("freeze")).failed == ("freeze",)


# --- standing changes ----------------------------------------------------------------------------------------


def test_a_standing_change_is_found_without_a_reference_or_a_start() -> None:
    standing = ticket("STD-1", kind="standard", implementer="", start=None, end=None, history=approved("sam"))
    found = judged(change(claims=()), standing)
    assert (found.outcome, found.path, found.ticket) == ("authorised", "standing", "STD-1")
    assert the(found, "ticket").evidence == "STD-1, by scope"
    assert judged(change(claims=()), replace(standing, end=at(-1))).failed == ("ticket",)
    assert judged(change(claims=()), replace(standing, end=at(1))).outcome == "authorised"


def test_a_standing_change_holds_whatever_else_is_referred_to() -> None:
    standing = ticket("STD-1", kind="standard", implementer="", history=approved("sam"))
    draft = ticket(history=history((-2, {"state": "draft"})))
    assert judged(change(), draft, standing).path == "standing"
    assert judged(change(), standing).ticket == "STD-1"


@pytest.mark.parametrize(
    ("actor", "result"),
    [(SRE, "pass"), (replace(SRE, groups=()), "fail"), (DANA, "unknown"), (replace(DANA, team="SRE"), "pass")],
)
def test_a_standing_change_is_for_its_groups(actor: Any, result: str) -> None:
    paths = {"standing": (*PATHS["standing"], "implementer")}
    standing = ticket(kind="standard", groups=("sre",), history=approved("sam"))
    for given in ({"paths": paths}, {}):
        found = judged(change(actor), standing, **given)
        assert the(found, "implementer").result == result
        assert found.outcome == {"pass": "authorised", "fail": "unauthorised", "unknown": "indeterminate"}[result]


def test_only_the_standing_path_is_open_and_no_standard_change_covers_it() -> None:
    found = judged(change(), ticket(), paths={"standing": PATHS["standing"]})
    assert (found.outcome, found.failed) == ("unauthorised", ("ticket",))
    assert the(found, "ticket").evidence == "no standard change covers it"


def test_a_ticket_is_looked_for_wherever_one_is_asked_about() -> None:
    found = judged(change(claims=()), paths={"manual": ("actor", "state")})
    assert (found.outcome, found.failed) == ("unauthorised", ("ticket",))


def test_parts_are_named_as_their_parents_are() -> None:
    for scope in (TicketScope(names=("web",)), TicketScope(resources=("sg-0*",)), TicketScope(types=("*_rule",))):
        assert judged(change(), ticket(scope=scope), targets=(rule(22).key,)).outcome == "authorised"


def test_policies_are_not_asked_where_there_are_none() -> None:
    assert judged(change(), ticket(), policies=(Policy(types=("aws_vpc",), approvals=9),)).outcome == "authorised"


def test_a_day_later_the_same() -> None:
    assert judged(change(), ticket(), now=LATER + timedelta(days=1)).outcome == "authorised"


def test_a_ticket_that_could_not_be_read_leaves_what_it_asked_for_open() -> None:
    unread = ticket(scope=TicketScope(), implementer="", history=(), incomplete="not ours to read")
    found = judged(change(), unread)
    assert (found.outcome, found.failed) == ("indeterminate", ())
    assert {test.name for test in found.tests if test.result == "unknown"} == {
        "state",
        "scope",
        "implementer",
        "separation",
    }

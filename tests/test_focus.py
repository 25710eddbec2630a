"""What a scan of part of the estate looks at, and that all the rest stays as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from focus_estate import (
    ACCOUNT,
    ALLOW,
    DECLARED,
    NOON,
    READ_ONLY,
    REGION,
    SPECS,
    WIDER,
    Estate,
    Keeper,
    Step,
    answered,
    attachment,
    call,
    drop,
    group,
    other_type,
    put,
    queue,
    role,
    role_policy,
    rule,
    tag_groups,
    undeclared,
)

from agent.compare import Hidden
from agent.focus import (
    EVERYTHING,
    Focus,
    Look,
    Wanted,
    focused,
    looks,
    parent_of,
    remembered,
    state_key,
    wanted,
)
from agent.model import (
    GLOBAL,
    Change,
    Drift,
    Finding,
    FindingId,
    Gap,
    Held,
    Key,
    Open,
    Resource,
    Scope,
    Snapshot,
    StateRead,
    Touch,
    Update,
)
from agent.naming import Names
from agent.plan.flood import AFTERMATH, FLOOD_COUNT
from agent.rereading import Reread, keep
from agent.scan import Scan

MINUTE = timedelta(minutes=1)
QUEUES, GROUPS, RULES = "aws_sqs_queue", "aws_security_group", "aws_security_group_rule"
ROLES, POLICIES, ATTACHMENTS = "aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"


def touched(*touches: Touch, region: str = REGION) -> Change:
    """A call by dana."""
    return call(1, NOON, "dana", ("x:Call", GLOBAL if region == "us-east-1" else region, touches))


def want(*changes: Change, known: Iterable[Resource] = DECLARED, keys: Iterable[Key] = ()) -> dict[str, set[str]]:
    """What is wanted, by type; all in the one account."""
    found = wanted(changes, known, SPECS, keys)
    assert {one.account for one in found} <= {ACCOUNT}
    assert all((one.region == GLOBAL) == SPECS[one.type].is_global for one in found)
    return {one.type: set(one.names) for one in found}


# --- what must be read again ---------------------------------------------------------------------------------


def test_a_resource_is_wanted_by_every_name_it_has() -> None:
    found = want(touched(Touch(QUEUES, (f"{URL}q0",))))
    assert found == {QUEUES: {"q0", f"{URL}q0", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q0"}}


def test_a_resource_that_nobody_knows_is_wanted_by_what_the_call_says() -> None:
    assert want(touched(Touch(QUEUES, (f"{URL}new", "new")))) == {QUEUES: {f"{URL}new", "new"}}


def test_a_part_brings_what_it_is_a_part_of_and_all_its_parts() -> None:
    declared, by_hand = rule("sg-0b", 22).key.id, rule("sg-0b", 8080).key.id
    for name in (declared, by_hand):
        assert want(touched(Touch(RULES, (name,)))) == {GROUPS: {"sg-0b"}, RULES: {name}}
    found = want(touched(Touch(POLICIES, ("app|more",)), region="us-east-1"))
    assert found.keys() == {ROLES, POLICIES, ATTACHMENTS}
    assert found[ATTACHMENTS] == set()
    assert found[ROLES] == {"app", f"arn:aws:iam::{ACCOUNT}:role/app"}


def test_what_has_parts_brings_them() -> None:
    assert want(touched(Touch(GROUPS, ("sg-0a",)))) == {GROUPS: {"sg-0a"}, RULES: set()}


def test_who_deletes_a_resource_deletes_its_parts() -> None:
    found = want(touched(Touch(GROUPS, ("sg-0b",), "delete")))
    assert found == {GROUPS: {"sg-0b"}, RULES: {rule("sg-0b", 22).key.id}}


def test_a_part_of_what_nobody_can_tell_is_wanted_by_its_own_name() -> None:
    assert want(touched(Touch(RULES, ("sgr-0123",)))) == {RULES: {"sgr-0123"}}


def test_a_call_without_a_target_or_on_a_type_without_a_spec_wants_nothing() -> None:
    assert want(touched(), touched(Touch("aws_lb", ("web",))), touched(Touch(QUEUES, ()))) == {}


def test_keys_are_wanted_too() -> None:
    keys = [queue("q1").key, rule("sg-0a", 443).key, Key(ACCOUNT, GLOBAL, "terraform_state", "s3://x/y")]
    found = want(keys=keys)
    assert found.keys() == {QUEUES, GROUPS, RULES}
    assert found[GROUPS] == {"sg-0a"}


def test_one_look_for_each_account_region_and_service() -> None:
    asked = [
        Wanted(ACCOUNT, REGION, RULES, frozenset()),
        Wanted(ACCOUNT, REGION, GROUPS, frozenset({"sg-0a"})),
        Wanted(ACCOUNT, REGION, GROUPS, frozenset({"sg-0b"})),
        Wanted(ACCOUNT, GLOBAL, ROLES, frozenset({"app"})),
        Wanted("444455556666", REGION, QUEUES, frozenset({"q0"})),
    ]
    assert looks(asked, SPECS) == (
        Look(ACCOUNT, REGION, "ec2", {RULES: frozenset(), GROUPS: frozenset({"sg-0a", "sg-0b"})}),
        Look(ACCOUNT, GLOBAL, "iam", {ROLES: frozenset({"app"})}),
        Look("444455556666", REGION, "sqs", {QUEUES: frozenset({"q0"})}),
    )


# --- what a scan is about ------------------------------------------------------------------------------------


def about(*changes: Change, live: Iterable[Resource] = (), known: Iterable[Key] = ()) -> frozenset[Key]:
    sides = Snapshot("declared", NOON, DECLARED), Snapshot("live", NOON, tuple(live))
    found = focused(wanted(changes, DECLARED, SPECS), changes, *sides, known, SPECS)
    assert found.without == frozenset()
    assert found.keys is not None
    return found.keys


def test_a_part_and_its_parent_and_the_parts_on_every_side() -> None:
    seen, once = rule("sg-0b", 8080), rule("sg-0b", 9090).key
    keys = about(touched(Touch(RULES, (seen.key.id,))), live=[seen, queue("q0")], known=[once, queue("q1").key])
    assert keys == {group("sg-0b").key, rule("sg-0b", 22).key, seen.key, once}


def test_what_is_gone_from_both_sides_is_in_it_by_what_is_known() -> None:
    gone = queue("extra").key
    keys = about(touched(Touch(QUEUES, (f"{URL}extra", "extra"), "delete")), known=[gone])
    assert keys == {gone, replace(gone, id=f"{URL}extra")}


def test_what_nobody_can_read_is_in_it_all_the_same() -> None:
    step = other_type({})
    assert step is not None
    (key,) = about(call(1, NOON, "dana", step))
    assert (key.type, key.id) == ("aws_lb_listener", "listener/web")


def test_a_listed_part_tells_its_parent() -> None:
    named = replace(rule("sg-0b", 8080), identifiers=("sgr-0123",))
    keys = about(touched(Touch(RULES, ("sgr-0123",))), live=[named])
    assert {group("sg-0b").key, rule("sg-0b", 22).key, named.key} <= keys


def test_a_focus_is_everything_or_some_keys_without_some() -> None:
    one, other = queue("q0").key, queue("q1").key
    assert EVERYTHING.whole
    assert one in EVERYTHING
    left = Focus(without=frozenset({one}))
    assert (left.whole, one in left, other in left) == (False, False, True)
    some = Focus(frozenset({one, other}), frozenset({one}))
    assert (some.whole, one in some, other in some, queue("q2").key in some) == (False, False, True, False)
    assert Focus(frozenset()).keys == frozenset()


def test_a_part_is_seen_only_with_what_it_is_a_part_of() -> None:
    part = rule("sg-0a", 443)
    assert EVERYTHING.sees(part)
    assert not Focus(without=frozenset({group("sg-0a").key})).sees(part)
    assert not Focus(frozenset({part.key})).sees(part)


def test_what_a_part_belongs_to_by_its_identity() -> None:
    assert parent_of(rule("sg-0a", 443).key, SPECS) == group("sg-0a").key
    assert parent_of(role_policy("app", "own", ALLOW).key, SPECS) == role("app").key
    assert parent_of(Key(ACCOUNT, REGION, RULES, "sgr-0123"), SPECS) is None
    assert parent_of(queue("q0").key, SPECS) is None
    assert parent_of(Key(ACCOUNT, REGION, "aws_lb", "web"), SPECS) is None


# --- what is remembered --------------------------------------------------------------------------------------


def finding(key: Key, *drifts: Drift) -> Finding:
    return Finding(FindingId(f"F-{key.id}"), key, drifts=drifts)


def test_what_is_read_no_more_is_known_by_all_its_names() -> None:
    accepted = {one.key: one.attributes for one in (queue("q0"), role_policy("app", "own", ALLOW))}
    accepted[Key(ACCOUNT, REGION, "aws_of_another_release", "x")] = {}
    known, part = queue("extra"), rule("sg-0a", 8080)
    found = remembered(
        accepted,
        [
            finding(known.key, Drift(known.key, "unmanaged", live=known.attributes)),
            finding(
                group("sg-0a").key, Drift(group("sg-0a").key, "changed", "ingress", live=part.attributes, part=part.key)
            ),
            finding(queue("q1").key, Drift(queue("q1").key, "changed", "delay_seconds", 0, 9)),
            finding(queue("q2").key, Drift(queue("q2").key, "missing", declared=queue("q2").attributes)),
        ],
        SPECS,
    )
    by_key = {one.key: one for one in found}
    assert by_key.keys() == {queue("q0").key, known.key, part.key, role_policy("app", "own", ALLOW).key}
    assert by_key[known.key].identifiers == known.identifiers
    assert by_key[part.key].parent == group("sg-0a").key
    assert by_key[part.key].attribute == "ingress"
    assert by_key[role_policy("app", "own", ALLOW).key].parent == role("app").key
    names = Names(found, SPECS)
    assert names.targets(touched(Touch(QUEUES, (f"{URL}extra",)))) == (known.key,)


# --- the rest stays as it was --------------------------------------------------------------------------------


class History:
    """An estate, a store, and calls one after the other."""

    def __init__(self) -> None:
        self.estate, self.keeper = Estate.clean(), Keeper()
        self.at = NOON
        self.number = 0
        self.keeper.keep(self.estate.look(self.keeper, NOON - MINUTE, None))

    def does(self, step: Step, who: str = "marco") -> Change:
        """An operation, and its call in the trail."""
        self.at += MINUTE
        self.number += 1
        made = step(self.estate.cloud)
        assert made is not None
        change = call(self.number, self.at, who, made)
        self.estate.trail.append(change)
        return change

    def looks(self, *news: Change, keys: Iterable[Key] = (), kept: bool = True) -> Scan:
        self.at += MINUTE
        found = self.estate.look(self.keeper, self.at, news, keys)
        if kept:
            self.keeper.keep(found)
        return found

    def scans(self) -> Scan:
        self.at += MINUTE
        found = self.estate.look(self.keeper, self.at, None)
        self.keeper.keep(found)
        return found


def test_calls_of_one_session_are_one_case_though_each_is_looked_at_alone() -> None:
    history = History()
    steps = [
        put("sqs:SetQueueAttributes", queue("q0", 60), "visibility_timeout_seconds"),
        put("sqs:TagQueue", queue("q1", team="pay"), "tags_all"),
        put("ec2:AuthorizeSecurityGroupIngress", rule("sg-0a", 22), "description"),
        drop("ec2:RevokeSecurityGroupIngress", rule("sg-0b", 22)),
        put("iam:PutRolePolicy", role_policy("app", "own", WIDER), "policy"),
        put("iam:AttachRolePolicy", attachment("app", READ_ONLY), "policy_arn"),
        put("sqs:CreateQueue", queue("extra"), "name"),
    ]
    actions = [action for step in steps for action in history.looks(history.does(step)).actions]
    assert [type(action) for action in actions] == [Open, *[Update] * (len(steps) - 1)]
    (case,) = history.keeper.cases.values()
    assert len(case.events) == len(steps)
    assert history.scans().actions == ()


def test_a_look_leaves_what_it_is_not_about_as_it_was() -> None:
    history = History()
    history.looks(history.does(put("sqs:SetQueueAttributes", queue("q0", 60), "visibility_timeout_seconds")))
    before = history.keeper.copy()
    # Nobody looks at the tags, and what is read shows nothing of q0.
    history.estate.cloud[queue("q1").key] = undeclared(queue("q1", team="pay"))
    found = history.looks(
        history.does(put("ec2:AuthorizeSecurityGroupIngress", rule("sg-0a", 22), "description"), "pipeline")
    )
    assert [one.key for one in found.findings] == [group("sg-0a").key]
    assert (found.declared, found.live, found.gaps) == (2, 3, ())
    assert found.forget == ()
    assert {one.key for one in found.accept} <= {group("sg-0a").key, rule("sg-0a", 443).key}
    assert before.findings.items() <= history.keeper.findings.items()
    assert before.cases.items() <= history.keeper.cases.items()


def test_what_was_made_by_hand_and_deleted_again_is_told_of_no_more() -> None:
    history = History()
    history.looks(history.does(put("sqs:CreateQueue", queue("extra"), "name")))
    assert [one.key for one in history.keeper.findings.values()] == [queue("extra").key]
    news = history.does(drop("sqs:DeleteQueue", queue("extra")))
    found, whole = history.looks(news, kept=False), history.estate.look(history.keeper, history.at, None)
    history.keeper.keep(found)
    assert {one.key for one in history.keeper.findings.values()} == {one.key for one in whole.findings}
    assert [one.drifts for one in history.keeper.findings.values()] == [()]


def test_a_look_at_nothing_says_nothing() -> None:
    history = History()
    history.does(put("sqs:SetQueueAttributes", queue("q0", 60), "visibility_timeout_seconds"))
    history.estate.cloud.clear()
    found = history.looks()
    assert (found.status, found.findings, found.actions, found.gaps, found.drifts) == ("clean", (), (), (), ())
    assert (found.declared, found.live, found.compared, found.performed) == (0, 0, 0, ())


def test_an_emergency_role_that_is_entered_is_told_of_at_once() -> None:
    """Nothing is touched by it: the trail is read whole, whatever else is looked at."""
    history = History()
    entered = replace(
        call(9, NOON, "rescue", ("sts:AssumeRole", REGION, ())), session="ASIARESCUE", action="sts:AssumeRole"
    )
    estate = history.estate
    sides = Snapshot("declared", NOON, DECLARED), Snapshot("live", NOON)
    found = estate.scan(history.keeper, NOON + MINUTE, sides, Focus(frozenset()), sessions=(entered,))
    (action,) = found.actions
    assert isinstance(action, Open)
    assert action.case.events == ("e009",)
    assert action.case.grant


def test_what_another_scan_read_later_is_left_alone() -> None:
    """A scan of everything that began before a look and ends after it has older readings of what the look read."""
    history = History()
    stale = dict(history.estate.cloud)
    news = history.does(put("ec2:AuthorizeSecurityGroupIngress", rule("sg-0a", 22), "description"))
    look = history.looks(news)
    assert look.focus.keys is not None
    stale[rule("sg-0a", 9090).key] = undeclared(rule("sg-0a", 9090))  # gone since, and nobody told of it yet
    sides = Snapshot("declared", NOON, DECLARED), Snapshot("live", NOON, tuple(stale.values()))
    before = history.keeper.copy()
    whole = history.estate.scan(history.keeper, history.at, sides, Focus(without=look.focus.keys))
    history.keeper.keep(whole)
    assert history.keeper.findings == before.findings
    assert history.keeper.accepted.keys() == before.accepted.keys()
    assert group("sg-0a").key not in {one.key for one in whole.accept}
    assert whole.compared == len(DECLARED) - 2


# --- gaps and status -----------------------------------------------------------------------------------------


def scanned(history: History, focus: Focus, *, lost: Iterable[Gap] = (), gaps: Iterable[Gap] = ()) -> Scan:
    sides = (
        Snapshot("declared", NOON, DECLARED, tuple(lost)),
        Snapshot(
            "live",
            NOON,
            answered(history.estate.cloud, looks(wanted((), DECLARED, SPECS, focus.keys or ()), SPECS)),
            tuple(gaps),
        ),
    )
    return history.estate.scan(history.keeper, history.at, sides, focus)


def test_a_gap_elsewhere_is_none_of_a_look() -> None:
    history, focus = History(), Focus(frozenset({queue("q0").key}))
    elsewhere = [Gap(Scope(ACCOUNT, REGION, QUEUES, "q1"), "denied")]
    here = Gap(Scope(ACCOUNT, REGION, QUEUES), "denied")
    assert scanned(history, focus, gaps=elsewhere, lost=[Gap(Scope("444455556666"), "no state")]).status == "clean"
    found = scanned(history, focus, gaps=[*elsewhere, here])
    assert (found.status, found.gaps) == ("incomplete", (here,))


def test_what_is_declared_where_nobody_reads_is_a_gap_of_those_who_look_there() -> None:
    history = History()
    far = replace(DECLARED[0], key=replace(DECLARED[0].key, region="us-west-2"))
    sides = Snapshot("declared", NOON, (far, *DECLARED)), Snapshot("live", NOON)
    for keys, count in (({far.key}, 1), (set(), 0)):
        found = history.estate.scan(history.keeper, NOON, sides, Focus(frozenset(keys)))
        assert len(found.gaps) == count


def test_the_status_is_about_what_is_looked_at() -> None:
    history = History()
    history.looks(history.does(put("sqs:SetQueueAttributes", queue("q0", 60), "visibility_timeout_seconds")))
    ((key, case),) = history.keeper.cases.items()
    other, this = Focus(frozenset({queue("q2").key})), Focus(frozenset({queue("q0").key}))
    assert scanned(history, other).status == "clean"
    assert scanned(history, this).status == "violations"
    history.keeper.cases[key] = replace(case, state="held")
    assert scanned(history, other).status == "clean"
    assert scanned(history, this).status == "held"


def test_nothing_outside_the_focus_counts_as_read() -> None:
    hidden = Hidden((), Focus(frozenset({queue("q0").key})))
    assert queue("q0").key not in hidden
    assert queue("q1").key in hidden


# --- states --------------------------------------------------------------------------------------------------


def state(serial: int, **fields: object) -> StateRead:
    given: dict[str, Any] = {
        "stack": "shop",
        "location": "s3://acme/shop.tfstate",
        "lineage": "3f1c",
        "serial": serial,
        "digest": f"{serial:064x}",
        "accounts": (ACCOUNT,),
        "read_at": NOON,
        "provider_versions": {"registry.terraform.io/hashicorp/aws": "5.100.0"},
    } | fields
    return StateRead(**given)


def test_a_state_is_told_of_by_who_looks_at_it() -> None:
    history, now = History(), state(3, in_motion="")
    sides = Snapshot("declared", NOON, DECLARED, states=(now,)), Snapshot("live", NOON)
    for keys, kept in ((frozenset[Key](), ()), (frozenset({state_key(now)}), (now.serial,))):
        found = history.estate.scan(history.keeper, NOON, sides, Focus(keys))
        assert tuple(one.serial for one in found.keep) == kept
    moving = replace(now, in_motion="locked by dana")
    sides = replace(sides[0], states=(moving,)), sides[1]
    for key, count in ((queue("q0").key, 1), (queue("q2").key, 0)):  # q2 is declared in another stack
        found = history.estate.scan(history.keeper, NOON, sides, Focus(frozenset({key})))
        assert len([gap for gap in found.gaps if gap.scope.type == "terraform_state"]) == count


def test_a_state_without_accounts_has_a_key_too() -> None:
    assert state_key(state(3, accounts=())).account == "*"


def test_differences_that_were_known_stay_known_where_not_all_was_looked_at() -> None:
    before, now = state(3, reread=("old",)), state(4)
    found = Reread((), (), (), {"shop": ("new",)})
    left = Focus(without=frozenset({queue("q0").key}))

    def kept(reads: StateRead, focus: Focus, last: StateRead | None = before) -> list[tuple[str, ...]]:
        known = {"shop": last} if last is not None else {}
        return [one.reread for one in keep([reads], known, found, DECLARED, focus)]

    assert kept(now, EVERYTHING) == [("new",)]
    assert kept(now, left) == [("new", "old")]
    assert kept(now, Focus(without=frozenset({queue("q2").key}))) == [("new",)]  # of another stack
    assert kept(now, left, None) == [("new",)]
    # Which differences a new version makes, only a scan that has seen all of them can say.
    moved = state(4, provider_versions={"registry.terraform.io/hashicorp/aws": "6.2.0"})
    assert kept(moved, left) == []
    assert kept(moved, EVERYTHING) == [("new",)]


# --- floods that trickle in ----------------------------------------------------------------------------------


MANY = 70


def flooding() -> tuple[History, list[Change]]:
    """Seventy queues of eighty, each changed in a session of its own."""
    history = History()
    history.estate.declares = [
        replace(
            DECLARED[0],
            key=one.key,
            attributes=one.attributes,
            identifiers=one.identifiers,
            address=f"aws_sqs_queue.n[{n}]",
        )
        for n in range(80)
        for one in [queue(f"n{n}")]
    ]
    history.estate.cloud = {one.key: undeclared(one) for one in history.estate.declares}
    history.keeper = Keeper()
    history.scans()
    calls = []
    for number in range(MANY):
        change = history.does(
            put("sqs:SetQueueAttributes", queue(f"n{number}", 60), "visibility_timeout_seconds"), "marco"
        )
        calls.append(replace(change, session=f"ASIA{number}"))
        history.at -= MINUTE  # all within the hour
    history.estate.trail = calls
    return history, calls


def states(history: History) -> list[str]:
    return sorted(case.state for case in history.keeper.cases.values())


def test_a_flood_that_trickles_in_is_held_with_one_alarm() -> None:
    history, calls = flooding()
    alarms = []
    for start in range(0, MANY, 2):
        found = history.estate.look(history.keeper, history.at, calls[start : start + 2])
        history.keeper.keep(found)
        alarms += [action for action in found.actions if isinstance(action, Held)]
    opened = FLOOD_COUNT - 2
    assert states(history) == ["held"] * 2 + ["open"] * opened
    assert [alarm.why for alarm in alarms] == [f"50 of 80 resources of account {ACCOUNT} newly in violation"]
    # What was left out is held by the next scan of everything.
    whole = history.scans()
    (alarm,) = whole.actions
    assert isinstance(alarm, Held)
    assert alarm.why == f"{MANY - FLOOD_COUNT} more of account {ACCOUNT}, of which cases are held"
    assert states(history) == ["held"] * (MANY - opened) + ["open"] * opened
    assert history.scans().actions == ()


def test_a_session_that_goes_on_after_it_was_held_has_one_case_whoever_looks() -> None:
    """The last of seventy sessions goes on with the queues that nobody had touched: seen by looks, then by a scan."""
    history, calls = flooding()
    for start in range(0, MANY, 2):
        history.keeper.keep(history.estate.look(history.keeper, history.at, calls[start : start + 2]))
    history.scans()
    calls, more = list(calls), list[Change]()
    for number in range(MANY, MANY + 6):
        step = put("sqs:SetQueueAttributes", queue(f"n{number}", 60), "visibility_timeout_seconds")
        more.append(replace(history.does(step, "marco"), session=calls[-1].session))
        history.estate.trail = [*calls, *more]
        if number < MANY + 3:
            history.looks(more[-1])
    history.scans()
    assert len(history.keeper.cases) == MANY
    (case,) = [one for one in history.keeper.cases.values() if calls[-1].event_ids[0] in one.events]
    assert (case.state, len(case.findings)) == ("held", 7)
    assert set(case.events) == {one.event_ids[0] for one in (calls[-1], *more)}
    assert history.scans().actions == ()


def test_what_comes_slowly_is_no_flood() -> None:
    history, calls = flooding()
    for start in range(0, MANY, 10):
        history.keeper.keep(history.estate.look(history.keeper, history.at, calls[start : start + 10]))
        history.at += timedelta(minutes=20)
    assert states(history) == ["open"] * MANY


@pytest.mark.parametrize("later", [MINUTE, AFTERMATH + timedelta(hours=2)], ids=["soon", "much-later"])
def test_what_was_left_out_long_ago_is_filed(later: timedelta) -> None:
    history, calls = flooding()
    for some in (calls[:50], calls[50:]):
        history.keeper.keep(history.estate.look(history.keeper, history.at, some))
    assert states(history) == ["held"] * 50
    history.at += later
    history.scans()
    assert len(history.keeper.cases) == MANY
    assert states(history).count("open") == (0 if later == MINUTE else 20)


def test_what_is_critical_is_filed_in_any_flood() -> None:
    history, calls = flooding()
    history.estate.declares = [*history.estate.declares, *DECLARED[-2:]]
    history.estate.cloud |= {one.key: undeclared(one) for one in DECLARED[-2:]}
    history.keeper.keep(history.estate.look(history.keeper, history.at, calls[:50]))
    news = history.does(put("iam:PutRolePolicy", role_policy("app", "own", WIDER), "policy"))
    found = history.looks(news)
    assert [type(action) for action in found.actions] == [Open]


def test_tags_of_two_groups_by_one_call_are_one_case() -> None:
    history = History()
    found = history.looks(history.does(tag_groups("pay")))
    (action,) = found.actions
    assert isinstance(action, Open)
    assert len(action.case.findings) == 2

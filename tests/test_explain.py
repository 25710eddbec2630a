"""Which call explains a difference: the one that brought it about and that none undid, whatever else was called."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, NOON, QUEUE_KEY, SPECS, rule
from trail_records import ACCOUNT, QUEUE, REGION

from agent.explain import THRESHOLD, Explanation, explain, joined, rank
from agent.model import GLOBAL, Act, Actor, Candidate, Change, Drift, Key, Touch, Unknown

VISIBLE = Drift(QUEUE_KEY, "changed", "visibility_timeout_seconds", 30, 60)
MASKED = Unknown("CloudTrail masks the value")
POLICY = Key(ACCOUNT, GLOBAL, "aws_iam_role_policy", "worker|own")
ROLE = Key(ACCOUNT, GLOBAL, "aws_iam_role", "worker")


def touch(act: Act = "update", type_: str = "aws_sqs_queue", ids: tuple[str, ...] = (QUEUE,), **asked: Any) -> Touch:
    return Touch(type_, ids, act, asked)


def change(
    *touches: Touch,
    minute: int = 0,
    by: str = "dana",
    targets: tuple[Key, ...] = (QUEUE_KEY,),
    action: str = "sqs:X",
    event: str = "",
) -> Change:
    return Change(
        (event or f"e{minute}",),
        NOON + timedelta(minutes=minute),
        action,
        Actor(by, "person"),
        "sdk",
        ACCOUNT,
        REGION,
        touches,
        targets,
    )


def sequence(*asked: Any) -> list[Change]:
    """Calls a minute apart, each setting the queue's time-out to a value; a text is an act, None says nothing."""
    made = []
    for minute, value in enumerate(asked):
        if isinstance(value, str):
            made.append(change(touch(value), minute=minute))
        else:
            made.append(change(touch(**({} if value is None else {VISIBLE.attribute: value})), minute=minute))
    return made


def scores(drift: Drift, changes: list[Change]) -> dict[str, float]:
    return {one.change.event_ids[0]: one.score for one in rank(drift, changes, SPECS)}


def cause(drift: Drift, changes: list[Change]) -> str:
    """Event of the call that is named; empty: nobody is."""
    found = explain(drift, changes, SPECS)
    assert found.whole == bool(found.causes)
    return found.causes[0].change.event_ids[0] if found.causes else ""


def test_what_one_call_is_worth() -> None:
    def score(act: Act = "update", **asked: Any) -> tuple[float, str]:
        found = rank(VISIBLE, [change(touch(act, **asked))], SPECS)
        return (found[0].score, found[0].why) if found else (0.0, "")

    assert score(visibility_timeout_seconds=60) == (0.95, "set visibility_timeout_seconds to the value that is live")
    assert score("create", visibility_timeout_seconds=60)[0] == 0.95
    assert score("delete", visibility_timeout_seconds=60)[0] == 0.95
    assert score(visibility_timeout_seconds=MASKED) == (
        0.7,
        "sets visibility_timeout_seconds; the record does not show the value",
    )
    assert score() == (0.4, "updated the resource; the record does not say which attribute")
    assert score("create") == (0.4, "created the resource")
    assert score("delete") == (0.0, "")
    assert score(visibility_timeout_seconds=9) == (0.2, "set visibility_timeout_seconds to another value")
    assert score(delay_seconds=60) == (0.0, "")
    assert rank(VISIBLE, [change(Touch("aws_sns_topic", (QUEUE,)))], SPECS) == ()
    assert rank(VISIBLE, [change(touch(visibility_timeout_seconds=60), targets=())], SPECS) == ()


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ((60, 60, 60), "e0"),  # it was so already
        ((60, 30, 60, 60), "e2"),
        ((60, 30), ""),  # somebody undid it, and nobody is seen to have done it again
        ((30, 60, None), "e1"),
        ((MASKED, 60), "e1"),
        ((60, MASKED), "e0"),
        ((60, MASKED, 60), "e2"),
        ((60, 30, MASKED), "e2"),
        ((MASKED, 30), ""),
        ((MASKED, MASKED), "e1"),
        ((60, "delete", "create"), "e2"),
        ((60, "delete", "create", 60), "e3"),
        ((60, "delete"), ""),
        (("create", 60), "e1"),
        ((30, "create"), ""),
        ((None, None), ""),
        ((), ""),
    ],
)
def test_the_cause_is_the_call_that_brought_it_about_and_that_none_undid(asked: tuple[Any, ...], named: str) -> None:
    assert cause(VISIBLE, sequence(*asked)) == named


def test_how_sure_it_is_depends_on_the_other_calls() -> None:
    assert scores(VISIBLE, sequence(60, 60)) == {"e0": 0.95, "e1": 0.45}
    assert scores(VISIBLE, sequence(60, MASKED)) == {"e0": 0.85, "e1": 0.6}
    assert scores(VISIBLE, sequence(MASKED, 60)) == {"e0": 0.45, "e1": 0.95}
    assert scores(VISIBLE, sequence(60, MASKED, 60)) == {"e0": 0.6, "e1": 0.45, "e2": 0.95}
    assert scores(VISIBLE, sequence(MASKED, MASKED)) == {"e0": 0.6, "e1": 0.7}
    assert scores(VISIBLE, sequence(60, 30)) == {"e0": 0.3, "e1": 0.2}
    assert scores(VISIBLE, sequence(60, "delete", "create")) == {"e0": 0.3, "e2": 0.6}
    undone = rank(VISIBLE, sequence(60, 30), SPECS)[0]
    assert undone.why == "set visibility_timeout_seconds to the value that is live, which a later call undid"


def test_of_what_was_undone_only_the_latest_is_shown() -> None:
    found = rank(VISIBLE, sequence(*[9] * 50, 60, 60), SPECS)
    assert [one.change.event_ids[0] for one in found[:3]] == ["e50", "e51", "e49"]
    assert (len(found), found[-1].change.event_ids) == (22, ("e30",))


def test_within_one_second_the_call_that_set_what_is_live_was_the_last() -> None:
    right = change(touch(visibility_timeout_seconds=60), event="a")
    other = change(touch(visibility_timeout_seconds=9), event="b")
    assert cause(VISIBLE, [right, other]) == cause(VISIBLE, [other, right]) == "a"


def test_the_end_of_one_call_is_what_it_did() -> None:
    twice = change(touch(visibility_timeout_seconds=60), touch(visibility_timeout_seconds=9))
    assert scores(VISIBLE, [twice]) == {"e0": 0.2}
    # What tells nothing takes nothing away from what does.
    assert scores(VISIBLE, [change(touch(visibility_timeout_seconds=60), touch())]) == {"e0": 0.95}


def test_an_attribute_that_no_spec_names_is_compared_as_it_is() -> None:
    for type_ in ("aws_sqs_queue", "aws_lb"):
        key = Key(ACCOUNT, REGION, type_, "x")
        drift = Drift(key, "changed", "idle_timeout", 60, {"seconds": 30})
        made = change(touch(type_=type_, idle_timeout={"seconds": 30}), targets=(key,))
        assert cause(drift, [made]) == "e0"


def test_of_several_resources_in_one_call_each_has_its_own_part() -> None:
    other = Key(ACCOUNT, REGION, "aws_sqs_queue", "other")
    both = (QUEUE_KEY, other)
    call = change(
        touch(ids=(QUEUE_KEY.id,), visibility_timeout_seconds=9),
        touch(ids=(other.id,), visibility_timeout_seconds=60),
        targets=both,
    )
    assert scores(VISIBLE, [call]) == {"e0": 0.2}
    assert scores(Drift(other, "changed", VISIBLE.attribute, 30, 60), [call]) == {"e0": 0.95}


# --- what a record does not show ----------------------------------------------------------------------------

FUNCTION = Key(ACCOUNT, REGION, "aws_lambda_function", "f")
VARIABLES = Drift(FUNCTION, "changed", "environment", None, [{"variables": {"A": "1"}}])
UNSHOWN = Unknown("the record does not show the value")


def updated(minute: int, by: str = "dana", **asked: Any) -> Change:
    """UpdateFunctionConfiguration never shows whether it set variables."""
    made = touch(type_=FUNCTION.type, ids=("f",), environment=UNSHOWN, **asked)
    return change(made, minute=minute, by=by, targets=(FUNCTION,), action="lambda:UpdateFunctionConfiguration")


def test_a_call_that_sets_something_else_for_all_to_see_need_not_have_set_this() -> None:
    assert scores(VARIABLES, [updated(1), updated(2, memory_size=512)]) == {"e1": 0.7, "e2": 0.45}
    assert scores(VARIABLES, [updated(1, memory_size=512), updated(2, memory_size=256)]) == {"e1": 0.6, "e2": 0.7}
    several = [updated(1, memory_size=512), updated(2, "marco", memory_size=256)]
    assert scores(VARIABLES, several) == {"e1": 0.45, "e2": 0.45}
    assert scores(VARIABLES, [updated(1), updated(2, "marco")]) == {"e1": 0.6, "e2": 0.7}
    # Where all set the same besides, that is not what they were made for.
    alike = [updated(1, memory_size=512), updated(2, "marco", memory_size=512)]
    assert scores(VARIABLES, alike) == {"e1": 0.6, "e2": 0.7}


# --- tags ----------------------------------------------------------------------------------------------------


def tagged(asked: Any, minute: int = 0, **fields: Any) -> Change:
    return change(touch(tags_all=asked), minute=minute, **fields)


TAGS = Drift(QUEUE_KEY, "changed", "tags_all", {"a": "1", "old": "x"}, {"a": "2", "b": "2"})


def test_a_call_explains_the_tags_it_sets_and_no_others() -> None:
    a, b = tagged({"a": "2"}), tagged({"b": "2"}, 1)
    other, none = tagged({"c": "3"}, 2), tagged({}, 3)
    untag = tagged(Unknown("the record does not show the value"), 4, action="sqs:UntagQueue")
    found = explain(TAGS, [a, b, other, none], SPECS)
    assert ([one.change.event_ids[0] for one in found.causes], found.whole) == (["e0", "e1"], False)
    found = explain(TAGS, [a, b, other, none, untag], SPECS)
    assert [(one.change.event_ids[0], one.score, one.why) for one in found.candidates] == [
        ("e1", 0.95, "set tag b to the value that is live"),
        ("e0", 0.95, "set tag a to the value that is live"),
        ("e4", 0.7, "sets tags_all; the record does not show the value"),
    ]
    assert found.whole
    # Of several who took tags away nobody knows who took which.
    marco = tagged(UNSHOWN, 5, action="sqs:UntagQueue", by="marco")
    assert scores(TAGS, [untag, marco]) == {"e4": 0.45, "e5": 0.45}
    # A record that was cut may have set any of them.
    assert scores(TAGS, [tagged(UNSHOWN)]) == {"e0": 0.7}
    # Taken away again, it was not that call that set what is there.
    assert scores(TAGS, [tagged({"b": "2"}), tagged({"b": "9"}, 1)]) == {"e0": 0.3, "e1": 0.2}


def test_a_call_that_sets_all_tags_may_have_taken_the_others_away() -> None:
    (one,) = rank(TAGS, [tagged({"a": "2", "b": "2"})], SPECS)
    assert one.score == 0.95
    said = ("set tag a to the value that is live", "set all tags as they are, without old", "set tag b to the value")
    assert one.why.startswith("; ".join(said))
    bare = Drift(QUEUE_KEY, "changed", "tags_all", {"a": "1"}, None)
    assert [one.why for one in rank(bare, [tagged({})], SPECS)] == ["set all tags as they are, without a"]


def test_tags_that_are_no_map_are_compared_whole() -> None:
    odd = Drift(QUEUE_KEY, "changed", "tags_all", {"a": "1"}, "a=1")
    assert scores(odd, [tagged("a=1"), tagged({"a": "1"}, -1)]) == {"e0": 0.95, "e-1": 0.2}
    assert scores(TAGS, [tagged("a=1")]) == {}


def test_many_reasons_are_counted() -> None:
    made = change(touch(visibility_timeout_seconds=60))
    several = [Candidate(made, 0.95, f"set tag {n}") for n in range(6)]
    assert joined(several).why == "set tag 0; set tag 1; set tag 2; set tag 3; and 2 more"
    assert joined([*several[:1], Candidate(made, 0.2, "set another")]).why == "set tag 0"


# --- what came and what went ---------------------------------------------------------------------------------

THERE = Drift(QUEUE_KEY, "unmanaged", live={"visibility_timeout_seconds": 60})
GONE = Drift(QUEUE_KEY, "missing", declared={"a": 1})


def test_what_one_act_explains() -> None:
    def why(drift: Drift, act: Act, type_: str = "aws_sqs_queue") -> str:
        found = rank(drift, [change(touch(act, type_))], SPECS)
        return found[0].why if found else ""

    changed_ = "changed it, which does not make it"
    assert (why(THERE, "create"), why(THERE, "update"), why(THERE, "delete")) == ("created it", changed_, "")
    assert (why(GONE, "delete"), why(GONE, "create"), why(GONE, "update")) == ("deleted it", "", "")
    assert why(GONE, "delete", "aws_sns_topic") == ""


@pytest.mark.parametrize(
    ("drift", "acts", "named"),
    [
        (THERE, ("create", "delete", "create"), "e2"),
        (THERE, ("create", "create"), "e0"),
        (THERE, ("create", "update"), "e0"),
        (THERE, ("create", "delete"), ""),
        (GONE, ("delete", "create", "delete", "delete"), "e2"),
        (GONE, ("delete", "create"), ""),
        (GONE, ("delete", "update"), ""),
        (GONE, ("update", "delete"), "e1"),
    ],
)
def test_who_made_or_deleted_it_last(drift: Drift, acts: tuple[Act, ...], named: str) -> None:
    assert cause(drift, sequence(*acts)) == named


def written(document: Any, minute: int, by: str = "dana", act: Act = "update") -> Change:
    made = touch(act, POLICY.type, (POLICY.id,), **({} if act == "delete" else {"policy": document}))
    return change(made, minute=minute, by=by, targets=(POLICY,), action="iam:PutRolePolicy")


def test_of_two_who_wrote_it_the_one_whose_words_are_there() -> None:
    """PutRolePolicy creates and updates alike."""
    allow, deny = ({"Statement": [{"Effect": effect}]} for effect in ("Allow", "Deny"))
    part = Drift(ROLE, "changed", "inline_policy", live={"policy": deny}, part=POLICY)
    assert scores(part, [written(allow, 1), written(deny, 2)]) == {"e1": 0.45, "e2": 0.95}
    assert scores(part, [written(deny, 1), written(deny, 2)]) == {"e1": 0.95, "e2": 0.45}
    assert scores(part, [written(MASKED, 1)]) == {"e1": 0.7}
    assert scores(part, [written(deny, 1), written(None, 2, act="delete")]) == {"e1": 0.3}
    odd = Drift(ROLE, "changed", "inline_policy", live="?", part=POLICY)
    assert scores(odd, [written(deny, 1)]) == {"e1": 0.7}


def test_a_call_that_may_create_or_update_explains_only_what_no_other_created() -> None:
    """PutParameter overwrites what is there; SetQueueAttributes creates nothing."""
    key = Key(ACCOUNT, REGION, "aws_ssm_parameter", "/a")
    there = Drift(key, "unmanaged", live={"type": "String"})

    def put(act: Act, minute: int, name: str = "PutParameter", **asked: Any) -> Change:
        return change(touch(act, key.type, (key.id,), **asked), minute=minute, targets=(key,), action=f"ssm:{name}")

    again = [put("update", 2), put("update", 3, type="String")]
    assert scores(there, again) == {"e2": 0.45, "e3": 0.95}
    assert scores(there, [put("create", 1), *again]) == {"e1": 0.95, "e2": 0.45, "e3": 0.45}
    assert scores(there, [put("update", 1, "AddTagsToResource")]) == {"e1": 0.4}
    nobody = Drift(Key(ACCOUNT, REGION, "aws_lb", "x"), "unmanaged", live={"a": 1})
    assert scores(nobody, [change(touch(type_="aws_lb", a=1), targets=(nobody.key,))]) == {"e0": 0.4}


def grouped(act: Act, minute: int = 0, **fields: Any) -> Change:
    return change(touch(act, GROUP_KEY.type, (GROUP_KEY.id,)), minute=minute, targets=(GROUP_KEY,), **fields)


def test_a_part_may_have_come_and_gone_with_the_whole() -> None:
    added = Drift(GROUP_KEY, "changed", "ingress", live={"a": 1}, part=rule(22).key)
    removed = Drift(GROUP_KEY, "changed", "ingress", declared={"a": 1}, part=rule(22).key)
    made = grouped("create")
    assert [(one.score, one.why) for one in rank(added, [made], SPECS)] == [(0.7, "created the resource it belongs to")]
    assert cause(added, [made, grouped("delete", 1)]) == ""
    assert cause(removed, [made, grouped("delete", 1)]) == "e1"
    assert rank(removed, [grouped("update")], SPECS) == ()


def test_what_is_declared_by_itself_goes_with_its_parent_and_comes_without() -> None:
    both = (GROUP_KEY, rule(22).key)
    gone = Drift(rule(22).key, "missing", declared={"a": 1})
    deleted = change(touch("delete", GROUP_KEY.type, (GROUP_KEY.id,)), targets=both)
    assert [one.why for one in rank(gone, [deleted], SPECS)] == ["deleted the resource it belongs to"]
    there = Drift(rule(22).key, "unmanaged", live={"a": 1})
    assert rank(there, [change(touch("create", GROUP_KEY.type, (GROUP_KEY.id,)), targets=both)], SPECS) == ()


# --- parts nobody can name -----------------------------------------------------------------------------------


def nameless(minute: int, by: str = "dana", act: Act = "delete") -> Change:
    """A call on a rule by an id that no reading shows."""
    key = Key(ACCOUNT, REGION, "aws_security_group_rule", f"{GROUP_KEY.id}|||||sgr-{minute}")
    return change(touch(act, key.type, (key.id,)), minute=minute, by=by, targets=(key,))


REMOVED = Drift(GROUP_KEY, "changed", "ingress", declared={"a": 1}, part=rule(22).key)


def test_a_part_by_an_id_nobody_shows_may_be_the_one_that_went() -> None:
    assert scores(REMOVED, [nameless(1)]) == {"e1": 0.7}
    assert scores(REMOVED, [nameless(1), nameless(2)]) == {"e1": 0.6, "e2": 0.7}
    assert scores(REMOVED, [nameless(1, act="create")]) == {}
    whole = Drift(GROUP_KEY, "missing", declared={"a": 1})
    assert scores(whole, [nameless(1)]) == {}


def test_of_several_people_nobody_is_named_unless_one_is_known_to_have_been_at_it() -> None:
    calls = [nameless(1), nameless(2, by="marco")]
    assert scores(REMOVED, calls) == {"e1": 0.45, "e2": 0.45}
    assert cause(REMOVED, calls) == ""
    found = explain(REMOVED, calls, SPECS, sure={("e1",)})
    assert [one.change.event_ids for one in found.causes] == [("e1",)]


def test_a_rule_that_is_changed_is_one_that_went_and_one_that_came() -> None:
    old, new = rule(22).key, rule(443).key
    by_id = touch("delete", old.type, ("sgr-1",))
    there = change(by_id, touch("create", old.type, (new.id,)), targets=(old, new))
    back = change(by_id, touch("create", old.type, (old.id,)), minute=1, targets=(old, new))
    again = change(by_id, touch("create", old.type, (new.id,)), minute=2, targets=(old, new))
    went = Drift(GROUP_KEY, "changed", "ingress", declared={"a": 1}, part=old)
    came = Drift(GROUP_KEY, "changed", "ingress", live={"a": 1}, part=new)
    for drift in (went, came):
        assert cause(drift, [there]) == "e0"
        assert cause(drift, [there, back]) == ""
        assert cause(drift, [there, back, again]) == "e2"


# --- in general ----------------------------------------------------------------------------------------------


def test_what_is_done_to_the_id_of_a_rule_is_done_to_what_it_was_changed_to() -> None:
    """The live reading may show no ids, so that later calls name another rule or none."""
    old, new = rule(22).key, rule(443).key
    gone = f"{GROUP_KEY.id}|||||sgr-1"
    edit = change(
        touch("delete", old.type, (gone,)), touch("create", old.type, (new.id,)), targets=(replace(old, id=gone), new)
    )
    undone = change(
        touch("delete", old.type, (gone,)),
        touch("create", old.type, (old.id,)),
        minute=1,
        targets=(replace(old, id=gone), old),
    )
    revoked = change(touch("delete", old.type, (gone,)), minute=1, targets=(replace(old, id=gone),))
    elsewhere = nameless(2)
    came = Drift(GROUP_KEY, "changed", "ingress", live={"a": 1}, part=new)
    assert cause(came, [edit]) == cause(came, [edit, elsewhere]) == "e0"
    assert cause(came, [edit, undone]) == cause(came, [edit, revoked]) == ""


def test_what_is_merged_and_not_applied_needs_no_explanation() -> None:
    waiting = Drift(QUEUE_KEY, "unapplied", VISIBLE.attribute, 60, 30)
    assert explain(waiting, sequence(60), SPECS) == Explanation()


VALUES: Mapping[str, Any] = {
    "live": 60,
    "other": 9,
    "masked": MASKED,
    "vague": None,
    "create": "create",
    "gone": "delete",
}


@given(st.lists(st.sampled_from(sorted(VALUES)), max_size=6), st.data())
def test_neither_order_nor_doubles_matter(asked: list[str], data: st.DataObject) -> None:
    calls = sequence(*(VALUES[one] for one in asked))
    told = explain(VISIBLE, calls, SPECS)
    again = data.draw(st.permutations([*calls, *data.draw(st.lists(st.sampled_from(calls)) if calls else st.just([]))]))
    assert explain(VISIBLE, again, SPECS) == told


@given(st.lists(st.sampled_from(["live", "other", "vague"]), max_size=8))
def test_where_every_value_is_shown_the_cause_is_what_a_replay_says(asked: list[str]) -> None:
    now, brought = 30, ""
    for number, one in enumerate(asked):
        value = VALUES[one]
        if value is not None and value != now:
            now, brought = value, f"e{number}"
    assert cause(VISIBLE, sequence(*(VALUES[one] for one in asked))) == (brought if now == 60 else "")


def test_nothing_below_the_threshold_is_a_cause() -> None:
    found = explain(VISIBLE, sequence(None, 9), SPECS)
    assert found.candidates
    assert max(one.score for one in found.candidates) < THRESHOLD
    assert (found.causes, found.whole) == ((), False)

"""Two snapshots in, the differences out: each told once, where it belongs, and nothing that nobody could read."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, QUEUE_KEY, SPECS, group, live, queue, rule
from trail_records import ACCOUNT, END, REGION

from agent.compare import Comparison, Hidden, compare, describe
from agent.model import Drift, Gap, Key, Resource, Scope, Secret, Snapshot, Unknown


def compared(
    declared: list[Resource], seen: list[Resource], *, accepted: Any = None, gaps: Any = (), lost: Any = ()
) -> Comparison:
    left = Snapshot("declared", END, tuple(declared), tuple(lost))
    return compare(left, replace(live(*seen), gaps=tuple(gaps)), accepted or {}, SPECS)


def only(found: Comparison) -> Drift:
    (drift,) = found.drifts
    return drift


def test_the_same_on_both_sides_is_no_drift() -> None:
    found = compared([queue()], [queue()])
    assert (found.drifts, found.resources, found.attributes) == ((), 1, 3)


def test_a_changed_attribute_says_both_values_and_where_it_is_declared() -> None:
    drift = only(compared([queue()], [queue(visibility_timeout_seconds="60")]))
    assert (drift.kind, drift.attribute, drift.declared, drift.live) == (
        "changed",
        "visibility_timeout_seconds",
        30,
        "60",
    )
    assert (drift.address, str(drift.source), drift.basis) == ("aws_sqs_queue.orders", "main.tf:3", "configured")


def test_a_default_is_the_same_as_not_set() -> None:
    assert compared([queue(delay_seconds=0)], [queue(delay_seconds=None)]).drifts == ()
    assert compared([queue(delay_seconds=None)], [queue(delay_seconds=5)]).drifts != ()


def test_what_the_code_does_not_set_is_held_against_the_last_accepted_reading() -> None:
    one, two = queue(delay_seconds=5), queue(delay_seconds=9)
    drift = only(compared([one], [two]))
    assert (drift.basis, drift.declared) == ("unset", 5)
    assert compared([one], [two], accepted={QUEUE_KEY: two.attributes}).drifts == ()
    # State that follows a hand change is no reference.
    assert only(compared([two], [two], accepted={QUEUE_KEY: one.attributes})).declared == 5


def test_what_the_code_sets_is_held_against_the_code_whatever_was_accepted() -> None:
    seen = queue(visibility_timeout_seconds=60)
    assert only(compared([queue()], [seen], accepted={QUEUE_KEY: seen.attributes})).basis == "configured"


def test_without_code_everything_counts_as_configured() -> None:
    assert (
        only(compared([replace(queue(delay_seconds=1), configured=None)], [queue(delay_seconds=2)])).basis
        == "configured"
    )


def test_ignored_attributes_and_entries() -> None:
    seen = queue(visibility_timeout_seconds=60, tags_all={"Team": "shop", "Patch": "x"})
    all_of_it = replace(queue(), ignore_changes=("all",))
    assert compared([all_of_it], [seen]).drifts == ()
    some = replace(queue(), ignore_changes=("visibility_timeout_seconds", 'tags["Patch"]'))
    assert compared([some], [seen]).drifts == ()
    other = queue(visibility_timeout_seconds=60, tags_all={"Team": "other", "Patch": "x"})
    assert only(compared([some], [other])).attribute == "tags_all"
    assert compared([replace(queue(), ignore_changes=("tags", "visibility_timeout_seconds"))], [other]).drifts == ()


def test_entries_of_what_is_no_map_are_not_ignored() -> None:
    odd = replace(queue(), ignore_changes=("visibility_timeout_seconds[0]",))
    assert only(compared([odd], [queue(visibility_timeout_seconds=60)])).attribute == "visibility_timeout_seconds"


def test_the_unknown_is_a_limit_and_no_drift() -> None:
    found = compared([queue(visibility_timeout_seconds=Unknown("not evaluated"))], [queue()])
    assert found.drifts == ()
    assert [(limit.scope.type, limit.why, limit.resources) for limit in found.limits] == [
        ("aws_sqs_queue", "visibility_timeout_seconds: not evaluated", 1)
    ]
    assert found.attributes == 2


def test_secrets_are_compared_by_their_hash() -> None:
    assert compared([queue(policy=Secret("a"))], [queue(policy=Secret("a"))]).drifts == ()
    assert only(compared([queue(policy=Secret("a"))], [queue(policy=Secret("b"))])).live == Secret("b")


def test_a_policy_says_what_differs_inside() -> None:
    one = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:A"}]}'
    drift = only(compared([queue(policy=one)], [queue(policy=one.replace("sqs:A", "sqs:*"))]))
    assert [line for line in drift.detail if "sqs:*" in line]
    assert describe(None, '{"a": 1}') != ()


def test_missing() -> None:
    drift = only(compared([queue()], []))
    assert (drift.kind, drift.attribute, drift.live) == ("missing", "", None)


def test_a_gap_hides_what_lies_in_it() -> None:
    for scope in (Scope(ACCOUNT, REGION, "aws_sqs_queue"), Scope(ACCOUNT, REGION, "aws_sqs_queue", QUEUE_KEY.id)):
        assert compared([queue()], [], gaps=[Gap(scope, "denied")]).drifts == ()
    assert compared([queue()], [], gaps=[Gap(Scope("other"), "denied")]).drifts != ()


def test_unmanaged_unless_a_state_of_the_account_could_not_be_read() -> None:
    assert only(compared([], [queue()])).kind == "unmanaged"
    assert compared([], [queue()], lost=[Gap(Scope(ACCOUNT), "state")]).drifts == ()
    assert (
        compared([], [queue()], gaps=[Gap(Scope(ACCOUNT, REGION, "aws_sqs_queue", QUEUE_KEY.id), "half read")]).drifts
        == ()
    )


def test_what_aws_provides_is_a_limit() -> None:
    found = compared([], [replace(queue(), note="made by AWS")])
    assert found.drifts == ()
    assert [limit.why for limit in found.limits] == ["not declared, made by AWS"]


def inline(part: Resource) -> Resource:
    """The part as written inside the declared group."""
    return replace(part, address=group().address, stack="shop", source=group().source)


def child(part: Resource, address: str = "aws_security_group_rule.db") -> Resource:
    """The part as a resource of its own."""
    return replace(part, address=address, stack="shop", configured=frozenset({"description"}))


def test_an_added_part_is_told_on_its_declared_parent() -> None:
    drift = only(compared([group(), inline(rule(443))], [group(), rule(443), rule(22)]))
    assert (drift.key, drift.attribute, drift.part) == (GROUP_KEY, "ingress", rule(22).key)
    assert (drift.declared, drift.live) == (None, rule(22).attributes)


def test_an_added_part_that_was_accepted_or_is_ignored_is_no_drift() -> None:
    unset = replace(group(), configured=frozenset({"name"}))
    sides = ([unset], [unset, rule(22)])
    accepted = {rule(22).key: rule(22).attributes}
    assert compared(*sides, accepted=accepted).drifts == ()
    # Where the code sets the attribute, the code is the reference.
    assert only(compared([group()], sides[1], accepted=accepted)).basis == "configured"
    assert compared([replace(group(), ignore_changes=("ingress",))], sides[1]).drifts == ()


def test_a_part_of_what_is_unmanaged_is_told_by_its_parent() -> None:
    assert only(compared([], [group(), rule(22)])).key == GROUP_KEY


def test_a_part_without_its_parent_is_told_alone_unless_the_parent_was_not_read() -> None:
    assert only(compared([], [rule(22)])).key == rule(22).key
    assert compared([], [rule(22)], gaps=[Gap(Scope(ACCOUNT, REGION, "aws_security_group"), "denied")]).drifts == ()


def test_a_part_of_what_aws_provides_is_told_by_itself() -> None:
    provided = replace(group(), note="AWS creates it with the VPC")
    assert only(compared([], [provided, rule(22)])).key == rule(22).key


def test_a_removed_inline_part_changes_the_parent() -> None:
    drift = only(compared([group(), inline(rule(443))], [group()]))
    assert (drift.kind, drift.key, drift.attribute, drift.live) == ("changed", GROUP_KEY, "ingress", None)


def test_a_removed_child_is_missing_and_told_once_for_all_its_parts() -> None:
    both = [child(rule(1)), child(rule(2))]
    drift = only(compared([group(), *both], [group()]))
    assert (drift.kind, drift.address) == ("missing", "aws_security_group_rule.db")
    half = only(compared([group(), *both], [group(), rule(1)]))
    assert (half.kind, half.attribute, half.part) == ("changed", "source", rule(2).key)


def test_a_child_that_differs_is_told_on_the_child() -> None:
    seen = replace(rule(1), attributes={**rule(1).attributes, "description": "mine"})
    drift = only(compared([group(), child(rule(1))], [group(), seen]))
    assert (drift.address, drift.attribute) == ("aws_security_group_rule.db", "description")


def test_hidden_answers_for_exact_keys_and_wildcards() -> None:
    key = Key("1", "r", "t", "i")
    assert key in Hidden([Gap(Scope("1", "r", "t", "i"), "")])
    assert key in Hidden([Gap(Scope("1"), "")])
    assert key not in Hidden([Gap(Scope("1", "r", "t", "j"), ""), Gap(Scope("2"), "")])


@given(
    st.permutations([queue(), group(), inline(rule(443)), child(rule(1))]),
    st.permutations([queue(delay_seconds=3), group(), rule(22)]),
)
def test_the_order_of_the_sides_never_matters(declared: list[Resource], seen: list[Resource]) -> None:
    # Which address is told first is given by the key alone.
    assert compared(declared, seen).drifts == compared(sorted(declared, key=str), sorted(seen, key=str)).drifts


@given(st.sampled_from(["visibility_timeout_seconds", "delay_seconds", "max_message_size"]), st.integers(1, 43_200))
def test_one_real_change_is_one_drift(attribute: str, value: int) -> None:
    before = queue(visibility_timeout_seconds=0, delay_seconds=0, max_message_size=0)
    found = compared([before], [replace(before, attributes={**before.attributes, attribute: value})])
    default = next(a.default for a in SPECS["aws_sqs_queue"].attributes if a.name == attribute)
    assert [drift.attribute for drift in found.drifts] == ([attribute] if value != 0 or default else [])


# --- merged, applied and live --------------------------------------------------------------------------------


def merged(value: Any, name: str = "visibility_timeout_seconds", **fields: Any) -> Resource:
    """The declared queue with another value in the code than in its state, which has 30."""
    return replace(queue(), unapplied={name: value}, **fields)


def kinds(found: Comparison) -> list[tuple[str, Any, Any, str]]:
    return [(one.kind, one.declared, one.live, one.note) for one in found.drifts]


def test_what_is_merged_is_told_whether_or_not_the_resource_can_be_read() -> None:
    told = [("unapplied", 90, 30, "")]
    assert kinds(compared([merged(90)], [queue()])) == told
    assert kinds(compared([merged(90)], [], gaps=[Gap(Scope(type="aws_sqs_queue"), "denied")])) == told
    assert kinds(compared([merged(90)], [queue(visibility_timeout_seconds=Unknown("no"))])) == told
    assert [one.kind for one in compared([merged(90)], []).drifts] == ["missing", "unapplied"]


def test_what_means_the_same_waits_for_no_apply() -> None:
    assert kinds(compared([merged("30")], [queue()])) == []
    assert kinds(compared([merged(Unknown("known after apply"))], [queue()])) == []
    assert kinds(compared([merged(90, "max_message_size")], [queue()])) == [("unapplied", 90, None, "")]
    recorded = replace(merged(90), attributes={**queue().attributes, "visibility_timeout_seconds": Unknown("old")})
    assert kinds(compared([recorded], [queue()])) == []


def test_what_is_ignored_waits_for_no_apply() -> None:
    assert kinds(compared([merged(90, ignore_changes=("visibility_timeout_seconds",))], [queue()])) == []
    tags = {"Team": "shop", "Stamp": "2"}
    stamped = merged(tags, "tags_all", ignore_changes=('tags["Stamp"]',))
    assert kinds(compared([stamped], [queue()])) == []


def test_live_that_is_as_merged_already_is_no_difference() -> None:
    found = compared([merged(60)], [queue(visibility_timeout_seconds=60)])
    assert (found.drifts, found.attributes) == ((), 3)


def test_absorbed_needs_an_accepted_reading_that_the_code_agrees_with() -> None:
    state_followed = replace(queue(visibility_timeout_seconds=60), unapplied={"visibility_timeout_seconds": 30})
    seen = [queue(visibility_timeout_seconds=60)]
    accepted = {QUEUE_KEY: queue().attributes}
    assert kinds(compared([state_followed], seen, accepted=accepted)) == [("changed", 30, 60, "absorbed")]
    assert kinds(compared([state_followed], seen)) == [("unapplied", 30, 60, "")]
    other = {QUEUE_KEY: queue(visibility_timeout_seconds=45).attributes}
    assert kinds(compared([state_followed], seen, accepted=other)) == [("unapplied", 30, 60, "")]


def test_what_state_does_not_know_was_not_absorbed() -> None:
    odd = queue(delay_seconds=Unknown("the state does not record it"))
    found = compared([odd], [queue(delay_seconds=5)], accepted={QUEUE_KEY: queue(delay_seconds=0).attributes})
    assert kinds(found) == [("changed", 0, 5, "")]


def test_what_no_stack_declares_is_noted_where_the_stacks_are_not_all() -> None:
    left = Snapshot("declared", END, (group(),))
    stranger = replace(queue(), configured=None)
    for complete, note in ((True, ""), (False, "unlisted")):
        found = compare(left, live(group(), stranger, rule(22)), {}, SPECS, complete=complete)
        # A part that came to a declared group is drift of the group, whatever else there is.
        assert [(one.kind, one.note) for one in found.drifts] == [("changed", ""), ("unmanaged", note)]

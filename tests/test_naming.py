"""Names in calls: which resource is meant, whose story it is, and that looking for some loses nothing of theirs."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SPECS, group, queue, rule
from trail_records import ACCOUNT, QUEUE, REGION

from agent.model import GLOBAL, Act, Actor, Change, Key, Resource, Touch
from agent.named import load, whole
from agent.naming import Names

BUCKET = Key(ACCOUNT, GLOBAL, "aws_s3_bucket", "logs")
ROLE = Key(ACCOUNT, GLOBAL, "aws_iam_role", "worker")
INLINE = replace(rule(443), address=group().address, stack="shop")
OWN = replace(rule(80), address="aws_security_group_rule.http", stack="shop")
ESTATE = (
    queue(),
    group(),
    INLINE,
    OWN,
    rule(22),
    Resource(BUCKET, {}, ("arn:aws:s3:::logs",), address="aws_s3_bucket.logs", stack="shop"),
    Resource(ROLE, {}, ("worker",), address="aws_iam_role.worker", stack="shop"),
)
RULE = "aws_security_group_rule"


def call(*touches: Touch, region: str = REGION, account: str = ACCOUNT) -> Change:
    return Change(("e",), NOON, "x:Y", Actor("dana", "person"), "sdk", account, region, touches)


def test_a_resource_is_known_by_all_its_names_in_its_account_and_region() -> None:
    names = Names(ESTATE, SPECS)
    for name in (QUEUE, QUEUE_ARN, "orders"):
        assert names.targets(call(Touch("aws_sqs_queue", (name,)))) == (QUEUE_KEY,)
    assert names.targets(call(Touch("aws_sqs_queue", ("orders",)), region="us-west-2"))[0].region == "us-west-2"
    assert names.targets(call(Touch("aws_sqs_queue", ("orders",)), account="444455556666"))[0].id == "orders"
    # What has no region is called from any.
    assert names.targets(call(Touch("aws_s3_bucket", ("logs",)), region="us-west-2")) == (BUCKET,)


def test_what_bears_one_name_in_two_regions_is_told_apart_by_the_calls_region() -> None:
    twin = Resource(replace(QUEUE_KEY, region="us-west-2", id="arn:aws:sqs:us-west-2:orders"), {}, ("orders",))
    names = Names((*ESTATE, twin), SPECS)
    calls = [call(Touch("aws_sqs_queue", ("orders",)), region=region) for region in (REGION, "us-west-2")]
    assert [names.targets(one) for one in calls] == [(QUEUE_KEY,), (twin.key,)]


def test_of_two_readings_of_one_resource_the_declared_one_is_known() -> None:
    live = replace(queue(), address="", stack="")
    for both in ((queue(), live), (live, queue())):
        known = Names(both, SPECS).of(QUEUE_KEY)
        assert known is not None
        assert known.address == "aws_sqs_queue.orders"


def test_whose_story_a_part_is() -> None:
    names = Names(ESTATE, SPECS)
    assert [names.owner(key) for key in (QUEUE_KEY, INLINE.key, OWN.key, rule(22).key)] == [
        QUEUE_KEY,
        GROUP_KEY,
        OWN.key,
        GROUP_KEY,
    ]
    # Told of in any case, it has its own.
    assert Names(ESTATE, SPECS, [INLINE.key]).owner(INLINE.key) == INLINE.key
    policy = Key(ACCOUNT, GLOBAL, "aws_iam_role_policy", "worker|own")
    assert names.owner(policy) == ROLE
    assert names.owner(replace(policy, id="stranger|own")) == replace(ROLE, id="stranger")
    assert names.owner(replace(policy, id="worker")) == replace(policy, id="worker")
    policy_of = Key(ACCOUNT, GLOBAL, "aws_s3_bucket_policy", "logs")
    assert names.owner(policy_of) == BUCKET


def test_a_child_that_nobody_compares_is_its_parents() -> None:
    names = Names(ESTATE, SPECS)
    type_ = next(name for name, named in sorted(load().items()) if named.parent)
    child = Key(ACCOUNT, REGION, type_, "a|b|c|d|e")
    parent = whole(child)
    assert parent is not None
    assert names.owner(child) == parent
    assert names.targets(call(Touch(type_, (child.id,)))) in {(child,), (replace(child, region=GLOBAL),)}
    assert [one.parent.type for one in names.gone.values() if one.parent] == [parent.type]


def test_a_part_that_is_nowhere_is_kept_with_its_parent() -> None:
    names = Names(ESTATE, SPECS)
    names.targets(call(Touch(RULE, (rule(25).key.id,), "delete")))
    assert [(one.key, one.parent) for one in names.gone.values()] == [(rule(25).key, GROUP_KEY)]


def test_who_deletes_the_whole_deletes_what_is_declared_of_it() -> None:
    names = Names(ESTATE, SPECS)
    deleted = Touch("aws_security_group", (GROUP_KEY.id,), "delete")
    assert names.targets(call(deleted)) == (GROUP_KEY, OWN.key)
    assert names.targets(call(replace(deleted, act="update"))) == (GROUP_KEY,)


KEYS = [one.key for one in ESTATE]
ACTS: tuple[Act, ...] = ("update", "delete")
NAMED = [(one.key.type, name) for one in ESTATE for name in (one.key.id, *one.identifiers)]
STRANGE = [
    (RULE, f"{GROUP_KEY.id}|||||sgr-1"),
    (RULE, rule(25).key.id),
    (RULE, "sgr-2"),
    ("aws_iam_role_policy", "worker|own"),
    ("aws_iam_role_policy", "stranger|own"),
    ("aws_s3_bucket_policy", "logs"),
    ("aws_sqs_queue", "strange"),
    ("aws_lb", "orders"),
]


@given(
    drifted=st.sets(st.sampled_from([*KEYS, rule(25).key]), max_size=4),
    touches=st.lists(
        st.lists(st.tuples(st.sampled_from([*NAMED, *STRANGE]), st.sampled_from(["update", "delete"])), max_size=2),
        max_size=6,
    ),
)
def test_looking_only_for_some_resources_finds_every_call_in_their_stories(
    drifted: set[Key], touches: list[list[tuple[tuple[str, str], str]]]
) -> None:
    changes = [call(*(Touch(type_, (name,), act) for (type_, name), act in each)) for each in touches]
    changes.append(call(Touch(RULE, ())))
    names = Names(ESTATE, SPECS, drifted)
    found = names.concerning(changes, drifted)
    whole_names = Names(ESTATE, SPECS, drifted)
    resolved = [replace(change, targets=whole_names.targets(change)) for change in changes]
    expected = {n: one for n, one in enumerate(resolved) if drifted & set(whole_names.owners(one.targets))}
    assert found == expected


@given(st.lists(st.sampled_from([*NAMED, *STRANGE]), max_size=6), st.lists(st.sampled_from(KEYS), max_size=3))
def test_what_is_declared_may_be_gone_through_beforehand(called: list[tuple[str, str]], drifted: list[Key]) -> None:
    live = [replace(one, address="", stack="") for one in (*ESTATE, rule(25))]
    live.append(replace(live[0], identifiers=(*live[0].identifiers, "another-name")))
    called = [*called, ("aws_sqs_queue", "another-name"), (RULE, rule(25).key.id)]
    at_once = Names((*ESTATE, *live), SPECS, drifted)
    by_layers = [Names(live, SPECS, drifted, ESTATE) for _ in range(2)]
    calls = [call(Touch(type_, (name,), act)) for type_, name in called for act in ACTS]
    for names in by_layers:
        for one in calls:
            assert set(names.targets(one)) == set(at_once.targets(one))
        assert names.gone == at_once.gone
        for key in (*KEYS, rule(25).key, replace(QUEUE_KEY, id="strange")):
            assert (names.of(key), names.owner(key)) == (at_once.of(key), at_once.owner(key))
            assert names.concerning(calls, {key}) == at_once.concerning(calls, {key})

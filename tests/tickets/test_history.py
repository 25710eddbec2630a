"""A ticket's history from its steps, the block people write their terms in, and old values from present ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import told

from agent.model import Ticket, TicketScope
from agent.tickets.history import EDITED, Edit, Step, rewound, tickets
from agent.tickets.terms import MAX_ITEMS, Terms, block, terms_of, together

T0 = datetime(2026, 3, 1, 10, tzinfo=UTC)
HEADING = Ticket("CHG-1", "jira", requester="dana")
A, B = (Terms(scope=TicketScope(types=(name,))) for name in ("aws_a", "aws_b"))


def step(minute: int, state: str | None = None, terms: Terms | None = None, *given: str, taken: str = "") -> Step:
    at = T0 + timedelta(minutes=minute)
    return Step(at, state, terms, frozenset(given), frozenset({taken} - {""}))


CREATED = step(0, "draft", A)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], [["draft"]]),
        ([step(1, "approved", None, "sam")], [["draft", "approved", "+sam"]]),
        ([step(1, None, None, "sam"), step(2, taken="sam")], [["draft", "+sam", "-sam"]]),
        ([step(1, taken="sam")], [["draft"]]),
        ([step(1, None, B)], [["draft"]]),
        ([step(1, None, None, "sam"), step(2, None, B)], [["draft", "+sam", EDITED, "-sam"], [EDITED]]),
        ([step(1, "approved"), step(2, None, B)], [["draft", "approved", EDITED], [EDITED]]),
        ([step(1, "approved"), step(2, None, A)], [["draft", "approved"]]),
        (
            [step(1, "approved"), step(2, None, B), step(3, "approved", None, "kim")],
            [["draft", "approved", EDITED], [EDITED, "approved", "+kim"]],
        ),
        (
            [step(1, None, None, "sam"), step(2, "approved", B, "kim")],
            [["draft", "+sam", EDITED, "-sam"], [EDITED, "approved", "+kim"]],
        ),
        ([step(1, "", None, "")], [["draft", "no state"]]),
        ([step(1, None, None, "sam", taken="sam")], [["draft"]]),
        ([step(1, "approved"), step(2, "approved")], [["draft", "approved"]]),
    ],
)
def test_what_each_step_says(steps: list[Step], expected: list[list[str]]) -> None:
    assert [told(one) for one in tickets(HEADING, [CREATED, *steps])] == expected


def test_an_approval_of_the_same_second_as_an_edit_is_one_of_the_old_terms() -> None:
    for steps in ([step(1, None, B), step(1, "approved", None, "sam")], [step(1, None, None, "sam"), step(1, None, B)]):
        old, new = tickets(HEADING, [CREATED, *steps])
        assert (old.scope.types, new.scope.types) == (("aws_a",), ("aws_b",))
        assert told(new) == [EDITED]


def test_what_was_edited_comes_with_the_terms_it_had() -> None:
    first = replace(A, kind="standard", implementer="lee\x1b", start=T0, groups=("ops",), problem="")
    later = Terms(problem="not kept")
    old, new = tickets(
        replace(HEADING, incomplete="cut"), [step(0, "draft", first), step(1, "x"), step(2, None, later)]
    )
    assert (old.kind, old.implementer, old.start, old.groups) == ("standard", "lee⟨U+001B⟩", T0, ("ops",))
    assert (old.incomplete, new.incomplete, new.kind, new.scope) == ("cut", "cut; not kept", "normal", TicketScope())


def test_a_ticket_without_steps_has_no_history_and_keeps_its_terms() -> None:
    heading = replace(HEADING, kind="standard", scope=A.scope)
    assert tickets(heading, []) == [heading]


STEPS = st.lists(
    st.builds(
        Step,
        st.integers(1, 8).map(lambda minute: T0 + timedelta(minutes=minute)),
        st.none() | st.sampled_from(["approved", "draft"]),
        st.none() | st.sampled_from([A, B]),
        st.frozensets(st.sampled_from(["sam", "kim"]), max_size=2),
        st.frozensets(st.sampled_from(["sam", "kim"]), max_size=1),
    ),
    max_size=7,
)


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_nothing_that_was_agreed_before_an_edit_is_left_after_it(steps: list[Step]) -> None:
    found = tickets(HEADING, [CREATED, *steps])
    for old, new in pairwise(found):
        events = [(event.state, event.at) for event in old.history if event.state]
        assert events[-1] == (EDITED, new.history[0].at)
        assert new.history[0].state == EDITED
        standing = set()
        for event in old.history:
            standing = (standing | {event.approved_by}) - {event.withdrawn_by, ""}
        assert standing == set()
    for ticket in found:
        assert sorted(event.at for event in ticket.history) == [event.at for event in ticket.history]
    last = [one.terms for one in sorted([CREATED, *steps], key=lambda one: one.at) if one.terms]
    assert found[-1].scope == last[-1].scope


@given(STEPS, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_in_which_steps_are_read_does_not_matter(steps: list[Step], random: Random) -> None:
    apart = {one.at: one for one in steps}
    ordered = [CREATED, *apart.values()]
    mixed = ordered[:]
    random.shuffle(mixed)
    assert tickets(HEADING, mixed) == tickets(HEADING, ordered)


# --- the block -----------------------------------------------------------------------------------------------

GOOD = """Please review.

```driftwarden
addresses: aws_sqs_queue.orders, module.x.*
addresses: `aws_a.b`
tags: Name=orders queue
implementer: @dana
kind: standard
groups: ops

start: 2026-03-01T10:00Z
end: 2026-03-01T12:00+01:00
plan: sha256:{digest}
```
"""


def test_the_terms_in_a_text() -> None:
    said = terms_of(GOOD.replace("{digest}", "0f" * 32))
    scope = TicketScope(("aws_sqs_queue.orders", "module.x.*", "aws_a.b"), tags=("Name=orders queue",))
    assert (said.scope, said.implementer, said.kind, said.groups) == (scope, "dana", "standard", ("ops",))
    assert (said.start, said.end) == (T0, T0 + timedelta(hours=1))
    assert said.plan is not None
    assert (said.plan.fingerprint, said.plan.changes) == (f"sha256:{'0f' * 32}", None)
    assert said.plan.why
    assert said.problem == ""


@pytest.mark.parametrize(
    "text",
    [
        "```driftwarden\ntypes: aws_a\n```",
        "~~~~ driftwarden title\ntypes: aws_a\n~~~~~",
        "```\nDriftwarden\ntypes: aws_a\n```",
        "a {code:driftwarden}types: aws_a{code} b",
        "{code:title=driftwarden|theme=x}\r\ntypes: aws_a\r\n{code}",
        "{noformat}\ndriftwarden\n types: aws_a\n{noformat}",
        "<!-- hello -->\n```driftwarden\ntypes: aws_a\n```",
        "```sh\nterraform plan\n```\n```driftwarden\ntypes: aws_a\n```",
    ],
)
def test_every_way_to_write_a_block(text: str) -> None:
    assert block(text) == ("types: aws_a", "")
    assert terms_of(text).scope.types == ("aws_a",)


@pytest.mark.parametrize(
    "text", ["", "types: aws_a", "```\ntypes: aws_a\n```", "```sh\ndriftwarden\n```", "driftwarden"]
)
def test_a_text_without_a_block_states_nothing(text: str) -> None:
    assert terms_of(text) == Terms()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("colour: red", "line 2: 'colour' is none of addresses, "),
        ("just words", "line 2: 'just words' is none of"),
        ("start: tomorrow", "line 2: 'start' is a time such as 2026-03-01T10:00Z, not 'tomorrow'"),
        ("start: 2026-03-01", "line 2: 'start' has no time zone"),
        ("end: 0001-01-01T00:00+14:00", "line 2: 'end' is out of reach"),
        ("start: 2026-03-01T10:00Z\nend: 2026-03-01T10:00Z", "'end' is not after 'start'"),
        ("kind: urgent", "line 2: 'kind' is one of normal, standard, emergency, not 'urgent'"),
        ("plan: sha256:12", "line 2: 'plan' is a fingerprint such as sha256:9f2c… with 64 digits"),
        ("implementer: lee\nimplementer: dana", "line 3: 'implementer' stands twice"),
        ("addresses: aws_\u202eb.c", "line 2: 'addresses' holds characters that cannot be seen: aws_⟨U+202E⟩b.c"),
        (f"names: {'x' * 2001}", "line 2: an item of 'names' is longer than 2,000 characters"),
        (f"names: {'x,' * (MAX_ITEMS + 1)}", f"line 2: more than {MAX_ITEMS} items"),
        ("tags: Name", "line 2: an item of 'tags' is Name=value"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_still_counts(line: str, why: str) -> None:
    said = terms_of(f"```driftwarden\ntypes: aws_a\n{line}\n```")
    assert why in said.problem
    assert said.scope.types == ("aws_a",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<!--\n```driftwarden\ntypes: aws_a\n```\n-->", "stands in an HTML comment"),
        ("<!-- x\n```\ndriftwarden\ntypes: aws_a\n```", "stands in an HTML comment"),
        ("```driftwarden\ntypes: aws_a\n```\n```driftwarden\ntypes: aws_b\n```", "2 driftwarden blocks; keep one"),
        ("```driftwarden\ntypes: aws_a\n", "is not closed by ```"),
        ("{code}\n```driftwarden\ntypes: aws_a\n```\n", "is not closed by {code}"),
        ("x" * 200_001, "longer than 200,000 characters"),
    ],
)
def test_a_block_that_cannot_be_told_states_nothing_and_says_so(text: str, why: str) -> None:
    said = terms_of(text)
    assert (said.scope, why in said.problem) == (TicketScope(), True)


@given(st.text(alphabet="`~{}:code\ndriftwarden<!->,= \r\u202eaz-01T", max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_is_too_strange(text: str) -> None:
    for strange in (text, f"```driftwarden\n{text}\n```"):
        said = terms_of(strange)
        assert isinstance(said, Terms)
        assert len(said.problem) < 1000


def test_fields_win_over_the_block() -> None:
    fields = Terms(scope=TicketScope(types=("aws_f",)), start=T0, problem="one")
    written = Terms("standard", "lee", TicketScope(("a.b",), types=("aws_w",)), T0 + timedelta(1), T0, problem="two")
    both = together(fields, written)
    assert both == Terms("standard", "lee", TicketScope(("a.b",), types=("aws_f",)), T0, T0, problem="one; two")


# --- old values ----------------------------------------------------------------------------------------------


def edit(minute: int, name: str, was: str, now: str) -> Edit:
    return Edit(T0 + timedelta(minutes=minute), "dana", {name: was}, {name: now})


def test_old_values_are_rebuilt_from_present_ones() -> None:
    edits = [edit(1, "x", "1", "2"), edit(2, "other", "a", "b"), edit(3, "x", "2", "3")]
    values, problem = rewound({"x": "3", "y": "q"}, edits)
    assert ([one["x"] for one in values], problem) == (["1", "2", "2", "3"], "")
    assert {one["y"] for one in values} == {"q"}


@pytest.mark.parametrize(
    "edits",
    [[edit(1, "x", "1", "2")], [edit(1, "x", "1", "2"), edit(2, "x", "9", "3")]],
    ids=["the last entry is missing", "one between is missing"],
)
def test_a_log_with_a_gap_shows(edits: list[Edit]) -> None:
    assert rewound({"x": "3"}, edits)[1] == "its change log is not whole: 'x' changed with no entry for it"


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("123")), max_size=12))
@settings(max_examples=100, deadline=None)
def test_walking_back_is_walking_forth(writes: list[tuple[str, str]]) -> None:
    values = {"x": "0", "y": "0"}
    forth, edits = [dict(values)], []
    for minute, (name, new) in enumerate(writes):
        edits.append(edit(minute, name, values[name], new))
        values[name] = new
        forth.append(dict(values))
    assert rewound(values, edits) == (forth, "")

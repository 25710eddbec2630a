"""What is kept of the evidence gives the same verdicts as all of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.authorise import Estate, verdict
from agent.gather.rested import rested_on
from agent.model import Actor, Authority, Change, Claim, Key, Resource, Ticket, TicketEvent, Tickets, TicketScope

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
QUEUE = Key("123456789012", "us-east-1", "aws_sqs_queue", "orders")
ESTATE = Estate((Resource(QUEUE, {}, ("orders",), address="aws_sqs_queue.orders", stack="shop"),))
HOURS = st.none() | st.integers(-9, 9).map(lambda hours: NOON + timedelta(hours=hours))
HISTORY = (
    TicketEvent(NOON - timedelta(hours=20), state="approved", approved_by="marco"),
    TicketEvent(NOON - timedelta(hours=19), state="approved", approved_by="sam"),
)
TICKETS = st.builds(
    Ticket,
    ref=st.sampled_from(["CHG-1", "CHG-2", "CHG-3", "CHG-4"]),
    system=st.just("register"),
    kind=st.sampled_from(["normal", "standard", "emergency"]),
    implementer=st.sampled_from(["dana", "marco"]),
    scope=st.sampled_from([TicketScope(resources=("orders",)), TicketScope(resources=("other",)), TicketScope()]),
    start=HOURS,
    end=HOURS,
    history=st.just(HISTORY),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TICKETS, max_size=6), st.integers(-3, 3), st.sampled_from(["", "CHG-1", "CHG-9"]), st.integers(0, 7200))
def test_the_verdict_is_the_same_with_what_is_kept(
    tickets: list[Ticket], hours: int, claimed: str, tolerance: int
) -> None:
    claims = (Claim(claimed, "session tag"),) if claimed else ()
    dana = Actor("dana", "person", confidence=1.0)
    made = Change(
        ("e",), NOON + timedelta(hours=hours), "sqs:SetQueueAttributes", dana, "cli", "123456789012", "us-east-1"
    )
    made = replace(made, targets=(QUEUE,), claims=claims)
    asked = Authority(tickets=Tickets(tuple(tickets)), tolerance=tolerance)
    kept = rested_on(asked, [made])
    now = NOON + timedelta(days=1)
    assert verdict(made, (QUEUE,), kept, ESTATE, now) == verdict(made, (QUEUE,), asked, ESTATE, now)


def test_what_has_nothing_to_do_with_a_change_is_left_out() -> None:
    far = [
        Ticket(f"CHG-{n}", "register", start=NOON + timedelta(days=n), end=NOON + timedelta(days=n, hours=1))
        for n in range(1, 50)
    ]
    named = Ticket("OPS-1", "register")
    made = Change(("e",), NOON, "sqs:SetQueueAttributes", Actor("dana", "person"), "cli", "123456789012", "us-east-1")
    made = replace(made, claims=(Claim("OPS-1", "session tag"),))
    assert rested_on(Authority(tickets=Tickets((*far, named))), [made]).tickets.found == (named,)

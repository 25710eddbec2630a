"""Standing changes: pre-approved by file, as tickets that a change may rest on until they end."""

from datetime import datetime, timedelta

import pytest
from permissions import NOW, PEOPLE, Office

from agent import standing
from agent.collect import Sessions
from agent.conduct import policy_news
from agent.evidence import Asked, gather_evidence
from agent.model import Directory, TicketEvent, TicketScope, Trail
from agent.standing import ALWAYS, Standing, read
from agent.store import Store, connect
from agent.store.policy import record
from agent.ticketing import Systems
from agent.tickets.document import DocumentError
from agent.tolerated.approving import approve

GOOD = """\
- id: STD-1
  title: Night-time scaling
  types: [aws_autoscaling_group]
  attributes: [desired_capacity]
  actions: ["autoscaling:SetDesiredCapacity"]
  accounts: ["111122223333"]
  groups: [platform]
  owner: dana
  approver: sam
  since: 2026-11-26
  until: 2027-11-26
"""


def loaded(at_work: Office, now: datetime = NOW, seen: datetime | None = ALWAYS) -> Standing:
    return read(at_work.folder / "standing", at_work.approvals, now, lambda _: seen)


def signed(at_work: Office, dated: datetime, now: datetime) -> None:
    """STD-1, approved by Sam, who gives the time of it as `dated`."""
    approve(
        at_work.write("standing/scaling.yaml", GOOD),
        "STD-1",
        standing.KIND,
        lambda value, where: standing.entry(value, where, at_work.approvals, now),
        at_work.key("sam"),
        dated,
        "acme",
    )


def test_one_that_waits_is_a_ticket_without_an_approval(at_work: Office) -> None:
    at_work.write("standing/scaling.yaml", GOOD)
    got = loaded(at_work)
    assert (got.problems, got.unread) == ((), ())
    (ticket,) = got.tickets
    assert (ticket.ref, ticket.system, ticket.kind, ticket.requester) == ("STD-1", "standing", "standard", "dana")
    assert ticket.groups == ("platform",)
    assert ticket.scope == TicketScope(
        types=("aws_autoscaling_group",),
        accounts=("111122223333",),
        attributes=("desired_capacity",),
        actions=("autoscaling:SetDesiredCapacity",),
    )
    assert [(event.state, event.approved_by) for event in ticket.history] == [("proposed", "")]


def test_one_that_is_signed_is_approved_from_then_to_its_end(at_work: Office) -> None:
    file = at_work.write("standing/scaling.yaml", "# ours\n" + GOOD)
    approve(
        file,
        "STD-1",
        standing.KIND,
        lambda value, where: standing.entry(value, where, at_work.approvals, NOW),
        at_work.key("sam"),
        NOW,
        "acme",
    )
    (ticket,) = loaded(at_work).tickets
    assert ticket.history[-1] == TicketEvent(NOW, "approved", "sam")
    assert ticket.start is not None
    assert ticket.end is not None
    assert ticket.start.date().isoformat() == "2026-11-26"
    assert ticket.end.date().isoformat() == "2027-11-26"
    # Ended, it is still there: the test `window` says why it does not count.
    later = loaded(at_work, NOW + timedelta(days=400))
    assert later.tickets == (ticket,)
    file.write_text(file.read_text().replace("platform", "everybody"))
    changed = loaded(at_work)
    assert [event.state for event in changed.tickets[0].history] == ["proposed"]
    assert "does not count" in changed.problems[0]


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (ALWAYS, timedelta()),
        (NOW - timedelta(hours=1), timedelta()),
        (NOW + timedelta(minutes=4), timedelta()),  # clocks differ
        (NOW + timedelta(hours=3), timedelta(hours=2, minutes=55)),
        (None, timedelta(hours=9)),
    ],
)
def test_an_approval_counts_from_when_it_was_first_seen(
    at_work: Office, seen: datetime | None, counts: timedelta
) -> None:
    later = NOW + timedelta(hours=9)
    signed(at_work, NOW, later)
    got = loaded(at_work, later, seen)
    assert got.problems == ()
    assert got.tickets[0].history[-1] == TicketEvent(NOW + counts, "approved", "sam")


def scanned(at_work: Office, store: Store, now: datetime) -> datetime:
    """When the approval of STD-1 counts from, by a scan that then keeps what it found."""
    asked = Asked(at_work.config, Systems((), None), Directory(PEOPLE), Sessions(at_work.config), b"k" * 32)
    (ticket,) = gather_evidence(asked, store, Trail(NOW, now), {}, ()).authority.tickets.found
    with store.database.write() as connection:
        record(connection, policy_news(at_work.config, store.policy.known(), ()).files, now)
    assert ticket.history[-1].approved_by == "sam"
    return ticket.history[-1].at


def test_scans_remember_since_when_they_know_a_file(at_work: Office) -> None:
    hours = [NOW + timedelta(hours=number) for number in range(9)]
    signed(at_work, NOW, hours[1])
    file = at_work.folder / "standing/scaling.yaml"
    first, skew = file.read_text(), timedelta(minutes=5)
    with connect(f"sqlite:///{at_work.folder}/seen.db") as store:
        # The first scan cannot know how old a file is, nor can a later one of the same file.
        assert [scanned(at_work, store, at) for at in hours[1:3]] == [NOW, NOW]
        file.write_text("# edited\n" + first)
        assert [scanned(at_work, store, at) for at in hours[3:6]] == [hours[3], hours[3] - skew, hours[3] - skew]
        # A content that comes back is new again, the first scan's too.
        file.write_text(first)
        assert [scanned(at_work, store, at) for at in hours[6:8]] == [hours[6], hours[6] - skew]
        # As it was when it is gone for a while.
        file.unlink()
        with store.database.write() as connection:
            record(connection, policy_news(at_work.config, store.policy.known(), ()).files, hours[7])
        file.write_text(first)
        assert scanned(at_work, store, hours[8]) == hours[8]


def test_who_has_left_cannot_sign_with_a_date_before_that(at_work: Office) -> None:
    today = NOW + timedelta(days=200)  # Sam left after 90
    signed(at_work, NOW + timedelta(days=10), today)
    for seen in (None, today - timedelta(days=1)):
        got = loaded(at_work, today, seen)
        assert [event.state for event in got.tickets[0].history] == ["proposed"]
        assert "when a scan first saw it" in got.problems[0]
    # Seen while Sam was there, it stays good.
    stays = loaded(at_work, today, NOW + timedelta(days=11))
    assert (stays.problems, stays.tickets[0].history[-1].approved_by) == ((), "sam")


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (("  groups: [platform]\n", ""), 1, "needs groups"),
        (("approver: sam", "approver: dsmith"), 9, "is the owner too"),
        (("until: 2027-11-26", "until: 2028-11-26"), 11, "365 days"),
        (("[aws_autoscaling_group]", "['*']"), 3, "would be everything"),
        (("actions:", "action:"), 5, "did you mean 'actions'?"),
        (
            (
                "  types: [aws_autoscaling_group]\n  attributes: [desired_capacity]\n"
                '  actions: ["autoscaling:SetDesiredCapacity"]\n',
                "",
            ),
            1,
            "needs one of addresses, resources, types, tags, names, actions",
        ),
    ],
)
def test_one_with_a_mistake_authorises_nothing(at_work: Office, change: tuple[str, str], line: int, why: str) -> None:
    assert change[0] in GOOD
    file = at_work.write("standing/scaling.yaml", GOOD.replace(*change))
    got = loaded(at_work)
    assert got.tickets == ()
    assert any(one.startswith(f"{file}:{line}: ") and why in one for one in got.problems), got.problems
    with pytest.raises(DocumentError):
        approve(
            file,
            "STD-1",
            standing.KIND,
            lambda value, where: standing.entry(value, where, at_work.approvals, NOW),
            at_work.key("sam"),
            NOW,
            "acme",
        )


def test_what_cannot_be_read_is_not_known(at_work: Office) -> None:
    at_work.write("standing/broken.yaml", "- [\n")
    at_work.write("standing/good.yaml", GOOD)
    at_work.write("standing/twice.yaml", GOOD)
    got = loaded(at_work)
    assert got.tickets == ()
    assert "is not YAML" in got.unread[0]
    assert "stands in" in got.problems[0]
    assert read(at_work.folder / "nowhere", at_work.approvals, NOW, lambda _: None).unread == (
        f"{at_work.folder}/nowhere: no such directory",
    )

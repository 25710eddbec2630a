"""Bad input from ticket systems: whatever they answer, it never authorises a change, and the change is judged again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from line import NOON, QUEUE_ARN, QUEUE_KEY, queue
from misbehaving import Answer, misbehaving
from redmine_fake import RedminePeople, Site, redmine
from trail_records import ACCOUNT, REGION

from agent.authorise import Estate, verdict
from agent.config import ticket_systems
from agent.model import (
    Actor,
    Authority,
    Case,
    CaseKey,
    Change,
    Claim,
    Directory,
    FindingId,
    Person,
    Verdict,
)
from agent.people import Index, identify
from agent.ticketing import Systems, look_up
from agent.tickets import TicketError, TicketSystem
from agent.tickets.redmine import Redmine, Settings
from agent.tickets.register import Register

KNOWN = Estate([queue()])
LEE = Actor("lee", "person", f"arn:aws:iam::{ACCOUNT}:user/lee", "IAM user", 0.7)
LATER = NOON + timedelta(hours=6)


def made(ref: str = "", actor: Actor = LEE, at: datetime = NOON) -> Change:
    """What lee did to the queue at noon, naming a ticket or none."""
    claims = (Claim(ref, "session tag"),) if ref else ()
    return Change(("e1",), at, "sqs:SetQueueAttributes", actor, "sdk", ACCOUNT, REGION, claims=claims)


def judged(change: Change, *systems: TicketSystem, **trust: Any) -> Verdict:
    """The verdict on a change, hours later, with what the systems answer then."""
    refs = {claim.text for claim in change.claims}
    found = look_up(Systems(systems, None), refs, NOON - timedelta(days=1), LATER)
    return verdict(change, (QUEUE_KEY,), Authority(tickets=found, **trust), KNOWN, LATER)


def undecided(found: Verdict) -> str:
    """The evidence of the tests that could not be answered, of a verdict that leaves the change undecided."""
    assert found.outcome == "indeterminate", found
    assert found.failed == ()
    return "; ".join(test.evidence for test in found.tests if test.result == "unknown")


@pytest.fixture
def people(tmp_path: Path) -> Iterator[RedminePeople]:
    with RedminePeople.make(tmp_path) as people:
        yield people


@pytest.fixture
def site(people: RedminePeople) -> Site:
    assert people.site
    return people.site


@pytest.fixture
def ref(people: RedminePeople, site: Site) -> str:
    """A ticket for the queue, all of that day: dana asked for it, sam approved it the day before, lee implements it."""
    site.now = NOON - timedelta(days=1)
    fields: dict[str, object] = {"Implementer": "6", "Resources": QUEUE_ARN, "Planned start": f"{site.now.isoformat()}"}
    fields["Planned end"] = (NOON + timedelta(hours=2)).isoformat()
    ref = people.change("dana", **fields)
    people.put("sam", ref, {"status_id": 8, **people.fields(**{"Approved by": ["7"]})})
    return ref


@pytest.fixture(params=[True, False], ids=["named", "by scope"])
def change(request: pytest.FixtureRequest, ref: str) -> Change:
    return made(ref if request.param else "")


def test_while_all_is_well_the_change_is_authorised(people: RedminePeople, change: Change, ref: str) -> None:
    found = judged(change, people.system)
    assert (found.outcome, found.ticket) == ("authorised", ref)


SAID = {401: "no longer accepts our token", 403: "answered 403", 429: "too many requests", 500: "answered 500"}


@pytest.mark.parametrize("part", ["users/current", "issues.json", "issues/"])
@pytest.mark.parametrize("status", SAID)
def test_a_refusal_decides_nothing_and_the_change_is_judged_again(
    people: RedminePeople, site: Site, change: Change, ref: str, part: str, status: int
) -> None:
    site.refuse = {part: status}
    found = judged(change, people.system)
    if status == 403 and part == "issues/":
        # That one ticket may not be read: there is nothing in it that could cover the change.
        assert found.outcome != "authorised"
    else:
        said = SAID[status] if status != 401 or part != "users/current" else "does not accept our token"
        assert said in undecided(found)
    site.refuse = {}
    again = judged(change, redmine(people.url, people.keys["driftwarden"]), history={"e1": "indeterminate"})
    assert (again.outcome, again.late) == ("authorised", True)


def test_a_token_that_expires_mid_scan_decides_nothing(people: RedminePeople, site: Site, change: Change) -> None:
    before = len(site.asked)
    assert judged(change, redmine(people.url, people.keys["driftwarden"])).outcome == "authorised"
    for number in range(len(site.asked) - before):
        site.revoked, site.revoke_after = set(), number
        found = judged(change, redmine(people.url, people.keys["driftwarden"]))
        assert f"redmine: {people.url}" in undecided(found)


def test_half_a_list_decides_nothing(people: RedminePeople, site: Site, change: Change) -> None:
    site.lost = 1
    assert "gave 0 of 1 issues" in undecided(judged(change, people.system))


SYSTEMS = [name for name, settings in ticket_systems().items() if "url" in settings.__struct_fields__]
ANSWERS = {
    "wrong key": Answer(401),
    "forbidden": Answer(403),
    "throttled": Answer(429, {"Retry-After": "7"}),
    "broken": Answer(500),
    "a login page": Answer(body=b"<html>log in</html>"),
    "half an answer": Answer(body=b'{"issues": [{"id": 1'),
    "another answer": Answer(body=b"7"),
    "nothing at all": Answer(body=b""),
    "not there": Answer(404),
}


MORE: dict[str, dict[str, object]] = {
    "jira": {"project": "OPS", "user": "bot", "fields": {"approvers": "customfield_10001"}},
    "gitlab": {"project": "acme/changes"},
    "github": {"repository": "acme/changes"},
}
"""Settings of a form that a system insists on."""


def opened(name: str, url: str, base: Path) -> TicketSystem:
    """A system of the configuration, at an address."""
    fields = msgspec.structs.fields(ticket_systems()[name])
    needed = {one.name: "secret-word" for one in fields if one.required or one.name == "password"}
    needed |= {"url": url, **MORE.get(name, {})}
    opens: TicketSystem = import_module(f"agent.tickets.{name}").open_system(
        msgspec.convert(needed, ticket_systems()[name]), base
    )
    return opens


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_bad_answer_of_any_system_decides_anything(name: str, answer: Answer, tmp_path: Path) -> None:
    case = Case(CaseKey("c0ffee"), "x", (FindingId("F-1"),), "low")
    with misbehaving(answer) as server:
        system = opened(name, server.url, tmp_path)
        for change in (made("CHG-7"), made()):
            said = undecided(judged(change, system))
            assert name in said
            assert "secret-word" not in said
        with pytest.raises(TicketError) as failed:
            system.find(case)
    assert "secret-word" not in str(failed.value)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_that_is_down_decides_nothing(name: str, tmp_path: Path) -> None:
    with misbehaving(Answer()) as server:
        url = server.url
    assert name in undecided(judged(made("CHG-7"), opened(name, url, tmp_path)))


def test_a_slow_system_decides_nothing() -> None:
    settings = Settings(url="", key="k", project="p")
    with misbehaving(Answer(body=b" ", pause=0.6)) as server:
        system = Redmine(msgspec.structs.replace(settings, url=server.url), timeout=0.2)
        assert "did not answer: timed out" in undecided(judged(made("RM-1"), system))


def test_a_deleted_ticket_is_no_ticket_and_not_a_silence(people: RedminePeople, change: Change, ref: str) -> None:
    people.delete(ref)
    found = judged(change, people.system)
    assert (found.outcome, found.failed) == ("unauthorised", ("ticket",))
    if change.claims:
        assert found.tests[-1].evidence == f"{ref} (session tag): no such ticket"


def test_a_history_that_was_cut_short_decides_nothing(people: RedminePeople, site: Site, change: Change) -> None:
    (issue,) = site.issues.values()
    issue["journals"].clear()
    issue["fields"][3] = ["7"]
    # Who stands in the field of approvals got there at its creation, by dana's hand: an approval of nobody.
    assert judged(change, people.system).failed
    moved = {"property": "attr", "name": "status_id", "old_value": "7", "new_value": "9"}
    entry = {"id": 9, "user": {"id": 7, "name": "Sam"}, "notes": "", "private_notes": False, "details": [moved]}
    issue["journals"].append(entry | {"created_on": "2026-03-01T13:00:00Z"})
    assert "its change log is not whole" in undecided(judged(change, people.system))


@pytest.mark.parametrize(("late", "outcome"), [(-90, "authorised"), (0, "authorised"), (90, "regularised")])
def test_clocks_that_differ_never_turn_a_later_approval_into_an_earlier_one(
    people: RedminePeople, site: Site, ref: str, late: int, outcome: str
) -> None:
    people.withdraw(ref)
    site.now = NOON + timedelta(seconds=late)
    people.put("sam", ref, people.fields(**{"Approved by": ["7"]}))
    assert judged(made(ref), people.system, tolerance=300).outcome == outcome


@pytest.mark.parametrize(("tolerance", "failed"), [(0, ("window",)), (300, ())])
def test_clocks_that_differ_by_the_tolerance_do_not_leave_the_window(
    people: RedminePeople, ref: str, tolerance: int, failed: tuple[str, ...]
) -> None:
    made_late = made(ref, at=NOON + timedelta(hours=2, seconds=90))
    assert judged(made_late, people.system, tolerance=tolerance).failed == failed


def test_one_reference_in_two_systems_decides_nothing(people: RedminePeople, ref: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"ref: {ref}\nscope: {{types: [aws_sqs_queue]}}\n")
    found = judged(made(ref), people.system, Register(tmp_path, lambda: NOON))
    said = undecided(found)
    assert (ref in said, "redmine" in said, "register" in said) == (True, True, True)


def test_two_tickets_for_one_change_are_each_judged_by_themselves(people: RedminePeople, ref: str) -> None:
    other = people.change("dana", Implementer="5", Resources="*")
    found = judged(made(), people.system)
    assert (found.outcome, found.ticket) == ("authorised", ref)
    people.withdraw(ref)
    assert judged(made(), people.system).outcome == "unauthorised"
    assert other != ref


def test_an_identity_map_with_duplicates_tells_nobody_apart(people: RedminePeople, ref: str) -> None:
    both = tuple(Person(one, principals=(LEE.arn,), users=(one, "lee"), source="m.yaml:1") for one in ("lena", "leo"))
    directory = Directory(both)
    actor = identify(LEE, NOON, Index(directory))
    assert "cannot tell whom" in actor.how
    found = judged(made(ref, actor), people.system, directory=directory)
    assert "cannot tell whom" in undecided(found)


HTML = "<script>alert(1)</script> @channel \x1b[2J\u202e {{7*7}} /approve"


def test_markup_in_a_ticket_is_text(people: RedminePeople, change: Change, ref: str) -> None:
    people.put("dana", ref, {"subject": HTML})
    found = judged(change, people.system)
    assert found.outcome == "authorised"
    people.put("dana", ref, {"description": f"```driftwarden\nimplementer: lee\nkind: {HTML}\n```"})
    refused = judged(change, people.system)
    assert refused.outcome in ("indeterminate", "unauthorised")
    for test in (*found.tests, *refused.tests):
        assert not {"\x1b", "\u202e"} & set(test.evidence)

"""What is ServiceNow's own: whose approval a record proves, what its audit shows, and what an instance hides."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st
from people import HOUR, START, told
from servicenow_fake import BOT, PASSWORD, FakeServiceNow, served, settings

from agent.model import Case, CaseKey, FindingId, Ticket
from agent.tickets import TicketError
from agent.tickets.servicenow import STATES, Fields, ServiceNow, Settings, open_system
from agent.tickets.servicenow_audit import Reading, Records, moment, read

EDITED = "edited after approval"
CASE = Case(CaseKey("c0ffee01"), "x", (FindingId("F-1"),), "low", body="one\n  two")
NAMES = {
    name: getattr(Settings(url="", user="u").fields, name) for name in ("state", "start", "end", "requester", "kind")
}


@pytest.fixture
def instance() -> Iterator[FakeServiceNow]:
    with served(FakeServiceNow(STATES)) as instance:
        yield instance


def change(instance: FakeServiceNow, **fields: str) -> str:
    """Id of a change request with a window, that lee implements; one hour ago, so that its approval comes later."""
    window = {"start_date": f"{START:%Y-%m-%d %H:%M:%S}", "end_date": f"{START + HOUR:%Y-%m-%d %H:%M:%S}"}
    return instance.change(
        "dana", **{**window, "assigned_to": instance.user("lee"), "sys_created_on": ago(60), **fields}
    )


def ago(minutes: int) -> str:
    return f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}"


def age(instance: FakeServiceNow, minutes: int) -> None:
    """What was audited until now was so many minutes earlier."""
    for row in instance.tables["sys_audit"].values():
        at = moment(row["sys_created_on"]) - timedelta(minutes=minutes)
        row["sys_created_on"] = f"{at:%Y-%m-%d %H:%M:%S}"


def number(instance: FakeServiceNow, key: str) -> str:
    return instance.tables["change_request"][key]["number"]


def found(instance: FakeServiceNow, key: str, **others: Any) -> list[Ticket]:
    ref = number(instance, key)
    answer = ServiceNow(settings(instance, **others)).lookup([ref], START, START + HOUR)
    assert answer.unanswered == ()
    return [ticket for ticket in answer.found if ticket.ref == ref]


def approve(instance: FakeServiceNow, key: str, by: str = "sam", **others: str) -> str:
    """Id of the approval that somebody was asked for and gave; then the workflow moves the change on."""
    approval = instance.ask(key, others.get("asked", by), others.get("group", ""))
    instance.update("sysapproval_approver", approval, by, state="approved")
    instance.update("change_request", key, "system", state="-2")
    return approval


# --- whose word counts ---------------------------------------------------------------------------------------


def test_an_approval_comes_with_the_group_it_speaks_for(instance: FakeServiceNow) -> None:
    key = change(instance)
    approve(instance, key, group="CAB Security")
    (ticket,) = found(instance, key)
    assert told(ticket) == ["New", "Scheduled", "+sam"]
    assert [event.group for event in ticket.history if event.approved_by] == ["CAB Security"]
    assert (ticket.implementer, ticket.requester, ticket.incomplete) == ("lee", "dana", "")
    assert (ticket.start, ticket.end) == (START, START + HOUR)


def test_an_approval_in_another_name_is_its_writers_or_nobodys(instance: FakeServiceNow) -> None:
    key = change(instance)
    approve(instance, key, by="pat", asked="sam")
    approve(instance, key, by="system", asked="kim")
    assert told(*found(instance, key)) == ["New", "Scheduled"]
    assert told(*found(instance, key, delegates=True)) == ["New", "Scheduled", "+pat"]


def test_an_approval_that_was_cancelled_later_was_one(instance: FakeServiceNow) -> None:
    key = change(instance)
    approval = approve(instance, key)
    age(instance, 30)
    instance.update("sysapproval_approver", approval, "system", state="cancelled")
    (ticket,) = found(instance, key)
    assert told(ticket) == ["New", "Scheduled", "+sam", "-sam"]
    assert ticket.history[-1].at - ticket.history[-2].at > timedelta(minutes=29)


def test_without_its_audit_an_approval_counts_from_when_it_was_last_written(instance: FakeServiceNow) -> None:
    key = change(instance)
    approval = approve(instance, key)
    instance.hidden = lambda table, row: table == "sys_audit" and row["tablename"] == "sysapproval_approver"
    (ticket,) = found(instance, key)
    assert (told(ticket), ticket.incomplete) == (["New", "Scheduled", "+sam"], "")
    instance.update("sysapproval_approver", approval, "system", comments="x")
    (ticket,) = found(instance, key)
    assert told(ticket) == ["New", "Scheduled"]
    assert ticket.incomplete == "the approval of sam was last written by system"


@pytest.mark.parametrize(
    ("field", "new"),
    [
        ("start_date", "2031-02-01 10:00:00"),
        ("type", "emergency"),
        ("description", "```driftwarden\ntypes: aws_x\n```"),
        ("assigned_to", "dana"),
        ("cmdb_ci", "other queue"),
    ],
)
def test_an_edit_of_any_term_ends_the_approval(instance: FakeServiceNow, field: str, new: str) -> None:
    made = {"assigned_to": instance.user, "cmdb_ci": instance.item}
    key = change(instance, cmdb_ci=instance.item("orders queue"))
    approve(instance, key)
    age(instance, 30)
    instance.update("change_request", key, "dana", **{field: made[field](new) if field in made else new})
    before, after = found(instance, key)
    assert [told(before), told(after)] == [["New", "Scheduled", "+sam", EDITED, "-sam"], [EDITED]]
    assert replace(before, history=()) != replace(after, history=())
    assert (before.implementer, before.scope.names, before.incomplete) == ("lee", ("orders queue",), "")
    assert after.implementer == ("dana" if field == "assigned_to" else "lee")
    assert after.scope.names == (("other queue",) if field == "cmdb_ci" else ("orders queue",))


def test_a_configuration_item_added_after_the_approval_is_an_edit(instance: FakeServiceNow) -> None:
    key = change(instance, cmdb_ci=instance.item("orders queue"))
    instance.insert("task_ci", "dana", task=key, ci_item=instance.item("orders topic"), sys_created_on=ago(50))
    approve(instance, key)
    age(instance, 30)
    assert [one.scope.names for one in found(instance, key)] == [("orders queue", "orders topic")]
    instance.insert("task_ci", "dana", task=key, ci_item=instance.item("payments"))
    before, after = found(instance, key)
    assert before.scope.names == ("orders queue", "orders topic")
    assert after.scope.names == ("orders queue", "orders topic", "payments")
    assert told(after) == [EDITED]


def test_fields_of_ones_own_hold_the_scope(instance: FakeServiceNow) -> None:
    key = change(instance, u_addresses="aws_a.b, module.x.*\naws_c.d", u_plan=f"sha256:{'0f' * 32}")
    (ticket,) = found(instance, key, fields=Fields(addresses="u_addresses", plan="u_plan"))
    assert ticket.scope.addresses == ("aws_a.b", "module.x.*", "aws_c.d")
    assert ticket.plan is not None
    assert ticket.plan.fingerprint.startswith("sha256:0f0f")


# --- what cannot be relied on --------------------------------------------------------------------------------


def test_an_audit_that_is_not_shown_is_not_a_clean_one(instance: FakeServiceNow) -> None:
    key = change(instance)
    assert found(instance, key)[0].incomplete == ""
    approve(instance, key)
    instance.hidden = lambda table, _: table == "sys_audit"
    (ticket,) = found(instance, key)
    assert ticket.incomplete == "its audit records are not shown to us"


def test_an_audit_with_a_gap_says_so(instance: FakeServiceNow) -> None:
    key = change(instance)
    for at in ("2031-02-01 10:00:00", "2031-02-02 10:00:00"):
        instance.update("change_request", key, "dana", start_date=at)
    last = [one for one, row in instance.tables["sys_audit"].items() if row["fieldname"] == "start_date"][-1]
    del instance.tables["sys_audit"][last]
    assert "'start' changed with no entry for it" in found(instance, key)[0].incomplete


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"start_date": "soon"}, "time data 'soon' does not match"),
        ({"description": "```driftwarden\ncolour: red\n```"}, "driftwarden block, line 1"),
        ({"sys_created_on": "?"}, "it cannot be read: time data '?'"),
    ],
)
def test_a_change_that_cannot_be_understood_says_so(instance: FakeServiceNow, fields: dict[str, str], why: str) -> None:
    (ticket,) = found(instance, change(instance, **fields))
    assert why in ticket.incomplete


CELLS = st.none() | st.text(max_size=8) | st.fixed_dictionaries({"value": st.none() | st.text(max_size=20)})
ROWS = st.dictionaries(
    st.sampled_from(
        [*("state", "fieldname", "oldvalue", "newvalue", "user", "approver.user_name", "sys_updated_by"), "ci_item"]
    ),
    CELLS | st.sampled_from(["state", "start_date", "approved", "sam"]),
).map(lambda row: {**row, "sys_created_on": "2026-03-01 10:00:00", "sys_updated_on": "2026-03-01 11:00:00"})


@given(ROWS, st.lists(ROWS, max_size=3), st.lists(ROWS, max_size=2), st.lists(ROWS, max_size=2))
@trials(max_examples=40, deadline=None)
def test_no_record_is_too_strange(change: Any, audit: list[Any], approvals: list[Any], items: list[Any]) -> None:
    reading = Reading(NAMES, STATES, "-5", {}, {}, True, frozenset())
    for ticket in read(change, Records(audit, approvals, audit, items), reading, ""):
        assert json.dumps(msgspec.to_builtins(ticket))


# --- asking --------------------------------------------------------------------------------------------------


def test_many_changes_take_few_requests_and_all_pages_are_read(instance: FakeServiceNow) -> None:
    keys = [change(instance) for _ in range(60)]
    for key in keys:
        approve(instance, key)
    system = ServiceNow(settings(instance))
    answer = system.lookup([number(instance, key) for key in keys], START, START + HOUR)
    assert len(instance.asked) <= 12
    assert {told(ticket)[-1] for ticket in answer.found} == {"+sam"}
    assert (len(answer.found), answer.unanswered) == (60, ())
    instance.page = 9
    assert system.lookup([number(instance, key) for key in keys], START, START + HOUR) == answer


def test_a_page_that_was_shortened_is_not_the_last(instance: FakeServiceNow) -> None:
    keys = [change(instance) for _ in range(6)]
    instance.page = 2
    hidden = {number(instance, key) for key in keys[:4]}
    instance.hidden = lambda table, row: table == "change_request" and row["number"] in hidden
    answer = ServiceNow(settings(instance)).lookup([], START, START + HOUR)
    assert {one.ref for one in answer.found} == {number(instance, key) for key in keys[4:]}


@pytest.mark.parametrize("table", ["change_request", "sys_audit", "sysapproval_approver", "task_ci"])
def test_half_an_answer_is_none(instance: FakeServiceNow, table: str) -> None:
    refs = [number(instance, change(instance)) for _ in range(2)]
    instance.before = lambda _, path: (500, {}, {"error": {"message": "oops"}}) if path.endswith(table) else None
    answer = ServiceNow(settings(instance)).lookup(refs, START, START + HOUR)
    assert answer.found == ()
    assert "answered 500" in answer.unanswered[0]


def test_only_changes_that_match_give_authority(instance: FakeServiceNow) -> None:
    key = change(instance, category="Software")
    assert found(instance, key, changes="category=Hardware") == []
    assert len(found(instance, key, changes="category=Software")) == 1


def test_a_refused_password_is_told_and_stays_unsaid(instance: FakeServiceNow) -> None:
    system = ServiceNow(settings(instance))
    ref = system.open(CASE)
    instance.expired = True
    answer = system.lookup(["CHG0000001"], START, START)
    assert (answer.found, PASSWORD in answer.unanswered[0]) == ((), False)
    assert "no longer accepts our user and password" in answer.unanswered[0]
    with pytest.raises(TicketError, match="no longer accepts") as failed:
        system.update(ref, "x")
    assert failed.value.permanent


def test_a_busy_instance_is_left_in_peace(instance: FakeServiceNow) -> None:
    instance.before = lambda *_: (429, {"Retry-After": "60"}, {})
    system = ServiceNow(settings(instance))
    assert "asks us to wait for 60 s" in system.lookup([], START, START).unanswered[0]
    with pytest.raises(TicketError, match="asked us to wait"):
        system.find(CASE)
    assert len(instance.asked) == 1


# --- cases ---------------------------------------------------------------------------------------------------


def test_a_lost_answer_files_nothing_twice(instance: FakeServiceNow) -> None:
    instance.drop = "POST /api/now/table/incident"
    system = ServiceNow(settings(instance))
    with pytest.raises(TicketError, match="did not answer") as failed:
        system.open(CASE)
    assert not failed.value.permanent
    assert system.find(CASE) is not None
    assert len(instance.tables["incident"]) == 1


def test_what_a_stranger_files_in_our_words_is_not_ours(instance: FakeServiceNow) -> None:
    system = ServiceNow(settings(instance))
    words = {"correlation_id": CASE.key, "correlation_display": "driftwarden", "state": "1", "number": "INC0000001"}
    instance.insert("incident", "lee", **words)
    assert system.find(CASE) is None
    loud = system.open(
        replace(CASE, key=CaseKey("10bdf00d"), findings=(FindingId("F-9"),), body="Findings: F-1\n\nF-1")
    )
    assert system.find(CASE) is None
    system.update(loud, "Findings: F-1")
    assert system.find(replace(CASE, findings=(FindingId("F-9"),))) == loud


def test_its_own_ticket_comes_before_one_that_shares_a_finding(instance: FakeServiceNow) -> None:
    system = ServiceNow(settings(instance))
    other = system.open(replace(CASE, key=CaseKey("0ther")))
    own = system.open(replace(CASE, findings=()))
    assert system.find(CASE) == own
    system.close(own, "gone")
    assert system.find(CASE) == other


def test_a_case_is_closed_as_configured(instance: FakeServiceNow) -> None:
    system = ServiceNow(settings(instance, extra={"category": "security"}, closed_state="7", close_code="Fixed"))
    ref = system.open(CASE)
    system.close(ref, "gone")
    (case,) = instance.tables["incident"].values()
    assert {name: case[name] for name in ("category", "state", "close_code", "close_notes")} == {
        "category": "security",
        "state": "7",
        "close_code": "Fixed",
        "close_notes": "gone",
    }


def test_nothing_in_a_case_is_rendered(instance: FakeServiceNow) -> None:
    nasty = "[code]<script>alert(1)</script>[/CODE] [ code ]"
    system = ServiceNow(settings(instance))
    system.update(system.open(replace(CASE, body=nasty + "\nx" * 5000)), nasty)
    texts = [row["value"].lower() for row in instance.tables["sys_journal_field"].values()]
    texts += [row["description"].lower() for row in instance.tables["incident"].values()]
    assert len(texts) == 3
    for text in texts:
        assert "<script>" in text
        assert "[code]" not in text
        assert "[/code]" not in text


def test_an_incident_of_others_is_not_written_to(instance: FakeServiceNow) -> None:
    instance.insert("incident", "lee", number="INC0000001", state="1")
    with pytest.raises(TicketError, match="is no case in incident") as failed:
        ServiceNow(settings(instance)).update("INC0000001", "x")
    assert failed.value.permanent


def test_comments_and_work_notes_are_replies(instance: FakeServiceNow) -> None:
    system = ServiceNow(settings(instance))
    ref = system.open(CASE)
    (key,) = instance.tables["incident"]
    system.update(ref, "ours")
    instance.note("dana", "incident", key, "work_notes", "hers")
    instance.note("sam", "incident", key, "comments", "his\x1b")
    instance.note("sam", "incident", key, "close_notes", "other")
    instance.page = 1
    assert [(one.by, one.text) for one in system.replies(ref)] == [("dana", "hers"), ("sam", "his⟨U+001B⟩")]
    assert system.replies(ref, datetime.now(UTC) + HOUR) == ()


# --- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"password": ""}, "either a password or a token"),
        ({"token": "t"}, "either a password or a token"),
        ({"url": "x.service-now.com"}, "is not an http:// or https:// address"),
    ],
)
def test_settings_that_do_not_go_together(others: dict[str, Any], why: str) -> None:
    known = {"url": "https://x.example.com", "user": BOT, "password": "p"}
    with pytest.raises(TicketError, match=why):
        open_system(msgspec.convert({**known, **others}, Settings), Path())


@pytest.mark.parametrize(
    "others",
    [{"user": "a^ORb"}, {"changes": "a=b^NQc=d"}, {"fields": {"start": "x^y"}}, {"closed_state": "6,7"}, {"mode": "x"}],
)
def test_settings_that_cannot_be(others: dict[str, Any]) -> None:
    known = {"url": "https://x.example.com", "user": BOT, "password": "p"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**known, **others}, Settings)

"""What is Redmine's own: whose word counts in its journals, silent refusals, strangers' keys, pages that are lost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from misbehaving import Answer, misbehaving
from people import HOUR, MORE, SCOPE, START, told
from redmine_fake import USERS, RedminePeople, Site, redmine

from agent.model import Case, CaseKey, FindingId, Ticket, Tickets
from agent.tickets import TicketError
from agent.tickets.history import EDITED
from agent.tickets.redmine import Redmine, Settings, open_system
from agent.tickets.redmine_journal import FIELDS, Issue, Past, Reading
from agent.tickets.terms import LISTS

CASE = Case(CaseKey("c0ffee0123"), "x", (FindingId("F-1"),), "low", body="y")


@pytest.fixture
def people(tmp_path: Path) -> "RedminePeople":
    with RedminePeople.make(tmp_path) as people:
        yield people


@pytest.fixture
def site(people: RedminePeople) -> Site:
    assert people.site
    return people.site


def looked_up(people: RedminePeople, *refs: str, **settings: object) -> Tickets:
    system = redmine(people.url, people.keys["driftwarden"], **settings) if settings else people.system
    return system.lookup(refs, START, START + HOUR)


def read(people: RedminePeople, ref: str, **settings: object) -> list[Ticket]:
    return [one for one in looked_up(people, ref, **settings).found if one.ref == ref]


def test_only_ones_own_name_is_an_approval(people: RedminePeople) -> None:
    ref = people.change("dana", **{"Approved by": [people.number("sam")]})
    people.put("dana", ref, {"status_id": 8, **people.fields(**{"Approved by": ["6", "7"]})})
    (ticket,) = read(people, ref)
    assert told(ticket) == ["draft", "approved"]
    people.put("lee", ref, people.fields(**{"Approved by": []}))
    people.put("lee", ref, people.fields(**{"Approved by": ["6", "7"]}))
    (ticket,) = read(people, ref)
    assert told(ticket) == ["draft", "approved", "+lee"]


def test_who_moves_it_into_an_approving_status_approves_where_that_is_the_rule(people: RedminePeople) -> None:
    ref = people.change("dana", Types="aws_a")
    people.put("sam", ref, {"status_id": 8})
    people.put("dana", ref, people.fields(**{"Approved by": ["5"]}))
    (ticket,) = read(people, ref, approvals="status", approving=("Approved",))
    assert told(ticket) == ["draft", "approved", "+sam"]
    (ticket,) = read(people, ref)
    assert told(ticket) == ["draft", "approved", "+dana"]


def test_an_edit_of_the_terms_ends_the_approval_and_a_new_one_counts(people: RedminePeople) -> None:
    ref = people.approved()
    people.edit(ref)
    people.put("sam", ref, {"status_id": 7, **people.fields(**{"Approved by": []})})
    people.put("sam", ref, {"status_id": 8, **people.fields(**{"Approved by": ["7"]})})
    old, new = read(people, ref)
    assert (old.scope, new.scope.types) == (SCOPE, (*SCOPE.types, MORE))
    assert told(old) == ["draft", "approved", "+sam", EDITED, "-sam"]
    assert told(new) == [EDITED, "draft", "approved", "+sam"]


def test_terms_stand_in_the_description_where_there_are_no_fields(people: RedminePeople) -> None:
    ref = people.change("dana")
    block = "why\n```driftwarden\ntypes: aws_a\nimplementer: lee\nend: 2031-03-01T12:00Z\n```\n"
    people.put("dana", ref, {"description": block})
    people.put("sam", ref, {"status_id": 8, **people.fields(**{"Approved by": ["7"]})})
    (ticket,) = read(people, ref)
    assert (ticket.scope.types, ticket.implementer, ticket.end) == (("aws_a",), "lee", START + 2 * HOUR)
    people.put("dana", ref, {"description": block.replace("aws_a", "aws_*")})
    old, new = read(people, ref)
    assert [(one.scope.types, "+sam" in told(one)) for one in (old, new)] == [(("aws_a",), True), (("aws_*",), False)]


def test_the_assignee_implements_where_nobody_else_is_named(people: RedminePeople) -> None:
    ref = people.change("dana", Types="aws_a")
    people.put("dana", ref, {"assigned_to_id": "6"})
    people.put("sam", ref, {"status_id": 8})
    people.put("dana", ref, {"assigned_to_id": "5"})
    assert [one.implementer for one in read(people, ref)] == ["lee", "dana"]


def test_every_field_is_read(people: RedminePeople) -> None:
    said = {name.capitalize(): f"{name}=1\r\n{name}=2" for name in LISTS if name not in ("attributes", "actions")}
    ref = people.change("dana", Kind="emergency", Plan=f"sha256:{'0f' * 32}", **said)
    (ticket,) = read(people, ref)
    assert [getattr(ticket.scope, name.lower()) for name in said] == [
        (f"{name.lower()}=1", f"{name.lower()}=2") for name in said
    ]
    assert (ticket.kind, ticket.plan and ticket.plan.fingerprint) == ("emergency", f"sha256:{'0f' * 32}")
    assert (ticket.requester, ticket.incomplete) == ("dana", "")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"Planned start": "tomorrow"}, "'Planned start' is a time such as 2026-03-01T10:00Z, not 'tomorrow'"),
        ({"Planned end": "2031-03-01T10:00"}, "'Planned end' has no time zone; write Z for UTC, or its offset"),
        ({"Plan": "latest"}, "'plan' is a fingerprint such as sha256:9f2c… with 64 digits, not 'latest'"),
        ({"Tags": "red"}, "an item of 'tags' is Name=value, not 'red'"),
        ({"Types": "aws_\u202ea"}, "'types' holds what cannot be seen, or is too long: aws_⟨U+202E⟩a"),
        ({"Names": "\n".join(map(str, range(501)))}, "more than 500 items"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_terms_that_cannot_be_understood_are_not_relied_on(
    people: RedminePeople, said: dict[str, object], why: str
) -> None:
    (ticket,) = read(people, people.change("dana", **said))
    assert ticket.incomplete == why


def test_a_kind_we_do_not_know_is_a_normal_change(people: RedminePeople) -> None:
    ref = people.change("dana", Kind="Major")
    people.put("dana", ref, {"description": "```driftwarden\nkind: standard\n```"})
    assert [one.kind for one in read(people, ref)] == ["normal"]


def test_a_history_that_was_cut_short_says_so(people: RedminePeople, site: Site) -> None:
    ref = people.approved()
    people.edit(ref)
    site.cut = {int(ref.removeprefix("RM-"))}
    assert [one.incomplete for one in read(people, ref)] == [""]  # the approval is not there, nor is what it changed
    people.put("dana", ref, {"status_id": 7})
    people.put("dana", ref, {"status_id": 8})
    site.cut = set()
    issue = site.issues[int(ref.removeprefix("RM-"))]
    del issue["journals"][2]  # back to draft
    assert {one.incomplete for one in read(people, ref)} == {
        "its change log is not whole: 'attr:status_id' changed with no entry for it"
    }


def test_values_of_a_field_that_came_and_went_unseen_are_missed(people: RedminePeople, site: Site) -> None:
    ref = people.approved()
    people.withdraw(ref)
    del site.issues[int(ref.removeprefix("RM-"))]["journals"][1]
    assert ["its change log is not whole" in one.incomplete for one in read(people, ref)] == [True]


def test_a_user_who_cannot_be_named_is_nobody(people: RedminePeople, site: Site) -> None:
    ref = people.approved()
    site.locked = {7}
    (ticket,) = read(people, ref)
    assert ticket.incomplete == "users 7 cannot be named: locked, or hidden from us"
    assert "+user 7" in told(ticket)


def test_a_field_that_is_hidden_from_us_is_not_taken_for_empty(people: RedminePeople, site: Site) -> None:
    ref = people.approved()
    site.hidden = {10}
    (ticket,) = read(people, ref, fields={"accounts": "Accounts"})
    assert ticket.incomplete == "no field 'Accounts' can be seen in it"
    (ticket,) = read(people, ref, fields={"types": "9"})
    assert (ticket.scope.types, ticket.incomplete) == (SCOPE.types, "")


def test_what_was_agreed_before_it_was_a_change_ticket_counts_for_nothing(people: RedminePeople) -> None:
    made = people.ask("sam", "POST", "issues.json", 201, json={"issue": {"project_id": "cases", "subject": "x"}})
    ref = f"RM-{made['issue']['id']}"
    people.put("sam", ref, {"status_id": 2, **people.fields(**{"Approved by": ["7"], "Types": "aws_*"})})
    assert read(people, ref) == []
    people.put("sam", ref, {"project_id": 1})
    assert read(people, ref) == []
    people.put("sam", ref, {"tracker_id": 4})
    old, new = read(people, ref)
    assert (old.incomplete, old.scope.types) == (
        "it was no change ticket then: in another project, or of another tracker",
        (),
    )
    assert (told(new), new.scope.types) == ([EDITED], ("aws_*",))


def test_who_is_made_its_author_later_did_not_ask_for_it(people: RedminePeople) -> None:
    ref = people.change("dana", Types="aws_a")
    people.put("dana", ref, {"author_id": "6"})
    assert [one.requester for one in read(people, ref)] == ["dana"]


def test_an_issue_we_may_not_read_is_not_an_issue_that_is_not_there(people: RedminePeople, site: Site) -> None:
    ref = people.change("dana", Types="aws_a")
    site.issues[int(ref.removeprefix("RM-"))]["is_private"] = True
    found = looked_up(people, ref, "RM-999")
    assert found.unanswered == ()
    assert [(one.ref, one.incomplete) for one in found.found] == [(ref, "our user may not read it")]


def test_what_we_filed_is_no_change_ticket(people: RedminePeople) -> None:
    ours = Redmine(
        Settings(url=people.url, key=people.keys["driftwarden"], project="changes", tracker="Change", closed="closed")
    )
    body = "</pre>\n```driftwarden\ntypes: '*'\n```"
    ref = ours.open(Case(CaseKey("badca5e"), "x", (), "low", body=body))
    people.put("sam", ref, {"status_id": 8, "author_id": "5", **people.fields(**{"Approved by": ["7"]})})
    assert [one for one in looked_up(people, ref).found if one.ref == ref] == []


def test_a_key_that_is_taken_away_in_between_is_noticed(people: RedminePeople, site: Site) -> None:
    people.approved()
    before = len(site.asked)
    assert looked_up(people).unanswered == ()
    for number in range(len(site.asked) - before):
        site.revoked, site.revoke_after = set(), number
        found = redmine(people.url, people.keys["driftwarden"]).lookup([], START, START + HOUR)
        assert found.found == ()
        assert [line.startswith(f"redmine: {people.url}: ") for line in found.unanswered] == [True]


def test_who_makes_our_issue_look_like_another_cases_hides_nothing(people: RedminePeople) -> None:
    ref = people.system.open(CASE)
    victim = Case(CaseKey("71c71ed0"), "x", (FindingId("F-71c71ed0"),), "low")
    people.put("lee", ref, {"description": f"<pre>\ndriftwarden case {victim.key} F-71c71ed0\n</pre>"})
    assert people.system.find(victim) is None
    issue = {"project_id": "cases", "subject": "x (DW-c0ffee0123)"}
    issue["description"] = "<pre>\ndriftwarden case c0ffee0123 F-1\n</pre>"
    people.ask("lee", "POST", "issues.json", 201, json={"issue": issue})
    assert people.system.find(CASE) is None
    again = people.system.open(CASE)
    assert people.system.find(CASE) == again


def test_a_status_that_the_workflow_refuses_is_an_error_and_leaves_no_note(people: RedminePeople) -> None:
    ref = people.change("dana", Types="aws_a")
    with pytest.raises(TicketError, match=f"its workflow does not let our user close {ref} as 'Closed'") as failed:
        people.system.close(ref, "gone")
    assert failed.value.permanent
    assert people.site
    assert people.site.issues[int(ref.removeprefix("RM-"))]["journals"] == []
    with pytest.raises(TicketError, match="has no closed status 'Done'"):
        redmine(people.url, people.keys["driftwarden"], closed="Done").close(ref, "gone")


def test_the_markup_of_the_site_is_the_configurations(people: RedminePeople) -> None:
    ours = redmine(people.url, people.keys["driftwarden"], formatting="markdown")
    ref = ours.open(Case(CaseKey("a4cd0"), "x", (), "low", body="~~~\n@dana\n````\n<pre>"))
    assert people.site
    text = people.site.issues[int(ref.removeprefix("RM-"))]["description"].replace("\r\n", "\n")
    assert text.startswith("~~~\ndriftwarden case a4cd0\n\n")
    assert text.endswith("\n~ ~ ~\n@dana\n` ` ``\n<pre>\n~~~")
    assert ours.find(Case(CaseKey("a4cd0"), "x", (), "low")) == ref
    ours.update(ref, "a\n```\nb")
    ours.update(ref, "a\n```\nb")
    assert len(people.site.issues[int(ref.removeprefix("RM-"))]["journals"]) == 1


def test_many_tickets_come_page_by_page_with_a_request_each(people: RedminePeople, site: Site) -> None:
    refs = [people.change("dana", Types="aws_a") for _ in range(5)]
    site.page = 2
    system = redmine(people.url, people.keys["driftwarden"])
    assert {one.ref for one in system.lookup(refs[:2], START, START + HOUR).found} == set(refs)
    site.page = 100
    before = len(site.asked)
    assert {one.ref for one in system.lookup(refs[:2], START, START + HOUR).found} == set(refs)
    # Who we are, twice; what was touched; what is open.
    assert len(site.asked) - before == len(refs) + 4


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize(
    "part", ["users/current", "issues.json", "issues/1", "trackers", "statuses", "projects", "users/7"]
)
def test_half_an_answer_is_none(people: RedminePeople, site: Site, part: str, status: int) -> None:
    people.approved()
    site.refuse = {part: status}
    found = looked_up(people, "RM-1")
    if part == "issues/1" and status == 404:
        assert (found.found, found.unanswered) == ((), ())  # deleted
    elif (part == "issues/1" and status == 403) or (part == "users/7" and status in (403, 404)):
        assert [bool(one.incomplete) for one in found.found] == [True]
    else:
        assert found.found == ()
        assert [line.startswith(f"redmine: {people.url}: ") for line in found.unanswered] == [True]


def test_a_list_that_is_shorter_than_it_says_is_not_believed(people: RedminePeople) -> None:
    short = {"issues": [], "total_count": 3, "id": 1, "user": {"id": 8}, "project": {"id": 1}, "issue_statuses": []}
    with misbehaving(Answer(body=json.dumps(short | {"trackers": [{"id": 4, "name": "Change"}]}).encode())) as server:
        found = redmine(server.url, "k").lookup([], START, START + HOUR)
    assert found.unanswered == (f"redmine: {server.url}: gave 0 of 3 issues",)
    endless = short | {"total_count": 5001, "trackers": [{"id": 4, "name": "Change"}]}
    with misbehaving(Answer(body=json.dumps(endless).encode())) as server:
        found = redmine(server.url, "k").lookup([], START, START + HOUR)
    assert found.unanswered == (f"redmine: {server.url}: 5,001 issues match, and we read 5,000 at most",)


def test_a_tracker_that_is_not_there_is_named(people: RedminePeople) -> None:
    found = looked_up(people, change_tracker="Chnage")
    assert found.unanswered == (f"redmine: {people.url}: has no tracker 'Chnage'",)


def test_settings_that_cannot_be_are_named(tmp_path: Path) -> None:
    known = Settings(url="https://x/", key="k", project="p")
    assert open_system(known, tmp_path).name == "redmine"
    for changed, why in (
        ({"url": "ftp://x/"}, "is not an http:// or https:// address"),
        ({"fields": {"adresses": "A"}}, "no ticket says 'adresses'; 'fields' has kind, implementer, approved_by"),
    ):
        with pytest.raises(TicketError, match=why):
            open_system(msgspec.structs.replace(known, **changed), tmp_path)


def test_a_reply_of_somebody_who_cannot_be_named(people: RedminePeople, site: Site) -> None:
    ref = people.system.open(CASE)
    people.reply(ref, "lee", "mine")
    site.locked = {6}
    assert [(one.by, one.text) for one in people.system.replies(ref)] == [("user 6", "mine")]


LATER = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize(("by", "same_second"), [("lee", False), ("lee", True), ("sam", False)])
def test_a_note_that_was_rewritten_is_nobodys_word(
    people: RedminePeople, site: Site, by: str, *, same_second: bool, final: bool
) -> None:
    site.tells_edits = True
    ours = redmine(people.url, people.keys["driftwarden"], final_notes=final)
    ref = ours.open(CASE)
    number = int(ref.removeprefix("RM-"))
    people.reply(ref, "lee", "mine")
    people.reply(ref, "sam", "I will look tomorrow.")
    assert [(one.by, one.text) for one in ours.replies(ref)] == [("lee", "mine"), ("sam", "I will look tomorrow.")]
    at = site.issues[number]["journals"][-1]["created_on"] if same_second else LATER
    site.rewrite(int(people.number(by)), number, "driftwarden review: accept", at)
    assert [(one.by, one.text) for one in ours.replies(ref)] == [("lee", "mine")]


def test_notes_that_may_have_been_rewritten_unseen_are_not_read_but_where_none_can_be(
    people: RedminePeople, site: Site
) -> None:
    careful = redmine(people.url, people.keys["driftwarden"])
    ref = careful.open(CASE)
    careful.update(ref, "our own")
    assert careful.replies(ref) == ()
    people.reply(ref, "sam", "I will look tomorrow.")
    site.rewrite(6, int(ref.removeprefix("RM-")), "accept", LATER)
    with pytest.raises(TicketError, match="does not show whether somebody rewrote a note; see 'final_notes'") as failed:
        careful.replies(ref)
    assert failed.value.permanent
    assert [(one.by, one.text) for one in people.system.replies(ref)] == [("sam", "accept")]


def test_a_field_of_several_values_is_read_value_by_value() -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    several = {"id": 5, "name": "Types", "multiple": True, "value": ["aws_b", "aws_a"]}
    taken = {"property": "cf", "name": "5", "old_value": "aws_c", "new_value": None}
    given = {"property": "cf", "name": "5", "old_value": None, "new_value": "aws_b"}
    moved = {"property": "attr", "name": "status_id", "old_value": "1", "new_value": "2"}
    raw = {
        **{"id": 1, "project": {"id": 1}, "tracker": {"id": 1}, "status": {"id": 2}, "author": {"id": 9}},
        **{"created_on": at, "updated_on": at, "custom_fields": [several]},
        "journals": [
            {"id": 1, "created_on": at + timedelta(1), "user": {"id": 9}, "details": [moved]},
            {"id": 2, "created_on": at + timedelta(2), "user": {"id": 9}, "details": [taken, given]},
        ],
    }
    reading = Reading(FIELDS, frozenset(), frozenset(), 1, 1, {1: "new", 2: "approved"})
    past = Past(msgspec.convert(raw, Issue), reading)
    assert [one.scope.types for one in past.tickets("RM-1", "redmine", "", USERS | {9: "ann"})] == [
        ("aws_a", "aws_c"),
        ("aws_a", "aws_b"),
    ]

"""What is Jira's own: whose word counts in its change log, what it hides from strangers, and its lagging search."""

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
from jira_fake import OURS, TOKEN, Answer, FakeJira, document, plain, served, settings
from people import HOUR, START, told

from agent.model import Case, CaseKey, FindingId, Ticket
from agent.tickets import TicketError
from agent.tickets.jira import Jira, Settings, open_system
from agent.tickets.jira_history import Approval, Decision, Entry, Issue, Item, Log, Reading, User, When, read

EDITED = "edited after approval"
CASE = Case(CaseKey("c0ffee01"), "x", (FindingId("F-1"),), "low", body="one\n  two")


@pytest.fixture(params=["cloud", "datacenter"])
def jira(request: pytest.FixtureRequest) -> Iterator[FakeJira]:
    with served(FakeJira(cloud=request.param == "cloud")) as jira:
        yield jira


@pytest.fixture
def cloud() -> Iterator[FakeJira]:
    with served(FakeJira(cloud=True)) as jira:
        yield jira


def change(jira: FakeJira, **values: Any) -> str:
    fields = {"assignee": "lee", "customfield_10010": START, "customfield_10011": START + HOUR}
    return jira.create("dana", **{**fields, "customfield_10014": "aws_a.b", **values})


def found(jira: FakeJira, ref: str, **others: Any) -> list[Ticket]:
    answer = Jira(settings(jira, **others)).lookup([ref], START, START + HOUR)
    assert answer.unanswered == ()
    return [ticket for ticket in answer.found if ticket.ref == ref]


# --- whose word counts ---------------------------------------------------------------------------------------


def test_nobody_approves_for_another_and_a_program_is_nobody(jira: FakeJira) -> None:
    ref = change(jira)
    jira.edit("dana", ref, customfield_10012=["sam", "kim"])
    jira.edit("kim", ref, customfield_10012=["sam", "kim", "pat"])
    jira.edit("pat", ref, customfield_10012=["sam"])
    jira.edit("pat", ref, customfield_10012=["sam", "pat"])
    jira.edit(None, ref, customfield_10012=["pat"])
    (ticket,) = found(jira, ref)
    assert told(ticket) == ["draft", "+pat"]
    assert ticket.incomplete == ""


def test_an_automation_approves_nothing(cloud: FakeJira) -> None:
    ref = cloud.create("app-rules", reporter="dana", assignee="lee")
    cloud.edit("app-rules", ref, status="2", customfield_10012=["app-rules"])
    for mode in ("field", "transition"):
        (ticket,) = found(cloud, ref, approvals=mode)
        assert (told(ticket), ticket.requester) == (["draft", "approved"], "dana")


def test_who_moves_an_issue_into_an_approved_state_approves_it(jira: FakeJira) -> None:
    ref = change(jira)
    jira.edit("sam", ref, status="2")
    jira.edit("dana", ref, customfield_10012=["dana"])
    (ticket,) = found(jira, ref, approvals="transition")
    assert told(ticket) == ["draft", "approved", "+sam"]
    (other,) = found(jira, ref, approvals="transition", approved=("Signed off",))
    assert told(other) == ["draft", "approved"]


def test_the_service_desk_says_who_approved(jira: FakeJira) -> None:
    ref, plain_issue = change(jira), change(jira)
    at = datetime.now(UTC) + timedelta(seconds=5)
    when = {"epochMillis": int(at.timestamp() * 1000)}

    def decided(**decisions: str) -> dict[str, Any]:
        approvers = [{"approver": jira.user(name), "approverDecision": said} for name, said in decisions.items()]
        return {"id": "1", "finalDecision": "approved", "approvers": approvers, "completedDate": when}

    pending = {**decided(kim="approved", pat="pending"), "finalDecision": "pending", "completedDate": None}
    jira.issues[ref].approvals = [decided(sam="approved", pat="declined"), pending, decided(lou="approved")]
    jira.page = 2
    (ticket,) = found(jira, ref, approvals="service-desk")
    assert told(ticket) == ["draft", "+sam", "+lou"]
    assert abs(ticket.history[-1].at - at) < timedelta(seconds=1)
    (none,) = found(jira, plain_issue, approvals="service-desk")
    assert told(none) == ["draft"]


@pytest.mark.parametrize(
    ("field", "new"),
    [
        ("assignee", "dana"),
        ("customfield_10010", START - HOUR),
        ("customfield_10013", "Emergency"),
        ("customfield_10014", "aws_a.b\naws_c.*"),
        ("description", "{code}driftwarden\ntypes: aws_x\n{code}"),
    ],
)
def test_an_edit_of_any_term_ends_the_approval(jira: FakeJira, field: str, new: Any) -> None:
    ref = change(jira)
    jira.edit("sam", ref, status="2", customfield_10012=["sam"])
    jira.edit("dana", ref, **{field: new})
    before, after = found(jira, ref)
    assert [told(before), told(after)] == [["draft", "approved", "+sam", EDITED, "-sam"], [EDITED]]
    assert replace(before, history=()) != replace(after, history=())
    assert (before.incomplete, after.incomplete) == ("", "")


def test_what_people_write_around_the_block_is_no_edit(jira: FakeJira) -> None:
    ref = change(jira, description="```driftwarden\ntypes: aws_x\n```")
    jira.edit("sam", ref, status="2", customfield_10012=["sam"])
    jira.edit("dana", ref, description="Thanks!\n```driftwarden\n\ntypes: aws_x\n```", summary="Raise it more")
    (ticket,) = found(jira, ref)
    assert (told(ticket), ticket.scope.types, ticket.title) == (
        ["draft", "approved", "+sam"],
        ("aws_x",),
        "Raise it more",
    )


# --- what cannot be relied on --------------------------------------------------------------------------------


def test_a_history_that_was_cut_short_says_so(jira: FakeJira) -> None:
    ref = change(jira)
    jira.edit("sam", ref, status="2", customfield_10012=["sam"])
    jira.edit("dana", ref, customfield_10014="aws_b.c")
    jira.edit("dana", ref, customfield_10014="aws_c.d")
    if jira.cloud:
        del jira.issues[ref].log[2]
        why = "its change log is not whole: 'addresses' changed with no entry for it"
    else:
        jira.shown_log = 2
        why = "1 entries of its change log were not shown"
    assert {why in ticket.incomplete for ticket in found(jira, ref)} == {True}


def test_two_fields_of_one_name_show_in_data_center() -> None:
    with served(FakeJira(cloud=False)) as jira:
        ref = change(jira)
        item = {"field": "Addresses", "from": None, "fromString": "x", "to": None, "toString": "y"}
        entry = {"id": "9", "author": jira.user("dana"), "created": datetime.now(UTC), "items": [item]}
        jira.issues[ref].log.append(entry)
        (ticket,) = found(jira, ref)
        assert "'addresses' changed with no entry for it" in ticket.incomplete


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"description": "```driftwarden\ncolour: red\n```"}, "driftwarden block, line 1: 'colour' is none of"),
        ({"description": "<!--\n```driftwarden\ntypes: *\n```-->"}, "description: the driftwarden block"),
        ({"customfield_10014": "aws_\u200ba.b"}, "its scope holds characters that cannot be seen"),
        ({"customfield_10014": "\n".join(map(str, range(501)))}, "its scope has more than 500 items"),
    ],
)
def test_terms_that_cannot_be_understood_say_so(cloud: FakeJira, values: dict[str, Any], why: str) -> None:
    (ticket,) = found(cloud, change(cloud, **values))
    assert why in ticket.incomplete


def test_a_date_without_a_time_is_no_window() -> None:
    issue = Issue("1", "CHG-1", {"created": "2026-03-01T10:00:00.000+0000", "customfield_10010": "2026-03-01"})
    (ticket,) = read(issue, Log(()), Reading({"start": "customfield_10010"}, "transition", frozenset(), {}), "")
    assert (ticket.start, ticket.incomplete) == (None, "start: '2026-03-01' is no time with its zone")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just("2026-03-01T10:00:00.000+0000"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "value", "key"]), inner),
    max_leaves=8,
)
STRINGS = st.none() | st.text(alphabet="[](), ab\x00\u202e", max_size=10)
NAMES = {name: getattr(OURS, name) for name in OURS.__struct_fields__ if getattr(OURS, name)}


@given(
    st.fixed_dictionaries(dict.fromkeys((*NAMES.values(), "status", "creator", "summary", "description"), JSON)),
    st.lists(
        st.tuples(st.sampled_from([*NAMES.values(), "status", "description", "Key"]), STRINGS, STRINGS), max_size=4
    ),
    st.sampled_from(["field", "transition", "service-desk"]),
)
@trials(max_examples=40, deadline=None)
def test_no_issue_is_too_strange(fields: dict[str, Any], items: list[tuple[str, Any, Any]], mode: Any) -> None:
    entries = [
        Entry(1_772_359_200_000 + n, [Item(name, name, raw, raw, new, new)], User(accountId="sam"))
        for n, (name, raw, new) in enumerate(items)
    ]
    issue = Issue("1", "CHG-1", {**fields, "created": "2026-03-01T09:00:00.000+0000"})
    approvals = [Approval([Decision(User(accountId="sam"), "approved")], When(1_772_359_200_000))]
    reading = Reading(NAMES, mode, frozenset({"approved"}), {})
    for ticket in read(issue, Log(entries, "", approvals), reading, "https://x/"):
        assert json.dumps(msgspec.to_builtins(ticket))
        assert ticket.ref == "CHG-1"


# --- asking --------------------------------------------------------------------------------------------------


def test_many_tickets_take_few_requests_and_all_pages_are_read(jira: FakeJira) -> None:
    refs = [change(jira) for _ in range(60)]
    for ref in refs:
        jira.edit("sam", ref, status="2", customfield_10012=["sam"])
    others = [
        change(jira, customfield_10010=START - 9 * HOUR * 24, customfield_10011=START - 8 * HOUR * 24) for _ in "ab"
    ]
    asked = Jira(settings(jira)).lookup([*refs, *others, "CHG-9999", "NOPE-1"], START, START + HOUR)
    assert len(jira.asked) <= 6
    assert {one.ref for one in asked.found} == {*refs, *others}
    jira.page = 7
    assert Jira(settings(jira)).lookup([*refs, *others], START, START + HOUR) == asked
    assert asked.unanswered == ()


def test_half_an_answer_is_none(jira: FakeJira) -> None:
    refs = [change(jira) for _ in range(3)]
    for ref in refs:
        jira.edit("sam", ref, status="2")
    jira.page = 1
    paths = ["search/jql", "changelog/bulkfetch"] if jira.cloud else ["search"]
    for path in paths:
        count = 0

        def fails(_: str, asked: str, path: str = path) -> Answer | None:
            nonlocal count
            count += asked.endswith(path)
            return (500, {}, "oops") if asked.endswith(path) and count == 2 else None

        jira.before = fails
        answer = Jira(settings(jira)).lookup(refs, START, START + HOUR)
        assert (answer.found, count) == ((), 2)
        assert "answered 500" in answer.unanswered[0]


def test_only_change_tickets_give_authority(jira: FakeJira) -> None:
    story = jira.create("dana", "WEB", assignee="lee")
    assert found(jira, story) == []
    assert len(found(jira, story, changes="project = WEB")) == 1


def test_a_moved_issue_answers_to_its_former_key(cloud: FakeJira) -> None:
    old = change(cloud)
    new = cloud.move(old, "CHG2")
    answer = Jira(settings(cloud, changes="project = CHG2")).lookup([old], START, START + HOUR)
    assert [ticket.ref for ticket in answer.found] == sorted([old, new])


def test_a_named_ticket_is_read_past_the_lagging_search(cloud: FakeJira) -> None:
    cloud.freeze()
    assert [ticket.history[0].state for ticket in found(cloud, change(cloud))] == ["draft"]


def test_a_search_that_shrinks_while_it_is_read_is_not_believed() -> None:
    with served(FakeJira(cloud=False)) as jira:
        refs = [change(jira) for _ in range(4)]
        jira.page = 2

        def vanishes(_: str, path: str) -> None:
            if path.endswith("search") and len(jira.asked) > 1:
                jira.issues.pop(refs[0], None)

        jira.before = vanishes
        answer = Jira(settings(jira)).lookup([], START, START + HOUR)
        assert (answer.found, "its answer changed while it was read" in answer.unanswered[0]) == ((), True)


def test_pages_in_circles_end(cloud: FakeJira) -> None:
    cloud.before = lambda _, path: (200, {}, {"issues": [], "nextPageToken": "again"}) if "jql" in path else None
    answer = Jira(settings(cloud)).lookup([], START, START + HOUR)
    assert "its pages go round in circles" in answer.unanswered[0]
    assert len(cloud.asked) == 2


def test_issues_that_jira_could_not_fetch_are_not_missing(cloud: FakeJira) -> None:
    answer = {"issues": [], "issueErrors": [{"id": "1", "errorMessage": "try again"}]}
    cloud.before = lambda _, path: (200, {}, answer) if path.endswith("issue/bulkfetch") else None
    assert "could not fetch 1 of the issues" in Jira(settings(cloud)).lookup(["CHG-1"], START, START).unanswered[0]


# --- what Jira tells a stranger ------------------------------------------------------------------------------


def test_an_expired_token_is_not_an_empty_jira(jira: FakeJira) -> None:
    ref = change(jira)
    system = Jira(settings(jira))
    case = system.open(CASE)
    assert system.lookup([ref], START, START).unanswered == ()
    jira.expired = True
    answer = system.lookup([ref], START, START)
    assert answer.found == ()
    assert "our " in answer.unanswered[0]
    assert TOKEN not in answer.unanswered[0]
    for act in (
        lambda: system.find(CASE),
        lambda: system.update(case, "x"),
        lambda: system.close(case, "x"),
        lambda: system.replies(case),
    ):
        with pytest.raises(TicketError, match="accept") as failed:
            act()
        assert failed.value.permanent


def test_a_token_that_expires_while_we_read_is_told(jira: FakeJira) -> None:
    ref = change(jira)

    def expires(_: str, path: str) -> None:
        jira.expired = jira.expired or path.endswith(("search", "search/jql"))

    jira.before = expires
    assert len(Jira(settings(jira)).lookup([ref], START, START).unanswered) == 1


def test_a_busy_jira_is_left_in_peace(jira: FakeJira) -> None:
    jira.before = lambda *_: (429, {"Retry-After": "60"}, "slow down")
    system = Jira(settings(jira))
    assert "asks us to wait for 60 s" in system.lookup([], START, START).unanswered[0]
    with pytest.raises(TicketError, match="asked us to wait"):
        system.find(CASE)
    assert len(jira.asked) == 1


# --- cases ---------------------------------------------------------------------------------------------------


def test_a_lost_answer_files_nothing_twice(jira: FakeJira) -> None:
    jira.drop = "POST /rest/api/./issue$"
    with pytest.raises(TicketError, match="did not answer") as failed:
        Jira(settings(jira)).open(CASE)
    assert not failed.value.permanent
    assert Jira(settings(jira)).find(CASE) is not None
    assert len(jira.issues) == 1


def test_what_we_filed_is_found_though_the_search_lags(jira: FakeJira) -> None:
    jira.freeze()
    system = Jira(settings(jira))
    ref = system.open(CASE)
    assert system.find(CASE) == ref
    del jira.issues[ref]
    assert system.find(CASE) is None


def test_a_closed_case_is_not_found_though_the_search_still_has_it_open(jira: FakeJira) -> None:
    system = Jira(settings(jira))
    ref = system.open(CASE)
    jira.freeze()
    system.close(ref, "gone")
    assert Jira(settings(jira)).find(CASE) is None


def test_what_a_stranger_labels_as_ours_is_not(jira: FakeJira) -> None:
    system = Jira(settings(jira))
    ours = system.open(CASE)
    jira.create("lee", "OPS", status="10", labels=["driftwarden", f"driftwarden-{CASE.key}"])
    assert system.find(CASE) == ours
    jira.edit("lee", ours, labels=["driftwarden"])
    assert system.find(CASE) is None


def test_its_own_ticket_comes_before_one_that_shares_a_finding(jira: FakeJira) -> None:
    system = Jira(settings(jira))
    other = system.open(replace(CASE, key=CaseKey("0ther")))
    own = system.open(replace(CASE, findings=()))
    assert system.find(CASE) == own
    system.close(own, "gone")
    assert system.find(CASE) == other


def test_a_transition_that_fails_is_tried_again_without_saying_it_twice(jira: FakeJira) -> None:
    system = Jira(settings(jira))
    ref = system.open(CASE)
    jira.before = lambda method, path: (503, {}, "busy") if (method, path[-11:]) == ("POST", "transitions") else None
    for _ in range(2):
        with pytest.raises(TicketError, match="503"):
            system.close(ref, "gone")
    jira.before = lambda *_: None
    system.close(ref, "gone")
    assert [plain(comment["body"]) for comment in jira.issues[ref].comments] == ["gone"]
    assert jira.issues[ref].values["status"] == "11"


def test_a_workflow_without_the_transition_names_those_it_has(jira: FakeJira) -> None:
    system = Jira(settings(jira, done="Resolve"))
    ref = system.open(CASE)
    with pytest.raises(TicketError, match=r"has no transition 'Resolve'; there is Finish") as failed:
        system.close(ref, "gone")
    assert failed.value.permanent
    assert jira.issues[ref].comments == []
    Jira(settings(jira, done="finish")).close(ref, "gone")
    assert Jira(settings(jira)).find(CASE) is None


def test_nothing_in_a_case_is_obeyed() -> None:
    nasty = "{noformat} [~dana] {NOFORMAT}|https://x|{code}"
    with served(FakeJira(cloud=False)) as jira:
        body = jira.issues[Jira(settings(jira)).open(replace(CASE, body=nasty))].values["description"]
        inside = body.removeprefix("{noformat}\n").removesuffix("\n{noformat}")
        assert "noformat}" in inside
        assert "{noformat" not in inside.lower()
        assert "[~" not in inside
    with served(FakeJira(cloud=True)) as jira:
        body = jira.issues[Jira(settings(jira)).open(replace(CASE, body=nasty))].values["description"]
        assert [(one["type"], [inner["type"] for inner in one["content"]]) for one in body["content"]] == [
            ("codeBlock", ["text"])
        ]
        assert nasty in body["content"][0]["content"][0]["text"]


def test_who_edited_a_comment_last_says_what_it_says(jira: FakeJira) -> None:
    system = Jira(settings(jira))
    ref = system.open(CASE)
    system.update(ref, "ours")
    jira.comment("dana", ref, "hers\nand more")
    jira.comment("sam", ref, "his")
    (reply, other) = system.replies(ref)
    assert (reply.by, reply.text, other.by) == ("dana", "hers\nand more", "sam")
    assert system.replies(ref, reply.at + timedelta(days=1)) == ()
    jira.issues[ref].comments[1] |= {"updateAuthor": jira.user("lee"), "updated": "2031-01-01T00:00:00.000+0000"}
    jira.issues[ref].comments[2] |= {"updateAuthor": jira.user("bot")}
    assert [(one.by, one.at.year) for one in system.replies(ref)] == [("lee", 2031)]
    jira.page = 1
    assert len(system.replies(ref)) == 1


def test_a_document_reads_as_a_person_sees_it(cloud: FakeJira) -> None:
    system = Jira(settings(cloud))
    ref = system.open(CASE)
    cloud.comment("dana", ref, "x")
    mention = {"type": "mention", "attrs": {"id": "sam", "text": "@Sam"}}
    line = {
        "type": "paragraph",
        "content": [mention, {"type": "text", "text": " a"}, {"type": "hardBreak"}, {"type": "text", "text": "b"}],
    }
    item = {"type": "listItem", "content": [line]}
    deep: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(200):
        deep = {"type": "blockquote", "content": [deep]}
    body = {"type": "doc", "content": [{"type": "bulletList", "content": [item]}, 7, deep, {"type": "text"}]}
    cloud.issues[ref].comments[0]["body"] = body
    assert [one.text for one in system.replies(ref)] == ["@Sam a\nb"]
    assert document("x")["type"] == "doc"


# --- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"user": ""}, "Jira Cloud needs the user whose token it is"),
        ({"fields": {}}, 'approvals = "field" needs fields.approvers'),
        ({"url": "jira.example.com"}, "is not an http:// or https:// address"),
    ],
)
def test_settings_that_do_not_go_together(others: dict[str, Any], why: str) -> None:
    known = {"url": "https://x.example.com", "project": "OPS", "token": "t", "user": "u"}
    asked = msgspec.convert({**known, "fields": {"approvers": "customfield_1"}, **others}, Settings)
    with pytest.raises(TicketError, match=why):
        open_system(asked, Path())


@pytest.mark.parametrize(
    "others",
    [
        {"project": "OPS OR 1"},
        {"token": "a\nb"},
        {"changes": "project = X order by key"},
        {"fields": {"start": "x) OR ("}},
        {"fields": {"begin": "x"}},
        {"mode": "x"},
    ],
)
def test_settings_that_cannot_be(others: dict[str, Any]) -> None:
    known = {"url": "https://x.example.com", "project": "OPS", "token": "t", "user": "u"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**known, **others}, Settings)

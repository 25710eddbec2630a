"""What is GitHub's own: whose word counts in a timeline, what an edit ends, reviews and checks of commits."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from forge_server import Response, unfenced, written
from github_fake import REPOSITORY, GitHubState, actor, github, system
from people import HOUR, START, told

from agent.model import Case, CaseKey, FindingId, Merge, Ticket
from agent.tickets import Forge, TicketError, TicketSystem, github_graph
from agent.tickets import github as github_adapter
from agent.tickets.github import Settings, open_system
from agent.tickets.markdown import description

TERMS = {"kind": "standard", "implementer": "lee", "types": "aws_a"}
SHA, HEAD = "a" * 40, "b" * 40
CASE = Case(CaseKey("5742aa00c1"), "x", (FindingId("F-5742aa00c1"),), "low")


@pytest.fixture
def forge() -> Iterator[tuple[GitHubState, str]]:
    with github() as (state, url):
        yield state, url


def approved(state: GitHubState, **terms: Any) -> int:
    """Number of an issue of dana's that sam approved."""
    number = state.write("dana", "Raise it", written(**{**TERMS, **terms}))
    state.label("sam", number, "approved")
    return number


def pull(state: GitHubState, **terms: Any) -> int:
    """Number of a pull request of dana's."""
    fields: dict[str, Any] = {"headRefOid": HEAD, "merged": False, "mergedAt": None, "mergedBy": None}
    commits = lambda _, last: {"nodes": [{"commit": state.objects[HEAD]}][:last]}  # noqa: E731 - one expression
    state.objects.setdefault(HEAD, state.commit(HEAD, "dana"))
    return state.write("dana", "Raise it", written(**{**TERMS, **terms}), **fields, commits=commits)


def read(url: str, number: int, **settings: Any) -> list[Ticket]:
    """An item as a lookup gives it."""
    found = system(url, **settings).lookup([f"{REPOSITORY}#{number}"], START, START + HOUR)
    assert found.unanswered == ()
    return [ticket for ticket in found.found if ticket.ref == f"{REPOSITORY}#{number}"]


def words(url: str, number: int, **settings: Any) -> list[str]:
    (ticket,) = read(url, number, **settings)
    assert not ticket.incomplete
    return told(ticket)


# --- references and requests -----------------------------------------------------------------------------------


def test_each_spelling_of_a_reference_finds_the_ticket(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    refs = [f"GH-{number}", f"Acme/Changes#{number}", "acme/other#1", f"#{number}", f"{number}", "UTF-8", "GH-99"]
    found = system(url).lookup(refs, START, START + HOUR).found
    assert sorted(ticket.ref for ticket in found) == [f"Acme/Changes#{number}", f"GH-{number}"]


def test_many_tickets_take_few_requests(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    for n in range(60):
        approved(state, types=f"aws_{n}", start=START.isoformat(), end=(START + HOUR).isoformat())
    found = system(url).lookup(["GH-60"], START, START + HOUR).found
    assert {ticket.scope.types for ticket in found} == {(f"aws_{n}",) for n in range(60)}
    # Nothing since 2031; two pages of what is open; three times up to 25 tickets.
    assert len(state.asked) == 1 + 2 + 3


def test_tickets_of_other_times_and_texts_without_terms_are_not_read(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    approved(state, start=(START + timedelta(days=9)).isoformat())
    state.write("dana", "Coffee is out", "It is.")
    assert system(url).lookup([], START, START + HOUR).found == ()
    assert [line.split()[0] for line in state.asked] == ["GET", "GET"]


def test_only_labelled_issues_are_looked_through(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    approved(state)
    change = approved(state)
    state.label("dana", change, "change")
    found = system(url, label="change").lookup([], START, START + HOUR).found
    assert [ticket.ref for ticket in found] == [f"{REPOSITORY}#{change}"]


def test_an_enterprise_server_has_its_interfaces_side_by_side(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    system(f"{url}/api/v3/").lookup(["GH-1"], START, START + HOUR)
    state.hang_up = ""
    github = system(f"{url}/api/v3")
    with pytest.raises(TicketError):
        github.update(f"{REPOSITORY}#1", "x")
    assert state.asked[0].startswith(f"GET /api/v3/repos/{REPOSITORY}/issues?")
    assert state.asked[1] == "POST /api/graphql"


# --- whose word counts -----------------------------------------------------------------------------------------


def test_who_sets_the_label_approves_until_it_is_taken_off(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.label("kim", number, "change")
    state.unlabel("dana", number, "approved")
    state.label("kim", number, "approved")
    state.close("dana", number)
    state.reopen("dana", number)
    expected = ["open", "approved", "+sam", "open", "-sam", "approved", "+kim", "closed", "approved"]
    assert words(url, number) == expected
    assert words(url, number, approved_label="") == ["open", "closed", "open"]


def test_a_bot_is_not_the_user_of_the_same_name(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = state.write("dana", "Raise it", written(**TERMS))
    state.label("sam[bot]", number, "approved")
    state.items[number]["author"] = None
    (ticket,) = read(url, number)
    assert (told(ticket), ticket.requester) == (["open", "approved", "+sam[bot]"], "ghost")


def test_reviews_approve_a_pull_request(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = pull(state)
    state.commit(SHA, "dana")
    state.review("kim", number, "COMMENTED")
    state.review("sam", number, "APPROVED")
    state.review("kim", number, "CHANGES_REQUESTED")
    state.review("kim", number, "APPROVED")
    state.review("sam", number, "CHANGES_REQUESTED")
    state.review("sam", number, "APPROVED")
    state.merge("lee", number, SHA)
    expected = ["open", "approved", "+sam", "changes requested", "approved", "+kim", "changes requested", "-sam"]
    assert words(url, number) == [*expected, "approved", "+sam", "merged"]


def test_a_dismissed_review_counted_until_then(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = pull(state)
    review = state.review("sam", number, "APPROVED")
    state.dismiss("dana", number, review)
    refusal = state.review("kim", number, "CHANGES_REQUESTED")
    state.dismiss("dana", number, refusal)
    assert words(url, number) == ["open", "approved", "+sam", "open", "-sam", "changes requested", "open"]


def test_an_approval_of_an_earlier_commit_is_shown_and_does_not_count(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = pull(state)
    state.review("sam", number, "APPROVED")
    state.items[number]["headRefOid"] = SHA
    assert words(url, number) == ["open", "+sam", "-sam"]
    assert words(url, number, dismiss_stale=False) == ["open", "approved", "+sam"]
    state.review("kim", number, "APPROVED")["commit"] = None
    assert words(url, number) == ["open", "+sam", "-sam", "+kim", "-kim"]
    state.review("kim", number, "APPROVED")
    assert words(url, number)[-2:] == ["approved", "+kim"]


# --- edits -----------------------------------------------------------------------------------------------------


def test_an_edit_of_the_terms_ends_approvals_and_one_of_the_prose_does_not(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    text = state.items[number]["body"]
    state.edit("dana", number, text.replace("Thanks!", "Thank you!"))
    assert words(url, number) == ["open", "approved", "+sam"]
    state.edit("dana", number, text.replace("aws_a", "aws_b"))
    state.unlabel("sam", number, "approved")
    state.label("sam", number, "approved")
    before, after = read(url, number)
    assert (before.scope.types, told(before)) == (
        ("aws_a",),
        ["open", "approved", "+sam", "edited after approval", "-sam"],
    )
    assert (after.scope.types, told(after)) == (("aws_b",), ["edited after approval", "open", "approved", "+sam"])
    assert (before.incomplete, after.incomplete) == ("", "")


def test_an_edit_ends_a_review_and_the_next_one_counts(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = pull(state)
    state.review("sam", number, "APPROVED")
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.review("sam", number, "APPROVED")
    before, after = read(url, number)
    assert told(before) == ["open", "approved", "+sam", "edited after approval", "-sam"]
    assert told(after) == ["edited after approval", "open", "approved", "+sam"]


def test_terms_that_github_does_not_tell_are_not_guessed(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.keeps_texts = False
    before, after = read(url, number)
    assert (before.scope.types, after.scope.types) == ((), ("*",))
    assert before.incomplete == "its text was edited later, and GitHub does not tell what it said at first"
    assert told(after) == ["edited after approval", "open"]


def test_a_deleted_version_is_a_hole_in_the_history(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.label("kim", number, "change")
    state.edit("dana", number, written(**TERMS))
    state.items[number]["edits"][1]["diff"] = None
    first, hole, last = read(url, number)
    assert [told(one)[-1] for one in (first, last)] == ["-sam", "open"]
    assert (first.incomplete, hole.incomplete, last.incomplete) == ("", "a version of its text was deleted", "")


def test_versions_that_cannot_be_read_make_the_history_incomplete(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.refuse = [None, None, None, Response(502, b"bad gateway")]
    before, after = read(url, number)
    assert "its earlier versions were not read" in before.incomplete
    assert "answered 502: bad gateway" in before.incomplete
    assert after.incomplete == ""


def test_more_versions_than_are_read(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    for n in range(101):
        state.edit("dana", number, written(**{**TERMS, "types": f"aws_{n}"}))
    before, after = read(url, number)
    assert "and has 102 versions, of which 100 are read" in before.incomplete
    assert after.scope.types == ("aws_100",)


def test_a_text_edited_before_anybody_agreed_needs_no_versions(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = state.write("dana", "Raise it", "")
    state.edit("dana", number, written(**TERMS))
    state.label("sam", number, "approved")
    assert words(url, number) == ["open", "approved", "+sam"]
    assert len(state.asked) == 3


# --- half answers ----------------------------------------------------------------------------------------------


def test_a_long_timeline_is_read_to_its_end(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    state.page = 2
    number = approved(state)
    for _ in range(3):
        state.unlabel("sam", number, "approved")
        state.label("sam", number, "approved")
    assert words(url, number).count("+sam") == 4


def test_a_history_cut_short_says_so(forge: tuple[GitHubState, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = forge
    state.page = 1
    number = approved(state)
    for _ in range(2):
        state.unlabel("sam", number, "approved")
        state.label("sam", number, "approved")
    monkeypatch.setattr(github_graph, "MOST_PAGES", 2)
    (ticket,) = read(url, number)
    assert ticket.incomplete == "its history has more than 200 entries"


def test_a_part_of_the_history_that_is_hidden_is_told(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.items[number]["timeline"].append(None)
    (ticket,) = read(url, number)
    assert (told(ticket), ticket.incomplete) == (
        ["open", "approved", "+sam"],
        "a part of its history is hidden from us",
    )


def test_a_ticket_that_goes_away_while_it_is_read_is_cut_short(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    state.page = 1
    number = approved(state)
    state.unlabel("sam", number, "approved")
    gone = {"type": "NOT_FOUND", "path": ["repository", "i1"], "message": "Could not resolve"}
    state.refuse = [None, None, None, Response(200, {"data": {"repository": {"i1": None}}, "errors": [gone]})]
    (ticket,) = read(url, number)
    assert (told(ticket), ticket.incomplete) == (
        ["open", "approved", "+sam"],
        "its history was cut short: it went away while we read it",
    )


def test_more_issues_than_are_looked_through(forge: tuple[GitHubState, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = forge
    for _ in range(31):
        approved(state)
    monkeypatch.setattr(github_adapter, "MOST_PAGES", 1)
    found = system(url).lookup([], START, START + HOUR)
    why = "github: more than 30 issues to look through; narrow them down with 'label'"
    assert (found.found, found.unanswered) == ((), (why,))


@pytest.mark.parametrize("at", range(4))
def test_half_an_answer_is_none(forge: tuple[GitHubState, str], at: int) -> None:
    state, url = forge
    for _ in range(31):
        approved(state)
    state.refuse = [*[None] * at, Response(500, b"oops")]
    found = system(url).lookup(["GH-1"], START, START + HOUR)
    assert found.found == ()
    assert found.unanswered == (f"github: {url}/: answered 500: oops",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(200, {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "slow down"}]}), "slow down"),
        (Response(200, {"errors": [{"message": "Something went wrong"}]}), "Something went wrong"),
        (Response(200, {"data": {"repository": None}}), f"our token sees no repository {REPOSITORY}"),
        (Response(200, {"data": None}), "answered without an answer"),
        (Response(200, [1]), "answered what we do not understand"),
        (Response(200, b"<html>unicorn</html>"), "answered what we do not understand"),
        (
            Response(200, {"data": {"repository": {"i1": {"__typename": "Issue", "number": "1"}}}}),
            "answered what we do not understand",
        ),
        (Response(403, {"message": "API rate limit exceeded"}), "too many requests; it asks us to wait for 60 s"),
        (Response(401, {"message": "Bad credentials"}), "no longer accepts our token"),
    ],
)
def test_a_bad_answer_is_no_answer(forge: tuple[GitHubState, str], answer: Response, why: str) -> None:
    state, url = forge
    approved(state)
    state.refuse = [None, None, answer]
    found = system(url).lookup(["GH-1"], START, START + HOUR)
    assert found.found == ()
    (said,) = found.unanswered
    assert said.startswith("github: ")
    assert why in said
    assert "token-of-driftwarden" not in said


def test_graphql_that_asks_us_to_wait_is_left_in_peace(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    ours = system(url)
    state.refuse = [Response(200, {"errors": [{"type": "RATE_LIMITED", "message": "slow down"}]})]
    for why in ("answered: slow down", "asked us to wait for 60 s more"):
        with pytest.raises(TicketError, match=why):
            ours.update(f"{REPOSITORY}#1", "x")
    assert len(state.asked) == 1


def test_a_repository_we_may_not_see_is_no_missing_ticket(forge: tuple[GitHubState, str]) -> None:
    _, url = forge
    found = system(url, repositories=["acme/secret"]).lookup(["acme/secret#1"], START, START + HOUR)
    assert found.unanswered == (f"github: {url}/: our token sees no repository acme/secret",)


# --- cases -----------------------------------------------------------------------------------------------------


def test_what_a_stranger_files_in_our_words_is_not_ours(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    state.close("dana", 1)
    state.write("lee", "hush", state.items[1]["body"], ("driftwarden",))
    assert system(url).find(CASE) is None
    assert ours.find(CASE) is None
    again = ours.open(CASE)
    assert again != ref
    assert system(url).find(CASE) == again


def test_a_text_that_names_another_case_is_not_its_ticket(forge: tuple[GitHubState, str]) -> None:
    _, url = forge
    words = f"<!-- driftwarden case {CASE.key} {CASE.findings[0]} -->"
    loud = Case(CaseKey("10bdf00d"), words, (), "low", body=f"```\n{words}\n```")
    ours = system(url)
    ours.update(ours.open(loud), words)
    assert system(url).find(CASE) is None


def test_cases_are_listed_once_and_then_what_changed(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    writer, reader = system(url), system(url)
    for n in range(31):
        state.write("driftwarden", "x", description(Case(CaseKey(f"{n:016x}"), "x", (), "low")), ("driftwarden",))
    assert reader.find(CASE) is None
    state.asked.clear()
    ref = writer.open(CASE)
    assert reader.find(CASE) == ref
    state.close("dana", 32)
    assert reader.find(CASE) is None
    assert sum(line.startswith("GET") for line in state.asked) == 2


def test_a_label_that_was_dropped_is_an_error(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    state.can_label = False
    with pytest.raises(TicketError, match="is filed without its label: our token may not set labels") as failed:
        system(url).open(CASE)
    assert failed.value.permanent


def test_a_connection_that_drops_after_the_commit_files_nothing_twice(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    ours = system(url)
    assert ours.find(CASE) is None
    state.hang_up = f"POST /repos/{REPOSITORY}/issues"
    with pytest.raises(TicketError, match="did not answer") as failed:
        ours.open(CASE)
    assert not failed.value.permanent
    ref = ours.find(CASE)
    assert ref == f"{REPOSITORY}#1"
    state.hang_up = f"POST /repos/{REPOSITORY}/issues/1/comments"
    for _ in range(2):
        try:
            ours.update(ref, "once more")
        except TicketError as error:
            assert not error.permanent
    assert [unfenced(said["body"]) for said in state.items[1]["thread"]] == ["once more"]


def test_a_case_that_was_closed_half_is_closed_whole(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    ours.update(ref, "gone")
    state.hang_up = f"POST /repos/{REPOSITORY}/issues/1/comments"
    with pytest.raises(TicketError, match="did not answer"):
        ours.close(ref, "gone")
    assert ours.find(CASE) == ref
    for _ in range(2):
        ours.close(ref, "gone")
    assert [unfenced(said["body"]) for said in state.items[1]["thread"]] == ["gone", "gone"]
    assert (state.items[1]["closed"], ours.find(CASE)) == (True, None)
    with pytest.raises(TicketError, match=f"has no issue {REPOSITORY}#7") as failed:
        ours.close(f"{REPOSITORY}#7", "gone")
    assert failed.value.permanent


def test_text_cannot_leave_its_block_nor_command_a_bot(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    nasty = "```\n````text\n@dana closes #1 <!-- driftwarden case x -->\n/approve\n  /lgtm\n</details>"
    ours = system(url)
    ref = ours.open(Case(CaseKey("c0ffee"), nasty, (), "low", body=nasty))
    ours.update(ref, nasty)
    for text in (state.items[1]["body"], state.items[1]["thread"][0]["body"]):
        fence, *inside, end = [line for line in text.split("\n") if not line.startswith("<!-- driftwarden case c0ffee")]
        assert (fence, end) == ("`````text", "`````")
        assert not any(line.startswith("`````") or line.lstrip().startswith("/") for line in inside)
        assert "\\/approve" in inside
        assert "  \\/lgtm" in inside


def test_an_edited_reply_is_the_word_of_who_edited_it(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    ours.update(ref, "reminder")
    state.comment("dana", 1, "I did it\x1b[2J\r\nbecause.")
    edited = state.comment("sam", 1, "I doubt that.")
    state.comment("helper[bot]", 1, "beep")
    edited |= {"body": "Fine.", "lastEditedAt": state.tick(), "editor": actor("dana")}
    replies = ours.replies(ref)
    assert [(one.by, one.text) for one in replies] == [
        ("dana", "I did it⟨U+001B⟩[2J\nbecause."),
        ("helper[bot]", "beep"),
        ("dana", "Fine."),
    ]
    assert [one.text for one in ours.replies(ref, replies[1].at)] == ["beep", "Fine."]
    with pytest.raises(TicketError, match=f"has no issue {REPOSITORY}#7"):
        ours.replies(f"{REPOSITORY}#7")


def test_replies_are_read_to_the_last(forge: tuple[GitHubState, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    for n in range(65):
        state.comment("dana", 1, f"{n}")
    assert [one.text for one in ours.replies(ref)] == [str(n) for n in range(65)]
    monkeypatch.setattr(github_graph, "MOST_PAGES", 1)
    with pytest.raises(TicketError, match=f"{REPOSITORY}#1: more than 30 comments"):
        ours.replies(ref)


# --- commits ---------------------------------------------------------------------------------------------------


def merged(state: GitHubState, *reviewers: str, checks: str = "SUCCESS", authors: tuple[str, ...] = ("dana",)) -> None:
    """Dana's pull request, approved and merged by lee."""
    number = pull(state)
    state.items[number]["title"] = "CHG0001234: raise it"
    for who in reviewers:
        state.review(who, number, "APPROVED")
    state.commit(SHA, *authors, checks=checks)
    state.merge("lee", number, SHA)


def asked(url: str, repository: str = REPOSITORY, sha: str = SHA, **settings: Any) -> Merge | None:
    found, unanswered = system(url, **settings).merges([(repository, sha)])
    assert unanswered == ()
    return found[0] if found else None


def test_what_a_forge_knows_of_a_commit(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, "sam")
    found = asked(url)
    assert found is not None
    assert (found.commit, found.system, found.repository, found.ref) == (SHA, "github", REPOSITORY, "#1")
    assert (found.author, found.merged_by, found.checks) == ("dana", "lee", "passed")
    assert [(event.approved_by, event.at) for event in found.history] == [
        ("sam", datetime.fromisoformat(state.items[1]["timeline"][0]["submittedAt"]))
    ]
    assert found.merged_at is not None
    assert found.history[0].at < found.merged_at < datetime.now(UTC)
    assert found.references == ("CHG0001234",)
    assert asked(url, "") == found
    assert asked(url, "", repositories=[REPOSITORY]) == found


@pytest.mark.parametrize(
    ("state", "checks"),
    [
        ("SUCCESS", "passed"),
        ("FAILURE", "failed"),
        ("ERROR", "failed"),
        ("PENDING", "pending"),
        ("EXPECTED", "pending"),
        ("", "none"),
    ],
)
def test_checks_of_a_commit(forge: tuple[GitHubState, str], state: str, checks: str) -> None:
    merged(forge[0], checks=state)
    found = asked(forge[1])
    assert found and found.checks == checks


def test_checks_of_the_branch_speak_for_the_same_content_only(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, checks="")
    state.objects[HEAD]["statusCheckRollup"] = {"state": "SUCCESS"}
    found = asked(url)
    assert found and found.checks == "none"
    state.objects[SHA]["tree"] = state.objects[HEAD]["tree"]
    found = asked(url)
    assert found and found.checks == "passed"


def test_who_wrote_part_of_a_commit_does_not_review_it(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, "sam", "kim", authors=("dana", "sam"))
    found = asked(url)
    assert found and [event.approved_by for event in found.history] == ["kim"]


def test_a_commit_that_no_request_brought_has_no_review(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    state.commit(SHA, "dana")
    found = asked(url)
    assert found == Merge(SHA, "github", REPOSITORY, author="dana")


def test_a_request_that_was_not_merged_here_brought_nothing(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, "sam")
    state.items[1] |= {"merged": False, "mergedAt": None}
    found = asked(url)
    assert found and (found.ref, found.history) == ("", ())


@pytest.mark.parametrize("sha", ["c" * 40, "a" * 7, "main", '"){x}', "f" * 40])
def test_what_is_no_commit_is_in_neither_answer(forge: tuple[GitHubState, str], sha: str) -> None:
    state, url = forge
    state.objects["f" * 40] = {"__typename": "Tree", "oid": "f" * 40}
    assert system(url).merges([(REPOSITORY, sha)]) == ((), ())


def test_only_configured_repositories_are_asked_about(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, "sam")
    assert asked(url, repositories=["acme/infra"]) is None
    assert asked(url, "evil/../x") is None
    assert state.asked == []


def test_a_commit_that_was_not_asked_about_in_full_is_unanswered(forge: tuple[GitHubState, str]) -> None:
    state, url = forge
    merged(state, "sam", "kim")
    state.page = 1
    other = system(url).merges([(REPOSITORY, SHA)])
    assert other == ((), (f"github: {REPOSITORY}: {SHA[:12]} has more reviews than are read",))
    state.refuse = [Response(500, b"oops")]
    found, (why,) = system(url).merges([(REPOSITORY, SHA), ("", SHA)])
    assert (found, why) == ((), f"github: {REPOSITORY}: {url}/: answered 500: oops")


def test_a_configuration_opens_it() -> None:
    opened = open_system(Settings(token=uuid.uuid4().hex, repository=REPOSITORY), Path())
    kept: TicketSystem = opened
    assert (kept.name, isinstance(opened, Forge)) == ("github", True)
    with pytest.raises(TicketError, match="is not an http"):
        open_system(Settings(token="x", repository=REPOSITORY, url="ftp://x"), Path())

"""What is GitLab's own: label and state events, system notes, quick actions, approvals and pipelines of commits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from forge_server import Response, unfenced, written
from gitlab_fake import ISSUES, PROJECT, REQUESTS, GitLabState, gitlab, system
from people import HOUR, START, told

from agent.model import Case, CaseKey, FindingId, Merge, Ticket
from agent.tickets import Forge, TicketError, TicketSystem
from agent.tickets import gitlab as gitlab_adapter
from agent.tickets.gitlab import Settings, open_system
from agent.tickets.gitlab_merges import Pipeline, checks

TERMS = {"kind": "standard", "implementer": "lee", "types": "aws_a"}
SHA = "a" * 40
CASE = Case(CaseKey("5742aa00c1"), "x", (FindingId("F-5742aa00c1"),), "low")


@pytest.fixture
def forge() -> Iterator[tuple[GitLabState, str]]:
    with gitlab() as (state, url):
        yield state, url


def approved(state: GitLabState, **terms: Any) -> int:
    """Number of an issue of dana's that sam approved."""
    number = state.write("dana", "Raise it", written(**{**TERMS, **terms}))
    state.label("sam", number, "approved")
    return number


def request(state: GitLabState, **terms: Any) -> int:
    """Number of a merge request of dana's."""
    return state.write("dana", "CHG0001234: raise it", written(**{**TERMS, **terms}), kind=REQUESTS)


def read(url: str, ref: str, **settings: Any) -> list[Ticket]:
    """An item as a lookup gives it."""
    found = system(url, **settings).lookup([ref], START, START + HOUR)
    assert found.unanswered == ()
    return [ticket for ticket in found.found if ticket.ref == ref]


def words(url: str, ref: str, **settings: Any) -> list[str]:
    (ticket,) = read(url, ref, **settings)
    assert not ticket.incomplete
    return told(ticket)


# --- references and requests -----------------------------------------------------------------------------------


def test_each_spelling_of_a_reference_finds_the_ticket(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number, other = approved(state), request(state)
    refs = [f"GL-{number}", f"Acme/Changes#{number}", f"GLMR-{other}", f"{PROJECT}!{other}", "acme/x#1", "#1", "GL-99"]
    found = system(url).lookup(refs, START, START + HOUR).found
    assert sorted(ticket.ref for ticket in found) == ["Acme/Changes#1", "GL-1", "GLMR-1", "acme/changes!1"]
    assert {ticket.ref: ticket.url for ticket in found}["GLMR-1"] == f"https://gitlab.com/{PROJECT}/-/merge_requests/1"


def test_requests_of_a_lookup_are_counted(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    for _ in range(5):
        approved(state, start=START.isoformat())
        state.write("dana", "Raise it", written(**TERMS))
    request(state)
    state.write("dana", "Coffee is out", "It is.")
    found = system(url).lookup(["GL-2"], START, START + HOUR).found
    assert len(found) == 11
    # One for the named, four lists; then the approved ones, the named draft, and the merge request.
    assert len(state.asked) == 1 + 4 + 5 * 3 + 2 + 4
    assert [told(ticket) for ticket in found if ticket.ref == f"{PROJECT}#4"] == [["open"]]
    state.asked.clear()
    assert len(system(url).lookup([], state.now - HOUR, state.now).found) == 11
    assert len(state.asked) == 4 + 5 * 3 + 5 * 2 + 4


def test_only_labelled_issues_are_looked_through(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    approved(state)
    change = approved(state)
    state.label("dana", change, "change")
    found = system(url, label="change").lookup([], START, START + HOUR).found
    assert [ticket.ref for ticket in found] == [f"{PROJECT}#{change}"]


# --- whose word counts -----------------------------------------------------------------------------------------


def test_who_sets_the_label_approves_until_it_is_taken_off(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.label("kim", number, "change")
    state.label("dana", number, "approved", action="remove")
    state.label("kim", number, "approved")
    state.turn("dana", number, "closed")
    state.turn("dana", number, "reopened")
    expected = ["open", "approved", "+sam", "open", "-sam", "approved", "+kim", "closed", "approved"]
    assert words(url, "GL-1") == expected
    assert words(url, "GL-1", approved_label="") == ["open", "closed", "open"]


def test_a_label_that_was_deleted_or_a_user_who_is_gone(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.label("kim", number, "approved")
    state.items[ISSUES, number]["_labels"][0]["label"] = None
    state.items[ISSUES, number]["_labels"][1]["user"] = None
    assert words(url, "GL-1") == ["open", "approved", "+ghost"]


def test_approvals_of_a_merge_request(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = request(state)
    state.commit(SHA, "success")
    state.approve("sam", number)
    state.approve("kim", number)
    state.unapprove("sam", number)
    state.note("kim", number, "requested changes", REQUESTS, system=True)
    state.approve("kim", number)
    state.merge("lee", number, SHA)
    expected = ["open", "approved", "+sam", "+kim", "-sam", "changes requested", "-kim", "approved", "+kim", "merged"]
    assert words(url, "GLMR-1") == expected


def test_a_push_ends_the_approvals_before_it(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = request(state)
    state.approve("sam", number)
    state.approve("kim", number)
    state.push("dana", number)
    state.approve("kim", number)
    assert words(url, "GLMR-1") == ["open", "approved", "+sam", "+kim", "open", "-kim", "-sam", "approved", "+kim"]
    assert words(url, "GLMR-1", dismiss_stale=False) == ["open", "approved", "+sam", "+kim", "+kim"]
    state.note("dana", number, "reset approvals from @sam and @kim by pushing to the branch", REQUESTS, system=True)
    assert words(url, "GLMR-1", dismiss_stale=False)[-3:] == ["open", "-kim", "-sam"]


def test_an_approval_that_gitlab_took_away_without_a_word_never_counts(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = request(state)
    state.approve("sam", number)
    state.items[REQUESTS, number]["_approved"].clear()
    assert words(url, "GLMR-1") == ["open", "+sam", "-sam"]


def test_what_people_write_is_no_system_note(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = request(state)
    state.note("dana", number, "approved this merge request", REQUESTS)
    assert words(url, "GLMR-1") == ["open"]


# --- edits and order -------------------------------------------------------------------------------------------


def test_an_edit_ends_approvals_because_the_old_text_is_not_told(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.label("sam", number, "approved", action="remove")
    state.label("sam", number, "approved")
    before, after = read(url, "GL-1")
    assert (before.scope.types, after.scope.types) == ((), ("*",))
    assert before.incomplete == "its description was edited later, and GitLab does not tell what it said before"
    assert told(before) == ["open", "approved", "+sam", "edited after approval", "-sam"]
    assert (told(after), after.incomplete) == (["edited after approval", "open", "approved", "+sam"], "")


def test_an_edit_before_anybody_agreed_ends_nothing(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = state.write("dana", "Raise it", "")
    state.edit("dana", number, written(**TERMS))
    state.label("sam", number, "approved")
    assert words(url, "GL-1") == ["open", "approved", "+sam"]


def test_times_that_somebody_set_themselves_are_not_believed(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = approved(state)
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    state.items[ISSUES, number]["_notes"][-1]["created_at"] = "2026-01-01T00:00:00Z"
    assert {ticket.incomplete.split("; ")[0] for ticket in read(url, "GL-1")} == {
        "its history is not in order: somebody dated a part of it themselves"
    }


# --- half answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(8))
def test_half_an_answer_is_none(forge: tuple[GitLabState, str], at: int) -> None:
    state, url = forge
    approved(state)
    state.refuse = [*[None] * at, Response(500, b"oops")]
    found = system(url).lookup(["GL-1"], START, START + HOUR)
    assert (found.found, found.unanswered) == ((), (f"gitlab: {url}/api/v4/: answered 500: oops",))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(404, {"message": "404 Project Not Found"}), "answered 404"),
        (Response(200, {"message": "odd"}), "answered what we do not understand"),
        (Response(200, b"<html>Sign in</html>"), "answered what we do not understand"),
        (Response(429, {}, {"RateLimit-Remaining": "0", "Retry-After": "9"}), "it asks us to wait for 9 s"),
        (Response(401, {"error": "invalid_token"}), "does not accept our token"),
        (Response(302, {}, {"Location": "https://sso.example.com/"}), "redirects to https://sso.example.com/"),
    ],
)
def test_a_bad_answer_is_no_answer(forge: tuple[GitLabState, str], answer: Response, why: str) -> None:
    state, url = forge
    state.refuse = [answer]
    found = system(url).lookup(["GL-1"], START, START + HOUR)
    assert found.found == ()
    (said,) = found.unanswered
    assert said.startswith("gitlab: ")
    assert why in said
    assert "token-of-driftwarden" not in said


def test_long_lists_are_read_to_their_end(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = approved(state)
    for n in range(120):
        state.note("dana", number, f"{n}")
    state.edit("dana", number, written(**{**TERMS, "types": "*"}))
    assert [told(ticket)[-1] for ticket in read(url, "GL-1")] == ["-sam", "open"]


def test_a_history_that_is_too_long_says_so(forge: tuple[GitLabState, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = forge
    approved(state)
    number = approved(state)
    for n in range(51):
        state.note("mallory", number, f"{n}")
    monkeypatch.setattr(gitlab_adapter, "MOST_PAGES", 1)
    found = {ticket.ref: ticket for ticket in system(url).lookup([], START, START + HOUR).found}
    assert [told(ticket) for ticket in found.values()] == [["open", "approved", "+sam"], ["open"]]
    assert found[f"{PROJECT}#2"].incomplete.endswith("/issues/2/notes: more than 50 entries to look through")


# --- cases -----------------------------------------------------------------------------------------------------


def test_what_a_stranger_files_in_our_words_is_not_ours(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    ours = system(url)
    assert ours.find(CASE) is None
    ref = ours.open(CASE)
    assert ours.find(CASE) == ref
    state.turn("dana", 1, "closed")
    state.write("lee", "hush", state.items[ISSUES, 1]["description"], ("driftwarden",))
    assert system(url).find(CASE) is None
    assert ours.find(CASE) is None


def test_a_label_that_was_dropped_is_an_error(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    state.can_label = False
    with pytest.raises(TicketError, match="is filed without its label: our token may not set labels") as failed:
        system(url).open(CASE)
    assert failed.value.permanent


@pytest.mark.parametrize("act", ["update", "close"])
def test_a_connection_that_drops_after_the_commit_says_nothing_twice(forge: tuple[GitLabState, str], act: str) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    state.hang_up = f"POST /api/v4/projects/acme%2Fchanges/{ISSUES}/1/notes"
    with pytest.raises(TicketError, match="did not answer") as failed:
        getattr(ours, act)(ref, "once")
    assert not failed.value.permanent
    getattr(ours, act)(ref, "once")
    assert [unfenced(note["body"]) for note in state.items[ISSUES, 1]["_notes"]] == ["once"]
    assert state.items[ISSUES, 1]["state"] == ("closed" if act == "close" else "opened")


def test_quick_actions_in_a_case_are_read_and_not_obeyed(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    nasty = "```\n/close\n```\n/label ~approved\n  /close\n<details>\n/close\n</details>\n/close"
    state.write("dana", "the fake obeys", nasty)
    assert state.items[ISSUES, 1]["state"] == "closed"
    ours = system(url)
    ref = ours.open(Case(CaseKey("c0ffee"), f"/close {nasty}", (), "low", body=nasty))
    ours.update(ref, nasty)
    item = state.items[ISSUES, 2]
    assert (item["state"], item["labels"], item["_states"]) == ("opened", ["driftwarden"], [])
    for text in (item["description"], item["_notes"][0]["body"]):
        assert text.count("\n\\/close") >= 3
        assert not any(line.startswith("/") for line in text.split("\n"))


def test_replies_are_what_others_wrote_and_did_not_edit(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    ours = system(url)
    ref = ours.open(CASE)
    ours.update(ref, "reminder")
    state.note("dana", 1, "I did it\x1b[2J\r\nbecause.")
    edited = state.note("sam", 1, "I doubt that.")
    edited["updated_at"] = state.tick()
    state.note("lee", 1, "mentioned in commit 12", system=True)
    state.note("sam", 1, "Accepted.")
    replies = ours.replies(ref)
    assert [(one.by, one.text) for one in replies] == [
        ("dana", "I did it⟨U+001B⟩[2J\nbecause."),
        ("sam", "Accepted."),
    ]
    assert [one.text for one in ours.replies(ref, replies[1].at)] == ["Accepted."]
    with pytest.raises(TicketError, match="answered 404") as failed:
        ours.replies(f"{PROJECT}#7")
    assert failed.value.permanent


# --- commits ---------------------------------------------------------------------------------------------------


def asked(url: str, project: str = PROJECT, sha: str = SHA, **settings: Any) -> Merge | None:
    found, unanswered = system(url, **settings).merges([(project, sha)])
    assert unanswered == ()
    return found[0] if found else None


def test_what_a_forge_knows_of_a_commit(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    number = request(state)
    state.approve("sam", number)
    state.commit(SHA, "failed", "success")
    state.merge("lee", number, SHA)
    found = asked(url)
    assert found is not None
    assert (found.commit, found.system, found.repository, found.ref) == (SHA, "gitlab", PROJECT, "!1")
    assert (found.author, found.merged_by, found.checks) == ("dana", "lee", "passed")
    assert [event.approved_by for event in found.history] == ["sam"]
    assert found.merged_at is not None
    assert found.history[0].at < found.merged_at < datetime.now(UTC)
    assert found.references == ("CHG0001234",)
    assert asked(url, "") == found
    assert asked(url, "", projects=[PROJECT]) == found
    assert len(state.asked) == 3 * 4


def test_a_commit_that_no_request_brought_has_no_review(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    state.commit(SHA)
    assert asked(url) == Merge(SHA, "gitlab", PROJECT)
    state.commits[SHA]["requests"].append(request(state))
    assert asked(url) == Merge(SHA, "gitlab", PROJECT)


@pytest.mark.parametrize("sha", ["c" * 40, "a" * 7, "main", "../../user"])
def test_what_is_no_commit_is_in_neither_answer(forge: tuple[GitLabState, str], sha: str) -> None:
    assert system(forge[1]).merges([(PROJECT, sha)]) == ((), ())


def test_only_configured_projects_are_asked_about(forge: tuple[GitLabState, str]) -> None:
    state, url = forge
    state.commit(SHA)
    assert asked(url, projects=["acme/infra"]) is None
    assert asked(url, "no project") is None
    assert state.asked == []
    assert system(url).merges([("acme/other", SHA)]) == (
        (),
        (f'gitlab: acme/other: {SHA[:12]}: {url}/api/v4/: answered 404: {{"message": "404 Project Not Found"}}',),
    )


@pytest.mark.parametrize("at", range(4))
def test_one_commit_that_is_not_answered_does_not_silence_the_other(forge: tuple[GitLabState, str], at: int) -> None:
    state, url = forge
    number = request(state)
    for sha in (SHA, "b" * 40):
        state.commit(sha, "success")
    state.merge("lee", number, SHA)
    state.refuse = [*[None] * at, Response(500, b"oops")]
    found, unanswered = system(url).merges([(PROJECT, SHA), (PROJECT, "b" * 40)])
    assert [one.commit for one in found] == ["b" * 40]
    assert unanswered == (f"gitlab: {PROJECT}: {SHA[:12]}: {url}/api/v4/: answered 500: oops",)


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], "none"),
        (["success"], "passed"),
        (["success", "skipped"], "passed"),
        (["success", "failed"], "failed"),
        (["canceled"], "failed"),
        (["success", "running"], "pending"),
        (["manual"], "pending"),
        (["a status of tomorrow"], "pending"),
    ],
)
def test_checks_are_the_newest_pipeline_of_each_branch(statuses: list[str], said: str) -> None:
    found = [Pipeline(n, status, f"branch {n}", "push") for n, status in enumerate(statuses)]
    older = [Pipeline(-n, "failed", one.ref, one.source) for n, one in enumerate(found, 1)]
    assert checks([*found, *older]) == said


def test_a_configuration_opens_it() -> None:
    opened = open_system(Settings(token="x", project=PROJECT), Path())
    kept: TicketSystem = opened
    assert (kept.name, isinstance(opened, Forge)) == ("gitlab", True)
    with pytest.raises(TicketError, match="is not an http"):
        open_system(Settings(token="x", project=PROJECT, url="ftp://x"), Path())

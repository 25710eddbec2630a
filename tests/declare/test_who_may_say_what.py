"""Who may say what, when and about what: every shortcut is refused, and says what would be right."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from night import (
    CASE,
    DIRECTORY,
    GRANT,
    HOUR,
    MINUTE,
    NOW,
    ROLES,
    call,
    documented,
    ground,
    opened,
    reviewed,
    seen,
    source,
    speaker,
)

import agent.store
from agent.declare import (
    Accepted,
    Documented,
    Refused,
    Source,
    Unheard,
    accept,
    accepted,
    case_key,
    document,
    find,
    grant_of,
    needs_two,
    nonce,
    open_window,
    peer,
    released,
    reply,
    review,
    roles_of,
    spoken,
    writer,
)
from agent.declare.shown import lines, stage, told
from agent.declare.speakers import signer
from agent.emergency import fold
from agent.model import Acceptance, Arrival, Change, Document, Emergency, Opening, Review
from agent.people import Users
from agent.store import Store, connect
from agent.store.database import Database

LATER = NOW + HOUR


# --- who is who ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principals", "person"),
    [
        ("dana@example.org", "dana"),
        ("DANA@EXAMPLE.ORG", "dana"),
        ("dana.k,dana@example.org", "dana"),
        ("nobody@example.org", "nobody@example.org"),
        ("somebody,dana", "dana"),
    ],
)
def test_a_principal_is_a_person(principals: str, person: str) -> None:
    assert signer(principals, DIRECTORY, NOW, NOW, "").person == person


def test_a_name_of_two_people_is_nobodys() -> None:
    with pytest.raises(Refused, match="'dana, kim' is dana and kim in the identity map"):
        signer("dana,kim", DIRECTORY, NOW, NOW, "")
    with pytest.raises(Refused, match=r"'twin\.a' is other and twin"):
        writer("twin.a", DIRECTORY, NOW, NOW, "SEC-1 #2")


def test_a_ticket_systems_user_is_no_principal_of_aws() -> None:
    assert writer("dana.k", DIRECTORY, NOW, NOW, "SEC-1 #2").person == "dana"
    assert writer("dana@example.org", DIRECTORY, NOW, NOW, "SEC-1 #2").person == "dana@example.org"


@pytest.mark.parametrize(
    ("person", "roles"),
    [
        ("dana", {"documenter", "reviewer"}),
        ("kim", {"documenter", "reviewer", "approver", "admin"}),
        ("erik", {"documenter", "reviewer", "approver", "admin"}),
        ("alex", {"documenter", "reviewer", "approver"}),
        ("gone", set()),
        ("ops", set()),
        ("ci", set()),
        ("nobody", set()),
    ],
)
def test_roles(person: str, roles: set[str]) -> None:
    assert roles_of(person, DIRECTORY, ROLES, NOW) == roles


def test_roles_while_nobody_is_named() -> None:
    assert roles_of("kim", DIRECTORY, {}, NOW) == {"documenter", "reviewer"}
    assert roles_of("kim", DIRECTORY, {"reviewer": (), "admin": ("group:sre",)}, NOW) == {"documenter"}
    assert roles_of("gone", DIRECTORY, {}, NOW - 2 * HOUR) == {"documenter", "reviewer"}


# --- windows -------------------------------------------------------------------------------------------------


def test_a_window_is_opened_by_one_person_alone(store: Store) -> None:
    said = opened(reason="pager", roles=("arn:aws:iam::*:role/BreakGlass",), actors=("erik",))
    window = open_window(ground(store), speaker("dana"), said, source(said))
    assert (window.by.person, window.incident, window.until) == ("dana", "INC-7", NOW + 2 * HOUR)
    assert store.declarations.listed() == (window,)
    assert [event.kind for event in store.ledger.events()] == ["breakglass.opened"]
    assert grant_of(window.id).startswith("BG-")
    assert len(grant_of(window.id)) == 15


def test_saying_it_again_says_nothing_new(store: Store) -> None:
    said = opened()
    first = open_window(ground(store), speaker("dana"), said, source(said))
    again = open_window(ground(store), speaker("dana", LATER), said, source(said))
    assert first == again
    assert len(store.ledger.events()) == 1
    with pytest.raises(Refused, match="dana declared this, word for word, before"):
        open_window(ground(store), speaker("kim"), said, source(said))


@pytest.mark.parametrize(
    ("who", "fields", "says"),
    [
        (speaker("nobody"), {}, "nobody is not in the identity map"),
        (speaker("gone"), {}, r"gone is not valid on 2026-11-27 in the identity map"),
        (speaker("gone", NOW - 2 * HOUR, received_at=NOW), {"until": NOW}, "gone is not valid on"),
        (speaker("ops"), {}, "ops is a shared credential: nobody is accountable"),
        (speaker("ci"), {}, "ci is a service credential"),
        (speaker("dana"), {"incident": " "}, "incident must be filled in"),
        (speaker("dana"), {"incident": "-"}, "incident must be filled in"),
        (speaker("dana"), {"until": NOW}, "the window ended 2026-11-27 03:00 UTC, before it began"),
        (speaker("dana"), {"until": NOW - HOUR}, "the window ended"),
        (speaker("dana"), {"until": NOW + 13 * HOUR}, r"the window lasts 13 h 0 min, .* longest is 12h"),
        (speaker("dana"), {"actors": ("dana", "mallory")}, "actors: mallory is not in the identity map"),
        (speaker("dana"), {"actors": ("ops",)}, "actors: ops is a shared credential"),
    ],
)
def test_windows_that_are_refused(store: Store, who: Any, fields: Any, says: str) -> None:
    said = opened(**fields)
    with pytest.raises(Refused, match=says):
        open_window(ground(store), who, said, source(said))
    assert store.declarations.listed() == ()
    assert store.ledger.events() == ()


def test_a_window_that_is_over_counts_only_from_a_file(store: Store) -> None:
    said = opened()
    late = speaker("dana", NOW, received_at=NOW + 6 * HOUR)
    with pytest.raises(Refused, match="the window ended"):
        open_window(ground(store), late, said, source(said))
    assert open_window(ground(store), late, said, source(said, offline=True)).offline


def test_whoever_opens_must_be_able_to_document(store: Store) -> None:
    said = opened()
    with pytest.raises(Refused, match=r"dana has no role documenter; \[authority.roles\] gives it to group:leads"):
        open_window(ground(store, roles={"documenter": ("group:leads",)}), speaker("dana"), said, source(said))


# --- documents -----------------------------------------------------------------------------------------------


def test_whoever_acted_documents(store: Store) -> None:
    seen(store, call())
    said = documented(way_back="codify", outage=" The tracker was down. ")
    account = document(ground(store), speaker("dana", LATER), said, source(said))
    assert document(ground(store), speaker("dana", LATER + HOUR), said, source(said)) == account
    assert (account.case, account.way_back, account.outage) == (CASE, "codify", "The tracker was down.")
    assert account.on_behalf_of == ()
    assert find(store, GRANT).document == account
    assert store.ledger.events()[-1].kind == "breakglass.documented"


@pytest.mark.parametrize("name", [CASE, GRANT, case_key(GRANT), "DW-abcdef012345", "SEC-1"])
def test_a_case_goes_by_several_names(store: Store, name: str) -> None:
    seen(store, call(), ticket="SEC-1")
    said = documented(case=name)
    assert document(ground(store), speaker("dana", LATER), said, source(said)).case == CASE


def test_somebody_else_documents_for_whoever_acted(store: Store) -> None:
    seen(store, call())
    said = documented()
    with pytest.raises(Refused, match="erik has no role documenter"):
        document(ground(store, roles={"documenter": ("kim",)}), speaker("erik", LATER), said, source(said))
    account = document(ground(store, roles={"documenter": ("kim",)}), speaker("kim", LATER), said, source(said))
    assert (account.by.person, account.on_behalf_of) == ("kim", ("dana",))


def test_whoever_acted_may_document_without_the_role(store: Store) -> None:
    seen(store, call())
    said = documented()
    assert document(ground(store, roles={"documenter": ("kim",)}), speaker("dana", LATER), said, source(said))


def test_a_window_nobody_used_yet_is_documented_by_its_name(store: Store) -> None:
    """As a document that is signed before the first scan."""
    said = opened(actors=("erik",))
    window = open_window(ground(store), speaker("dana"), said, source(said))
    told = documented(case=grant_of(window.id))
    only_kim = ground(store, roles={"documenter": ("kim",)})
    account = document(only_kim, speaker("erik", LATER), told, source(told))
    assert (account.case, account.on_behalf_of) == (case_key(grant_of(window.id)), ())
    # The case that a scan opens meanwhile has another key, where one was opened before for the same calls.
    seen(store, call(actor="erik"), grant=grant_of(window.id))
    assert find(store, CASE).document == account
    assert find(store, CASE).openings == (window,)


@pytest.mark.parametrize("field", ["why", "incident", "done", "told"])
@pytest.mark.parametrize("text", ["", " \n-."])
def test_every_field_is_filled_in(store: Store, field: str, text: str) -> None:
    seen(store, call())
    said = documented(**{field: text})
    with pytest.raises(Refused, match=f"{field} must be filled in"):
        document(ground(store), speaker("dana", LATER), said, source(said))


@pytest.mark.parametrize(
    ("case", "who", "says"),
    [
        ({}, speaker("mallory", LATER), "mallory is not in the identity map"),
        ({}, speaker("ops", LATER), "ops is a shared credential"),
        ({"grant": ""}, speaker("dana", LATER), r"is not break-glass: it is reviewed"),
        ({}, speaker("dana", NOW - MINUTE), "dated 2026-11-27 02:59 UTC, before the first call at 2026-11-27 03:00"),
    ],
)
def test_documents_that_are_refused(store: Store, case: Any, who: Any, says: str) -> None:
    seen(store, call(), **case)
    said = documented()
    with pytest.raises(Refused, match=says):
        document(ground(store), who, said, source(said))
    assert store.declarations.listed() == ()


def test_a_shared_credential_that_acted_documents_nothing(store: Store) -> None:
    seen(store, call(actor="ops"))
    said = documented()
    with pytest.raises(Refused, match="ops is a shared credential"):
        document(ground(store), speaker("ops", LATER), said, source(said))


def test_a_case_nobody_knows(store: Store) -> None:
    said = documented(case="BG-000000000000")
    with pytest.raises(Unheard, match="no case 'BG-000000000000'"):
        document(ground(store), speaker("dana"), said, source(said))
    with pytest.raises(Unheard):
        find(store, "")


def test_a_name_of_two_cases_is_no_name(store: Store) -> None:
    seen(store, call(), ticket="SEC-1")
    seen(store, call("e2"), key="abcdef9999", grant="BG-2", ticket="SEC-1")
    for name in ("SEC-1", "DW-abcdef"):
        with pytest.raises(Refused, match=r"is 2 cases \(abcdef0123456789, abcdef9999\)"):
            find(store, name)


def test_after_acceptance_the_document_stands(store: Store) -> None:
    seen(store, call())
    where, said, judged = ground(store), documented(), reviewed()
    document(where, speaker("dana", NOW + HOUR), said, source(said))
    review(where, speaker("kim", NOW + 2 * HOUR), judged, source(judged))
    anew = documented(why="Another reason.")
    with pytest.raises(Refused, match=r"was accepted by kim 2026-11-27 05:00 UTC: its document stands"):
        document(where, speaker("dana", NOW + 3 * HOUR), anew, source(anew))
    # Unless something was done after it.
    seen(store, call(), call("e2", at=NOW + 4 * HOUR), at=NOW + 5 * HOUR)
    assert document(where, speaker("dana", NOW + 5 * HOUR), anew, source(anew)) == find(store, CASE).document


# --- reviews -------------------------------------------------------------------------------------------------


def documented_case(store: Store, by: str = "dana") -> Document:
    seen(store, call())
    said = documented()
    return document(ground(store), speaker(by, LATER), said, source(said))


@pytest.mark.parametrize("who", ["kim", "alex"])
def test_somebody_else_reviews(store: Store, who: str) -> None:
    documented_case(store)
    said = reviewed(reason="")
    judged = review(ground(store), speaker(who, LATER + MINUTE), said, source(said))
    assert (judged.case, judged.accepted) == (CASE, True)
    assert find(store, CASE).accepted
    assert store.ledger.events()[-1].kind == "breakglass.reviewed"


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ("dana", "dana acted in case abcdef0123456789: somebody else reviews it"),
        ("gone", "gone is not valid on"),
        ("ops", "ops is a shared credential"),
        ("nobody", "nobody is not in the identity map"),
    ],
)
def test_reviews_that_are_refused(store: Store, who: str, says: str) -> None:
    documented_case(store)
    said = reviewed()
    with pytest.raises(Refused, match=says):
        review(ground(store), speaker(who, LATER + MINUTE), said, source(said))
    assert len(store.declarations.listed()) == 1


def test_self_review_under_another_name(store: Store) -> None:
    """Whoever the map knows by two names is one; an actor it did not know is still known by their name."""
    seen(store, call(actor="dana@example.org", known=False))
    said, judged = documented(), reviewed()
    document(ground(store), speaker("erik", LATER), said, source(said))
    by_ticket = writer("dana.k", DIRECTORY, LATER + MINUTE, LATER + MINUTE, "SEC-1 #3")
    with pytest.raises(Refused, match="dana acted in case"):
        review(ground(store), by_ticket, judged, source(judged))
    with pytest.raises(Refused, match="erik wrote the document"):
        review(ground(store), speaker("erik", LATER + MINUTE), judged, source(judged))


def test_whoever_opened_the_window_does_not_review_it(store: Store) -> None:
    said = opened(actors=("erik",))
    window = open_window(ground(store), speaker("dana"), said, source(said))
    seen(store, call(actor="erik"), grant=grant_of(window.id))
    told, judged = documented(), reviewed()
    document(ground(store), speaker("erik", LATER), told, source(told))
    with pytest.raises(Refused, match="dana acted in case"):
        review(ground(store), speaker("dana", LATER + MINUTE), judged, source(judged))


def test_whoever_acted_in_an_earlier_scan_still_acted(store: Store) -> None:
    """The finding, seen again, shows only the calls of the window of the last scan."""
    seen(store, call("e1", "dana"), call("e2", "erik"))
    seen(store, call("e2", "erik"), at=NOW + 10 * HOUR, events=("e1", "e2"))
    said, judged = documented(), reviewed()
    document(ground(store), speaker("erik", NOW + 11 * HOUR), said, source(said))
    with pytest.raises(Refused, match="dana acted in case"):
        review(ground(store), speaker("dana", NOW + 12 * HOUR), judged, source(judged))
    assert find(store, CASE).actors() == ("dana", "erik")


def test_a_case_whose_actors_cannot_be_told_is_not_reviewed(store: Store) -> None:
    seen(store, call(), events=("e9",))
    said, judged = documented(), reviewed()
    document(ground(store), speaker("dana", LATER), said, source(said))
    with pytest.raises(Refused, match="who acted in case abcdef0123456789 cannot be told any more"):
        review(ground(store), speaker("kim", LATER + MINUTE), judged, source(judged))


def test_nothing_is_reviewed_before_it_is_documented(store: Store) -> None:
    seen(store, call())
    said = reviewed()
    with pytest.raises(Refused, match="is not documented yet: there is nothing to review"):
        review(ground(store), speaker("kim", LATER), said, source(said))
    window = opened()
    grant = grant_of(open_window(ground(store), speaker("dana"), window, source(window)).id)
    told, said = documented(case=grant), reviewed(case=grant)
    document(ground(store), speaker("dana", LATER), told, source(told))
    with pytest.raises(Refused, match="no scan has seen the calls of"):
        review(ground(store), speaker("kim", LATER), said, source(said))


def test_a_review_dated_before_the_document(store: Store) -> None:
    documented_case(store)
    said = reviewed()
    with pytest.raises(Refused, match=r"dated 2026-11-27 03:30 UTC, before the document, 2026-11-27 04:00"):
        review(ground(store), speaker("kim", NOW + HOUR / 2, received_at=LATER), said, source(said))


def test_what_was_done_after_the_document_is_documented_first(store: Store) -> None:
    documented_case(store)
    seen(store, call(), call("e2", at=LATER + MINUTE), at=LATER + HOUR)
    said = reviewed()
    with pytest.raises(Refused, match=r"a call was made 2026-11-27 04:01 UTC, after the document of"):
        review(ground(store), speaker("kim", LATER + HOUR), said, source(said))


def test_a_rejected_document_is_written_anew(store: Store) -> None:
    documented_case(store)
    no, yes = reviewed(accepted=False, reason="Who is 'the team'?"), reviewed()
    with pytest.raises(Refused, match="reason must be filled in"):
        empty = reviewed(accepted=False, reason=" ")
        review(ground(store), speaker("kim", LATER), empty, source(empty))
    review(ground(store), speaker("kim", LATER), no, source(no))
    assert find(store, CASE).rejected
    with pytest.raises(Refused, match=r"was rejected by kim .*: a new one is needed first"):
        review(ground(store), speaker("erik", LATER + MINUTE), yes, source(yes))
    anew = documented(told="kim, erik")
    document(ground(store), speaker("dana", LATER + HOUR), anew, source(anew))
    assert review(ground(store), speaker("erik", LATER + 2 * HOUR), yes, source(yes)).accepted
    twice = reviewed()
    with pytest.raises(Refused, match=r"was accepted by erik .* already"):
        review(ground(store), speaker("kim", LATER + 3 * HOUR), twice, source(twice))


def test_the_review_after_the_work_comes_last(store: Store) -> None:
    documented_case(store)
    early, first, last = (reviewed(post_implementation=at != 1) for at in range(3))
    with pytest.raises(Refused, match="is not accepted yet: the review after the work comes after that"):
        review(ground(store), speaker("kim", LATER), early, source(early))
    review(ground(store), speaker("kim", LATER + MINUTE), first, source(first))
    judged = review(ground(store), speaker("erik", LATER + HOUR), last, source(last))
    assert find(store, CASE).post_implementation == judged


def test_an_ordinary_case_is_reviewed_with_a_reason(store: Store) -> None:
    seen(store, call(), grant="")
    empty, said = reviewed(reason=""), reviewed()
    with pytest.raises(Refused, match="reason must be filled in"):
        review(ground(store), speaker("kim", LATER), empty, source(empty))
    with pytest.raises(Refused, match="dana acted in case"):
        review(ground(store), speaker("dana", LATER), said, source(said))
    review(ground(store), speaker("kim", LATER), said, source(said))
    assert store.ledger.events()[-1].kind == "case.reviewed"


def test_a_held_case_is_accepted_before_it_is_reviewed(store: Store) -> None:
    seen(store, call(), held=True)
    said = reviewed()
    with pytest.raises(Refused, match="is held: two people accept it first"):
        review(ground(store), speaker("kim", LATER), said, source(said))


def test_the_same_words_in_two_replies_are_two_reviews(store: Store) -> None:
    seen(store, call(), grant="")
    text = "driftwarden review: reject nobody told us"
    said = reviewed(accepted=False)
    first, again, second = (reply("SEC-1", number, text) for number in ("msg7", "msg7", "msg9"))
    where = ground(store)
    assert review(where, speaker("kim", LATER), said, first) == review(where, speaker("kim", LATER), said, again)
    assert review(where, speaker("kim", LATER + HOUR), said, second).id != find(store, CASE).key
    assert len(store.declarations.listed()) == 2
    assert store.declarations.statement(store.declarations.listed()[0].id) == f"SEC-1 msg7\n{text}"


def test_the_line_draws_the_same_conclusions(store: Store) -> None:
    """What the commands show at once, and what the next scan makes of it."""

    def state(*calls: Change) -> tuple[str, str]:
        """By the line, and by the store alone."""
        now = NOW + 20 * HOUR
        (one,) = fold(
            calls,
            store.declarations.listed(),
            (),
            store.cases.open(),
            now,
            document_within=24 * HOUR,
            environments_of=lambda _: (),
            users=Users(DIRECTORY),
        )
        assert one.id == grant_of(window.id)
        return one.state, stage(find(store, one.id), now)

    said, told, no, again, yes = opened(), documented(), reviewed(accepted=False), documented(), reviewed()
    window = open_window(ground(store), speaker("dana"), said, source(said))
    first = call(at=NOW + MINUTE)
    seen(store, first, grant=grant_of(window.id))
    assert state(first) == ("awaiting-document",) * 2
    document(ground(store), speaker("dana", LATER), told, source(told))
    assert state(first) == ("awaiting-review",) * 2
    review(ground(store), speaker("kim", LATER + MINUTE), no, source(no))
    assert state(first) == ("rejected",) * 2
    document(ground(store), speaker("dana", LATER + 2 * MINUTE), again, source(again))
    assert state(first) == ("awaiting-review",) * 2
    review(ground(store), speaker("kim", LATER + 3 * MINUTE), yes, source(yes))
    assert state(first) == ("accepted", "way-back")
    more = call("e2", at=LATER + 4 * MINUTE)
    seen(store, first, more, grant=grant_of(window.id))
    assert state(first, more) == ("awaiting-document",) * 2


def kept(said: Document, judged: Review, **fields: Any) -> Emergency:
    """An emergency of dana's call as a scan left it with its case."""
    given = {"state": "awaiting-review", "document": said, **fields}
    return Emergency(GRANT, CASE, "dana", "a role", NOW, NOW, NOW + 24 * HOUR, ("e1",), earlier=(judged,), **given)


def test_what_arrived_after_a_review_is_reviewed_again(store: Store) -> None:
    wrote, said = documented_case(store), reviewed()
    judged = review(ground(store), speaker("kim", LATER + HOUR), said, source(said))
    assert find(store, CASE).accepted
    came = (Arrival(LATER, 1), Arrival(LATER + 2 * HOUR, 3), Arrival(LATER + 3 * HOUR, 1))
    seen(store, call(), stage="awaiting-review", emergencies=(kept(wrote, judged, arrivals=came),))
    matter = find(store, CASE)
    assert (matter.accepted, matter.unseen, stage(matter, NOW)) == (False, 4, "awaiting-review")
    assert "  4 calls arrived after it: it does not cover them, and somebody reviews again" in lines(matter, NOW)
    assert told(matter, NOW)["unseen"] == 4
    again = reviewed(reason="All six.")
    review(ground(store), speaker("erik", LATER + 4 * HOUR), again, source(again))
    matter = find(store, CASE)
    assert (matter.accepted, matter.unseen, stage(matter, NOW)) == (True, 0, "way-back")
    # The one before is there to be read.
    shown = list(lines(matter, NOW))
    first = shown.index("Earlier review: accepted by kim 2026-11-27 05:00 UTC (signed as kim)")
    assert shown[first + 1] == "  I saw the calls."
    assert told(matter, NOW)["earlier_reviews"][0]["by"] == "kim"


def test_a_review_that_a_scan_found_not_to_be_enough_is_followed_by_another(store: Store) -> None:
    """Kim made another change that the case holds: somebody else has to review it too."""
    wrote, said = documented_case(store), reviewed()
    judged = review(ground(store), speaker("kim", LATER + HOUR), said, source(said))
    one = replace(kept(wrote, judged, state="accepted", review=judged), earlier=())
    seen(store, call(), stage="awaiting-review", emergencies=(one,))
    again = reviewed()
    assert review(ground(store), speaker("erik", LATER + 2 * HOUR), again, source(again)).accepted
    seen(store, call(), stage="way-back", emergencies=(one,))
    assert find(store, CASE).accepted


def test_what_a_scan_brings_while_a_review_is_written_down_is_not_reviewed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented_case(store)
    turn = agent.store.exclusive

    @contextlib.contextmanager
    def after_a_scan(database: Database, what: str) -> Iterator[None]:
        assert what == "line"
        with turn(database, what):
            seen(store, call(), call("e2"))
            yield

    said = reviewed()
    with monkeypatch.context() as patched:
        patched.setattr(agent.store, "exclusive", after_a_scan)
        with pytest.raises(Refused, match=f"^more calls came into case {CASE} meanwhile: look at it"):
            review(ground(store), speaker("kim", LATER + HOUR), said, source(said))
    assert find(store, CASE).review is None
    assert review(ground(store), speaker("kim", LATER + HOUR), said, source(said)).accepted


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["document", "accept", "reject", "call"]), st.sampled_from(["dana", "kim", "erik", "mallory"])
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_whatever_is_tried_in_whatever_order(empty: Path, tmp_path: Path, acts: list[tuple[str, str]]) -> None:
    """Nothing is accepted that was not documented since the last call, or by anybody who acted or wrote it."""
    shutil.copy(empty, tmp_path / "tried.db")
    calls = [call()]
    with connect(f"sqlite:///{tmp_path}/tried.db") as store:
        seen(store, *calls)
        for number, (act, who) in enumerate(acts, 1):
            at = NOW + number * HOUR
            if act == "call":
                calls.append(call(f"e{number + 1}", who, at, known=who != "mallory"))
                seen(store, *calls, at=at)
                continue
            said = documented() if act == "document" else reviewed(accepted=act == "accept")
            with contextlib.suppress(Refused):
                if isinstance(said, Documented):
                    document(ground(store), speaker(who, at), said, source(said))
                else:
                    review(ground(store), speaker(who, at), said, source(said))
        matter = find(store, CASE)
        if matter.accepted:
            assert matter.document is not None
            assert matter.review is not None
            acted = {one.actor.name for one in calls}
            assert matter.review.by.person not in acted | {matter.document.by.person, "mallory"}
            assert max(one.time for one in calls) <= matter.document.by.said_at <= matter.review.by.said_at
        assert {one.by.person for one in store.declarations.listed()} <= {"dana", "kim", "erik"}


# --- two people ----------------------------------------------------------------------------------------------

DIGEST = "authority " + "a" * 64


def accepting(store: Store, person: str, *what: str, at: Any = LATER, **more: Any) -> tuple[Acceptance, ...]:
    said = Accepted(at=at, estate="shop", nonce=nonce(), what=what)
    return accept(ground(store), speaker(person, at, **more), said, source(said))


def test_a_hold_is_released_by_two_people(store: Store) -> None:
    seen(store, call(), held=True)
    what = f"hold {CASE}"
    accepting(store, "kim", what)
    assert released(store) == ()
    with pytest.raises(Refused, match="kim accepted 'hold abcdef0123456789' 2026-11-27 04:00 UTC: it takes another"):
        accepting(store, "kim", what, principal="kim@example.org", evidence="another key")
    accepting(store, "erik", what)
    assert {one.by.person for one in accepted(store, what)} == {"kim", "erik"}
    assert released(store) == (CASE,)
    assert [event.kind for event in store.ledger.events()][-2:] == ["hold.accepted", "hold.accepted"]


def test_a_user_who_is_moved_to_another_person_is_not_two(store: Store) -> None:
    """Whoever edits the identity map, or `[daemon] people`, makes nobody of one Unix user two people."""
    for person in ("kim", "erik"):
        one = peer("mallory", 1001, {"uid:1001": person}, DIRECTORY, LATER, "pid 7")
        said = Accepted(at=LATER, estate="shop", nonce=nonce(), what=(DIGEST,))
        with contextlib.suppress(Refused):
            spoken(ground(store), one, said, LATER)
    assert [one.by.person for one in accepted(store, DIGEST)] == ["kim"]


def test_several_holds_at_once_or_none(store: Store) -> None:
    seen(store, call(), held=True)
    seen(store, call("e2"), held=True, key="bbbbbb0123456789")
    with pytest.raises(Refused, match="case cccccc is not held"):
        accepting(store, "kim", f"hold {CASE}", "hold cccccc")
    seen(store, call("e3"), key="cccccc0123456789", grant="")
    with pytest.raises(Refused, match="case cccccc0123456789 is not held"):
        accepting(store, "kim", f"hold {CASE}", "hold cccccc0123456789")
    assert store.declarations.listed() == ()
    for person in ("kim", "erik"):
        assert len(accepting(store, person, f"hold {CASE}", "hold bbbbbb0123456789", f"hold {CASE}")) == 2
    assert set(released(store)) == {CASE, "bbbbbb0123456789"}


def test_what_was_accepted_once_is_not_accepted_for_ever(store: Store) -> None:
    """A case that is held again is another flood."""
    seen(store, call(), held=True)
    accepting(store, "kim", f"hold {CASE}")
    accepting(store, "erik", f"hold {CASE}")
    seen(store, call(), at=NOW + 2 * HOUR, grant="")
    assert accepted(store, f"hold {CASE}") == ()
    assert released(store) == ()


@pytest.mark.parametrize(
    ("person", "what", "says"),
    [
        ("dana", DIGEST, r"dana has no role admin; \[authority.roles\] gives it to kim, group:leads"),
        ("alex", DIGEST, "alex has no role admin"),
        ("nobody", DIGEST, "nobody is not in the identity map"),
        ("dana", f"hold {CASE}", "dana has no role approver"),
        ("kim", "hold 99", "case 99 is not held|no case '99'"),
        ("kim", "hold ", "'hold ' is nothing that can be accepted"),
        ("kim", "authority abc", "is nothing that can be accepted"),
        ("kim", "prune 2026-13-01", "is nothing that can be accepted"),
        ("kim", "prune 20261101", "is nothing that can be accepted"),
        ("kim", "everything", "is nothing that can be accepted"),
    ],
)
def test_acceptances_that_are_refused(store: Store, person: str, what: str, says: str) -> None:
    seen(store, call(), held=True)
    with pytest.raises(Refused, match=says):
        accepting(store, person, what)
    with pytest.raises(Refused, match="nothing is named"):
        accepting(store, "kim")


@pytest.mark.parametrize("actors", [(), ("dana", "kim")])
def test_whoever_made_the_flood_does_not_accept_it(store: Store, actors: tuple[str, ...]) -> None:
    seen(store, call(actor="kim"), held=True, actors=actors)
    with pytest.raises(Refused, match="kim acted in case"):
        accepting(store, "kim", f"hold {CASE}")


def test_who_must_accept_what() -> None:
    assert needs_two("hold x") == "approver"
    assert {needs_two(what) for what in (DIGEST, "restore " + "b" * 64, "prune 2026-11-01")} == {"admin"}


def test_declarations_of_every_kind_are_of_the_model(store: Store) -> None:
    seen(store, call(), held=True, key="dddddd0123456789")
    said = opened()
    open_window(ground(store), speaker("dana"), said, Source(b"{}"))
    accepting(store, "kim", "hold dddddd0123456789", DIGEST)
    documented_case(store)
    judged = reviewed()
    review(ground(store), speaker("kim", LATER + timedelta(1)), judged, source(judged))
    kinds = {type(one) for one in store.declarations.listed()}
    assert kinds == {Opening, Document, Acceptance, Review}
    assert store.ledger.verify().faults == ()

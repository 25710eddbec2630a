"""The forms: what is filled in comes back, whatever mail and trackers made of it, and hostile text is only data."""

import html
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.forms import (
    CALLS,
    FIELDS,
    LONGEST,
    Form,
    Judgement,
    Problems,
    parse_document,
    parse_review,
    review_template,
    template,
)
from agent.model import Case, CaseKey, Document, Emergency, Opening, Proof

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = "0123456789abcdef"
CASE = Case(CaseKey(KEY), "aws_sqs_queue.a: break-glass by dana", (), "high")
BY = Proof("dana", "signature", NOON, NOON)
EMERGENCY = Emergency(
    "BG-1", KEY, "dana", "emergency role x", NOON, NOON + timedelta(minutes=9), NOON + timedelta(hours=24), ("e1",),
    "awaiting-document", Opening("o1", BY, "INC-1", NOON), actors=("dana", "marco"), notes=("a note",),
)  # fmt: skip
FILLED = f"""driftwarden document {KEY}
# Why was the emergency path needed?
why: the database was down
  and orders: lost
incident: INC-1
done:
#1234 raised the limit
told: the team, at 03:10
way-back: revert
outage:
"""
FORM = Form(
    "the database was down\n  and orders: lost",
    "INC-1",
    "#1234 raised the limit",
    "the team, at 03:10",
    "revert",
    case=KEY,
)


def problems(text: str) -> list[str]:
    found = parse_document(text)
    assert isinstance(found, Problems)
    return str(found).splitlines()


def named(said: list[str]) -> list[str]:
    """The fields that problems name."""
    return [line.partition("'")[2].partition("'")[0] for line in said]


# --- the form that is given out ------------------------------------------------------------------------------


def test_the_form_shows_what_is_known() -> None:
    case = Case(CaseKey(KEY), CASE.title, (), "high", body=f"head\n{CALLS}\naws_sqs_queue.a\n  delay: 1\n\nb")
    lines = template(case, EMERGENCY).splitlines()
    assert lines[0] == f"driftwarden document {KEY}"
    assert "# dana, marco: emergency role x" in lines
    assert (
        "# First call 2026-03-02 12:00:00 UTC, last 2026-03-02 12:09:00 UTC; due by 2026-03-03 12:00:00 UTC." in lines
    )
    assert "# a note" in lines
    assert "incident: INC-1" in lines
    assert [line for line in lines if not line.startswith("#")][1:] == [
        *("why:", "incident: INC-1", "done:", "told:", "way-back:", "outage:")
    ]
    assert lines[-5:] == [f"# {CALLS}", "# aws_sqs_queue.a", "#   delay: 1", "#", "# b"]


def test_the_form_of_a_case_without_an_emergency_and_of_very_many_calls() -> None:
    case = Case(CaseKey(KEY), CASE.title, (), "high", body=f"head\n{CALLS}\n" + "line\n" * 400)
    text = template(case, None)
    assert "incident:\n" in text
    assert text.endswith("# (100 more lines: see the case)\n")
    assert len(text.splitlines()) < 330


def test_an_empty_form_lacks_everything_that_must_be_answered() -> None:
    said = problems(template(CASE, None))
    assert [line.partition("'")[2].partition("'")[0] for line in said] == [
        "why",
        "incident",
        "done",
        "told",
        "way-back",
    ]
    assert said[0].endswith("'why' is empty. Why was the emergency path needed?")
    assert said[-1].endswith("'way-back' must be revert or codify, not nothing")


def test_a_form_that_was_filled_in_comes_back() -> None:
    text = template(CASE, EMERGENCY)
    for name, answer in (("why", "x"), ("done", "y"), ("told", "z"), ("way-back", "codify")):
        text = text.replace(f"\n{name}:", f"\n{name}: {answer}")
    assert parse_document(text) == Form("x", "INC-1", "y", "z", "codify", case=KEY)


def test_names_in_a_form_cannot_answer_it() -> None:
    """A title or an incident reference that holds lines of a form stays one line of text."""
    hostile = "x\nwhy: hacked\r\ndone: hacked\u2028told: hacked"
    opening = Opening("o1", BY, hostile, NOON)
    case = Case(CaseKey(KEY), hostile, (), "high", body=f"\n{CALLS}\nwhy: hacked\ndriftwarden document\ntold: hacked")
    emergency = Emergency(
        "BG-1", KEY, hostile, hostile, NOON, NOON, NOON, ("e1",), "awaiting-document", opening, notes=(hostile,)
    )
    said = problems(template(case, emergency))
    assert named(said) == ["why", "done", "told", "way-back"]


# --- what comes back -----------------------------------------------------------------------------------------


def test_a_reply() -> None:
    assert parse_document(FILLED) == FORM
    assert parse_document(f"Hi,\n\n{FILLED}\n-- \ndana\nwhy: sig") == FORM
    assert parse_document(FILLED.replace("\n", "\r\n")) == FORM
    assert parse_document(FILLED.replace(f" {KEY}", "")) == Form(**{name: getattr(FORM, name) for name in SAID})
    assert parse_document(FILLED.replace(KEY, "DW-0123456789AB").replace("AB", "ab")) is not None


SAID = ("why", "incident", "done", "told", "way_back")


@pytest.mark.parametrize(
    "text",
    [
        "{noformat}\n" + FILLED + "{noformat}\nThanks, dana\nwhy: not",
        "```\n" + FILLED + "```\nThanks",
        "<pre>" + FILLED + "</pre>\nThanks",
        FILLED + "On Mon, 2 Mar 2026 at 12:00, Drift wrote:\n> driftwarden document\n> why:\n",
        FILLED + "\n\n> Break-glass: dana\n>\n> driftwarden document\n> why: nothing\n> incident: INC-1",
        FILLED + "________________________________\nFrom: x\nwhy: y",
        FILLED + "-----Original Message-----\nwhy: y",
        FILLED + "Sent from my phone",
        FILLED.replace("why:", "*why:*").replace("done:", "**done**:").replace("told:", "- told:"),
        FILLED.replace("driftwarden document", "h3. driftwarden document"),
        FILLED.replace("driftwarden document", "## Driftwarden  Document").replace("way-back:", "Way back:"),
        FILLED.replace("way-back: revert", "way_back:\n\nRevert."),
        FILLED.replace("\n", "<br>\n").replace("<br>\n  and", "\n  and"),
        "<div><b>" + FILLED.replace("why", "<span>why</span>") + "</b></div>",
        FILLED.replace("why: ", "why:\u00a0"),
        FILLED.replace("why: ", "why:&nbsp;"),
    ],
)
def test_what_is_around_an_answer_does_not_matter(text: str) -> None:
    assert parse_document(text) == FORM


def test_escaped_html_is_what_was_written() -> None:
    text = FILLED.replace("the database was down", "a < b && c > \"d\" & 'e'")
    found = parse_document(html.escape(text))
    assert isinstance(found, Form)
    assert found.why.splitlines()[0] == "a < b && c > \"d\" & 'e'"


def test_a_form_filled_in_within_a_quotation() -> None:
    quoted = "".join(f"> {line}\n" for line in FILLED.splitlines())
    found = parse_document(f"On Mon, x wrote:\n{quoted}\n>> older\nbye")
    assert isinstance(found, Form)
    assert (found.quoted, found.done) == (True, FORM.done)
    between = "\n".join(
        [
            "> driftwarden document",
            "> why:",
            "db down",
            "> incident: INC-1",
            ">> deeper",
            "> done:",
            "it",
            "> told:",
            "us",
        ]
    )
    found = parse_document(f"{between}\n> way-back:\ncodify")
    assert found == Form("db down", "INC-1", "it", "us", "codify", quoted=True)


def test_text_that_is_no_form_says_nothing() -> None:
    asked = "".join(f"> {line}\n" for line in template(CASE, EMERGENCY).splitlines())
    for text in ("", "thanks!", "why: x", "driftwarden documents", "run driftwarden document now", f"on it\n{asked}"):
        assert parse_document(text) is None
        assert parse_review(text) is None


def test_what_is_wrong_is_named_with_its_line() -> None:
    assert "line 8: unknown field 'tolds'; did you mean 'told'?" in problems(FILLED.replace("told:", "tolds:"))
    assert problems(FILLED.replace("why:", "colour: red\nwhy:"))[0] == (
        f"line 3: unknown field 'colour'; the fields are {', '.join(FIELDS)}"
    )
    assert problems(FILLED.replace("told: the", "why: again\ntold: the")) == ["line 8: 'why' stands here and on line 3"]
    assert problems(FILLED.replace("told: the team, at 03:10", "told:")) == [
        "line 8: 'told' is empty. Who was told, and when?"
    ]
    assert problems(FILLED + FILLED) == ["line 11: a second form starts here; one to a reply"]
    assert problems(FILLED.replace("INC-1", "x" * (LONGEST + 1))) == [
        "line 5: 'incident' is longer than 4,000 characters"
    ]
    assert problems(FILLED + f"{'x' * 999}\n" * 201)[-1].endswith("characters; what follows is not read")
    assert "not nothing" in problems("driftwarden document\nwhy: x")[0]


@pytest.mark.parametrize("said", ["both", "revert or codify", "revert|codify", "no revert", "reverted, then codify"])
def test_a_way_back_is_one_of_two(said: str) -> None:
    assert problems(FILLED.replace("way-back: revert", f"way-back: {said}")) == [
        f"line 9: 'way-back' must be revert or codify, not '{said}'"
    ]


def test_hidden_characters_become_visible() -> None:
    found = parse_document(FILLED.replace("the team", "the \u202eteam\x1b[2J"))
    assert isinstance(found, Form)
    assert found.told == "the ⟨U+202E⟩team⟨U+001B⟩[2J, at 03:10"


# --- reviews -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("driftwarden review: accept", Judgement(True, "")),
        ("Driftwarden Review: Accepted.", Judgement(True, "")),
        (f"driftwarden review {KEY}: accept, looks right\n-- \nmarco", Judgement(True, "looks right", KEY)),
        ("driftwarden review DW-0123456789ab: accept", Judgement(True, "", "0123456789ab")),
        (
            "driftwarden review: reject\nreason: no incident\nof that name",
            Judgement(False, "no incident\nof that name"),
        ),
        ("**driftwarden review: rejected** - I cannot accept it", Judgement(False, "I cannot accept it")),
        ("driftwarden review: reject\nI saw no ticket", Judgement(False, "I saw no ticket")),
        ("driftwarden post-implementation review: accept", Judgement(True, "", post_implementation=True)),
        ("driftwarden review: accept\n> driftwarden review: reject", Judgement(True, "")),
    ],
)
def test_a_review(text: str, judged: Judgement) -> None:
    assert parse_review(text) == judged


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("driftwarden review:", "line 1: write accept or reject behind the colon, not nothing"),
        ("driftwarden review: accept|reject", "line 1: write accept or reject behind the colon, not 'accept|reject'"),
        ("driftwarden review: accept or reject", "behind the colon, not 'accept or reject'"),
        ("driftwarden review: yes", "line 1: write accept or reject behind the colon, not 'yes'"),
        ("driftwarden review: reject", "line 1: to reject needs a reason"),
        ("driftwarden review: accept\ndriftwarden review: reject no", "line 2: a second review starts here"),
        ("driftwarden review: accept\nreasons: x", "line 2: unknown field 'reasons'; did you mean 'reason'?"),
    ],
)
def test_a_review_that_cannot_be_read_says_why(text: str, wrong: str) -> None:
    found = parse_review(text)
    assert isinstance(found, Problems)
    assert wrong in str(found)


def test_nobody_reviews_by_quoting() -> None:
    assert parse_review("I agree\n> driftwarden review: accept") is None
    assert parse_review("&gt; driftwarden review: accept") is None


def test_the_form_of_a_review_shows_the_document() -> None:
    written = Document("d1", KEY, BY, "db down\nwhy: x", "INC-1", "raised it", "the team", "revert")
    text = review_template(CASE, Emergency(**{**fields(EMERGENCY), "document": written}))
    assert "# Documented by dana at 2026-03-02 12:00:00 UTC\n# why: db down\n#   why: x\n# incident: INC-1\n" in text
    assert "not nothing" in str(parse_review(text))
    assert parse_review(text.replace(f"review {KEY}:", f"review {KEY}: accept")) == Judgement(True, "", KEY)
    assert "Documented" not in review_template(CASE, None)


def fields(emergency: Emergency) -> dict[str, object]:
    return {name: getattr(emergency, name) for name in Emergency.__dataclass_fields__}


# --- properties ----------------------------------------------------------------------------------------------

LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            [*FILLED.splitlines(), "> ", "-- ", "{code}", "```", "<br>", "&gt;", "driftwarden review: accept"]
        ),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(lines=LINES, mark=st.sampled_from(["", "> ", ">> ", "<p>", "&gt; "]))
def test_no_text_is_too_strange(lines: list[str], mark: str) -> None:
    text = "\n".join(mark + line for line in lines)
    for found in (parse_document(text), parse_review(text)):
        assert found is None or isinstance(found, Form | Judgement) or (isinstance(found, Problems) and found.found)


ANSWER = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40).filter(
    lambda text: not set(text) & set("<>&{}`~:*_#-+")
)


@settings(max_examples=40, deadline=None)
@given(answers=st.tuples(ANSWER, ANSWER, ANSWER, ANSWER), way=st.sampled_from(["revert", "codify"]))
def test_what_is_filled_in_comes_back(answers: tuple[str, ...], way: str) -> None:
    text = template(CASE, None).replace("\nway-back:", f"\nway-back: {way}")
    for name, answer in zip(("why", "incident", "done", "told"), answers, strict=True):
        text = text.replace(f"\n{name}:", f"\n{name}: {answer}", 1)
    assert parse_document(text) == Form(*answers, way_back=way, case=KEY)


@pytest.mark.parametrize(
    "piece", ["<p ", "> ", "*", "a:", "{code", "On a ", "driftwarden review ", " \t", "why: x\n", "__"]
)
def test_long_hostile_text_takes_bounded_time(piece: str) -> None:
    text = f"driftwarden document\n{piece * (200_000 // len(piece))}"
    assert isinstance(parse_document(text), Problems)
    assert parse_review(text) is None or piece.startswith("driftwarden")

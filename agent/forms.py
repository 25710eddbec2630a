"""The forms people fill in: the document of an emergency, and its review, in a ticket's reply or an editor. Pure.

Hides what mail and trackers put around an answer (quote marks, HTML, wiki markup, signatures) and that text of
strangers is only data: a reply without our header line says nothing, and no value can begin another field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from agent.clean import clean
from agent.model import Case, Emergency, WayBack

CALLS = "The calls and what they changed:"
"""Heading in a case's body; what follows it is shown in the form as comments."""

FIELDS: Mapping[str, str] = {
    "why": "Why was the emergency path needed?",
    "incident": "Reference of the incident.",
    "done": "What was done, and what came of it?",
    "told": "Who was told, and when?",
    "way-back": "How does it come back under control: revert (put back), or codify (written into the code)?",
    "outage": "What kept you from documenting in time? A reason, not an excuse; may stay empty.",
}
"""Field → what is asked. All but `outage` must be answered."""
LONGEST = 4_000
"""Characters of one answer."""
_MOST_TEXT = 100_000  # a reply with a whole thread quoted below it
_LONGEST_LINE = 5_000
_MOST_PROBLEMS = 20
_SHOWN = 300  # lines of the case shown as comments


@dataclass(frozen=True, slots=True)
class Form:
    """A document as it was written; every line of it is cleaned."""

    why: str
    incident: str
    done: str
    told: str
    way_back: WayBack
    outage: str = ""
    case: str = ""
    """Key of the case in the header line, or the start of it (`DW-…`); empty: the case whose ticket it stands in."""
    quoted: bool = False
    """It stood in quoted text. Whoever quotes somebody's filled-in form to comment on it does not document: one that
    equals an earlier form of the case is to be passed over."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A review as it was written."""

    accepted: bool
    reason: str
    case: str = ""
    post_implementation: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a form, and what would be right; lines count from 1."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Problems:
    """Everything that is wrong with a form."""

    found: tuple[Problem, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.found))


# --- what is filled in ---------------------------------------------------------------------------------------


def template(case: Case, emergency: Emergency | None) -> str:
    """The form of a document, ready to be filled in; what is known of the emergency stands in comments."""
    lines = [
        f"driftwarden document {case.key}",
        "# Answer behind or below each name; lines that begin with '# ' are not read.",
        *(f"# {line}" for line in _known(case, emergency)),
    ]
    opening = emergency.opening if emergency else None
    for name, asked in FIELDS.items():
        lines += [f"# {asked}", f"{name}: {clean(opening.incident) if opening and name == 'incident' else ''}".rstrip()]
    return "\n".join([*lines, *_calls(case)]) + "\n"


def review_template(case: Case, emergency: Emergency | None) -> str:
    """The form of a review; the document that is reviewed stands in comments."""
    lines = [
        "# Write accept or reject behind the colon; to reject needs a reason. Lines that begin with '# ' are not read.",
        f"driftwarden review {case.key}:",
        "reason:",
        *(f"# {line}" for line in _known(case, emergency)),
        *(f"# {line}" for line in documented(emergency)),
    ]
    return "\n".join([*lines, *_calls(case)]) + "\n"


def documented(emergency: Emergency | None) -> Iterator[str]:
    """What an emergency's document says, in plain lines; nothing where there is none."""
    document = emergency.document if emergency else None
    if document is not None:
        yield f"Documented by {clean(document.by.person)} at {_time(document.by.said_at)}"
        answers = (document.why, document.incident, document.done, document.told, document.way_back, document.outage)
        for name, answer in zip(FIELDS, answers, strict=True):
            for number, line in enumerate(answer.splitlines()):
                yield f"  {clean(line)}" if number else f"{name}: {clean(line)}"


def _known(case: Case, emergency: Emergency | None) -> Iterator[str]:
    yield clean(case.title)
    if emergency is None:
        return
    yield f"{', '.join(map(clean, emergency.actors or (emergency.person,)))}: {clean(emergency.how)}"
    yield f"First call {_time(emergency.first)}, last {_time(emergency.last)}; due by {_time(emergency.deadline)}."
    yield from map(clean, emergency.notes)


def _calls(case: Case) -> Iterator[str]:
    _, found, calls = case.body.partition(f"\n{CALLS}\n")
    lines = calls.splitlines()
    if found:
        yield f"# {CALLS}"
        yield from (f"# {clean(line)}".rstrip() for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"# ({len(lines) - _SHOWN} more lines: see the case)"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


# --- what comes back -----------------------------------------------------------------------------------------


def parse_document(text: str) -> Form | Problems | None:
    """A document in a text; None where no form is in it, or only an empty one in quoted text."""
    lines = list(_lines(text))
    heads = [line for line in lines if line.opens(_DOCUMENT)]
    if not heads:
        return None
    head = min(heads, key=lambda line: line.depth)
    body, second = _below(lines, head, _DOCUMENT)
    answers = _Answers(FIELDS)
    answers.read(body)
    written = answers.texts
    if head.depth and not any(written.get(name) for name in FIELDS if name != "incident"):
        return None  # our own form, quoted below an answer about something else
    if second is not None:
        answers.wrong(second.number, "a second form starts here; one to a reply")
    if len(text) > _MOST_TEXT:
        answers.wrong(lines[-1].number, f"the text is longer than {_MOST_TEXT:,} characters; what follows is not read")
    way_back = _way_back(answers, head)
    for name, asked in FIELDS.items():
        if name not in ("outage", "way-back") and not written.get(name):
            answers.wrong(answers.lines.get(name, head.number), f"'{name}' is empty. {asked}")
    if answers.problems or way_back is None:
        return Problems(tuple(sorted(answers.problems, key=lambda problem: problem.line)))
    plain = {name: written.get(name, "") for name in ("why", "incident", "done", "told", "outage")}
    return Form(**plain, way_back=way_back, case=_key(_DOCUMENT, head), quoted=bool(head.depth))


def parse_review(text: str) -> Judgement | Problems | None:
    """A review in a text; None where none is in it. What is quoted is somebody else's."""
    lines = [line for line in _lines(text) if not line.depth]
    head = next((line for line in lines if line.opens(_REVIEW)), None)
    found = _REVIEW.fullmatch(head.bare) if head else None
    if head is None or found is None:
        return None
    body, second = _below(lines, head, _REVIEW)
    answers = _Answers(("reason",), begun="reason")
    answer = _ANSWER.match(found["answer"])
    if answer is None:
        answers.wrong(head.number, f"write accept or reject behind the colon, not {_shown(found['answer'].strip())}")
    answers.read(body)
    accepted = answer is not None and answer[1].lower() == "accept"
    reason = "\n".join(filter(None, (clean(answer[2].strip()) if answer else "", answers.texts.get("reason", ""))))
    if answer is not None and not accepted and not reason:
        answers.wrong(head.number, "to reject needs a reason: write it behind 'reject' or below")
    if second is not None:
        answers.wrong(second.number, "a second review starts here; one to a reply")
    if answers.problems:
        return Problems(tuple(sorted(answers.problems, key=lambda problem: problem.line)))
    return Judgement(accepted, reason, _key(_REVIEW, head), bool(found["post"]))


def _way_back(answers: _Answers, head: _Line) -> WayBack | None:
    said = answers.texts.get("way-back", "")
    named = set(re.findall("revert|codify", said.lower()))
    match re.match(r"\W*(revert|codify)\b", said.lower()), len(named):
        case re.Match() as found, 1:
            return "revert" if found[1] == "revert" else "codify"
    line = answers.lines.get("way-back", head.number)
    answers.wrong(line, f"'way-back' must be revert or codify, not {_shown(said)}")
    return None


def _shown(said: str) -> str:
    return f"'{clean(said, 60)}'" if said else "nothing"


# --- lines ---------------------------------------------------------------------------------------------------

_KEY = r"(?:\s+(?P<key>(?:DW-)?[0-9a-f]{6,32}))?"
_DOCUMENT = re.compile(rf"driftwarden\s+document{_KEY}\s*[.:]?", re.IGNORECASE)
_REVIEW = re.compile(
    rf"driftwarden\s+(?P<post>post-implementation\s+)?review{_KEY}\s*:(?P<answer>.*)", re.IGNORECASE | re.DOTALL
)
_ANSWER = re.compile(r"[\W_]*(accept|reject)(?:ed)?\b(?!\s*(?:[|/]|or\b))\W*(.*)", re.IGNORECASE | re.DOTALL)
"""Not our own `accept or reject`, left as it was."""
_FIELD = re.compile(r"[\s*_`+-]*([A-Za-z][A-Za-z _-]{0,30}?)[\s*_`]*:[*_`]*(?:\s+(.*)|())$")
_MARKUP = "*_`~+-# \t"
_HEADING = re.compile(r"h[1-6]\.\s+")
_QUOTE = re.compile(r"\s*((?:>\s?)+)")
_BLOCK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|pre|tr|table|blockquote|h[1-6])\b[^<>]{0,500}>", re.IGNORECASE)
_INLINE_TAG = re.compile(r"</?(?:span|b|i|strong|em|code|tt|font|a|td|tbody|body|html)\b[^<>]{0,500}>", re.IGNORECASE)
_FENCE = re.compile(r"\{(?:noformat|code|quote)(?::[^{}]{0,60})?\}|^\s*(?:```|~~~)\w*\s*$|<pre\b[^<>]{0,500}>|</pre>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&nbsp;": " ", "&#160;": " "}
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)))
_END = re.compile(
    r"--|_{10,}|-{2,}\s*Original Message\s*-{2,}|Sent from my .{1,60}"
    r"|(?:On|Am|Le|El|Il|Op)\s.{5,300}\b(?:wrote|schrieb|écrit|escribió|scritto|schreef)\b.{0,100}:"
)
"""A signature, or where the message that is answered begins."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    depth: int
    """How often it is quoted."""
    text: str
    fence: bool = False
    """It opens or closes a block of verbatim text."""

    @property
    def bare(self) -> str:
        """Without the markup that makes a line bold, a heading or an item."""
        return _HEADING.sub("", self.text.strip(_MARKUP), count=1).strip(_MARKUP)

    @property
    def comment(self) -> bool:
        """Whether it is ours, to be read by people."""
        return self.text.strip() == "#" or self.text.lstrip().startswith("# ")

    def opens(self, header: re.Pattern[str]) -> bool:
        """Whether a form begins here."""
        return not self.comment and header.fullmatch(self.bare) is not None


def _lines(text: str) -> Iterator[_Line]:
    """The lines of a text in which a form may be; none of most others, which people write in tickets all day."""
    if "driftwarden" not in text.lower():
        return
    for number, raw in enumerate(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text[:_MOST_TEXT]), 1):
        fence = _FENCE.search(raw[:_LONGEST_LINE]) is not None
        plain = _INLINE_TAG.sub("", _BLOCK_TAG.sub("\n", _FENCE.sub("", raw[:_LONGEST_LINE])))
        plain = _ENTITY.sub(lambda found: _ENTITIES[found[0]], plain).replace("&amp;", "&")
        for part in re.sub("[\u00a0\u200b\ufeff]", " ", plain).split("\n"):
            quote = _QUOTE.match(part)
            yield _Line(number, quote[1].count(">") if quote else 0, part[quote.end() :] if quote else part, fence)
            fence = False


def _below(lines: Sequence[_Line], head: _Line, header: re.Pattern[str]) -> tuple[list[_Line], _Line | None]:
    """The lines of a form below its header, and the header of a second form that is not merely quoted."""
    start = next(at for at, line in enumerate(lines) if line is head)
    fenced = sum(line.fence for line in lines[: start + 1]) % 2 == 1
    found: list[_Line] = []
    for line in lines[start + 1 :]:
        if line.opens(header):
            while line.depth > head.depth and found and (found[-1].depth > head.depth or not found[-1].text.strip()):
                found.pop()  # what is quoted around the other form
            return found, line if line.depth == head.depth else None
        if _END.fullmatch(line.text.strip()) or (fenced and line.fence):
            break
        if line.depth <= head.depth or not head.depth:
            found.append(line)
    return found, None


@dataclass(slots=True)
class _Answers:
    """The fields of a form as they are read."""

    known: Mapping[str, str] | Sequence[str]
    begun: str = ""
    """The field that text without a name belongs to."""
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _parts: dict[str, list[str]] = field(default_factory=dict)

    def wrong(self, line: int, what: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(line, what))

    def read(self, lines: Sequence[_Line]) -> None:
        """Take the lines apart."""
        for line in lines:
            if line.comment:
                continue
            found = _FIELD.match(line.text)
            name = re.sub(r"[\s_-]+", "-", found[1].lower()) if found else ""
            if found and name in self.known:
                self._begin(name, line, found[2] or "")
            elif found and self._is_misspelt(name):
                near = get_close_matches(name, list(self.known), 1, cutoff=0.8)
                right = f"did you mean '{near[0]}'?" if near else f"the fields are {', '.join(self.known)}"
                self.wrong(line.number, f"unknown field '{clean(name)}'; {right}")
            elif self.begun:
                self._parts.setdefault(self.begun, []).append(line.text)
        for name, text in self.texts.items():
            if len(text) > LONGEST:
                self.wrong(self.lines.get(name, 1), f"'{name}' is longer than {LONGEST:,} characters")

    def _begin(self, name: str, line: _Line, first: str) -> None:
        if name in self.lines:
            self.wrong(line.number, f"'{name}' stands here and on line {self.lines[name]}")
        self.lines.setdefault(name, line.number)
        self._parts.setdefault(name, []).append(first)
        self.begun = name

    def _is_misspelt(self, name: str) -> bool:
        """Text may hold a colon; before the first field, or much like one, it was meant as a field."""
        return not self.begun or bool(get_close_matches(name, list(self.known), 1, cutoff=0.8))

    @property
    def texts(self) -> dict[str, str]:
        """Field → its answer, each line cleaned."""
        return {
            name: "\n".join(clean(part.rstrip(), _LONGEST_LINE) for part in parts).strip()
            for name, parts in self._parts.items()
        }


def _key(header: re.Pattern[str], head: _Line) -> str:
    found = header.fullmatch(head.bare)
    return (found["key"] or "").lower().removeprefix("dw-") if found else ""

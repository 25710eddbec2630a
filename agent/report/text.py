"""A report in a terminal: plain lines and tables, as wide as they are told to be.

Hides column widths and wrapping. Everything shown passes `agent.clean`: what others named cannot move the cursor.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agent.clean import clean, plural
from agent.judge import Rule
from agent.model import SEVERITIES
from agent.report.authority import STATES
from agent.report.content import Report
from agent.report.coverage import Coverage, Note, TrailRead
from agent.report.stories import Call, Difference, Story
from agent.report.values import CHANNELS, TESTS, words
from agent.report.verdicts import Judged
from agent.rules import Checked

NARROWEST = 8
"""Columns of text a cell keeps, however narrow the terminal."""
_GAP = "  "
_HANGING = 4
_MARKS = "._/:|-,"
"""After these a name may be broken."""
_COLOURS: Mapping[str, str] = {"critical": "1;31", "high": "31", "medium": "33", "low": "36"}


def findings_table(report: Report, width: int, *, colour: bool = False) -> str:
    """Every finding that needs a decision, worst first: severity, resource, what changed, who, authority, case."""
    tickets = {case.key: case.ticket for case in report.cases}
    rows = [
        (
            story.severity,
            story.name,
            "; ".join(headline(one) for one in story.differences) or "changed, no difference left",
            ", ".join(story.actors) or "nobody seen",
            authority(story.verdict),
            tickets.get(story.case) or story.case or "none",
        )
        for story in report.stories
    ]
    heads = ("Severity", "Resource", "What changed", "Who", "Authority", "Case")
    return table(heads, rows, width, _painter(colour)) if rows else "Nothing needs a decision."


def finding_detail(report: Report, finding: str, width: int) -> str | None:
    """One finding of the report in full, by its id; None where this scan has none by that id."""
    story = next((story for story in report.every if story.id == finding), None)
    return "\n".join([*wrapped(_story(story), width), *way_back_lines(story.way_back)]) if story else None


def way_back_lines(lines: Sequence[str]) -> list[str]:
    """The way back under its head, unbroken: it is there to be copied."""
    head = ["  the way back, as text; nothing of it is ever executed"] if lines else []
    return [*head, *(f"    {clean(line)}".rstrip() for line in lines)]


def rules_table(rules: Sequence[Rule], width: int, *, colour: bool = False) -> str:
    """The rules by severity, the worst first: severity, stage, id, title, controls."""
    ordered = sorted(rules, key=lambda rule: (-SEVERITIES.index(rule.severity), rule.id))
    rows = [(rule.severity, rule.stage, rule.id, rule.title, ", ".join(rule.controls)) for rule in ordered]
    return table(("Severity", "Stage", "Rule", "Title", "Controls"), rows, width, _painter(colour))


def examples_table(checked: Iterable[Checked], width: int) -> str:
    """What became of every example of the rules: passed, or what the rule decided instead."""
    rows = [
        (
            "pass" if one.passed else "FAIL",
            one.rule,
            one.example,
            "" if one.passed else f"expected {_broken(one.expected)}, got {_broken(one.got)}",
        )
        for one in checked
    ]
    return table(("", "Rule", "Example", ""), rows, width)


def coverage_lines(report: Report) -> list[str]:
    """What was checked and what was not; gaps one by one."""
    c = report.coverage
    trail = c.trail
    return [
        f"{c.compared:,} of {c.declared:,} declared resources compared ({c.percent} %), {c.attributes:,} attributes; "
        f"{c.live:,} live resources read",
        f"trail {trail.start} to {trail.end}: {trail.changes:,} changes in {trail.events:,} events, "
        f"{trail.denied:,} denied, newest event {trail.newest or 'none'}",
        *_places(trail),
        *_notes("not read", c),
        f"{_count(c.limits)} never read: see the report" if c.limits else "no limits",
    ]


def _places(trail: TrailRead) -> Iterator[str]:
    """In one line where the trail comes from, and whether anything proves it complete."""
    if trail.places:
        accounts, regions = {one.account for one in trail.places}, {one.region for one in trail.places}
        proven = sum(bool(one.verified) for one in trail.places)
        checked = f"{proven} of {len(trail.places)} checked against digests" if proven else "log files not checked"
        yield f"trail of {plural(len(accounts), 'account')} in {plural(len(regions), 'region')}, {checked}"


def merged_table(report: Report, width: int) -> str:
    """What is merged and not applied, by stack; empty where nothing is."""
    rows = [
        (
            one.stack,
            one.name,
            one.what,
            one.configured.text if one.configured else one.why,
            one.recorded.text if one.recorded else "",
        )
        for one in report.merged
    ]
    heads = ("Stack", "Resource", "Merged, not applied", "Configured", "Recorded")
    return table(heads, rows, width) if rows else ""


def unlisted_lines(report: Report) -> list[str]:
    """How many resources are in no configured stack, by type; they break no rule."""
    counts = Counter(one.type for one in report.unlisted)
    if not counts:
        return []
    named = ", ".join(f"{type_} ×{count}" if count > 1 else type_ for type_, count in sorted(counts.items()))
    return [f"in no configured stack: {plural(len(report.unlisted), 'live resource')}: {named}"]


def attention_lines(report: Report) -> list[str]:
    """What else than findings somebody should look at, a line each, the most urgent first; cleaned."""
    also = report.standing
    lines = [
        f"break-glass {one.id} ({one.person or 'nobody known'}): {STATES.get(one.state, one.state)}, {one.timing}"
        for one in (item.emergency for item in report.undone)
    ]
    lines += [
        f"ticket {ticket.ref}: {', '.join(f'{count} {result}' for result, count in ticket.counts)}"
        for ticket in also.tickets
        if ticket.worst in ("beyond", "not performed")
    ]
    if count := len(report.observed):
        lines.append(f"{plural(count, 'finding')} {'breaks' if count == 1 else 'break'} observed rules only: no case")
    lines += [f"{one.kind} {one.id} ends in {one.left}" for one in also.entries if one.soon]
    lines += [f"not in force: {line}" for line in also.problems]
    lines += [f"waits for two people: {line}" for line in also.waiting]
    return [clean(line) for line in lines]


# --- one finding ---------------------------------------------------------------------------------------------

Line = tuple[int, str]
"""How far it is indented, and what it says."""


def _story(story: Story) -> Iterator[Line]:
    yield 0, f"{_grade(story)}: {story.name}"
    place = (story.id, story.type, story.key, story.account, story.region, story.stack)
    yield 2, " · ".join(part for part in place if part)
    for one in story.differences:
        yield from difference_lines(one)
    for waiting in story.merged:
        yield 2, f"merged, not applied: {waiting.what}" + (f"  ({waiting.source})" if waiting.source else "")
        yield 4, f"configured  {waiting.configured.text if waiting.configured else ''}"
        yield 4, f"recorded    {waiting.recorded.text if waiting.recorded else ''}"
    for call in story.calls:
        yield from call_lines(call)
    yield from ((2, line) for line in (story.unexplained, *story.notes) if line)
    yield 2, authority(story.verdict)
    yield from ((4, line) for line in tested_lines(story.verdict))
    yield from ((indent + 2, line) for indent, line in standing_lines(story.verdict))
    for rule in story.rules:
        yield 2, f"breaks {rule.id} ({rule.severity}): {rule.title}"
        yield 4, rule.fix
    for name in story.unnamed:
        yield 2, f"breaks {name}, which the ruleset no longer has"
    for seen in story.observed:
        yield 2, f"observed only, no case: {seen.id} ({seen.severity}): {seen.title}"
    if story.controls:
        yield 2, f"controls {', '.join(story.controls)}"


def _grade(story: Story) -> str:
    if story.severity:
        return words(story.severity)
    return "Observed only, no case" if story.observed else "No rule broken"


def difference_lines(one: Difference) -> Iterator[Line]:
    """What differs: declared, live, and where in it."""
    yield 2, headline(one) + (f"  ({one.source})" if one.source else "")
    yield 4, f"declared  {one.declared.text}"
    yield 4, f"live      {one.live.text}"
    if one.absorbed:
        yield 4, "absorbed: an apply wrote it into state, and it is still nobody's decision"
    yield from ((4, line) for line in one.detail)


def tested_lines(verdict: Judged) -> Iterator[str]:
    """Each test of a verdict on a line: result, what it asks, evidence."""
    for test in verdict.tests:
        yield f"{test.result:<8}{TESTS.get(test.name, test.name)}: {test.evidence}"


def standing_lines(verdict: Judged) -> Iterator[Line]:
    """What else a verdict says: emergency, exception, risk, and what became of the ticket since."""
    if verdict.grant:
        yield 0, f"under emergency {verdict.grant}"
    if verdict.covered_by:
        yield 0, f"covered by {verdict.covered_by}"
    if verdict.risk:
        yield 0, f"{verdict.risk.level} risk, score {verdict.risk.score}, needs {verdict.risk.needs}"
        yield from ((2, line) for line in verdict.risk.reasons)
    yield from ((0, f"since then: {line}") for line in verdict.since)


def call_lines(call: Call) -> Iterator[Line]:
    """Who made a change, when, how and from where, and how that is known."""
    where = f" from {call.source_ip}" if call.source_ip else ""
    how = CHANNELS.get(call.channel, call.channel)
    yield 2, f"{call.time}  {call.action} by {call.actor} ({call.actor_kind}), {how}{where}"
    if call.how:
        yield 4, f"known from {call.how} ({call.sure} % sure)"
    if call.why:
        yield 4, f"explains the difference: {call.why}"


def headline(one: Difference) -> str:
    """The attribute, and what became of it."""
    return f"{one.attribute} {one.headline}".strip()


def authority(verdict: Judged) -> str:
    """Outcome, failed tests and ticket, on one line."""
    failed = ", ".join(verdict.failed)
    ticket = f", {verdict.ticket}" if verdict.ticket else ""
    late = ", late" if verdict.late else ""
    return words(verdict.outcome) + (f": {failed} failed" if failed else "") + ticket + late


def _broken(decision: object) -> str:
    return ("kept", "broken")[decision] if isinstance(decision, bool) else "undecided"


def _notes(heading: str, coverage: Coverage) -> Iterator[str]:
    for note in (*coverage.gaps, *coverage.trail.gaps):
        hidden = f" ({plural(note.resources, 'resource')})" if note.resources else ""
        yield f"{heading}: {clean(note.scope)}: {clean(note.why)}{hidden}"


def _count(notes: Sequence[Note]) -> str:
    return plural(len(notes), "limit")


# --- tables --------------------------------------------------------------------------------------------------


def _painter(colour: bool) -> Mapping[str, str]:
    return _COLOURS if colour else {}


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, colours: Mapping[str, str] | None = None
) -> str:
    """Rows under their heads; cells wrap, so that nothing is cut off. The first column may be coloured by its word."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = _widths([list(heads), *cleaned], width - len(_GAP) * (len(heads) - 1))
    lines = list(_row(heads, widths, ""))
    lines.append(_GAP.join("-" * one for one in widths))
    for row in cleaned:
        lines += _row(row, widths, (colours or {}).get(row[0], ""))
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]], width: int, indent: int = 0) -> list[str]:
    """Rows without heads, cell under cell; cells wrap."""
    if not rows:
        return []
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = _widths(cleaned, width - indent - len(_GAP) * (len(rows[0]) - 1))
    return [f"{' ' * indent}{line}" for row in cleaned for line in _row(row, widths, "")]


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Natural widths, the widest column giving way until all fit."""
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        others = [one for index, one in enumerate(widths) if index != widest]
        # In one step down to the next widest, or as far as needed.
        widths[widest] = max(NARROWEST, min(max(others, default=0), widths[widest] - 1), room - sum(others))
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], colour: str) -> Iterator[str]:
    wrapped = [_wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        parts = [lines[number] if number < len(lines) else "" for lines in wrapped]
        padded = [part + " " * (width - _columns(part)) for part, width in zip(parts, widths, strict=True)]
        if colour:
            padded[0] = f"\x1b[{colour}m{padded[0]}\x1b[0m"
        yield _GAP.join(padded).rstrip()


def wrapped(lines: Iterable[Line], width: int) -> Iterator[str]:
    """Lines no wider than told, what is left over indented below."""
    for indent, text in lines:
        first, *rest = _wrap(clean(text), max(NARROWEST, width - indent - _HANGING))
        yield " " * indent + first
        yield from (" " * (indent + _HANGING) + more for more in rest)


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces where there are any."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if _columns(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _chunks(word, width)
        lines += full
    return [*lines, line]


def _chunks(word: str, width: int) -> list[str]:
    """A word too long for a line, broken after a mark where one is near, else where the line ends."""
    chunks, chunk = [], ""
    for character in word:
        if chunk and _columns(chunk + character) > width:
            cut = 1 + max(chunk.rfind(mark, len(chunk) // 2) for mark in _MARKS)
            chunks.append(chunk[:cut] if cut else chunk)
            chunk = chunk[cut:] if cut else ""
        chunk += character
    return [*chunks, chunk]


def _columns(text: str) -> int:
    """Terminal columns: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in ("W", "F") for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)

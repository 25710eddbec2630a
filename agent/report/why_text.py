"""Why a verdict is what it is, on a terminal: as a reviewer reads it, a test a line.

Hides in which order the answer comes: what changed, who changed it, the verdict with every test, then what it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.judge import Rule
from agent.report.authority import STATES, standing, web_address
from agent.report.listed import merged
from agent.report.stories import Call, Story, call_of, story_of
from agent.report.text import (
    Line,
    aligned,
    authority,
    call_lines,
    difference_lines,
    standing_lines,
    way_back_lines,
    wrapped,
)
from agent.report.values import TESTS, moment, words
from agent.report.verdicts import Judged, judged
from agent.report.why import Answers, Earlier, Reason

_ROWS = 20  # resources of a ticket that are told


def why_lines(answers: Answers, rules: Sequence[Rule], width: int) -> list[str]:
    """Every answer in full, in lines no wider than told but for the way back, which is there to be copied."""
    known = {rule.id: rule for rule in rules}
    lines: list[str] = []
    for reason in answers.reasons:
        lines += [*([""] if lines else ()), *_reason(reason, known, width)]
    if answers.more:
        lines += ["", f"{answers.more:,} more are not told: ask for one of them by its own name."]
    return [*lines, "", f"As scan {answers.run} saw it."]


def _reason(reason: Reason, rules: Mapping[str, Rule], width: int) -> Iterator[str]:
    story = _story(reason.finding, rules) if reason.finding else None
    call = call_of(reason.change) if reason.change else None
    yield from wrapped(_head(reason, story, call), width)
    if story:
        yield from wrapped(_changed(story), width)
    yield from wrapped(_who(story, call), width)
    if reason.verdict:
        yield from _verdict(judged(reason.verdict), "Verdict", width)
    if story and not call:
        for one in story.calls:
            if one.verdict != story.verdict:
                yield from _verdict(one.verdict, f"Verdict on {one.action} at {one.time}", width)
    yield from wrapped(_rules(story, reason), width)
    if reason.ticket:
        yield from _ticket(reason.ticket, width)
    if reason.emergency:
        yield from wrapped(_emergency(reason.emergency, reason), width)
    if reason.covered_by:
        yield from wrapped(_covering(reason.covered_by), width)
    if story and story.way_back:
        head, *rest = way_back_lines(story.way_back)
        yield from ("", head.strip().capitalize(), *rest)
    if reason.history or reason.unread:
        yield from ("", "Verdicts so far")
        yield from aligned([_earlier(one) for one in reason.history], width, 2)
        yield from wrapped([(2, reason.unread)] if reason.unread else (), width)
    if reason.case:
        yield from wrapped(_case(reason.case), width)


def _story(item: Mapping[str, Any], rules: Mapping[str, Rule]) -> Story:
    return story_of(item, rules, merged({"findings": [item]}))


def _head(reason: Reason, story: Story | None, call: Call | None) -> Iterator[Line]:
    if story:
        yield 0, f"{story.name}: {authority(call.verdict if call else story.verdict)}"
        place = (story.id, story.type, story.key, story.account, story.region, story.stack)
        yield 2, " · ".join(part for part in place if part)
    elif call:
        yield 0, f"{call.action} on {', '.join(call.targets) or 'no resource we read'}: {authority(call.verdict)}"
    elif reason.ticket:
        yield 0, f"{reason.ticket['ref']}: no change under it is known"
    elif reason.emergency:
        yield 0, f"{reason.emergency['id']}: no finding of it is known"
    elif reason.case:
        yield 0, f"{reason.case['title']}: no finding of it is known"
    if reason.over:
        yield 2, f"not in this scan: {reason.over}"


def _changed(story: Story) -> Iterator[Line]:
    """What live and declared disagree about."""
    yield 0, ""
    yield 0, "What changed"
    for one in story.differences:
        yield from difference_lines(one)
    for waiting in story.merged:
        yield 2, f"merged, not applied: {waiting.what}"
    if not story.differences and not story.merged:
        yield 2, "no difference is left to see"


def _who(story: Story | None, call: Call | None) -> Iterator[Line]:
    calls = (call,) if call else story.calls if story else ()
    notes = (story.unexplained, *story.notes) if story else ()
    if calls or any(notes):
        yield 0, ""
        yield 0, "Who"
    for one in calls:
        yield from call_lines(one)
        yield 4, f"event {', '.join(one.events)}"
    yield from ((2, line) for line in notes if line)


def _verdict(verdict: Judged, head: str, width: int) -> Iterator[str]:
    """Outcome and path, each test, and what else it says."""
    passed = verdict.outcome in ("authorised", "authorised-emergency")
    path = f"{'path' if passed else 'nearest path'}: {verdict.path}" if verdict.path else ""
    said = (words(verdict.outcome), path, "late" if verdict.late else "")
    yield from wrapped([(0, ""), (0, head), (2, ", ".join(filter(None, said)))], width)
    rows = [(test.result, TESTS.get(test.name, test.name), test.evidence) for test in verdict.tests]
    yield from aligned(rows, width, 4)
    if not rows:
        yield "    no test was asked"
    yield from wrapped(((indent + 2, line) for indent, line in standing_lines(verdict)), width)


def _rules(story: Story | None, reason: Reason) -> Iterator[Line]:
    if story is None or reason.over:
        return
    yield 0, ""
    yield 0, "Rules broken" if story.rules or story.unnamed else "No enforced rule is broken"
    for rule in story.rules:
        yield 2, f"{rule.id} ({rule.severity}): {rule.title}"
        yield 4, story.because.get(rule.id, "")
        yield 4, rule.fix
    for name in story.unnamed:
        yield 2, f"{name}, which the ruleset no longer has"
    for one in story.observed:
        yield 2, f"observed only, no case: {one.id} ({one.severity}): {one.title}"
        yield 4, one.why


def _ticket(ticket: Mapping[str, Any], width: int) -> Iterator[str]:
    """The ticket as its system has it, and what was done under it."""
    lines: list[Line] = [(0, ""), (0, "Ticket")]
    said = (ticket["ref"], ticket.get("title"), ticket.get("system"), ticket.get("state") and f"now {ticket['state']}")
    lines.append((2, " · ".join(part for part in said if part)))
    if url := web_address(ticket.get("url") or ""):
        lines.append((2, url))
    people = [f"{name} {ticket[name]}" for name in ("requester", "implementer") if ticket.get(name)]
    lines += [(2, ", ".join(people))] if people else []
    start, end = ticket.get("window") or (None, None)
    if start or end:
        lines.append((2, f"planned {moment(start or '') or 'any time'} to {moment(end or '') or 'any time'}"))
    if ticket.get("incomplete"):
        lines.append((2, f"its history cannot be relied on: {ticket['incomplete']}"))
    yield from wrapped(lines, width)
    yield from aligned([(moment(one["at"]), one["what"]) for one in ticket.get("history", ())], width, 4)
    rows = ticket.get("resources", ())
    if rows:
        yield from wrapped([(2, f"requested and performed: {ticket['due']}")], width)
        yield from aligned([(row["result"], row["name"], row["evidence"]) for row in rows[:_ROWS]], width, 4)
    if len(rows) > _ROWS:
        yield f"    and {len(rows) - _ROWS:,} more resources"


def _emergency(item: Mapping[str, Any], reason: Reason) -> Iterator[Line]:
    # How the deadline was kept is told as of the last thing known of it.
    (one,) = standing({"run": {"finished_at": _as_of(item)}, "emergencies": [item]}).emergencies
    stage = (reason.case or {}).get("stage")
    yield 0, ""
    yield 0, "Emergency"
    yield 2, f"{one.id}, {one.person or 'nobody known'}, {one.incident or 'no incident named'}: {one.how}"
    yield 2, f"{one.calls:,} calls, {one.first} to {one.last}"
    state = STATES.get("way-back" if stage == "way-back" else one.state, one.state)
    yield 2, f"{state}; document due by {one.deadline}{', late' if one.late else ''}"
    for head, said in (("documented", one.document), ("reviewed", one.review)):
        if said:
            word = head if head == "documented" else "accepted" if said.accepted else "rejected"
            yield 2, f"{word} by {said.by} at {said.at}"
            yield from ((4, f"{name}: {text}") for name, text in said.lines)
        else:
            yield 2, f"not {head} yet"
    yield from ((2, line) for line in one.notes)


def _as_of(item: Mapping[str, Any]) -> str:
    times: list[str] = [item["last"], *(one["at"] for one in (item["document"], item["review"]) if one)]
    return max(times)


def _covering(item: Mapping[str, Any]) -> Iterator[Line]:
    yield 0, ""
    yield 0, "Covered by"
    yield 2, f"{item.get('kind', 'entry')} {item['id']}" + (f" ({item['source']})" if item.get("source") else "")
    if item.get("reason"):
        yield 4, item["reason"]
    if item.get("until"):
        yield 4, f"owner {item['owner']}, approver {item['approver']}, until {moment(item['until'])}"


def _earlier(one: Earlier) -> tuple[str, ...]:
    failed = f": {', '.join(one.failed)} failed" if one.failed else ""
    late = ", late" if one.late else ""
    return moment(one.at), words(one.outcome) + failed + late, one.ticket, f"scan {one.run}"


def _case(item: Mapping[str, Any]) -> Iterator[Line]:
    yield 0, ""
    yield 0, "Case"
    yield 2, item["title"]
    ticket = f"ticket {item['ticket']}" if item["ticket"] else "not filed"
    stage = STATES.get(item.get("stage") or "", item.get("stage") or "")
    yield 2, " · ".join(filter(None, (item["key"], item["state"], item["severity"], ticket, stage)))

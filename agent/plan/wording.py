"""What the ticket of an emergency says at each step, in plain text lines; everything that others wrote is cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.clean import clean, plural, several
from agent.forms import CALLS, documented, template
from agent.model import Case, Emergency, Finding, JudgedChange, Opening, Review
from agent.plan import reviewing
from agent.plan.story import call, name, several_named, story

_LONGEST = 100_000
"""Characters of a body: what comes after that is in the report."""


def title(members: Sequence[Finding], emergencies: Sequence[Emergency], grant: str) -> str:
    """The title of an emergency's case."""
    who = several([actor for one in emergencies for actor in one.actors or (one.person,)], 3)
    how = clean(emergencies[0].how) if emergencies else grant
    what = several_named(members) if members else "Calls that no finding shows"
    return f"{what}: break-glass{' by ' + who if who else ''}, {how}"


def window(opening: Opening, key: str, approvers: Sequence[str]) -> str:
    """What the case of a window says that was declared: by whom, for what and whom, until when."""
    by, roles, accounts = opening.by, several(opening.roles, 20) or "any", several(opening.accounts, 20) or "any"
    word = f", offline; received {time(by.received_at)}" if opening.offline else ""
    lines = [
        "Break-glass: a window was declared. Nobody has to approve it; what is done in it is documented and reviewed.",
        "",
        *_to(approvers, "so that you know."),
        f"Declared by {clean(by.person)} at {time(by.said_at)}{word}.",
        f"Incident: {clean(opening.incident)}",
        f"Reason: {clean(opening.reason) or 'none given'}",
        f"It ends {time(opening.until)}.",
        f"It covers changes by {several(opening.actors or (by.person,), 20)};",
        f"roles: {roles}; accounts: {accounts}; environments: {several(opening.environments, 20) or 'any'}.",
        "",
        "The calls made in it are told here. Whoever made them documents them: then this case shows a form.",
        f"The key of this case is {key}.",
    ]
    return "\n".join(lines)


def body(
    case: Case,
    emergencies: Sequence[Emergency],
    members: Sequence[Finding],
    approvers: Sequence[str] = (),
    loose: Sequence[JudgedChange] = (),
) -> str:
    """What happened, until when it must be documented and how, and every call; `loose` are those in no finding."""
    head = ["Break-glass: emergency access was used.", "", *_of_window(emergencies, approvers), *_facts(emergencies)]
    head += [*_after_work(case), *_how_to_document(case)]
    form = template(case, emergencies[0] if emergencies else None)
    text = "\n".join([*head, "", form, CALLS, *map(call, loose[:_MOST_LOOSE])])
    more = len(loose) - _MOST_LOOSE
    return grown(f"{text}\n{_MORE}" if more > 0 else text, members)


def _to(approvers: Sequence[str], what: str) -> list[str]:
    return [f"For {several(approvers, 20)}: {what}"] if approvers else []


def _of_window(emergencies: Sequence[Emergency], approvers: Sequence[str]) -> list[str]:
    """Whom a window is told to that has no case of its own."""
    declared = any(one.opening is not None for one in emergencies)
    return _to(approvers, "a break-glass window was declared.") if declared else []


def _after_work(case: Case) -> list[str]:
    return [AFTER_WORK] if reviewing.HIGH_RISK in case.told else []


AFTER_WORK = "A change in it is of high risk: it takes a review after the work, once it is under control again."
"""What is said of a change of high risk."""
_MOST_LOOSE = 300


def grown(text: str, members: Sequence[Finding], loose: Sequence[JudgedChange] = ()) -> str:
    """A body with the stories of more findings and calls, as long as it stays short enough to be read."""
    for more in (*map(story, members), *unshown(loose)):
        if len(text) + len(more) > _LONGEST:
            return text if text.endswith(_MORE) else f"{text}\n\n{_MORE}"
        text = f"{text}\n{'' if text.endswith(CALLS) else chr(10)}{more}"
    return text


def unshown(loose: Sequence[JudgedChange]) -> list[str]:
    """What is told of calls that came to light and are in no finding; nothing where there are none."""
    if not loose:
        return []
    return [
        "\n".join(
            [f"{arrived(len(loose))}:", *map(call, loose[:_MOST_LOOSE]), *([_MORE] if len(loose) > _MOST_LOOSE else [])]
        )
    ]


def arrived(count: int) -> str:
    """What is told of calls that came to light and are told elsewhere."""
    return f"{plural(count, 'call')} came to light in it"


_MORE = "More calls are in the report."
_NOT_OF_ALL = (
    "That review is not of everything here: more came to light after it, or the case holds other changes, which their "
    "authors cannot review. It is asked for again."
)


def joined(case: Case, emergencies: Sequence[Emergency], approvers: Sequence[str] = ()) -> str:
    """What an open case is told that turns out to be an emergency's."""
    lines = ["This is break-glass: emergency access was used.", "", *_of_window(emergencies, approvers)]
    lines += [*_facts(emergencies), *_after_work(case), *_how_to_document(case), "", template(case, emergencies[0])]
    return "\n".join(lines)


def another(emergencies: Sequence[Emergency], approvers: Sequence[str]) -> str:
    """What an emergency's case is told where calls in it turn out to be of further ones."""
    lines = ["Calls in this case are of another emergency too.", "", *_of_window(emergencies, approvers)]
    return "\n".join([*lines, *_facts(emergencies)])


def _facts(emergencies: Sequence[Emergency]) -> list[str]:
    lines = []
    for one in emergencies:
        lines.append(f"{several(one.actors or (one.person,))}: {clean(one.how)} ({one.id})")
        if one.opening is not None:
            lines.append(
                f"Incident: {clean(one.opening.incident)}; said ahead: {clean(one.opening.reason) or 'nothing'}"
            )
        lines.append(f"First call {time(one.first)}, last {time(one.last)}.")
        lines.append(f"To be documented by {time(one.deadline)}.")
        lines += map(clean, one.notes)
    return lines


def unseen(before: Sequence[Emergency], now: Sequence[Emergency]) -> list[str]:
    """What became known of reviews that did not see all of it."""
    known = {note for one in before for note in one.notes}
    return [clean(note) for one in now for note in one.notes if one.earlier and note not in known]


def _how_to_document(case: Case) -> list[str]:
    return ["", f"Answer with this form, filled in, or run: driftwarden breakglass document {case.key}"]


def stage(case: Case, emergencies: Sequence[Emergency], differing: Sequence[Finding]) -> str:
    """What is expected next, at the stage the case has come to."""
    due = time(case.deadline) if case.deadline else ""
    match case.stage:
        case "awaiting-document":
            lines = [f"To be documented by {due}.", *_how_to_document(case)[1:]]
        case "overdue":
            lines = [f"Not documented by {due}: from now on this is a violation.", *_how_to_document(case)[1:]]
        case "rejected":
            lines = _judged([one for one in emergencies if one.state == "rejected"])
            lines += [f"It must be documented anew; the deadline is still {due}.", *_how_to_document(case)[1:]]
        case "awaiting-review":
            lines = [line for one in emergencies for line in _documented(one)]
            if all(one.state == "accepted" for one in emergencies):
                lines += [*_judged(emergencies), _NOT_OF_ALL]
            lines += ["", "Somebody who neither acted nor documented reviews it: answer with", "", *_review(case)]
        case "post-implementation":
            lines = [*_judged(emergencies), "", "It is under control again. One of its changes was of high risk:"]
            lines += ["somebody who did not act reviews it after the work. Answer with", ""]
            lines += _review(case, "post-implementation review", " --post-implementation")
        case _:
            lines = [*_judged(emergencies), "", *way_back(emergencies, differing)]
    return "\n".join(lines)


def _documented(one: Emergency) -> list[str]:
    late = [f"Documented late: it was due by {time(one.deadline)}. It stays marked so."] if one.late else []
    return [*documented(one), *late, *map(clean, one.notes)]


def _review(case: Case, what: str = "review", option: str = "") -> list[str]:
    return [
        f"  driftwarden {what}: accept or reject",
        "  reason: …",
        "",
        f"or run: driftwarden breakglass review {case.key}{option}",
    ]


def after_work(review: Review, why: str) -> str:
    """What became of a review after the work; `why` it does not count."""
    if why:
        return f"The review after the work by {clean(review.by.person)} does not count: {why}."
    return f"After the work: {_word(review)}"


def _judged(emergencies: Sequence[Emergency]) -> list[str]:
    """What the reviews said, the same review of two emergencies once."""
    reviews = {one.review.id: one.review for one in emergencies if one.review is not None}
    return list(map(_word, reviews.values()))


def _word(review: Review) -> str:
    judged = "Accepted" if review.accepted else "Rejected"
    return f"{judged} by {clean(review.by.person)}: {clean(review.reason) or 'no reason given'}"


def way_back(emergencies: Sequence[Emergency], differing: Sequence[Finding]) -> list[str]:
    """How what was changed was to come back under control, and what still differs."""
    ways = sorted({one.document.way_back for one in emergencies if one.document})
    return [
        f"The case stays open until it is under control again (to do: {' or '.join(ways) or 'revert or codify'}).",
        f"Still not so: {several([name(one) for one in differing], 20)}." if differing else "Part of it was not read.",
    ]


def reminder(case: Case, left: timedelta) -> str:
    """Before the deadline."""
    due = time(case.deadline) if case.deadline else ""
    return "\n".join([f"Reminder: to be documented by {due}, in {period(left)}.", *_how_to_document(case)[1:]])


def escalation(case: Case, escalate: Sequence[str]) -> str:
    """Once the deadline has passed."""
    due = time(case.deadline) if case.deadline else ""
    said = f"this emergency was not documented by {due}. It is overdue, and counts as a violation until it is."
    return "".join(_to(escalate, said)) or said


def ageing(what: str, days: int) -> str:
    """While a review, or the way back, is waited for."""
    return f"Reminder: {what} for {plural(days, 'day')}."


def accepted(emergencies: Sequence[Emergency], after: Review | None, others: Sequence[Finding]) -> str:
    """Why an emergency's case is closed; `after` the work's review, `others` differ by nothing that it did."""
    ways = sorted({one.document.way_back for one in emergencies if one.document})
    late = "; documented late" if any(one.late for one in emergencies) else ""
    left = f"what it did differs no more, and {several([name(one) for one in others], 20)} for other reasons"
    said = [*_judged(emergencies), *([after_work(after, "")] if after is not None else [])]
    ended = left if others else "nothing differs any more"
    return f"{'; '.join(said)}; {ended} (to do was: {' or '.join(ways)}){late}"


def period(length: timedelta) -> str:
    """`12h`, `2h 30m`, `45m`; days as hours."""
    minutes = max(int(length.total_seconds() // 60), 0)
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours}h" if hours else "", f"{rest}m" if rest or not hours else "") if part)


def time(moment: datetime) -> str:
    """A moment as tickets show it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

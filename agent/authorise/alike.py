"""Changes that are alike get one answer: it is worked out for the first of them, and told of each.

Hides what makes two changes alike: the same credential did the same to the same resources in a session of that size
and referred to the same, while nothing that the answer rests on became something else. The calls of one session on a
resource are so, and so is a change that is judged in a finding and once more among all changes.
"""

from __future__ import annotations

from datetime import datetime

from agent.authorise.asking import Asking
from agent.authorise.grounds import Grounds
from agent.authorise.question import Question
from agent.model import Change, Key, Verdict

_REMEMBERED = 200_000
"""Answers that are kept: whoever can make calls can make each another."""
_EDGE = 1e-5
"""Seconds next to the ends of an answer's time that are looked at anew: moments are exact, these numbers not."""


def verdict(change: Change, targets: tuple[Key, ...], grounds: Grounds, now: datetime) -> Verdict:
    """The verdict on a change of these resources, as it is to be told at `now`."""
    place, credential = grounds.place(change, targets), grounds.credential(change)
    era = grounds.people.era(change.time)
    did, size = grounds.weighing.did(change, targets), grounds.weighing.size(change, targets)
    emergencies = grounds.emergencies(change)
    known = grounds.remembered(now)
    alike = (place, credential, era, did, size, change.claims)
    found = None if emergencies else known.get(alike)
    if found is None or not found.begins + _EDGE < change.time.timestamp() < found.ends - _EDGE:
        risk = grounds.weighing.risk(place.where, place.environments, did, size)
        question = Question(change, grounds, place, credential, era, risk)
        found = Asking(question, emergencies).settled(now)
        if not emergencies and not question.alone:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[alike] = found
    return found.verdict(change, now, grounds.authority)

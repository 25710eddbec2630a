"""One change to be judged, and what is known of it before any ticket is looked at.

Hides where that comes from: claims and merge requests, policies and risk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from agent.authorise.grounds import Credential, Grounds, Place
from agent.model import Change, Risk


class Question:
    """A change of some resources, and the grounds it is judged on."""

    __slots__ = (
        *(
            "alone",
            "begins",
            "change",
            "credential",
            "ends",
            "era",
            "grounds",
            "group",
            "moment",
            "needed",
            "order",
            "paths",
            "place",
            "refs",
            "risk",
        ),
        *("targets",),
    )

    def __init__(
        self, change: Change, grounds: Grounds, place: Place, credential: Credential, era: int, risk: Risk | None
    ) -> None:
        self.change = change
        self.grounds = grounds
        self.place = place
        self.targets = place.targets
        self.credential = credential
        self.moment = change.time.timestamp()
        self.era = era
        self.refs: Mapping[str, str] = self.credential.refs
        """Reference → where it was found first."""
        if change.claims:
            self.refs = {**self.refs, **{claim.text: claim.where for claim in reversed(change.claims)}}
        self.risk = risk
        required = grounds.policies.required(place.subjects, risk.level if risk else "")
        self.paths = required.paths
        self.order = required.by_hand if self.credential.pipeline.result == "fail" else tuple(required.paths)
        """The paths in the order they are tried in."""
        self.needed = max(required.approvals, risk.approvals) if risk else required.approvals
        """How many others must have approved."""
        self.group = risk.group if risk else ""
        """The group one of them must be of; empty: any."""
        self.alone = not place.targets
        """Whether more of the call was asked for than what `agent.authorise.alike` compares."""
        self.begins = -math.inf
        """Between which moments, in seconds since 1970, nothing that was asked for becomes something else."""
        self.ends = math.inf

    def narrow(self, begins: float, ends: float) -> None:
        """Something that was asked for stays as it is from `begins` to `ends` alone."""
        self.begins, self.ends = max(self.begins, begins), min(self.ends, ends)

    def one(self, user: str) -> str:
        """One name for a person at the time of the change, whichever of their user names it is."""
        return self.grounds.people.one(user, self.change.time)

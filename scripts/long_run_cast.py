"""Who acts in the long run's stories, on what, and what must become of it.

Hides sessions and access keys: a story's calls are known again by the keys of its sessions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import long_run_estate as estates
from long_run_estate import ACCOUNT, EXEMPT, Estate

from agent.demo.recorder import role_session
from agent.model import Outcome

SSO = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Engineer_0a1b2c3d4e5f6a7b"
Becomes = Literal["none", "open", "closed"]
Wait = Callable[[], bool]


@dataclass
class Truth:
    """What must have become of one story."""

    story: str
    number: int
    case: Becomes = "open"
    outcome: Outcome = "unauthorised"
    """Of each of its changes."""
    actors: tuple[str, ...] = ()
    """Whom the case names."""
    ticket: str = ""
    """The ticket each verdict rests on, or that was named."""
    keys: list[str] = field(default_factory=list)
    """Access keys of its sessions: by them its events are known."""
    events: list[str] = field(default_factory=list)
    """Ids of further calls of its, which no access key stands in."""
    refused: int = 0
    """Calls that AWS refused."""
    asleep: bool = False
    """Only a scan of everything can bring it on."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.story} {self.number}"


class Seen:
    """What the daemon has done so far, as the stories may ask for it."""

    def case_of(self, keys: Sequence[str]) -> tuple[str, str] | None:
        """Key and state of the case that answers for a call of these sessions; None: there is none yet."""
        raise NotImplementedError

    def stage_of(self, case: str) -> str:
        """The stage of an emergency's case."""
        raise NotImplementedError

    def all_in(self, keys: Sequence[str]) -> bool:
        """Whether cases answer for every call of these sessions."""
        raise NotImplementedError


@dataclass
class World:
    """What stories act on."""

    estate: Estate
    seen: Seen
    random: Random
    spare: dict[str, list[str]] = field(default_factory=dict)
    """Kind of resource → names that no story has taken."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Nothing is taken."""
        its = self.estate
        kinds: Mapping[str, Mapping[str, Any]] = {
            "queue": {name: 0 for name in its.queues if not name.startswith(EXEMPT)},
            "exempt": {name: 0 for name in its.queues if name.startswith(EXEMPT)},
            "log": its.logs,
            "role": its.roles,
            "group": its.groups,
        }
        self.spare = {kind: sorted(names) for kind, names in kinds.items()}

    def take(self, kind: str) -> str:
        """A resource for a story alone. Raises IndexError where none is left."""
        return self.spare[kind].pop()

    def left(self, *kinds: str) -> bool:
        """Whether there are enough of these."""
        return all(len(self.spare[kind]) >= 3 for kind in kinds)


class Teller:
    """One story's sessions and calls."""

    def __init__(self, world: World, story: str, truth: Truth) -> None:
        self.world, self.truth, self.story = world, truth, story
        self.estate = world.estate

    def session(self, who: str, *, role: str = SSO, name: str = "", source_identity: str = "", agent: str = "") -> str:
        """An access key of a new session."""
        key = f"ASIA{len(self.truth.keys):02}N{self.truth.number:09}"
        name = name or f"{who}@acme.example"
        self.estate.recorder.know(key, role_session(role, name, estates.now(), source_identity=source_identity))
        self.estate.recorder.pretend(
            key, source_ip="203.0.113.24", user_agent=agent or "aws-cli/2.31.0", from_console=not agent
        )
        self.truth.keys.append(key)
        return key

    def timeout(self, key: str, queue: str, seconds: int) -> None:
        """Sets a queue's visibility timeout."""
        url = f"{self.estate.recorder.upstream}/{ACCOUNT}/{queue}"
        self.estate.client("sqs", key).set_queue_attributes(
            QueueUrl=url, Attributes={"VisibilityTimeout": f"{seconds}"}
        )

    def open(self) -> bool:
        """Whether its case is open."""
        found = self.world.seen.case_of(self.truth.keys)
        return found is not None and found[1] == "open"

    def closed(self) -> bool:
        """Whether its case is closed."""
        found = self.world.seen.case_of(self.truth.keys)
        return found is not None and found[1] == "closed"

    def stage(self, *names: str) -> Wait:
        """Waits until its emergency's case is in one of these stages."""
        return lambda: (
            (found := self.world.seen.case_of(self.truth.keys)) is not None
            and (self.world.seen.stage_of(found[0]) in names)
        )

    @property
    def case(self) -> str:
        """Key of its case, which is there."""
        found = self.world.seen.case_of(self.truth.keys)
        assert found is not None
        return found[0]

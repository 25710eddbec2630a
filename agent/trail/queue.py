"""A queue of SQS, read until it is empty: batches of messages, and what becomes of each.

Hides long polling, that a message is hidden for a while and comes again unless it is deleted, that deleting may fail
for some of ten, and where messages go that nobody can read: to the queue's dead letters where it has them.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agent.clean import plural
from agent.model import Gap, Scope
from agent.trail.batch import shortened
from agent.trail.source import EVERYWHERE

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

VALIDATION = "CloudTrail validation message."
"""What CloudTrail sends once, when a trail is given its SNS topic."""
EMPTIED: Mapping[str, Any] = {}
"""Where a queue goes on: nowhere. That there is a checkpoint says when it was last read to its end."""
_TEN = 10  # messages in one request, at most
_GATHERED = 100  # messages of one batch
_BYTES = 16 << 20
_MINUTE = 60.0
_ENVELOPES = 3  # SNS puts one around a message, a forwarding topic another
_FAILED = (ClientError, BotoCoreError, OSError)
_ANY = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Message:
    """One message, hidden from other readers for now."""

    id: str
    receipt: str
    body: str


class UnreadableError(Exception):
    """What a message is instead of what it should be; the text goes into a gap."""


def _decoded(text: str) -> tuple[Any, str]:
    """What a text says, and the text, as JSON to the letter."""
    try:
        return _ANY.decode(text), text
    except (msgspec.DecodeError, UnicodeError):
        pass
    except RecursionError as error:
        raise UnreadableError("nested too deep") from error
    try:
        # With NaN, integers of any length, half a character: one odd value in a user agent must not hide an event.
        found = json.loads(text, parse_constant=lambda _: None)
        return found, json.dumps(found, ensure_ascii=False).encode("utf-8", "replace").decode()
    except (ValueError, RecursionError) as error:
        raise UnreadableError("no JSON") from error


def opened(body: str) -> tuple[Mapping[str, Any], str]:
    """A message's JSON object without the envelopes SNS put around it, and its text; `VALIDATION` is as good as empty.

    Raises `UnreadableError` for anything else.
    """
    text = body
    for _ in range(_ENVELOPES + 1):
        if text == VALIDATION:
            return {}, text
        found, text = _decoded(text)
        if not isinstance(found, dict):
            raise UnreadableError("no JSON object")
        inner = found.get("Message")
        if not isinstance(inner, str) or not isinstance(found.get("TopicArn"), str):
            return found, text
        if found.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            # Nothing here follows the address in it: the queue is writable by others.
            raise UnreadableError(f"an SNS {found['Type']}, for the owner of the subscription to answer")
        text = inner
    raise UnreadableError(f"more than {_ENVELOPES} SNS envelopes around each other")


def reached(client: SQSClient, url: str) -> tuple[Gap, ...]:
    """Whether the queue is there and may be asked for, without taking a message from it."""
    try:
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    except _FAILED as error:
        return (Gap(EVERYWHERE, shortened(f"{url}: {error}")),)
    return ()


@dataclass(slots=True)
class Reading:
    """One reading of a queue."""

    client: SQSClient
    url: str
    seconds: float = 60.0
    """How long new messages are asked for."""
    wait: int = 2
    """Seconds to wait for the first message: with 0 only some of the queue's servers are asked."""
    hidden: int = 120
    """Seconds a message stays away from others, and from us, unless it is deleted."""
    clock: Callable[[], float] = time.monotonic
    eager: bool = False
    """Messages are given as soon as no more are there at once: whoever waits for the first has it seconds earlier. What
    is left is no gap, and nobody asks for dead letters: it is read again at once, and by others in full."""
    _received: float = 0.0
    _redrive: str | None = None
    _gaps: list[Gap] = field(default_factory=list)

    def batches(self) -> Iterator[tuple[Message, ...] | Gap]:
        """Messages until there are none or the time is over; a gap where that is not the end of them."""
        deadline = self.clock() + self.seconds
        gathered: list[Message] = []
        while True:
            if not gathered:
                self._received = self.clock()
            try:
                answer = self.client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=_TEN,
                    WaitTimeSeconds=0 if self.eager and gathered else self.wait,
                    VisibilityTimeout=self.hidden,
                )
            except _FAILED as error:
                if gathered:
                    yield tuple(gathered)
                yield Gap(EVERYWHERE, shortened(f"{self.url}: {error}"))
                return
            got = [Message(one["MessageId"], one["ReceiptHandle"], one["Body"]) for one in answer.get("Messages", ())]
            gathered += got
            late = self.clock() >= deadline
            last = not got or (self.eager and len(got) < _TEN)
            if gathered and (
                late or last or len(gathered) >= _GATHERED or sum(len(m.body) for m in gathered) >= _BYTES
            ):
                yield tuple(gathered)
                gathered = []
            if self.eager and (last or late):
                return
            if not got or late:
                yield from self._dead_letters()
                if got:
                    yield Gap(EVERYWHERE, f"{self.url}: not empty after {self.seconds:g} s; the rest is read next time")
                return

    def stay_hidden(self, messages: Sequence[Message]) -> None:
        """Called now and then while a batch is worked on: its messages are hidden again before they would come back."""
        if self.clock() - self._received < self.hidden / 2:
            return
        self._received = self.clock()
        self._hide(messages, self.hidden)

    def give_back(self, messages: Sequence[Message]) -> None:
        """They could not be kept, and may be read again at once."""
        self._hide(messages, 0)

    def _hide(self, messages: Sequence[Message], seconds: int) -> None:
        for some in _tens(messages):
            entries = [(f"{n}", one.receipt) for n, one in enumerate(some)]
            try:
                self.client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": number, "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                        for number, receipt in entries
                    ],
                )
            except _FAILED:
                return  # the messages come again: that costs time and loses nothing

    def delete(self, messages: Collection[Message]) -> tuple[Gap, ...]:
        """Takes messages from the queue; a gap where some stay, and so will come again."""
        failed: list[str] = []
        for some in _tens(list(messages)):
            entries = [(f"{n}", one.receipt) for n, one in enumerate(some)]
            try:
                answer = self.client.delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": number, "ReceiptHandle": receipt} for number, receipt in entries],
                )
            except _FAILED as error:
                failed += [str(error)] * len(some)
                continue
            failed += [f"{one.get('Code')} {one.get('Message', '')}".strip() for one in answer.get("Failed", ())]
        if not failed:
            return ()
        why = f"{self.url}: {plural(len(failed), 'message')} could not be deleted and will come again: {failed[0]}"
        return (Gap(EVERYWHERE, shortened(why)),)

    def keeps_dead_letters(self) -> bool:
        """Whether a message that stays in the queue ends among its dead letters."""
        if self._redrive is None:
            self._redrive = ""
            try:
                answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
                policy = _ANY.decode(answer.get("Attributes", {}).get("RedrivePolicy") or "{}")
                self._redrive = str(policy.get("deadLetterTargetArn") or "")
            except (*_FAILED, msgspec.DecodeError) as error:
                why = f"whether it has dead letters is not known: {error}"
                self._gaps.append(Gap(EVERYWHERE, shortened(f"{self.url}: {why}")))
        return bool(self._redrive)

    def unreadable(self, message: Message, why: str, scope: Scope = EVERYWHERE) -> tuple[Gap, bool]:
        """What to tell, for good, of a message nobody can read; and whether it is to be deleted. `trail.poison` makes
        one of what is told of many.
        """
        left = self.keeps_dead_letters()
        then = f"left for the dead-letter queue {self._redrive}" if left else "taken from the queue"
        told = f"{self.url}: message {message.id}: {shortened(why, 330)}; {then}"
        return Gap(replace(scope, id=self.url), shortened(told), cause="poison"), not left

    def _dead_letters(self) -> Iterator[Gap]:
        """Messages that were given up may hold what nobody read."""
        if self.keeps_dead_letters():
            arn = self._redrive or ""
            *_, account, name = arn.split(":")
            try:
                url = self.client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
                answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
                count = int(answer.get("Attributes", {}).get("ApproximateNumberOfMessages", "0"))
                if count:
                    self._gaps.append(Gap(EVERYWHERE, f"{arn}: {count} dead letters, not read"))
            except (*_FAILED, ValueError) as error:
                self._gaps.append(Gap(EVERYWHERE, shortened(f"{arn}: how many dead letters is not known: {error}")))
        yield from self._gaps


def told_at_times(clock: Callable[[], float]) -> Callable[[], bool]:
    """Whether it is a minute since this last said yes: that a queue was read to its end need not be kept each time."""
    last = [clock() - _MINUTE]

    def told() -> bool:
        if clock() - last[0] < _MINUTE:
            return False
        last[0] = clock()
        return True

    return told


def _tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    return (messages[at : at + _TEN] for at in range(0, len(messages), _TEN))

"""Events from EventBridge, through a queue: seconds after the call, each in a message of its own.

Hides the envelopes, and what else such a queue holds. It is writable by others: what is no CloudTrail event of the
estate's accounts is refused. Calls that only read (Get, List, Describe) do not come this way, nor does an event of more
than 256 KB: that nothing came is no answer.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.model import Gap
from agent.trail.batch import Batch
from agent.trail.queue import EMPTIED, Message, Reading, UnreadableError, opened, reached, told_at_times
from agent.trail.source import Blob, Delivery, Feed, Window

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def feed(
    queue: SQSClient,
    url: str,
    *,
    accounts: Collection[str] = (),
    seconds: float = 60.0,
    wait: int = 2,
    hidden: int = 120,
    clock: Callable[[], float] = time.monotonic,
    eager: bool = False,
) -> Feed:
    """CloudTrail events that messages in the queue at `url` hold, of these accounts; empty: of any.

    `seconds` bounds how long new messages are asked for; `wait` is how long an answer may take to find the first;
    `hidden` is for how long a message that was read stays away, unless it was acknowledged. `eager`: see `Reading`.
    """

    emptied = told_at_times(clock) if eager else lambda: True

    def deliveries(_window: Window) -> Iterator[Delivery]:
        reading = Reading(queue, url, seconds, wait, hidden, clock, eager)
        read = True
        for messages in reading.batches():
            read = read and not isinstance(messages, Gap)
            yield Delivery((messages,)) if isinstance(messages, Gap) else _delivery(reading, messages, accounts)
        if read and emptied():
            yield Delivery(checkpoint=EMPTIED)

    return Feed(url, deliveries, drains=True, probe=lambda: reached(queue, url))


def _delivery(reading: Reading, messages: Sequence[Message], accounts: Collection[str]) -> Delivery:
    batch = Batch()
    done: list[Message] = []
    lines: list[str] = []
    for message in messages:
        try:
            lines.append(_event(message.body, accounts))
            done.append(message)
        except UnreadableError as error:
            gap, delete = reading.unreadable(message, str(error))
            batch.miss(gap, lasting=True)
            if delete:
                done.append(message)
    if lines:
        name = f"{reading.url} ({len(lines)} messages from {messages[0].id} on)"
        batch.add(Blob(name, "\n".join(lines).encode("utf-8", "replace")))
    return batch.deliver(acknowledge=partial(reading.delete, done), give_back=partial(reading.give_back, messages))


def _event(body: str, accounts: Collection[str]) -> str:
    """The envelope or bare record a message holds, on one line. Raises `UnreadableError` for anything else."""
    found, text = opened(body)
    record: Mapping[str, Any] = found
    kind, source = found.get("detail-type"), found.get("source")
    if "detail" in found:
        detail = found["detail"]
        record = detail if isinstance(detail, dict) else {}
        # Anybody may put events on a bus, but not in the name of a service of AWS.
        if not isinstance(source, str) or not source.startswith("aws.") or source.startswith("aws.partner"):
            raise UnreadableError(f"an event of {str(source)[:100]!a}, which is no service of AWS")
    if not isinstance(record.get("eventName"), str) or not isinstance(record.get("eventSource"), str):
        raise UnreadableError(f"no CloudTrail event{f' but {kind[:100]!a}' if isinstance(kind, str) else ''}")
    for account in (found.get("account"), record.get("recipientAccountId")):
        if accounts and account is not None and str(account) not in accounts:
            raise UnreadableError(f"an event of account {str(account)[:40]!a}, which is none of the estate's")
    # A JSON text needs no line break, so that without them one event is one line.
    return text.replace("\r", " ").replace("\n", " ")

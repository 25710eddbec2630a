"""A CloudTrail for moto: a loopback proxy that writes the record AWS would write for every call that passes it.

Hides wire protocols, sessions and CloudTrail's spelling. Calls are captured as they pass and understood when someone
asks for the records, so that a call is delayed by well under a millisecond.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from agent.demo.recorder import call as calls
from agent.demo.recorder import delivery, denial, events, lookup, operation
from agent.demo.recorder.call import Call, Exchange
from agent.demo.recorder.delivery import Plan
from agent.demo.recorder.identity import Identity, iam_user, role_session, root, service
from agent.demo.recorder.keyring import Keyring
from agent.demo.recorder.proxy import Proxy
from agent.demo.recorder.record import VERSION, Client, write
from agent.demo.recorder.wire import Request, Response, Upstream

__all__ = ["Identity", "Recorder", "iam_user", "role_session", "root", "service"]

_LOOKUP = "CloudTrail_20131101.LookupEvents"


class Recorder:
    """Stands in front of a moto server while its context is open. Safe to use from several threads."""

    def __init__(
        self,
        upstream: str,
        account: str = "123456789012",
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        region: str = "us-east-1",
        lookup_rate: float | None = lookup.RATE,
        seed: int | None = None,
    ) -> None:
        """`upstream`: moto, http://host:port. `account`: whose trail it is.

        `clock`: gives eventTime, timezone-aware. `region`: where calls count that name none. `lookup_rate`: requests of
        LookupEvents per second, None for no limit. `seed`: makes event ids and file names the same in every run.
        """
        self._upstream = upstream
        self._account = account
        self._clock = clock
        self._region = region
        self._random = Random(seed)  # noqa: S311 ids of a demonstration, no secrets
        self._proxy = Proxy(upstream, self._serve)
        self._lock = threading.RLock()
        self._keyring = Keyring(upstream, account)
        self._throttle = lookup.Throttle(lookup_rate)
        self._waiting: deque[Exchange] = deque()
        self._records: list[dict[str, Any]] = []
        self._undelivered: list[dict[str, Any]] = []
        self._unread: list[str] = []
        self._clients: dict[str, Client] = {}
        self._denied: dict[str, list[str]] = {}
        self._pauses = 0

    def __enter__(self) -> Self:
        """Open the endpoint."""
        self._proxy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the endpoint; records stay readable."""
        self._proxy.__exit__(kind, error, trace)

    @property
    def endpoint(self) -> str:
        """What clients use as AWS_ENDPOINT_URL."""
        return self._proxy.endpoint

    @property
    def upstream(self) -> str:
        """The moto server behind; what is sent there is not recorded."""
        return self._upstream

    @property
    def records(self) -> tuple[dict[str, Any], ...]:
        """The records so far, in the order the calls were completed."""
        with self._lock:
            self._understand()
            return tuple(self._records)

    @property
    def unread(self) -> tuple[str, ...]:
        """Calls that passed and have no record, because no model names them: `service METHOD path`."""
        with self._lock:
            self._understand()
            return tuple(self._unread)

    def know(self, access_key_id: str, who: Identity) -> None:
        """From now on the key is this identity's. Needed only for keys that neither passing calls nor moto explain."""
        with self._lock:
            self._understand()
            self._keyring.know(access_key_id, who)

    def pretend(
        self, access_key_id: str, *, source_ip: str = "", user_agent: str = "", from_console: bool = False
    ) -> None:
        """From now on the key's calls look as if they came from this client."""
        with self._lock:
            self._understand()
            self._clients[access_key_id] = Client(source_ip, user_agent, from_console)

    def deny(self, access_key_id: str, action: str) -> None:
        """Refuse the key's calls of `service:Action` (wildcards allowed) as AWS does, without passing them on."""
        with self._lock:
            self._denied.setdefault(access_key_id, []).append(action)

    def allow(self, access_key_id: str) -> None:
        """Take back every `deny` for the key."""
        with self._lock:
            self._denied.pop(access_key_id, None)

    def inject(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Add a record made by hand, such as a service's own event; what it leaves out of the envelope is filled in.

        Raises ValueError where it does not say which event of which source it is.
        """
        if not record.get("eventSource") or not record.get("eventName"):
            raise ValueError("a record needs eventSource and eventName")
        with self._lock:
            self._understand()
            envelope = {
                "eventVersion": VERSION,
                "userIdentity": {"accountId": self._account, "invokedBy": record.get("eventSource")},
                "eventTime": f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
                "awsRegion": self._region,
                "sourceIPAddress": record.get("eventSource"),
                "userAgent": record.get("eventSource"),
                "requestParameters": None,
                "responseElements": None,
                "requestID": self._uuid(),
                "eventID": self._uuid(),
                "readOnly": False,
                "eventType": "AwsServiceEvent",
                "managementEvent": True,
                "recipientAccountId": self._account,
                "eventCategory": "Management",
            }
            made = {**envelope, **record}
            self._keep(made)
            return made

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it calls pass unrecorded; the keys they issue are still learnt."""
        with self._lock:
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1

    def deliver(
        self,
        bucket: str,
        prefix: str = "",
        *,
        organisation: str = "",
        at: datetime | None = None,
        delay: timedelta = timedelta(),
        per_file: int = 500,
        twice: float = 0,
        shuffled: bool = False,
    ) -> tuple[str, ...]:
        """Write the undelivered records to the trail's bucket in moto, unrecorded; the keys of the files written.

        `organisation`: `o-…`, the path of an organisation's trail. `at`: delivery time, which the keys carry; None: the
        clock's. `delay`: records younger than this wait for a later delivery. `per_file`: most records in a file.
        `twice`: share of the files, 0 to 1, that arrive again under another key. `shuffled`: records in random order,
        across files.
        Raises botocore's ClientError where the bucket does not take them; the records then stay undelivered.
        """
        with self._lock:
            self._understand()
            at = at or self._clock()
            plan = Plan(prefix, organisation, per_file, twice, shuffled)
            latest = f"{at - delay:%Y-%m-%dT%H:%M:%SZ}"
            due = [record for record in self._undelivered if record["eventTime"] <= latest]
            files = delivery.log_files(due, plan, at, self._random)
            delivery.put(files, bucket, self._upstream)
            self._undelivered = [record for record in self._undelivered if record["eventTime"] > latest]
            return tuple(file.key for file in files)

    # --- one call, as it passes ------------------------------------------------------------------------------

    def _serve(self, request: Request, client: str, upstream: Upstream) -> Response:
        signed = calls.credential(request, self._region)
        response = (signed and self._own_answer(request, signed)) or upstream.send(request)
        recorded = self._pauses == 0
        # While paused only calls that may issue keys are worth keeping.
        if signed and (recorded or signed.scope in ("iam", "sts")):
            self._waiting.append(Exchange(request, response, self._clock(), client, recorded))
        return response

    def _own_answer(self, request: Request, signed: calls.Credential) -> Response | None:
        """Refusals and LookupEvents; None for what moto answers."""
        if signed.access_key_id in self._denied and (refused := self._refusal(request, signed)):
            return refused
        asks_us = request.headers.get("x-amz-target", "").endswith(_LOOKUP)
        return self._look_up(request, signed) if asks_us else None

    def _refusal(self, request: Request, signed: calls.Credential) -> Response | None:
        name, found = calls.asked(request, signed.scope)
        with self._lock:
            patterns = self._denied.get(signed.access_key_id, ())
            if not name or not any(denial.matches(pattern, signed.scope, name) for pattern in patterns):
                return None
            self._understand()
            who = self._keyring.identity(signed.access_key_id)
        return denial.refuse(who, signed.scope, name, found)

    def _look_up(self, request: Request, signed: calls.Credential) -> Response:
        found = operation.find(request, signed.scope)
        with self._lock:
            self._understand()
            account = self._keyring.identity(signed.access_key_id).account
            asked = found.parameters if found else {}
            try:
                self._throttle.admit(account, signed.region)
                return lookup.succeed(lookup.look_up(self._records, asked, account, signed.region, self._clock()))
            except lookup.LookupRefusedError as error:
                return lookup.fail(error)

    # --- understanding what has passed -----------------------------------------------------------------------

    def _understand(self) -> None:
        while self._waiting:
            exchange = self._waiting.popleft()
            call = calls.understand(exchange, self._region)
            if call is None:
                self._name_unread(exchange)
                continue
            caller = self._keyring.caller(call)
            if exchange.recorded and events.is_recorded(call):
                client = self._clients.get(call.credential.access_key_id, Client())
                self._keep(write(call, caller, client, self._uuid(), self._request_id(call)))
            self._keyring.learn(call, caller)

    def _name_unread(self, exchange: Exchange) -> None:
        signed = calls.credential(exchange.request, self._region)
        if signed and signed.scope != "s3" and exchange.recorded:
            self._unread.append(f"{signed.scope} {exchange.request.method} {exchange.request.path}")

    def _keep(self, record: dict[str, Any]) -> None:
        self._records.append(record)
        self._undelivered.append(record)

    def _request_id(self, call: Call) -> str:
        headers = call.exchange.response.headers
        return headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or self._uuid()

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

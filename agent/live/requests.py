"""Requests to AWS: clients, paging, retries, counting; a call answers with its pages or fails with one reason.

It hides boto3: what a client costs, that making one is not thread-safe, three ways to page and five families of
exceptions.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, PaginationError
from botocore.parsers import ResponseParserError

Page = Mapping[str, Any]

DEFAULTS = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=30,
    tcp_keepalive=True,
    user_agent_extra="driftwarden",
)
"""Five attempts with the SDK's back-off ride out a burst of throttling; what fails then is a gap, not a crash."""

_MAKING = threading.Lock()
"""Making a client is not thread-safe, using one is: https://github.com/boto/boto3/issues/1592."""

_TOKENS = (("NextToken", "NextToken"), ("nextToken", "nextToken"), ("NextMarker", "Marker"), ("Marker", "Marker"))
"""Output member → input member, for operations that page and have no paginator."""

_REQUEST_ID = frozenset({"x-amzn-requestid", "x-amz-request-id"})

_LONGEST_REASON = 300

_SHARED = frozenset({"resourcegroupstaggingapi"})
"""Services that specs of others ask."""
_KEPT = 4


class CallError(Exception):
    """A call that gave no answer after its retries."""

    def __init__(self, action: str, code: str, message: str) -> None:
        """`action` as `sqs:ListQueues`; `code` as AWS's error code or the name of the local failure."""
        super().__init__(f"{action}: {code}: {message[:_LONGEST_REASON]}" if message else f"{action}: {code}")
        self.code = code


class Calls:
    """How many requests were sent, retries included, by `service:Operation`. Safe to share between threads.

    Keeps the last few clients that reads of different services share, such as the one for tags: making one takes as
    long as ten calls.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        """`told` hears of each request, by the thread that sends it."""
        self._told = told
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self.shared: OrderedDict[tuple[boto3.Session, str, str], Any] = OrderedDict()

    def add(self, action: str) -> None:
        """One more request of this action left."""
        with self._lock:
            self._sent[action] += 1
        self._told()

    def by_action(self) -> Mapping[str, int]:
        """A copy of the counts so far."""
        with self._lock:
            return dict(self._sent)

    @property
    def total(self) -> int:
        """All requests so far."""
        with self._lock:
            return self._sent.total()


class Requests:
    """One session's calls in one region. Clients live as long as this object, but for shared ones: 1.5 MB each."""

    def __init__(
        self, session: boto3.Session, region: str, *, workers: int, calls: Calls, config: Config | None = None
    ) -> None:
        """`workers`: threads that will call at once; `config` overrides DEFAULTS where it is set."""
        self._session = session
        self._region = region
        self._calls = calls
        self._config = DEFAULTS.merge(Config(max_pool_connections=workers)).merge(config or Config())
        self._clients: dict[str, Any] = {}

    def pages(self, service: str, operation: str, arguments: Mapping[str, Any]) -> list[Page]:
        """All pages of the operation's answer, without `ResponseMetadata`. Raises CallError."""
        action = f"{service}:{operation}"
        try:
            client = self._client(service)
            action = f"{service}:{client.meta.method_to_api_mapping[operation]}"
            return [_body(page) for page in _pages(client, operation, arguments)]
        except ClientError as error:
            told = error.response.get("Error", {})
            raise CallError(action, str(told.get("Code", "ClientError")), str(told.get("Message", ""))) from error
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            # ValueError is botocore's answer to an endpoint URL it cannot parse.
            raise CallError(action, type(error).__name__, str(error)) from error

    def _client(self, service: str) -> Any:
        with _MAKING:
            if service not in self._clients:
                self._clients[service] = self._shared(service) if service in _SHARED else self._made(service)
            return self._clients[service]

    def _shared(self, service: str) -> Any:
        key = (self._session, self._region, service)
        if key not in self._calls.shared:
            self._calls.shared[key] = self._made(service)
            while len(self._calls.shared) > _KEPT:
                self._calls.shared.popitem(last=False)
        return self._calls.shared[key]

    def _made(self, service: str) -> Any:
        make: Any = self._session.client
        client = make(service, region_name=self._region, config=self._config)
        calls = self._calls
        client.meta.events.register(
            "before-send", lambda event_name, **_: calls.add(f"{service}:{event_name.rsplit('.', 1)[-1]}")
        )
        client.meta.events.register("before-parse", _refuse_if_cut)
        return client


def _refuse_if_cut(response_dict: Mapping[str, Any], operation_model: Any, **_: Any) -> None:
    """botocore reads half an answer in JSON as an answer that lists nothing."""
    body, headers = response_dict["body"], response_dict["headers"]
    announced = headers.get("Content-Length", "")
    whole = operation_model.http.get("method") != "HEAD" and not headers.get("Content-Encoding")
    if whole and announced.isdigit() and isinstance(body, bytes) and len(body) < int(announced):
        raise ResponseParserError(f"the answer was cut short by {int(announced) - len(body)} bytes")


def _pages(client: Any, operation: str, arguments: Mapping[str, Any]) -> Iterator[Page]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**arguments)
        return
    call = getattr(client, operation)
    page = call(**arguments)
    yield page
    given, taken = _token_members(client, operation)
    seen = set()
    while given and page.get(given):
        if page[given] in seen:
            raise PaginationError(message=f"the service repeated its page token {page[given]!r}")
        seen.add(page[given])
        page = call(**arguments, **{taken: page[given]})
        yield page


def _token_members(client: Any, operation: str) -> tuple[str, str]:
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    outputs = model.output_shape.members if model.output_shape else {}
    inputs = model.input_shape.members if model.input_shape else {}
    return next(((given, taken) for given, taken in _TOKENS if given in outputs and taken in inputs), ("", ""))


def _body(page: Page) -> Page:
    metadata = page["ResponseMetadata"]
    if not (metadata.get("RequestId") or _REQUEST_ID.intersection(metadata.get("HTTPHeaders", ()))):
        # botocore takes a proxy's error page with status 200 for an answer that lists nothing.
        raise ResponseParserError("the answer carries no request id: something else answered in AWS's place")
    return {name: value for name, value in page.items() if name != "ResponseMetadata"}

"""The session's moto server and a recorder in front of it per test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from recorder_calls import ACCOUNT, ALICE, Clients, clients

from agent.demo.recorder import Recorder, iam_user


@pytest.fixture(scope="session")
def moto(moto_server: str) -> str:
    """Address of the session's moto server on loopback."""
    return moto_server


@pytest.fixture
def recorder(moto: str) -> Iterator[Recorder]:
    """A recorder that knows Alice's key; LookupEvents is not throttled."""
    with Recorder(moto, ACCOUNT, lookup_rate=None, seed=7) as recorder:
        recorder.know(ALICE, iam_user("alice", ACCOUNT, principal_id="AIDAALICE"))
        yield recorder


@pytest.fixture
def client(recorder: Recorder) -> Clients:
    """boto3 clients through the recorder."""
    return clients(recorder.endpoint)


@pytest.fixture
def unique() -> str:
    """A name no other test uses: all tests share one moto."""
    return f"t{uuid4().hex[:12]}"

"""A moto server for the folder and a recorder in front of it per test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer
from recorder_calls import ACCOUNT, ALICE, Clients, clients

from agent.demo.recorder import Recorder, iam_user


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Address of a moto server on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


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

"""However many scans died since, the last that ended is known: where looking goes on, and what its document says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.gather import last_whole
from agent.gather.conclude import _overtaken
from agent.report.current import current
from agent.status import _last
from agent.store import ScanCommit, Store, connect
from agent.tables import Config
from agent.upkeep import prune

DIED = 60
MINUTE = timedelta(minutes=1)
BEGAN = datetime.now(UTC) - timedelta(days=800)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("died")
    with connect(f"sqlite:///{folder}/store.db") as opened:
        opened.scans.begin("good", BEGAN, "c", "r")
        told = {"run": {"id": "good", "started_at": f"{BEGAN:%Y-%m-%dT%H:%M:%SZ}"}}
        opened.scans.commit(ScanCommit("good", BEGAN, "clean", json.dumps(told).encode()))
        for number in range(DIED):
            opened.scans.begin(f"died{number}", BEGAN + (number + 1) * MINUTE, "c", "r")
        yield opened


def test_where_it_ended_is_known(store: Store) -> None:
    assert last_whole(store) == BEGAN
    assert [one.run_id for one in store.scans.last(5, ended=True)] == ["good"]
    assert [one.run_id for one in store.scans.last(1)] == [f"died{DIED - 1}"]


def test_a_reading_of_before_is_overtaken(store: Store) -> None:
    assert _overtaken(store, BEGAN - MINUTE)
    assert not _overtaken(store, BEGAN)


def test_its_document_stays_and_is_told(store: Store) -> None:
    assert prune(Config(), store, datetime.now(UTC)).documents == 0
    found, last = current(store), _last(store, "whole")
    assert found is not None
    assert last is not None
    assert (found.document["run"]["id"], last["run"]) == ("good", "good")
    assert last["begun_at"] > (last["ended_at"] or "")

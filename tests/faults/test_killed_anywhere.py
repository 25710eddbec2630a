"""A process that dies, or whose disk fails, at any of its writes loses nothing and doubles nothing.

The next one brings all to rest; that it is so is checked from outside, by a checker that is checked here as well.
"""

import re
import signal
import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest
from cycle import Cycle, points
from invariants import Truth, faults
from outcomes import TABLE
from spoiling import SPOILT, cut

SHORT = {
    "begin": (300,),
    "trail": (20, 90, 200, 330),
    "whole": (500,),
    "events": (60, 250),
    "document": (15, 30),
    "close": (780,),
    "backup": (60,),
    "report": (20,),
}
"""Stage → those of its writes that are died at each time the tests are run."""
MANY = 48
"""Writes of each stage that are died at in the sweep."""
FAILED = 8
"""Writes from which on they are refused."""


def swept(cycle: Cycle, name: str, how: str, at: Iterable[int], of: str = "") -> None:
    """Dies at these writes of a stage, and nothing may be wrong after any."""
    broken = {}
    for number in at:
        ended, wrong = cycle.died(cycle.stages[name], how, number)
        TABLE.note(how, f"{name}{of}", not wrong)
        if wrong or ended.signal != signal.SIGKILL:
            broken[number] = wrong, ended
    assert broken == {}


@pytest.mark.parametrize("name", sorted(SHORT))
def test_a_few(cycle: Cycle, name: str) -> None:
    swept(cycle, name, "kill", SHORT[name])


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["kill", "torn"])
@pytest.mark.parametrize("name", sorted({*SHORT, "prune"}))
def test_many(cycle: Cycle, name: str, how: str) -> None:
    writes = cycle.writes(cycle.stages[name])
    swept(cycle, name, how, points(writes * 49 // 50, MANY if how == "kill" else MANY // 6), f", {writes} writes")


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["full", "unsynced"])
@pytest.mark.parametrize("name", ["backup", "close", "document", "events", "trail"])
def test_a_disk_that_fails(cycle: Cycle, name: str, how: str) -> None:
    """From some write on all are refused: nothing is kept of it, it says why, and the next run does it."""
    stage = cycle.stages[name]
    writes = cycle.writes(stage)
    broken = {}
    for at in points(writes * 49 // 50, FAILED):
        ended, wrong = cycle.died(stage, how, at)
        # Where nothing more was to be added to a file, a full disk is no hindrance.
        told = ended.code == 0 or "disk" in ended.said or "No space" in ended.said
        TABLE.note(how, f"{name}, {writes} writes", told and not wrong)
        if wrong or not told:
            broken[at] = wrong, ended
    assert broken == {}


# --- the checker -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_it_is_told(cycle: Cycle, name: str) -> None:
    spoil, said = SPOILT[name]
    stage = cycle.stages["backup"]
    cycle.put_back(stage)
    spoil(cycle.folder)
    found = faults(cycle.folder, stage.truth)
    assert any(re.search(said, one) for one in found), found


def test_what_holds_is_not_told(cycle: Cycle) -> None:
    for name in ("backup", "close"):
        stage = cycle.stages[name]
        cycle.put_back(stage)
        truth = stage.truth if name == "backup" else Truth(stage.truth.calls)
        assert faults(cycle.folder, truth) == []
        cut(cycle.folder)
        assert faults(cycle.folder, truth) == []


def test_what_is_in_no_store_is_missed(cycle: Cycle) -> None:
    """Truth is held against the store, and not the store against itself."""
    stage = cycle.stages["backup"]
    cycle.put_back(stage)
    assert len(faults(cycle.folder, Truth({**stage.truth.calls, "e-0": "zoe"}))) == 2
    with closing(sqlite3.connect(cycle.folder / "driftwarden.db")) as raw:
        assert raw.execute("SELECT count(*) FROM cases").fetchone() == (2,)
    (cycle.folder / "driftwarden.db").unlink()
    assert "there is no store" in faults(cycle.folder, stage.truth)[0]

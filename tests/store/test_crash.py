"""A scan's end that is killed on the way leaves everything or nothing, wherever it is killed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CRASH = Path(__file__).with_name("crash.py")


def outcomes(url: str, how: str, step: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, CRASH, url, how, str(step)], capture_output=True, text=True, timeout=240, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: list[dict[str, Any]], at_least: int) -> None:
    """Every killed scan left all or nothing, on a sound store; the last one was not killed and left all."""
    for outcome in found:
        assert [] in (outcome["there"], outcome["missing"]), outcome
        assert outcome["sound"], outcome
    assert [outcome["status"] for outcome in found if outcome["status"] != 9] == [0]
    assert found[-1]["missing"] == []
    assert at_least <= sum(outcome["status"] == 9 for outcome in found)


@pytest.mark.slow
def test_killed_before_a_statement(url: str) -> None:
    check(outcomes(url, "statement", 2), at_least=12)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "step", "at_least"), [("pwrite64", 9, 12), ("fdatasync", 1, 6), ("ftruncate", 1, 2)])
def test_killed_while_sqlite_writes(sqlite_url: str, call: str, step: int, at_least: int) -> None:
    check(outcomes(sqlite_url, call, step), at_least)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_killed_while_talking_to_postgresql(postgres_url: str) -> None:
    check(outcomes(postgres_url, "sendto", 12), at_least=5)

"""Files that are meant to stop a reader, or to make it read what is not there: within limits that the kernel keeps."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_files import CASES

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def came_of() -> Mapping[str, Any]:
    """File → what came of it, out of one process with little memory."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parents[1])))}
    done = subprocess.run(
        [sys.executable, str(HERE / "hostile_files.py")], env=variables, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_one_gap_and_what_can_be_read_is_read(came_of: Mapping[str, Any], name: str) -> None:
    found, case = came_of[name], CASES[name]
    assert found["entries"] == case.entries
    if case.why:
        (why,) = found["gaps"]
        assert why.startswith(f"{name}: ")
        assert case.why in why
        assert len(why) < 400
        assert found["causes"] == ["unreadable"]
    else:
        assert found["gaps"] == []


@pytest.mark.parametrize("name", CASES)
def test_no_file_takes_long_and_no_text_of_it_is_kept_whole(came_of: Mapping[str, Any], name: str) -> None:
    assert came_of[name]["seconds"] < 30
    assert came_of[name]["longest"] <= 1024

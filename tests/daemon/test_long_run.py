"""The long run in a minute: nearly every story once, through the real daemon. `make daemon-run` tells hundreds.

It takes more of two cores than `make test` has left, and is a part of `make fault-sweep`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = str(Path(__file__).parents[2] / "scripts")


@pytest.mark.sweep
@pytest.mark.timeout(900)  # a minute, on a machine that does nothing else
def test_a_mixed_load_ends_with_exactly_the_cases_there_must_be(
    moto_server: str, reset_moto: Callable[[], None], tmp_path: Path
) -> None:
    sys.path.append(SCRIPTS)
    # Here and not above: it has the folder of benchmarks looked in, where there is another `declared`.
    import long_run

    reset_moto()
    said: list[str] = []
    result = long_run.lived(long_run.short(seed=6), tmp_path / "estate", moto_server, said.append)
    reset_moto()
    assert result.wrong == [], said

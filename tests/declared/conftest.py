"""The estate of this folder, applied once by the real Terraform."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOTS = Path(__file__).parent / "roots"


@pytest.fixture(scope="session")
def estate(terraform: Callable[..., Path], reset_moto: Callable[[], None]) -> Path:
    """The applied copy of `roots/estate`: code, `.terraform` and state."""
    reset_moto()
    copy = terraform(ROOTS / "estate")
    reset_moto()
    return copy

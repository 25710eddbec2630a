"""An office for every test: keys are made once."""

import pytest
from permissions import Office, office


@pytest.fixture(scope="session")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return office(tmp_path_factory.mktemp("office"))


@pytest.fixture
def at_work(_office: Office) -> Office:
    """The office, with nothing written in it yet."""
    for name in ("exceptions", "baseline", "standing"):
        folder = _office.folder / name
        for file in folder.iterdir() if folder.is_dir() else ():
            file.unlink()
    return _office

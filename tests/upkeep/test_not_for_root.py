"""Root is told to be the store's user: what it wrote beside the store, that user could not open."""

import os

import pytest
from click.testing import CliRunner
from upkeep.conftest import Place

from agent.cli import main


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be somebody else than root")
@pytest.mark.parametrize("command", [["backup"], ["verify"], ["prune"], ["rotate-key"]], ids=lambda words: words[0])
def test_root_is_refused_where_the_folder_is_anothers(place: Place, command: list[str]) -> None:
    before = sorted(path.name for path in place.folder.iterdir())
    os.chown(place.folder, 61184, 61184)
    done = CliRunner().invoke(main, ["db", *command, "--config", str(place.folder / "driftwarden.toml")])
    assert (done.exit_code, "belongs to user 61184" in done.output) == (2, True)
    assert sorted(path.name for path in place.folder.iterdir()) == before
    os.chown(place.folder, 0, 0)
    assert CliRunner().invoke(main, ["db", *command, "--config", str(place.folder / "driftwarden.toml")]).exit_code == 0

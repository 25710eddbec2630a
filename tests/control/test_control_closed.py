"""A socket that one may not even look for: the command is carried out here, and nothing breaks."""

from pathlib import Path

from click.testing import CliRunner

from agent.cli import main
from agent.config import load
from agent.store import connect


def test_a_socket_that_cannot_be_looked_for(tmp_path: Path) -> None:
    """As in a folder that is closed to us; root may look into those, but nobody may at a name as long as this."""
    config = tmp_path / "driftwarden.toml"
    config.write_text(f'[daemon]\nsocket = "{"x" * 300}/control.sock"\n')
    with connect(load(config).store_url()):
        pass
    done = CliRunner().invoke(main, ["cases", "list", "-c", str(config)])
    assert (done.exit_code, done.exception) == (0, None), done.output

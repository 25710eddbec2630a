"""The copies of configuration and rules that children read: none goes while one reads it."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import wait_for

from agent.daemon import given
from agent.daemon import log as logs
from agent.daemon.children import Children
from agent.daemon.given import Keeper, RefusedError


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(given, "_KEPT", 1)
    hook = threading.excepthook
    logs.configure("warning", {}, io.StringIO())
    one = Keeper(tmp_path / "driftwarden.toml", 60)
    yield one
    one.forget()
    threading.excepthook = hook


def test_a_copy_stays_as_long_as_a_child_reads_it(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was refused meanwhile."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "what_a_child_reads.py").write_text("import sys, time\ntime.sleep(1000)\n")
    children = Children(lambda _child, _code: None, lambda _child, _line: None)

    def copies() -> list[str]:
        (place,) = tmp_path.glob("driftwarden-given-*")
        return sorted(one.name for one in place.iterdir())

    right = '[[account]]\nid = "123456789012"\n'
    keeper.path.write_text(right)
    keeper.take(keeper.adopt())
    child = children.start("scan", "what_a_child_reads", [], 60, tell=False)
    keeper.path.write_text("[nothing]\n")
    with pytest.raises(RefusedError):
        keeper.adopt()
    keeper.path.write_text(right)
    keeper.take(keeper.adopt())
    keeper.tidy(children.read())
    assert copies() == ["1", "3"]
    child.process.kill()
    wait_for(lambda: not children.running(), "the end of the child")
    keeper.tidy(children.read())
    assert copies() == ["3"]

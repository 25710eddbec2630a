"""A process that has everything loaded and forks for each run: what a real process does, without its start.

Hides that a fork must come from a process without threads, so that it is neither the test's nor the recorder's. Each
run is a process of its own, which really dies where its disk says so. Run as a script it is that process.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

HERE = Path(__file__).parent
PATHS = (HERE.parent, HERE.parent / "trail", HERE.parent / "stories", HERE)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    signal: int
    """That killed it; 0: none did."""
    code: int
    writes: int
    """How many it had made by its end; 0 where it was killed."""
    said: str
    """Its output and its error."""


class Forks:
    """The process, while its context is open."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        paths = os.pathsep.join([*map(str, PATHS), os.environ.get("PYTHONPATH", "")])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, **variables, "PYTHONPATH": paths},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, config: Path, what: str, *arguments: str, how: str = "", at: int = 0) -> Ended:
        """One run: `whole`, `trail`, `open`, `remind`, `events`, a job of `agent.work`, or `say` with the arguments of
        the command line. `how` and `at` say what its disk does at which write; without them it only counts.
        """
        asked = {"config": str(config), "what": what, "arguments": arguments, "how": how, "at": at}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the forking process is gone"
        return Ended(**json.loads(answer))


# --- in the process --------------------------------------------------------------------------------------------


def _serve() -> None:
    # What a run says goes to its own file: on this stdout are only answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _load()
    for line in sys.stdin:
        answers.write(json.dumps(_forked(json.loads(line))) + "\n")
        answers.flush()


def _load() -> None:
    """Everything that a run would import, and AWS's models, which are read once for all runs."""
    from botocore.loaders import Loader

    for name in ("cli.breakglass", "daemon.serve", "events.worker", "run", "upkeep", "work"):
        import_module(f"agent.{name}")
    read: dict[Any, Any] = {}

    def once(load: Callable[..., Any]) -> Callable[..., Any]:
        def shared(loader: Loader, *arguments: Any, **named: Any) -> Any:
            key = (load, *loader.search_paths, *arguments, *sorted(named.items()))
            if key not in read:
                read[key] = load(loader, *arguments, **named)
            return read[key]

        return shared

    for name in ("load_service_model", "load_data_with_path"):
        setattr(Loader, name, once(getattr(Loader, name)))


def _forked(asked: Mapping[str, Any]) -> dict[str, Any]:
    if asked["what"] == "warm":
        _run("whole", Path(asked["config"]), ())
        return {"signal": 0, "code": 0, "writes": 0, "said": ""}
    with tempfile.TemporaryFile("w+") as said:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.close(reading)
            _child(asked, writing)
        os.close(writing)
        with os.fdopen(reading) as counted:
            writes = int(counted.read() or 0)
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        return {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            "writes": writes,
            "said": said.read(),
        }


def _child(asked: Mapping[str, Any], counted: int) -> None:
    from disk import Disk, Fault

    disk = Disk(Fault(asked["how"], asked["at"]) if asked["how"] else None, str(Path(asked["config"]).parent))
    disk.install()
    code = 1
    try:
        code = _run(asked["what"], Path(asked["config"]), asked["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - a child must never return into its parent's code
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(counted, str(disk.writes).encode())
    os._exit(code)


def _run(what: str, config: Path, arguments: Sequence[str]) -> int:
    from agent.config import load
    from agent.gather.focused import asked_of
    from agent.run import run, run_look

    if what == "whole":
        run(load(config))
    elif what in ("trail", "open", "remind"):
        loaded = load(config)
        run_look(loaded, asked_of(what, loaded))
    elif what == "events":
        _events(config)
    elif what == "say":
        from agent.cli import main

        os.chdir(config.parent)
        sys.argv = ["driftwarden", *arguments]
        main()
    else:
        from agent.work import _main

        return _main([str(config), what])
    return 0


def _events(config: Path) -> None:
    """Rounds of the event path until there is nothing more in the queue and nothing that waits."""
    from agent.config import load
    from agent.events import worker
    from agent.gather.unjudged import Unjudged
    from agent.store import connect
    from agent.trail import bus

    # What a killed process had taken from the queue comes back after a second instead of two minutes.
    cast("dict[str, Any]", bus.feed.__kwdefaults__)["hidden"] = 1
    worker.WAIT = 1
    loaded = load(config)
    with worker.Worker(loaded, None, lambda _: None) as one:
        quiet = 0
        while quiet < 3:
            batch = one.round()
            if batch is not None and batch.error and not batch.messages:
                raise RuntimeError(batch.error)
            quiet = quiet + 1 if batch is None else 0
    with connect(loaded.store_url()) as store:
        assert not Unjudged(store).found()


if __name__ == "__main__":
    _serve()

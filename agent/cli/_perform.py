"""The daemon's child: one command carried out for somebody at the control socket (`python -m agent.cli._perform`).

Hides how a request becomes the command's own parameters, parsed as if they had been typed, and what of its output goes
back. The errand comes on stdin from the daemon, the answer goes to stdout.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from agent.cli import main
from agent.cli._through import Drafted, Voice
from agent.config import ConfigError, load
from agent.control.errand import ERRANDS, Errand
from agent.control.frames import MOST_ANSWERED, Answer, Parameter, encoded, refusal
from agent.control.gate import Admitted, Nobody, admit
from agent.control.operations import OPERATIONS, Operation
from agent.declare import Refused, in_force
from agent.declare.statements import written
from agent.model import Directory
from agent.store import StoreError, connect


@dataclass(slots=True)
class _Said:
    """What a command wrote."""

    code: int
    stdout: str
    stderr: str
    draft: dict[str, Any] | None = None


def perform(errand: Errand) -> Answer:
    """Carries out an errand for whoever is let in for it."""
    asked, operation = errand.request, OPERATIONS[errand.request.operation]
    if (asked.draft or asked.signed) and not operation.states:
        return refusal(f"{operation.name} states nothing that could be signed")
    if asked.signed and asked.signed.statement.get("driftwarden") != operation.states:
        return refusal(f"what is signed is not for {operation.name}")
    # What is signed speaks for itself, whoever brings it.
    door = OPERATIONS["cases show"] if asked.draft or asked.signed else operation
    try:
        admitted = _admitted(door, errand)
    except Nobody as error:
        return msgspec.structs.replace(refusal(str(error)), nobody=True)
    except (ConfigError, StoreError, Refused) as error:
        return refusal(str(error))
    if operation.asks:
        return Answer(ask=operation.asks, by=admitted.name or errand.peer.called)
    voice = Voice(
        admitted.speaker,
        admitted.directory,
        errand.fence,
        asked.columns,
        asked.colour,
        asked.draft,
        asked.signed.statement if asked.signed else None,
        asked.signed.signature if asked.signed else "",
        errand.vitals,
    )
    return msgspec.structs.replace(_run(operation, errand, voice), by=admitted.name)


def _admitted(operation: Operation, errand: Errand) -> Admitted:
    config, now = load(Path(errand.config)), datetime.now(UTC)

    def by_file() -> Directory:
        from agent.directory import read  # boto3 with it, which root needs not

        return read(config, None, now)

    def whole() -> Directory:
        from agent.collect import Sessions, read_people

        return read_people(config, Sessions(config), now)

    with connect(config.store_url()) as store, in_force(config, store, now, keep=False) as force:
        return admit(
            operation,
            errand.peer,
            force.config.daemon.people,
            force.authority.roles,
            (by_file, whole) if config.identities.identity_center or config.identities.organizations else (by_file,),
            now,
        )


def _run(operation: Operation, errand: Errand, voice: Voice) -> Answer:
    asked = errand.request
    with contextlib.ExitStack() as stack:
        own: dict[str, Parameter] = {"config": errand.config}
        if operation.folder:
            own[operation.folder] = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftwarden-"))
        said = _called(operation, {**asked.parameters, **own}, voice)
        if not operation.folder:
            return Answer(said.code, said.stdout, said.stderr, said.draft)
        files = {
            path.name: path.read_text(encoding="utf-8") for path in sorted(Path(str(own[operation.folder])).iterdir())
        }
        return Answer(said.code, "", said.stderr, files=files)


def _called(operation: Operation, parameters: Mapping[str, Parameter], voice: Voice) -> _Said:
    """Runs the command as if its parameters had been typed."""
    out, err = io.StringIO(), io.StringIO()
    draft, code = None, 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _typed(parameters.get(operation.text)):
        try:
            code = _invoke(operation.name.split(), parameters, voice, operation.text)
        except Drafted as drafted:
            draft = json.loads(written(drafted.statement))
        except Refused as error:
            click.echo(f"driftwarden: {error}", err=True)
            code = 2
        except click.exceptions.Exit as ended:
            code = ended.exit_code
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return _Said(code, out.getvalue(), err.getvalue(), draft)


def _invoke(words: list[str], parameters: Mapping[str, Parameter], voice: Voice, text: str) -> int:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, word
        command = found
    line = [*words, *_line(command, parameters, text)]
    with main.make_context("driftwarden", line, obj=voice, color=voice.colour) as context:
        main.invoke(context)
    return 0


def _line(command: click.Command, parameters: Mapping[str, Parameter], text: str) -> Iterator[str]:
    """The parameters as they would be typed: no value can be taken for an option."""
    arguments: list[str] = []
    for one in command.params:
        value = parameters.get(str(one.name))
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(one, click.Argument):
            arguments += map(str, values)
            continue
        assert isinstance(one, click.Option)
        name = max(one.opts, key=len)
        if one.is_flag:
            named = name if value else next(iter(one.secondary_opts), "")
            yield from [named] if named else []
        elif one.name == text:
            yield f"{name}=-"
        else:
            yield from (f"{name}={each}" for each in values)
    yield from ("--", *arguments)


@contextlib.contextmanager
def _typed(text: Parameter | None) -> Iterator[None]:
    """A file that the client read, on stdin."""
    before = sys.stdin
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
    sys.stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


def _main() -> None:
    errand = ERRANDS.decode(sys.stdin.buffer.read())
    # The daemon may be gone by then: nobody else would end us.
    signal.alarm(errand.seconds)
    answer = encoded(perform(errand))
    if len(answer) > MOST_ANSWERED:
        answer = encoded(refusal(f"the answer is larger than {MOST_ANSWERED:,} bytes; ask for less"))
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    _main()

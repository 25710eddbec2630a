"""A command carried out where the daemon is, by way of its control socket, or here where none runs.

Hides on both sides that there is a socket: a command's function is the same, and asks `voice()` only where it matters
who speaks. On this side files, editors and keys; on the daemon's side `agent.cli._perform`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.control.operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from agent.control.client import Place
    from agent.control.frames import Answer, Parameter, Request
    from agent.declare import Speaker, Statement
    from agent.model import Directory


@dataclass(frozen=True, slots=True)
class Voice:
    """Who asked for the command at the daemon's socket."""

    speaker: Speaker | None
    """None: root or the daemon's own user, who is no person."""
    people: Directory | None
    """The identity map, where it was read already."""
    fence: int | None
    """Under which the daemon writes."""
    columns: int
    colour: bool
    draft: bool = False
    """Only the statement is wanted."""
    signed: Mapping[str, Any] | None = None
    signature: str = ""
    """A statement that was signed where the key is, and its signature."""
    vitals: Mapping[str, Any] | None = None
    """What the daemon says of itself, where it is wanted."""


class Drafted(Exception):  # noqa: N818 - it carries an answer
    """The statement a command would have made, in place of making it."""

    def __init__(self, statement: Statement) -> None:
        super().__init__("a draft")
        self.statement = statement


def voice() -> Voice | None:
    """Who asked at the socket; None where the command was typed here."""
    context = click.get_current_context(silent=True)
    return context.find_object(Voice) if context is not None else None


def vitals() -> Mapping[str, Any] | None:
    """What the daemon said of itself (`ask("status", {})`); None where the command was not asked of one."""
    asked = voice()
    return asked.vitals if asked is not None else None


def through(command: click.Command, name: str) -> click.Command:
    """The command, and each below it that the table of operations names, carried out by the daemon where one runs."""
    if isinstance(command, click.Group):
        for word, each in command.commands.items():
            through(each, f"{name} {word}")
    operation = OPERATIONS.get(name)
    if operation is not None and command.callback is not None and not isinstance(command.callback, _Through):
        command.callback = _Through(command, command.callback, operation)
    return command


class _Through:
    """A command's function that looks for a daemon first."""

    def __init__(self, command: click.Command, own: Callable[..., Any], operation: Operation) -> None:
        functools.update_wrapper(self, own)
        self._command = command
        self._own = own
        self._operation = operation

    def __call__(self, *given: Any, **parameters: Any) -> Any:
        from agent.cli import fail
        from agent.control.client import Unreached

        operation = self._operation
        context = click.get_current_context()
        if voice() is not None or context.invoked_subcommand or any(parameters.get(name) for name in operation.direct):
            return self._own(*given, **parameters)
        from agent.control.client import place

        at = place(context.find_root().params.get("socket"), Path(str(parameters.get("config", "driftwarden.toml"))))
        if at.path is None or not (at.named or _may_be_there(at.path)):
            return self._own(*given, **parameters)
        try:
            return self._ask(at, at.path, parameters)
        except Unreached as error:
            if at.named:
                fail(f"no daemon answers: {error}")
            return self._directly(str(error), given, parameters)

    def _directly(self, unreached: str, given: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
        """Without the daemon that should be there: where this does not work either, both reasons are said."""
        try:
            return self._own(*given, **parameters)
        except SystemExit as ended:
            if ended.code == 2:
                click.echo(f"driftwarden: and no daemon answers at its socket: {unreached}", err=True)
            raise

    def _ask(self, at: Place, path: Path, parameters: dict[str, Any]) -> None:
        from agent.cli import fail
        from agent.control import client
        from agent.control.frames import FrameError

        operation = self._operation
        try:
            asked = self._request(at, path, self._crossing(parameters))
            if parameters.get("key") is not None:
                asked = _signed(path, asked, parameters["key"])
            answer = client.ask(path, asked)
        except FrameError as error:
            hint = (
                "; `--offline FOLDER` signs it into a file, without the daemon" if "offline" in operation.direct else ""
            )
            fail(f"the daemon at {path} gave no answer: {error}{hint}")
        if operation.folder and answer.files:
            _write(answer, Path(parameters.get(operation.folder) or at.reports))
        _show(answer)
        raise SystemExit(answer.exit)

    def _request(self, at: Place, path: Path, crossing: dict[str, Parameter]) -> Request:
        """What is asked; the form is filled in first where it is to be edited."""
        from agent.cli._show import colour, width
        from agent.control import client
        from agent.control.frames import Request

        operation = self._operation
        columns = min(max(width(), 20), 1000)
        if operation.template and not any(name in crossing for name in (operation.text, *operation.filled)):
            from agent.cli.breakglass import at_terminal, edited

            if at_terminal():
                wanted = OPERATIONS[operation.template]
                about = {name: crossing[name] for name in wanted.options}
                form = client.ask(path, Request(wanted.name, about, at.estate, columns))
                if form.exit:
                    _show(form)
                    raise SystemExit(form.exit)
                crossing = {**crossing, operation.text: edited(client.harmless(form.stdout, colour=False))}
        return Request(operation.name, crossing, at.estate, columns, colour())

    def _crossing(self, parameters: dict[str, Any]) -> dict[str, Parameter]:
        """The parameters that cross; one that does not, and was given, ends the command."""
        from agent.cli import fail

        operation = self._operation
        crossing: dict[str, Parameter] = {}
        for one in self._command.params:
            name, value = str(one.name), parameters.get(str(one.name))
            if name in ("config", "key", operation.folder) or value is None or value == ():
                continue
            if name in operation.options:
                crossing[name] = value.read() if name == operation.text else _plain(value)
            elif value:
                fail(f"{one.opts[0]} does not go through the daemon's socket; `--socket none` asks no daemon")
        return crossing


def _may_be_there(path: Path) -> bool:
    """In a folder that is closed to us one may be: asking it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def _plain(value: Any) -> Parameter:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value if isinstance(value, str | bool | int) else str(value)


def _signed(path: Path, asked: Request, key: Path) -> Request:
    """The request with the statement it asks for, signed here. Raises FrameError."""
    import json

    import msgspec

    from agent.clean import clean
    from agent.cli import fail
    from agent.cli._declare import key_file
    from agent.control import client
    from agent.control.draft import checked
    from agent.control.frames import Signed
    from agent.declare import Refused
    from agent.signing import SigningError, sign

    draft = client.ask(path, msgspec.structs.replace(asked, draft=True))
    if draft.draft is None:
        _show(draft)
        raise SystemExit(draft.exit or 2)
    states = OPERATIONS[asked.operation].states
    try:
        bare = checked(draft.draft, states, asked.parameters, asked.estate, datetime.now(UTC))
    except Refused as error:
        fail(str(error))
    for what in draft.draft.get("what", ()):
        click.echo(f"Signing that you accept: {clean(what)}", err=True)
    try:
        signature = sign(bare, key_file(key))
    except SigningError as error:
        fail(str(error))
    return msgspec.structs.replace(asked, signed=Signed(json.loads(bare), signature))


def _write(answer: Answer, folder: Path) -> None:
    """Writes what the command wrote. Its names are a stranger's: none leaves the folder."""
    from agent.clean import clean
    from agent.cli import fail

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(answer.files.items()):
            if Path(name).name != name or name.startswith("."):
                fail(f"the daemon named a file '{clean(name, 60)}': nothing is written")
            (folder / name).write_text(text, encoding="utf-8")
            click.echo(folder / name)
    except OSError as error:
        fail(f"{folder}: {error.strerror}")


def _show(answer: Answer) -> None:
    from agent.cli._show import colour
    from agent.control.client import harmless

    click.echo(harmless(answer.stderr, colour=False), err=True, nl=False)
    click.echo(harmless(answer.stdout, colour=colour()), nl=False)

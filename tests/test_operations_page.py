"""The operations pages say nothing that was not run: each command is typed by the trial, or named with the reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("operations.md", "install.md")
TRIAL = ("operations_trial.py", "operations_steps.py")
PROGRAMS = r"(as-driftwarden|driftwarden|systemctl|journalctl|curl|chown|fuser|timedatectl|make|apt|terraform) "
"""What a command inside a sentence begins with."""


def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def commands(page: str) -> Iterator[str]:
    """Every command of a page, those that go over several lines as one."""
    said = text(page).partition("## Which of these commands were run")[0]
    for block in re.findall(r"```sh\n(.*?)```", said, flags=re.DOTALL):
        yield from (" ".join(line.split()) for line in block.replace("\\\n", " ").splitlines() if line)
    for words in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", said, flags=re.DOTALL)):
        if re.match(PROGRAMS, words):
            yield " ".join(words.split())


def typed() -> set[str]:
    """Every command that the trial types."""
    found = set()
    for name in TRIAL:
        for node in ast.walk(ast.parse((ROOT / "scripts" / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "typed":
                (command, *_) = node.args
                assert isinstance(command, ast.Constant), f"{name}:{node.lineno}: the command is no plain text"
                found.add(str(command.value).replace("{root}", ""))
    return found


def named() -> dict[str, str]:
    """Command that was not run, or the beginning of such commands (`make …`) → the reason."""
    table = text("operations.md").partition("## Which of these commands were run")[2]
    rows = re.findall(r"^\| (`.*) \| (\S.*) \|$", table, flags=re.MULTILINE)
    return {words: why for cell, why in rows for words in re.findall(r"`([^`]+)`", cell)}


def is_named(command: str, reasons: dict[str, str]) -> bool:
    return any(
        command.startswith(words.removesuffix("…")) if words.endswith(" …") else command == words for words in reasons
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_command_was_run_or_says_why_not(page: str) -> None:
    ran, reasons = typed(), named()
    found = set(commands(page))
    assert len(found) > 15
    assert sorted(one for one in found if one not in ran and not is_named(one, reasons)) == []


def test_the_trial_runs_nothing_that_no_page_says() -> None:
    said = {command for page in PAGES for command in commands(page)}
    assert sorted(typed() - said) == []


def test_every_reason_is_for_a_command_that_there_is() -> None:
    said = {command for page in PAGES for command in commands(page)}
    reasons = named()
    assert reasons
    assert [one for one in reasons if not any(is_named(command, {one: ""}) for command in said)] == []


def test_every_alert_has_its_section() -> None:
    rules = (ROOT / "monitoring" / "driftwarden.rules.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"alert: (\w+)", rules)
    assert alerts
    assert sorted(alerts) == sorted(re.findall(r"^### Alert: (\w+)$", text("operations.md"), flags=re.MULTILINE))

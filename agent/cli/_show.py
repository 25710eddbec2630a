"""A scan's document on a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli._through import voice

if TYPE_CHECKING:
    from agent.report.content import Report
    from agent.report.current import Current

_SAID = {
    "clean": "clean: nothing that was compared differs without authority, and every change had it",
    "violations": "violations found",
    "incomplete": "incomplete: something could not be read, or its evidence is on its way; nothing in a gap is clean",
    "held": "held: too much changed at once to be believed; the cases wait until two people accept them",
}


def width() -> int:
    """Columns of the terminal; 120 where there is none."""
    asked = voice()
    if asked is not None:
        return asked.columns
    return shutil.get_terminal_size((120, 40)).columns


def colour() -> bool:
    """Whether stdout takes colours: a terminal, and nobody said NO_COLOR (https://no-color.org)."""
    from agent.config import environment

    asked = voice()
    if asked is not None:
        return asked.colour
    return sys.stdout.isatty() and not environment().get("NO_COLOR")


def report_of(document: Mapping[str, Any], folders: tuple[Path, ...] = ()) -> Report:
    """The document as a report. Raises ReportError and RuleError."""
    from agent.report.content import read
    from agent.rules import load_controls, load_rules

    return read(document, load_rules(folders), load_controls(folders))


def scan_table(document: Mapping[str, Any], columns: int, folders: tuple[Path, ...] = ()) -> str:
    """What was checked, what needs a decision, the cases, and the word for it all."""
    from agent.clean import clean
    from agent.report.text import attention_lines, coverage_lines, findings_table, merged_table, unlisted_lines

    report = report_of(document, folders)
    lines = [*coverage_lines(report), *unlisted_lines(report)]
    if document["findings"]:
        lines += ["", findings_table(report, columns, colour=colour())]
    if attention := attention_lines(report):
        lines += ["", *attention]
    if merged := merged_table(report, columns):
        lines += ["", merged]
    if document["cases"]:
        lines += ["", "Cases"]
    for case in document["cases"]:
        where = f"ticket {case['ticket']}" if case["ticket"] else case["state"]
        lines.append(f"  {case['severity']:<8}  {clean(where)}  {clean(case['title'])}")
    return "\n".join([*lines, "", ended(document)])


def ended(document: Mapping[str, Any]) -> str:
    """Which scan it is, and the word for how it ended: a list without it could read as clean."""
    return f"{document['run']['id']}: {_SAID[document['status']]}"


def looked(found: Current) -> tuple[str, ...]:
    """That the list tells of more than one scan, where it does."""
    if not found.looks or found.last is None:
        return ()
    times = "1 look" if found.looks == 1 else f"{found.looks} looks"
    return (f"with what {times} at parts of the estate found since, the last at {found.last:%Y-%m-%d %H:%M:%S} UTC",)

"""The report of a stored scan, written to a folder.

Hides that a reader who opens `latest.html` while it is replaced sees the old page or the new one, never half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.config import Config
from agent.document import with_tickets
from agent.report.content import ReportError, read
from agent.report.current import Current, current
from agent.report.page import render_html, render_markdown
from agent.rules import load_controls, load_rules
from agent.store import connect

_NONE = "the store has no finished scan yet; run `driftwarden scan`"


def stored(config: Config, run_id: str | None = None) -> Mapping[str, Any]:
    """The document of a scan; without `run_id`, of the last that ended. Raises ReportError where there is none."""
    with connect(config.store_url()) as store:
        kept, cases = store.scans.document(run_id), store.cases.listed()
    if kept is None:
        raise ReportError(f"the store has no finished scan {run_id}" if run_id else _NONE)
    return with_tickets(json.loads(kept), [record.case for record in cases])


def known(config: Config) -> Current:
    """What is known now. Raises ReportError before the first scan of everything has ended."""
    with connect(config.store_url()) as store:
        found, cases = current(store), store.cases.listed()
    if found is None:
        raise ReportError(_NONE)
    return replace(found, document=with_tickets(found.document, [record.case for record in cases]))


def write(config: Config, folder: Path, run_id: str | None = None) -> tuple[Path, ...]:
    """Writes a scan's report as HTML and Markdown, under its run id and as `latest`; gives the paths.

    Raises ReportError where there is no such scan or the folder cannot be written.
    """
    document = stored(config, run_id)
    folders = [config.path(name) for name in config.rules.dirs]
    report = read(document, load_rules(folders), load_controls(folders))
    pages = {"html": render_html(report), "md": render_markdown(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(
            _replace(folder / f"{name}.{suffix}", text)
            for suffix, text in pages.items()
            for name in (document["run"]["id"], "latest")
        )
    except OSError as error:
        raise ReportError(f"{folder}: {error.strerror}") from None


def _replace(path: Path, text: str) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path

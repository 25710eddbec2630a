"""A report as one HTML file or as Markdown, from the templates beside this module.

Hides escaping: every expression of a template passes through one function, so that a template cannot forget it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent import __version__
from agent.clean import clean, plural
from agent.judge import Rule
from agent.model import SEVERITIES
from agent.report.authority import RESULTS, STATES
from agent.report.content import Report
from agent.report.values import CHANNELS, TESTS, words

_BACKTICKS = re.compile("`+")
_MARKS = re.compile(r"([\\`*_\[\]<>|~&#@$])")
_LEADING = re.compile(r"^(\d*)([-+=.)])(?=[\s=-]|$)")


def render_html(report: Report) -> str:
    """The report as one self-contained HTML file: no script, nothing loaded from anywhere."""
    style = _style()
    # The policy admits this style sheet and nothing else: a name that smuggled markup in could still load nothing.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _html().get_template("report.html.j2")
    return page.render(report=report, style=Markup(style), style_sha256=digest)  # noqa: S704 - our own file


def render_markdown(report: Report) -> str:
    """The report as Markdown (CommonMark and GitHub's tables)."""
    text = _markdown().get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@functools.cache
def _style() -> str:
    return (resources.files("agent.report") / "templates" / "style.css").read_text("utf-8")


def _environment(*, html: bool) -> Environment:
    env = Environment(
        loader=PackageLoader("agent.report"),
        autoescape=html,  # noqa: S701 - Markdown is escaped by `inert`
        undefined=StrictUndefined,
        finalize=_visible if html else inert,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.globals |= {"version": __version__, "tests": TESTS, "channels": CHANNELS, "severities": SEVERITIES[::-1]}
    env.globals |= {"states": STATES, "results": RESULTS}
    env.filters |= {"words": words, "code": code, "fenced": fenced, "slug": slug, "plural": plural}
    # `mark` is for what a template itself wrote: a macro's answer, a literal with Markdown in it.
    env.filters |= {"sentence": sentence, "worst_first": worst_first, "mark": Markup}
    return env


@functools.cache
def _html() -> Environment:
    return _environment(html=True)


@functools.cache
def _markdown() -> Environment:
    return _environment(html=False)


def _visible(value: object) -> object:
    """HTML: hidden characters shown; the escaping itself is the template engine's."""
    return value if isinstance(value, Markup) else clean(value)


def inert(value: object) -> str:
    """Text in Markdown that is nothing but text: no link, no mention, no heading, no table cell too many."""
    if isinstance(value, Markup):
        return str(value)
    escaped = _LEADING.sub(r"\1\\\2", _MARKS.sub(r"\\\1", clean(value)))
    # GitHub looks for mentions, issues and addresses after it has undone the escaping; an empty comment stops it.
    for mark in ("\\@", "\\#", "://", "www."):
        escaped = escaped.replace(mark, f"{mark[:-1]}<!-- -->{mark[-1]}" if mark[0] != "\\" else f"{mark}<!-- -->")
    return escaped


def code(value: object) -> Markup:
    """Text in Markdown as code, in a fence longer than any in the text; a bar stays out of tables' reach."""
    text = clean(value) or " "
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    padding = " " if text[0] in "` " or text[-1] in "` " else ""
    return Markup(f"{fence}{padding}{text}{padding}{fence}")  # noqa: S704 - cleaned and fenced


def fenced(lines: Sequence[str]) -> Markup:
    """Lines in Markdown as a block of code, in a fence longer than any in them."""
    shown = [clean(line) for line in lines]
    runs = (len(run) for line in shown for run in _BACKTICKS.findall(line))
    fence = "`" * max(3, 1 + max(runs, default=0))
    return Markup("\n".join([fence, *shown, fence]))  # noqa: S704 - cleaned and fenced


def slug(value: object) -> str:
    """A name as part of an element's id."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", str(value)).strip("-")


def sentence(text: str) -> str:
    """With a capital first letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def worst_first(rules: Sequence[Rule]) -> list[Rule]:
    """Rules by severity, the worst first."""
    return sorted(rules, key=lambda rule: -SEVERITIES.index(rule.severity))

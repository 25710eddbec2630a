"""A weekly report as one HTML file or as Markdown, both from its figures alone.

Hides escaping, as `agent.report.page` does: every expression of a template passes through one function.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent import __version__
from agent.clean import clean, plural
from agent.document.times import stamp
from agent.model import SEVERITIES
from agent.report.page import code, inert, sentence, slug
from agent.report.values import words
from agent.report.weekly import wording


def html(figures: Mapping[str, Any], name: str, sha256: str, made_at: datetime, news: str = "") -> str:
    """One HTML file: no script, nothing loaded from anywhere. `news` tells of the report that it replaces."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment(html=True).get_template("weekly.html.j2")
    known = {"style": Markup(style), "style_sha256": digest}  # noqa: S704 - our own file
    return page.render(**_given(figures, name, sha256, made_at, news), **known)


def markdown(figures: Mapping[str, Any], name: str, sha256: str, made_at: datetime, news: str = "") -> str:
    """Markdown (CommonMark and GitHub's tables), which reads as plain text in an e-mail too."""
    page = _environment(html=False).get_template("weekly.md.j2")
    text = page.render(**_given(figures, name, sha256, made_at, news))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def subject(figures: Mapping[str, Any]) -> str:
    """What an e-mail of it is about, in one line: what was not checked first."""
    said = wording.headline(figures)
    first = "NOTHING WAS CHECKED" if wording.nothing(figures) else ""
    first = first or ("incomplete" if wording.unchecked(figures) else "")
    parts = [part for part in (first, said[0].rstrip(".") if said else "") if part]
    return clean(f"{figures['estate']}, week {figures['week']['id']}: {'; '.join(parts)}")


def _given(figures: Mapping[str, Any], name: str, sha256: str, made_at: datetime, news: str) -> dict[str, Any]:
    zone = figures["week"]["timezone"]
    return {
        **{key: value for key, value in figures.items() if key != "schema"},
        "id": name,
        "sha256": sha256,
        "made_at": wording.dated(stamp(made_at), zone),
        "news": news,
        "headline": wording.headline(figures),
        "first_words": wording.first_words(figures),
        "never_read": wording.never_read(figures),
        "places": wording.places(figures),
        "of_cases": wording.of_cases(figures["cases"]),
        "unchecked": wording.unchecked(figures),
        "nothing": wording.nothing(figures),
        "at": functools.partial(wording.local, zone=zone, year=_year(figures)),
        "dated": functools.partial(wording.dated, zone=zone),
    }


def _year(figures: Mapping[str, Any]) -> int:
    """The year of the week; times of another are told with theirs."""
    return int(figures["week"]["id"][:4])


@functools.cache
def _style() -> str:
    return (resources.files("agent.report") / "templates" / "weekly.css").read_text("utf-8")


@functools.cache
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
    env.globals |= {"version": __version__, "severities": SEVERITIES[::-1]}
    env.globals |= {
        "failed": wording.FAILED,
        "stages": wording.STAGES,
        "looks": wording.LOOKS,
        "out_of": wording.out_of,
    }
    env.filters |= {"words": words, "code": code, "slug": slug, "plural": plural, "sentence": sentence}
    env.filters |= {"long": wording.long, "spark": wording.spark, "mark": Markup, "named": named}
    return env


def named(value: object) -> Markup:
    """A name in Markdown: as code, which reads as it is written; as plain text where code would not hold it."""
    text = clean(value)
    return Markup(inert(text)) if set("|`") & set(text) else code(text)  # noqa: S704 - escaped


def _visible(value: object) -> object:
    """HTML: hidden characters shown; the escaping itself is the template engine's."""
    return value if isinstance(value, Markup) else clean(value)

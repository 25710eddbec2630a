"""`agent.report.page`: the report as HTML and Markdown, whatever names are in it."""

import base64
import copy
import hashlib
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clean import clean
from agent.report.content import Report, read
from agent.report.page import code, fenced, inert, plural, render_html, render_markdown
from agent.rules import load_controls, load_rules

RULES, CONTROLS = load_rules(), load_controls()
Json = dict[str, Any]
HOSTILE = (
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>*{display:none}</style>",
    "a|b|c",
    "[x](http://evil.example) ![y](http://evil.example/z.png)",
    "`` ` ```",
    "@everyone #1 http://evil.example www.evil.example",
    "\x1b[2J\u202eabc\u2028\x00",
    "# heading",
    "- [ ] task\n\n## heading",
    "javascript:alert(1)",
    "<!-- -->",
    "",
    " ",
)  # fmt: skip
FREE = {
    "address", "stack", "id_live", "id", "type", "name", "how", "evidence", "why", "scope", "title", "source_ip",
    "action", "attribute", "declared", "live", "source", "ticket", "unexplained", "part", "region", "account", "kind",
    "location", "commit", "commit_author", "in_motion", "notes", "reasons", "since", "covered_by", "person", "incident",
    "by", "done", "told", "ref", "system", "due", "url", "owner", "approver", "reason", "problems", "path",
    "author", "waiting", "group",
}  # fmt: skip
"""Keys whose text somebody else wrote, or may have."""


def of(document: Json) -> Report:
    return read(document, RULES, CONTROLS)


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, in order; and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags


def disguised(document: Json, texts: list[str]) -> Json:
    """The document with every text somebody else may have written replaced: equal ones by equal, others by others."""
    known: dict[str, str] = {}

    def rewritten(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            # A drift's kind is our word, an actor's may be replaced: only the latter stands beside a name.
            return {k: v if k == "kind" and "name" not in node else rewritten(v, k) for k, v in node.items()}
        if isinstance(node, list):
            return [rewritten(item, key) for item in node]
        if not isinstance(node, str) or not node or key not in FREE or node in ids:
            return node
        # The number keeps the order of names, by which findings are sorted.
        text, number = texts[len(known) % len(texts)], f"{len(known):04}"
        return known.setdefault(node, f"{text}{number}" if len(texts) == 1 else f"{number}{text}")

    ids = {item["id"] for item in document["findings"]}
    out: Json = rewritten(document)
    return out


# --- HTML ----------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_scan_found(document: Json) -> None:
    text = " ".join(" ".join(parsed(render_html(of(document))).text).split())
    for expected in (
        "6 findings need a decision , in 3 cases. 2 emergencies wait",
        "overdue or rejected. The scan is incomplete:",
        "29 of 31 declared (93 %)",
        "11 in 8,412 events, 1 denied",
        "us-east-1 412 2026-03-02 09:10:00 UTC not checked against digests",
        "<b>mallory</b> 111122223333 40 22",
        "LookupEvents: AccessDenied for role driftwarden-reader",
        "aws_security_group.web and 1 more: changed by dana@acme.example (console) without authority",
        "from_port 22 protocol tcp source 0.0.0.0/0",
        "ec2:AuthorizeSecurityGroupIngress in the console from 203.0.113.24",
        "2026-03-02 06:58:12 UTC",
        "Known from SSO session name (90 % sure)",
        "✗ fail Approved by somebody else approved by marco: 0 of 1 others",
        "added Statement[1]: {'Effect': 'Allow', 'Action': 'kms:Decrypt'}",
        "Actor unknown: before the trail's window",
        "No difference is left to see: the trail alone shows the change.",
        "Authorised by the pipeline path · ticket CHG-1044",
        "To codify: authorised, and the code still declares another value",
        "1 change made by AWS services on their own account",
        "no specification for this type (2 resources)",
        "Whether a control is met is for its assessor to say.",
        "a-rule-of-old no longer in the ruleset",
        "2 emergencies wait for a document or a review, 2 of them overdue or rejected.",
        "High risk score 7, needs 2 approvals, one of them from security environment production +3",
        "(it changes nothing of the verdict) CHG-1040 was reopened at 2026-03-02 08:40:00 UTC",
        "Overdue: no document BG-00000000000a Case 00000000000000bb Ticket DW-0000000000bb",
        "2026-03-02 03:14:09 UTC , 6 hours overdue late",
        "Nobody has documented it yet.",
        "What was done raised the limit",
        "Review: rejected lena",
        "1 beyond 1 not performed 1 approved jira, now closed it says that it is done",
        "beyond aws_iam_role.settlement iam:AttachRolePolicy is not in the plan of CHG-1040 e3",
        "legacy-retention exception exceptions/legacy.yaml:3 until the migration dana lena",
        "ends in 7 days unused",
        "Not in force exceptions/old.yaml:9: it ended on 2026-02-01",
        "rules/own.yaml changed 4f1c2a9d lena",
        "Would loosen the policy, and waits for two people [authority] paths.manual would no longer ask",
        "aws_sqs_queue.refunds F-00000000000a",
        "no longer in the ruleset made by hand",
        "Covered by an exception nearest path: manual · covered by legacy-retention",
    ):
        assert expected in text


def test_completeness_comes_before_decisions_and_decisions_before_evidence(document: Json) -> None:
    page = render_html(of(document))
    ids = re.findall(r'<section id="(\w+)"', page)
    rest = ["authorised", "observed", "waiting", "merged", "unlisted", "states", "limits", "controls", "rules"]
    assert ids == ["checked", "decide", "breakglass", "requested", "tolerated", "policy", *rest]
    text = render_markdown(of(document))
    heads = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert heads[:6] == [
        "What was checked",
        "Needs a decision",
        "Break-glass",
        "Requested and performed",
        "May differ for now",
        "Changes to the policy itself",
    ]


def test_one_file_that_loads_and_runs_nothing(document: Json) -> None:
    page = render_html(of(document))
    tags = parsed(page)
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in tags.attributes
    assert set() == {tag for tag, _ in tags.tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert [name for name, _ in tags.attributes if name in ("src", "style", "srcset") or name.startswith("on")] == []
    led_to = [value for name, value in tags.attributes if name == "href" and not str(value).startswith("#")]
    assert led_to == ["https://jira.acme.example/browse/CHG-1040"]
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_somewhere(document: Json) -> None:
    tags = parsed(render_html(of(document)))
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    hrefs = [str(value) for name, value in tags.attributes if name == "href"]
    targets = {value.removeprefix("#") for value in hrefs if value.startswith("#")}
    labels = {str(value) for name, value in tags.attributes if name == "aria-labelledby"}
    assert set() == (targets | labels) - set(ids)


def test_tables_have_headers_and_the_page_has_landmarks(document: Json) -> None:
    page = render_html(of(document))
    tags = [tag for tag, _ in parsed(page).tags]
    assert (
        tuple(tags.count(name) for name in ("h1", "main", "header", "footer")) == (1, 1, 1, 1) or tags.count("h1") == 1
    )
    assert {"main", "nav", "footer"} <= set(tags)
    assert page.count("<th ") == page.count('scope="')
    assert page.count("<table") == page.count("<thead")


def test_nothing_to_decide(document: Json) -> None:
    document |= {"findings": [], "cases": [], "changes": [], "drifts": [], "status": "clean", "emergencies": []}
    document |= {"tickets": [], "tolerated": {"hits": [], "entries": [], "problems": []}}
    document["policy"] = {"changes": [], "waiting": []}
    document["coverage"] |= {"gaps": [], "limits": []}
    document["coverage"]["trail"] |= {"gaps": [], "newest_event": None}
    for text in (render_html(of(document)), render_markdown(of(document))):
        assert "Nothing needs a decision." in text
        assert "Everything that should be read was read." in text
        assert "No finding breaks a rule." in text
        assert "newest event none" in text
        assert "No emergency access was seen." in text
        assert "No ticket came to its end in this scan." in text
        assert "No exception is in force, and there is no baseline." in text
        assert "None since the last scan." in text


def test_an_incomplete_scan_never_reads_as_clean(document: Json) -> None:
    document |= {"findings": [], "cases": [], "status": "incomplete", "emergencies": []}
    for text in (render_html(of(document)), render_markdown(of(document))):
        assert "The scan is incomplete:" in text
        assert "That holds only for what could be read." in text
        assert "Everything that should be read was read." not in text


def test_what_an_earlier_version_did_not_look_at_is_not_said_to_be_clean(document: Json) -> None:
    for name in ("emergencies", "tickets", "tolerated", "policy"):
        del document[name]
    for text in (render_html(of(document)), render_markdown(of(document))):
        assert "No emergency access was seen." not in text
        assert "May differ for now" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_way_back_stays_in_its_block(document: Json, hostile: str) -> None:
    document["findings"][0]["way_back"] = ["start", hostile, "````", "end"]
    page = render_html(of(document))
    document["findings"][0]["way_back"] = ["start", "plain", "plain", "end"]
    assert parsed(render_html(of(document))).tags == parsed(page).tags
    lines = str(fenced(["start", hostile, "````", "end"])).splitlines()
    assert (lines[0], lines[-1]) == ("`````", "`````")
    assert [line for line in lines[1:-1] if line.strip().startswith("`````")] == []
    assert len(lines) == 6


def test_the_way_back_keeps_its_lines(document: Json) -> None:
    page = render_html(of(document))
    block = page.partition("<pre")[2].partition("</pre>")[0]
    assert "  ingress {\n    from_port = 22\n  }\n" in block


def test_held_filing_is_said(document: Json) -> None:
    document["status"] = "held"
    for text in (render_html(of(document)), render_markdown(of(document))):
        assert "Filing is held:" in text


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_the_same_scan_gives_the_same_bytes(document: Json, render: Any) -> None:
    assert render(of(document)) == render(of(copy.deepcopy(document)))


@pytest.fixture
def plain(document: Json) -> list[tuple[str, tuple[str, ...]]]:
    """The tags of the page with nothing but plain names."""
    return parsed(render_html(of(disguised(document, ["plain"])))).tags


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_change_no_tag(document: Json, plain: Any, hostile: str) -> None:
    page = render_html(of(disguised(document, [hostile])))
    assert plain == parsed(page).tags
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert clean(hostile).strip() in "".join(parsed(page).text)


@given(texts=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_changes_a_tag(document: Json, plain: Any, texts: list[str]) -> None:
    assert plain == parsed(render_html(of(disguised(document, texts)))).tags


# --- Markdown ------------------------------------------------------------------------------------------------


def test_the_markdown_says_the_same(document: Json) -> None:
    text = render_markdown(of(document))
    for expected in (
        "**6 findings need a decision.** **2 emergencies** wait for a document or a review.",
        " **The scan is incomplete:**",
        "- 29 of 31 declared resources compared (93 %), 1,312 attributes, 44 live resources read",
        "- `111122223333/us-east-1/*/*`: LookupEvents: AccessDenied for role driftwarden-reader",
        "#### Critical: `aws_security_group.web`",
        "- **Added** `ingress`: (not declared) → `from_port = 22, protocol = tcp, source = 0.0.0.0/0, to_port = 22",
        "- ✗ **fail** Approved by somebody else: `approved by marco: 0 of 1 others`",
        "Authority: **Unauthorised**, nearest path: manual, ticket `CHG-1040`",
        "**Authorised**, by the manual path, ticket `CHG-1043`, late, 2 of 2 tests passed",
        "| SOC2:CC8.1 | Authorised and approved changes | supports | 6 |",
        "High risk, score 7, needs 2 approvals, one of them from security: environment production +3; kind identity +4",
        "**Overdue: no document**, `BG-00000000000a`, case `00000000000000bb`, ticket `DW-0000000000bb`",
        "- Documented by `tess` at 2026-02-28 02:30:00 UTC; Why: `the queue was full`; What was done:",
        "- **Beyond** `aws_iam_role.settlement`: `iam:AttachRolePolicy is not in the plan of CHG-1040`",
        "- `legacy-retention` (exception), until 2026-03-10 00:00:00 UTC, **ends in 7 days**",
        "- `rules/own.yaml` changed, commit `4f1c2a9d` by `lena`",
        "\n```\nTo keep what is live, write it into the code:\n",
        "- `aws_sqs_queue.refunds` (`F-00000000000a`): Change made without a ticket (`unticketed-change`, critical)",
    ):
        assert expected in text
    assert "\n\n\n" not in text


def code_span(text: str) -> str:
    """What CommonMark reads in a text that is one code span (https://spec.commonmark.org/0.31.2/#code-spans)."""
    fence = re.match("`+", text)
    assert fence is not None
    runs = list(re.finditer("`+", text))
    closing = next(run for run in runs[1:] if len(run[0]) == len(fence[0]))
    assert closing.end() == len(text)
    inner = text[fence.end() : closing.start()]
    stripped = len(inner) > 1 and inner[0] == inner[-1] == " " and inner.strip(" ")
    return inner[1:-1] if stripped else inner


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_code_holds_any_text(text: str) -> None:
    assert clean(text) == code_span(str(code(text)))


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_code_holds_all_texts(text: str) -> None:
    assert clean(text) == code_span(str(code(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words, as they are.", "plain words, as they are."),
        ("a|b", "a\\|b"),
        ("*bold* _it_ `x`", "\\*bold\\* \\_it\\_ \\`x\\`"),
        ("[x](y)", "\\[x\\](y)"),
        ("<b>&amp;", "\\<b\\>\\&amp;"),
        ("@all fix #12", "\\@<!-- -->all fix \\#<!-- -->12"),
        ("see http://x.example", "see http:/<!-- -->/x.example"),
        ("www.x.example", "www<!-- -->.x.example"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("1) item", "1\\) item"),
        ("===", "\\==="),
        ("0.1.0", "0.1.0"),
        ("a\nb", "a\\\\nb"),
    ],
)
def test_prose_is_nothing_but_text(text: str, expected: str) -> None:
    assert expected == inert(text)


@given(st.text(max_size=80))
def test_no_prose_has_a_live_mark(text: str) -> None:
    bare = re.sub(r"\\.|<!-- -->", "", inert(text))
    assert re.findall(r"[`*_\[\]<>|~&#@$]|://|www\.", bare) == []
    assert "\n" not in inert(text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_add_no_line_and_no_heading(document: Json, hostile: str) -> None:
    def shape(text: str) -> list[str]:
        return re.findall(r"^ *(?:#+|-|\||)", render_markdown(of(disguised(document, [text]))), re.MULTILINE)

    assert shape("plain") == shape(hostile)


def test_counts_read_well() -> None:
    assert (
        plural(1, "finding"),
        plural(0, "finding"),
        plural(1312, "finding"),
        plural(2, "entry", "entries"),
    ) == ("1 finding", "0 findings", "1,312 findings", "2 entries")


# --- colours -------------------------------------------------------------------------------------------------

STYLE = (resources.files("agent.report") / "templates" / "style.css").read_text("utf-8")
PAIRS = [
    *((ink, paper) for ink in ("ink", "soft", "accent") for paper in ("paper", "card", "faint")),
    *((level, f"{level}-bg") for level in ("critical", "high", "medium", "low", "good", "bad", "doubt")),
    *((ink, paper) for ink in ("ink", "soft") for paper in ("was", "is", "bad-bg")),
]


def palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    found = {name: dict(re.findall(r"--([\w-]+): (#\w{6})", text)) for name, text in (("light", light), ("dark", dark))}
    return {"light": found["light"], "dark": found["light"] | found["dark"]}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_text_can_be_read(theme: str, ink: str, paper: str) -> None:
    """WCAG 2.2 AA: https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    palette = palettes()[theme]
    low, high = sorted((luminance(palette[ink]), luminance(palette[paper])))
    assert (high + 0.05) / (low + 0.05) >= 4.5

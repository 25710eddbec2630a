"""Alert rules, their cases, the dashboard and docs/metrics.md: all of them speak of metrics that there are.

That what is in the catalogue is really exported is shown by tests/daemon/test_metrics.py.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agent.daemon.metrics_catalogue import CATALOGUE

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "monitoring"
RULES = MONITORING / "driftwarden.rules.yml"
CASES = MONITORING / "driftwarden.rules.test.yml"
DASHBOARD = MONITORING / "grafana-dashboard.json"
PAGE = ROOT / "docs" / "metrics.md"

SEVERITIES = {"critical", "warning", "info"}
_NAME = re.compile(r"\b(?:driftwarden|production)_[a-z0-9_]+\b")
_SELECTOR = re.compile(r"\b((?:driftwarden|production)_[a-z0-9_]+)(?:\{([^}]*)\})?")
OF_THE_SCRAPE = {"job", "instance"}


@cache
def rules() -> tuple[dict[str, Any], ...]:
    (group,) = YAML(typ="safe").load(RULES)["groups"]
    return tuple(group["rules"])


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = YAML(typ="safe").load(CASES)["tests"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Title of a panel and one of its queries, as Prometheus would get it."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*")


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH")
    return found


def said(*command: str) -> str:
    done = subprocess.run(command, cwd=MONITORING, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def sample_names() -> dict[str, set[str]]:
    """Name of each sample there may be → its labels."""
    found: dict[str, set[str]] = {}
    for one in CATALOGUE.values():
        names = [f"{one.name}_{part}" for part in ("bucket", "count", "sum")] if one.kind == "histogram" else [one.name]
        found |= {name: {*one.labels, *(["le"] if name.endswith("_bucket") else [])} for name in names}
    return found


def wrong_in(expression: str) -> list[str]:
    """Metrics of ours that there are not, and labels that they do not have."""
    known = sample_names()
    wrong = []
    for name, selector in _SELECTOR.findall(expression):
        if name not in known:
            wrong.append(name)
            continue
        used = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selector))
        wrong += [f"{name}{{{label}}}" for label in sorted(used - known[name] - OF_THE_SCRAPE)]
    return wrong


# --- alerts --------------------------------------------------------------------------------------------------


def test_prometheus_takes_the_rules(promtool: str) -> None:
    assert f"SUCCESS: {len(rules())} rules found" in said(promtool, "check", "rules", RULES.name)


def test_each_alert_fires_where_it_should_and_nowhere_else(promtool: str) -> None:
    assert "SUCCESS" in said(promtool, "test", "rules", CASES.name)


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires, quiet = set(), set()
    for case in cases():
        for expected in case.get("promql_expr_test", ()):
            named = re.search(r'alertname="([A-Za-z]+)"', expected["expr"])
            if named:
                (fires if expected["exp_samples"] else quiet).add(named[1])
    names = {rule["alert"] for rule in rules()}
    assert (fires, quiet) == (names, names)


def test_the_alerts_that_were_asked_for_are_there() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    asked = "DirectProductionChange AuditLogUnavailable UnauthorizedAccessAttempt DriftwardenSilent OutboxStuck"
    assert set(f"{asked} BreakGlassUndocumented".split()) <= set(names)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#alert-{rule['alert'].lower()}"
    assert wrong_in(rule["expr"]) == []
    kept = set(re.findall(r"by \(([^)]*)\)", rule["expr"]))
    labels = {label.strip() for group in kept for label in group.split(",")}
    told = set(re.findall(r"\$labels\.([a-z_]+)", json.dumps(rule["annotations"])))
    assert told <= labels


def test_cases_are_of_metrics_that_there_are() -> None:
    series = [one["series"] for case in cases() for one in case["input_series"]]
    assert [wrong for one in series for wrong in wrong_in(one)] == []


# --- the dashboard -------------------------------------------------------------------------------------------


def test_the_dashboard_is_for_any_grafana() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["schemaVersion"] >= 39
    assert [given["name"] for given in dashboard["__inputs"]] == ["DS_PROMETHEUS"]
    assert dashboard["id"] is None
    uids = set(re.findall(r'"uid": "([^"]*)"', DASHBOARD.read_text()))
    assert uids == {"${DS_PROMETHEUS}", "driftwarden"}
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "At a glance",
        "Security",
        "What is seen",
        "Operations",
    ]
    required = {one["id"] for one in dashboard["__requires"] if one["type"] == "panel"}
    assert {panel["type"] for panel in panels} - {"row"} == required


def test_no_panel_covers_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]


def test_panels_ask_for_metrics_that_there_are() -> None:
    assert [(title, wrong) for title, query in queries() for wrong in wrong_in(query)] == []


def test_prometheus_understands_what_panels_ask(promtool: str, tmp_path: Path) -> None:
    asked = list(queries())
    assert len(asked) > 30
    recorded = [{"record": f"panel:{n}", "expr": query} for n, (_, query) in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    assert f"{len(asked)} rules found" in said(promtool, "check", "rules", str(tmp_path / "panels.yml"))


@pytest.mark.parametrize(
    "query", ["driftwarden_unheard_of", 'driftwarden_cases{account="1"}', "driftwarden_time_to_detect_seconds"]
)
def test_what_is_no_metric_is_found(query: str) -> None:
    assert wrong_in(f"sum(rate({query}[5m]))")


# --- the page ------------------------------------------------------------------------------------------------


def test_the_page_has_every_metric_as_it_is() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    listed = [(name, kind, labels.replace("`", ""), meaning) for name, kind, labels, meaning in rows]
    assert listed == [(one.name, one.kind, ", ".join(one.labels), one.help) for one in CATALOGUE.values()]


def test_the_page_has_every_alert_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([A-Za-z]+)` \| (critical|warning|info) \| (.*?) \| (.*?) \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
    listed = [(name, severity, after or "at once") for name, severity, after, *_ in rows]
    assert listed == [(rule["alert"], rule["labels"]["severity"], rule.get("for", "at once")) for rule in rules()]
    assert all(meaning and act for *_, meaning, act in rows)

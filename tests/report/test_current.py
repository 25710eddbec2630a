"""What is known now: the last scan of everything, with what was looked at since in its place."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import small_estate
from small_estate import Estate

from agent.config import aws_environment, load
from agent.demo.recorder import Recorder
from agent.gather.focused import asked_of
from agent.report.current import Current, current, updated
from agent.run import run_look
from agent.store import connect


def look(estate: Estate) -> None:
    with aws_environment(estate.variables):
        config = load(estate.config)
        run_look(config, asked_of("trail", config))


def known(estate: Estate) -> Current | None:
    with connect(load(estate.config).store_url()) as store:
        return current(store)


def told(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader of a document acts on."""
    findings = {
        one["id"]: (
            one["verdict"]["outcome"],
            one["severity"],
            one["rules"],
            one["case"],
            one["changes"],
            one["drifts"],
        )
        for one in document["findings"]
    }
    calls = sorted((one["time"], one["action"], one["verdict"]["outcome"]) for one in document["changes"])
    drifts = sorted((one["address"], one["attribute"]) for one in document["drifts"])
    cases = {one["key"]: one["findings"] for one in document["cases"]}
    return {"findings": findings, "calls": calls, "drifts": drifts, "cases": cases, "status": document["status"]}


def test_a_look_s_findings_are_told_at_once(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    estate = small_estate.estate(tmp_path, *cloud)
    assert known(estate) is None
    refused = estate.driftwarden("findings")
    assert (refused.returncode, "no finished scan yet" in refused.stderr) == (2, True)
    whole = estate.scan().document["run"]["id"]
    before = known(estate)
    assert before is not None
    assert (before.looks, before.last, before.document["findings"]) == (0, None, [])
    assert "look" not in estate.driftwarden("findings").stdout

    estate.set_timeout(45)
    look(estate)
    estate.client("dana", "iam").tag_role(RoleName="worker", Tags=[{"Key": "x", "Value": "y"}])
    estate.write_trail()
    look(estate)
    now = known(estate)
    assert now is not None
    shown = estate.driftwarden("findings").stdout
    assert "aws_sqs_queue.orders" in shown
    assert "aws_iam_role.worker" in shown
    assert f"{whole}: violations found\nwith what 2 looks at parts of the estate found since, the last at " in shown
    (case,) = (one["key"] for one in now.document["cases"] if "orders" in one["title"])
    reasons = json.loads(estate.driftwarden("why", case, "--output", "json").stdout)
    assert {one["finding"]["address"]: one["not_in_scan"] for one in reasons} == {
        "aws_sqs_queue.orders": None,
        "aws_iam_role.worker": None,
    }
    # A scan that is asked for by its name is as it was.
    assert "aws_sqs_queue.orders" not in estate.driftwarden("findings", "--run", whole).stdout

    # A scan of everything tells the same.
    again = estate.scan()
    assert told(again.document) == told(now.document)

    # What is as it was declared again stays open for who changed it; an apply would close it.
    estate.set_timeout(30, who="ops")
    look(estate)
    now = known(estate)
    assert now is not None
    assert now.looks == 1
    assert [one["attribute"] for one in now.document["drifts"]] == ["tags_all"]
    assert told(estate.scan().document) == told(now.document)


def entry(name: str, **fields: Any) -> dict[str, Any]:
    place = {"account": "1", "region": "r", "type": "t", "id_live": name}
    drift = {"account": "1", "region": "r", "type": "t", "id": name, "attribute": fields.pop("attribute", "a")}
    return {
        "id": f"F-{name}",
        **place,
        "severity": "low",
        "verdict": {"outcome": "unauthorised"},
        "drifts": [drift],
        **fields,
    }


def document(*findings: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    drifts = [drift for one in findings for drift in one["drifts"]]
    empty = {"changes": [], "cases": [], "emergencies": [], "coverage": {"gaps": []}, "status": "violations"}
    return {**empty, "findings": list(findings), "drifts": drifts, **fields}


def test_the_newest_look_counts_and_what_is_over_is_gone() -> None:
    whole = document(entry("kept"), entry("over"), entry("again", attribute="old"))
    looks = [document(entry("again", attribute="new")), document(entry("again", attribute="between"), entry("late"))]
    now = updated(whole, looks, {"F-kept", "F-again", "F-late"}, set())
    assert [one["id"] for one in now["findings"]] == ["F-again", "F-late", "F-kept"]
    assert [(one["id"], one["attribute"]) for one in now["drifts"]] == [("kept", "a"), ("again", "new"), ("late", "a")]


@pytest.mark.parametrize(
    ("before", "gaps", "finding", "word"),
    [
        ("clean", [], {}, "violations"),
        ("held", [], {}, "held"),
        ("violations", [], None, "clean"),
        ("violations", ["gap"], None, "incomplete"),
        ("clean", [], {"severity": None, "verdict": {"outcome": "pending"}}, "incomplete"),
        ("clean", [], {"severity": None, "verdict": {"outcome": "indeterminate"}}, "violations"),
        ("clean", [], {"severity": None, "verdict": {"outcome": "authorised"}}, "clean"),
    ],
)
def test_the_word_for_it_all(before: str, gaps: list[str], finding: dict[str, Any] | None, word: str) -> None:
    found = [] if finding is None else [entry("x", **finding)]
    whole = document(status=before, coverage={"gaps": gaps})
    assert updated(whole, [document(*found)], {"F-x"}, set())["status"] == word

"""`check`: everything a scan needs is tried, what is missing is named, and nothing is kept."""

import re

import pytest
from small_estate import ACCOUNT, CONFIG, OURS, Estate

from agent.collect import Collector
from agent.config import aws_environment, load
from agent.model import Snapshot, Trail
from agent.proof import Check, prove
from agent.store import Unit, connect


def proved(estate: Estate) -> list[Check]:
    with aws_environment(estate.variables):
        return list(prove(load(estate.config)))


def wrong(checks: list[Check]) -> list[tuple[str, str]]:
    return [(check.name, check.said) for check in checks if check.result != "ok"]


def test_an_estate_in_order(estate: Estate) -> None:
    checks = proved(estate)
    assert wrong(checks) == []
    said = {check.name: check.said for check in checks}
    assert said["credentials"] == f"account {ACCOUNT}"
    assert said["tickets"] == "register: 0 tickets around now"
    assert (said["declared shop"], said[f"live {ACCOUNT}/us-east-1/sqs"]) == ("3 resources", "1 resource")
    assert "rules, their examples hold" in said["rules"]
    assert re.fullmatch(r"\d+ events?, the newest of 20.* UTC", said["trail cloudtrail"])
    with connect(load(estate.config).store_url()) as store:
        assert (store.scans.last(), store.findings.open()) == ((), {})


def test_a_queue_that_is_not_there_and_people_that_are_wrong(estate: Estate) -> None:
    with estate.recorder.paused():
        sqs = estate.client("ops", "sqs")
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="stays")
    told = f'source = ["trail", "eventbridge:{url}", "eventbridge:{url}-2"]'
    (estate.folder / "people.yaml").write_text("people:\n  - id: dana\n    kind: contractor\n")
    estate.configure(CONFIG.replace('source = "trail"', told) + '[identities]\nfile = "people.yaml"\n')
    found = dict(wrong(proved(estate)))
    with estate.recorder.paused():
        left = sqs.receive_message(QueueUrl=url)["Messages"]
        sqs.delete_queue(QueueUrl=url)
    assert [one["Body"] for one in left] == ["stays"]
    assert sorted(found) == ["identities", "trail cloudtrail"]
    assert "events-2: " in found["trail cloudtrail"]
    assert "people.yaml:2: " in found["identities"]


def test_what_is_denied_is_named_once_with_its_count(estate: Estate) -> None:
    estate.recorder.deny(OURS, "sns:*")
    estate.recorder.deny(OURS, "iam:Get*")
    found = wrong(proved(estate))
    assert {name for name, _ in found} == {f"live {ACCOUNT}/us-east-1/{service}" for service in ("sns", "iam")}
    assert all("AccessDenied" in said or "AuthorizationError" in said for _, said in found)


def test_without_credentials_and_with_a_ticket_that_is_none(estate: Estate) -> None:
    del estate.variables["AWS_ACCESS_KEY_ID"]
    (estate.folder / "tickets" / "bad.yaml").write_text("ref: CHG-1\nowner: dana\n")
    found = dict(wrong(proved(estate)))
    assert sorted(found) == ["credentials", "tickets"]
    assert found["credentials"].startswith(f"account {ACCOUNT}: no credentials for this account: ")
    assert found["tickets"].startswith(f"register: {estate.folder}/tickets/bad.yaml:2: ")


def test_a_configuration_that_says_little(estate: Estate) -> None:
    (estate.folder / "ours").mkdir()
    (estate.folder / "ours" / "odd.yaml").write_text("id: odd\n")
    estate.configure("[trail]\nsource = 'trail'\n[rules]\ndirs = ['ours']\n[store]\nkey = 'ours'\n")
    found = wrong(proved(estate))
    assert ("stacks", "no [[stack]] is configured: nothing is declared, and nothing can drift") in found
    assert ("tickets", "no ticket system is configured: no change can be authorised by a ticket") in found
    assert ("store", f"{estate.folder}/ours: Is a directory") in found
    assert [said for name, said in found if name == "rules"] == [
        f"{estate.folder}/ours/odd.yaml:1: a rule has no 'title'"
    ]


def test_a_rule_whose_example_does_not_hold(estate: Estate) -> None:
    (estate.folder / "ours").mkdir()
    rule = """\
id: odd
title: Odd
severity: low
stage: enforce
when: {outcome: unauthorised}
why: w
fix: f
controls: []
examples:
  - {name: says yes, facts: {outcome: authorised}, violates: true}
  - {name: says no, facts: {outcome: authorised}, violates: false}
"""
    (estate.folder / "ours" / "odd.yaml").write_text(rule)
    estate.configure(CONFIG + "[rules]\ndirs = ['ours']\n")
    assert wrong(proved(estate)) == [("rules", "odd: its example 'says yes' does not come out as it says")]


def test_an_address_that_is_none(estate: Estate) -> None:
    estate.configure(
        CONFIG.replace(
            '[tickets.register]\npath = "tickets"', "[tickets.roundup]\nurl = 'ftp://x'\nuser = ''\npassword = ''"
        )
    )
    ((name, said),) = wrong(proved(estate))
    assert (name, said.startswith("[tickets.roundup]: ")) == ("tickets", True)


def test_a_reader_that_breaks_is_named_and_the_rest_is_tried(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Collector.run

    def broken(collector: Collector, unit: Unit) -> Snapshot | Trail:
        if unit.args.get("service") == "sqs":
            raise ValueError("hunter2")
        return read(collector, unit)

    monkeypatch.setattr(Collector, "run", broken)
    ((name, said),) = wrong(proved(estate))
    assert (name, said.partition(":")[0]) == (f"live {ACCOUNT}/us-east-1/sqs", "ValueError at test_proof.py")
    assert "hunter2" not in said

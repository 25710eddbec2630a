"""What was merged and not applied, scanned end to end: told, no violation, and kept apart from drift."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_estate import CODE, Estate, cloud
from small_estate import estate as made

from agent.model import Drift

EDITED = CODE.replace("visibility_timeout_seconds = 30", "visibility_timeout_seconds = 60")


@pytest.fixture
def estate(tmp_path: Path, moto_server: str, moto_variables: dict[str, str], moto_reset: None) -> Iterator[Estate]:
    with cloud(moto_server, moto_variables) as (recorder, variables):
        yield made(tmp_path, recorder, variables)


def told(drifts: tuple[Drift, ...]) -> list[tuple[str, str, int, int]]:
    return [(each.kind, each.attribute, int(each.declared), int(each.live)) for each in drifts]


def test_merged_and_not_applied_is_no_violation(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    (estate.folder / "shop" / "main.tf").write_text(EDITED + 'resource "aws_sqs_queue" "new" {\n  name = "new"\n}\n')
    done = estate.scan()
    assert [("unapplied", "visibility_timeout_seconds", 60, 30)] == told(done.scan.drifts)
    assert ("clean", (), ()) == (done.scan.status, done.scan.violations, done.scan.actions)
    assert ["unapplied"] == [each.verdict.outcome for each in done.scan.findings]
    code, document, _ = estate.scan_process()
    assert 0 == code
    assert [("aws_sqs_queue.new", "create")] == [(each["address"], each["action"]) for each in document["unapplied"]]
    assert [] == estate.tickets


def test_merged_and_changed_by_hand_besides_are_two_things(estate: Estate) -> None:
    estate.scan()
    (estate.folder / "shop" / "main.tf").write_text(EDITED)
    estate.set_timeout(90)
    done = estate.scan()
    assert [
        ("changed", "visibility_timeout_seconds", 30, 90),
        ("unapplied", "visibility_timeout_seconds", 60, 30),
    ] == told(done.scan.drifts)
    (finding,) = done.scan.findings
    assert ("violations", "unauthorised") == (done.scan.status, finding.verdict.outcome)
    assert finding.candidates[0].change.actor.name == "dana"
    assert 1 == len(estate.tickets)

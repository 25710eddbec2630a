"""Scans of less than the whole estate, and what becomes of two scans that read at the same time."""

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from small_estate import ACCOUNT, REGION, Estate

from agent import child
from agent.child import scan_in_child
from agent.config import Config, ConfigError, aws_environment, load
from agent.gather import Gathered
from agent.gather.collected import Grounds, grounds
from agent.gather.focused import asked_of
from agent.gather.means import Means
from agent.gather.side import Side
from agent.gather.unjudged import Unjudged
from agent.live.requests import CallError, Requests
from agent.model import Entry, Identity
from agent.motion import TYPE
from agent.run import Done, TrailUnreadError, run, run_look
from agent.store import Fenced, Kept, ScanCommit, Store, connect


def store_of(estate: Estate) -> Store:
    return connect(load(estate.config).store_url())


def look(estate: Estate, text: str = "trail", fence: int | None = None) -> Done | None:
    with aws_environment(estate.variables):
        config = load(estate.config)
        return run_look(config, asked_of(text, config), fence=fence)


def whole(estate: Estate, meanwhile: Callable[[], None]) -> Done:
    """A scan of everything, and what happens when it has read all it reads."""

    def progress(said: str) -> None:
        if said == "looking at the states again":
            meanwhile()

    with aws_environment(estate.variables):
        return run(load(estate.config), progress=progress)


def outcomes(estate: Estate) -> dict[str, str]:
    with store_of(estate) as store:
        return {one.finding.key.id: one.finding.verdict.outcome for one in store.findings.open().values()}


# --- two at the same time ------------------------------------------------------------------------------------


def test_a_change_that_a_whole_scan_read_too_early_keeps_its_case(estate: Estate) -> None:
    def changed() -> None:
        estate.set_timeout(5)
        assert look(estate) is not None

    done = whole(estate, changed)
    assert (done.scan.findings, done.scan.status, done.document["status"]) == ((), "violations", "violations")
    with store_of(estate) as store:
        assert [one["id"] for one in done.document["findings"]] == list(store.findings.open())
    assert outcomes(estate) == {"orders": "unauthorised"}
    assert len(estate.tickets) == 1
    with store_of(estate) as store:
        assert [key.id for key in done.scan.focus.without] == ["orders"]
        assert [case.state for case in store.cases.open()] == ["open"]
    again = estate.scan()
    assert {one.key.id for one in again.scan.findings} == {"orders"}
    assert len(estate.tickets) == 1


def test_a_whole_scan_beside_a_look_at_what_is_open_tells_the_same_as_alone(estate: Estate) -> None:
    estate.set_timeout(5)
    alone = estate.scan()

    def again() -> None:
        assert look(estate, "open") is not None

    beside = whole(estate, again)
    assert beside.scan.focus.without
    assert shown(beside) == shown(alone)
    assert outcomes(estate) == {"orders": "unauthorised"}


def shown(done: Done) -> dict[str, Any]:
    """What its document says of what is open."""
    said = done.document
    found = {name: said[name] for name in ("status", "drifts")}
    found |= {name: said["coverage"][name] for name in ("declared", "compared", "live")}
    violations = [(one["id"], sorted(each["rule"] for each in one["violations"])) for one in said["findings"]]
    return found | {"violations": violations, "cases": [one["key"] for one in said["cases"]]}


def test_a_scan_of_a_clock_that_was_ahead_overtakes_no_look(estate: Estate) -> None:
    ahead = datetime.now(UTC) + timedelta(days=30)
    estate.scan()
    with store_of(estate) as store:
        store.scans.begin("ahead", ahead, "", "", "whole")
        orders = store.readings.accepted().keys()
        store.scans.commit(ScanCommit("ahead", ahead, "clean", b"{}", kind="whole", read_at=ahead))
        store.scans.begin("look", ahead, "", "", "trail")
        commit = ScanCommit("look", ahead, "clean", b"{}", kind="trail", read_at=ahead, looked=tuple(orders))
        assert orders
        store.scans.commit(commit)
    estate.set_timeout(5)
    found = look(estate)
    assert found is not None
    assert outcomes(estate) == {"orders": "unauthorised"}
    after = estate.scan()
    assert (after.scan.focus.without, after.scan.status) == (frozenset(), "violations")


def test_what_a_look_could_not_read_is_left_to_the_whole_scan(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a resource that a part of could not be read: who leaves one of them out must leave them all."""
    estate.scan()
    pages = Requests.pages

    def refused(self: Requests, service: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        if operation in ("get_queue_url", "get_queue_attributes"):
            raise CallError(f"{service}:{operation}", "AccessDenied", "")
        return pages(self, service, operation, arguments)

    def changed() -> None:
        estate.set_timeout(5)
        with monkeypatch.context() as patch:
            patch.setattr(Requests, "pages", refused)
            found = look(estate)
        assert found is not None
        assert found.scan.gaps
        with store_of(estate) as store:
            assert not {key for key in store.looks.since(found.scan.read_at, datetime.now(UTC)) if key.id == "orders"}

    done = whole(estate, changed)
    assert not {key for key in done.scan.focus.without if key.id == "orders"}


def test_what_was_put_back_while_a_whole_scan_read_is_not_opened_again(estate: Estate) -> None:
    estate.set_timeout(5)
    assert look(estate) is not None
    known: list[dict[str, tuple[str, ...]]] = []

    def drifts() -> dict[str, tuple[str, ...]]:
        with store_of(estate) as store:
            found = store.findings.open().values()
            return {one.finding.key.id: tuple(drift.attribute for drift in one.finding.drifts) for one in found}

    def put_back() -> None:
        estate.set_timeout(30)
        assert look(estate) is not None
        known.append(drifts())

    assert drifts() == {"orders": ("visibility_timeout_seconds",)}
    whole(estate, put_back)
    assert known == [{"orders": ()}]
    assert drifts() == known[0]
    assert len(estate.tickets) == 1


def test_a_look_that_a_newer_whole_scan_overtook_is_read_again(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.set_timeout(5)
    read: list[datetime] = []

    def overtaken(config: Config, means: Means, got: Gathered, store: Store) -> Grounds:
        read.append(got.began)
        if len(read) == 1:
            estate.scan()
        return grounds(config, means, got, store)

    monkeypatch.setattr("agent.gather.conclude.grounds", overtaken)
    look(estate)
    # The look, the scan that overtook it, and the look again where the scan left it anything.
    assert len(read) in (2, 3)
    assert outcomes(estate) == {"orders": "unauthorised"}
    assert len(estate.tickets) == 1


# --- kinds ---------------------------------------------------------------------------------------------------


def test_a_look_at_the_trail_finds_what_came_since(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    assert look(estate) is None
    estate.set_timeout(5)
    found = look(estate)
    assert found is not None
    assert (found.scan.status, [one.key.id for one in found.scan.findings]) == ("violations", ["orders"])
    assert found.calls < 10
    assert look(estate) is None
    with store_of(estate) as store:
        kinds = [one.kind for one in store.scans.last()]
        assert kinds == ["trail", "whole"]
        assert {key.id for key in store.looks.since(found.scan.read_at, datetime.now(UTC))} == {"orders"}
        # What is shown as the state of the estate is what was found of all of it.
        assert b'"clean"' in (store.scans.document() or b"")
    assert len(estate.tickets) == 1


def test_a_stack_what_is_open_and_what_people_said(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    with estate.recorder.paused():
        estate.set_timeout(5)  # nobody tells of it
    stack = look(estate, "stack:shop")
    assert stack is not None
    assert [one.verdict.outcome for one in stack.scan.findings] == ["pending"]
    assert {one.type for one in stack.scan.focus.keys or ()} > {TYPE}  # what became of its state is looked at too
    with estate.recorder.paused():
        estate.set_timeout(30)
    still = look(estate, "remind")
    assert still is None
    assert outcomes(estate) == {"orders": "pending"}
    again = look(estate, "open")
    assert again is not None
    assert (again.scan.findings, outcomes(estate)) == ((), {})


def test_a_call_on_nobody_knows_what_is_judged_by_the_look_that_it_comes_to(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    at = datetime.now(UTC) - timedelta(minutes=1)
    dana = Identity("IAMUser", arn=f"arn:aws:iam::{ACCOUNT}:user/dana", name="dana")
    odd = Entry("odd", "change", at, "acm:ImportSomething", dana, account=ACCOUNT, region=REGION)
    with store_of(estate) as store:
        Unjudged(store).mark([odd])
        store.journal.keep("feed", Kept([odd]), at)
    found = look(estate)
    assert found is not None
    assert [(one.change.event_ids, one.verdict.outcome) for one in found.scan.changes] == [(("odd",), "unauthorised")]


def test_that_the_trail_had_nothing_new_is_written_down_now_and_then(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.scan()

    def kinds() -> list[str]:
        with store_of(estate) as store:
            return [one.kind for one in store.scans.last() if one.finished_at and one.status == "clean"]

    assert look(estate) is None
    assert kinds() == ["whole"]
    monkeypatch.setattr("agent.run.QUIET", timedelta())
    assert look(estate) is None
    assert kinds() == ["trail", "whole"]


def test_where_the_trail_has_nothing_new_code_and_states_are_not_read(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what is sealed by; to read them takes as long as all else of a look that finds nothing."""
    estate.scan()
    read = []
    monkeypatch.setattr(Side, "read", lambda *_: read.append(1))
    assert look(estate) is None
    assert read == []


def test_a_trail_that_cannot_be_read_is_no_good_look(estate: Estate) -> None:
    estate.scan()
    (estate.folder / "trail").rename(estate.folder / "elsewhere")
    with pytest.raises(TrailUnreadError, match="trail"):
        look(estate)
    with aws_environment(estate.variables):
        told = subprocess.run(
            child.command(estate.config, look="trail"), capture_output=True, text=True, check=False, timeout=60
        )
    assert (told.returncode, told.stdout) == (3, "null")
    assert "the trail could not be read" in told.stderr
    (estate.folder / "elsewhere").rename(estate.folder / "trail")
    assert look(estate) is None


def test_what_is_open_in_a_region_that_is_read_no_more_stays_open(estate: Estate) -> None:
    far = "eu-west-1"
    with estate.recorder.paused():
        sqs = estate.client("eve", "sqs", far)
        url = sqs.create_queue(QueueName="exfil")["QueueUrl"]
    said = estate.config.read_text()
    estate.configure(said.replace(f'id = "{ACCOUNT}"\n', f'id = "{ACCOUNT}"\nregions = ["{REGION}", "{far}"]\n'))
    estate.scan()
    assert set(outcomes(estate)) == {"exfil"}
    estate.configure(said)
    done = estate.scan()
    with estate.recorder.paused():
        sqs.delete_queue(QueueUrl=url)
    assert set(outcomes(estate)) == {"exfil"}
    assert [str(one.scope) for one in done.scan.gaps if "any more" in one.why] == [f"{ACCOUNT}/{far}/*/*"]
    assert done.scan.status == "incomplete"


def test_as_a_process(estate: Estate) -> None:
    estate.set_timeout(5)
    with aws_environment(estate.variables):
        code, document = scan_in_child(estate.config, look="trail")
    assert document is not None
    assert (code, document["status"], len(document["changes"])) == (1, "violations", 1)
    assert len(estate.tickets) == 1


def test_who_is_fenced_out_keeps_nothing(estate: Estate) -> None:
    with store_of(estate) as store:
        old = store.leadership.take("old", datetime.now(UTC))
        store.leadership.take("new", datetime.now(UTC))
    estate.set_timeout(5)
    with pytest.raises(Fenced):
        look(estate, fence=old)
    assert estate.tickets == []


@pytest.mark.parametrize("text", ["", "all", "stack", "stack:", "stack:none", "Whole", "trail:x"])
def test_what_cannot_be_looked_at_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--look"):
        asked_of(text, Config())


def test_what_can_be_looked_at(estate: Estate) -> None:
    config = load(estate.config)
    texts = ("whole", "trail", "open", "remind", "stack:shop")
    found = [(one.kind, one.stack) for one in (asked_of(text, config) for text in texts)]
    assert found == [("whole", ""), ("trail", ""), ("open", ""), ("remind", ""), ("stack", "shop")]

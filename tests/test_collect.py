"""Which units a scan is made of, with whose credentials they read, and what a unit without a result leaves unread."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from line import SPECS
from msgspec.structs import replace as replace_config

from agent.collect import HOME, Collector, Sessions, blame, lost, region_of, units
from agent.config import Account, Config, Estate, Stack, TrailSource
from agent.model import Gap, Scope
from agent.store import Unit, UnitSpec

ACCOUNT = "123456789012"

pytestmark = pytest.mark.usefixtures("aws_env")


def planned(*accounts: Account, source: str = "lookup", stacks: tuple[str, ...] = ("shop",)) -> tuple[UnitSpec, ...]:
    return plan_of(*accounts, source=source, stacks=stacks).units


def plan_of(*accounts: Account, source: str = "lookup", stacks: tuple[str, ...] = ("shop",)):
    config = Config(
        account=accounts or (Account(),),
        stack=tuple(Stack(name=name, dir=name) for name in stacks),
        trail=TrailSource(source=source),
    )
    return units(config, Sessions(config), SPECS)


def test_a_unit_for_each_stack_service_and_region_then_the_trail_and_the_join() -> None:
    plan = plan_of(Account(regions=("us-east-1", "eu-west-1")), stacks=("shop", "bank"))
    kinds = [unit.kind for unit in plan.units]
    # Stacks come first: what is live is not written down before they are read. The join comes last.
    assert kinds == sorted(kinds, key=("declared", "live", "trail", "join").index)
    assert [unit.name for unit in plan.units if unit.kind == "declared"] == ["shop", "bank"]
    listed = [spec for spec in SPECS.values() if not spec.same_as]
    regional = {spec.service for spec in listed if not spec.is_global}
    everywhere = {spec.service for spec in listed if spec.is_global}
    assert {unit.name for unit in plan.units if unit.kind == "live"} == {
        *(f"{ACCOUNT}/{region}/{service}" for region in ("us-east-1", "eu-west-1") for service in regional),
        *(f"{ACCOUNT}/{HOME}/{service}" for service in everywhere),
    }
    assert plan.read == {(ACCOUNT, "us-east-1"), (ACCOUNT, "eu-west-1")}
    assert plan.gaps == ()


def test_a_stack_that_names_no_account_has_that_of_the_credentials() -> None:
    config = Config(stack=(Stack(name="a", dir="a"), Stack(name="b", dir="b", account="210987654321")))
    found = units(config, Sessions(config), SPECS).units
    assert [unit.args["account"] for unit in found if unit.kind == "declared"] == [ACCOUNT, "210987654321"]


def test_two_tables_of_one_account_share_what_has_no_region() -> None:
    names = Counter((u.kind, u.name) for u in planned(Account(regions=("us-east-1",)), Account(regions=("eu-west-1",))))
    assert {name for name, count in names.items() if count > 1} == set()
    assert ("live", f"{ACCOUNT}/us-east-1/iam") in names
    assert {("live", f"{ACCOUNT}/us-east-1/sqs"), ("live", f"{ACCOUNT}/eu-west-1/sqs")} <= names.keys()


def test_a_trail_that_needs_aws_is_not_read_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    untold = Gap(Scope(type="cloudtrail"), "no credentials to read CloudTrail with")
    for source in ("lookup", "s3://trail/prefix"):
        plan = plan_of(source=source)
        assert [unit.kind for unit in plan.units] == ["declared", "join"]
        assert untold in plan.gaps
        assert [unit.args["account"] for unit in plan.units if unit.kind == "declared"] == ["*"]
    local = plan_of(source="logs")
    assert [unit.kind for unit in local.units] == ["declared", "trail", "join"]
    assert untold not in local.gaps


def test_a_role_is_assumed_once_with_its_external_id(monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::210987654321:role/driftwarden"
    config = Config(account=(Account(role_arn=role, external_id="acme", regions=("eu-west-1",)),))
    sessions = Sessions(config)
    session = sessions.of(0)
    assert session is sessions.of(0)
    assert (session.region_name, session.get_credentials().token is not None) == ("eu-west-1", True)
    assert units(config, sessions, SPECS).read == {("210987654321", "eu-west-1")}


# --- a unit without a result ---------------------------------------------------------------------------------

UNIT = Unit(1, "run", "live", f"{ACCOUNT}/eu-west-1/sqs", {}, "failed", "", None, 3, 3, "its worker was lost 3 times")


@pytest.mark.parametrize(
    ("kind", "args", "scopes"),
    [
        ("trail", {"accounts": {"0": ACCOUNT}}, {Scope(type="cloudtrail")}),
        ("declared", {"stack": 0, "account": ACCOUNT}, {Scope(account=ACCOUNT)}),
        (
            "live",
            {"account": ACCOUNT, "region": "eu-west-1", "service": "sqs"},
            {Scope(ACCOUNT, "eu-west-1", "aws_sqs_queue")},
        ),
        (
            "live",
            {"account": ACCOUNT, "region": HOME, "service": "iam"},
            {
                Scope(ACCOUNT, "global", f"aws_iam_{name}")
                for name in ("policy", "role", "role_policy", "role_policy_attachment")
            },
        ),
    ],
)
def test_what_is_lost_with_a_unit(kind: str, args: Mapping[str, object], scopes: set[Scope]) -> None:
    found = lost(replace(UNIT, kind=kind, args=args), SPECS)
    assert {gap.scope for gap in found} == scopes
    assert {gap.why for gap in found} == {f"{kind} {UNIT.name}: its worker was lost 3 times"}


def test_a_unit_that_never_ran_says_so() -> None:
    unit = replace(UNIT, kind="declared", args={"account": "*"}, error="", name="shop")
    assert lost(unit, SPECS) == (Gap(Scope(account="*"), "declared shop: not read"),)


def test_an_error_is_told_by_name_and_place_and_not_by_its_text() -> None:
    try:
        int("hunter2")
    except ValueError as error:
        assert blame(error).startswith("ValueError at test_collect.py:")
    assert blame(ValueError("hunter2")) == "ValueError"


NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def collector(source: str | tuple[str, ...] = "lookup", last: datetime | None = None, **options: str) -> Collector:
    accounts = (Account(regions=("eu-west-1",)), Account(regions=("us-east-1",)))
    config = Config(account=accounts, trail=TrailSource(source=source, **options))
    with ThreadPoolExecutor(1) as pool:
        return Collector(
            config, Sessions(config), SPECS, b"k" * 32, NOW, pool, last=last, accounts={0: ACCOUNT, 1: "210987654321"}
        )


@pytest.mark.parametrize(
    ("days_ago", "back"),
    [(None, 7), (0, 7), (6, 7), (9, 10), (40, 41), (400, 90)],
)
def test_a_scan_looks_back_to_where_the_last_one_ended(days_ago: int | None, back: int) -> None:
    """A day more, for what came late; no further than what was read is kept."""
    last = None if days_ago is None else NOW - timedelta(days=days_ago)
    assert collector(last=last).trail_start == NOW - timedelta(days=back)


def test_where_only_a_bus_is_read_every_place_must_have_an_event() -> None:
    bus = "eventbridge:https://sqs.eu-west-1.amazonaws.com/1/q"
    assert collector(bus).expected() == (
        (ACCOUNT, HOME),
        (ACCOUNT, "eu-west-1"),
        ("210987654321", HOME),
    )
    assert collector((bus, "lookup")).expected() == ()
    assert collector().expected() == ()


def test_another_reading_of_records_has_another_fingerprint() -> None:
    one = collector()
    assert one.fingerprint() == collector(lookback="3d").fingerprint()
    config = replace_config(one.config, estate=Estate(known_states=("s3://b/k",)))
    assert replace(one, config=config).fingerprint() != one.fingerprint()


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1"),
        ("https://us-gov-east-1.queue.amazonaws.com/1/q", "us-gov-east-1"),
        ("http://127.0.0.1:5000/1/q", None),
    ],
)
def test_a_queue_is_asked_in_its_own_region(url: str, region: str | None) -> None:
    assert region_of(url) == region

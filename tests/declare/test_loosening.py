"""Looser or not: each key of `[authority]` both ways, policies by what they may decide; what is in force meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from night import DIRECTORY, HOUR, MINUTE, NOW, speaker

from agent.authorise import PATHS
from agent.conduct import files_cases, observed
from agent.config import AuthorityConfig, Config, ConfigError, load
from agent.declare import Accepted, Refused, accept, ground, in_force, nonce
from agent.declare.loosening import NO_AUTHORITY, loosened
from agent.declare.rules import Source
from agent.declare.statements import written
from agent.store import Store, StoreError

ADMINS = {"admin": ["kim", "erik"]}


def table(authority: Mapping[str, Any] | None = None, signed_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """`[authority]` with its defaults, checked as a file's would be."""
    whole = msgspec.convert(authority or {}, AuthorityConfig)
    return {**json.loads(msgspec.json.encode(whole)), "signed_by": list(signed_by)}


def pipeline(**more: Any) -> dict[str, Any]:
    return {"name": "ci", "role": "arn:*:role/Deploy", "subject": "repo:acme/*", **more}


def policy(**more: Any) -> dict[str, Any]:
    return {"environments": ["prod*"], "paths": {"manual": ["actor", "ticket", "freeze"]}, "approvals": 2, **more}


LOOSER: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "paths",
        {},
        {"paths": {"manual": ["actor"]}},
        "the path manual no longer requires implementer, scope, separation",
    ),
    ("paths", {"paths": {"pipeline": []}}, {}, "the path pipeline was closed, and is open"),
    ("paths", {"paths": {"manual": ["freeze", *PATHS["manual"]]}}, {}, "the path manual no longer requires freeze"),
    ("approvals", {"approvals": 2}, {"approvals": 1}, "approvals 2 → 1"),
    ("risk", {}, {"risk": False}, "risk: true → false"),
    ("tolerance", {}, {"tolerance": "1h"}, "tolerance: 0m → 1h"),
    ("grace", {}, {"grace": "3d"}, "grace: 15m → 3d"),
    ("breakglass.document_within", {}, {"breakglass": {"document_within": "48h"}}, "document_within: 24h → 48h"),
    ("breakglass.offline_within", {}, {"breakglass": {"offline_within": "7d"}}, "offline_within: 24h → 7d"),
    ("breakglass.longest", {}, {"breakglass": {"longest": "13h"}}, "longest: 12h → 13h"),
    ("approved_states", {}, {"approved_states": ["approved", "New"]}, "approved_states: added new"),
    ("done_states", {}, {"done_states": ["closed"]}, "done_states: no longer complete, done, implemented, "),
    ("pipeline", {}, {"pipeline": [pipeline()]}, "pipeline ci: added"),
    (
        "pipeline",
        {"pipeline": [pipeline()]},
        {"pipeline": [pipeline(subject="repo:*")]},
        "subject 'repo:acme/*' → 'rep",
    ),
    ("pipeline", {"pipeline": [pipeline()]}, {"pipeline": [pipeline(role="*")]}, "role 'arn:*:role/Deploy' → '*'"),
    (
        "pipeline",
        {"pipeline": [pipeline(source_ips=["10.0.0.0/8"])]},
        {"pipeline": [pipeline()]},
        "source_ips 10.0.0.0/8 → any",
    ),
    (
        "pipeline",
        {"pipeline": [pipeline(source_ips=["10.0.0.0/8"])]},
        {"pipeline": [pipeline(source_ips=["0.0.0.0/0"])]},
        "source_ips 10.0.0.0/8 → 0.0.0.0/0",
    ),
    ("people", {"people": {"dana": "d1"}}, {"people": {"dana": "d2"}}, "people: dana is now d2"),
    ("emergency", {}, {"emergency": [{"name": "bg", "role": "*"}]}, "emergency role bg: *"),
    ("permitted", {"permitted": {"prod": ["sre"]}}, {}, "permitted: removed"),
    (
        "permitted",
        {"permitted": {"prod": ["sre"]}},
        {"permitted": {"prod": ["sre", "dev"]}},
        "permitted 'prod': added dev",
    ),
    ("permitted", {"permitted": {"prod": ["sre"]}}, {"permitted": {"dev": ["dev"]}}, "permitted: 'prod' removed"),
    ("calendars", {"calendars": ["a.ics", "b.ics"]}, {"calendars": ["a.ics"]}, "calendars: no longer b.ics"),
    ("plans", {}, {"plans": "plans"}, "plans: '' → 'plans'"),
    ("standing", {"standing": "a"}, {"standing": "b"}, "standing: 'a' → 'b'"),
    ("environment_tag", {}, {"environment_tag": "Env"}, "environment_tag: 'Environment' → 'Env'"),
    ("production", {}, {"production": ["prod"]}, "production: no longer production"),
    ("signers", {}, {"signers": "signers"}, "signers: '' → 'signers'"),
    ("roles", {}, {"roles": {"approver": ["kim"]}}, "roles.approver: added kim"),
    ("roles", {"roles": {"reviewer": ["kim"]}}, {}, "roles.reviewer: no longer named, so that anybody"),
    ("roles", {"roles": {"reviewer": ["kim"]}}, {"roles": {"reviewer": ["kim", "group:all"]}}, "added group:all"),
    ("roles", {"roles": ADMINS}, {"roles": {"admin": ["kim"]}}, "roles.admin: fewer than two"),
    ("roles", {"roles": {"admin": ["group:leads"]}}, {}, "roles.admin: fewer than two"),
    ("policy", {"policy": [policy()]}, {"policy": [policy(approvals=1)]}, "policy prod*|* *: approvals 2 → 1"),
    ("policy", {"policy": [policy()]}, {"policy": [policy(paths={})]}, "policy prod* * *: the path manual no longer"),
    ("policy", {"policy": [policy()]}, {}, "policy (none) may decide what prod* * * did: the path manual no longer"),
    ("policy", {}, {"policy": [policy()]}, "policy prod* * * may decide what (none) did: the path manual no longer"),
    (
        "policy",
        {"policy": [policy(), policy(environments=["*"], approvals=1)]},
        {"policy": [policy(environments=["*"], approvals=1), policy()]},
        "policy * * * may decide what prod* * * did: approvals 2 → 1",
    ),
]


@pytest.mark.parametrize(("key", "before", "after", "says"), LOOSER)
def test_looser(key: str, before: dict[str, Any], after: dict[str, Any], says: str) -> None:
    found = loosened(table(before), table(after))
    assert any(says.replace("prod*|*", "prod* *") in one for one in found), found


STRICTER = [
    ({}, {"paths": {"manual": []}}),
    ({}, {"paths": {"pipeline": ["freeze", *PATHS["pipeline"]]}}),
    ({}, {"approvals": 3}),
    ({"risk": False}, {"risk": True}),
    ({"tolerance": "60m"}, {"tolerance": "1h"}),
    ({}, {"grace": "0s", "breakglass": {"document_within": "1h", "longest": "30m", "offline_within": "1h"}}),
    ({}, {"breakglass": {"remind": []}, "ticket_patterns": ["X-\\d+"]}),
    (
        {},
        {
            "approved_states": ["Approved"],
            "done_states": ["implemented", "review", *"abc", "closed", "done", "resolved", "complete"],
        },
    ),
    ({"pipeline": [pipeline()]}, {}),
    ({"pipeline": [pipeline()]}, {"pipeline": [pipeline(source_ips=["10.0.0.0/8"], service="x.amazonaws.com")]}),
    (
        {"pipeline": [pipeline(source_ips=["10.0.0.0/8", "192.0.2.0/24"])]},
        {"pipeline": [pipeline(source_ips=["10.0.0.0/8"])]},
    ),
    ({"people": {"a": "b"}, "emergency": [{"name": "bg", "role": "*"}]}, {}),
    ({}, {"permitted": {"prod": ["sre"]}}),
    ({"permitted": {"prod": ["sre", "dev"]}}, {"permitted": {"prod": ["sre"]}}),
    ({}, {"calendars": ["a.ics"]}),
    ({"plans": "a", "standing": "b", "signers": "s"}, {}),
    ({}, {"production": ["prod", "production", "live"]}),
    ({}, {"roles": {"reviewer": ["kim"], "documenter": []}}),
    ({"roles": {"approver": ["kim", "erik"]}}, {"roles": {"approver": ["kim"]}}),
    ({"roles": {"admin": ["kim", "erik", "alex"]}}, {"roles": ADMINS}),
    ({}, {"policy": [{"types": ["aws_iam_*"], "approvals": 2}]}),
    (
        {"policy": [policy()]},
        {"policy": [policy(paths={"manual": []}), policy(environments=["x"], paths={"manual": []})]},
    ),
    ({"policy": [policy(risks=["low"], approvals=0, paths={})], "approvals": 1}, {}),
    (
        {"policy": [policy(risks=["low"], approvals=0, paths={}), policy(risks=["high"])]},
        {"policy": [policy(risks=["high"])]},
    ),
]


@pytest.mark.parametrize(("before", "after"), STRICTER)
def test_stricter(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert loosened(table(before), table(after)) == ()


def test_every_key_is_decided_about() -> None:
    """A new key of `[authority]` is either compared or said to permit nothing."""
    keys = set(AuthorityConfig.__struct_fields__) - {"breakglass"}
    keys |= {f"breakglass.{name}" for name in table()["breakglass"]}
    assert {key for key, *_ in LOOSER} | NO_AUTHORITY == keys


def test_signers() -> None:
    assert loosened(table(signed_by=("dana K1",)), table(signed_by=("dana K1", "kim K2"))) == ("signers: added kim K2",)
    assert loosened(table(signed_by=("dana K1", "kim K2")), table(signed_by=("kim K2",))) == ()


POLICIES = st.builds(
    lambda environments, risks, tests, approvals: {
        "environments": environments,
        "risks": risks,
        "paths": {} if tests is None else {"manual": tests},
        "approvals": approvals,
    },
    st.sampled_from([["*"], ["prod"], ["dev"]]),
    st.sampled_from([["*"], ["low"], ["high"]]),
    st.sampled_from([None, [], ["actor"], ["actor", "ticket"], list(PATHS["manual"])]),
    st.sampled_from([None, 0, 1, 2]),
)
AUTHORITIES = st.fixed_dictionaries({"policy": st.lists(POLICIES, max_size=3), "approvals": st.sampled_from([0, 1, 2])})


def decided(authority: Mapping[str, Any], environment: str, risk: str) -> tuple[frozenset[str] | None, int]:
    """Tests of the manual path (None: closed) and approvals, by the first policy that fits."""
    for one in authority["policy"]:
        if one["environments"][0] in ("*", environment) and one["risks"][0] in ("*", risk):
            tests = one["paths"].get("manual", PATHS["manual"])
            approvals = authority["approvals"] if one["approvals"] is None else one["approvals"]
            return (frozenset(tests) or None, approvals)
    return (frozenset(PATHS["manual"]), authority["approvals"])


@settings(max_examples=150, deadline=None)
@given(AUTHORITIES, AUTHORITIES)
def test_nothing_looser_goes_unsaid(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever environment and risk: where the new rules let more pass, something is said."""
    looser = False
    for environment in ("prod", "dev", "other"):
        for risk in ("low", "high"):
            (old, least), (new, now) = (decided(one, environment, risk) for one in (before, after))
            looser |= (new is not None and (old is None or not old <= new)) or now < least
    said = loosened(table(before), table(after))
    if looser:
        assert said
    if before == after:
        assert not said


# --- in force ------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """Writes a configuration and its `allowed_signers`, and loads it."""

    def write(authority: str, signers: str = "dana ssh-ed25519 AAAA\n") -> Config:
        (tmp_path / "allowed_signers").write_text(signers)
        (tmp_path / "driftwarden.toml").write_text(
            f"[estate]\nname = 'shop'\n[authority]\nsigners = 'allowed_signers'\n{authority}"
        )
        return load(tmp_path / "driftwarden.toml")

    return write


TWO = "roles.admin = ['kim', 'erik']\n"


def accepting(store: Store, config: Config, person: str, what: str, at: Any) -> None:
    with in_force(config, store, at, keep=False) as force:
        said = Accepted(at=at, estate="shop", nonce=nonce(), what=(what,))
        accept(ground(config, store, DIRECTORY, force), speaker(person, at), said, Source(written(said)))


def test_the_first_is_in_force_and_stricter_ones_at_once(store: Store, config: Any) -> None:
    with in_force(config(TWO), store, NOW) as force:
        assert (force.authority.approvals, force.waits, force.told()) == (1, "", ())
        assert force.signers is not None
        assert force.signers.read_text() == "dana ssh-ed25519 AAAA\n"
    with in_force(config(TWO + "approvals = 2"), store, NOW + HOUR) as force:
        assert (force.authority.approvals, force.told()) == (2, ())
    with in_force(config(TWO + "approvals = 2"), store, NOW + 2 * HOUR):
        pass
    assert [event.kind for event in store.ledger.events()] == ["authority.begun", "authority.changed"]


def test_a_looser_one_waits_for_two_admins(store: Store, config: Any) -> None:
    with in_force(config(TWO), store, NOW):
        pass
    # The new file appoints mallory's friend and lets their key count: neither does yet.
    looser = config("roles.admin = ['kim', 'erik', 'dana']\ntolerance = '2h'\n", "dana ssh-ed25519 AAAA\nmallory X\n")
    with in_force(looser, store, NOW + HOUR) as force:
        assert force.authority.tolerance == "0m"
        assert force.signers is not None
        assert force.signers.read_text() == "dana ssh-ed25519 AAAA\n"
        assert force.looser == ("tolerance: 0m → 2h", "signers: added mallory X", "roles.admin: added dana")
        assert f"driftwarden cases accept 'authority {force.waits}'" in force.told()[0]
    assert not force.signers.exists()
    what = f"authority {force.waits}"
    with pytest.raises(Refused, match="dana has no role admin"):
        accepting(store, looser, "dana", what, NOW + HOUR)
    accepting(store, looser, "kim", what, NOW + HOUR)
    with in_force(looser, store, NOW + 2 * HOUR) as force:
        assert (force.authority.tolerance, force.accepted_by) == ("0m", ("kim",))
        assert "accepted by kim, " in force.told()[0]
    # What two accept is these very bytes; another change waits for itself.
    other = config("roles.admin = ['kim', 'erik', 'dana']\ntolerance = '9h'\n", "dana ssh-ed25519 AAAA\nmallory X\n")
    accepting(store, looser, "erik", what, NOW + 3 * HOUR)
    with in_force(other, store, NOW + 4 * HOUR) as force:
        assert (force.authority.tolerance, force.accepted_by) == ("0m", ())
    looser = config("roles.admin = ['kim', 'erik', 'dana']\ntolerance = '2h'\n", "dana ssh-ed25519 AAAA\nmallory X\n")
    with in_force(looser, store, NOW + 4 * HOUR, keep=False) as force:
        assert (force.authority.tolerance, force.told()) == ("2h", ())
    with in_force(looser, store, NOW + 4 * HOUR) as force:
        assert (force.authority.tolerance, force.told()) == ("2h", ())
    event = store.ledger.events()[-1]
    assert (event.kind, sorted(event.body["accepted_by"])) == ("authority.loosened", ["erik", "kim"])
    # Taken back and asked for again, it takes two again.
    with in_force(config(TWO), store, NOW + 5 * HOUR):
        pass
    again = config("roles.admin = ['kim', 'erik', 'dana']\ntolerance = '2h'\n", "dana ssh-ed25519 AAAA\nmallory X\n")
    with in_force(again, store, NOW + 6 * HOUR) as force:
        assert (force.authority.tolerance, force.accepted_by) == ("0m", ())
    # And the same two may accept it again, once each.
    accepting(store, again, "kim", what, NOW + 7 * HOUR)
    with pytest.raises(Refused, match="it takes another"):
        accepting(store, again, "kim", what, NOW + 8 * HOUR)
    accepting(store, again, "erik", what, NOW + 8 * HOUR)
    with in_force(again, store, NOW + 9 * HOUR) as force:
        assert (force.authority.tolerance, force.told()) == ("2h", ())


def test_where_no_two_admins_are_named_nothing_waits_and_it_is_told(store: Store, config: Any) -> None:
    with in_force(config("roles.admin = ['kim']\n"), store, NOW):
        pass
    with in_force(config("roles.admin = ['kim']\napprovals = 0\n"), store, NOW + HOUR) as force:
        assert force.authority.approvals == 0
        assert "[authority.roles] names no two as admin: [authority.paths]: approvals 1 → 0" in force.told()[0]
    assert store.ledger.events()[-1].kind == "authority.loosened"


def test_the_second_person_cannot_be_abolished_by_one(store: Store, config: Any) -> None:
    with in_force(config(TWO), store, NOW):
        pass
    with in_force(config(""), store, NOW + HOUR) as force:
        assert force.authority.roles == {"admin": ("kim", "erik")}
        assert force.looser == ("roles.admin: fewer than two, so that looser rules would no longer wait for anybody",)


def test_a_dry_run_keeps_nothing(store: Store, config: Any) -> None:
    with in_force(config(TWO), store, NOW, keep=False) as force:
        assert force.told() == ()
    assert store.settings.last("authority") is None
    assert store.ledger.events() == ()


def test_revoked_keys_are_revoked_for_the_signers_of_before_too(store: Store, config: Any, tmp_path: Path) -> None:
    with in_force(config(TWO), store, NOW):
        pass
    (tmp_path / "allowed_signers.revoked").write_text("ssh-ed25519 AAAA\n")
    with in_force(config(TWO + "approvals = 0\n"), store, NOW + MINUTE) as force:
        assert force.signers is not None
        assert force.signers != tmp_path / "allowed_signers"
        assert force.signers.with_name("allowed_signers.revoked").read_text() == "ssh-ed25519 AAAA\n"


STACK = "[[stack]]\nname = 'net'\ndir = '.'\n"
ACCOUNT = "[[account]]\nid = '123456789012'\n"
FILED = "[tickets]\nmode = 'file'\n[tickets.redmine]\nurl = 'https://r.example'\nproject = 'p'\nkey = 'k'\n"


@pytest.mark.parametrize(
    ("before", "after", "says", "held"),
    [
        (
            ACCOUNT + "environment = 'production'\n",
            ACCOUNT + "environment = 'dev'\n",
            ("environment of account 123456789012: production → dev",),
            ("", "production"),
        ),
        (
            STACK + "environment = 'production'\n",
            STACK,
            ("environment of stack net: production → (none)",),
            ("production", ""),
        ),
        (STACK, STACK + "environment = 'dev'\n", ("environment of stack net: (none) → dev",), ("", "")),
        (
            STACK + "environment = 'production'\n",
            STACK.replace("net", "lab") + "environment = 'dev'\n",
            ("environment of stack net: production → (none)",),
            ("production", ""),
        ),
        (
            "[[account]]\nenvironment = 'production'\n",
            ACCOUNT + "environment = 'dev'\n",
            ("environment of account of the credentials: production → (none)",),
            ("", "production"),
        ),
        (STACK + "environment = 'Prod'\n", STACK + "environment = 'prod'\n", (), ("prod", "")),
    ],
)
def test_another_environment_waits_for_two(
    store: Store, config: Any, before: str, after: str, says: tuple[str, ...], held: tuple[str, str]
) -> None:
    first = "" if "stack" in before else STACK
    with in_force(config(TWO + before + first), store, NOW):
        pass
    changed = config(TWO + after + first)
    with in_force(changed, store, NOW + HOUR) as force:
        assert force.looser == says
        assert (force.config.stack[0].environment, force.config.account[0].environment) == held
    if not says:
        return
    for person in ("kim", "erik"):
        accepting(store, changed, person, f"authority {force.waits}", NOW + HOUR)
    with in_force(changed, store, NOW + 2 * HOUR) as force:
        assert (force.told(), force.config) == ((), changed)
    assert store.ledger.events()[-1].body["looser"] == list(says)


def test_a_new_stack_or_account_waits_for_nobody(store: Store, config: Any) -> None:
    with in_force(config(TWO), store, NOW):
        pass
    more = config(TWO + STACK + "environment = 'dev'\n" + ACCOUNT + "environment = 'dev'\n")
    with in_force(more, store, NOW + HOUR) as force:
        assert (force.told(), force.config) == ((), more)


def test_cases_are_filed_until_two_say_otherwise(store: Store, config: Any) -> None:
    with in_force(config(TWO + STACK), store, NOW):
        pass
    with in_force(config(TWO + STACK + FILED), store, NOW + MINUTE) as force:
        assert force.told() == ()
    quiet = config(TWO + STACK + "mode = 'observe'\n" + FILED)
    with in_force(quiet, store, NOW + HOUR) as force:
        assert force.looser == ("mode of stack net: file → observe",)
        assert observed(quiet) == {"net"}
        assert observed(force.config) == frozenset()
    silent = config(TWO + STACK + FILED.replace("'file'", "'observe'"))
    with in_force(silent, store, NOW + HOUR) as force:
        assert force.looser == ("mode of no stack: file → observe", "mode of stack net: file → observe")
        assert (files_cases(silent), files_cases(force.config)) == (False, True)
    with in_force(config(TWO + FILED), store, NOW + HOUR) as force:  # still filed, as what lies in no stack
        assert force.told() == ()


def test_a_key_stays_revoked_until_two_say_otherwise(store: Store, config: Any, tmp_path: Path) -> None:
    revoked = tmp_path / "allowed_signers.revoked"
    revoked.write_text("ssh-ed25519 AAAA\n")
    with in_force(config(TWO), store, NOW):
        pass
    revoked.write_text("ssh-ed25519 BBBB\nssh-ed25519 AAAA\n# left\n")
    with in_force(config(TWO), store, NOW + MINUTE) as force:
        assert force.told() == ()
    revoked.write_text("ssh-ed25519 CCCC\n")
    with in_force(config(TWO), store, NOW + HOUR) as force:
        assert force.looser == ("signers: no longer revoked ssh-ed25519 AAAA, ssh-ed25519 BBBB",)
        assert force.signers is not None
        held = force.signers.with_name("allowed_signers.revoked").read_text()
        assert held == "ssh-ed25519 CCCC\nssh-ed25519 BBBB\nssh-ed25519 AAAA\n# left\n"
    revoked.unlink()
    with in_force(config(TWO), store, NOW + HOUR) as force:
        assert force.signers is not None
        assert "AAAA" in force.signers.with_name("allowed_signers.revoked").read_text()


def test_another_krl_is_told_and_one_that_is_gone_still_counts(store: Store, config: Any, tmp_path: Path) -> None:
    revoked = tmp_path / "allowed_signers.revoked"
    revoked.write_bytes(b"SSHKRL\n\0\xff\n1")
    with in_force(config(TWO), store, NOW):
        pass
    for now, counts in ((b"SSHKRL\n\0\xff\n2", b"SSHKRL\n\0\xff\n2"), (b"", b"SSHKRL\n\0\xff\n1")):
        revoked.write_bytes(now)
        with in_force(config(TWO), store, NOW + HOUR) as force:
            assert force.looser[0].startswith("signers: no longer revoked KRL ")
            assert force.signers is not None
            assert force.signers.with_name("allowed_signers.revoked").read_bytes() == counts


def test_without_signers_nobodys_signature_counts(store: Store, tmp_path: Path, config: Any) -> None:
    (tmp_path / "driftwarden.toml").write_text("[authority]\n" + TWO)
    with in_force(load(tmp_path / "driftwarden.toml"), store, NOW) as force:
        assert force.signers is None
    with in_force(config(TWO), store, NOW + HOUR) as force:
        assert force.signers is None
        assert force.looser[0] == "signers: added dana ssh-ed25519 AAAA"
    (tmp_path / "allowed_signers").unlink()
    with (
        pytest.raises(ConfigError, match=r"allowed_signers: No such file.*names an allowed_signers file"),
        in_force(load(tmp_path / "driftwarden.toml"), store, NOW),
    ):
        pass


def test_what_an_earlier_version_kept(store: Store, config: Any) -> None:
    """Keys that came later have their defaults; what cannot be read is no reason to take the file's word."""
    store.settings.keep("authority", '{"roles":{"admin":["kim","erik"]},"approvals":2,"gone":1}', NOW, [])
    with in_force(config(TWO), store, NOW + HOUR) as force:
        assert (force.authority.approvals, force.looser[0]) == (2, "[authority.paths]: approvals 2 → 1")
    with in_force(config(TWO + "approvals = 2\n" + STACK + "environment = 'dev'\n"), store, NOW + HOUR) as force:
        assert force.looser[1:] == ("signers: '' → 'allowed_signers'",)
        assert force.config.stack[0].environment == "dev"
    for body in ('{"approvals":"many"}', "[]", "{"):
        store.settings.keep("authority", body, NOW, [])
        said = r"\[authority\] in force since 2026-11-27 03:00 UTC cannot be read by this version.*restore a backup"
        with pytest.raises(StoreError, match=said), in_force(config(TWO), store, NOW + HOUR):
            pass

"""Writes the references that follow from the code: resource types, rules, and what the reader must be allowed to do.

    python scripts/generate_docs.py

`make docs` runs it; `tests/test_docs.py` fails where a page is not what it would write.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import named
from agent.expression import DEEPEST, FUNCTIONS, LONGEST, MORE, MOST
from agent.facts import FACTS
from agent.judge import Condition, Example, Rule
from agent.live.policy import actions
from agent.model import SEVERITIES
from agent.named import Named
from agent.resources import GLOBAL_TYPES, Attribute, Event, Spec, load
from agent.rules import Control, load_controls, load_rules

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

_GENERATED = "<!-- Written by scripts/generate_docs.py (`make docs`): change the code and not this page. -->"
_STAGES = {"enforce": "enforced", "observe": "observed"}
_KINDS = {
    "text": "as text",
    "number": "as a number",
    "bool": "as a boolean",
    "set": "as a set",
    "list": "in order",
    "map": "as a map",
    "policy": "as a policy document",
    "json": "as JSON",
    "tags": "as tags",
}


def resources_page() -> str:
    """`docs/resources.md`: every resource type, what of it is compared, and which calls change it."""
    specs = load()
    rows = [_summary(name, spec, specs) for name, spec in specs.items()]
    return _page(
        _GENERATED,
        "# Resource types",
        "What this release reads and compares. A type that is not here, and an attribute that is not here, is never "
        "compared: each scan names both among its limits. Of many more types a scan [knows by name](#known-by-name) "
        "who changed them.",
        _table(("Type", "Service", "Region", "Attributes", "CloudTrail calls", "Part of"), rows),
        "**Identity** is what names a resource on both sides; a call may name it by any of the **names**. Values are "
        'compared in one canonical form: null, empty text, `[]` and `{}` are equal, and so are `30` and `"30"`. An '
        "attribute that is not set equals its default. *Not on record* marks what a call sets without CloudTrail "
        "showing the value: the call may then explain a difference, and is never certain to.",
        *(_type(name, spec) for name, spec in specs.items()),
        "## Known by name",
        f"Nobody compares these {len(named.load())} types. Who changes one by hand is told all the same, with its "
        "address where a stack declares it: a call is matched by the attributes under *Names* (`a` + `b`: both "
        "together). A change of a setting that no stack declares is told of what it is a setting of. Tagging calls "
        "count for all of them.",
        _table(
            ("Type", "Calls of", "Region", "Names", "Setting of", "Calls"),
            [_named(name, each) for name, each in sorted(named.load().items())],
        ),
    )


def _named(name: str, each: Named) -> Sequence[str]:
    names = ", ".join(
        "the account" if one == "@account" else " + ".join(f"`{part}`" for part in one.split("+")) for one in each.names
    )
    if each.same_as:
        return (f"`{name}`", f"as `{each.same_as}`", "", names, "", "")
    region = "global" if name in GLOBAL_TYPES else "regional"
    calls = ", ".join(f"`{call}`" for call in sorted({call.name for call in each.calls}))
    return (f"`{name}`", each.source, region, names, f"`{each.parent}`" if each.parent else "", calls)


def _summary(name: str, spec: Spec, specs: Mapping[str, Spec]) -> Sequence[str]:
    if spec.same_as:
        there = f"as `{spec.same_as}`"
        return (_link(name), spec.service, _region(spec), there, there, f"`{spec.parent.type}`" if spec.parent else "")
    whole = f"`{spec.parent.type}`" if spec.parent else ""
    return (_link(name), spec.service, _region(spec), str(len(spec.attributes)), str(len(_calls(name, specs))), whole)


def _calls(name: str, specs: Mapping[str, Spec]) -> list[str]:
    """Names of the calls that change the type, those written with another type's file included."""
    events = [event for other, spec in specs.items() if name in (other, spec.same_as) for event in spec.events]
    return sorted({event.name for event in events})


def _type(name: str, spec: Spec) -> str:
    heading = f"## {name}"
    if spec.same_as:
        return _page(
            heading, f"The same fact of AWS as [`{spec.same_as}`](#{spec.same_as}), and compared as such."
        ).strip()
    facts = [f"Identity: {_codes(spec.identity)}.", f"Names: {_codes(spec.identifiers)}."]
    if spec.parent:
        where = spec.parent.attribute if isinstance(spec.parent.attribute, str) else ""
        shown = f", where it shows up in `{where}`" if where else ""
        facts.append(f"Part of `{spec.parent.type}`{shown}: one that nobody declares is told with it.")
    facts += [f"`{one.attribute}` declares parts of type `{one.type}`." for one in spec.inline]
    return _page(
        heading,
        " ".join(facts),
        _table(("Attribute", "Compared", "About", "Default"), map(_attribute, spec.attributes)),
        _table(("Call", "Does", "Sets"), [_event(event, spec) for event in spec.events]),
    ).strip()


def _attribute(one: Attribute) -> Sequence[str]:
    how = _KINDS[one.kind] + (", sealed" if one.secret else "")
    default = "" if one.default is None else f"`{json.dumps(one.default)}`"
    return (f"`{one.name}`", how, one.topic, default)


def _event(event: Event, spec: Spec) -> Sequence[str]:
    source = (event.source or spec.event_source or spec.service).removesuffix(".amazonaws.com")
    sets = [f"`{name}`" + ("" if path else " (not on record)") for name, path in event.sets.items()]
    return (f"`{source}:{event.name}`", event.act, ", ".join(sets))


def _region(spec: Spec) -> str:
    return "global" if spec.is_global else "regional"


def rules_page() -> str:
    """`docs/rules.md`: the rules by severity, the facts they ask, the controls they speak to."""
    rules, controls = load_rules(), load_controls()
    by_severity = sorted(rules, key=lambda rule: (-SEVERITIES.index(rule.severity), rule.id))
    counts = Counter(rule.severity for rule in rules)
    shown = ", ".join(f"{counts[one]} {one}" for one in reversed(SEVERITIES) if counts[one])
    enforced = sum(rule.stage == "enforce" for rule in rules)
    return _page(
        _GENERATED,
        "# Rules",
        f"{len(rules)} rules ship: {shown}. A rule is a YAML file in `rules/` with its examples inside; "
        "`driftwarden rules test` runs them, `driftwarden rules explain ID` shows one. Rules of your own stand in the "
        "directories that `[rules] dirs` names, and one with the id of a shipped rule replaces it.",
        f"{enforced} of them are *enforced*: one that is broken opens a case and counts for the exit code. The others "
        "are *observed*: told, with no case and no exit code, until `[rules] enforce` names them. "
        "`driftwarden replay --rules DIRECTORY` says beforehand what other rules would have made of the last weeks.",
        "[Expressions](#expressions), [facts](#facts-a-rule-may-ask) and [controls](#controls) stand below.",
        *(_rule(rule, controls) for rule in by_severity),
        "## Facts a rule may ask",
        "A finding has one set of facts for each change that decided its outcome. A fact is never missing: `none`, "
        "`unseen` and `settled` are words, and what could not be determined makes the rule *undecided*, which is "
        "reported. Values may be shell-style wildcards.",
        _table(
            ("Fact", "Says", "Values"), [(f"`{n}`", f.about, _codes(f.values) or "any text") for n, f in FACTS.items()]
        ),
        "## Expressions",
        "What `when` and `unless` cannot say, `expression` says in [CEL](https://cel.dev), the Common Expression "
        "Language; it must hold as `when` does, and no rule that ships needs one. It takes the library that "
        "`pip install 'driftwarden[cel]'` brings. Every fact is a list of texts, so `'production' in environment`; "
        "besides facts it may ask:",
        _table(("Name", "Is"), [(f"`{name}`", about) for name, about in MORE.items()]),
        f"Its functions are {_codes(sorted(FUNCTIONS))}. An expression has at most {LONGEST} characters, {DEEPEST} "
        f"loops within one another, and no comments; of lists it sees {MOST} entries. One that fails, or asks a fact "
        "that is not known, is undecided, and so reported.",
        "## Controls",
        "Evidence *supports* a control or *partially supports* it; whether it satisfies the control is the auditor's "
        "word. Titles are short ones of our own.",
        _table(("Control", "Title", "Relation", "Evidence from"), _controls(controls.values(), rules)),
    )


def _rule(rule: Rule, controls: Mapping[str, Control]) -> str:
    named = [f"- `{name}` {controls[name].title} ({controls[name].relation})" for name in rule.controls]
    unless = [f"Not broken where {_condition(rule.unless)}."] if rule.unless else []
    return _page(
        f"## {rule.id}",
        f"**{rule.severity.capitalize()}, {_STAGES[rule.stage]}.** {rule.title}.",
        rule.why,
        f"*What to do:* {rule.fix}",
        f"*First minutes:* {rule.runbook}" if rule.runbook else "",
        " ".join([f"Broken where {_condition(rule.when)}.", *unless]),
        _bullets("Known false positives:", rule.false_positives),
        _bullets("Examples:", [_example(one) for one in rule.examples]),
        "\n".join(["Controls:", "", *named]),
    ).strip()


def _condition(condition: Condition) -> str:
    return "; or where ".join(
        " and ".join(f"`{name}` is {_codes(words, ' or ')}" for name, words in clauses) for clauses in condition
    )


def _example(one: Example) -> str:
    return f"{one.name}: **{'broken' if one.violates else 'kept'}**"


def _controls(controls: Iterable[Control], rules: Sequence[Rule]) -> list[Sequence[str]]:
    naming = Counter(control for rule in rules for control in rule.controls)
    return [
        (
            f"{one.framework}: `{one.number}`",
            one.title,
            one.relation,
            _naming(naming[one.id]) if one.evidence == "rules" else "every report",
        )
        for one in sorted(controls, key=lambda control: control.id)
    ]


def _naming(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"


def iam_policy() -> str:
    """`docs/iam-policy.json`: a policy for the role that driftwarden reads with.

    SecureString parameters are never asked for. The denial is for whoever takes the role over: a permission to read
    parameters would decrypt them wherever the key's own policy allows that.
    """
    statements: list[Mapping[str, Any]] = [
        {"Sid": "ReadResources", "Effect": "Allow", "Action": list(actions(load())), "Resource": "*"},
        {
            "Sid": "ReadTrail",
            "Effect": "Allow",
            "Action": list(LOOKED_UP),
            "Resource": "*",
        },
        {
            "Sid": "NeverDecryptParameters",
            "Effect": "Deny",
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringLike": {"kms:ViaService": "ssm.*.amazonaws.com"}},
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


LOOKED_UP = ("cloudtrail:ListPublicKeys", "cloudtrail:LookupEvents")
ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "lookup": LOOKED_UP,
    "state_buckets": ("s3:ListBucket", "s3:ListBucketVersions"),
    "state_objects": ("s3:GetObject", "s3:GetObjectVersion"),
    "state_locks": ("dynamodb:GetItem",),
    "trail_buckets": ("s3:ListBucket",),
    "trail_objects": ("s3:GetObject",),
    "queues": (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ),
    "dead_letters": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl"),
    "decrypted": ("kms:Decrypt",),
    "identity_center": (
        "identitystore:ListGroupMemberships",
        "identitystore:ListGroups",
        "identitystore:ListUsers",
        "sso:ListInstances",
    ),
    "organizations": ("organizations:ListAccounts",),
    "calendars": ("ssm:GetDocument",),
    "roles": ("sts:AssumeRole",),
    "evidence": ("s3:PutObject",),
}
"""What is allowed → its IAM actions, besides those that resource specs lead to. A test holds them against the calls
that the code names, and against those that a scan of everything makes."""


def permissions() -> str:
    """`terraform/modules/permissions/permissions.json`: the actions that the module makes policies of."""
    return json.dumps({"estate": actions(load()), **ELSEWHERE}, indent=2) + "\n"


DATA: Mapping[str, Callable[[], str]] = {"terraform/modules/permissions/permissions.json": permissions}
"""File of the repository that is no page → its content."""
PAGES: Mapping[str, Callable[[], str]] = {
    "resources.md": resources_page,
    "rules.md": rules_page,
    "iam-policy.json": iam_policy,
}
"""File in `docs` → its content."""


def _page(*paragraphs: str) -> str:
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def _bullets(heading: str, entries: Iterable[str]) -> str:
    lines = [f"- {entry}" for entry in entries]
    return "\n".join([heading, "", *lines]) if lines else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; empty where it would have no rows."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = "|" + "---|" * len(heads)
    return "\n".join(["| " + " | ".join(heads) + " |", rule, *lines]) if lines else ""


def _codes(words: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{word}`" for word in words)


def _link(name: str) -> str:
    return f"[`{name}`](#{name})"


def main() -> None:
    """Writes every page, and the data that Terraform reads."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(DOCS / name)
    for name, content in DATA.items():
        (ROOT / name).write_text(content(), encoding="utf-8")
        print(ROOT / name)


if __name__ == "__main__":
    main()

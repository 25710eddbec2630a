"""Public records, labelled one by one by a person who read them: classification and targets are held against that.

`labels.csv` names a record by file and line of the datasets that `test_trail_data` knows, which are not in this
repository; so an identifier is named by its place in the record, never quoted. Its columns:

- `sort`, `noise` (yes: a change that nobody who writes Terraform calls one), `identity`, `channel`, `tool`.
- `target_type`, `target_id`: what the call changes, as Terraform calls it, and where the record names it:
  `responseElements.vpc.vpcId`, or `{requestParameters.roleName}:{requestParameters.policyName}` of several.
  Empty: nothing that Terraform manages, or nothing that the record identifies; `why` says which.
- `also_types`, `also_ids`: alternatives, parted by `|`: the parent of a part, a name beside an ARN.

Fixtures that were edited by hand are labelled as they are written. A label is a judgement on the record, made before
the classifier saw it: where the two part, one of them is to be mended and the reason told, never just the label.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import test_trail_data
from test_trail_data import NAMES, records_of

from agent.model import Touch
from agent.resources import load
from agent.trail import classify, decode, identity
from agent.trail.decode import Record
from agent.trail.targets import Targets

pytestmark = test_trail_data.pytestmark

Label = dict[str, str]
Judged = tuple[Label, Record]

AXES = ("identity", "channel")


@cache
def judged() -> tuple[Judged, ...]:
    """Every label with its record."""
    found = {name: records_of(name) for name in NAMES}
    with Path(__file__).with_name("labels.csv").open(newline="") as file:
        labels = list(csv.DictReader(file))
    return tuple((label, found[label["file"]][int(label["line"]) - 1]) for label in labels)


def found_of(record: Record) -> Label:
    """What the classifier says, in the columns of a label."""
    client = classify.client(record, identity.of(record))
    sort = classify.sort(record)
    return {
        "sort": sort,
        "noise": "yes" if sort == "change" and classify.is_noise(record) else "",
        "identity": client.identity,
        "channel": client.channel,
        "tool": client.tool,
    }


def at(document: Any, place: str) -> str:
    """The text at a place of the record; some details are JSON in a string."""
    if "{" in place:
        return re.sub(r"\{([^}]+)\}", lambda part: at(document, part[1]), place)
    for name in place.split("."):
        inner = json.loads(document) if isinstance(document, str) else document
        document = inner[int(name)] if isinstance(inner, list) else inner[name]
    return str(document)


def told(label: Label, *more: object) -> str:
    return f"{label['file']}:{label['line']} {label['call']} " + " ".join(map(str, more))


def test_each_label_is_of_the_record_it_names_and_stands_once() -> None:
    called = [f"{classify.service(record)}:{record.name}" for _, record in judged()]
    assert called == [label["call"] for label, _ in judged()]
    places = [(label["file"], label["line"]) for label, _ in judged()]
    assert sorted(set(places)) == sorted(places)


def test_the_labels_are_enough_and_of_every_kind() -> None:
    """Over 300 writes, refused and failed ones among them; each name that any successful write of the data has."""
    writes = [label for label, _ in judged() if label["sort"] in ("change", "failed", "denied")]
    assert len(writes) > 300
    assert {name: sum(label["file"] == name for label in writes) for name in NAMES} == {
        "invictus": 161,
        "stratus": 40,
        "panther": 249,
    }
    manageable = [label for label in writes if label["target_type"]]
    assert (len(manageable), len({label["target_type"] for label in manageable})) == (301, 73)
    for label, _ in judged():
        assert bool(label["target_type"]) == bool(label["target_id"])
        if label["sort"] in ("change", "failed", "denied"):
            assert label["target_type"] or label["why"], told(label, "names no target and does not say why")


def test_no_write_of_the_data_has_a_name_without_a_label() -> None:
    known = {label["call"] for label, _ in judged()}
    for name in NAMES:
        for record in records_of(name):
            if classify.sort(record) in ("change", "failed"):
                assert f"{classify.service(record)}:{record.name}" in known


@pytest.mark.parametrize("column", ["sort", "noise", "identity", "channel", "tool"])
def test_classification_is_right_in_99_of_100(column: str) -> None:
    wrong = [
        told(label, f"is {label[column]!r}, taken for {found[column]!r}")
        for label, record in judged()
        if (found := found_of(record))[column] != label[column]
    ]
    assert len(wrong) <= len(judged()) // 100, "\n".join(wrong)


def test_both_axes_at_once_are_right_in_99_of_100() -> None:
    wrong = [
        told(label, *(found[axis] for axis in AXES))
        for label, record in judged()
        if any((found := found_of(record))[axis] != label[axis] for axis in AXES)
    ]
    assert len(wrong) <= len(judged()) // 100, "\n".join(wrong)


# --- targets -------------------------------------------------------------------------------------------------


def is_right(touch: Touch, label: Label, document: Mapping[str, Any]) -> bool:
    """The type, and any identifier; one of several parts (`role|policy`) may be the one that is asked for."""
    places = [place for place in (label["target_id"], *label["also_ids"].split("|")) if place]
    named = {at(document, place) for place in places}
    types = {label["target_type"], *label["also_types"].split("|")} - {""}
    parts = {part for name in touch.ids for part in (name, *name.split("|"))}
    # Without a target_id the alternatives are types that may be touched, whatever the record calls them.
    return touch.type in types and (not named or bool(named & parts))


@cache
def outcomes() -> Mapping[str, list[str]]:
    """`right`, `wrong`, `none`: of what Terraform manages, by its label; `unasked`: a touch of what it does not."""
    targets = Targets(load(), b"")
    found: dict[str, list[str]] = {"right": [], "wrong": [], "none": [], "unasked": []}
    for label, record in judged():
        if label["sort"] != "change" or label["noise"]:
            continue
        document = decode.document(record)
        touches = targets.of(record.source or "", classify.name(record), document)
        right = [touch for touch in touches if is_right(touch, label, document)]
        text = told(label, label["target_type"] or "-", [(touch.type, touch.ids) for touch in touches])
        if len(right) < len(touches):
            found["wrong" if label["target_type"] else "unasked"].append(text)
        elif label["target_type"]:
            found["right" if touches else "none"].append(text)
    return found


def test_successful_writes_resolve_to_their_target_in_95_of_100() -> None:
    counts = {name: len(texts) for name, texts in outcomes().items()}
    asked = counts["right"] + counts["wrong"] + counts["none"]
    assert asked == Counter(label["sort"] for label, _ in judged() if label["target_type"])["change"]
    assert counts["right"] >= asked * 0.95, "\n".join(outcomes()["none"] + outcomes()["wrong"])


def test_at_most_2_of_100_resolve_to_a_wrong_target() -> None:
    """A call that touches the right resource and another one besides is wrong; so is one that has no target."""
    wrong = outcomes()["wrong"] + outcomes()["unasked"]
    assert len(wrong) <= sum(map(len, outcomes().values())) * 0.02, "\n".join(wrong)

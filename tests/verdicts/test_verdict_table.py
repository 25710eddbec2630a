"""The table of verdicts: each row says in words what happened, and what must come of it.

`table.csv` is to be read by whoever wants to know what is authorised. Its columns: the change class where the row is
about one, what happened, the ticket, the change and everything else where they differ from the plain case
(`verdict_words` says what that is); then the outcome, the path, the tests that fail, those that are unknown, whether
it is late, and how the ticket's resources stand as requested and performed.
"""

import csv
from collections import Counter
from pathlib import Path

import pytest
from verdict_words import case_of, judged, performed_under

from agent.authorise import PATHS, TESTS
from agent.model import OUTCOMES

with (Path(__file__).parent / "table.csv").open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))


def _words(cell: str) -> dict[str, str]:
    """`NAME=status of several words NAME=status` → status by name."""
    found: dict[str, str] = {}
    for word in cell.split(" ") if cell else ():
        name, equals, status = word.partition("=")
        if equals:
            found[name] = status
        else:
            found[[*found][-1]] += f" {name}"
    return found


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['class'] or 'x'}-{row['what happened']}"[:90] for row in ROWS])
def test_what_happened_gives_its_verdict(row: dict[str, str]) -> None:
    case = case_of(row)
    if row["outcome"]:
        found = judged(case)
        unknown = [test.name for test in found.tests if test.result == "unknown"]
        said = (found.outcome, found.path, " ".join(_sorted(found.failed)), " ".join(_sorted(unknown)))
        assert said == (row["outcome"], row["path"], row["failed"], row["unknown"])
        assert found.late == (row["late"] == "late")
        assert all(test.evidence for test in found.tests)
    if row["performed"] or not case.made:
        assert performed_under(case) == _words(row["performed"])


def _sorted(names: list[str] | tuple[str, ...]) -> list[str]:
    return sorted(names, key=TESTS.index)


def test_the_table_is_one() -> None:
    """Long enough, each row once, with every outcome of a change, every path and every test that can fail."""
    assert len(ROWS) >= 120
    assert max(Counter((row["ticket"], row["change"], row["given"], row["performed"]) for row in ROWS).values()) <= 2
    assert max(Counter(row["what happened"] for row in ROWS).values()) == 1
    column = {name: {word for row in ROWS for word in row[name].split(" ")} - {""} for name in ROWS[0]}
    # Of a change alone: exceptions and what is only merged are others' to say.
    assert column["outcome"] == {*OUTCOMES} - {"excepted", "baselined", "unapplied"}
    assert column["path"] == {*PATHS}
    assert column["failed"] == {*TESTS}
    assert {"actor", "ticket", "state", "scope", "implementer", "separation", "content", "freeze"} < column["unknown"]
    assert {"5", "15", "24", "25", "26", "27", "28"} < column["class"]


def test_a_standard_change_whose_path_is_closed_is_told_as_such() -> None:
    case = case_of({"ticket": "STD-1; standard; for sre", "change": "names STD-1", "given": "policy standing=closed"})
    (said,) = [test.evidence for test in judged(case).tests if test.name == "ticket"]
    assert said == "STD-1 is a standard change, and that path is closed"

"""Every expression of this folder means to us what it means to Terraform: value, type and mark.

What Terraform says is recorded in `answers.jsonl`; `make oracle-sweep` asks it again.
"""

import shutil

import expression_oracle
import pytest
from known_differences import KNOWN
from our_answers import HOLE, difference, ours, shown


@pytest.mark.parametrize("group", expression_oracle.groups())
def test_expressions_mean_what_they_mean_to_terraform(group: str) -> None:
    answers = expression_oracle.recorded()[group]
    assert list(answers) == expression_oracle.expressions(group), "answers.jsonl is not of these expressions"
    found = {text: difference(answer, ours(text)) for text, answer in answers.items()}
    known = {text for where, text in KNOWN if where == group}
    assert {text: each for text, each in found.items() if each and text not in known} == {}
    assert {text for text in known if not found[text]} == set(), "known differences that are gone"


def test_the_known_differences_are_few() -> None:
    asked = sum(map(len, expression_oracle.recorded().values()))
    assert asked >= 1_200
    assert len(KNOWN) <= 0.005 * asked
    assert all(KNOWN.values())


@pytest.mark.parametrize("text", expression_oracle.expressions(expression_oracle.IMPURE))
def test_what_differs_at_each_run_is_unknown(text: str) -> None:
    assert HOLE in shown(ours(text))


@pytest.mark.sweep
@pytest.mark.terraform
@pytest.mark.parametrize("group", expression_oracle.groups())
def test_terraform_still_gives_the_recorded_answers(group: str) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    if expression_oracle.terraform_version() != expression_oracle.version():
        pytest.skip(f"the answers were recorded with terraform {expression_oracle.version()}, which is not on PATH")
    assert expression_oracle.ask(group) == expression_oracle.recorded()[group]

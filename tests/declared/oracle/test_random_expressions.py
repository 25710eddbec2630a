"""Whatever is drawn, where Terraform has an answer ours is the same; `scripts/oracle_sweep.py` draws many more."""

import shutil

import expression_oracle
import pytest
import random_expressions
from our_answers import difference, ours


def test_one_seed_gives_the_same_expressions() -> None:
    assert random_expressions.expressions(7, 30) == random_expressions.expressions(7, 30)
    assert random_expressions.expressions(7, 30) != random_expressions.expressions(8, 30)


@pytest.mark.parametrize("text", random_expressions.expressions(11, 150))
def test_what_is_drawn_has_a_value_or_is_refused(text: str) -> None:
    ours(text)


@pytest.mark.terraform
@pytest.mark.parametrize("seed", range(3))
def test_a_random_expression_means_what_it_means_to_terraform(seed: int) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    answers = expression_oracle.ask("random", random_expressions.expressions(seed, 150))
    told = {text: answer for text, answer in answers.items() if "error" not in answer}
    assert len(told) > 100, "most of what is drawn must be valid"
    assert {text: found for text, answer in told.items() if (found := difference(answer, ours(text)))} == {}

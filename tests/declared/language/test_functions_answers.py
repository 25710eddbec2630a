"""Functions over numbers, collections, addresses and files give what the real Terraform gives: value and type.

Where the binary is, it is asked again.
"""

import shutil
from pathlib import Path

import function_answers
import pytest

KNOWN = {
    "tostring(pow(2, 64))",
    "pow(2, 200)",
    "jsonencode(pow(2,64))",
    "pow(1.1, 2) + 1",
    "log(50,10) + 1",
    "sum([pow(1.1,2), 1])",
}
"""What 64-bit floating point gives, Terraform writes with 17 digits but goes on computing with all its binary ones."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the expressions are about."""
    made = tmp_path_factory.mktemp("files")
    function_answers.make_files(made)
    return made


@pytest.mark.parametrize("family", function_answers.families())
def test_calls_give_what_terraform_gives(family: str, folder: Path) -> None:
    answers = function_answers.recorded(family)
    found = function_answers.ours(answers, folder)
    differences = {text: (answers[text], each) for text, each in found.items() if each != answers[text]}
    assert differences.keys() == KNOWN & answers.keys(), differences


def test_there_are_many_answers() -> None:
    answers = [each for family in function_answers.families() for each in function_answers.recorded(family).values()]
    assert len(answers) >= 1_300
    assert sum(each == function_answers.ERROR for each in answers) < 0.4 * len(answers)


@pytest.mark.terraform
@pytest.mark.parametrize("family", function_answers.families())
def test_terraform_still_answers_so(family: str) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    answers = function_answers.recorded(family)
    assert function_answers.asked(answers) == answers

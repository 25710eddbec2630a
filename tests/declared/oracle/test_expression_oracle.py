"""Every expression of this folder means to us what it means to Terraform: value and type.

What Terraform says is recorded in `answers.jsonl`; where the binary is, it is asked again.
"""

import shutil

import expression_oracle
import pytest


@pytest.mark.terraform
@pytest.mark.parametrize("group", expression_oracle.groups())
def test_terraform_still_gives_the_recorded_answers(group: str) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    if expression_oracle.terraform_version() != expression_oracle.version():
        pytest.skip(f"the answers were recorded with terraform {expression_oracle.version()}, which is not on PATH")
    assert expression_oracle.ask(group) == expression_oracle.recorded()[group]

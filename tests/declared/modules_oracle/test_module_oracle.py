"""Each root module of this folder is to us what it is to Terraform: every address, every known value.

What Terraform says is recorded in `answers/`; where the binary is, it is asked again.
"""

import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import module_oracle
import pytest
from our_roots import differences, evaluated

from agent.declared.evaluation import Evaluated


@cache
def ours(root: str) -> Evaluated:
    return evaluated(module_oracle.ROOTS / root)


@pytest.mark.parametrize("root", module_oracle.roots())
def test_a_root_is_what_terraform_test_says_with_a_mocked_provider(root: str) -> None:
    assert list(differences(ours(root), module_oracle.recorded(root, "mocked"), provider="")) == []


@pytest.mark.parametrize("root", module_oracle.roots())
def test_a_root_is_what_terraform_plan_says(root: str) -> None:
    assert list(differences(ours(root), module_oracle.recorded(root, "planned"), provider="real")) == []


@pytest.mark.parametrize("root", module_oracle.roots())
def test_an_edited_root_over_its_state_is_what_terraform_plan_says(root: str, tmp_path: Path) -> None:
    copy = tmp_path / root
    shutil.copytree(module_oracle.ROOTS / root, copy)
    module_oracle.edit(copy)
    over = evaluated(copy, module_oracle.state(root))
    assert list(differences(over, module_oracle.recorded(root, "edited"), provider="overlaid")) == []


def test_the_roots_declare_what_they_are_meant_to() -> None:
    assert len(module_oracle.roots()) >= 5
    assert sum(len(module_oracle.recorded(root, "planned")["instances"]) for root in module_oracle.roots()) > 100


@pytest.mark.terraform
@pytest.mark.slow
@pytest.mark.sweep  # minutes of CPU: `make oracle-sweep` derives the answers again
@pytest.mark.parametrize("root", module_oracle.roots())
def test_terraform_still_gives_the_recorded_answers(
    root: str, moto_variables: Mapping[str, str], moto_reset: None, tmp_path: Path
) -> None:
    env = module_oracle.environment(moto_variables)
    copy = initialised(root, tmp_path, env)
    recorded = module_oracle.recorded(root, "mocked")
    assert module_oracle.masked(module_oracle.mocked_once(copy, env), recorded) == recorded
    assert module_oracle.planned(copy, env) == module_oracle.recorded(root, "planned")
    if root == "network":
        # Ids differ at each run: what is recorded of an edit cannot be had again, and all roots would take minutes.
        answer, state = module_oracle.edited(copy, env)
        assert list(differences(evaluated(copy, state), answer, provider="overlaid")) == []


def initialised(root: str, folder: Path, env: Mapping[str, str]) -> Path:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    try:
        return module_oracle.copied(root, folder, env)
    except RuntimeError as error:
        if os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR"):
            raise
        pytest.skip(f"terraform could not fetch the AWS provider; DRIFTWARDEN_TF_PLUGIN_DIR names a mirror: {error}")

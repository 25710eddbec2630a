"""Whatever configuration is drawn, what Terraform's plan knows of it ours knows too, and the same.

`scripts/oracle_sweep.py` draws many more.
"""

import shutil
from pathlib import Path

import module_answers
import pytest
from our_answers import HOLE
from random_modules import write_root


def test_one_seed_gives_the_same_modules(tmp_path: Path) -> None:
    texts = []
    for name in ("first", "second"):
        write_root(tmp_path / name, 5, 4)
        texts.append({path.relative_to(tmp_path / name): path.read_text() for path in (tmp_path / name).rglob("*.tf")})
    assert texts[0] == texts[1]


def test_only_what_terraform_does_not_know_may_be_known() -> None:
    assert module_answers.alike({"a": [1, "x"]}, {"a": [1, HOLE]})
    assert not module_answers.alike({"a": [1, HOLE]}, {"a": [1, "x"]})
    assert not module_answers.alike({"a": 1}, {"a": True})
    assert not module_answers.alike({"a": 1}, {"a": 1, "b": 2})


@pytest.mark.terraform
@pytest.mark.parametrize("seed", [0])
def test_a_random_configuration_is_what_terraform_plans(seed: int, tmp_path: Path) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    assert list(module_answers.differences(tmp_path, seed, 40)) == []
    assert len(list(tmp_path.glob("m*.tf"))) > 15, "most of what is drawn must be valid"

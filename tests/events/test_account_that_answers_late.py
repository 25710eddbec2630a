"""A warm process that began while an account gave no credentials."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import small_estate
from queued import events

from agent.config import aws_environment, load
from agent.events import worker as warm
from agent.events.worker import Worker


def test_it_ends_to_be_started_anew_once_the_account_answers(
    moto_server: str,
    moto_variables: Mapping[str, str],
    reset_moto: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm, "WAIT", 1)
    monkeypatch.setattr(warm, "REPLAN", 0.0)
    reset_moto()
    profiles = tmp_path / "profiles"
    profiles.write_text("")
    with small_estate.cloud(moto_server, {**moto_variables, "AWS_CONFIG_FILE": str(profiles)}) as (recorder, led):
        (tmp_path / "estate").mkdir()
        path = events(small_estate.estate(tmp_path / "estate", recorder, led), "late")
        path.estate.configure(path.estate.config.read_text() + '\n[[account]]\nprofile = "late"\n')
        with (
            aws_environment(path.estate.variables),
            Worker(load(path.estate.config), None, lambda _: None) as worker,
        ):
            assert not worker._may_read_more()
            keys = f"aws_access_key_id = {small_estate.OURS}\naws_secret_access_key = secret\n"
            profiles.write_text(f"[profile late]\nregion = us-east-1\n{keys}")
            assert worker._may_read_more()
            assert worker.run()
    reset_moto()

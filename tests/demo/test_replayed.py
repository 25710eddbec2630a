"""A recorded apply that is played back gives the identifiers it was recorded with, or says that it does not."""

from collections.abc import Callable
from importlib import resources

import pytest

from agent.demo import cloud
from agent.demo.recorder import Recorder


def test_other_identifiers_are_told_though_errors_name_those_that_are_missing(
    moto_server: str, reset_moto: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "SEED", cloud.SEED + 1)
    reset_moto()
    with (
        Recorder(moto_server, cloud.ACCOUNT, region=cloud.REGION) as recorder,
        pytest.raises(cloud.CloudError, match=r"vpc-\w+.* are not there"),
    ):
        cloud.replay(recorder, resources.files("agent.demo") / "estate")
    reset_moto()

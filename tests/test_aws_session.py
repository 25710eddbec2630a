"""Sessions of several accounts read what botocore knows of a service once, and keep their credentials apart."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ProfileNotFound
from botocore.loaders import JSONFileLoader

from agent.aws_session import opened


def test_a_service_is_read_once_for_all_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    read, looked = Counter[str](), Counter[str]()
    load = JSONFileLoader.load_file

    def counted(self: JSONFileLoader, file_path: str) -> object:
        found: object = load(self, file_path)
        if found is not None:
            read[file_path] += 1
        looked[file_path] += 1
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    with ThreadPoolExecutor(4) as pool:
        issued = [{"AccessKeyId": f"AKIA{n}", "SecretAccessKey": f"secret {n}"} for n in range(8)]
        sessions = list(pool.map(lambda one: opened("eu-west-1", issued=one), issued))
    for session in sessions:
        session.client("kinesisanalyticsv2")
    assert any("kinesisanalyticsv2" in name for name in read)
    assert {name: count for name, count in read.items() if count > 1} == {}
    # boto3 adds its own folder for each session: it is looked into once.
    assert max(looked.values()) == 1
    given = [session.get_credentials() for session in sessions]
    assert [(one.access_key, one.secret_key, one.token) for one in given if one] == [
        (f"AKIA{n}", f"secret {n}", None) for n in range(8)
    ]
    assert sessions[0].events is not sessions[1].events


def test_a_profile_a_role_and_the_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[audit]\naws_access_key_id = AKIAAUDIT\naws_secret_access_key = kept\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASURROUND")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kept")
    role = {"AccessKeyId": "ASIA1", "SecretAccessKey": "kept", "SessionToken": "token"}
    made = opened(), opened(profile="audit"), opened("eu-west-1", issued=role)
    found = [session.get_credentials() for session in made]
    assert [(one.access_key, one.token) for one in found if one] == [
        ("AKIASURROUND", None),
        ("AKIAAUDIT", None),
        ("ASIA1", "token"),
    ]
    assert made[2].region_name == "eu-west-1"
    with pytest.raises(ProfileNotFound):
        opened(profile="nobody")

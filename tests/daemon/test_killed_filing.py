"""A job that files is killed in the middle: the next one files at once what that had claimed."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon_process import silence, wait_for

from agent import work
from agent.model import Case, CaseKey, Open
from agent.store import ScanCommit, connect


def test_what_a_killed_job_was_to_file_does_not_wait_for_its_lease(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, now = tmp_path / "driftwarden.toml", datetime.now(UTC)
    (tmp_path / "tickets").mkdir()
    given = '[tickets]\nmode = "file"\nfile_to = "{}"\n[tickets.register]\npath = "tickets"\n'
    with silence() as url, connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        store.scans.begin("one", now, "", "")
        case = Case(CaseKey("C-1"), "a case", (), "high", opened_at=now)
        assert store.scans.commit(ScanCommit("one", now, "violations", b"{}", actions=(Open(case),)))
        path.write_text(f'{given.format("roundup")}[tickets.roundup]\nurl = "{url}"\nuser = "u"\npassword = "p"\n')
        with subprocess.Popen([sys.executable, "-m", "agent.work", str(path), "file"]) as job:
            wait_for(store.outbox.owners, "a job that files")
            job.kill()
        path.write_text(given.format("register"))
        assert work._main([str(path), "file"]) == 0
    assert '"sent": 1, "retried": 0, "dead": 0' in capsys.readouterr().out

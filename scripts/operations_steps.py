"""The situations of the operations pages, one function each, in order; each types what the page says there.

Hides what must be so that a command means what the page says: a broken file, a full disk, two people who agree.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import operations_machine as machine
from operations_machine import ETC, JOURNAL, LIB, ROOT, SERVICE, metric, ready, wait_for

if TYPE_CHECKING:
    from operations_trial import Trial

CONFIG = ETC / "driftwarden.toml"
STORE = LIB / "driftwarden.db"
KEY = LIB / "driftwarden.key"
BACKUPS = LIB / "backups"
KEYS = Path("/mnt/home")


def installed(t: Trial) -> None:
    """The program and its units"""
    t.typed("python3.11 -m venv {root}/opt/driftwarden")
    t.typed(
        "{root}/opt/driftwarden/bin/pip install 'driftwarden[fast,cel] @ file:///srv/driftwarden-0.1.0-py3-none-any.whl'"
    )
    t.typed("{root}/opt/driftwarden/bin/python -m compileall -q {root}/opt/driftwarden/lib")
    t.typed("ln -s {root}/opt/driftwarden/bin/driftwarden /usr/local/bin/driftwarden")
    t.typed("driftwarden --version", says="0.1.0")
    t.typed("install -m 0644 systemd/driftwarden.service /etc/systemd/system/")
    t.typed("install -m 0755 systemd/as-driftwarden /usr/local/sbin/")
    t.typed("install -m 0644 systemd/driftwarden.tmpfiles.conf /usr/lib/tmpfiles.d/driftwarden.conf")
    t.typed("systemd-tmpfiles --create /usr/lib/tmpfiles.d/driftwarden.conf")
    t.typed("install -m 0600 /dev/stdin /etc/driftwarden/credentials/jira-token", given="s3cret")
    t.typed("install -m 0600 /dev/stdin /etc/driftwarden/credentials/smtp-password", given="s3cret")
    t.typed("mkdir -p /etc/systemd/system/driftwarden.service.d")
    t.typed("install -m 0644 systemd/drop-ins/credentials.conf /etc/systemd/system/driftwarden.service.d/")


def first_scan(t: Trial) -> None:
    """It is proven, started, and scans"""
    for name in machine.PEOPLE:
        (KEYS / name).mkdir(parents=True)
        shutil.chown(KEYS / name, name)
    machine.configured(t.cloud, machine.post(), KEYS)
    LIB.mkdir()
    # A disk of its own, small enough to be filled.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "none", str(LIB)], check=True)
    os.chown(LIB, SERVICE, SERVICE)
    t.cloud.set_timeout(31, who="ops")
    t.cloud.set_timeout(30, who="ops")
    t.typed("systemd-analyze verify /etc/systemd/system/driftwarden.service")
    t.typed(
        "systemd-run --pty --wait -p DynamicUser=yes -p User=driftwarden -p StateDirectory=driftwarden"
        " -p CacheDirectory=driftwarden -p LoadCredential=jira-token:/etc/driftwarden/credentials/jira-token"
        " -p LoadCredential=smtp-password:/etc/driftwarden/credentials/smtp-password"
        " {root}/opt/driftwarden/bin/driftwarden check --config /etc/driftwarden/driftwarden.toml",
        says="ok       store",
    )
    t.typed("systemctl daemon-reload")
    t.typed("systemctl enable --now driftwarden")
    t.typed("journalctl -u driftwarden -f", says='"event": "leads"')
    wait_for(lambda: metric("driftwarden_last_successful_scan_timestamp_seconds") > 0, "the first scan")


def every_day(t: Trial) -> None:
    """What somebody looks at every day"""
    t.typed("driftwarden status", by="kim", code=(0, 1, 3), says="Daemon: leader")
    t.typed("systemctl status driftwarden")
    t.typed("journalctl -u driftwarden -o cat", says='"event"')
    t.typed("curl -s http://127.0.0.1:9464/readyz", says="leader")
    t.typed("curl -s http://127.0.0.1:9464/metrics", says="driftwarden_coverage_ratio 1.0")
    t.typed("driftwarden report weekly", by="kim")
    # Root's own look at the store would leave files behind that the service cannot open.
    t.typed("as-driftwarden driftwarden db verify", says="Sound.")
    t.typed("as-driftwarden driftwarden --socket none report weekly --week 2026-W47 --send")
    if not Path("/mnt/mail.eml").exists():
        t.failures.append("the weekly report was not sent")


def changed_files(t: Trial) -> None:
    """The configuration is wrong, and right again"""
    right = CONFIG.read_text()
    t.typed("as-driftwarden driftwarden check", says="ok ")
    CONFIG.write_text(right.replace('mode = "file"', 'mode = "fille"'))
    t.typed("systemctl reload driftwarden")
    wait_for(lambda: metric("driftwarden_reload_failed") == 1, "driftwarden_reload_failed")
    t.note(ready())
    t.prepared("driftwarden check", code=2, says="driftwarden.toml:", at=ETC)
    t.typed("driftwarden status", by="kim", code=(1, 3), says="the newest configuration is not in use")
    CONFIG.write_text(right)
    t.typed("systemctl reload driftwarden")
    wait_for(lambda: metric("driftwarden_reload_failed") == 0, "driftwarden_reload_failed 0")


def backed_up(t: Trial) -> None:
    """A backup while others write, and the drill; root alone is refused"""
    for number in range(3):
        t.cloud.set_timeout(60 + number)
    told = t.typed("as-driftwarden driftwarden db backup", says="SHA-256")
    head = told.split("ledger")[1].split()[0]
    t.typed("as-driftwarden driftwarden db verify FILE", filled={"FILE": str(newest())}, says="Sound.")
    t.typed("as-driftwarden driftwarden db verify --head SEQ:HASH", says="Sound.", filled={"SEQ:HASH": head})
    (BACKUPS / "of-root").touch(mode=0o600)
    t.typed("chown -R --reference=/var/lib/driftwarden/driftwarden.db /var/lib/driftwarden/")
    refused = subprocess.run(["driftwarden", "db", "backup"], cwd=ETC, capture_output=True, text=True, check=False)
    t.note(f"[root] $ driftwarden db backup\n{refused.stderr}")
    if refused.returncode != 2 or "not root" not in refused.stderr:
        t.failures.append(f"root may write into the service's folder: {refused.stdout}{refused.stderr}")


def newest() -> Path:
    return max(BACKUPS.glob("*.tar"))


def restored(t: Trial) -> None:
    """A backup takes the store's place, as two people agreed"""
    backup = newest()
    digest = t.typed("as-driftwarden driftwarden db verify FILE", filled={"FILE": str(backup)}).split("SHA-256 ")[1][
        :64
    ]
    for name in ("dana", "kim"):
        t.typed(
            "driftwarden cases accept 'restore SHA256' --reason \"the disk broke, INC-1\"",
            by=name,
            filled={"SHA256": digest},
        )
    t.typed("systemctl stop driftwarden")
    t.typed("as-driftwarden driftwarden db restore FILE", filled={"FILE": str(backup)}, says="dana")
    t.typed("as-driftwarden driftwarden db verify", says="Sound.")
    t.typed("systemctl start driftwarden")


def moved(t: Trial) -> None:
    """The store is lost, or on another machine: two admins sign for the file"""
    t.typed("as-driftwarden driftwarden db backup")
    t.typed("systemctl disable --now driftwarden")
    backup = Path("/srv/moved.tar")
    shutil.copy(newest(), backup)
    backup.chmod(0o644)
    agreed = Path("/srv/agreed")
    agreed.mkdir(mode=0o777)
    agreed.chmod(0o777)
    for left in (path for path in LIB.iterdir() if path != BACKUPS):
        left.unlink() if left.is_file() else shutil.rmtree(left)
    for name in ("dana", "kim"):
        theirs = f"{agreed} --key {KEYS / name / 'id_ed25519'} --config {CONFIG}"
        t.typed("driftwarden db agree FILE --to agreed", by=name, filled={"FILE": str(backup), "agreed": theirs})
    for path in agreed.iterdir():
        path.chmod(0o644)
    filled = {"FILE": str(backup), " agreed": f" {agreed}"}
    t.typed("as-driftwarden driftwarden db restore FILE --agreed agreed", filled=filled, says="dana")
    t.typed("as-driftwarden driftwarden db verify", says="Sound.")
    t.typed("systemctl start driftwarden")


def dropped(t: Trial) -> None:
    """What is over goes, evidence when two people agree; the key is rotated, and lost"""
    t.typed("as-driftwarden driftwarden db prune")
    for name in ("dana", "kim"):
        t.typed("driftwarden cases accept 'prune 2019-06-30'", by=name)
    t.typed("as-driftwarden driftwarden db prune --before 2019-06-30", says="evidence before 2019-06-30")
    t.typed("systemctl stop driftwarden")
    older = KEY.read_bytes()
    t.typed("as-driftwarden driftwarden db rotate-key", says="2 keys")
    t.typed("as-driftwarden driftwarden db backup")
    KEY.write_bytes(older)  # the new one is lost, before it has sealed anything
    t.typed("as-driftwarden driftwarden db verify", code=1, says="none of them is")
    t.typed("as-driftwarden driftwarden db rotate-key --lost", says="2 keys")
    t.typed("as-driftwarden driftwarden db backup")
    KEY.write_bytes(older)
    t.typed(
        "as-driftwarden tar -xf FILE -C /var/lib/driftwarden --transform s/install.key/driftwarden.key/ install.key",
        filled={"FILE": str(newest())},
    )
    t.typed("as-driftwarden driftwarden db verify", says="Sound.")
    t.typed("systemctl start driftwarden")


def killed(t: Trial) -> None:
    """kill -9 of the leader: the standby leads; kill -9 of that too: a start makes up for it"""
    first = t.service.main
    leads = JOURNAL.read_text().count('"event": "leads"')
    t.service.start()
    standby = t.service.main
    first.kill()
    first.wait()
    wait_for(lambda: JOURNAL.read_text().count('"event": "leads"') > leads, "the standby that leads")
    t.cloud.set_timeout(44)
    standby.kill()
    standby.wait()
    t.typed("systemctl start driftwarden")
    t.typed("as-driftwarden driftwarden db verify", says="Sound.")


def disk_full(t: Trial) -> None:
    """The disk is full, and has room again"""
    filler = LIB / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
    t.cloud.set_timeout(45)
    wait_for(lambda: "FAILED store" in ready(), "a store that is not ready")
    t.note(ready())
    t.typed("driftwarden status", by="kim", code=(0, 1, 2, 3))
    t.note(JOURNAL.read_text()[-3000:])
    filler.unlink()
    wait_for(lambda: "FAILED store" not in ready(), "a store that is ready")
    wait_for(lambda: open_case("orders"), "the case of the change that was made meanwhile")


def open_case(words: str) -> str:
    """Ticket of an open case that is about it."""
    with sqlite3.connect(f"file:{STORE}?mode=ro", uri=True) as store:
        rows = store.execute("SELECT ticket FROM cases WHERE state = 'open' AND body LIKE ?", [f"%{words}%"])
        return str(next((row[0] for row in rows if row[0]), ""))


def cloud_away(t: Trial) -> None:
    """AWS refuses to be read, and lets itself be read again"""
    before = metric("driftwarden_last_successful_scan_timestamp_seconds")
    t.cloud.recorder.deny(machine.VARIABLES["AWS_ACCESS_KEY_ID"], "sqs:ListQueues")
    t.typed("driftwarden scan", by="kim", code=3)
    wait_for(lambda: metric("driftwarden_last_successful_scan_timestamp_seconds") > before, "a scan")
    t.typed("driftwarden status", by="kim", code=(1, 3), says="gap: ")
    t.cloud.recorder.allow(machine.VARIABLES["AWS_ACCESS_KEY_ID"])
    t.scanned()


def tickets_away(t: Trial) -> None:
    """The ticket system takes nothing, and does again"""
    # It still answers who had which permission: otherwise no verdict would be reached that could be filed.
    cases = Path("/srv/tickets/cases")
    before = cases.stat()
    os.chown(cases, 0, 0)
    cases.chmod(0o555)
    t.cloud.client("dana", "iam").tag_role(RoleName="worker", Tags=[{"Key": "x", "Value": "y"}])
    t.cloud.deliver()
    try:
        wait_for(lambda: metric('driftwarden_outbox_entries{state="waiting"}') > 0, "something that waits to be filed")
        t.typed("driftwarden status", by="kim", code=(1, 3), says="Outbox")
        t.typed("driftwarden findings", by="kim", says="aws_iam_role.worker")
        t.typed("driftwarden cases deliveries", by="kim", says="waiting")
    finally:
        cases.chmod(before.st_mode)
        os.chown(cases, before.st_uid, before.st_gid)
    wait_for(lambda: metric('driftwarden_outbox_entries{state="waiting"}') == 0, "everything is filed")


def alerts(t: Trial) -> None:
    """What each alert has somebody type"""
    case = wait_for(lambda: open_case("orders"), "a case")
    t.typed("driftwarden cases list", by="kim", says=case)
    t.typed("driftwarden findings", by="kim")
    t.typed("driftwarden why CASE", by="kim", filled={"CASE": case}, says="Unauthorised")
    t.typed("driftwarden trail status", by="kim", code=(0, 3))
    t.typed("driftwarden trail who NAME", by="dana", filled={"NAME": "orders"}, says="dana")
    t.typed("driftwarden trail access", by="kim", says="dana")
    log = ETC / "log.json"
    log.write_text(json.dumps({"Records": list(t.cloud.recorder.records)[-5:]}))
    t.typed("as-driftwarden driftwarden trail import FILES", filled={"FILES": str(log)})
    # Nothing is held here, and that is what it says.
    t.typed(
        'driftwarden cases accept --held --reason "the region was rebuilt under INC-1"', by="kim", code=2, says="held"
    )
    t.typed("driftwarden cases retry --all", by="kim", says="Nothing")
    t.typed("driftwarden cases retry ID", by="kim", filled={"ID": "4711"}, code=2, says="no such delivery")
    opened = t.prepared("driftwarden breakglass open --incident INC-1 --for 1h", by="dana")
    name = re.search(r"BG-[0-9a-f]+", opened)
    t.cloud.set_timeout(46)
    t.typed("driftwarden breakglass list", by="kim", says="BG-")
    said = f"{name[0] if name else ''} --why checkout --incident INC-1 --done x --told kim --way-back revert"
    t.typed("driftwarden breakglass document BG-…", by="dana", filled={"BG-…": said})
    t.typed("driftwarden except list", by="kim")
    t.typed("driftwarden baseline list", by="kim")
    t.typed("as-driftwarden driftwarden db prune")
    t.typed("fuser -v /var/lib/driftwarden/driftwarden.db", code=(0, 1))


def upgraded(t: Trial) -> None:
    """A store of version 4 and a newer program; and the way back"""
    t.typed("as-driftwarden driftwarden db backup")
    t.typed("systemctl stop driftwarden")
    STORE.unlink()
    old = sqlite3.connect(STORE)
    old.executescript((ROOT / "tests" / "store" / "version_4.sql").read_text())
    old.close()
    os.chown(STORE, SERVICE, SERVICE)
    t.typed(
        "{root}/opt/driftwarden/bin/pip install --upgrade"
        " 'driftwarden[fast,cel] @ file:///srv/driftwarden-0.2.0-py3-none-any.whl'"
    )
    t.typed("{root}/opt/driftwarden/bin/python -m compileall -q {root}/opt/driftwarden/lib")
    t.typed("install -m 0644 systemd/driftwarden.service /etc/systemd/system/")
    t.typed("systemctl daemon-reload")
    t.typed("as-driftwarden driftwarden db upgrade", says="was of version 4")
    t.typed("as-driftwarden driftwarden scan --dry-run", code=(0, 1, 3))
    t.typed("systemctl start driftwarden")
    t.scanned()
    t.typed("systemctl restart driftwarden")
    t.typed("as-driftwarden driftwarden replay --rules DIR --days 30", filled={"DIR": str(ROOT / "rules")}, code=(0, 1))
    t.typed("systemctl stop driftwarden")
    t.typed("as-driftwarden mv /var/lib/driftwarden/driftwarden.db.version-4 /var/lib/driftwarden/driftwarden.db")
    t.typed("as-driftwarden driftwarden db upgrade", says="was of version 4")


def without_daemon(t: Trial) -> None:
    """Timers in the daemon's place"""
    t.typed("install -m 0644 systemd/driftwarden-scan.* systemd/driftwarden-report.* /etc/systemd/system/")
    t.typed("systemctl daemon-reload")
    t.typed("as-driftwarden driftwarden scan", code=(0, 1, 3))
    t.prepared("as-driftwarden driftwarden report weekly")


STEPS: tuple[Callable[[Trial], None], ...] = (
    installed,
    first_scan,
    every_day,
    changed_files,
    backed_up,
    restored,
    moved,
    dropped,
    killed,
    disk_full,
    cloud_away,
    tickets_away,
    alerts,
    upgraded,
    without_daemon,
)
"""In this order; each leaves the daemon running but the last."""

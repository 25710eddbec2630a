"""What processes that stay do not carry about: libraries that few installations need, and seconds to start."""

import subprocess
import sys

LOADED = "print(*(one for one in sys.argv[1:] if one in sys.modules))"
NEVER = ("sqlalchemy.dialects.postgresql", "boto3", "icalendar", "recurring_ical_events", "httpx2", "jinja2")


def loaded(module: str, *names: str) -> list[str]:
    """Which of these are there once the module is."""
    code = f"import sys, {module}; {LOADED}"
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_daemon_carries_nothing_that_only_its_children_use() -> None:
    assert loaded("agent.daemon.serve", *NEVER, "agent.status", "agent.declare") == []


def test_the_event_path_and_scans_carry_what_they_use_alone() -> None:
    unused = ("icalendar", "recurring_ical_events", "httpx2", "cryptography", "sqlalchemy.dialects.postgresql")
    assert loaded("agent.events.worker", *unused, "agent.run") == ["agent.run"]


def test_who_is_looked_up_in_the_identity_map_s_file_needs_no_aws() -> None:
    assert loaded("agent.directory", "boto3", "botocore") == []

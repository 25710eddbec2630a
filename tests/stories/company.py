"""A company: an estate with people in it, who they are, what they may do, and the keys they sign with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import small_estate
from small_estate import ACCOUNT, CODE, Estate, bucket, queue, role, state

from agent.demo.recorder import role_session

PEOPLE = ("dana", "sam", "kim")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
IDENTITIES = """\
people:
  - {id: dana, principals: [dana@acme.example, "arn:aws:iam::123456789012:user/dana"], users: [dana]}
  - {id: sam, users: [sam], principals: ["arn:aws:iam::123456789012:user/sam"]}
  - {id: kim, users: [lee]}
"""
CONFIG = (
    small_estate.CONFIG
    + """
[identities]
file = "identities.yaml"

[authority]
signers = "allowed_signers"

[authority.roles]
approver = ["sam", "kim"]

[[authority.emergency]]
name = "break-glass"
role = "arn:aws:iam::*:role/break-glass"
"""
)


@dataclass
class Company(Estate):
    """An estate and its people."""

    keys: Path | None = None
    """Folder of their SSH keys, one file each."""

    def key(self, who: str) -> str:
        assert self.keys is not None
        return str(self.keys / who)

    def says(self, who: str, *arguments: str, code: int = 0, **variables: str) -> str:
        """What the command line answers somebody who signs with their key; `code` is how it must end."""
        done = self.driftwarden(*arguments, "--key", self.key(who), **variables)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def emergency_calls(self, count: int, key: str = "ASIADANAEMERGENCY0") -> None:
        """Dana sets the queue's time-out, again and again, in a session of the emergency role."""
        session = role_session(
            ROLE, "dana", datetime.now(UTC) - timedelta(minutes=1), source_identity="dana@acme.example"
        )
        self.recorder.know(key, session)
        self.calls(key, count)

    def calls(self, key: str, count: int) -> None:
        """So many calls with somebody's credentials."""
        sqs = boto3.Session(key, "secret", region_name=small_estate.REGION).client(
            "sqs", endpoint_url=self.recorder.endpoint
        )
        for number in range(count):
            sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes={"VisibilityTimeout": str(61 + number)})
        self.write_trail()

    def codify(self, seconds: int) -> None:
        """A merged commit declares the value, and the pipeline's apply writes it into state."""
        (self.folder / "shop" / "main.tf").write_text(CODE.replace("= 30", f"= {seconds}"))
        applied = state(queue(visibility_timeout_seconds=seconds), role(), bucket()) | {"serial": 2}
        (self.folder / "shop" / "terraform.tfstate").write_text(json.dumps(applied))

    def revert(self) -> None:
        """The pipeline puts the queue back; what it calls is not the story's business."""
        with self.recorder.paused():
            self.client("ops", "sqs").set_queue_attributes(
                QueueUrl=self.queue_url, Attributes={"VisibilityTimeout": "30"}
            )

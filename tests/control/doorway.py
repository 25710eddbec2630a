"""Who stands at the door: people of one estate and the Unix users they are."""

from collections.abc import Callable

from agent.control.frames import Answer

Asked = Callable[..., Answer]
"""See the fixture `asked`."""

UIDS = {"dana": 41001, "kim": 41002, "erik": 41003, "vera": 41004, "probe": 41005, "ops": 41006, "ada": 41007}
STRANGER = 41099
HELD = "bbbbbb0123456789"
CONFIG = """\
[estate]
name = "shop"
[identities]
file = "identities.yaml"
[authority]
signers = "allowed_signers"
[authority.roles]
documenter = ["dana"]
reviewer = ["kim"]
approver = ["kim", "erik", "dana"]
admin = ["ada"]
[daemon]
socket = "control.sock"
[daemon.people]
"""
IDENTITIES = """\
people:
  - {id: dana, users: [dana.k]}
  - {id: kim}
  - {id: erik}
  - {id: vera}
  - {id: ada}
  - {id: probe, kind: service, sponsor: kim}
  - {id: ops, kind: shared, sponsor: kim}
"""

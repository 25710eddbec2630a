"""What people declare about emergencies, cases and holds: who says it, whether it counts, and what becomes of it.

Hides every rule about it from whoever brings it: the command line, a reply in a ticket, a signed file that is picked
up, the socket, later the console.
"""

from agent.declare.force import InForce, ground, in_force
from agent.declare.matter import Matter, Unheard, emergencies, find
from agent.declare.rules import (
    PEOPLE_NEEDED,
    Ground,
    Source,
    accept,
    acceptances,
    accepted,
    agreed,
    document,
    needs_two,
    open_window,
    released,
    reply,
    review,
)
from agent.declare.signed import SUFFIX, Picked, pick_up, say, take, write
from agent.declare.speakers import Refused, Speaker, is_known, is_same, may, peer, roles_of, stranger, writer
from agent.declare.spoken import spoken
from agent.declare.statements import (
    Accepted,
    Documented,
    Opened,
    Reviewed,
    Statement,
    id_of,
    nonce,
    written,
)
from agent.emergency import case_key, grant_of

__all__ = [
    "PEOPLE_NEEDED",
    "SUFFIX",
    "Accepted",
    "Documented",
    "Ground",
    "InForce",
    "Matter",
    "Opened",
    "Picked",
    "Refused",
    "Reviewed",
    "Source",
    "Speaker",
    "Statement",
    "Unheard",
    "accept",
    "acceptances",
    "accepted",
    "agreed",
    "case_key",
    "document",
    "emergencies",
    "find",
    "grant_of",
    "ground",
    "id_of",
    "in_force",
    "is_known",
    "is_same",
    "may",
    "needs_two",
    "nonce",
    "open_window",
    "peer",
    "pick_up",
    "released",
    "reply",
    "review",
    "roles_of",
    "say",
    "spoken",
    "stranger",
    "take",
    "write",
    "writer",
    "written",
]

"""The store's upkeep: backups and their restoration, retention, keys, and proof that what is kept is what was written.

Hides when each may be done: beside a daemon that writes, or only when two people agreed and nobody does.
"""

from agent.upkeep.archive import UpkeepError
from agent.upkeep.backup import Backup, backup
from agent.upkeep.evidence import Removed, prune_evidence
from agent.upkeep.prune import Pruned, compacted, prune
from agent.upkeep.restore import Restored, restore
from agent.upkeep.verify import Verified, verify, verify_backup

__all__ = [
    "Backup",
    "Pruned",
    "Removed",
    "Restored",
    "UpkeepError",
    "Verified",
    "backup",
    "compacted",
    "prune",
    "prune_evidence",
    "restore",
    "verify",
    "verify_backup",
]

"""The real Redmine that `scripts/redmine` serves, where it does; hides how its address and the keys come here."""

import os

from redmine_fake import RedminePeople, redmine

URL, KEYS = (os.environ.get(f"DRIFTWARDEN_REDMINE_{name}", "") for name in ("URL", "KEYS"))
MARKUP = "textile" if os.environ.get("DRIFTWARDEN_REDMINE_FORMATTING", "textile") == "textile" else "markdown"
MISSING = "no Redmine is served: run `make redmine-contract`" if not (URL and KEYS) else ""
"""Why there are no people; empty: there are."""


def people(**settings: object) -> RedminePeople:
    """The people of the real site, and the adapter as our own user there."""
    keys = dict(pair.split("=", 1) for pair in KEYS.split())
    ours = redmine(URL, keys["driftwarden"], formatting=MARKUP, final_notes=True, **settings)
    return RedminePeople(URL, keys, ours)

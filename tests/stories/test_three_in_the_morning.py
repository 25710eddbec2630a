"""03:00, ticket system and daemon down: opened offline, twenty calls, documented from another machine."""

import shutil
from datetime import datetime, timedelta

from company import Company

FORM = ("--why", "Orders were lost", "--incident", "INC-7", "--done", "Raised the time-out", "--told", "nobody awake")


def test_one_case_one_ticket_the_right_deadline_and_no_self_review(company: Company) -> None:
    # No store, no network: only the configuration's copy on a laptop, and the engineer's key.
    laptop = company.folder / "laptop"
    laptop.mkdir()
    shutil.copy(company.config, laptop)
    opened = company.says(
        "dana",
        "breakglass",
        "open",
        "--incident",
        "INC-7",
        "--for",
        "2h",
        "--config",
        "laptop/driftwarden.toml",
        "--offline",
        "laptop/signed",
    )
    grant = next(word for word in opened.split() if word.startswith("BG-"))
    # In her own name, in two sessions, not in the emergency role.
    company.client("dana", "sqs")
    company.calls("AKIADANAXXXXXXXXXXXX", 12)
    company.calls("AKIADANAXXXXXXXXXXXX", 8)
    company.says(
        "dana",
        "breakglass",
        "document",
        grant,
        *FORM,
        "--way-back",
        "revert",
        "--outage",
        "the tracker was down",
        "--config",
        "laptop/driftwarden.toml",
        "--offline",
        "elsewhere/signed",
    )
    assert list((company.folder / "laptop").glob("*.db")) == []

    # The ticket system is still down when the agent comes back, and the files have not arrived.
    shutil.move(company.folder / "tickets", company.folder / "unreachable")
    down = company.scan()
    assert any("no such directory" in gap["why"] for gap in down.document["coverage"]["gaps"])
    assert down.document["findings"][0]["verdict"]["outcome"] in ("pending", "indeterminate")

    # Morning: the files are brought, the tracker is back.
    shutil.move(company.folder / "unreachable", company.folder / "tickets")
    offline = company.folder / "offline"
    offline.mkdir()
    for folder in ("laptop/signed", "elsewhere/signed"):
        for file in (company.folder / folder).iterdir():
            shutil.move(file, offline)
    for _ in range(3):
        morning = company.scan()
    assert [one["grant"] for one in morning.document["cases"]] == [grant], morning.document["cases"]
    (case,) = morning.document["cases"]
    (emergency,) = morning.document["emergencies"]
    assert (emergency["id"], emergency["calls"], emergency["incident"], emergency["late"]) == (
        grant,
        20,
        "INC-7",
        False,
    )
    last = datetime.fromisoformat(emergency["last"])
    assert datetime.fromisoformat(case["deadline"]) == last + timedelta(hours=24)
    assert case["stage"] == "awaiting-review"
    assert len(company.tickets) == 1
    assert sorted(file.name for file in offline.iterdir()) == ["taken"]

    assert "somebody else reviews it" in company.says("dana", "breakglass", "review", grant, "--accept", code=2)
    company.says("sam", "breakglass", "review", grant, "--accept", "--reason", "the on-call confirms")
    company.revert()
    assert company.scan().document["cases"] == []

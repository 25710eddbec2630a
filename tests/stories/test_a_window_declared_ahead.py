"""A window declared ahead: every approver is told before the first call, and everything in it is one ticket."""

from company import Company

FORM = ("--why", "Orders were lost", "--incident", "INC-9", "--done", "Raised the time-out", "--told", "the on-call")


def test_one_ticket_from_the_opening_to_the_end(company: Company) -> None:
    said = company.says("dana", "breakglass", "open", "--incident", "INC-9", "--for", "2h", "--reason", "orders")
    (ticket,) = company.tickets
    assert f"The approvers are told in {ticket.stem}." in said
    assert "For sam, kim: so that you know." in ticket.read_text()
    quiet = company.scan()
    assert [(one["stage"], one["ticket"]) for one in quiet.document["cases"]] == [("open", ticket.stem)]
    assert quiet.scan.actions == ()

    company.client("dana", "sqs")
    company.calls("AKIADANAXXXXXXXXXXXX", 3)
    called = company.scan()
    (case,) = called.document["cases"]
    assert (case["stage"], case["ticket"]) == ("awaiting-document", ticket.stem)
    assert "driftwarden document" in ticket.read_text()

    key = case["key"]
    company.says("dana", "breakglass", "document", key, *FORM, "--way-back", "revert")
    company.says("sam", "breakglass", "review", key, "--accept")
    company.revert()
    assert company.scan().document["cases"] == []
    assert company.tickets == [ticket]
    assert "state: closed" in ticket.read_text()

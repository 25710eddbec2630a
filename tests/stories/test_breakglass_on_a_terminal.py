"""Break-glass as an engineer lives it, on a terminal: from detection to closed, and every short cut refused."""

from typing import Any

from company import Company

from agent.store import connect

FORM = ("--why", "Orders were lost", "--incident", "INC-1", "--done", "Raised the time-out", "--told", "the on-call")


def the_case(company: Company) -> dict[str, Any]:
    (case,) = company.scan().document["cases"]
    return dict(case)


def test_from_detection_to_closed(company: Company) -> None:
    company.emergency_calls(20)
    first = company.scan()
    (case,) = first.document["cases"]
    (emergency,) = first.document["emergencies"]
    # One case, one form, one deadline; like a violation, and none.
    assert (case["grant"], case["stage"], emergency["calls"], emergency["person"]) == (
        emergency["id"],
        "awaiting-document",
        20,
        "dana",
    )
    assert first.scan.status == "clean"
    assert [finding["verdict"]["outcome"] for finding in first.document["findings"]] == ["pending-documentation"]
    (ticket,) = company.tickets
    assert "driftwarden document" in ticket.read_text()
    assert ticket.read_text().count("why:") == 1

    # Short cuts, each refused with its reason.
    key = case["key"]
    answer = "breakglass", "document", key, *FORM, "--way-back", "codify"
    assert "there is nothing to review" in company.says("sam", "breakglass", "review", key, "--accept", code=2)
    assert "must be filled in" in company.says(
        "dana", "breakglass", "document", key, *FORM[:-1], " - ", "--way-back", "revert", code=2
    )

    company.says("dana", *answer)
    assert "somebody else reviews it" in company.says("dana", "breakglass", "review", key, "--accept", code=2)
    second = company.scan()
    assert second.document["cases"][0]["stage"] == "awaiting-review"
    assert [finding["verdict"]["outcome"] for finding in second.document["findings"]] == ["authorised-emergency"]

    # What the verdict rested on is kept with it.
    with connect(f"sqlite:///{company.store}") as store:
        judged = store.findings.judgements(second.document["findings"][0]["id"])[-1]
    assert [one.state for one in judged.inputs["authority"].emergencies] == ["awaiting-review"]

    company.says("sam", "breakglass", "review", key, "--accept", "--reason", "as the on-call asked")
    third = company.scan()
    # Reviewed, and the code still says otherwise: not closed.
    assert [one["stage"] for one in third.document["cases"]] == ["way-back"]

    company.codify(80)
    last = company.scan()
    assert (last.document["cases"], last.document["findings"], last.scan.status) == ([], [], "clean")
    assert "state: closed" in ticket.read_text()
    assert len(company.tickets) == 1
    assert "closed" in company.says("sam", "breakglass", "review", key, "--accept", code=2)


def test_a_rejected_document_is_written_anew(company: Company) -> None:
    company.emergency_calls(2)
    key = the_case(company)["key"]
    company.says("dana", "breakglass", "document", key, *FORM, "--way-back", "revert")
    company.scan()
    assert "reason" in company.says("sam", "breakglass", "review", key, "--reject", code=2)
    company.says("sam", "breakglass", "review", key, "--reject", "--reason", "Which orders?")
    rejected = company.scan()
    assert [one["stage"] for one in rejected.document["cases"]] == ["rejected"]
    assert "a new one is needed first" in company.says("sam", "breakglass", "review", key, "--accept", code=2)
    company.says("dana", "breakglass", "document", key, *FORM, "--outage", "none", "--way-back", "revert")
    company.says("sam", "breakglass", "review", key, "--accept")
    company.revert()
    assert company.scan().document["cases"] == []


def test_whoever_is_not_in_the_signers_file_is_nobody(company: Company, tmp_path_factory: Any) -> None:
    company.emergency_calls(1)
    key = the_case(company)["key"]
    (company.folder / "allowed_signers").write_text(
        "\n".join(line for line in (company.folder / "allowed_signers").read_text().splitlines() if "dana" not in line)
    )
    said = company.says("dana", "breakglass", "document", key, *FORM, "--way-back", "revert", code=2)
    assert "allowed_signers" in said

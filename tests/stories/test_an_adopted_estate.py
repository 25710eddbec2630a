"""An estate adopted with old drifts: the first scan files nothing; after the baseline one new edit files one ticket.

`make story-sweep` tells it with 2,000 of them.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from company import CONFIG, Company
from small_estate import ACCOUNT, PROVIDER, REGION, state

CODE = """\
resource "aws_cloudwatch_log_group" "old" {
  count             = COUNT
  name              = "old-${count.index}"
  retention_in_days = 30
}
"""


def adopted(company: Company, count: int) -> None:
    """Log groups that are to be kept for 30 days, and are kept for ever since nobody knows when."""
    with company.recorder.paused():
        logs = company.client("ops", "logs")
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: logs.create_log_group(logGroupName=f"old-{number}"), range(count)))
    instances = [
        {
            "index_key": number,
            "schema_version": 0,
            "attributes": {
                "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:old-{number}",
                "id": f"old-{number}",
                "name": f"old-{number}",
                "retention_in_days": 30,
                "tags": {},
                "tags_all": {},
            },
        }
        for number in range(count)
    ]
    recorded = {"mode": "managed", "type": "aws_cloudwatch_log_group", "name": "old", "provider": PROVIDER}
    (company.folder / "shop" / "main.tf").write_text(CODE.replace("COUNT", str(count)))
    (company.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state({**recorded, "instances": instances})))


# More than the fifty that a flood begins with.
@pytest.mark.parametrize("count", [120, pytest.param(2000, marks=pytest.mark.sweep)])
def test_nothing_first_and_then_one(company: Company, count: int) -> None:
    adopted(company, count)
    text = CONFIG.replace("complete = true", "complete = false")
    company.configure(text.replace('dir = "shop"', 'dir = "shop"\nmode = "observe"'))
    first = company.scan()
    assert len([one for one in first.document["findings"] if one["drifts"]]) == count
    assert (first.document["cases"], company.tickets) == ([], [])

    proposed = company.driftwarden(
        "baseline", "propose", "--stack", "shop", "--owner", "dana", "--approver", "sam", "--until", "90d"
    )
    assert proposed.returncode == 0, proposed.stderr
    for file in sorted((company.folder / "baseline").iterdir()):
        company.says("sam", "baseline", "approve", str(file))

    company.configure(text)
    second = company.scan()
    assert Counter(one["verdict"]["outcome"] for one in second.document["findings"]) == {"baselined": count}
    assert (second.document["cases"], company.tickets, second.scan.status) == ([], [], "clean")

    company.client("dana", "logs").put_retention_policy(logGroupName="old-7", retentionInDays=1)
    company.write_trail()
    third = company.scan()
    (case,) = third.document["cases"]
    assert "old[7]" in case["title"]
    assert len(company.tickets) == 1
    outcomes = Counter(one["verdict"]["outcome"] for one in third.document["findings"])
    assert outcomes == {"baselined": count - 1, "unauthorised": 1}

"""The reader against a small AWS that fails as told: every failure is a gap, and the rest survives."""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config

from agent.live.aws import identify, read
from agent.live.requests import Calls
from agent.model import Gap, Key, Scope, Secret, Snapshot
from agent.resources import Attribute, Call, Parent, Spec, load
from agent.seal import seal
from tests.live.conftest import IMPATIENT, Answer, Asked, SmallAws, error, s3_error

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = b"install key"
ACCOUNT = "123456789012"
SPECS = load()
S3_TYPES = [name for name in sorted(SPECS) if name.startswith("aws_s3_")]

PUBLIC = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>"
S3_ANSWERS = {
    "": Answer(
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>logs</Name></Bucket><Bucket><Name>site</Name></Bucket>"
        "</Buckets></ListAllMyBucketsResult>"
    ),
    "tagging": s3_error("NoSuchTagSet"),
    "versioning": Answer("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    "publicAccessBlock": Answer(PUBLIC),
    "encryption": s3_error("ServerSideEncryptionConfigurationNotFoundError"),
    "policy": Answer('{"Version": "2012-10-17", "Statement": []}'),
}


def read_all(session: boto3.Session, service: str, specs: Mapping[str, Spec] = SPECS, **more: Any) -> Snapshot:
    more.setdefault("config", IMPATIENT)
    return read(session, ACCOUNT, "us-east-1", service, specs=specs, key=KEY, taken_at=AT, workers=4, **more)


def s3(asked: Asked) -> Answer:
    return S3_ANSWERS[asked.operation]


TAGS = Call("list_queue_tags", items="Tags", bind={"QueueUrl": "QueueUrl"}, into="Tags")


def sqs(*names: str) -> Any:
    def told(asked: Asked) -> Answer:
        match asked.operation:
            case "ListQueues":
                return Answer(
                    {"QueueUrls": [f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}" for name in names]}
                )
            case "GetQueueAttributes":
                name = asked.parameters["QueueUrl"].rsplit("/", 1)[-1]
                return Answer({"Attributes": {"QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"}})
            case "GetResources":
                arns = (f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}" for name in names)
                tags = [{"Key": "team", "Value": "payments"}]
                return Answer({"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn in arns]})
            case _:
                return Answer({"Tags": {"team": "payments"}})

    return told


def except_for(told: Any, operation: str, answer: Answer, *, of: str = "") -> Any:
    """`told`, but for this operation (on whatever mentions `of`) the answer."""

    def instead(asked: Asked) -> Answer:
        mentioned = of in str(asked.parameters)
        return answer if asked.operation == operation and mentioned else told(asked)

    return instead


def ids(snapshot: Snapshot, name: str) -> list[str]:
    return [one.key.id for one in snapshot.resources if one.key.type == name]


def test_reads_every_type_of_a_service_and_asks_once_for_a_shared_listing(
    small_aws: SmallAws, session: boto3.Session
) -> None:
    small_aws.told = s3
    calls = Calls()
    snapshot = read_all(session, "s3", calls=calls)
    assert snapshot.gaps == ()
    assert {name: ids(snapshot, name) for name in S3_TYPES} == {name: ["logs", "site"] for name in S3_TYPES}
    assert {one.key.region for one in snapshot.resources} == {"global"}
    assert calls.by_action() == {
        "s3:ListBuckets": 1,
        **dict.fromkeys(
            (
                "s3:GetBucketTagging",
                "s3:GetBucketVersioning",
                "s3:GetPublicAccessBlock",
                "s3:GetBucketEncryption",
                "s3:GetBucketPolicy",
            ),
            2,
        ),
    }
    assert calls.total == 11


def test_a_part_names_its_parent(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = s3
    part = next(one for one in read_all(session, "s3").resources if one.key.type == "aws_s3_bucket_versioning")
    assert part.parent == Key(ACCOUNT, "global", "aws_s3_bucket", "logs")
    assert part.attribute == "versioning"


def test_what_equals_the_service_default_says_so(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(s3, "versioning", Answer("<VersioningConfiguration/>"), of="site")
    notes = {
        one.key.id: one.note for one in read_all(session, "s3").resources if one.key.type == "aws_s3_bucket_versioning"
    }
    assert notes == {"logs": "", "site": "equals the service default"}


def test_a_denied_listing_is_one_gap_per_type(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(s3, "", s3_error("AccessDenied", 403))
    snapshot = read_all(session, "s3")
    assert snapshot.resources == ()
    assert [gap.scope for gap in snapshot.gaps] == [Scope(ACCOUNT, "global", name) for name in S3_TYPES]
    assert {gap.why for gap in snapshot.gaps} == {"s3:ListBuckets: AccessDenied: as told"}


def test_a_denied_listing_leaves_other_listings_alone(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(sqs("a"), "ListMessageMoveTasks", error("AccessDenied", 403))
    other = replace(SPECS["aws_sqs_queue"], listing=Call("list_message_move_tasks", args={"SourceArn": "arn"}))
    snapshot = read_all(session, "sqs", {**SPECS, "aws_sqs_other": other})
    assert ids(snapshot, "aws_sqs_queue") == ["a"]
    assert [gap.scope.type for gap in snapshot.gaps] == ["aws_sqs_other"]


def test_one_denied_detail_is_a_gap_that_names_the_item(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(s3, "policy", s3_error("AccessDenied", 403), of="site")
    snapshot = read_all(session, "s3")
    assert snapshot.gaps == (
        Gap(Scope(ACCOUNT, "global", "aws_s3_bucket_policy", "site"), "s3:GetBucketPolicy: AccessDenied: as told"),
    )
    assert ids(snapshot, "aws_s3_bucket_policy") == ["logs"]
    assert ids(snapshot, "aws_s3_bucket_versioning") == ["logs", "site"]


def test_a_gap_matches_only_the_item_it_names(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(sqs("ab", "a[b]"), "GetQueueAttributes", error("AccessDenied", 403), of="a[b]")
    (gap,) = read_all(session, "sqs").gaps
    assert gap.scope.covers(Key(ACCOUNT, "us-east-1", "aws_sqs_queue", "a[b]"))
    assert not gap.scope.covers(Key(ACCOUNT, "us-east-1", "aws_sqs_queue", "ab"))


def test_a_gap_covers_the_type_where_the_identity_is_in_what_failed(
    small_aws: SmallAws, session: boto3.Session
) -> None:
    small_aws.told = except_for(sqs("a", "b"), "GetQueueAttributes", error("AccessDenied", 403), of="/b")
    by_arn = {"aws_sqs_queue": replace(SPECS["aws_sqs_queue"], identity=("arn",))}
    snapshot = read_all(session, "sqs", by_arn)
    assert [gap.scope for gap in snapshot.gaps] == [Scope(ACCOUNT, "us-east-1", "aws_sqs_queue", "*")]
    assert ids(snapshot, "aws_sqs_queue") == [f"arn:aws:sqs:us-east-1:{ACCOUNT}:a"]


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"])
def test_what_vanishes_between_list_and_detail_is_no_gap(
    small_aws: SmallAws, session: boto3.Session, code: str
) -> None:
    small_aws.told = except_for(sqs("a", "b"), "GetQueueAttributes", error(code), of="/b")
    snapshot = read_all(session, "sqs")
    assert snapshot.gaps == ()
    assert ids(snapshot, "aws_sqs_queue") == ["a"]


def test_throttling_is_ridden_out(small_aws: SmallAws, session: boto3.Session) -> None:
    calm = sqs("a")

    def told(asked: Asked) -> Answer:
        first = asked.operation == "ListQueues" and small_aws.asked["ListQueues"] == 1
        return error("ThrottlingException", message="Rate exceeded") if first else calm(asked)

    small_aws.told = told
    heard = list[None]()
    calls = Calls(lambda: heard.append(None))
    snapshot = read_all(session, "sqs", calls=calls)
    assert snapshot.gaps == ()
    assert ids(snapshot, "aws_sqs_queue") == ["a"]
    assert calls.by_action()["sqs:ListQueues"] == 2
    assert len(heard) == calls.total, "who waits for it sees that it goes on"


def test_throttling_that_does_not_end_is_a_gap(small_aws: SmallAws, session: boto3.Session) -> None:
    throttled = error("ThrottlingException", message="Rate exceeded")
    small_aws.told = except_for(sqs("a", "b"), "GetQueueAttributes", throttled, of="/b")
    snapshot = read_all(session, "sqs")
    (gap,) = snapshot.gaps
    assert gap.scope.id == "b"
    assert gap.why.startswith("sqs:GetQueueAttributes: ThrottlingException: ")
    assert small_aws.asked["GetQueueAttributes"] == 3
    assert ids(snapshot, "aws_sqs_queue") == ["a"]


def test_a_server_that_does_not_answer_in_time_is_a_gap(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(sqs("a", "b"), "GetQueueAttributes", Answer({}, delay=1.0), of="/b")
    hasty = Config(retries={"total_max_attempts": 1}, read_timeout=0.2)
    snapshot = read_all(session, "sqs", config=hasty)
    (gap,) = snapshot.gaps
    assert gap.scope.id == "b"
    assert gap.why.startswith("sqs:GetQueueAttributes: ReadTimeoutError: ")
    assert ids(snapshot, "aws_sqs_queue") == ["a"]


def test_an_unreachable_endpoint_is_a_gap_per_type(monkeypatch: pytest.MonkeyPatch, session: boto3.Session) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        snapshot = read_all(session, "s3", config=Config(retries={"total_max_attempts": 1}))
    assert [gap.scope.type for gap in snapshot.gaps] == S3_TYPES
    assert all(gap.why.startswith("s3:ListBuckets: EndpointConnectionError: ") for gap in snapshot.gaps)


def test_an_endpoint_that_is_no_url_is_a_gap(monkeypatch: pytest.MonkeyPatch, session: boto3.Session) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    (gap,) = read_all(session, "sqs").gaps
    assert gap.why == "sqs:list_queues: ValueError: Invalid endpoint: not a url"


def test_a_region_that_is_not_enabled_is_a_gap(small_aws: SmallAws, session: boto3.Session) -> None:
    # What AWS answers in an opt-in region the account has not enabled.
    small_aws.told = except_for(sqs(), "ListQueues", error("UnrecognizedClientException", 403))
    (gap,) = read_all(session, "sqs").gaps
    assert gap.why == "sqs:ListQueues: UnrecognizedClientException"


def test_a_region_that_cannot_be_is_a_gap(session: boto3.Session) -> None:
    snapshot = read(
        session, ACCOUNT, "us east 1!", "sqs", specs=SPECS, key=KEY, taken_at=AT, workers=1, config=IMPATIENT
    )
    (gap,) = snapshot.gaps
    assert gap.scope == Scope(ACCOUNT, "us east 1!", "aws_sqs_queue", "*")
    assert gap.why.startswith("sqs:list_queues: InvalidRegionError: ")


def test_missing_credentials_are_a_gap(small_aws: SmallAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    (gap,) = read_all(boto3.Session(region_name="us-east-1"), "sqs").gaps
    assert gap.why == "sqs:ListQueues: NoCredentialsError: Unable to locate credentials"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(Answer("<html><body>Please sign in</body></html>", request_id=""), id="a portal's page"),
        pytest.param(Answer({}, request_id=""), id="a mute proxy"),
    ],
)
def test_an_answer_that_is_not_from_aws_is_a_gap_not_an_empty_account(
    small_aws: SmallAws, session: boto3.Session, page: Answer
) -> None:
    small_aws.told = except_for(sqs("a"), "ListQueues", page)
    snapshot = read_all(session, "sqs")
    (gap,) = snapshot.gaps
    assert gap.scope == Scope(ACCOUNT, "us-east-1", "aws_sqs_queue", "*")
    assert gap.why.startswith("sqs:ListQueues: ResponseParserError: the answer carries no request id")


@pytest.mark.parametrize("body", ['{"QueueUrls": ["http', ""])
def test_an_answer_cut_short_is_a_gap(small_aws: SmallAws, session: boto3.Session, body: str) -> None:
    small_aws.told = except_for(sqs("a"), "ListQueues", Answer(body, lost=100))
    (gap,) = read_all(session, "sqs").gaps
    assert gap.why == "sqs:ListQueues: ResponseParserError: the answer was cut short by 100 bytes"


def test_an_answer_that_is_no_xml_is_a_gap(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(s3, "", Answer("<ListAllMyBucketsResult><Buckets><Buck"))
    snapshot = read_all(session, "s3")
    assert [gap.scope.type for gap in snapshot.gaps] == S3_TYPES
    # botocore takes it for one of S3's errors with status 200.
    assert {gap.why for gap in snapshot.gaps} == {"s3:ListBuckets: 500: Internal Server Error"}


def test_all_pages_are_read(small_aws: SmallAws, session: boto3.Session) -> None:
    url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/"
    pages = {
        None: {"QueueUrls": [f"{url}a"], "NextToken": "2"},
        "2": {"QueueUrls": [f"{url}b"], "NextToken": "3"},
        "3": {"QueueUrls": [f"{url}c"]},
    }
    calm = sqs()
    small_aws.told = lambda asked: (
        Answer(pages[asked.parameters.get("NextToken")]) if asked.operation == "ListQueues" else calm(asked)
    )
    assert ids(read_all(session, "sqs"), "aws_sqs_queue") == ["a", "b", "c"]


def test_a_page_token_that_repeats_is_a_gap_not_a_loop(small_aws: SmallAws, session: boto3.Session) -> None:
    page = {"QueueUrls": [f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/a"], "NextToken": "again"}
    small_aws.told = except_for(sqs(), "ListQueues", Answer(page))
    snapshot = read_all(session, "sqs")
    assert snapshot.resources == ()
    (gap,) = snapshot.gaps
    assert gap.why.startswith("sqs:ListQueues: PaginationError: ")


def test_an_operation_without_a_paginator_is_paged_by_its_tokens(small_aws: SmallAws, session: boto3.Session) -> None:
    pages: dict[str | None, Mapping[str, Any]] = {
        None: {"ContributorInsightsSummaries": [{"TableName": "a"}], "NextToken": "2"},
        "2": {"ContributorInsightsSummaries": [{"TableName": "b"}]},
    }
    small_aws.told = lambda asked: Answer(pages[asked.parameters.get("NextToken")])
    spec = Spec(
        service="dynamodb",
        listing=Call("list_contributor_insights", items="ContributorInsightsSummaries"),
        identity=("name",),
        names={"name": "TableName"},
        attributes=(),
    )
    assert not session.client("dynamodb").can_paginate("list_contributor_insights")
    assert ids(read_all(session, "dynamodb", {"aws_insights": spec}), "aws_insights") == ["a", "b"]


def test_a_token_that_repeats_without_a_paginator_is_a_gap(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = lambda asked: Answer({"ContributorInsightsSummaries": [], "NextToken": "again"})
    spec = Spec(
        service="dynamodb", listing=Call("list_contributor_insights"), identity=("name",), names={}, attributes=()
    )
    (gap,) = read_all(session, "dynamodb", {"aws_insights": spec}).gaps
    assert gap.why.endswith("the service repeated its page token 'again'")


def test_pages_of_a_detail_are_one_value(small_aws: SmallAws, session: boto3.Session) -> None:
    def told(asked: Asked) -> Answer:
        if asked.operation == "ListTagsOfResource":
            more = {"NextToken": "2"} if "NextToken" not in asked.parameters else {}
            return Answer({"Tags": [{"Key": "b" if not more else "a", "Value": "x"}], **more})
        return Answer({"TableNames": ["ledger"]})

    small_aws.told = told
    tags = Call("list_tags_of_resource", items="Tags", bind={"ResourceArn": "TableName"}, into="Tags")
    spec = replace(
        SPECS["aws_dynamodb_table"],
        details=(tags,),
        names={"name": "TableName"},
        attributes=(Attribute("tags_all", "Tags", "tags"),),
    )
    (table,) = read_all(session, "dynamodb", {"aws_dynamodb_table": spec}).resources
    assert table.attributes["tags_all"] == {"a": "x", "b": "x"}


def test_an_account_without_any_is_empty_and_whole(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = lambda asked: Answer({})  # what SQS answers where there is no queue
    assert read_all(session, "sqs") == Snapshot("live", AT)


def test_a_weird_item_is_a_gap_and_the_rest_is_read(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(sqs("a", "b"), "ListQueueTags", Answer({"Tags": {"team": "x"}}), of="/a")
    spec = replace(
        SPECS["aws_sqs_queue"],
        details=(*SPECS["aws_sqs_queue"].details, TAGS),
        attributes=(Attribute("team", lambda item: {"x": 1}[item["Tags"]["team"]], "number"),),
    )
    snapshot = read_all(session, "sqs", {"aws_sqs_queue": spec})
    assert snapshot.gaps == (
        Gap(Scope(ACCOUNT, "us-east-1", "aws_sqs_queue", "b"), "an entry does not read: KeyError: 'payments'"),
    )
    assert [(one.key.id, one.attributes["team"]) for one in snapshot.resources] == [("a", 1)]


def test_an_item_without_identity_is_a_gap_over_its_type(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a")
    snapshot = read_all(session, "sqs", {"aws_sqs_queue": replace(SPECS["aws_sqs_queue"], names={})})
    assert snapshot.gaps == (
        Gap(Scope(ACCOUNT, "us-east-1", "aws_sqs_queue", "*"), "an entry does not read: ValueError: no name"),
    )


def test_an_entry_that_does_not_expand_is_a_gap_over_its_type(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a")
    spec = replace(SPECS["aws_sqs_queue"], expand=lambda item: [item["Rules"]])
    snapshot = read_all(session, "sqs", {"aws_sqs_queue": spec})
    assert snapshot.gaps == (
        Gap(
            Scope(ACCOUNT, "us-east-1", "aws_sqs_queue", "*"),
            "an entry of list_queues does not expand: KeyError: 'Rules'",
        ),
    )


def test_a_call_whose_binding_finds_nothing_is_not_made(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a")
    details = (replace(TAGS, bind={"QueueUrl": "Nowhere"}),)
    attributes = (Attribute("tags_all", "Tags", "tags"),)
    names = {**SPECS["aws_sqs_queue"].names, "arn": "None"}
    spec = replace(SPECS["aws_sqs_queue"], details=details, attributes=attributes, names=names)
    snapshot = read_all(session, "sqs", {"aws_sqs_queue": spec})
    assert snapshot.gaps == ()
    assert snapshot.resources[0].attributes["tags_all"] == {}
    assert small_aws.asked["ListQueueTags"] == 0


def test_a_detail_that_binds_nothing_is_asked_once(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a", "b", "c")
    details = (Call("list_queues", items="length(QueueUrls)", into="Total"),)
    spec = replace(
        SPECS["aws_sqs_queue"], details=details, attributes=(Attribute("total", "Total", "number"),), identifiers=()
    )
    snapshot = read_all(session, "sqs", {"aws_sqs_queue": spec})
    assert [one.attributes["total"] for one in snapshot.resources] == [3, 3, 3]
    assert small_aws.asked["ListQueues"] == 2  # the listing asks for a page size, the detail does not


def test_secrets_leave_the_reader_as_digests_only(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a")
    spec = replace(
        SPECS["aws_sqs_queue"],
        details=(TAGS,),
        attributes=(Attribute("tags", "Tags", "map", secret=True),),
        identifiers=(),
    )
    spec = replace(spec, names={"name": SPECS["aws_sqs_queue"].names["name"]})
    (queue,) = read_all(session, "sqs", {"aws_sqs_queue": spec}).resources
    assert queue.attributes["tags"] == {"team": seal(KEY, "payments")}
    assert isinstance(queue.attributes["tags"]["team"], Secret)
    assert "payments" not in repr(queue)


def test_a_type_that_is_another_one_is_not_listed_but_may_be_a_parent(
    small_aws: SmallAws, session: boto3.Session
) -> None:
    small_aws.told = sqs("a")
    queue = SPECS["aws_sqs_queue"]
    specs = {
        "aws_sqs_queue": queue,
        "aws_sqs_alias": replace(queue, same_as="aws_sqs_queue"),
        "aws_sqs_part": replace(queue, parent=Parent("aws_sqs_alias", "part", ("name",))),
    }
    snapshot = read_all(session, "sqs", specs)
    assert [one.key.type for one in snapshot.resources] == ["aws_sqs_part", "aws_sqs_queue"]
    assert snapshot.resources[0].parent == Key(ACCOUNT, "us-east-1", "aws_sqs_queue", "a")


def test_identifiers_are_every_name_a_call_may_use(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a")
    (queue,) = read_all(session, "sqs").resources
    url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/a"
    assert queue.identifiers == ("a", url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:a")


def test_a_pool_it_was_given_stays_open(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = sqs("a", "b")
    with ThreadPoolExecutor(1) as pool:
        assert ids(read_all(session, "sqs", pool=pool), "aws_sqs_queue") == ["a", "b"]
        assert pool.submit(lambda: "open").result() == "open"


def test_identify_tells_the_account(aws_env: Mapping[str, str]) -> None:
    assert identify(boto3.Session()) == ACCOUNT


def parameters(*names: str, vanished: str = "") -> Any:
    def told(asked: Asked) -> Answer:
        match asked.operation:
            case "DescribeParameters":
                return Answer({"Parameters": [{"Name": name, "Type": "String"} for name in names]})
            case "GetParameters":
                there = [name for name in asked.parameters["Names"] if name != vanished]
                return Answer({"Parameters": [{"Name": name, "Value": name.upper()} for name in there]})
            case _:
                return Answer({"ResourceTagMappingList": []})

    return told


def test_items_of_a_batch_share_a_call_and_each_gets_its_own_entry(small_aws: SmallAws, session: boto3.Session) -> None:
    names = [f"p{number}" for number in range(23)]
    small_aws.told = parameters(*names, vanished="p7")
    snapshot = read_all(session, "ssm")
    assert snapshot.gaps == ()
    assert sorted(ids(snapshot, "aws_ssm_parameter")) == sorted(set(names) - {"p7"})
    assert {one.attributes["value"] for one in snapshot.resources if one.key.id == "p9"} == {seal(KEY, "P9")}
    assert dict(small_aws.asked) == {"DescribeParameters": 1, "GetParameters": 3, "GetResources": 1}


def test_a_batch_that_is_refused_is_a_gap_for_each_of_its_items(small_aws: SmallAws, session: boto3.Session) -> None:
    small_aws.told = except_for(parameters("a", "b"), "GetParameters", error("AccessDeniedException"))
    snapshot = read_all(session, "ssm")
    assert [gap.scope.id for gap in snapshot.gaps] == ["a", "b"]
    assert snapshot.resources == ()

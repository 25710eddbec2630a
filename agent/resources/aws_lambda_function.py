"""Lambda function, as its unpublished version ($LATEST) is configured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent import tags
from agent.model import Unknown
from agent.resources import OWN_TAGS, Ask, Attribute, Call, Event, Item, One, Path, Spec, tags_at, tags_of_all


def _function(record: Mapping[str, Any]) -> str | None:
    """The function a request names: by ARN, or by name or `account:function:name`, which a qualifier may follow."""
    request = record.get("requestParameters") or {}
    named = str(request.get("functionName") or "")
    if named == "-":
        named = str(request["fullyQualifiedArn"]["relativeId"]["functionName"])
    if named.startswith("arn:"):
        return named
    return named.split(":function:", 1)[-1].split(":", 1)[0] or None


def _environment(item: Item) -> list[dict[str, Any]] | Unknown:
    environment = item.get("Environment") or {}
    if "Error" in environment:
        # The caller may list the function and not use the key its variables are encrypted with.
        return Unknown(f"environment variables: {environment['Error'].get('ErrorCode', 'not readable')}")
    return [{"variables": environment["Variables"]}] if environment.get("Variables") else []


def _vpc_config(item: Item) -> list[dict[str, Any]]:
    """Nothing for a function outside any VPC: AWS answers with empty members."""
    found = item.get("VpcConfig") or {}
    if not found.get("VpcId"):
        return []
    return [
        {
            "vpc_id": found["VpcId"],
            "subnet_ids": found.get("SubnetIds"),
            "security_group_ids": found.get("SecurityGroupIds"),
            "ipv6_allowed_for_dual_stack": found.get("Ipv6AllowedForDualStack", False),
        }
    ]


_ASKED: Mapping[str, Path] = {
    "role": "requestParameters.role",
    "handler": "requestParameters.handler",
    "runtime": "requestParameters.runtime",
    "description": "requestParameters.description",
    "memory_size": "requestParameters.memorySize",
    "timeout": "requestParameters.timeout",
    "kms_key_arn": "requestParameters.kMSKeyArn",
    "layers": "requestParameters.layers",
    "tracing_config": "requestParameters.tracingConfig | [{mode: mode}]",
    "dead_letter_config": "requestParameters.deadLetterConfig | [{target_arn: targetArn}]",
    "ephemeral_storage": "requestParameters.ephemeralStorage | [{size: size}]",
    # Always recorded as `{}`, set or not.
    "environment": "",
    "vpc_config": lambda record: (
        Unknown("the record shows the request, not what AWS makes of it")
        if (record.get("requestParameters") or {}).get("vpcConfig")
        else None
    ),
}

_GONE = ("ResourceNotFoundException",)
_CONFIGURATION = Call("get_function_configuration", gone=_GONE)


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    return [found for name in names if (found := ask(_CONFIGURATION, FunctionName=name)) is not None]


SPEC = Spec(
    service="lambda",
    listing=Call("list_functions", items="Functions"),
    details=(tags_of_all("lambda"),),
    one=One(
        (_CONFIGURATION,),
        # An ARN may end in a version or an alias: `…:function:NAME:3`.
        lambda name: name.split(":function:")[-1].split(":")[0],
        _by_name,
        details=(Call("list_tags", items="Tags", bind={"Resource": "FunctionArn"}, into=OWN_TAGS, gone=_GONE),),
    ),
    identity=("function_name",),
    identifiers=("function_name", "arn"),
    names={"function_name": "FunctionName", "arn": "FunctionArn"},
    attributes=(
        Attribute("role", "Role", topic="identity"),
        Attribute("handler", "Handler", topic="compute"),
        Attribute("runtime", "Runtime", topic="compute"),
        Attribute("code_sha256", "CodeSha256", topic="compute"),
        Attribute("package_type", "PackageType", topic="compute", default="Zip"),
        Attribute("architectures", "Architectures", "list", "compute", default=["x86_64"]),
        Attribute("layers", "Layers[].Arn", "list", "compute"),
        Attribute("memory_size", "MemorySize", "number", "compute", default=128),
        Attribute("timeout", "Timeout", "number", "compute", default=3),
        Attribute("ephemeral_storage", "EphemeralStorage | [{size: Size}]", "list", "compute", default=[{"size": 512}]),
        Attribute("environment", _environment, "list", "data", secret=True),
        Attribute("kms_key_arn", "KMSKeyArn", topic="encryption"),
        Attribute("vpc_config", _vpc_config, "set", "network"),
        Attribute(
            "tracing_config", "TracingConfig | [{mode: Mode}]", "list", "logging", default=[{"mode": "PassThrough"}]
        ),
        Attribute(
            "logging_config",
            "LoggingConfig | [{log_format: LogFormat, log_group: LogGroup, application_log_level: ApplicationLogLevel,"
            " system_log_level: SystemLogLevel}]",
            "list",
            "logging",
        ),
        Attribute("dead_letter_config", "DeadLetterConfig | [{target_arn: TargetArn}]", "list", "data"),
        Attribute(
            "file_system_config", "FileSystemConfigs[].{arn: Arn, local_mount_path: LocalMountPath}", "list", "data"
        ),
        Attribute("description", "Description"),
        Attribute("tags_all", tags_at("FunctionArn"), "tags"),
    ),
    events=(
        Event("CreateFunction", _function, "create", sets={**_ASKED, "tags_all": tags.at("requestParameters.tags")}),
        # With a qualifier it deletes one published version.
        Event("DeleteFunction", _function, "delete", when="!(requestParameters.qualifier)"),
        Event(
            "UpdateFunctionCode",
            _function,
            sets={
                "code_sha256": "responseElements.codeSha256",
                "architectures": "requestParameters.architectures",
                "image_uri": "requestParameters.imageUri",
            },
            when="!(requestParameters.dryRun)",
        ),
        Event("UpdateFunctionConfiguration", _function, sets=_ASKED),
        Event(
            "PutFunctionConcurrency",
            _function,
            sets={"reserved_concurrent_executions": "requestParameters.reservedConcurrentExecutions"},
        ),
        Event("DeleteFunctionConcurrency", _function, sets={"reserved_concurrent_executions": lambda _: -1}),
        Event(
            "PutFunctionCodeSigningConfig",
            _function,
            sets={"code_signing_config_arn": "requestParameters.codeSigningConfigArn"},
        ),
        Event("DeleteFunctionCodeSigningConfig", _function, sets={"code_signing_config_arn": lambda _: ""}),
        # Who may call the function: resource types of their own, without a spec, and yet no grant may go unseen.
        *(
            Event(name, _function, sets={"policy": ""})
            for name in (
                "AddPermission",
                "RemovePermission",
                "CreateFunctionUrlConfig",
                "UpdateFunctionUrlConfig",
                "DeleteFunctionUrlConfig",
            )
        ),
        *(
            Event(
                name,
                "requestParameters.resource",
                sets={"tags_all": given},
                when="contains(requestParameters.resource || '', ':function:')",
            )
            for name, given in (("TagResource", tags.at("requestParameters.tags")), ("UntagResource", ""))
        ),
    ),
)

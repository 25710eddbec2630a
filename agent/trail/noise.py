"""Successful writes that nobody who writes Terraform calls a change, each with the reason.

Data: one entry per kind of call. Leaving out an entry makes its calls changes; nothing else depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noise:
    """Calls of one service that change no configuration."""

    source: str
    """eventSource without `.amazonaws.com`."""
    names: tuple[str, ...]
    """eventName without its version; `*` for all of the service."""
    reason: str
    by: tuple[str, ...] = ()
    """Only where one of these services makes the call (without `.amazonaws.com`; `*` any); empty: whoever makes it."""


NOISE: tuple[Noise, ...] = (
    Noise(
        "ssm",
        (
            *("UpdateInstanceInformation", "PutInventory", "PutComplianceItems", "PutConfigurePackageResult"),
            *("UpdateInstanceAssociationStatus", "UpdateAssociationStatus"),
        ),
        "the SSM agent reports what it sees on its instance",
    ),
    Noise("ssmmessages", ("*",), "message channel of the SSM agent"),
    Noise("ec2messages", ("*",), "message channel of the SSM agent"),
    Noise(
        "ssm",
        ("SendCommand", "StartSession", "ResumeSession", "TerminateSession"),
        "a session on an instance; what it changes through AWS has records of its own",
    ),
    Noise(
        "ec2-instance-connect",
        ("SendSSHPublicKey", "SendSerialConsoleSSHPublicKey"),
        "a login to an instance; the key is gone after 60 seconds",
    ),
    Noise(
        "kms",
        ("CreateGrant", "RetireGrant"),
        "a service takes and gives back the right to use a key for a resource it serves",
        by=("*",),
    ),
    Noise("logs", ("CreateLogStream",), "writers of a log group make streams as they go"),
    Noise(
        "ecr",
        ("PutImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"),
        "an image is content of a repository, not its configuration",
    ),
    Noise("athena", ("StartQueryExecution", "StopQueryExecution"), "a query"),
    Noise("redshift-data", ("ExecuteStatement", "BatchExecuteStatement", "CancelStatement"), "a query"),
    Noise(
        "codebuild",
        ("StartBuild", "StopBuild", "RetryBuild", "StartBuildBatch", "StopBuildBatch", "RetryBuildBatch"),
        "a run of a build that is configured elsewhere",
    ),
    Noise(
        "codepipeline",
        (
            *("StartPipelineExecution", "StopPipelineExecution", "RetryStageExecution"),
            *("PollForJobs", "AcknowledgeJob", "PutJobSuccessResult", "PutJobFailureResult"),
        ),
        "a run of a pipeline that is configured elsewhere, and its workers",
    ),
    Noise("states", ("StartExecution", "StartSyncExecution", "StopExecution"), "a run of a state machine"),
    Noise(
        "glue",
        ("StartJobRun", "BatchStopJobRun", "StartCrawler", "StopCrawler", "StartWorkflowRun", "StopWorkflowRun"),
        "a run of a job",
    ),
    Noise("batch", ("SubmitJob", "CancelJob", "TerminateJob"), "a run of a job"),
    Noise("elasticmapreduce", ("AddJobFlowSteps", "CancelSteps"), "a run of a job"),
    Noise("config", ("PutEvaluations",), "result of a Config rule, not the rule"),
    Noise(
        "config",
        ("StartConfigRulesEvaluation", "DeliverConfigSnapshot"),
        "Config is told to look now at what it looks at anyway",
    ),
    Noise("securityhub", ("BatchImportFindings",), "findings are what products see, not how they are set up"),
    Noise("trustedadvisor", ("RefreshCheck",), "a check looks again"),
    Noise(
        "iam",
        ("GenerateCredentialReport", "GenerateServiceLastAccessedDetails", "GenerateOrganizationsAccessReport"),
        "a report is drawn up",
    ),
    Noise("cloudshell", ("*",), "somebody's shell in the console"),
    Noise(
        "sso-oauth",
        ("*",),
        "a command line registers itself and waits for its user, whose sign-in has a record of its own",
    ),
    Noise("support", ("CreateCase", "AddCommunicationToCase", "ResolveCase"), "correspondence with AWS support"),
    Noise(
        "ecs",
        ("RunTask", "StopTask", "SubmitTaskStateChange", "SubmitContainerStateChange", "RegisterContainerInstance"),
        "tasks and instances come and go within a service's or a scheduler's configuration",
    ),
    Noise(
        "elasticloadbalancing",
        (
            "RegisterTargets",
            "DeregisterTargets",
            "RegisterInstancesWithLoadBalancer",
            "DeregisterInstancesFromLoadBalancer",
        ),
        "targets follow the instances and tasks that Auto Scaling and ECS start",
        by=("autoscaling", "ecs"),
    ),
    Noise(
        "autoscaling",
        ("RecordLifecycleActionHeartbeat", "CompleteLifecycleAction"),
        "a lifecycle hook is waiting or done",
    ),
    Noise(
        "ec2",
        (
            *("CreateNetworkInterface", "DeleteNetworkInterface", "CreateNetworkInterfacePermission"),
            *("AttachNetworkInterface", "DetachNetworkInterface"),
        ),
        "a managed service plugs its own interfaces into a subnet",
        by=(
            *("lambda", "eks", "rds", "elasticloadbalancing", "ecs", "elasticache", "elasticfilesystem", "es"),
            *("redshift", "glue", "ds"),
        ),
    ),
    Noise(
        "ec2",
        ("SharedSnapshotVolumeCreated", "SharedSnapshotCopyInitiated"),
        "notice that another account used a snapshot shared with it",
    ),
)

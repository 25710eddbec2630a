# What driftwarden may do, as one policy document: which actions, says permissions.json, which is generated from the
# code (`make docs`); on what, say the variables. A statement that would name nothing is left out.

locals {
  actions = jsondecode(file("${path.module}/permissions.json"))

  state_objects = flatten([
    for state in var.states : [
      "arn:${var.partition}:s3:::${state.bucket}/${state.key}",
      "arn:${var.partition}:s3:::${state.bucket}/${state.key}.tflock",
    ]
  ])

  trail_objects = [
    for trail in var.trail_buckets :
    "arn:${var.partition}:s3:::${trail.bucket}/${trail.prefix == "" ? "" : "${trim(trail.prefix, "/")}/"}AWSLogs/*"
  ]

  # In China services are called so: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
  suffix = var.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"

  # Sid, actions, resources, condition.
  allowed = [
    ["ReadResources", local.actions.estate, ["*"], null],
    ["ReadTrail", local.actions.lookup, ["*"], null],
    ["ListStates", local.actions.state_buckets, distinct([for state in var.states : "arn:${var.partition}:s3:::${state.bucket}"]), null],
    ["ReadStates", local.actions.state_objects, local.state_objects, null],
    ["ReadStateLocks", local.actions.state_locks, var.state_lock_table_arns, null],
    ["ListTrailFiles", local.actions.trail_buckets, [for trail in var.trail_buckets : "arn:${var.partition}:s3:::${trail.bucket}"], null],
    ["ReadTrailFiles", local.actions.trail_objects, local.trail_objects, null],
    ["WorkOffQueues", local.actions.queues, var.queue_arns, null],
    ["CountDeadLetters", local.actions.dead_letters, var.dead_letter_queue_arns, null],
    # Only through the services that the objects and messages lie in: never SecureString parameters or secrets.
    ["DecryptStatesAndTrail", local.actions.decrypted, var.kms_key_arns, {
      StringLike = { "kms:ViaService" = [for service in ["s3", "sqs", "dynamodb"] : "${service}.*.${local.suffix}"] }
    }],
    ["ReadPeople", local.actions.identity_center, var.identity_center ? ["*"] : [], null],
    ["ReadAccountNames", local.actions.organizations, var.organizations ? ["*"] : [], null],
    ["ReadCalendars", local.actions.calendars, var.calendar_arns, null],
    ["AssumeRoles", local.actions.roles, var.assumable_role_arns, null],
    # Adds evidence, and cannot read, overwrite for good or delete it: the bucket keeps every version.
    ["KeepEvidence", local.actions.evidence, [for arn in var.evidence_bucket_arns : "${arn}/*"], null],
  ]

  # For whoever takes the role over: a permission to read parameters would decrypt them wherever the key's own policy
  # allows that.
  denied = [{
    Sid       = "NeverDecryptParameters"
    Effect    = "Deny"
    Action    = ["kms:Decrypt"]
    Resource  = ["*"]
    Condition = { StringLike = { "kms:ViaService" = [for service in ["ssm", "secretsmanager"] : "${service}.*.${local.suffix}"] } }
  }]

  statements = concat(
    [
      for each in local.allowed : merge(
        { Sid = each[0], Effect = "Allow", Action = each[1], Resource = each[2] },
        each[3] == null ? {} : { Condition = each[3] },
      ) if length(each[2]) > 0
    ],
    local.denied,
  )
}

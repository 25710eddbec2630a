# The AWS side of driftwarden in the account it runs in: a role that reads, a trail that proves itself, a queue that
# brings events, and a bucket that keeps evidence.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # The provider's version 6 calls it `region`; the deprecated `name` is in both.
  region = data.aws_region.current.name

  trail_bucket = var.create_trail ? aws_s3_bucket.trail[0].id : var.trail_bucket
  trail_arn    = "arn:${local.partition}:cloudtrail:${local.region}:${local.account}:trail/${var.name}"
  trail_prefix = trim(var.trail_prefix, "/")
  trail_folder = local.trail_prefix == "" ? "" : "${local.trail_prefix}/"

  queue_arns        = concat(var.queue_arns, module.events[*].queue_arn)
  dead_letter_arns  = concat(var.dead_letter_queue_arns, module.events[*].dead_letter_queue_arn)
  evidence_bucket   = one(aws_s3_bucket.evidence[*].id)
  trust_services    = var.instance_profile ? ["ec2.amazonaws.com"] : []
  trust_principals  = var.trusted_role_arns
  trusted_accounts  = distinct([for arn in local.trust_principals : split(":", arn)[4]])
  insecure_requests = { Bool = { "aws:SecureTransport" = "false" } }
}

module "permissions" {
  source = "../permissions"

  partition              = local.partition
  states                 = var.states
  state_lock_table_arns  = var.state_lock_table_arns
  trail_buckets          = local.trail_bucket == "" ? [] : [{ bucket = local.trail_bucket, prefix = local.trail_prefix }]
  queue_arns             = local.queue_arns
  dead_letter_queue_arns = local.dead_letter_arns
  kms_key_arns           = distinct(concat(var.kms_key_arns, var.trail_kms_key_arn == "" ? [] : [var.trail_kms_key_arn]))
  identity_center        = var.identity_center
  organizations          = var.organizations
  calendar_arns          = var.calendar_arns
  assumable_role_arns    = var.assumable_role_arns
  evidence_bucket_arns   = aws_s3_bucket.evidence[*].arn
}

module "events" {
  source = "../events"
  count  = var.create_events ? 1 : 0

  name = var.name
  tags = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "driftwarden reads with it, and changes nothing of what it reads"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for service in local.trust_services :
        { Sid = "Instance", Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = service } }
      ],
      # By condition: a principal that is a role becomes an id when that role is made anew, and then trusts nobody.
      length(local.trust_principals) == 0 ? [] : [{
        Sid       = "Roles"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = [for account in local.trusted_accounts : "arn:${local.partition}:iam::${account}:root"] }
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.trust_principals } }
      }],
    )
  })

  lifecycle {
    precondition {
      condition     = var.instance_profile || length(var.trusted_role_arns) > 0
      error_message = "Nobody could assume the role: set instance_profile = true, or name trusted_role_arns."
    }
  }
}

resource "aws_iam_policy" "this" {
  name        = var.name
  description = "What driftwarden reads, its queue, and evidence it adds"
  policy      = module.permissions.json
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}

resource "aws_iam_instance_profile" "this" {
  count = var.instance_profile ? 1 : 0

  name = var.name
  role = aws_iam_role.this.name
  tags = var.tags
}

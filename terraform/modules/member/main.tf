# The role that driftwarden assumes in another account: it reads, and writes nothing.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  agent_accounts = distinct([for arn in var.agent_role_arns : split(":", arn)[4]])
}

module "permissions" {
  source = "../permissions"

  partition             = data.aws_partition.current.partition
  states                = var.states
  state_lock_table_arns = var.state_lock_table_arns
  kms_key_arns          = var.kms_key_arns
  identity_center       = var.identity_center
  organizations         = var.organizations
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "driftwarden reads this account with it, and changes nothing"
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags

  # By condition: a principal that is a role becomes an id when that role is made anew, and then trusts nobody.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Driftwarden"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = [for account in local.agent_accounts : "arn:${data.aws_partition.current.partition}:iam::${account}:root"] }
      Condition = {
        ArnEquals    = { "aws:PrincipalArn" = var.agent_role_arns }
        StringEquals = { "sts:ExternalId" = var.external_id }
      }
    }]
  })
}

resource "aws_iam_policy" "this" {
  name        = var.name
  description = "What driftwarden reads"
  policy      = module.permissions.json
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}

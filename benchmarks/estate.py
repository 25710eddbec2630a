"""A made-up estate as real Terraform code: a file per service of exactly 100 resources, of types driftwarden reads.

Hides the mix and how it is written. `MIX` is what teams that run a few workers, queues and functions each have; it was
set down before anything was measured and not changed since.
"""

from __future__ import annotations

from pathlib import Path

MIX = {
    "aws_iam_role": 9,
    "aws_iam_role_policy": 8,
    "aws_iam_policy": 4,
    "aws_iam_role_policy_attachment": 9,
    "aws_sqs_queue": 6,
    "aws_sns_topic": 6,
    "aws_cloudwatch_log_group": 10,
    "aws_ssm_parameter": 14,
    "aws_security_group": 4,
    "aws_vpc_security_group_ingress_rule": 6,
    "aws_vpc_security_group_egress_rule": 4,
    "aws_s3_bucket": 3,
    "aws_s3_bucket_versioning": 3,
    "aws_s3_bucket_public_access_block": 3,
    "aws_dynamodb_table": 3,
    "aws_lambda_function": 3,
    "aws_subnet": 3,
    "aws_kms_key": 2,
}
"""Resources of each type in one service. The first has one subnet less, and the estate's one VPC in its place."""

UNIT = sum(MIX.values())

_MAIN = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true

  default_tags {
    tags = {
      Estate    = "benchmark"
      ManagedBy = "terraform"
    }
  }
}

locals {
  retention = 30
  trust     = { for service in ["lambda", "ec2", "ecs-tasks"] : service => jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "${service}.amazonaws.com" } }]
  }) }
}
"""

_NETWORK = """\
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}
"""

_SERVICE = """\
locals {
  @_queues = { for n in range(6) : "q${n}" => 30 + 10 * n }
  @_groups = toset(["web", "app", "data", "batch"])
  @_policies = toset(["read", "write", "queue", "audit"])
  @_ports = [443, 8080, 8443, 9090, 5432, 6379]
  @_settings = { for n in range(12) : "setting-${n}" => "value-${n}-of-@" }
}

resource "aws_iam_role" "@" {
  count              = 9
  name               = "@-role-${count.index}"
  path               = "/services/"
  description        = "Role ${count.index} of @"
  assume_role_policy = local.trust[element(["lambda", "ec2", "ecs-tasks"], count.index)]
  tags               = { Service = "@" }
}

resource "aws_iam_role_policy" "@" {
  count = 8
  name  = "own"
  role  = aws_iam_role.@[count.index].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Queues"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"]
        Resource = values(aws_sqs_queue.@)[*].arn
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_policy" "@" {
  for_each    = local.@_policies
  name        = "@-${each.key}"
  description = "What @ may ${each.key}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = each.key == "write" ? ["s3:GetObject", "s3:PutObject"] : ["s3:GetObject"]
      Resource  = [for bucket in aws_s3_bucket.@ : "${bucket.arn}/*"]
      Condition = { StringEquals = { "aws:PrincipalTag/Service" = "@" } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "@" {
  count      = 9
  role       = aws_iam_role.@[count.index].name
  policy_arn = aws_iam_policy.@[element(["read", "write", "queue", "audit"], count.index)].arn
}

resource "aws_sqs_queue" "@" {
  for_each                   = local.@_queues
  name                       = "@-${each.key}"
  visibility_timeout_seconds = each.value
  message_retention_seconds  = 345600
  sqs_managed_sse_enabled    = true
  tags                       = { Service = "@" }
}

resource "aws_sns_topic" "@" {
  count        = 6
  name         = "@-events-${count.index}"
  display_name = "@ ${count.index}"
  tags         = { Service = "@" }
}

resource "aws_cloudwatch_log_group" "@" {
  count             = 10
  name              = "/services/@/${count.index}"
  retention_in_days = local.retention
  tags              = { Service = "@" }
}

resource "aws_ssm_parameter" "@" {
  for_each = local.@_settings
  name     = "/services/@/${each.key}"
  type     = "String"
  value    = each.value
}

resource "aws_ssm_parameter" "@_secret" {
  for_each = toset(["database", "partner"])
  name     = "/services/@/secret/${each.key}"
  type     = "SecureString"
  value    = "not-a-secret-${each.key}"
}

resource "aws_security_group" "@" {
  for_each    = local.@_groups
  name        = "@-${each.key}"
  description = "@ ${each.key}"
  vpc_id      = aws_vpc.main.id
  tags        = { Service = "@" }
}

resource "aws_vpc_security_group_ingress_rule" "@" {
  for_each          = { for n, port in local.@_ports : port => element(tolist(local.@_groups), n) }
  security_group_id = aws_security_group.@[each.value].id
  description       = "Port ${each.key}"
  cidr_ipv4         = "10.0.0.0/8"
  ip_protocol       = "tcp"
  from_port         = each.key
  to_port           = each.key
}

resource "aws_vpc_security_group_egress_rule" "@" {
  for_each          = local.@_groups
  security_group_id = aws_security_group.@[each.key].id
  cidr_ipv4         = "10.0.0.0/16"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_s3_bucket" "@" {
  for_each = toset(["raw", "clean", "archive"])
  bucket   = "benchmark-@-${each.key}"
  tags     = { Service = "@" }
}

resource "aws_s3_bucket_versioning" "@" {
  for_each = aws_s3_bucket.@
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "@" {
  for_each                = aws_s3_bucket.@
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_dynamodb_table" "@" {
  count        = 3
  name         = "@-table-${count.index}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_lambda_function" "@" {
  count         = 3
  function_name = "@-function-${count.index}"
  role          = aws_iam_role.@[3 * count.index].arn
  package_type  = "Image"
  image_uri     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/@:1.${count.index}"
  timeout       = 30

  environment {
    variables = { STAGE = "benchmark", TABLE = aws_dynamodb_table.@[count.index].name }
  }
}

resource "aws_subnet" "@" {
  count      = %(subnets)d
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, %(first_net)d + count.index)
  tags       = { Name = "@-${count.index}" }
}

resource "aws_kms_key" "@" {
  count                   = 2
  description             = "@ ${count.index}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}
"""


def write(folder: Path, resources: int) -> None:
    """Writes the root module of an estate with so many resources, a multiple of `UNIT`, into a new folder."""
    if resources % UNIT or not 0 < resources <= 80 * UNIT:
        raise ValueError(f"{resources} resources: give a multiple of {UNIT} up to {80 * UNIT}")
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(_MAIN)
    (folder / "network.tf").write_text(_NETWORK)
    for number in range(resources // UNIT):
        subnets = MIX["aws_subnet"] - (number == 0)
        text = _SERVICE.replace("%(subnets)d", str(subnets)).replace("%(first_net)d", str(3 * number))
        (folder / f"service_{number:02}.tf").write_text(text.replace("@", f"service-{number:02}"))

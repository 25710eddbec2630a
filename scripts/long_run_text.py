"""The long run's Terraform code and its configuration, as text."""

from __future__ import annotations

CODE = """\
variable "queues" { type = map(number) }
variable "logs" { type = map(number) }
variable "roles" { type = map(number) }
variable "groups" { type = map(string) }

resource "aws_sqs_queue" "q" {
  for_each                   = var.queues
  name                       = each.key
  visibility_timeout_seconds = each.value
  tags                       = { Team = "shop" }
}

resource "aws_cloudwatch_log_group" "l" {
  for_each          = var.logs
  name              = each.key
  retention_in_days = each.value
}

resource "aws_iam_role" "r" {
  for_each             = var.roles
  name                 = each.key
  max_session_duration = each.value
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_security_group" "g" {
  for_each    = var.groups
  name        = each.key
  description = "web"
  vpc_id      = each.value
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["10.0.0.0/8"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_sqs_queue" "events" {
  name = "long-run-events"
}

resource "aws_s3_bucket" "trail" {
  bucket = "long-run-trail"
}
"""

CONFIG = """\
[estate]
name = "long-run"
complete = true

[[stack]]
name = "shop"
dir = "shop"

[[account]]
id = "123456789012"

[trail]
source = ["eventbridge:{queue}", "s3://long-run-trail"]
lookback = "{lookback}"

[identities]
file = "identities.yaml"

[authority]
signers = "allowed_signers"

[authority.roles]
approver = ["sam", "kim"]

[[authority.emergency]]
name = "break-glass"
role = "arn:aws:iam::*:role/break-glass"

[[authority.pipeline]]
name = "deploy"
role = "arn:aws:iam::*:role/deploy"
source_identity = "deploy-robot"

[tickets]
mode = "file"

[tickets.register]
path = "tickets"

[backup]
dir = "backups"
keep = 3

[daemon]
listen = "127.0.0.1:{port}"
grace = "20s"

[daemon.people]
"uid:{uid}" = "sam"

[schedule]
jitter = "0s"
{schedule}
"""

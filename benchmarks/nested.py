"""A root module of nested modules for the evaluation benchmark: any number of instances, written as people write them.

Hides the generator: label modules, maps of objects, dynamic blocks, `templatefile`, policy documents, provider aliases.
"""

from __future__ import annotations

from pathlib import Path

PER_TEAM = 50
"""Resource instances that one instance of the `team` module makes."""

_LABEL = """\
variable "namespace" { type = string }
variable "name" { type = string }
variable "attributes" {
  type    = list(string)
  default = []
}
variable "tags" {
  type    = map(string)
  default = {}
}
locals {
  parts = compact(concat([var.namespace, var.name], var.attributes))
  id    = lower(join("-", [for part in local.parts : replace(part, "/[^a-zA-Z0-9-]/", "")]))
  tags  = merge(var.tags, { Name = local.id, Namespace = var.namespace })
}
output "id" { value = local.id }
output "tags" { value = local.tags }
"""

_SERVICE = """\
variable "name" { type = string }
variable "settings" {
  type = object({
    retention = optional(number, 30)
    ports     = optional(map(number), { https = 443 })
    queues    = optional(list(string), ["in", "out", "dead"])
    readers   = optional(list(string), [])
  })
}
variable "tags" { type = map(string) }
variable "cidr" { type = string }

module "label" {
  source     = "../label"
  namespace  = "bench"
  name       = var.name
  attributes = ["service"]
  tags       = var.tags
}

data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Read"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    resources = [for queue in var.settings.queues : "arn:aws:sqs:*:*:${module.label.id}-${queue}"]
  }
  dynamic "statement" {
    for_each = length(var.settings.readers) > 0 ? [1] : []
    content {
      actions   = ["sts:AssumeRole"]
      resources = var.settings.readers
    }
  }
}

resource "aws_sqs_queue" "this" {
  for_each                   = toset(var.settings.queues)
  name                       = "${module.label.id}-${each.key}"
  visibility_timeout_seconds = each.key == "dead" ? 300 : 30
  message_retention_seconds  = var.settings.retention * 86400
  tags                       = merge(module.label.tags, { Queue = each.value })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/bench/${module.label.id}"
  retention_in_days = var.settings.retention
  tags              = module.label.tags
}

resource "aws_iam_role" "this" {
  name               = module.label.id
  assume_role_policy = templatefile("${path.module}/trust.json.tftpl", { services = ["ec2", "lambda"] })
  tags               = module.label.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "read"
  role   = module.label.id
  policy = data.aws_iam_policy_document.read.json
}

resource "aws_security_group" "this" {
  name        = module.label.id
  description = "Traffic of ${var.name}"
  tags        = module.label.tags

  dynamic "ingress" {
    for_each = var.settings.ports
    content {
      description = ingress.key
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = [var.cidr]
    }
  }
}

resource "aws_ssm_parameter" "this" {
  count = 3
  name  = "/bench/${module.label.id}/${count.index}"
  type  = "String"
  value = format("%s-%03d", var.name, count.index)
  tags  = { for key, value in module.label.tags : key => upper(value) if key != "Namespace" }
}
"""

_TRUST = """\
{
  "Version": "2012-10-17",
  "Statement": [
%{ for i, service in services ~}
    {
      "Effect": "Allow",
      "Action": "sts:AssumeRole",
      "Principal": { "Service": "${service}.amazonaws.com" }
    }%{ if i < length(services) - 1 },%{ endif }
%{ endfor ~}
  ]
}
"""

_TEAM = """\
variable "name" { type = string }
variable "number" { type = number }
variable "services" {
  type = map(object({
    retention = optional(number, 14)
    ports     = optional(map(number), {})
  }))
}
variable "tags" { type = map(string) }

locals {
  cidr     = cidrsubnet("10.0.0.0/8", 12, var.number)
  services = { for name, each in var.services : "${var.name}-${name}" => each }
}

module "service" {
  source   = "../service"
  for_each = local.services
  name     = each.key
  cidr     = local.cidr
  tags     = merge(var.tags, { Service = each.key })
  settings = { retention = each.value.retention, ports = each.value.ports }
}
"""

_ROOT = """\
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  default_tags {
    tags = { Estate = "bench" }
  }
}

variable "teams" {
  type = number
}

locals {
  services = {
    api    = { retention = 7, ports = { https = 443, metrics = 9100 } }
    web    = { ports = { http = 80, https = 443 } }
    worker = { retention = 90 }
    cron   = {}
    mail   = { ports = { smtp = 587 } }
  }
}

module "team" {
  source   = "./modules/team"
  count    = var.teams
  name     = format("team%04d", count.index)
  number   = count.index
  services = local.services
  tags     = { Team = format("team%04d", count.index), CostCentre = tostring(1000 + count.index % 17) }
}
"""


def write(folder: Path, instances: int, note: str = "") -> None:
    """Writes the root module, `instances` rounded up to whole teams; `note` makes its files unlike another root's."""
    for name, text in (("label", _LABEL), ("service", _SERVICE), ("team", _TEAM)):
        (folder / "modules" / name).mkdir(parents=True)
        (folder / "modules" / name / "main.tf").write_text(f"# {note}\n{text}" if note else text)
    (folder / "modules" / "service" / "trust.json.tftpl").write_text(_TRUST)
    (folder / "main.tf").write_text(f"# {note}\n{_ROOT}" if note else _ROOT)
    (folder / "terraform.tfvars").write_text(f"teams = {-(-instances // PER_TEAM)}\n")

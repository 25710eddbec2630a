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
  message_retention_seconds  = min(var.settings.retention, 14) * 86400
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


FEATURES = 40
"""Optional parts of the large module; public modules of networks have as many, nearly all of them switched off."""

_FEATURE = """\
variable "enable_{name}" {{
  description = "Whether to create the {name} network access control list and its rules"
  type        = bool
  default     = {enabled}
}}

variable "{name}_inbound_rules" {{
  description = "Inbound rules of the {name} network access control list"
  type        = list(map(string))
  default = [
    {{
      rule_number = 100
      rule_action = "allow"
      from_port   = 0
      to_port     = 0
      protocol    = "-1"
      cidr_block  = "0.0.0.0/0"
    }},
  ]
}}

variable "{name}_suffix" {{
  description = "Suffix of names in {name}"
  type        = string
  default     = "{name}"
}}

variable "{name}_tags" {{
  description = "Additional tags of what belongs to {name}"
  type        = map(string)
  default     = {{}}
}}

locals {{
  create_{name} = var.create && var.enable_{name}
  {name}_name   = try(var.names["{name}"], format("${{var.name}}-%s", var.{name}_suffix))
}}

resource "aws_network_acl" "{name}" {{
  count = local.create_{name} ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = var.subnet_ids

  tags = merge(
    {{ "Name" = local.{name}_name }},
    var.tags,
    var.{name}_tags,
  )
}}

resource "aws_network_acl_rule" "{name}_inbound" {{
  count = local.create_{name} ? length(var.{name}_inbound_rules) : 0

  network_acl_id = aws_network_acl.{name}[0].id

  egress          = false
  rule_number     = var.{name}_inbound_rules[count.index]["rule_number"]
  rule_action     = var.{name}_inbound_rules[count.index]["rule_action"]
  from_port       = lookup(var.{name}_inbound_rules[count.index], "from_port", null)
  to_port         = lookup(var.{name}_inbound_rules[count.index], "to_port", null)
  icmp_code       = lookup(var.{name}_inbound_rules[count.index], "icmp_code", null)
  icmp_type       = lookup(var.{name}_inbound_rules[count.index], "icmp_type", null)
  protocol        = var.{name}_inbound_rules[count.index]["protocol"]
  cidr_block      = lookup(var.{name}_inbound_rules[count.index], "cidr_block", null)
  ipv6_cidr_block = lookup(var.{name}_inbound_rules[count.index], "ipv6_cidr_block", null)
}}

resource "aws_cloudwatch_log_group" "{name}" {{
  count = local.create_{name} ? 1 : 0

  name              = "/network/${{local.{name}_name}}"
  retention_in_days = 30
  skip_destroy      = false

  tags = merge(var.tags, var.{name}_tags)
}}

output "{name}_network_acl_id" {{
  description = "Id of the {name} network access control list"
  value       = try(aws_network_acl.{name}[0].id, null)
}}

output "{name}_log_group_name" {{
  description = "Name of the log group of {name}"
  value       = try(aws_cloudwatch_log_group.{name}[0].name, null)
}}
"""

_LARGE = """\
variable "create" {
  type    = bool
  default = true
}
variable "name" { type = string }
variable "names" {
  type    = map(string)
  default = {}
}
variable "subnet_ids" {
  type    = list(string)
  default = []
}
variable "tags" { type = map(string) }
resource "aws_vpc" "this" {
  count      = var.create ? 1 : 0
  cidr_block = "10.0.0.0/16"
  tags       = merge({ "Name" = var.name }, var.tags)
}
locals { vpc_id = try(aws_vpc.this[0].id, "") }
"""

_USES = """\
provider "aws" { region = "us-east-1" }
module "network" {
  source = "./modules/network"
  name   = "main"
  tags   = { Team = "platform" }
}
output "log_group" { value = module.network.feature0_log_group_name }
"""


def write_as_published(folder: Path, note: str) -> int:
    """A root that calls one module of the size and style of the public ones → its lines of code."""
    place = folder / "modules" / "network"
    place.mkdir(parents=True)
    features = [_FEATURE.format(name=f"feature{n}", enabled=str(n < 3).lower()) for n in range(FEATURES)]
    texts = {place / "main.tf": f"# {note}\n{_LARGE}", folder / "main.tf": f"# {note}\n{_USES}"}
    texts |= {place / f"feature{n}.tf": f"# {note}\n{text}" for n, text in enumerate(features)}
    for path, text in texts.items():
        path.write_text(text)
    return sum(text.count("\n") for text in texts.values())

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {
  type = string

  validation {
    condition     = can(regex("^[a-z]+$", var.name))
    error_message = "Lower case letters only."
  }
}

variable "settings" {
  type = map(string)
}

variable "alarms" {
  type    = map(any)
  default = {}
}

variable "network" {
  type    = any
  default = null
}

variable "topics" {
  type = map(string)
}

variable "limit" {
  type    = number
  default = null
}

resource "aws_sns_topic" "this" {
  name = "service-${var.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/service/${var.name}"
  retention_in_days = lookup({ api = 30, batch = 7 }, var.name, 1)
}

resource "aws_ssm_parameter" "settings" {
  for_each = var.settings
  name     = "/service/${var.name}/${lower(each.key)}"
  type     = can(tonumber(each.value)) ? "String" : "SecureString"
  value    = each.value
  tier     = var.limit == null ? "Standard" : var.limit > 5 ? "Advanced" : "Standard"
}

resource "aws_security_group" "this" {
  count = var.network != null ? 1 : 0

  name        = var.name
  description = "service"

  dynamic "ingress" {
    for_each = try(var.network.ports, [])
    iterator = port

    content {
      from_port   = port.value
      to_port     = port.value
      protocol    = "tcp"
      cidr_blocks = coalesce(var.network.cidrs, ["0.0.0.0/0"])
      description = "${port.key}: ${port.value}"
    }
  }
}

module "alarm" {
  source   = "../alarm"
  for_each = var.alarms

  name      = "${var.name}-${each.key}"
  threshold = each.value.threshold
  actions   = [for action in each.value.actions : var.topics[action]]
}

output "topic_arn" {
  value = aws_sns_topic.this.arn
}

output "group_name" {
  value = one(aws_security_group.this[*].name)
}

output "alarm_names" {
  value = sort([for alarm in module.alarm : alarm.name])
}

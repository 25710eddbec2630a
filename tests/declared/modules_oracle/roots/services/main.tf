# Modules for each of a map, with modules for each inside, that refer to one another's outputs.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "services" {
  type = map(object({
    memory   = optional(number, 128)
    queues   = optional(set(string), [])
    schedule = optional(string)
    env      = optional(map(string), {})
    alarms = optional(map(object({
      threshold = number
      actions   = optional(list(string), ["page"])
    })), {})
    network = optional(object({
      ports = optional(list(number), [80])
      cidrs = optional(list(string))
    }))
  }))

  default = {
    api = {
      memory  = 256
      queues  = ["in", "out"]
      env     = { LOG = "debug" }
      alarms  = { errors = { threshold = 1 }, slow = { threshold = 2.5, actions = ["mail", "page"] } }
      network = { ports = [80, 443], cidrs = ["10.0.0.0/8"] }
    }
    batch = {
      queues   = ["in"]
      schedule = "rate(5 minutes)"
      network  = {}
    }
    idle = {}
  }
}

locals {
  defaults  = yamldecode(file("${path.module}/defaults.yaml"))
  scheduled = { for name, service in var.services : name => service.schedule if service.schedule != null }
  queues = merge([
    for name, service in var.services : { for queue in service.queues : "${name}.${queue}" => { service = name, queue = queue } }
  ]...)
  by_queue = { for key, each in local.queues : each.queue => each.service... }
  rows     = { for row in csvdecode(file("${path.module}/limits.csv")) : row.service => row }
}

module "service" {
  source   = "./modules/service"
  for_each = var.services

  name     = each.key
  settings = merge(local.defaults.settings, each.value.env, { MEMORY = each.value.memory })
  alarms   = each.value.alarms
  network  = each.value.network
  topics   = local.topics
  limit    = try(tonumber(local.rows[each.key].limit), null)
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = replace(each.key, ".", "-")
  visibility_timeout_seconds = 6 * try(local.defaults.timeouts[each.value.queue], 5)
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "sqs:SendMessage", Resource = "*", Condition = { ArnEquals = { "aws:SourceArn" = module.service[each.value.service].topic_arn } } }]
  })
}

resource "aws_sns_topic" "alarm" {
  for_each = toset(flatten([for service in var.services : [for alarm in service.alarms : alarm.actions]]))
  name     = "alarm-${each.value}"
}

locals {
  topics = { for key, topic in aws_sns_topic.alarm : key => topic.arn }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each            = local.scheduled
  name                = each.key
  schedule_expression = each.value
  state               = "ENABLED"
}

resource "aws_ssm_parameter" "summary" {
  name = "/summary"
  type = "String"
  value = yamlencode({
    by_queue = local.by_queue
    groups   = { for name, service in module.service : name => service.group_name if service.group_name != null }
    total    = sum([for service in var.services : service.memory])
    alarms   = { for name, service in module.service : name => service.alarm_names }
  })
}

output "alarm_names" {
  value = values(module.service)[*].alarm_names
}

output "topic" {
  value = module.service["api"].topic_arn
}

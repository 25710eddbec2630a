# A label module that is handed through other modules, as in the label modules everybody uses.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

variable "context" {
  type = any
  default = {
    enabled = true
    tags    = { CostCenter = "42" }
  }
}

variable "stage" {
  type    = string
  default = "Prod-1"
}

module "base" {
  source      = "./modules/label"
  namespace   = "acme corp"
  environment = "eu-west"
  stage       = var.stage
  context     = var.context
  tags        = { Team = "platform" }
}

module "api" {
  source     = "./modules/label"
  name       = "API_gateway!"
  attributes = ["public", "public", "v2"]
  context    = module.base.context
}

module "tight" {
  source          = "./modules/label"
  name            = "a-very-long-name-that-does-not-fit"
  id_length_limit = 32
  label_order     = ["stage", "name"]
  delimiter       = "_"
  context         = module.base.context
  tags            = { Name = "own name", Team = "api" }
}

module "off" {
  source  = "./modules/label"
  enabled = false
  name    = "never"
  context = module.base.context
}

module "topic" {
  source   = "./modules/topic"
  for_each = toset(["orders", "refunds"])
  name     = each.key
  context  = module.api.context
}

module "queue" {
  source  = "./modules/queue"
  count   = 2
  name    = format("worker-%02d", count.index + 1)
  delay   = count.index == 0 ? null : 15
  context = module.tight.context
  topics  = { for key, topic in module.topic : key => topic.name }
}

resource "aws_sns_topic" "never" {
  count = module.off.enabled ? 1 : 0
  name  = module.off.id
}

resource "aws_ssm_parameter" "ids" {
  name  = "/${lower(replace(var.stage, "/[^a-zA-Z0-9]/", ""))}/ids"
  type  = "String"
  value = jsonencode({ base = module.base.id, api = module.api.id, tight = module.tight.id, off = module.off.id })
  tags  = module.base.tags
}

output "tags" {
  value = module.tight.tags
}

output "as_list" {
  value = module.tight.tags_as_list_of_maps
}

# JSON syntax, override files, files of variables in order of precedence, moves, imports and removals.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "from_default" {
  default = "default"
}

variable "from_tfvars" {
  type    = string
  default = "default"
}

variable "from_auto" {
  type    = list(string)
  default = []
}

variable "from_json" {
  type = object({
    size   = optional(number, 1)
    labels = optional(map(string), { none = "yes" })
    inner  = optional(object({ on = optional(bool, true), name = string }))
  })
}

variable "password" {
  type      = string
  sensitive = true
}

variable "limits" {
  type    = map(object({ low = number, high = optional(number, 99) }))
  default = {}

  validation {
    condition     = alltrue([for limit in var.limits : limit.low <= limit.high])
    error_message = "low must not be above high"
  }
}

variable "legacy_list" {
  type    = list(any)
  default = ["a", "b"]
}

variable "anything" {
  type    = any
  default = { list = ["x", 1], flag = true }
}

variable "numbers" {
  type    = set(number)
  default = [3, 1, 2, 1]
}

locals {
  name = "${terraform.workspace}-${basename(path.module) == "" ? "root" : "root"}"
  pairs = {
    for pair in setproduct(["blue", "green"], sort(var.from_auto)) : join("/", pair) => {
      colour = pair[0]
      size   = pair[1]
    }
  }
}

resource "aws_ssm_parameter" "values" {
  name  = "/${local.name}/values"
  type  = "String"
  value = <<-JSON
    {
      "default": "${var.from_default}",
      "tfvars": ${jsonencode(var.from_tfvars)},
      "auto": ${jsonencode(var.from_auto)},
      "json": ${jsonencode(var.from_json)},
      "numbers": [${join(", ", var.numbers)}],
      "any": ${jsonencode(var.anything)}
    }
  JSON
}

resource "aws_ssm_parameter" "secret" {
  name        = "/${local.name}/secret"
  type        = "SecureString"
  value       = "${var.password}!"
  description = "length ${length(nonsensitive(var.password))}"
}

resource "aws_ssm_parameter" "pair" {
  for_each = local.pairs

  name        = "/pair/${each.key}"
  type        = "String"
  value       = each.value.size
  description = title(each.value.colour)
  overwrite   = null
}

resource "aws_ssm_parameter" "overridden" {
  name        = "/overridden"
  type        = "String"
  value       = "before"
  description = "kept"
  tags        = { From = "main" }
}

resource "terraform_data" "limits" {
  for_each = var.limits
  input    = each.value
}

module "store" {
  source  = "./modules/store"
  count   = var.from_json.inner == null ? 0 : var.from_json.size
  name    = "${var.from_json.inner.name}-${count.index}"
  enabled = var.from_json.inner.on
}

module "moved" {
  source = "./modules/moved"
}

moved {
  from = aws_ssm_parameter.old
  to   = aws_ssm_parameter.values
}

moved {
  from = module.gone
  to   = module.moved
}

removed {
  from = aws_ssm_parameter.dropped

  lifecycle {
    destroy = false
  }
}

output "secret" {
  value     = aws_ssm_parameter.secret.value
  sensitive = true
}

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "sources" {
  type = map(string)
}

variable "rules" {
  type = map(object({
    from_port   = number
    to_port     = optional(number)
    protocol    = optional(string, "tcp")
    source      = optional(string, "vpc")
    description = optional(string)
  }))
}

variable "inline" {
  type = list(object({
    ports       = list(number)
    cidrs       = set(string)
    description = optional(string, "inline")
    options     = optional(object({ self = optional(bool, false) }), {})
  }))
  default = []
}

locals {
  egress = flatten([
    for name, rule in var.rules : [
      for port in range(rule.from_port, coalesce(rule.to_port, rule.from_port) + 1) : {
        key  = "${name}-${port}"
        port = port
      }
    ]
  ])
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Group ${title(var.name)}: ${length(var.rules)} rules"
  vpc_id      = var.vpc_id

  dynamic "ingress" {
    for_each = var.inline
    content {
      from_port   = min(ingress.value.ports...)
      to_port     = max(ingress.value.ports...)
      protocol    = "tcp"
      cidr_blocks = ingress.value.cidrs
      description = ingress.value.description
      self        = ingress.value.options.self
    }
  }

  dynamic "egress" {
    for_each = length(var.rules) == 0 ? [] : [1]
    content {
      from_port        = 0
      to_port          = 0
      protocol         = "-1"
      cidr_blocks      = ["0.0.0.0/0"]
      ipv6_cidr_blocks = ["::/0"]
    }
  }

  tags = { Name = var.name, Rules = join("/", keys(var.rules)) }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for key, rule in var.rules : key => rule if rule.protocol != "none" }

  security_group_id = aws_security_group.this.id
  from_port         = each.value.from_port
  to_port           = coalesce(each.value.to_port, each.value.from_port)
  ip_protocol       = each.value.protocol
  cidr_ipv4         = var.sources[each.value.source]
  description       = each.value.description
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { for each in local.egress : each.key => each.port }

  security_group_id            = aws_security_group.this.id
  from_port                    = each.value
  to_port                      = each.value
  ip_protocol                  = "tcp"
  referenced_security_group_id = aws_security_group.this.id
}

output "id" {
  value = aws_security_group.this.id
}

# Provider configurations with aliases, handed through modules, each with its own default tags.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 6.0"
    }
  }
}

variable "owner" {
  type    = string
  default = "ops"
}

locals {
  shared = { Owner = var.owner }
}

provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = merge(local.shared, { Region = "east" })
  }
}

provider "aws" {
  alias  = "west"
  region = "us-west-2"

  default_tags {
    tags = merge(local.shared, { Region = "west", Site = upper("w") })
  }

  ignore_tags {
    keys         = ["LastSeen"]
    key_prefixes = ["aws:"]
  }
}

provider "aws" {
  alias  = "bare"
  region = join("-", ["eu", "west", 1])
}

resource "aws_sqs_queue" "east" {
  name = "east"
  tags = { Region = "overridden", Extra = "x" }
}

resource "aws_sqs_queue" "west" {
  provider = aws.west
  name     = "west"
}

resource "aws_sqs_queue" "bare" {
  provider = aws.bare
  name     = "bare"
  tags     = local.shared
}

module "inherits" {
  source = "./modules/pair/one"
  name   = "inherits"
}

module "pair" {
  source = "./modules/pair"

  providers = {
    aws.here  = aws.west
    aws.there = aws.bare
  }

  for_each = { a = ["x"], b = ["y", "z"] }
  name     = each.key
  members  = each.value
}

module "swapped" {
  source = "./modules/pair"

  providers = {
    aws.here  = aws
    aws.there = aws.west
  }

  name    = "swapped"
  members = []
}

output "names" {
  value = concat([for key, pair in module.pair : pair.names]...)
}

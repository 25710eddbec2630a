# The estate of tests/declared: one of each thing that makes code and state hard to join.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = { Team = "platform" }
  }
}

provider "aws" {
  alias  = "west"
  region = "us-west-2"
}

variable "token" {
  type      = string
  sensitive = true
  default   = "canary-7f3d-token"
}

data "aws_caller_identity" "me" {}

/* A comment
   that moves lines. */
resource "aws_sns_topic" "plain" {
  name   = "plain"
  policy = null
  tags = {
    Token = var.token
    Plain = "yes"
  }
}

resource "aws_sns_topic" "many" {
  count        = 2
  name         = "many-${count.index}"
  display_name = "many"
  lifecycle {
    ignore_changes = [tags["Seen"], display_name]
  }
}

resource "aws_sns_topic" "west" {
  provider     = aws.west
  name         = "west"
  display_name = "west"
  lifecycle { ignore_changes = all }
}

resource "aws_s3_bucket" "data" {
  bucket = "declared-estate-data"
}

module "topics" {
  for_each = toset(["a b", "q\"uote"])
  source   = "./modules/topics"
  prefix   = each.key == "a b" ? "ab" : "quote"
  token    = var.token
}

output "token" {
  value     = "canary-91aa-output"
  sensitive = true
}

resource "terraform_data" "marker" {
  input = "canary-55c0-data"
}

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {
  type = string
}

data "aws_region" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/${data.aws_region.current.name}"
  retention_in_days = startswith(data.aws_region.current.name, "us-") ? 30 : 90
  tags              = { Region = data.aws_region.current.name }
}

output "name" {
  value = aws_cloudwatch_log_group.this.name
}

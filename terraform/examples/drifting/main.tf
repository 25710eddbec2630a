# A small stack to see driftwarden at work on: apply it, let `drift.sh` change it behind Terraform's back, scan.
# It costs nothing while it stands, and `terraform destroy` takes it away.

terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where the stack stands."
  type        = string
  default     = "eu-west-1"
}

variable "name" {
  description = "Name of everything in it."
  type        = string
  default     = "driftwarden-demo"
}

data "aws_caller_identity" "current" {}

resource "aws_vpc" "demo" {
  cidr_block = "10.99.0.0/24"
  tags       = { Name = var.name }
}

# Nobody's network interface is in it: to open it to the world lets nobody in.
resource "aws_security_group" "demo" {
  name        = var.name
  description = "Nothing is behind it"
  vpc_id      = aws_vpc.demo.id

  ingress {
    description = "HTTPS"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["10.99.0.0/24"]
  }
}

resource "aws_sqs_queue" "demo" {
  name                       = var.name
  visibility_timeout_seconds = 30
}

resource "aws_s3_bucket" "demo" {
  bucket = "${var.name}-${data.aws_caller_identity.current.account_id}"
}

resource "aws_s3_bucket_versioning" "demo" {
  bucket = aws_s3_bucket.demo.id

  versioning_configuration {
    status = "Enabled"
  }
}

# A role that nobody can assume.
resource "aws_iam_role" "demo" {
  name = var.name

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "*" }
    }]
  })
}

output "security_group_id" {
  description = "What drift.sh opens."
  value       = aws_security_group.demo.id
}

output "queue_url" {
  description = "What drift.sh changes the timeout of."
  value       = aws_sqs_queue.demo.url
}

output "bucket" {
  description = "What drift.sh suspends the versioning of."
  value       = aws_s3_bucket.demo.id
}

output "role" {
  description = "What drift.sh attaches a policy to."
  value       = aws_iam_role.demo.name
}

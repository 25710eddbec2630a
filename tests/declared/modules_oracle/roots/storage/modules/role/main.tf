terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" { type = string }
variable "services" { type = list(string) }
variable "policies" {
  type    = map(string)
  default = {}
}
variable "inline" {
  type    = string
  default = null
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = var.services
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 3600 * (1 + length(var.services))
  path                 = coalesce("", "/svc/")
}

resource "aws_iam_policy" "this" {
  for_each = var.policies
  name     = "${var.name}-${each.key}"
  policy   = each.value
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = aws_iam_policy.this
  role       = aws_iam_role.this.name
  policy_arn = each.value.arn
}

resource "aws_iam_role_policy" "inline" {
  count  = var.inline != null ? 1 : 0
  name   = "${var.name}-inline"
  role   = aws_iam_role.this.id
  policy = var.inline
}

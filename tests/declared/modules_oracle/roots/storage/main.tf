# Buckets and roles: try, lookup, dynamic blocks, policies as documents, as JSON and from templates.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  buckets = {
    logs = {
      versioning = { enabled = true }
      lifecycle_rules = [
        { id = "expire", days = 30 },
        { id = "archive", days = 365, prefix = "old/", enabled = false, transitions = [{ days = 60, class = "GLACIER" }, { days = 30, class = "STANDARD_IA" }] },
      ]
    }
    data = {
      versioning = { status = "Suspended" }
      encryption = { rule = { apply = { sse_algorithm = "aws:kms" }, bucket_key_enabled = true } }
      cors = [
        { methods = ["GET", "HEAD"], origins = ["https://example.com"], headers = ["*"] },
        { methods = ["PUT"], origins = ["*"], max_age = 300 },
      ]
    }
    bare = {}
  }
}

module "bucket" {
  source   = "./modules/bucket"
  for_each = local.buckets

  bucket          = "${each.key}-${local.account}-${data.aws_region.current.name}"
  versioning      = try(each.value.versioning, {})
  lifecycle_rules = try(each.value.lifecycle_rules, [])
  encryption      = try(each.value.encryption, {})
  cors            = lookup(each.value, "cors", [])
  policy          = each.key == "logs" ? data.aws_iam_policy_document.logs.json : null
  attach_policy   = each.key == "logs"
}

data "aws_iam_policy_document" "logs" {
  policy_id = "logs"

  statement {
    sid       = "Deliver"
    actions   = ["s3:PutObject"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::logs-*/AWSLogs/${local.account}/*"]
    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "s3:x-amz-acl"
      values   = ["bucket-owner-full-control"]
    }
  }

  dynamic "statement" {
    for_each = toset(["s3:GetObject", "s3:ListBucket"])
    content {
      effect    = "Deny"
      actions   = [statement.value]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = [false]
      }
    }
  }
}

data "aws_iam_policy_document" "extended" {
  source_policy_documents = [data.aws_iam_policy_document.logs.json]

  statement {
    sid           = "Deliver"
    effect        = "Deny"
    not_actions   = ["s3:Get*"]
    not_resources = ["arn:aws:s3:::x", "arn:aws:s3:::$${aws:username}/&{aws:userid}"]
  }
}

module "role" {
  source   = "./modules/role"
  for_each = tomap({ reader = ["ec2.amazonaws.com"], writer = ["lambda.amazonaws.com", "ec2.amazonaws.com"] })

  name     = each.key
  services = each.value
  policies = { extended = data.aws_iam_policy_document.extended.json }
  inline = each.key == "writer" ? templatefile("${path.module}/templates/policy.json.tftpl", {
    buckets = sort(keys(local.buckets))
    account = local.account
    actions = { read = ["s3:GetObject"], write = ["s3:PutObject", "s3:DeleteObject"] }
  }) : null
}

resource "aws_ssm_parameter" "motd" {
  name  = "/motd"
  type  = "SecureString"
  value = templatefile("${path.module}/templates/motd.tftpl", { names = [for k, v in local.buckets : upper(k) if v != {}], note = null })
}

resource "aws_kms_key" "this" {
  description         = trimspace(file("${path.root}/templates/description.txt"))
  enable_key_rotation = anytrue([for b in local.buckets : can(b.encryption)])
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Sid = "root", Effect = "Allow", Principal = { AWS = "arn:aws:iam::${local.account}:root" }, Action = "kms:*", Resource = "*" }],
      [for name in ["b", "a"] : { Sid = name, Effect = "Allow", Principal = { Service = "${name}.amazonaws.com" }, Action = ["kms:Decrypt"], Resource = "*" }],
    )
  })
}

output "names" {
  value = { for key, bucket in module.bucket : key => bucket.name }
}

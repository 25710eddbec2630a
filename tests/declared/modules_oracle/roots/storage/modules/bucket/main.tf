terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "bucket" { type = string }
variable "versioning" {
  type    = map(string)
  default = {}
}
variable "lifecycle_rules" {
  type    = any
  default = []
}
variable "encryption" {
  type    = any
  default = {}
}
variable "cors" {
  type    = any
  default = []
}
variable "policy" {
  type    = string
  default = null
}
variable "attach_policy" {
  type    = bool
  default = false
}

locals {
  rules = try(jsondecode(var.lifecycle_rules), var.lifecycle_rules)
  cors  = try(jsondecode(var.cors), var.cors)
}

resource "aws_s3_bucket" "this" {
  bucket        = var.bucket
  force_destroy = contains(["logs"], split("-", var.bucket)[0])
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = !var.attach_policy
}

resource "aws_s3_bucket_versioning" "this" {
  count  = length(keys(var.versioning)) > 0 ? 1 : 0
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = try(var.versioning["enabled"] ? "Enabled" : "Suspended", tobool(var.versioning["status"]) ? "Enabled" : "Suspended", title(lower(var.versioning["status"])))
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = length(local.rules) > 0 ? 1 : 0
  bucket = aws_s3_bucket.this.bucket

  dynamic "rule" {
    for_each = local.rules

    content {
      id     = try(rule.value.id, null)
      status = try(rule.value.enabled ? "Enabled" : "Disabled", "Enabled")

      filter {
        prefix = try(rule.value.prefix, "")
      }

      expiration {
        days = try(rule.value.days, null)
      }

      dynamic "transition" {
        for_each = try(flatten([rule.value.transitions]), [])

        content {
          days          = transition.value.days
          storage_class = transition.value.class
        }
      }
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count  = length(keys(var.encryption)) > 0 ? 1 : 0
  bucket = aws_s3_bucket.this.id

  dynamic "rule" {
    for_each = try(flatten([var.encryption["rule"]]), [])

    content {
      bucket_key_enabled = try(rule.value.bucket_key_enabled, null)

      dynamic "apply_server_side_encryption_by_default" {
        for_each = try([rule.value.apply], [])

        content {
          sse_algorithm     = apply_server_side_encryption_by_default.value.sse_algorithm
          kms_master_key_id = try(apply_server_side_encryption_by_default.value.kms_master_key_id, null)
        }
      }
    }
  }
}

resource "aws_s3_bucket_cors_configuration" "this" {
  count  = length(local.cors) > 0 ? 1 : 0
  bucket = aws_s3_bucket.this.id

  dynamic "cors_rule" {
    for_each = local.cors

    content {
      id              = "rule-${cors_rule.key}"
      allowed_methods = cors_rule.value.methods
      allowed_origins = cors_rule.value.origins
      allowed_headers = try(cors_rule.value.headers, null)
      max_age_seconds = try(cors_rule.value.max_age, null)
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  count  = var.attach_policy ? 1 : 0
  bucket = aws_s3_bucket.this.id
  policy = var.policy
}

output "name" {
  value = aws_s3_bucket.this.bucket
}

# Where evidence is kept: every version, for as long as the lock says, whoever asks for its removal.

resource "aws_s3_bucket" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket              = "${var.name}-evidence-${local.account}-${local.region}"
  object_lock_enabled = true
  tags                = var.tags
}

resource "aws_s3_bucket_versioning" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket = aws_s3_bucket.evidence[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket = aws_s3_bucket.evidence[0].id

  rule {
    default_retention {
      mode = var.evidence_mode
      days = var.evidence_retention_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.evidence]
}

resource "aws_s3_bucket_public_access_block" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket                  = aws_s3_bucket.evidence[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket = aws_s3_bucket.evidence[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket = aws_s3_bucket.evidence[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "evidence" {
  count = var.create_evidence ? 1 : 0

  bucket = aws_s3_bucket.evidence[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Whatever other policies come to allow. The name of the role is the same after it was made anew.
        Sid       = "TheAgentOnlyAdds"
        Effect    = "Deny"
        Principal = "*"
        Action = [
          "s3:BypassGovernanceRetention",
          "s3:Delete*",
          "s3:PutBucket*",
          "s3:PutEncryptionConfiguration",
          "s3:PutLifecycleConfiguration",
          "s3:PutObjectLegalHold",
          "s3:PutObjectRetention",
        ]
        Resource  = [aws_s3_bucket.evidence[0].arn, "${aws_s3_bucket.evidence[0].arn}/*"]
        Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.this.arn } }
      },
      {
        Sid       = "OnlyByTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.evidence[0].arn, "${aws_s3_bucket.evidence[0].arn}/*"]
        Condition = local.insecure_requests
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.evidence]
}

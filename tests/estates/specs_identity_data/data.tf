resource "aws_s3_bucket" "bare" {
  bucket = "bare-identity-data"
}

resource "aws_s3_bucket" "full" {
  bucket = "full-identity-data"
  tags   = { team = "payments", public = "false" }
}

resource "aws_s3_bucket_versioning" "full" {
  bucket = aws_s3_bucket.full.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_versioning" "bare" {
  bucket = aws_s3_bucket.bare.id
  versioning_configuration {
    status = "Suspended"
  }
}

resource "aws_s3_bucket_public_access_block" "full" {
  bucket                  = aws_s3_bucket.full.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "bare" {
  bucket            = aws_s3_bucket.bare.id
  block_public_acls = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "full" {
  bucket = aws_s3_bucket.full.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.full.arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bare" {
  bucket = aws_s3_bucket.bare.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "full" {
  bucket = aws_s3_bucket.full.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.full.arn, "${aws_s3_bucket.full.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_kms_key" "bare" {}

resource "aws_kms_key" "full" {
  description             = "Seals the ledger"
  enable_key_rotation     = true
  rotation_period_in_days = 180
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Owner", Effect = "Allow", Principal = { AWS = "arn:aws:iam::123456789012:root" }, Action = "kms:*", Resource = "*" },
    ]
  })
  tags = { team = "payments" }
}

resource "aws_kms_key" "signing" {
  description              = "Signs statements"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "RSA_2048"
}

resource "aws_sns_topic" "bare" {
  name = "bare"
}

resource "aws_sns_topic" "full" {
  name              = "full"
  display_name      = "Ledger"
  kms_master_key_id = aws_kms_key.full.arn
  tracing_config    = "Active"
  signature_version = 2
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Own", Effect = "Allow", Principal = { AWS = "123456789012" }, Action = "sns:Publish", Resource = "*" }]
  })
  delivery_policy = jsonencode({
    http = { defaultHealthyRetryPolicy = { minDelayTarget = 20, maxDelayTarget = 20, numRetries = 3 }, disableSubscriptionOverrides = false }
  })
  sqs_failure_feedback_role_arn = aws_iam_role.bare.arn
  tags                          = { team = "payments" }
}

resource "aws_sns_topic" "fifo" {
  name                        = "ledger.fifo"
  fifo_topic                  = true
  content_based_deduplication = true
}

resource "aws_sqs_queue" "bare" {
  name = "bare"
}

resource "aws_sqs_queue" "full" {
  name                       = "full"
  delay_seconds              = 5
  max_message_size           = 2048
  message_retention_seconds  = 86400
  receive_wait_time_seconds  = 10
  visibility_timeout_seconds = 60
  kms_master_key_id          = "alias/aws/sqs"
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.bare.arn, maxReceiveCount = 4 })
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Own", Effect = "Allow", Principal = { AWS = "123456789012" }, Action = "sqs:SendMessage", Resource = "*" }]
  })
  tags = { team = "payments" }
}

resource "aws_sqs_queue" "fifo" {
  name                        = "ledger.fifo"
  fifo_queue                  = true
  content_based_deduplication = true
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
}

resource "aws_dynamodb_table" "bare" {
  name         = "bare"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_dynamodb_table" "full" {
  name                        = "full"
  read_capacity               = 3
  write_capacity              = 2
  hash_key                    = "account"
  range_key                   = "day"
  deletion_protection_enabled = true
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  table_class                 = "STANDARD_INFREQUENT_ACCESS"

  attribute {
    name = "account"
    type = "S"
  }
  attribute {
    name = "day"
    type = "N"
  }
  attribute {
    name = "owner"
    type = "S"
  }

  global_secondary_index {
    name               = "by-owner"
    hash_key           = "owner"
    range_key          = "day"
    projection_type    = "INCLUDE"
    non_key_attributes = ["amount", "currency"]
    read_capacity      = 1
    write_capacity     = 1
  }

  local_secondary_index {
    name            = "by-own"
    range_key       = "owner"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.full.arn
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  tags = { team = "payments" }
}

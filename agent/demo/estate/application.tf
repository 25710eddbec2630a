resource "aws_iam_role" "settlement" {
  name = "payments-settlement"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "settlement" {
  name = "queues"
  role = aws_iam_role.settlement.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
      Resource = aws_sqs_queue.settlement.arn
    }]
  })
}

resource "aws_iam_policy" "ledger_write" {
  name = "payments-ledger-write"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${aws_s3_bucket.ledger.arn}/*"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "ledger_write" {
  role       = aws_iam_role.settlement.name
  policy_arn = aws_iam_policy.ledger_write.arn
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = "payments-dead-letter"
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "settlement" {
  name                       = "payments-settlement"
  visibility_timeout_seconds = 120
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sns_topic" "alerts" {
  name              = "payments-alerts"
  kms_master_key_id = aws_kms_key.payments.id
}

resource "aws_cloudwatch_log_group" "settlement" {
  name              = "/payments/settlement"
  retention_in_days = 365
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/payments/audit"
  retention_in_days = 2557
}

resource "aws_lambda_function" "settlement" {
  function_name = "payments-settlement"
  role          = aws_iam_role.settlement.arn
  filename      = "settlement.zip"
  handler       = "settlement.handler"
  runtime       = "python3.12"
  memory_size   = 256
  timeout       = 60

  environment {
    variables = {
      QUEUE_URL = aws_sqs_queue.settlement.url
    }
  }
}

resource "aws_ssm_parameter" "settlement_batch" {
  name  = "/payments/settlement/batch-size"
  type  = "String"
  value = "250"
}

resource "aws_ssm_parameter" "feature" {
  for_each = toset(["refunds", "instant-payouts"])
  name     = "/payments/feature/${each.key}"
  type     = "String"
  value    = "on"
}

# The pipeline's own role: only this repository's main branch may assume it.
resource "aws_iam_role" "deploy" {
  name = "payments-deploy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "token.actions.githubusercontent.com:sub" = "repo:acme/payments:ref:refs/heads/main" }
      }
    }]
  })
}

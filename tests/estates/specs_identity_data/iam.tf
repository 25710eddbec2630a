data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com", "ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "bare" {
  name   = "bare"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "*" }] })
}

resource "aws_iam_policy" "full" {
  name        = "full"
  path        = "/teams/payments/"
  description = "Reads the ledger"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Read", Effect = "Allow", Action = ["dynamodb:Query", "dynamodb:GetItem"], Resource = aws_dynamodb_table.full.arn },
      { Sid = "Say", Effect = "Allow", Action = "sns:Publish", Resource = [aws_sns_topic.full.arn] },
    ]
  })
  tags = { team = "payments" }
}

resource "aws_iam_role" "bare" {
  name               = "bare"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role" "full" {
  name                 = "full"
  path                 = "/teams/payments/"
  description          = "Runs the ledger"
  max_session_duration = 7200
  permissions_boundary = aws_iam_policy.bare.arn
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  tags                 = { team = "payments" }
}

# Its policies are declared in the role itself (deprecated, and still common).
resource "aws_iam_role" "inline" {
  name                = "inline"
  assume_role_policy  = data.aws_iam_policy_document.assume.json
  managed_policy_arns = [aws_iam_policy.bare.arn]

  inline_policy {
    name   = "within"
    policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = "*", Resource = "*" }] })
  }
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.full.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:*", Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "customer" {
  role       = aws_iam_role.full.name
  policy_arn = aws_iam_policy.full.arn
}

resource "aws_instance" "web" {
  ami                    = "ami-12c6146b"
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.public.id
  vpc_security_group_ids = [aws_security_group.web.id, aws_security_group.app.id]
  iam_instance_profile   = aws_iam_instance_profile.web.name
  source_dest_check      = false
  tags                   = { Name = "web" }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }
}

resource "aws_instance" "plain" {
  ami           = "ami-12c6146b"
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.private["a"].id
}

resource "aws_lambda_function" "orders" {
  function_name    = "orders"
  description      = "takes orders"
  role             = aws_iam_role.service.arn
  filename         = "${path.module}/handler.zip"
  source_code_hash = filebase64sha256("${path.module}/handler.zip")
  handler          = "handler.main"
  runtime          = "python3.12"
  architectures    = ["arm64"]
  memory_size      = 256
  timeout          = 30
  kms_key_arn      = aws_kms_key.data.arn
  layers           = [aws_lambda_layer_version.shared.arn]
  tags             = { Name = "orders" }

  environment {
    variables = { STAGE = "production", TOKEN = "not-for-the-log" }
  }

  vpc_config {
    subnet_ids         = [for subnet in aws_subnet.private : subnet.id]
    security_group_ids = [aws_security_group.app.id]
  }

  tracing_config {
    mode = "Active"
  }

  ephemeral_storage {
    size = 1024
  }
}

resource "aws_lambda_function" "plain" {
  function_name = "plain"
  role          = aws_iam_role.service.arn
  filename      = "${path.module}/handler.zip"
  handler       = "handler.main"
  runtime       = "python3.12"
}

resource "aws_lambda_layer_version" "shared" {
  layer_name = "shared"
  filename   = "${path.module}/handler.zip"
}

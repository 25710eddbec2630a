# An everyday root: modules, count, for_each, a dynamic block, ignore_changes, default_tags, an aliased provider, and
# every type that has a specification except the ones the provider waits long for.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true

  default_tags {
    tags = { Estate = "everyday" }
  }
}

provider "aws" {
  alias                       = "west"
  region                      = "us-west-2"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}

locals {
  ports = { https = 443, health = 8443 }
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "main" }
}

resource "aws_subnet" "main" {
  count      = 2
  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
}

resource "aws_security_group" "inline" {
  name        = "inline"
  description = "rules inside"
  vpc_id      = aws_vpc.main.id

  dynamic "ingress" {
    for_each = local.ports
    content {
      description = ingress.key
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["10.0.0.0/8", "192.168.0.0/16"]
    }
  }
}

resource "aws_security_group" "separate" {
  name        = "separate"
  description = "rules beside"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group_rule" "ranges" {
  type              = "ingress"
  security_group_id = aws_security_group.separate.id
  protocol          = "tcp"
  from_port         = 5432
  to_port           = 5432
  cidr_blocks       = ["10.1.0.0/16", "10.2.0.0/16"]
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  security_group_id            = aws_security_group.separate.id
  referenced_security_group_id = aws_security_group.inline.id
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.separate.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_instance" "main" {
  ami                    = "ami-12c6146b"
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.main[0].id
  vpc_security_group_ids = [aws_security_group.inline.id]
  tags                   = { Name = "main", Patch = "monday" }

  lifecycle {
    ignore_changes = [tags["Patch"]]
  }
}

resource "aws_s3_bucket" "data" {
  for_each = toset(["raw", "clean"])
  bucket   = "everyday-${each.key}"
}

resource "aws_s3_bucket_versioning" "raw" {
  bucket = aws_s3_bucket.data["raw"].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "raw" {
  bucket              = aws_s3_bucket.data["raw"].id
  block_public_acls   = true
  block_public_policy = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "raw" {
  bucket = aws_s3_bucket.data["raw"].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_policy" "raw" {
  bucket = aws_s3_bucket.data["raw"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::everyday-raw", "arn:aws:s3:::everyday-raw/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_kms_key" "main" {
  description             = "everyday"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_iam_policy" "read" {
  name   = "everyday-read"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:Get*", Resource = "*" }] })
}

module "worker" {
  source   = "./modules/worker"
  for_each = { a = 30, b = 60 }
  name     = "worker-${each.key}"
  timeout  = each.value
  policy   = aws_iam_policy.read.arn
}

resource "aws_sns_topic" "main" {
  name         = "everyday"
  display_name = "Everyday"
}

resource "aws_dynamodb_table" "main" {
  name         = "everyday"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_cloudwatch_log_group" "west" {
  provider          = aws.west
  name              = "/everyday/west"
  retention_in_days = 30
}

resource "aws_ssm_parameter" "plain" {
  name  = "/everyday/plain"
  type  = "String"
  value = "one"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/everyday/secret"
  type  = "SecureString"
  value = "canary-7f3a9c-everyday-secret"
}

# Every attribute that the EC2, Lambda, RDS, CloudWatch Logs and SSM specs compare, in more than one variant.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true

  default_tags {
    tags = { owner = "platform" }
  }
}

resource "aws_kms_key" "data" {
  description = "data at rest"
}

resource "aws_iam_role" "service" {
  name = "compute-service"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = ["ec2.amazonaws.com", "lambda.amazonaws.com"] }
    }]
  })
}

resource "aws_iam_instance_profile" "web" {
  name = "compute-web"
  role = aws_iam_role.service.name
}

# The code of plan.json: `terraform plan -refresh=false` of it against a state of its own, shown as JSON.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variable "token" {
  default   = "hunter2"
  sensitive = true
}

resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 60
  tags                       = { Name = "orders", Token = var.token }
}

resource "aws_sqs_queue" "new" {
  name              = "new"
  kms_master_key_id = aws_kms_key.new.arn
}

resource "aws_kms_key" "new" {
  description = "for the new queue"
}

resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  vpc_id      = "vpc-1"
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8", "192.168.0.0/16"]
  }
}

resource "aws_security_group" "api" {
  name   = "api"
  vpc_id = "vpc-1"
}

resource "aws_security_group_rule" "ssh" {
  security_group_id = aws_security_group.api.id
  type              = "ingress"
  from_port         = 22
  to_port           = 22
  protocol          = "tcp"
  cidr_blocks       = ["10.1.0.0/16"]
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = "sg-web"
  ip_protocol       = "tcp"
  from_port         = 8443
  to_port           = 8443
  cidr_ipv4         = "10.2.0.0/16"
}

resource "aws_instance" "web" {
  ami           = "ami-2"
  instance_type = "t3.micro"
}

resource "aws_ssm_parameter" "key" {
  name  = "/key"
  type  = "SecureString"
  value = "s3cret"
}


moved {
  from = aws_ssm_parameter.old
  to   = aws_ssm_parameter.key
}

locals {
  rules = { web = 80, tls = 443 }
  trust = <<-EOT
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
     "Principal": {"Service": "lambda.amazonaws.com"}}]}
  EOT
}

resource "aws_vpc" "main" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_security_group" "inline" {
  name   = "inline"
  vpc_id = aws_vpc.main.id
  dynamic "ingress" {
    for_each = local.rules
    content {
      description = ingress.key
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["10.0.0.0/8"]
    }
  }
}

resource "aws_security_group" "apart" {
  name   = "apart"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group_rule" "two" {
  security_group_id = aws_security_group.apart.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = ["192.168.1.0/24", "192.168.2.0/24"]
}

resource "aws_vpc_security_group_egress_rule" "one" {
  security_group_id = aws_security_group.apart.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_iam_role" "worker" {
  name               = "worker"
  assume_role_policy = local.trust
  inline_policy {
    name   = "read"
    policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::${var.token}/*" }] })
  }
}

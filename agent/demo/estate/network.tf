resource "aws_vpc" "payments" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "payments" }
}

resource "aws_subnet" "app" {
  for_each          = { a = "10.20.1.0/24", b = "10.20.2.0/24" }
  vpc_id            = aws_vpc.payments.id
  cidr_block        = each.value
  availability_zone = "us-east-1${each.key}"
  tags              = { Name = "payments-app-${each.key}" }
}

# Rules written inside the group.
resource "aws_security_group" "web" {
  name        = "payments-web"
  description = "Public HTTPS"
  vpc_id      = aws_vpc.payments.id

  ingress {
    description = "HTTPS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# Rules as resources of their own.
resource "aws_security_group" "database" {
  name        = "payments-database"
  description = "PostgreSQL from the application"
  vpc_id      = aws_vpc.payments.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each          = aws_subnet.app
  security_group_id = aws_security_group.database.id
  description       = "PostgreSQL from subnet ${each.key}"
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
  cidr_ipv4         = each.value.cidr_block
}

resource "aws_instance" "bastion" {
  ami                    = "ami-12c6146b"
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.app["a"].id
  vpc_security_group_ids = [aws_security_group.web.id]
  tags                   = { Name = "payments-bastion" }

  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}

resource "aws_vpc" "dark" {
  cidr_block         = "10.30.0.0/16"
  enable_dns_support = false
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.20.1.0/24"
  availability_zone       = "us-east-1a"
  map_public_ip_on_launch = true
  tags                    = { Name = "public" }
}

resource "aws_subnet" "private" {
  for_each          = { a = "10.20.2.0/24", b = "10.20.3.0/24" }
  vpc_id            = aws_vpc.main.id
  cidr_block        = each.value
  availability_zone = "us-east-1${each.key}"
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 2
}

# Rules written inline: one block of several sources, one of itself and another group.
resource "aws_security_group" "web" {
  name        = "web"
  description = "web servers"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "web" }

  ingress {
    description      = "HTTPS from the internet"
    protocol         = "tcp"
    from_port        = 443
    to_port          = 443
    cidr_blocks      = ["0.0.0.0/0", "192.0.2.0/24"]
    ipv6_cidr_blocks = ["::/0"]
  }

  ingress {
    protocol        = "tcp"
    from_port       = 8080
    to_port         = 8090
    self            = true
    security_groups = [aws_security_group.app.id]
  }

  ingress {
    protocol    = "icmp"
    from_port   = 8
    to_port     = -1
    cidr_blocks = ["10.20.0.0/16"]
  }

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# Rules as resources of their own, in the older form.
resource "aws_security_group" "app" {
  name_prefix = "app-"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group_rule" "app_office" {
  security_group_id = aws_security_group.app.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = ["198.51.100.0/24", "203.0.113.0/24"]
  description       = "offices"
}

resource "aws_security_group_rule" "app_prefix_list" {
  security_group_id = aws_security_group.app.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 5000
  to_port           = 5000
  prefix_list_ids   = [aws_ec2_managed_prefix_list.offices.id]
}

resource "aws_security_group_rule" "app_from_database" {
  security_group_id        = aws_security_group.app.id
  type                     = "ingress"
  protocol                 = "6"
  from_port                = 9000
  to_port                  = 9000
  source_security_group_id = aws_security_group.database.id
}

resource "aws_security_group_rule" "app_self" {
  security_group_id = aws_security_group.app.id
  type              = "ingress"
  protocol          = "all"
  from_port         = 0
  to_port           = 0
  self              = true
}

resource "aws_security_group_rule" "app_egress" {
  security_group_id = aws_security_group.app.id
  type              = "egress"
  protocol          = "-1"
  from_port         = 0
  to_port           = 65535
  cidr_blocks       = ["0.0.0.0/0"]
  ipv6_cidr_blocks  = ["::/0"]
}

# Rules as resources of their own, in the newer form.
resource "aws_security_group" "database" {
  name        = "database"
  description = "databases"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "database_from_app" {
  security_group_id            = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
  referenced_security_group_id = aws_security_group.app.id
  description                  = "MySQL"
}

resource "aws_vpc_security_group_ingress_rule" "database_from_itself" {
  security_group_id            = aws_security_group.database.id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.database.id
}

resource "aws_vpc_security_group_ingress_rule" "database_from_offices" {
  security_group_id = aws_security_group.database.id
  ip_protocol       = "udp"
  from_port         = 123
  to_port           = 123
  prefix_list_id    = aws_ec2_managed_prefix_list.offices.id
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id = aws_security_group.database.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "database_ipv6" {
  security_group_id = aws_security_group.database.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv6         = "2001:db8::/32"
}

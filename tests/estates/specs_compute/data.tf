resource "aws_db_subnet_group" "main" {
  name       = "main"
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_parameter_group" "orders" {
  name   = "orders"
  family = "mysql8.0"
}

# One, because moto gives all of them the same resource id, by which the provider looks its own up.
resource "aws_db_instance" "orders" {
  identifier                          = "orders"
  engine                              = "mysql"
  engine_version                      = "8.0"
  instance_class                      = "db.t3.micro"
  allocated_storage                   = 20
  max_allocated_storage               = 100
  storage_type                        = "gp3"
  storage_encrypted                   = true
  kms_key_id                          = aws_kms_key.data.arn
  db_name                             = "orders"
  username                            = "orders"
  password                            = "not-for-the-log"
  db_subnet_group_name                = aws_db_subnet_group.main.name
  parameter_group_name                = aws_db_parameter_group.orders.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  multi_az                            = true
  publicly_accessible                 = true
  backup_retention_period             = 14
  iam_database_authentication_enabled = true
  auto_minor_version_upgrade          = false
  copy_tags_to_snapshot               = true
  enabled_cloudwatch_logs_exports     = ["error", "audit"]
  monitoring_interval                 = 60
  monitoring_role_arn                 = aws_iam_role.service.arn
  skip_final_snapshot                 = true
  tags                                = { Name = "orders" }
}

resource "aws_cloudwatch_log_group" "orders" {
  name              = "/orders"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.data.arn
  tags              = { Name = "orders" }
}

resource "aws_cloudwatch_log_group" "plain" {
  name = "plain"
}

resource "aws_ssm_parameter" "stage" {
  name        = "/orders/stage"
  description = "where we are"
  type        = "String"
  value       = "production"
  tags        = { Name = "stage" }
}

resource "aws_ssm_parameter" "zones" {
  name  = "zones"
  type  = "StringList"
  value = "a,b"
  tier  = "Advanced"
}

resource "aws_ssm_parameter" "threshold" {
  name           = "/orders/threshold"
  type           = "String"
  insecure_value = "12"
}

resource "aws_ssm_parameter" "password" {
  name   = "/orders/password"
  type   = "SecureString"
  value  = "not-for-the-log"
  key_id = aws_kms_key.data.arn
}

resource "aws_ssm_parameter" "token" {
  name  = "/orders/token"
  type  = "SecureString"
  value = "not-for-the-log"
}

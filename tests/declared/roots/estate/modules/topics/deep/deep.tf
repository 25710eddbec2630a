variable "name" { type = string }
variable "token" { type = string }

resource "aws_sns_topic" "deep" {
  name = var.name
  tags = { Token = var.token }
}

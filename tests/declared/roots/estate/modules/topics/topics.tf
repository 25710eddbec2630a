variable "prefix" { type = string }
variable "token" { type = string }

resource "aws_sns_topic" "all" {
  for_each = toset(["one", "two"])
  name     = "${var.prefix}-${each.key}"
}

module "deep" {
  source = "./deep"
  name   = "${var.prefix}-deep"
  token  = var.token
}

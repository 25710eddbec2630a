resource "aws_ssm_parameter" "overridden" {
  value = "after"
  tags  = { From = "override" }
}

variable "from_default" {
  default = "overridden default"
}

locals {
  name = "over-${terraform.workspace}"
}

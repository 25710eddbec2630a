# What only planned expressions refer to: nothing of it is known before it is applied. The id itself is known not to be
# null; what is made of it here is not.
resource "terraform_data" "other" {}

locals {
  ud = jsondecode(terraform_data.other.id)
  us = tostring(local.ud)
  ul = [local.us, "a"]
  uo = { id = local.us, name = "n" }
  ub = tobool(local.ud)
  un = tonumber(local.ud)
}

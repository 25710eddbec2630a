# Keys that are hard to spell in an address.
locals {
  keys = [
    "plain", "", "a.b", "[0]", "sp ace", "q\"uote", "back\\slash", "new\nline", "tab\tstop", "return\r", "dollar$${x}",
    "percent%%{x}", "$", "uni-é", "emoji😀", "nbsp\u00a0", "bell\u0007", "tag\U000e0041", "soft\u00ad",
  ]
}

resource "terraform_data" "each" {
  for_each = toset(local.keys)
}

resource "terraform_data" "count" {
  count = 2
}

module "part" {
  for_each = toset(local.keys)
  source   = "./part"
}

module "two" {
  count  = 2
  source = "./part"
}

output "secret" {
  value     = "canary-e1b0"
  sensitive = true
}

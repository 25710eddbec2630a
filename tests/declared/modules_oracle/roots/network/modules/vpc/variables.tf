variable "create_vpc" {
  type    = bool
  default = true
}
variable "name" { type = string }
variable "cidr" { type = string }
variable "azs" { type = list(string) }
variable "private_subnets" {
  type    = list(string)
  default = []
}
variable "public_subnets" {
  type    = list(string)
  default = []
}
variable "database_subnets" {
  type    = list(string)
  default = []
}
variable "secondary_cidr_blocks" {
  type    = list(string)
  default = []
}
variable "private_subnet_tags" {
  type    = map(string)
  default = {}
}
variable "public_subnet_tags_per_az" {
  type    = map(map(string))
  default = {}
}
variable "public_subnet_suffix" {
  type     = string
  default  = "public"
  nullable = false
}
variable "single_nat_gateway" {
  type    = bool
  default = false
}
variable "manage_default_network_acl" {
  type    = bool
  default = true
}
variable "private_acl_inbound" {
  type    = list(map(string))
  default = []
}
variable "enable_dns_hostnames" {
  type    = bool
  default = true
}
variable "map_public_ip_on_launch" {
  type    = bool
  default = false
}
variable "create_igw" {
  type    = bool
  default = true
}
variable "tags" {
  type    = map(string)
  default = {}
}

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  len_public_subnets  = length(var.public_subnets)
  len_private_subnets = length(var.private_subnets)
  max_subnet_length   = max(local.len_private_subnets, local.len_public_subnets, length(var.database_subnets))
  vpc_id              = try(aws_vpc_ipv4_cidr_block_association.this[0].vpc_id, aws_vpc.this[0].id, "")
  create_public       = var.create_vpc && local.len_public_subnets > 0
  nat_gateway_count   = var.single_nat_gateway ? 1 : local.max_subnet_length
}

resource "aws_vpc" "this" {
  count = var.create_vpc ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_hostnames = var.enable_dns_hostnames
  enable_dns_support   = true
  instance_tenancy     = "default"

  tags = merge({ "Name" = var.name }, var.tags)
}

resource "aws_vpc_ipv4_cidr_block_association" "this" {
  count = var.create_vpc && length(var.secondary_cidr_blocks) > 0 ? length(var.secondary_cidr_blocks) : 0

  vpc_id     = aws_vpc.this[0].id
  cidr_block = element(var.secondary_cidr_blocks, count.index)
}

resource "aws_subnet" "public" {
  count = local.create_public && (!var.single_nat_gateway || local.len_public_subnets >= length(var.azs) || true) ? local.len_public_subnets : 0

  availability_zone       = length(regexall("^[a-z]{2}-", element(var.azs, count.index))) > 0 ? element(var.azs, count.index) : null
  availability_zone_id    = length(regexall("^[a-z]{2}-", element(var.azs, count.index))) == 0 ? element(var.azs, count.index) : null
  cidr_block              = element(concat(var.public_subnets, [""]), count.index)
  map_public_ip_on_launch = var.map_public_ip_on_launch
  vpc_id                  = local.vpc_id

  tags = merge(
    { Name = try(["x"][1], format("${var.name}-${var.public_subnet_suffix}-%s", element(var.azs, count.index))) },
    var.tags,
    lookup(var.public_subnet_tags_per_az, element(var.azs, count.index), {}),
  )
}

resource "aws_subnet" "private" {
  count = var.create_vpc ? local.len_private_subnets : 0

  availability_zone = var.azs[count.index % length(var.azs)]
  cidr_block        = var.private_subnets[count.index]
  vpc_id            = local.vpc_id

  tags = merge({ Name = "${var.name}-private-${count.index}" }, var.private_subnet_tags)
}

resource "aws_subnet" "database" {
  count      = length(var.database_subnets)
  cidr_block = var.database_subnets[count.index]
  vpc_id     = local.vpc_id
}

resource "aws_internet_gateway" "this" {
  count  = local.create_public && var.create_igw ? 1 : 0
  vpc_id = local.vpc_id
  tags   = { "Name" = var.name }
}

resource "aws_route_table" "private" {
  count  = var.create_vpc && local.max_subnet_length > 0 ? local.nat_gateway_count : 0
  vpc_id = local.vpc_id

  tags = merge(
    {
      "Name" = var.single_nat_gateway ? "${var.name}-private" : format("${var.name}-private-%s", element(var.azs, count.index))
    },
    var.tags,
  )
}

resource "aws_route_table_association" "private" {
  count = var.create_vpc ? local.len_private_subnets : 0

  subnet_id      = element(aws_subnet.private[*].id, count.index)
  route_table_id = element(aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "private" {
  count = var.create_vpc && length(var.private_acl_inbound) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_network_acl_rule" "private_inbound" {
  count = var.create_vpc ? length(var.private_acl_inbound) : 0

  network_acl_id = aws_network_acl.private[0].id
  egress         = false
  rule_number    = var.private_acl_inbound[count.index]["rule_number"]
  rule_action    = var.private_acl_inbound[count.index]["rule_action"]
  from_port      = lookup(var.private_acl_inbound[count.index], "from_port", null)
  to_port        = lookup(var.private_acl_inbound[count.index], "to_port", null)
  icmp_code      = lookup(var.private_acl_inbound[count.index], "icmp_code", null)
  protocol       = var.private_acl_inbound[count.index]["protocol"]
  cidr_block     = lookup(var.private_acl_inbound[count.index], "cidr_block", null)
}

output "vpc_id" {
  value = try(aws_vpc.this[0].id, null)
}

output "cidr" {
  value = one(aws_vpc.this[*].cidr_block)
}

output "private_subnets" {
  value = aws_subnet.private[*].id
}

output "private_subnet_cidrs" {
  value = compact(aws_subnet.private[*].cidr_block)
}

# A network module with counts that depend on lists, and security groups from maps of objects.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = {
      ManagedBy = "terraform"
      Workspace = terraform.workspace
    }
  }
}

locals {
  cidr  = "10.20.0.0/16"
  zones = formatlist("us-east-1%s", ["a", "b", "c"])
}

module "vpc" {
  source = "./modules/vpc"

  name = "main"
  cidr = local.cidr
  azs  = local.zones

  private_subnets  = [for i, az in local.zones : cidrsubnet(local.cidr, 8, i)]
  public_subnets   = cidrsubnets(cidrsubnet(local.cidr, 4, 15), 4, 4)
  database_subnets = []

  private_subnet_tags        = { tier = "private" }
  public_subnet_tags_per_az  = { "us-east-1a" = { first = "yes" } }
  single_nat_gateway         = true
  secondary_cidr_blocks      = ["10.21.0.0/16"]
  manage_default_network_acl = false
  private_acl_inbound        = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }]
  enable_dns_hostnames       = "true"
  map_public_ip_on_launch    = true
  public_subnet_suffix       = null
  create_igw                 = true
}

module "quiet" {
  source     = "./modules/vpc"
  create_vpc = false
  name       = "quiet"
  cidr       = "10.30.0.0/16"
  azs        = []
}

module "groups" {
  source   = "./modules/group"
  for_each = local.groups

  name    = each.key
  vpc_id  = module.vpc.vpc_id
  rules   = each.value.rules
  inline  = lookup(each.value, "inline", [])
  sources = { vpc = module.vpc.cidr, office = "192.0.2.0/24" }
}

locals {
  groups = {
    web = {
      rules = {
        https = { from_port = 443, source = "office" }
        http  = { from_port = 80, to_port = 81, description = "plain" }
      }
    }
    db = {
      rules = {
        postgres = { from_port = "5432", protocol = "tcp" }
      }
      inline = [
        { ports = [22], cidrs = ["192.0.2.1/32"] },
        { ports = [8080, 8090], cidrs = ["198.51.100.0/24", "192.0.2.0/24"], description = "admin" },
      ]
    }
    empty = { rules = {} }
  }
}

resource "aws_instance" "bastion" {
  for_each = { for index, id in slice(local.zones, 0, 2) : id => index }

  ami                    = "ami-12c6146b"
  instance_type          = each.value == 0 ? "t3.small" : "t3.micro"
  subnet_id              = element(module.vpc.private_subnets, each.value)
  vpc_security_group_ids = [module.groups["web"].id, module.groups["db"].id]
  user_data              = <<-EOT
    #!/bin/sh
    %{for port in [22, 2222]~}
    open ${port}
    %{endfor~}
    echo "${upper(each.key)}"
  EOT

  dynamic "ebs_block_device" {
    for_each = each.value == 0 ? { b = 10, c = 20 } : {}
    iterator = disk
    content {
      device_name = "/dev/sd${disk.key}"
      volume_size = disk.value
      encrypted   = true
    }
  }

  root_block_device {
    volume_size = 8 + each.value
  }

  tags = { Name = "bastion-${each.key}" }

  lifecycle {
    ignore_changes = [ami, tags["Patched"]]
  }
}

moved {
  from = aws_instance.jump
  to   = aws_instance.bastion
}

output "subnets" {
  value = module.vpc.private_subnet_cidrs
}

output "nothing" {
  value = module.quiet.vpc_id
}

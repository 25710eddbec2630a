# driftwarden on an EC2 instance that nobody logs in to: no SSH, Session Manager alone, encrypted disk, IMDSv2.
#
# The machine has a role of its own. Session Manager needs permissions that driftwarden shall not have, so driftwarden
# assumes the role of the module, which only reads.

terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = var.name }
  }
}

data "aws_partition" "current" {}

locals {
  units = "${path.module}/../../../systemd"

  configuration = join("\n", [module.driftwarden.configuration, var.configuration])

  # Of cloud-init: https://docs.aws.amazon.com/linux/al2023/ug/cloud-init.html
  user_data = join("\n", ["#cloud-config", yamlencode({
    packages = ["python3.11", "python3.11-pip", "git-core", "openssh-clients"]
    write_files = [
      {
        path    = "/etc/systemd/system/driftwarden.service"
        content = file("${local.units}/driftwarden.service")
      },
      {
        path    = "/etc/systemd/system/driftwarden.service.d/aws-instance-role.conf"
        content = file("${local.units}/drop-ins/aws-instance-role.conf")
      },
      {
        path    = "/usr/lib/tmpfiles.d/driftwarden.conf"
        content = file("${local.units}/driftwarden.tmpfiles.conf")
      },
      {
        path    = "/etc/driftwarden/driftwarden.toml"
        content = local.configuration
      },
      {
        path        = "/usr/local/sbin/install-driftwarden"
        permissions = "0755"
        content     = file("${path.module}/install.sh")
      },
    ]
    runcmd = [["/usr/local/sbin/install-driftwarden", var.package]]
  })])
}

# --- what it may do

module "driftwarden" {
  source = "../../modules/driftwarden"

  name              = var.name
  trusted_role_arns = [local.host_role_arn]
  states            = var.states
  # Roles of other accounts are assumed by the machine's role; those of backends by driftwarden's.
  assumable_role_arns = []
  evidence_mode       = var.evidence_mode
}

data "aws_caller_identity" "current" {}

locals {
  # Written out, not asked of the resource: the two roles name each other.
  host_role_arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${var.name}-host"
}

resource "aws_iam_role" "host" {
  name        = "${var.name}-host"
  description = "The machine driftwarden runs on"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "host" {
  name = "assume-driftwarden"
  role = aws_iam_role.host.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = concat([module.driftwarden.role_arn], var.member_role_arns)
    }]
  })
}

# What Session Manager needs, and no more: AmazonSSMManagedInstanceCore may also read every parameter.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
resource "aws_iam_role_policy" "session_manager" {
  name = "session-manager"
  role = aws_iam_role.host.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
      ]
      # None of them can be narrowed to a resource.
      Resource = "*"
    }]
  })
}

resource "aws_iam_instance_profile" "host" {
  name = "${var.name}-host"
  role = aws_iam_role.host.name
}

# --- the machine

data "aws_subnet" "this" {
  id = var.subnet_id
}

data "aws_ssm_parameter" "image" {
  count = var.image_id == "" ? 1 : 0

  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

resource "aws_security_group" "host" {
  name        = "${var.name}-host"
  description = "driftwarden: nothing comes in, HTTPS goes out"
  vpc_id      = data.aws_subnet.this.vpc_id

  egress {
    description = "AWS, the ticket system, Git over HTTPS"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "this" {
  count = var.instances

  ami                     = var.image_id == "" ? nonsensitive(data.aws_ssm_parameter.image[0].value) : var.image_id
  instance_type           = var.instance_type
  subnet_id               = var.subnet_id
  vpc_security_group_ids  = [aws_security_group.host.id]
  iam_instance_profile    = aws_iam_instance_profile.host.name
  disable_api_termination = true
  user_data_base64        = base64gzip(local.user_data)

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = var.disk_gb
    # The store is on it. Back it up all the same: `driftwarden db backup`, or snapshots.
    delete_on_termination = false
  }

  tags = { Name = var.name }

  lifecycle {
    # A newer image is no reason to replace the machine that has the store.
    ignore_changes = [ami, user_data_base64]
  }
}

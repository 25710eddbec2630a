terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws.here, aws.there]
    }
  }
}

variable "name" {
  type = string
}

variable "members" {
  type = list(string)
}

resource "aws_sns_topic" "here" {
  provider = aws.here
  name     = "${var.name}-here"
  tags     = { Members = join("+", var.members), Site = "own" }
}

resource "aws_sns_topic" "there" {
  provider = aws.there
  count    = length(var.members)
  name     = "${var.name}-there-${var.members[count.index]}"
}

module "deeper" {
  source    = "./one"
  providers = { aws = aws.there }
  name      = "${var.name}-deeper"
}

output "names" {
  value = concat([aws_sns_topic.here.name], aws_sns_topic.there.*.name, [module.deeper.name])
}

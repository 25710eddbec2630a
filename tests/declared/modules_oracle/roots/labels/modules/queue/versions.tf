terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" {
  type = string
}

variable "context" {
  type = any
}

module "this" {
  source     = "../label"
  name       = var.name
  attributes = ["x"]
  context    = var.context
}

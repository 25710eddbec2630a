mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
}

mock_provider "aws" {
  alias = "west"

  mock_data "aws_region" {
    defaults = { name = "us-west-2" }
  }
}

mock_provider "aws" {
  alias = "bare"

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
}

run "plan" {
  command = plan
}

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1", id = "us-east-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Mocked\":true}" }
  }
}

run "plan" {
  command = plan
}

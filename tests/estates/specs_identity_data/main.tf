# Every type of IAM, S3, KMS, SNS, SQS and DynamoDB that has a spec: bare, and with all that the spec compares set.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false

  default_tags {
    tags = { estate = "identity-data" }
  }
}

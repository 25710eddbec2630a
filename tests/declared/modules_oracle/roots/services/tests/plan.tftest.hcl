mock_provider "aws" {}

run "plan" {
  command = plan
}

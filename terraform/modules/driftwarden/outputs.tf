output "role_arn" {
  description = "The role that reads."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Its name."
  value       = aws_iam_role.this.name
}

output "policy" {
  description = "Its policy, as JSON."
  value       = module.permissions.json
}

output "instance_profile_name" {
  description = "Instance profile of the role; null where none was asked for."
  value       = one(aws_iam_instance_profile.this[*].name)
}

output "trail_bucket" {
  description = "Bucket of the log files; empty where there is none."
  value       = local.trail_bucket
}

output "trail_sources" {
  description = "For `[trail] source`. LookupEvents is asked where there is no bucket."
  value       = local.sources
}

output "queue_url" {
  description = "Queue of events; null where none was asked for."
  value       = one(module.events[*].queue_url)
}

output "dead_letter_queue_arn" {
  description = "What could not be delivered; watch it. Null where none was asked for."
  value       = one(module.events[*].dead_letter_queue_arn)
}

output "evidence_bucket" {
  description = "Bucket for evidence; null where none was asked for."
  value       = local.evidence_bucket
}

output "configuration" {
  description = "The beginning of a driftwarden.toml: account, regions and trail. Stacks, tickets and authority are yours."
  value       = local.configuration
}

locals {
  sources = concat(
    module.events[*].source,
    local.trail_bucket == "" ? ["lookup"] : [trim("s3://${local.trail_bucket}/${local.trail_prefix}", "/")],
  )

  configuration = join("\n", concat(
    [
      "[[account]]",
      "id = ${jsonencode(local.account)}",
      "regions = ${jsonencode([local.region])}",
    ],
    # Where the machine runs with the role itself, its credentials are found without a word.
    var.instance_profile ? [] : ["role_arn = ${jsonencode(aws_iam_role.this.arn)}"],
    [
      "",
      "[trail]",
      "source = ${jsonencode(local.sources)}",
      "validate = ${local.trail_bucket != "" && var.create_trail}",
      "",
    ],
  ))
}

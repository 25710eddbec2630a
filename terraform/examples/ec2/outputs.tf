output "role_arn" {
  description = "The role that reads."
  value       = module.driftwarden.role_arn
}

output "host_role_arn" {
  description = "The machine's role: agent_role_arns of modules/member."
  value       = aws_iam_role.host.arn
}

output "configuration" {
  description = "The driftwarden.toml on the machine."
  value       = local.configuration
}

output "user_data" {
  description = "What cloud-init is told."
  value       = local.user_data
}

output "evidence_bucket" {
  description = "Bucket for evidence."
  value       = module.driftwarden.evidence_bucket
}

output "session" {
  description = "How to get to the machine."
  value       = [for one in aws_instance.this : "aws ssm start-session --target ${one.id}"]
}

output "role_arn" {
  description = "The role; give it to assumable_role_arns, or to whoever runs driftwarden."
  value       = aws_iam_role.this.arn
}

output "policy" {
  description = "Its policy, as JSON."
  value       = module.permissions.json
}

output "configuration" {
  description = "The account's table in driftwarden.toml; regions are yours."
  value = join("\n", [
    "[[account]]",
    "id = ${jsonencode(data.aws_caller_identity.current.account_id)}",
    "role_arn = ${jsonencode(aws_iam_role.this.arn)}",
    "external_id = ${jsonencode(var.external_id)}",
    "",
  ])
}

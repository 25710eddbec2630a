resource "aws_iam_role" "worker" {
  description = "set in an override file"
  lifecycle {
    ignore_changes = [max_session_duration]
  }
}

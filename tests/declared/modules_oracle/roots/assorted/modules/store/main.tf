variable "name" {
  type = string
}

variable "enabled" {
  type = bool
}

resource "aws_dynamodb_table" "this" {
  count = var.enabled ? 1 : 0

  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  dynamic "attribute" {
    for_each = { id = "S", at = "N" }
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  global_secondary_index {
    name            = "by-time"
    hash_key        = "at"
    projection_type = "ALL"
  }

  point_in_time_recovery {
    enabled = true
  }

  lifecycle {
    prevent_destroy = false
    ignore_changes  = all
  }
}

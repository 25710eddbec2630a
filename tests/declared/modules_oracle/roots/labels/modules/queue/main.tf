variable "delay" {
  type     = number
  default  = 5
  nullable = false
}

variable "topics" {
  type = map(string)
}

resource "aws_sqs_queue" "this" {
  name          = join("_", [module.this.id, "q"])
  delay_seconds = var.delay

  tags = merge(module.this.tags, { for key, name in var.topics : "topic-${key}" => name })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${aws_sqs_queue.this.name}_dead"
  message_retention_seconds = 14 * 24 * 3600
  tags                      = aws_sqs_queue.this.tags
}

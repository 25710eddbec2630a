resource "aws_sns_topic" "now" {
  name = "${basename(path.module)}-topic"
}

moved {
  from = aws_sns_topic.then
  to   = aws_sns_topic.now
}

resource "aws_sqs_queue" "this" {
  name                       = "moved"
  visibility_timeout_seconds = "45"
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 4
  })
}

resource "aws_sqs_queue" "dead" {
  name = "moved-dead"
}

output "queue_url" {
  description = "The queue; `eventbridge:` and this is a source of [trail]."
  value       = aws_sqs_queue.events.url
}

output "queue_arn" {
  description = "The queue's ARN, which the role may work off."
  value       = aws_sqs_queue.events.arn
}

output "dead_letter_queue_arn" {
  description = "What could not be delivered or read."
  value       = aws_sqs_queue.dead_letters.arn
}

output "source" {
  description = "For `[trail] source`."
  value       = "eventbridge:${aws_sqs_queue.events.url}"
}

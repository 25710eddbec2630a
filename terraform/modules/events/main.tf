# Changes of one region, seconds after they are made: EventBridge sends CloudTrail's events to a queue.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  # The provider's version 6 calls it `region`; the deprecated `name` is in both.
  region = data.aws_region.current.name

  queues = {
    events       = "${var.name}-events"
    dead_letters = "${var.name}-events-dead-letters"
  }
  rule_arns = [for rule in aws_cloudwatch_event_rule.this : rule.arn]

  # Only the rules may send, and nobody without TLS: what is in the queue is taken for what AWS saw.
  policies = {
    for key, name in local.queues : key => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for statement in [
          {
            Sid       = "EventsOfTheRules"
            Effect    = "Allow"
            Principal = { Service = "events.amazonaws.com" }
            Action    = "sqs:SendMessage"
            Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arns } }
          },
          {
            Sid       = "NobodyElse"
            Effect    = "Deny"
            Principal = "*"
            Action    = "sqs:SendMessage"
            Condition = { ArnNotEquals = { "aws:SourceArn" = local.rule_arns } }
          },
          {
            Sid       = "OnlyByTls"
            Effect    = "Deny"
            Principal = "*"
            Action    = "sqs:*"
            Condition = { Bool = { "aws:SecureTransport" = "false" } }
          },
        ] :
        merge(statement, { Resource = "arn:${data.aws_partition.current.partition}:sqs:${local.region}:${local.account}:${name}" })
      ]
    })
  }

  # Calls that only read never come over EventBridge's default bus unless a rule asks for them, and none does here.
  patterns = {
    changes = {
      description = "Calls that change something"
      pattern     = { detail-type = ["AWS API Call via CloudTrail"], detail = { readOnly = [false] } }
    }
    others = {
      description = "Who signed in to the console, and what services did by themselves"
      pattern     = { detail-type = ["AWS Console Sign In via CloudTrail", "AWS Service Event via CloudTrail"] }
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.patterns

  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(merge(each.value.pattern, { account = [local.account] }))
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = aws_cloudwatch_event_rule.this

  rule      = each.value.name
  target_id = "queue"
  arn       = aws_sqs_queue.events.arn

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

# The policies are part of the queues and no resources of their own, so that there is no moment without them.
resource "aws_sqs_queue" "dead_letters" {
  name                      = local.queues.dead_letters
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  policy                    = local.policies.dead_letters
  tags                      = var.tags
}

resource "aws_sqs_queue" "events" {
  name                       = local.queues.events
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 120
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  policy                     = local.policies.events
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

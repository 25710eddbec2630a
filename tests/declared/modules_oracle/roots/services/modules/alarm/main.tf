variable "name" {
  type = string
}

variable "threshold" {
  type = number
}

variable "actions" {
  type = list(string)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  alarm_name          = var.name
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  threshold           = var.threshold
  metric_name         = title(element(split("-", var.name), 1))
  namespace           = "Services"
  period              = 60
  statistic           = "Sum"
  alarm_actions       = length(var.actions) > 1 ? var.actions : []
  dimensions          = { Service = split("-", var.name)[0] }
}

output "name" {
  value = aws_cloudwatch_metric_alarm.this.alarm_name
}

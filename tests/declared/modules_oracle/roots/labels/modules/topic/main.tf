resource "aws_sns_topic" "this" {
  name         = module.this.id
  display_name = substr(title(replace(module.this.id, "-", " ")), 0, 20)
  tags         = module.this.tags
}

output "name" {
  value = aws_sns_topic.this.name
}

output "arn" {
  value = aws_sns_topic.this.arn
}

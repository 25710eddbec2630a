variable "partition" {
  description = "Partition of the ARNs: aws, aws-us-gov, aws-cn."
  type        = string
  default     = "aws"
}

variable "states" {
  description = "States in S3 that are read: bucket, and the object's key, which may end in a wildcard."
  type = list(object({
    bucket = string
    key    = string
  }))
  default = []

  validation {
    condition     = alltrue([for state in var.states : !strcontains(state.bucket, "*") && state.bucket != "" && state.key != ""])
    error_message = "A state has a bucket, written out, and a key: { bucket = \"acme-states\", key = \"live/*\" }."
  }
}

variable "state_lock_table_arns" {
  description = "DynamoDB tables that hold locks and checksums of states."
  type        = list(string)
  default     = []
}

variable "trail_buckets" {
  description = "Buckets with CloudTrail's log files; prefix is what stands before AWSLogs/."
  type = list(object({
    bucket = string
    prefix = optional(string, "")
  }))
  default = []
}

variable "queue_arns" {
  description = "Queues that bring events, or news of log files."
  type        = list(string)
  default     = []
}

variable "dead_letter_queue_arns" {
  description = "Queues of what could not be delivered; driftwarden counts what is in them."
  type        = list(string)
  default     = []
}

variable "kms_key_arns" {
  description = "KMS keys that encrypt states, log files and queues."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex(":kms:[a-z0-9-]+:[0-9]{12}:key/", arn))])
    error_message = "Name each key by its ARN: arn:aws:kms:eu-west-1:111122223333:key/…; a wildcard would decrypt everything."
  }
}

variable "identity_center" {
  description = "Whether people and groups are read from IAM Identity Center."
  type        = bool
  default     = false
}

variable "organizations" {
  description = "Whether the names of accounts are read from Organizations."
  type        = bool
  default     = false
}

variable "calendar_arns" {
  description = "SSM Change Calendars: ARNs of their documents."
  type        = list(string)
  default     = []
}

variable "assumable_role_arns" {
  description = "Roles that may be assumed: those of other accounts, and of backends."
  type        = list(string)
  default     = []
}

variable "evidence_bucket_arns" {
  description = "Buckets that evidence is put into."
  type        = list(string)
  default     = []
}

variable "name" {
  description = "Name of the role, and beginning of all other names."
  type        = string
  default     = "driftwarden"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "A name has 2 to 21 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

# --- who runs it

variable "instance_profile" {
  description = "Whether EC2 instances may run with the role itself. Not needed where another role assumes it."
  type        = bool
  default     = false
}

variable "trusted_role_arns" {
  description = "Roles that may assume the role: that of the machine, or of a container."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.trusted_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "Name each role in full, without wildcards: arn:aws:iam::111122223333:role/runner."
  }
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary; empty: none."
  type        = string
  default     = ""
}

variable "assumable_role_arns" {
  description = "Roles driftwarden assumes: those that modules/member made in other accounts, and of backends."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.assumable_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "Name each role in full, without wildcards: arn:aws:iam::111122223333:role/driftwarden."
  }
}

# --- what it reads

variable "states" {
  description = "States in S3: bucket, and the object's key, which may end in a wildcard."
  type = list(object({
    bucket = string
    key    = string
  }))
  default = []
}

variable "state_lock_table_arns" {
  description = "DynamoDB tables that hold locks and checksums of states."
  type        = list(string)
  default     = []
}

variable "kms_key_arns" {
  description = "KMS keys that encrypt states, log files and queues; trail_kms_key_arn need not be repeated."
  type        = list(string)
  default     = []
}

variable "identity_center" {
  description = "Whether people and groups are read from IAM Identity Center, as [identities] identity_center asks."
  type        = bool
  default     = false
}

variable "organizations" {
  description = "Whether the names of accounts are read from Organizations, as [identities] organizations asks."
  type        = bool
  default     = false
}

variable "calendar_arns" {
  description = "SSM Change Calendars, as [authority] calendars names them: ARNs of their documents."
  type        = list(string)
  default     = []
}

# --- the trail

variable "create_trail" {
  description = "Whether a trail of all regions and its bucket are made."
  type        = bool
  default     = true
}

variable "trail_bucket" {
  description = "Bucket of a trail that is there already, where none is made; empty: LookupEvents and queues alone."
  type        = string
  default     = ""
}

variable "trail_prefix" {
  description = "What stands before AWSLogs/ in the bucket."
  type        = string
  default     = ""
}

variable "trail_kms_key_arn" {
  description = "KMS key of the log files; its policy must let CloudTrail use it. Empty: S3's own encryption."
  type        = string
  default     = ""

  validation {
    condition     = var.trail_kms_key_arn == "" || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.trail_kms_key_arn))
    error_message = "Name the key by its ARN: arn:aws:kms:eu-west-1:111122223333:key/…"
  }
}

variable "trail_retention_days" {
  description = "How long log files are kept. PCI DSS asks for a year."
  type        = number
  default     = 400

  validation {
    condition     = var.trail_retention_days >= 90 && floor(var.trail_retention_days) == var.trail_retention_days
    error_message = "Keep log files for 90 days or more."
  }
}

variable "organization_id" {
  description = "Id of the organisation (o-…) where the trail is to be that of all its accounts: in the management account alone."
  type        = string
  default     = ""

  validation {
    condition     = var.organization_id == "" || can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "The id of an organisation looks like o-a1b2c3d4e5."
  }
}

# --- events

variable "create_events" {
  description = "Whether EventBridge rules and a queue are made in the provider's region; modules/events makes those of others."
  type        = bool
  default     = true
}

variable "queue_arns" {
  description = "Further queues the role works off: of modules/events in other regions, of a bucket's notifications."
  type        = list(string)
  default     = []
}

variable "dead_letter_queue_arns" {
  description = "Dead letters of those queues."
  type        = list(string)
  default     = []
}

# --- evidence

variable "create_evidence" {
  description = "Whether a bucket with Object Lock is made for evidence."
  type        = bool
  default     = true
}

variable "evidence_mode" {
  description = "GOVERNANCE: whoever has s3:BypassGovernanceRetention may still delete. COMPLIANCE: nobody, the account's root included, until the time is over."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.evidence_mode)
    error_message = "The mode is GOVERNANCE or COMPLIANCE."
  }
}

variable "evidence_retention_days" {
  description = "How long evidence is locked: seven years."
  type        = number
  default     = 2557

  validation {
    condition     = var.evidence_retention_days >= 1 && floor(var.evidence_retention_days) == var.evidence_retention_days
    error_message = "Lock evidence for whole days, one or more."
  }
}

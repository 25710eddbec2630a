variable "name" {
  description = "Name of the role."
  type        = string
  default     = "driftwarden"

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "The name of a role has at most 64 letters, digits and +=,.@_-."
  }
}

variable "agent_role_arns" {
  description = "Who may assume the role: the credentials that driftwarden starts with, and no others."
  type        = list(string)

  validation {
    condition     = length(var.agent_role_arns) > 0 && alltrue([for arn in var.agent_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "Name at least one role in full, without wildcards: arn:aws:iam::111122223333:role/driftwarden-host."
  }
}

variable "external_id" {
  description = "What [[account]] external_id says. No secret, and unlike that of any other account: it keeps others who use the same credentials out."
  type        = string

  validation {
    condition     = length(var.external_id) >= 16 && length(var.external_id) <= 1224 && can(regex("^[A-Za-z0-9+=,.@:/_-]+$", var.external_id))
    error_message = "An external id has 16 to 1,224 letters, digits and +=,.@:/_-."
  }
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary; empty: none."
  type        = string
  default     = ""
}

variable "states" {
  description = "States in S3 that are read with this role, where a backend block names it."
  type = list(object({
    bucket = string
    key    = string
  }))
  default = []
}

variable "state_lock_table_arns" {
  description = "DynamoDB tables that hold locks and checksums of those states."
  type        = list(string)
  default     = []
}

variable "kms_key_arns" {
  description = "KMS keys that encrypt those states."
  type        = list(string)
  default     = []
}

variable "identity_center" {
  description = "Whether people and groups are read with this role: in the management account or a delegated one."
  type        = bool
  default     = false
}

variable "organizations" {
  description = "Whether the names of accounts are read with this role: in the management account or a delegated one."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

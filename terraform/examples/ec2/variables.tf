variable "name" {
  description = "Beginning of all names."
  type        = string
  default     = "driftwarden"
}

variable "region" {
  description = "Region of the machine, the trail and the queue."
  type        = string
  default     = "eu-west-1"
}

variable "subnet_id" {
  description = "Subnet with a way to AWS's endpoints and to your ticket system: NAT, or VPC endpoints. It needs no public address."
  type        = string
}

variable "package" {
  description = "What pip installs: `driftwarden[fast,cel] @ https://…/driftwarden-0.1.0-py3-none-any.whl#sha256=…`. The digest is required."
  type        = string

  validation {
    condition     = can(regex("^driftwarden(\\[[a-z,]+\\])? @ https://\\S+\\.whl#sha256=[0-9a-f]{64}$", var.package))
    error_message = "Write `driftwarden[fast,cel] @ https://…/driftwarden-0.1.0-py3-none-any.whl#sha256=…`, with the wheel's SHA-256."
  }
}

variable "configuration" {
  description = "The rest of driftwarden.toml: stacks, tickets, authority. Account and trail are written by themselves."
  type        = string
  default     = ""
}

variable "states" {
  description = "States in S3 that the stacks have."
  type = list(object({
    bucket = string
    key    = string
  }))
  default = []
}

variable "member_role_arns" {
  description = "Roles in other accounts, made by modules/member for the machine's role."
  type        = list(string)
  default     = []
}

variable "evidence_mode" {
  description = "GOVERNANCE or COMPLIANCE."
  type        = string
  default     = "GOVERNANCE"
}

variable "instances" {
  description = "1, or 0 for everything but the machine. Two would wait for one another: one store has one daemon."
  type        = number
  default     = 1

  validation {
    condition     = contains([0, 1], var.instances)
    error_message = "Run one, or none."
  }
}

variable "instance_type" {
  description = "Two gigabytes do for some thousand resources."
  type        = string
  default     = "t3.small"
}

variable "image_id" {
  description = "Image with systemd 252 or later and Python 3.11; empty: the newest Amazon Linux 2023."
  type        = string
  default     = ""
}

variable "disk_gb" {
  description = "Size of the encrypted disk."
  type        = number
  default     = 30
}

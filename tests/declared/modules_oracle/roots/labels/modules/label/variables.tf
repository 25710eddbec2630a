variable "context" {
  type    = any
  default = {}

  validation {
    condition     = can(keys(var.context))
    error_message = "The context must be an object."
  }
}

variable "enabled" {
  type    = bool
  default = null
}

variable "namespace" {
  type    = string
  default = null
}

variable "environment" {
  type    = string
  default = null
}

variable "stage" {
  type    = string
  default = null
}

variable "name" {
  type    = string
  default = null
}

variable "delimiter" {
  type    = string
  default = null
}

variable "attributes" {
  type    = list(string)
  default = []
}

variable "label_order" {
  type    = list(string)
  default = null
}

variable "id_length_limit" {
  type    = number
  default = null

  validation {
    condition     = var.id_length_limit == null ? true : var.id_length_limit >= 6 || var.id_length_limit == 0
    error_message = "The limit must be at least 6, or 0 for none."
  }
}

variable "additional_tag_map" {
  type    = map(string)
  default = { propagate_at_launch = true }
}

variable "tags" {
  type    = map(string)
  default = {}
}

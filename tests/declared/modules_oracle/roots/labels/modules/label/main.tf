locals {
  defaults = {
    label_order         = ["namespace", "environment", "stage", "name", "attributes"]
    regex_replace_chars = "/[^-a-zA-Z0-9]/"
    delimiter           = "-"
    replacement         = ""
    id_length_limit     = 0
    id_hash_length      = 5
    label_key_case      = "title"
    label_value_case    = "lower"
  }

  replacement = local.defaults.replacement

  input = {
    enabled     = var.enabled == null ? try(var.context.enabled, true) : var.enabled
    namespace   = var.namespace == null ? lookup(var.context, "namespace", null) : var.namespace
    environment = var.environment == null ? lookup(var.context, "environment", null) : var.environment
    stage       = var.stage == null ? lookup(var.context, "stage", null) : var.stage
    name        = var.name == null ? lookup(var.context, "name", null) : var.name
    delimiter   = var.delimiter == null ? lookup(var.context, "delimiter", null) : var.delimiter
    attributes  = compact(distinct(concat(coalesce(lookup(var.context, "attributes", []), []), coalesce(var.attributes, []))))
    tags        = merge(lookup(var.context, "tags", {}), var.tags)
    label_order = var.label_order == null ? lookup(var.context, "label_order", null) : var.label_order
    id_length_limit = (
      var.id_length_limit == null ? lookup(var.context, "id_length_limit", null) : var.id_length_limit
    )
  }

  enabled             = local.input.enabled
  regex_replace_chars = coalesce(lookup(var.context, "regex_replace_chars", null), local.defaults.regex_replace_chars)

  string_label_names = ["namespace", "environment", "stage", "name"]
  normalized_labels = { for k in local.string_label_names : k =>
    local.input[k] == null ? "" : replace(local.input[k], local.regex_replace_chars, local.replacement)
  }
  normalized_attributes = compact(distinct([for v in local.input.attributes : replace(v, local.regex_replace_chars, local.replacement)]))

  formatted_labels = { for k in local.string_label_names : k => local.label_value_case == "none" ? local.normalized_labels[k] :
    local.label_value_case == "title" ? title(lower(local.normalized_labels[k])) :
    local.label_value_case == "upper" ? upper(local.normalized_labels[k]) : lower(local.normalized_labels[k])
  }
  label_value_case = local.defaults.label_value_case

  attributes = compact(distinct([
    for v in local.normalized_attributes : (local.label_value_case == "lower" ? lower(v) : v)
  ]))

  namespace   = local.formatted_labels["namespace"]
  environment = local.formatted_labels["environment"]
  stage       = local.formatted_labels["stage"]
  name        = local.formatted_labels["name"]

  delimiter       = local.input.delimiter == null ? local.defaults.delimiter : local.input.delimiter
  label_order     = local.input.label_order == null ? local.defaults.label_order : coalescelist(local.input.label_order, local.defaults.label_order)
  id_length_limit = local.input.id_length_limit == null ? local.defaults.id_length_limit : local.input.id_length_limit

  id_context = merge({ for k in local.string_label_names : k => local.formatted_labels[k] }, {
    attributes = join(local.delimiter, local.attributes)
  })
  labels  = [for l in local.label_order : local.id_context[l] if length(local.id_context[l]) > 0]
  id_full = join(local.delimiter, local.labels)

  delimiter_length     = length(local.delimiter)
  id_truncated_length  = local.id_length_limit - (local.defaults.id_hash_length + local.delimiter_length)
  id_truncated         = local.id_truncated_length <= 0 ? "" : "${trimsuffix(substr(local.id_full, 0, local.id_truncated_length), local.delimiter)}${local.delimiter}"
  id_hash_plus         = "${md5(local.id_full)}qrstuvwxyz"
  id_hash_case         = local.label_value_case == "title" ? title(local.id_hash_plus) : local.id_hash_plus
  id_hash              = replace(local.id_hash_case, local.regex_replace_chars, local.replacement)
  id_short             = substr("${local.id_truncated}${local.id_hash}", 0, local.id_length_limit)
  id                   = local.id_length_limit != 0 && length(local.id_full) > local.id_length_limit ? local.id_short : local.id_full
  tags_context         = merge(local.id_context, { name = local.id })
  generated_tags       = { for l in setsubtract(keys(local.tags_context), ["tenant"]) : title(l) => local.tags_context[l] if length(local.tags_context[l]) > 0 }
  tags                 = merge(local.generated_tags, local.input.tags)
  tags_as_list_of_maps = flatten([for key in keys(local.tags) : merge({ key = key, value = local.tags[key] }, var.additional_tag_map)])

  output_context = {
    enabled         = local.enabled
    namespace       = local.input.namespace
    environment     = local.input.environment
    stage           = local.input.stage
    name            = local.input.name
    delimiter       = local.delimiter
    attributes      = local.attributes
    tags            = local.tags
    label_order     = local.label_order
    id_length_limit = local.id_length_limit
  }
}

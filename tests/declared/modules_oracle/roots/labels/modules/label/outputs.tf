output "id" {
  value = local.enabled ? local.id : ""
}

output "enabled" {
  value = local.enabled
}

output "tags" {
  value = local.enabled ? local.tags : {}
}

output "tags_as_list_of_maps" {
  value = local.tags_as_list_of_maps
}

output "context" {
  value = local.output_context
}

output "route_url" {
  description = "Where the route is reached."
  value       = local.route.attributes.Url
}

output "route_status" {
  description = "LIVE once the route is on the live stage."
  value       = local.route.status
}

output "route_revision" {
  description = "The front door's revision that the route came with, once it is live."
  value       = try(local.route.attributes.Revision, null)
}

output "binding_status" {
  description = "How the binding stood when it was applied, such as SYNCED; null without a binding."
  value       = try(local.binding.status, null)
}

output "binding_count" {
  description = "How many addresses were bound then; null without a binding."
  value       = try(local.binding.attributes.Count, null)
}

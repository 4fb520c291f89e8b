resource "aws_lambda_invocation" "route" {
  function_name   = coalesce(var.routes_function_name, "${var.prefix}-routes")
  qualifier       = var.tenant_account_id == null ? null : "account-${var.tenant_account_id}"
  lifecycle_scope = "CRUD"

  input = jsonencode({
    name    = var.route.name
    Path    = var.route.path
    Methods = var.route.methods
    Backend = {
      PrivateApi = {
        RestApiId = var.route.rest_api_id
        StageName = var.route.stage_name
      }
    }
    Auth = var.route.auth
  })
}

resource "aws_lambda_invocation" "binding" {
  count = var.binding == null ? 0 : 1

  function_name   = "${var.prefix}-bindings"
  lifecycle_scope = "CRUD"

  input = jsonencode({
    name   = var.binding.name
    Source = { VpcEndpoint = { VpcEndpointId = var.binding.vpc_endpoint_id } }
    Sink   = { TargetGroup = { TargetGroupArn = var.binding.target_group_arn } }
  })

  lifecycle {
    precondition {
      condition     = var.tenant_account_id == null
      error_message = "Tenants have no bindings: only operators of the central account may use that function."
    }
  }
}

locals {
  route   = jsondecode(aws_lambda_invocation.route.result)
  binding = var.binding == null ? null : jsondecode(aws_lambda_invocation.binding[0].result)
}

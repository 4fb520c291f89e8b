variable "prefix" {
  description = "The Prefix that Foregate was deployed with."
  type        = string
  default     = "foregate"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.prefix))
    error_message = "The prefix has 1 to 32 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "routes_function_name" {
  description = "The routes function; PREFIX-routes where nothing is said. A tenant gives its ARN in the central account."
  type        = string
  default     = null
}

variable "tenant_account_id" {
  description = "A tenant's own account, whose alias of the function is used. Leave it out as an operator of the central account."
  type        = string
  default     = null

  validation {
    condition     = var.tenant_account_id == null || can(regex("^[0-9]{12}$", var.tenant_account_id))
    error_message = "An account id has 12 digits."
  }
}

variable "route" {
  description = "A path of the front door that leads to a private REST API. auth says who may use it: NONE or AWS_IAM."
  type = object({
    name        = string
    path        = string
    methods     = optional(list(string), ["ANY"])
    rest_api_id = string
    stage_name  = string
    auth        = string # no default: openness is a decision
  })

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.route.auth)
    error_message = "The route's auth is NONE or AWS_IAM."
  }
}

variable "binding" {
  description = "A target group that follows the addresses of a VPC endpoint, both in the central account. Operators only."
  type = object({
    name             = string
    vpc_endpoint_id  = string
    target_group_arn = string
  })
  default = null
}

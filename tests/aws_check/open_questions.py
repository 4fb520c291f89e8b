"""Assumptions that `make aws-check` does not settle yet: each with the experiment that would."""

from aws_check.report import open_question

# name, Foregate assumes, experiment, what rests on it.
QUESTIONS = [
    ("summary-of-any", "apisummary calls an ANY method `ANY`", "deploys ANY and reads the summary", "apply/verify"),
    ("stage-in-one-call", "UpdateStage takes `/deploymentId`, `/variables/*` (new ones too) and settings in one call, all or nothing",
     "patches three properties, then three of which one is wrong", "apply/stage"),
    ("endpoint-in-one-call", "`/securityPolicy`, `/endpointAccessMode` and `/endpointConfiguration/vpcEndpointIds` go in one UpdateRestApi",
     "patches them and reads the REST API", "apply/verify"),
    ("policy-keeps-its-statements", "the stored policy keeps number, effects, conditions and `Sid` of its statements",
     "imports `AllowedCidrs` and reads the policy", "plan/api_settings"),
    ("refused-import-changes-nothing", "a refused PutRestApi leaves the REST API as it was", "imports a bad document and lists the resources",
     "apply/import"),
    ("resource-quota", "more resources than the quota answer LimitExceeded", "imports 301 resources", "plan/search"),
    ("missing-pass-role", "credentials without `iam:PassRole` answer AccessDenied", "imports `authorizerCredentials` with a role that is not passable",
     "functions/routes/src/credentials.rs"),
    ("missing-stage-variable", "a request whose `stageVariables.link_…` is missing fails and reaches no backend",
     "calls a route on a stage without its variable", "apply/stage: a new stage has its settings before its links"),
    ("access-log-permissions", "an access log to CloudWatch needs PATCH on the stage and the account's role alone; one to Firehose needs "
     "`iam:CreateServiceLinkedRole`", "sets both with the publisher's role", "template.yaml: PublisherRole"),
    ("web-acl-stays", "a web ACL stays with its stage over UpdateStage and new deployments", "associates one, publishes, reads the stage",
     "`Stage.WebAclArn` is left to AWS::WAFv2::WebACLAssociation"),
    ("shard-policy", "`execute-api:/…` in a shard's policy means the shard, and a path without its base path",
     "a shard with an AWS_IAM route and a Deny by path", "functions/publisher/src/part.rs"),
    ("authorizer-again", "an authorizer, model or validator of the same name that is imported again keeps its id", "imports one twice", "`Mode: Merge`"),
    ("scheme-name", "the `name` of a token or Cognito scheme is the identity source", "imports one and reads the authorizer", "plan/render"),
    ("long-time-outs", "time-outs go up to 300,000 ms once the quota is raised", "raises it and imports 60,000", "`TimeoutLimitMs`"),
    ("bus-policy-replaced", "PutPermission's `Policy` replaces the whole policy; DescribeEventBus answers the same but for its form",
     "puts, reads and removes it", "functions/tenants"),
    ("bus-conditions", "`ForAllValues:` with `Null` on `events:source` holds for PutEvents and for rules' targets",
     "sends from a second account, also as `foregate`", "functions/tenants"),
    ("closed-account", "an account that was closed does not make PutPermission fail", "puts an account that does not exist", "functions/tenants"),
    ("alias-actions", "CreateAlias and DeleteAlias are authorized on the function, permissions and asynchronous settings on the alias",
     "onboards with each permission taken away in turn", "template.yaml: TenantsRole"),
    ("alias-made-again", "DeleteAlias leaves no asynchronous settings that hinder the next ones", "deletes an alias and onboards again", "functions/tenants"),
    ("tagged-sinks", "`aws:ResourceTag` holds for rules, targets and lifecycle actions", "deploys with `TaggedSinksOnly`", "template.yaml"),
    ("retained-table", "a protected table lets a failed first deployment roll back", "forces one", "template.yaml: Table"),
    ("visibility-stays", "Lambda leaves a visibility that the function has changed, and such tries count towards maxReceiveCount",
     "has a message fail once, then for good", "shared/src/deliveries.rs"),
    ("managed-resources", "IncludeManagedResources goes with filters and pages and needs no further permission", "asks with the role of bindings",
     "shared/src/aws/ec2.rs"),
    ("account-state", "ListAccountsForParent gives `State`", "lists a unit with a suspended account", "shared/src/aws/organizations.rs"),
    ("recursion-count", "the 17th invocation of a chain is the first that Lambda drops", "a function with `Terminate` that feeds itself",
     "the local cloud"),
]

for name, assumes, how, where in QUESTIONS:
    open_question(name, "none found, or documentation that leaves it open", assumes, how, where)

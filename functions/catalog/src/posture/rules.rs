//! The rules: one table with what each is called, how bad it is, why, what to do, and where AWS says so. What a rule looks for
//! is in `checks`, in a function of the rule's name.

use super::checks::{self, Said, Seen};
use crate::record::{Finding, Severity};

/// Something that should be so of every API.
pub struct Rule {
    /// What findings and mutes call it.
    pub id: &'static str,
    /// How bad it is where it isn't kept.
    pub severity: Severity,
    /// What is so where it isn't kept, in a few words.
    pub title: &'static str,
    /// Why that is not as it should be.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Where AWS's documentation tells more.
    pub url: &'static str,
    check: fn(&Seen<'_>) -> Vec<Said>,
}

impl Rule {
    /// What it finds.
    pub(super) fn findings(&self, seen: &Seen<'_>) -> Vec<Finding> {
        let finding = |Said { subject, what }| Finding { rule: self.id.into(), severity: self.severity, subject, what };
        (self.check)(seen).into_iter().map(finding).collect()
    }
}

/// The rule of that id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

macro_rules! guide {
    ($page:literal) => {
        concat!("https://docs.aws.amazon.com/apigateway/latest/developerguide/", $page, ".html")
    };
}

/// All rules: who comes in first, then what protects methods, then how a stage is run.
pub const RULES: &[Rule] = &[
    Rule {
        id: "private-api-open-to-any-endpoint",
        severity: Severity::Critical,
        title: "Private API open to every VPC endpoint",
        why: "Anybody with an AWS account can make a VPC endpoint for execute-api, and through it reach the API as if it were public.",
        fix: "In the resource policy, deny execute-api:Invoke where aws:SourceVpce is not one of the endpoints that are meant (StringNotEquals).",
        url: guide!("apigateway-resource-policies-examples"),
        check: checks::open_to_any_endpoint,
    },
    Rule {
        id: "private-api-further-endpoints",
        severity: Severity::Low,
        title: "Private API lets in endpoints besides the front door's",
        why: "Who comes through another VPC endpoint goes round the front door and all that it checks, counts and logs.",
        fix: "Remove the endpoints from the resource policy, or mute this rule and say why they are meant.",
        url: guide!("apigateway-private-apis"),
        check: checks::further_endpoints,
    },
    Rule {
        id: "private-api-without-policy",
        severity: Severity::Medium,
        title: "Private API without a resource policy",
        why: "Nobody can call a private API that has no resource policy.",
        fix: "Give the API a resource policy that lets in the front door's VPC endpoint, and deploy it, or delete the API.",
        url: guide!("apigateway-private-apis"),
        check: checks::without_policy,
    },
    Rule {
        id: "private-api-unreachable",
        severity: Severity::Medium,
        title: "Private API that the front door does not reach",
        why: "A route to a method whose resource policy does not clearly let in the front door's endpoint answers 403.",
        fix: "In the resource policy, allow execute-api:Invoke for aws:SourceVpce of the front door's endpoints, and deploy the API again.",
        url: guide!("apigateway-resource-policies-examples"),
        check: checks::unreachable,
    },
    Rule {
        id: "private-api-source-ip",
        severity: Severity::Medium,
        title: "Private API that asks for aws:SourceIp",
        why: "A request through a VPC endpoint has aws:VpcSourceIp in the place of aws:SourceIp, so that the condition never matches as it is meant: what it should let in stays out, what it should keep out comes in.",
        fix: "Ask for aws:VpcSourceIp instead, or better for aws:SourceVpce.",
        url: guide!("apigateway-resource-policies-examples"),
        check: checks::source_ip,
    },
    Rule {
        id: "open-method",
        severity: Severity::High,
        title: "Public method without authorisation",
        why: "Anybody on the Internet can call the method: it asks for no authorisation and no API key, and no resource policy keeps anybody out.",
        fix: "Give the method an authorizer or AWS_IAM, or restrict the API by a resource policy. If it is meant for everybody, mute this rule and say so.",
        url: guide!("apigateway-control-access-to-api"),
        check: checks::open_method,
    },
    Rule {
        id: "open-method-behind-open-policy",
        severity: Severity::High,
        title: "Method without authorisation behind a policy that lets in others",
        why: "The front door may authorise clients, but who comes through another VPC endpoint reaches the method without being asked.",
        fix: "Let in the front door's endpoint only, or give the method an authorizer or AWS_IAM.",
        url: guide!("apigateway-control-access-to-api"),
        check: checks::open_method_behind_open_policy,
    },
    Rule {
        id: "api-key-only",
        severity: Severity::Medium,
        title: "Method protected by an API key only",
        why: "API keys are for metering. AWS says not to use them for authentication or authorisation: a key of one API of a usage plan is good for all APIs of that plan.",
        fix: "Give the method an authorizer or AWS_IAM besides the key.",
        url: guide!("api-gateway-api-usage-plans"),
        check: checks::api_key_only,
    },
    Rule {
        id: "secret-in-stage-variable",
        severity: Severity::High,
        title: "Stage variable that looks like a secret",
        why: "Stage variables are not for sensitive data: whoever may read the stage reads them.",
        fix: "Move the value to Secrets Manager or Parameter Store, change it, and remove the variable.",
        url: guide!("stage-variables"),
        check: checks::secret_in_stage_variable,
    },
    Rule {
        id: "unchecked-certificate",
        severity: Severity::Medium,
        title: "Backend's certificate unchecked",
        why: "With insecureSkipVerification API Gateway does not check who issued the backend's certificate: somebody in between can pass for the backend.",
        fix: "Give the backend a certificate of a public authority that API Gateway knows, and switch insecureSkipVerification off.",
        url: guide!("api-gateway-extensions-integration-tls-config"),
        check: checks::unchecked_certificate,
    },
    Rule {
        id: "plain-http-behind-link",
        severity: Severity::Medium,
        title: "Plain HTTP behind a VPC link",
        why: "Requests go from the VPC link to the backend unencrypted, with the tokens and data in them.",
        fix: "Give the load balancer a TLS listener and make the integration's address https://.",
        url: guide!("getting-started-with-private-integration"),
        check: checks::plain_http_behind_link,
    },
    Rule {
        id: "weak-tls",
        severity: Severity::Medium,
        title: "TLS below 1.2 accepted",
        why: "TLS 1.0 and 1.1 are broken and withdrawn (RFC 8996).",
        fix: "Set the API's security policy to TLS_1_2 or a later one.",
        url: guide!("apigateway-security-policies"),
        check: checks::weak_tls,
    },
    Rule {
        id: "throttling-off",
        severity: Severity::Medium,
        title: "Stage without throttling",
        why: "The stage has no throttle of its own and is in no usage plan: its clients can use up the account's limit, which all APIs of the region share.",
        fix: "Set a rate and a burst for all methods of the stage, or put it in a usage plan.",
        url: guide!("api-gateway-request-throttling"),
        check: checks::throttling_off,
    },
    Rule {
        id: "access-log-off",
        severity: Severity::Medium,
        title: "Stage without an access log",
        why: "Nobody can tell afterwards who called what.",
        fix: "Give the stage an access log: a log group and a format.",
        url: guide!("set-up-logging"),
        check: checks::access_log_off,
    },
    Rule {
        id: "execution-log-off",
        severity: Severity::Low,
        title: "Stage without an execution log",
        why: "Why API Gateway answered with an error is written nowhere.",
        fix: "Set the stage's log level to ERROR for all methods.",
        url: guide!("set-up-logging"),
        check: checks::execution_log_off,
    },
    Rule {
        id: "no-deployment",
        severity: Severity::Low,
        title: "API without a stage",
        why: "Nobody can call what is not deployed to a stage: it is not finished, or was forgotten.",
        fix: "Deploy the API to a stage, or delete it.",
        url: guide!("how-to-deploy-api"),
        check: checks::no_deployment,
    },
];

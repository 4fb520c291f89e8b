//! What a front door's stage is to have besides what is published on it.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fields::scalar;

/// The longest name of a stage variable.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
pub(super) const STAGE_VARIABLE_NAME_MAX: usize = 64;
/// What the names of Foregate's own stage variables begin with.
pub const STAGE_VARIABLE_PREFIX: &str = "link_";

/// A stage's settings; what is not said stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSettings {
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
    /// How many requests each method takes.
    pub throttling: Option<Throttling>,
    /// Whether X-Ray traces requests.
    pub tracing: Option<bool>,
    /// Variables of the platform team's own.
    pub variables: BTreeMap<VariableName, VariableValue>,
}

/// Where and how requests are logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    /// The log group or delivery stream.
    pub destination_arn: LogDestinationArn,
    /// A line's format.
    pub format: LogFormat,
}

/// Requests per second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttling {
    /// Requests per second.
    pub rate_limit: u32,
    /// Requests at once.
    pub burst_limit: u32,
}

crate::checked_string!(
    /// A log group, or a Firehose stream whose name begins as API Gateway wants it.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html>
    LogDestinationArn,
    "the ARN of a log group (arn:aws:logs:REGION:ACCOUNT:log-group:NAME) or of a Firehose stream whose name begins with \
     amazon-apigateway-",
    |s| is_arn(s, "logs", |name| name.starts_with("log-group:"))
        || is_arn(s, "firehose", |name| name.starts_with("deliverystream/amazon-apigateway-"))
);

crate::checked_string!(
    /// A line of the access log: one line of at most 3 KB that names the request.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html>
    LogFormat,
    "one line of at most 3,072 bytes that has $context.requestId or $context.extendedRequestId",
    |s| s.len() <= 3_072
        && !s.contains(['\r', '\n'])
        && (s.contains("$context.requestId") || s.contains("$context.extendedRequestId"))
);

crate::checked_string!(
    /// The name of a stage variable that is not Foregate's own.
    /// <https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html>
    VariableName,
    "a name of at most 64 letters, digits and underscores that does not begin with link_, which Foregate's own do",
    |s| (1..=STAGE_VARIABLE_NAME_MAX).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !s.starts_with(STAGE_VARIABLE_PREFIX)
);

crate::checked_string!(
    /// The value of a stage variable.
    /// <https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html>
    VariableValue,
    "1 to 512 letters, digits and any of - . _ ~ : / ? # & = ,",
    |s| (1..=512).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b))
);

fn is_arn(text: &str, service: &str, is_resource: fn(&str) -> bool) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let begins = next() == "arn" && next().starts_with("aws") && next() == service;
    let is_placed = !next().is_empty() && next().len() == 12;
    begins && is_placed && is_resource(next()) && text.len() <= 2_048 && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a line of the access log says where nothing else is asked for.
const FORMAT: &str = "{\"requestId\":\"$context.requestId\",\"time\":\"$context.requestTime\",\
    \"ip\":\"$context.identity.sourceIp\",\"caller\":\"$context.identity.userArn\",\"method\":\"$context.httpMethod\",\
    \"route\":\"$context.resourcePath\",\"path\":\"$context.path\",\"status\":\"$context.status\",\
    \"responseLength\":\"$context.responseLength\",\"latency\":\"$context.responseLatency\",\
    \"integrationStatus\":\"$context.integration.status\",\"integrationLatency\":\"$context.integration.latency\",\
    \"error\":\"$context.error.responseType\"}";

/// API Gateway takes 100 stage variables, and each of an account's 20 VPC links may need one.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
const VARIABLES_MAX: usize = 80;
/// Beyond every account's quota.
const REQUESTS_MAX: u32 = 1_000_000;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct WrittenStage {
    access_log: Option<WrittenAccessLog>,
    throttling: Option<WrittenThrottling>,
    #[serde(default, deserialize_with = "scalar")]
    tracing: Option<bool>,
    web_acl_arn: Option<IgnoredAny>,
    #[serde(default)]
    variables: BTreeMap<VariableName, VariableValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenAccessLog {
    destination_arn: LogDestinationArn,
    format: Option<LogFormat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenThrottling {
    #[serde(default, deserialize_with = "scalar")]
    rate_limit: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    burst_limit: Option<u32>,
}

impl TryFrom<WrittenStage> for StageSettings {
    type Error = Error;
    fn try_from(written: WrittenStage) -> Result<Self, Error> {
        let WrittenStage { access_log, throttling, tracing, web_acl_arn, variables } = written;
        // UpdateStage does not set it: WAF's own API does.
        // <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>
        if web_acl_arn.is_some() {
            return Err(Error::invalid(
                "Stage.WebAclArn: associate the web ACL with the stage by AWS::WAFv2::WebACLAssociation, once the front door \
                 is LIVE; API Gateway keeps it over publications",
            ));
        }
        if variables.len() > VARIABLES_MAX {
            return Err(Error::invalid(format!(
                "Stage.Variables: {} are more than {VARIABLES_MAX}: VPC links need the others of API Gateway's 100",
                variables.len()
            )));
        }
        let access_log = access_log.map(|log| {
            let format = log.format.map_or_else(|| FORMAT.parse(), Ok);
            format.map(|format| AccessLog { destination_arn: log.destination_arn, format })
        });
        let access_log = access_log.transpose().map_err(|e| Error::invalid(format!("Stage.AccessLog.Format: {e}")))?;
        let throttling = throttling.map(Throttling::try_from).transpose()?;
        Ok(Self { access_log, throttling, tracing, variables })
    }
}

impl TryFrom<WrittenThrottling> for Throttling {
    type Error = Error;
    fn try_from(written: WrittenThrottling) -> Result<Self, Error> {
        let limit = |field: &str, given: Option<u32>| match given {
            Some(limit) if (1..=REQUESTS_MAX).contains(&limit) => Ok(limit),
            Some(limit) => Err(Error::invalid(format!("Stage.Throttling.{field}: {limit} is not 1 to {REQUESTS_MAX}"))),
            None => Err(Error::invalid(format!("Stage.Throttling.{field} is missing: it needs both limits"))),
        };
        Ok(Self {
            rate_limit: limit("RateLimit", written.rate_limit)?,
            burst_limit: limit("BurstLimit", written.burst_limit)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fields::read;

    fn parse(value: Value) -> Result<StageSettings, Error> {
        read::<WrittenStage>(value).and_then(StageSettings::try_from)
    }

    #[test]
    fn settings_read_as_cloudformation_sends_them() {
        let stage = parse(json!({
            "AccessLog": {"DestinationArn": "arn:aws:logs:eu-west-1:123456789012:log-group:front-door"},
            "Throttling": {"RateLimit": "100", "BurstLimit": 200},
            "Tracing": "true",
            "Variables": {"color": "blue"},
        }))
        .unwrap();
        assert_eq!(stage.throttling, Some(Throttling { rate_limit: 100, burst_limit: 200 }));
        assert_eq!(stage.tracing, Some(true));
        assert!(stage.access_log.as_ref().unwrap().format.as_str().contains("$context.requestId"));
        let stored = serde_json::to_value(&stage).unwrap();
        assert_eq!(serde_json::from_value::<StageSettings>(stored).unwrap(), stage);
        assert_eq!(parse(json!({})).unwrap(), StageSettings::default());
    }

    #[test]
    fn what_api_gateway_would_not_take_is_refused() {
        let log = |arn: &str| json!({"AccessLog": {"DestinationArn": arn}});
        let group = "arn:aws:logs:eu-west-1:123456789012:log-group:x";
        for (given, why) in [
            (log("arn:aws:s3:::bucket"), "AccessLog.DestinationArn"),
            (log("arn:aws:firehose:eu-west-1:123456789012:deliverystream/mine"), "begins with amazon-apigateway-"),
            (json!({"AccessLog": {"DestinationArn": group, "Format": "$context.status"}}), "$context.requestId"),
            (json!({"AccessLog": {"DestinationArn": group, "Format": "$context.requestId\n"}}), "one line"),
            (json!({"AccessLog": {"DestinationArn": group, "Fromat": "x"}}), "AccessLog.Fromat: unknown field"),
            (json!({"Throttling": {"RateLimit": 1}}), "BurstLimit is missing"),
            (json!({"Throttling": {"RateLimit": 0, "BurstLimit": 1}}), "RateLimit: 0 is not 1 to"),
            (
                json!({"WebAclArn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/x/y"}),
                "AWS::WAFv2::WebACLAssociation",
            ),
            (json!({"Variables": {"link_x": "y"}}), "does not begin with link_"),
            (json!({"Variables": {"a-b": "y"}}), "letters, digits and underscores"),
            (json!({"Variables": {"a": "y z"}}), "1 to 512"),
            (json!({"Cache": true}), "unknown field `Cache`"),
        ] {
            let error = parse(given).unwrap_err().message;
            assert!(error.contains(why), "{error}");
        }
        let many: BTreeMap<String, &str> = (0..81).map(|n| (format!("v{n}"), "x")).collect();
        assert!(parse(json!({"Variables": many})).unwrap_err().message.contains("81 are more than 80"));
    }
}

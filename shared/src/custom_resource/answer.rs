//! What CloudFormation is told, within its limits.

use serde::Serialize;
use serde_json::{Map, Value};

use super::request::Envelope;
use crate::error::Error;

/// CloudFormation drops a longer answer without a word, and the stack hangs for an hour.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>
const BODY_BYTES_MAX: usize = 4_096;
const PHYSICAL_ID_BYTES_MAX: usize = 1_024;

/// What a function's work comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The resource's id; CloudFormation replaces the resource when it changes.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives.
    pub data: Map<String, Value>,
    /// Whether `data` holds a secret.
    pub no_echo: bool,
}

impl Outcome {
    /// An outcome without secrets. Attributes of CloudFormation's are strings.
    pub fn new(physical_id: String, data: Map<String, Value>) -> Self {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let data = data.into_iter().map(|(name, value)| (name, Value::String(text(value)))).collect();
        Self { physical_id, data, no_echo: false }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    no_echo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Map<String, Value>>,
}

/// The body of an answer that says that the work is done. Attributes that don't fit make it a failure: leaving them out
/// would break whoever reads them later.
pub(super) fn success(request: &Envelope, outcome: &Outcome) -> Result<String, Error> {
    let id_bytes = outcome.physical_id.len();
    if id_bytes == 0 || id_bytes > PHYSICAL_ID_BYTES_MAX {
        return Err(Error::upstream(format!(
            "internal error: the resource's id has {id_bytes} bytes, CloudFormation takes 1 to {PHYSICAL_ID_BYTES_MAX}"
        )));
    }
    let body = write(request, "SUCCESS", None, &outcome.physical_id, Some(outcome));
    if body.len() <= BODY_BYTES_MAX {
        return Ok(body);
    }
    let largest = outcome.data.iter().max_by_key(|(_, value)| value.to_string().len());
    let name = largest.map_or("", |(name, _)| name);
    Err(Error::invalid(format!(
        "the attributes are too large for CloudFormation's answer of {BODY_BYTES_MAX} bytes, most of all {name}: the \
         resource itself was made or changed; use several smaller ones"
    )))
}

/// The body of an answer that says why the work was not done, the reason shortened until it fits; `log` has all of it.
pub(super) fn failure(request: &Envelope, physical_id: &str, error: &Error, log: &str) -> String {
    let reason = format!("{}: {}", error.error_type, error.message);
    let whole = write(request, "FAILED", Some(&reason), physical_id, None);
    if whole.len() <= BODY_BYTES_MAX {
        return whole;
    }
    let cut = |length: usize| {
        let kept: String = reason.chars().take(length).collect();
        write(request, "FAILED", Some(&format!("{kept}… (the rest is in {log})")), physical_id, None)
    };
    // The longest beginning that fits: a character may take one to six bytes as JSON.
    let (mut fits, mut too_long) = (0, reason.chars().take(BODY_BYTES_MAX).count());
    while fits + 1 < too_long {
        let middle = usize::midpoint(fits, too_long);
        match cut(middle).len() <= BODY_BYTES_MAX {
            true => fits = middle,
            false => too_long = middle,
        }
    }
    cut(fits)
}

fn write(
    request: &Envelope,
    status: &'static str,
    reason: Option<&str>,
    physical_resource_id: &str,
    outcome: Option<&Outcome>,
) -> String {
    let body = Body {
        status,
        reason,
        physical_resource_id,
        stack_id: request.stack_id.as_str(),
        request_id: &request.request_id,
        logical_resource_id: &request.logical_resource_id,
        no_echo: outcome.is_some_and(|outcome| outcome.no_echo),
        data: outcome.map(|outcome| &outcome.data),
    };
    // Strings and JSON values always serialise.
    serde_json::to_string(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn envelope() -> Envelope {
        Envelope::parse(&json!({
            "ResponseURL": "https://example.com",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/pets/9a8b",
            "RequestId": "r1",
            "LogicalResourceId": "Pets",
        }))
        .unwrap()
    }

    #[test]
    fn a_long_reason_is_shortened_by_bytes_and_never_dropped() {
        for text in ["x", "ü", "€", "🦀", "e\u{301}", "a🦀ü", "\"", "\\", "\n", "\u{1}"] {
            let error = Error::invalid(text.repeat(36_000));
            let body = failure(&envelope(), "binding-1", &error, "log group pets");
            assert!(body.len() <= BODY_BYTES_MAX && body.len() > BODY_BYTES_MAX - 16, "{text:?}: {}", body.len());
            let parsed: Value = serde_json::from_str(&body).unwrap();
            let reason = parsed["Reason"].as_str().unwrap();
            assert!(reason.starts_with("InvalidInput: ") && reason.ends_with("… (the rest is in log group pets)"));
            assert_eq!(parsed["PhysicalResourceId"], "binding-1");
        }
    }

    #[test]
    fn a_reason_is_shortened_from_the_first_byte_too_many() {
        let frame = failure(&envelope(), "b", &Error::invalid(""), "").len();
        for (bytes, shortened) in [(BODY_BYTES_MAX - frame, false), (BODY_BYTES_MAX - frame + 1, true)] {
            let body = failure(&envelope(), "b", &Error::invalid("x".repeat(bytes)), "log");
            assert!(body.len() <= BODY_BYTES_MAX, "{}", body.len());
            assert_eq!(body.contains('…'), shortened, "{bytes}");
        }
    }

    #[test]
    fn the_longest_ids_leave_room_for_a_reason() {
        let event = json!({
            "ResponseURL": "https://example.com",
            "StackId": format!("arn:aws:cloudformation:eu-west-1:111122223333:stack/{}/{}", "s".repeat(128), "u".repeat(36)),
            "RequestId": "r".repeat(36),
            "LogicalResourceId": "L".repeat(255),
            "PhysicalResourceId": "\"".repeat(1_024),
        });
        let envelope = Envelope::parse(&event).unwrap();
        let id = envelope.physical_resource_id.clone().unwrap();
        let body = failure(&envelope, &id, &Error::invalid("ü".repeat(36_000)), "the function's log");
        let parsed: Value = serde_json::from_str(&body).unwrap();
        assert!(body.len() <= BODY_BYTES_MAX && parsed["Reason"].as_str().unwrap().contains("üüü"), "{body}");
    }

    #[test]
    fn an_id_that_cloudformation_would_not_take_is_a_failure() {
        for id in [String::new(), "ü".repeat(513)] {
            assert!(
                success(&envelope(), &Outcome::new(id, Map::new())).unwrap_err().message.contains("internal error")
            );
        }
        assert!(success(&envelope(), &Outcome::new("ü".repeat(512), Map::new())).is_ok());
    }

    #[test]
    fn a_short_reason_stands_as_it_is() {
        let parsed: Value = serde_json::from_str(&failure(&envelope(), "b", &Error::conflict("taken"), "")).unwrap();
        assert_eq!((&parsed["Status"], &parsed["Reason"]), (&json!("FAILED"), &json!("Conflict: taken")));
    }

    #[test]
    fn attributes_that_do_not_fit_are_a_failure_that_names_them() {
        let mut data = Map::new();
        data.insert("Addresses".into(), json!("10.0.0.1,".repeat(500)));
        data.insert("Count".into(), json!(500));
        let error = success(&envelope(), &Outcome::new("b".into(), data.clone())).unwrap_err();
        assert!(error.message.contains("most of all Addresses"), "{error}");
        data.insert("Addresses".into(), json!("10.0.0.1"));
        let parsed: Value =
            serde_json::from_str(&success(&envelope(), &Outcome::new("b".into(), data)).unwrap()).unwrap();
        assert_eq!(parsed["Data"], json!({"Addresses": "10.0.0.1", "Count": "500"}));
        assert_eq!((&parsed["Status"], &parsed["NoEcho"]), (&json!("SUCCESS"), &json!(false)));
    }
}

//! What CloudFormation sent. Every field is read by itself, so that a request which is cut in half can still be
//! answered.

use std::fmt;

use aws_lambda_events::cloudformation::{CreateRequest, DeleteRequest, UpdateRequest};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::response_url::{AllowedHosts, ResponseUrl};
use crate::error::Error;
use crate::origin::{Origin, Stamp};
use crate::types::{AccountId, Arn, Malformed};

/// What an answer repeats of the request, as JSON: CloudFormation takes 4,096 bytes, and a reason has to fit too.
const REPEATED_BYTES_MAX: usize = 3_000;

/// CloudFormation's pre-signed URLs have less than 2 KB; it is kept where the answer is put off.
const RESPONSE_URL_BYTES_MAX: usize = 8 << 10;
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
const STACK_NAME_MAX: usize = 128;
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>
const LOGICAL_ID_MAX: usize = 255;
/// How long CloudFormation waits where the template does not say.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>
const SERVICE_TIMEOUT_SECONDS: u64 = 3_600;
/// The schedule looks at what waits every five minutes: an answer has to be due at two of its looks.
const MARGIN_SECONDS_MAX: u64 = 600;

/// What CloudFormation wants of the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be made.
    Create,
    /// To be changed.
    Update,
    /// To be removed.
    Delete,
}

impl Kind {
    fn of(request_type: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete].into_iter().find(|kind| kind.to_string() == request_type)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        })
    }
}

/// A stack's ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackId {
    arn: String,
    account: AccountId,
    region: String,
}

impl StackId {
    fn parse(text: &str) -> Result<Self, Malformed> {
        let wanted = "a stack's ARN such as arn:aws:cloudformation:eu-west-1:111122223333:stack/NAME/UUID";
        let is_stack = |arn: &Arn| {
            let parts: Vec<&str> = arn.resource.split('/').collect();
            arn.service == "cloudformation"
                && is_region(arn.region)
                && matches!(parts[..], ["stack", name, id] if is_name(name, STACK_NAME_MAX) && !id.is_empty())
        };
        let arn = Arn::parse(text).filter(is_stack).ok_or_else(|| Malformed::new(text, wanted))?;
        Ok(Self { arn: text.to_owned(), account: arn.account.parse()?, region: arn.region.to_owned() })
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The account that the stack is in.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The region that the stack is in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The stack's name.
    pub fn name(&self) -> &str {
        self.arn.split('/').nth(1).unwrap_or_default()
    }
}

/// Names of stacks and resources stand in plans and in other teams' errors: letters, digits and dashes, no line ends.
fn is_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A region becomes part of a host's name: nothing but what a region's name is made of.
fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The part of a request that is needed to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    /// The stack.
    pub stack_id: StackId,
    /// The request's id.
    pub request_id: String,
    /// The resource's name in its template.
    pub logical_resource_id: String,
    /// The id that the resource was given earlier, if CloudFormation sent one.
    pub physical_resource_id: Option<String>,
    /// What is wanted, if the request says so.
    pub kind: Option<Kind>,
}

/// A whole request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is wanted.
    pub kind: Kind,
    /// `Custom::Binding`, …
    pub resource_type: String,
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    /// The stack.
    pub stack_id: StackId,
    /// AWS reuses it when a deployment is retried: never the only key of anything.
    pub request_id: String,
    /// The resource's name in its template.
    pub logical_resource_id: String,
    /// The id that the resource was given earlier: on Update and Delete.
    pub physical_resource_id: Option<String>,
    /// What the user wrote, without `ServiceToken` and `ServiceTimeout`.
    pub properties: Value,
    /// What the user had written before, on Update.
    pub old_properties: Option<Value>,
    /// How long CloudFormation waits for the answer.
    pub service_timeout_seconds: u64,
    /// When CloudFormation signed the request, in seconds since the epoch; it orders the requests of one resource.
    pub signed_at_seconds: Option<u64>,
}

impl Request {
    /// Who asks: the resource of the stack.
    pub fn origin(&self) -> Origin {
        Origin::Stack {
            stack_id: self.stack_id.as_str().to_owned(),
            logical_resource_id: self.logical_resource_id.clone(),
        }
    }

    /// What tells this request from others.
    pub fn stamp(&self) -> Stamp {
        Stamp { fingerprint: self.fingerprint(), signed_at_seconds: self.signed_at_seconds }
    }

    /// When the answer is due at the latest, in seconds since the epoch: before CloudFormation gives up.
    pub fn answer_by_seconds(&self, now_seconds: u64) -> u64 {
        let margin = MARGIN_SECONDS_MAX.min(self.service_timeout_seconds / 2);
        self.signed_at_seconds.unwrap_or(now_seconds) + self.service_timeout_seconds - margin
    }
}

impl Envelope {
    /// Reads what an answer needs.
    pub fn parse(event: &Value) -> Result<Self, Error> {
        let stack_id =
            StackId::parse(needed(event, "StackId")?).map_err(|e| Error::invalid(format!("StackId: {e}")))?;
        let envelope = Self {
            response_url: ResponseUrl::new(needed(event, "ResponseURL")?),
            stack_id,
            request_id: needed(event, "RequestId")?.to_owned(),
            logical_resource_id: needed(event, "LogicalResourceId")?.to_owned(),
            physical_resource_id: text(event, "PhysicalResourceId").map(str::to_owned),
            kind: text(event, "RequestType").and_then(Kind::of),
        };
        if envelope.response_url.expose().len() > RESPONSE_URL_BYTES_MAX {
            return Err(Error::invalid(format!("ResponseURL: it has more than {RESPONSE_URL_BYTES_MAX} bytes")));
        }
        if !is_name(&envelope.logical_resource_id, LOGICAL_ID_MAX) {
            return Err(Error::invalid(format!(
                "LogicalResourceId: it is not 1 to {LOGICAL_ID_MAX} letters, digits or dashes"
            )));
        }
        let Self { stack_id, request_id, logical_resource_id, physical_resource_id, .. } = &envelope;
        let repeated = serde_json::json!([stack_id.as_str(), request_id, logical_resource_id, physical_resource_id]);
        if repeated.to_string().len() > REPEATED_BYTES_MAX {
            return Err(Error::invalid(
                "StackId, RequestId, LogicalResourceId and PhysicalResourceId are too long: an answer that repeats them \
                 would be more than CloudFormation takes",
            ));
        }
        Ok(envelope)
    }

    /// Where an answer may go, if its URL is CloudFormation's for this very request.
    pub(super) fn answer_url(&self, allowed: &AllowedHosts, home: Option<&str>) -> Result<Url, Error> {
        let key = format!("{}|{}|{}", self.stack_id.as_str(), self.logical_resource_id, self.request_id);
        self.response_url.check(self.stack_id.region(), &key, allowed, home)
    }
}

fn text<'a>(event: &'a Value, field: &str) -> Option<&'a str> {
    event.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn needed<'a>(event: &'a Value, field: &str) -> Result<&'a str, Error> {
    text(event, field).ok_or_else(|| {
        let wrong = match event.get(field) {
            None | Some(Value::Null | Value::String(_)) => "is missing",
            Some(_) => "is not a string",
        };
        Error::invalid(format!("{field} {wrong}: the custom-resource request is not whole and can't be answered"))
    })
}

impl Request {
    /// Reads the rest of a request whose `envelope` is there.
    pub fn parse(event: Value, envelope: &Envelope) -> Result<Self, Error> {
        let Envelope { response_url, stack_id, request_id, logical_resource_id, physical_resource_id, kind } =
            envelope.clone();
        let kind = kind.ok_or_else(|| match event.get("RequestType") {
            None => not_whole("missing field `RequestType`"),
            Some(_) => not_whole("RequestType is not one of Create, Update, Delete"),
        })?;
        let (resource_type, properties, old_properties) = match kind {
            Kind::Create => {
                let create: CreateRequest<Value> = read(event)?;
                (create.resource_type, create.resource_properties, None)
            }
            Kind::Update => {
                let update: UpdateRequest<Value, Value> = read(event)?;
                (update.resource_type, update.resource_properties, Some(update.old_resource_properties))
            }
            Kind::Delete => {
                let delete: DeleteRequest<Value> = read(event)?;
                (delete.resource_type, delete.resource_properties, None)
            }
        };
        if kind != Kind::Create && physical_resource_id.is_none() {
            return Err(not_whole("PhysicalResourceId is empty"));
        }
        let service_timeout_seconds = service_timeout(&properties);
        let old_properties = old_properties.map(|old| written_by_the_user("OldResourceProperties", old)).transpose()?;
        Ok(Self {
            kind,
            resource_type,
            signed_at_seconds: response_url.signed_at_seconds(),
            response_url,
            stack_id,
            request_id,
            logical_resource_id,
            physical_resource_id,
            properties: written_by_the_user("ResourceProperties", properties)?,
            old_properties,
            service_timeout_seconds,
        })
    }

    /// Tells the request from any other, also from one that carries the same request id with other properties.
    pub fn fingerprint(&self) -> String {
        // A list, so that no two requests can be written the same; a `Value` keeps its fields in order.
        let Self { kind, stack_id, request_id, logical_resource_id, properties, .. } = self;
        let text =
            serde_json::json!([stack_id.as_str(), logical_resource_id, request_id, kind.to_string(), properties]);
        Sha256::digest(text.to_string()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn not_whole(why: impl fmt::Display) -> Error {
    Error::invalid(format!("the custom-resource request is not whole: {why}"))
}

/// One of the three request types; an error names the field.
fn read<T: DeserializeOwned>(event: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(event).map_err(not_whole)
}

/// `ServiceTimeout`, from 1 to 3,600.
fn service_timeout(properties: &Value) -> u64 {
    let given = match properties.get("ServiceTimeout") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64(),
        None => None,
    };
    given.filter(|seconds| (1..=SERVICE_TIMEOUT_SECONDS).contains(seconds)).unwrap_or(SERVICE_TIMEOUT_SECONDS)
}

/// The properties without what is for CloudFormation itself.
fn written_by_the_user(field: &str, properties: Value) -> Result<Value, Error> {
    let Value::Object(mut properties) = properties else {
        return Err(not_whole(format!("{field} is not an object")));
    };
    properties.remove("ServiceToken");
    properties.remove("ServiceTimeout");
    Ok(Value::Object(properties))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "RequestType": "Create",
            "ResponseURL": "https://example.com/?X-Amz-Date=20261120T101112Z",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/pets/9a8b",
            "RequestId": "r1",
            "ResourceType": "Custom::Binding",
            "LogicalResourceId": "Pets",
            "ResourceProperties": {"ServiceToken": "arn:x", "ServiceTimeout": "60", "Sink": {}},
        })
    }

    fn parse(event: Value) -> Result<Request, Error> {
        let envelope = Envelope::parse(&event)?;
        Request::parse(event, &envelope)
    }

    #[test]
    fn a_request_is_read_without_what_is_for_cloudformation() {
        let request = parse(event()).unwrap();
        assert_eq!(request.properties, json!({"Sink": {}}));
        assert_eq!((request.stack_id.name(), request.stack_id.region()), ("pets", "eu-west-1"));
        assert_eq!(request.stack_id.account().as_str(), "111122223333");
        assert_eq!((request.kind, request.resource_type.as_str()), (Kind::Create, "Custom::Binding"));
        assert_eq!(request.signed_at_seconds, Some(1_795_169_472));
        assert_eq!(request.answer_by_seconds(0), 1_795_169_472 + 30, "half of a short ServiceTimeout");
        let mut event = event();
        event["ResourceProperties"] = json!({});
        assert_eq!(parse(event).unwrap().answer_by_seconds(0), 1_795_169_472 + 3_000, "ten minutes before the hour");
    }

    #[test]
    fn a_request_cut_in_half_says_what_is_missing() {
        for (field, message) in [
            ("ResponseURL", "ResponseURL is missing: the custom-resource request is not whole and can't be answered"),
            ("StackId", "StackId is missing: the custom-resource request is not whole and can't be answered"),
            ("RequestId", "RequestId is missing: the custom-resource request is not whole and can't be answered"),
            (
                "LogicalResourceId",
                "LogicalResourceId is missing: the custom-resource request is not whole and can't be answered",
            ),
            ("RequestType", "the custom-resource request is not whole: missing field `RequestType`"),
            ("ResourceType", "the custom-resource request is not whole: missing field `ResourceType`"),
            ("ResourceProperties", "the custom-resource request is not whole: missing field `ResourceProperties`"),
        ] {
            let mut event = event();
            event.as_object_mut().unwrap().remove(field);
            assert_eq!(parse(event).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_field_that_is_something_else_is_named() {
        for (field, value, message) in [
            ("StackId", json!(5), "StackId is not a string"),
            ("StackId", json!("pets"), "StackId: 'pets' is not a stack's ARN such as"),
            (
                "StackId",
                json!("arn:aws:cloudformation:evil.example/:111122223333:stack/pets/9"),
                "is not a stack's ARN",
            ),
            ("StackId", json!("arn:aws:cloudformation:eu-west-1:111122223333:stack/pets"), "is not a stack's ARN"),
            ("StackId", json!("arn:aws:cloudformation:eu-west-1:1111:stack/pets/9"), "StackId: '1111' is not an AWS"),
            ("RequestId", json!(""), "RequestId is missing"),
            ("RequestId", json!("x".repeat(3_000)), "LogicalResourceId and PhysicalResourceId are too long"),
            ("LogicalResourceId", json!("x".repeat(256)), "is not 1 to 255 letters"),
            ("LogicalResourceId", json!("Pets\n+ GET /cats"), "is not 1 to 255 letters"),
            ("ResponseURL", json!(format!("https://example.com/?{}", "x".repeat(8 << 10))), "more than 8192 bytes"),
            (
                "StackId",
                json!(format!("arn:aws:cloudformation:eu-west-1:111122223333:stack/{}/9", "s".repeat(129))),
                "is not a stack's ARN",
            ),
            ("RequestType", json!("Remove"), "RequestType is not one of Create, Update, Delete"),
            ("RequestType", json!(["Create"]), "RequestType is not one of Create, Update, Delete"),
            ("RequestType", json!("Update"), "missing field `PhysicalResourceId`"),
            ("ResourceType", json!(5), "ResourceType: invalid type"),
            ("ResourceProperties", json!("Sink"), "ResourceProperties is not an object"),
            ("ResourceProperties", json!(null), "ResourceProperties is not an object"),
        ] {
            let mut event = event();
            event[field] = value;
            let error = parse(event).unwrap_err();
            assert!(error.message.contains(message), "{field}: {error}");
        }
        for event in [json!(null), json!([]), json!("Create"), json!({})] {
            assert!(parse(event).unwrap_err().message.starts_with("StackId is missing"));
        }
    }

    #[test]
    fn an_update_carries_what_was_before() {
        let mut event = event();
        event["RequestType"] = json!("Update");
        event["PhysicalResourceId"] = json!("binding-1");
        event["OldResourceProperties"] = json!({"ServiceToken": "arn:x", "Sink": {"Port": "1"}});
        let request = parse(event.clone()).unwrap();
        assert_eq!((request.kind, request.physical_resource_id.as_deref()), (Kind::Update, Some("binding-1")));
        assert_eq!(request.old_properties, Some(json!({"Sink": {"Port": "1"}})));
        event["PhysicalResourceId"] = json!("");
        assert!(parse(event).unwrap_err().message.ends_with("PhysicalResourceId is empty"));
    }

    #[test]
    fn the_same_request_id_with_other_properties_is_another_request() {
        let text = r#"{"Sink": {"Port": "1", "Protocol": "tcp"}, "Options": {}}"#;
        let reordered = r#"{"Options": {}, "Sink": {"Protocol": "tcp", "Port": "1"}}"#;
        let with = |field: &str, value: Value| {
            let mut event = event();
            event["ResourceProperties"] = serde_json::from_str(text).unwrap();
            event["PhysicalResourceId"] = json!("binding-1");
            event[field] = value;
            parse(event).unwrap().fingerprint()
        };
        let request = with("RequestType", json!("Create"));
        assert_eq!(request, with("ResourceProperties", serde_json::from_str(reordered).unwrap()));
        assert_eq!(request, with("ResponseURL", json!("https://example.com/signed-anew")));
        for (field, value) in [
            ("RequestType", json!("Delete")),
            ("RequestId", json!("r2")),
            ("LogicalResourceId", json!("Dogs")),
            ("StackId", json!("arn:aws:cloudformation:eu-west-1:111122223333:stack/dogs/9a8b")),
            ("ResourceProperties", json!({"Sink": {"Port": "2", "Protocol": "tcp"}, "Options": {}})),
        ] {
            assert_ne!(request, with(field, value), "{field}");
        }
    }

    #[test]
    fn a_request_does_not_show_its_response_url() {
        let mut event = event();
        event["ResponseURL"] = json!("https://example.com/?X-Amz-Signature=secret");
        assert!(!format!("{:?}", parse(event).unwrap()).contains("secret"));
    }
}

//! What CloudFormation sent. Every field is read by itself, so that a request which is cut in half can still be
//! answered.

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::response_url::{AllowedHosts, ResponseUrl};
use crate::error::Error;
use crate::types::{AccountId, Arn, Malformed};

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
        let arn = Arn::parse(text)
            .filter(|arn| arn.service == "cloudformation" && arn.resource.starts_with("stack/"))
            .ok_or_else(|| Malformed::new(text, wanted))?;
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
}

/// A whole request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is wanted.
    pub kind: Kind,
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
    /// When CloudFormation signed the request, in seconds since the epoch; it orders the requests of one resource.
    pub signed_at_seconds: Option<u64>,
}

/// Whether the properties are what a resource is to be, and not for CloudFormation itself.
fn without_services(mut properties: Value) -> Value {
    if let Some(fields) = properties.as_object_mut() {
        fields.remove("ServiceToken");
        fields.remove("ServiceTimeout");
    }
    properties
}

impl Envelope {
    /// Reads what an answer needs.
    pub fn parse(event: &Value) -> Result<Self, Error> {
        let text = |field: &str| event.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let needed = |field: &'static str| {
            text(field).ok_or_else(|| {
                Error::invalid(format!(
                    "{field} is missing: the custom-resource request is not whole and can't be answered"
                ))
            })
        };
        let stack_id = StackId::parse(needed("StackId")?).map_err(|e| Error::invalid(format!("StackId: {e}")))?;
        Ok(Self {
            response_url: ResponseUrl::new(needed("ResponseURL")?),
            stack_id,
            request_id: needed("RequestId")?.to_owned(),
            logical_resource_id: needed("LogicalResourceId")?.to_owned(),
            physical_resource_id: text("PhysicalResourceId").map(str::to_owned),
        })
    }

    /// Where an answer may go, if its URL is CloudFormation's for this very request.
    pub(super) fn answer_url(&self, allowed: &AllowedHosts) -> Result<Url, Error> {
        let key = format!("{}|{}|{}", self.stack_id.as_str(), self.logical_resource_id, self.request_id);
        self.response_url.check(self.stack_id.region(), &key, allowed)
    }
}

impl Request {
    /// Reads the rest of a request whose `envelope` is there.
    pub fn parse(event: Value, envelope: &Envelope) -> Result<Self, Error> {
        let parsed: CloudFormationCustomResourceRequest = serde_json::from_value(event)
            .map_err(|e| Error::invalid(format!("the custom-resource request is not whole: {e}")))?;
        let (kind, properties, old_properties) = match parsed {
            CloudFormationCustomResourceRequest::Create(create) => (Kind::Create, create.resource_properties, None),
            CloudFormationCustomResourceRequest::Update(update) => {
                (Kind::Update, update.resource_properties, Some(update.old_resource_properties))
            }
            CloudFormationCustomResourceRequest::Delete(delete) => (Kind::Delete, delete.resource_properties, None),
            _ => return Err(Error::invalid("RequestType: not one of Create, Update, Delete")),
        };
        let Envelope { response_url, stack_id, request_id, logical_resource_id, physical_resource_id } =
            envelope.clone();
        Ok(Self {
            kind,
            signed_at_seconds: response_url.signed_at_seconds(),
            stack_id,
            request_id,
            logical_resource_id,
            physical_resource_id,
            properties: without_services(properties),
            old_properties: old_properties.map(without_services),
        })
    }

    /// Tells the request from any other, also from one that carries the same request id with other properties.
    pub fn fingerprint(&self) -> String {
        let text = format!("{}\n{:?}\n{}", self.request_id, self.kind, self.properties);
        Sha256::digest(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
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
        assert_eq!(request.signed_at_seconds, Some(1_795_169_472));
    }

    #[test]
    fn a_request_cut_in_half_says_what_is_missing() {
        for (field, message) in [
            ("ResponseURL", "ResponseURL is missing: the custom-resource request is not whole and can't be answered"),
            ("StackId", "StackId is missing: the custom-resource request is not whole and can't be answered"),
            ("RequestType", "the custom-resource request is not whole: missing field `RequestType`"),
            ("ResourceProperties", "the custom-resource request is not whole: missing field `ResourceProperties`"),
        ] {
            let mut event = event();
            event.as_object_mut().unwrap().remove(field);
            assert_eq!(parse(event).unwrap_err().message, message);
        }
    }

    #[test]
    fn the_same_request_id_with_other_properties_is_another_request() {
        let mut other = event();
        other["ResourceProperties"]["Sink"] = json!({"Port": 1});
        assert_eq!(parse(event()).unwrap().fingerprint(), parse(event()).unwrap().fingerprint());
        assert_ne!(parse(event()).unwrap().fingerprint(), parse(other).unwrap().fingerprint());
    }
}

//! What woke a function, told apart by shape. Nothing here knows what a function does with it.
//!
//! | shape | trigger |
//! |---|---|
//! | `Records[].eventSource` = `aws:sqs` | a batch from a queue, each body an EventBridge event |
//! | `Records[].eventSource` = `aws:dynamodb` | a batch from the registry's stream |
//! | `RequestType`, or any other field that only CloudFormation sends | a custom-resource request |
//! | `tf` | Terraform's `aws_lambda_invocation` with `lifecycle_scope = "CRUD"` |
//! | `command` | a direct invoke |
//! | `detail-type` | an EventBridge event |

use aws_lambda_events::{dynamodb, eventbridge::EventBridgeEvent};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// What woke the function.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// A custom-resource request, unparsed: even one that is cut in half wants an answer.
    CustomResource(Value),
    /// A direct invoke.
    Command(Command),
    /// A resource of Terraform's.
    Terraform(Terraform),
    /// An EventBridge event.
    Event(Box<EventBridgeEvent>),
    /// A batch from a queue.
    Queue(Vec<QueuedEvent>),
    /// A batch from the registry's stream.
    Stream(Box<dynamodb::Event>),
}

/// A direct invoke: `{"command": "apply", "name": "pets", "spec": {…}}` or a batch in `items`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Command {
    /// The verb.
    #[serde(rename = "command")]
    pub verb: String,
    /// The one thing that it is about.
    pub name: Option<String>,
    /// The description of that thing.
    pub spec: Option<Value>,
    /// Many things instead of one.
    pub items: Option<Vec<CommandItem>>,
    /// Further fields, which some verbs have.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One item of a command's batch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandItem {
    /// Which thing.
    pub name: Option<String>,
    /// Its description.
    pub spec: Option<Value>,
}

impl CommandItem {
    /// The description, with the item's name as its `Name` where it has none.
    pub fn named_spec(&self) -> Option<Value> {
        let mut spec = self.spec.clone()?;
        if let (Some(fields), Some(name)) = (spec.as_object_mut(), &self.name) {
            fields.entry("Name").or_insert_with(|| name.as_str().into());
        }
        Some(spec)
    }
}

impl Command {
    /// The items of the command, one or many; refuses a command that gives both, or fields that the verb doesn't have.
    pub fn into_items(self) -> Result<Vec<CommandItem>, Error> {
        if let Some(field) = self.other.keys().next() {
            return Err(Error::invalid(format!(
                "'{field}' is not a field of the command '{}': use name, spec or items",
                self.verb
            )));
        }
        match (self.items, &self.name, &self.spec) {
            (None, _, _) => Ok(vec![CommandItem { name: self.name, spec: self.spec }]),
            (Some(items), None, None) if items.len() <= COMMAND_ITEMS_MAX => Ok(items),
            (Some(items), None, None) => Err(Error::invalid(format!(
                "items: {} are too many for one command, at most {COMMAND_ITEMS_MAX}",
                items.len()
            ))),
            (Some(_), _, _) => Err(Error::invalid("give either name and spec, or items, not both")),
        }
    }
}

/// A command's batch beyond this would not end before the function does.
const COMMAND_ITEMS_MAX: usize = 1_000;

/// A CRUD invocation of Terraform's: the spec at top level, with `tf` beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Terraform {
    /// What Terraform does to the resource.
    pub action: TerraformAction,
    /// The resource as it is to be (create, update) or was (delete).
    pub resource: CommandItem,
    /// The resource as it was before an update or delete.
    pub previous: Option<CommandItem>,
}

/// `tf.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerraformAction {
    /// The resource is new.
    Create,
    /// Its input changed.
    Update,
    /// It is to go.
    Delete,
}

/// A message of a queue: its id, for the partial batch answer, and the event in it.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    /// `messageId`, which names it in `batchItemFailures`.
    pub message_id: String,
    /// `receiptHandle`, by which SQS knows this delivery; an event that came by itself has none.
    pub receipt_handle: Option<String>,
    /// `ApproximateReceiveCount`: which try this is, from 1.
    pub receive_count: u32,
    /// The event, or why its body is none.
    pub event: Result<Box<EventBridgeEvent>, Error>,
}

impl Trigger {
    /// Tells what `payload` is.
    pub fn parse(payload: Value) -> Result<Self, Error> {
        let Value::Object(fields) = &payload else {
            return Err(Error::invalid(
                "the payload is not a JSON object: send a command such as {\"command\":\"list\"}",
            ));
        };
        if let Some(records) = fields.get("Records").and_then(Value::as_array) {
            return Self::parse_records(records, &payload);
        }
        if ["RequestType", "ResponseURL", "LogicalResourceId"].iter().any(|field| fields.contains_key(*field)) {
            return Ok(Self::CustomResource(payload));
        }
        if fields.contains_key("tf") {
            return Terraform::parse(payload).map(Self::Terraform);
        }
        if fields.contains_key("command") {
            let command = serde_json::from_value(payload).map_err(|e| Error::invalid(format!("bad command: {e}")))?;
            return Ok(Self::Command(command));
        }
        if fields.contains_key("detail-type") {
            return parse_event(payload).map(Self::Event);
        }
        Err(Error::invalid(
            "the payload is nothing that Foregate knows: send a command ({\"command\":\"list\"}), a CloudFormation \
             custom-resource request, an EventBridge event, or Terraform's CRUD input with 'tf'",
        ))
    }

    fn parse_records(records: &[Value], payload: &Value) -> Result<Self, Error> {
        let source = records.first().and_then(|record| record.get("eventSource")).and_then(Value::as_str);
        match source {
            Some("aws:sqs") => Ok(Self::Queue(records.iter().map(QueuedEvent::parse).collect())),
            Some("aws:dynamodb") => dynamodb::Event::deserialize(payload)
                .map(|event| Self::Stream(Box::new(event)))
                .map_err(|e| Error::invalid(format!("bad DynamoDB stream batch: {e}"))),
            other => Err(Error::invalid(format!(
                "records of {} are not accepted, only of aws:sqs and aws:dynamodb",
                other.unwrap_or("an unnamed source")
            ))),
        }
    }
}

impl QueuedEvent {
    fn parse(record: &Value) -> Self {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let message_id = text("/messageId").unwrap_or_default().to_owned();
        let body = text("/body").unwrap_or_default();
        let event = serde_json::from_str(body)
            .map_err(|e| Error::invalid(format!("message {message_id}: the body is not JSON: {e}")))
            .and_then(parse_event);
        Self {
            message_id,
            receipt_handle: text("/receiptHandle").map(str::to_owned),
            receive_count: text("/attributes/ApproximateReceiveCount").and_then(|n| n.parse().ok()).unwrap_or(1),
            event,
        }
    }

    /// An event that came by itself, as if it were a queue's only message.
    pub fn alone(event: EventBridgeEvent) -> Self {
        Self { message_id: "event".into(), receipt_handle: None, receive_count: 1, event: Ok(Box::new(event)) }
    }
}

fn parse_event(payload: Value) -> Result<Box<EventBridgeEvent>, Error> {
    serde_json::from_value(payload).map(Box::new).map_err(|e| Error::invalid(format!("not an EventBridge event: {e}")))
}

impl Terraform {
    fn parse(mut payload: Value) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Tf {
            action: TerraformAction,
            #[serde(default)]
            prev_input: Option<Value>,
        }
        let tf = payload.as_object_mut().and_then(|fields| fields.remove("tf")).unwrap_or_default();
        let tf: Tf = serde_json::from_value(tf).map_err(|e| Error::invalid(format!("tf: {e}")))?;
        let previous = tf.prev_input.map(|mut input| {
            if let Some(fields) = input.as_object_mut() {
                fields.remove("tf");
            }
            Self::resource(input)
        });
        Ok(Self { action: tf.action, resource: Self::resource(payload)?, previous: previous.transpose()? })
    }

    /// `name` stands beside the spec's own fields.
    fn resource(mut input: Value) -> Result<CommandItem, Error> {
        let name = match input.as_object_mut().and_then(|fields| fields.remove("name")) {
            None => None,
            Some(Value::String(name)) => Some(name),
            Some(other) => return Err(Error::invalid(format!("name: {other} is not a string"))),
        };
        Ok(CommandItem { name, spec: Some(input) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorType;

    #[test]
    fn triggers_are_told_apart_by_shape() {
        let event = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        let record = json!({"messageId": "m1", "eventSource": "aws:sqs", "body": event.to_string()});
        let stream = json!({
            "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1",
            "dynamodb": {"Keys": {"pk": {"S": "BINDING"}}, "SequenceNumber": "1", "SizeBytes": 1},
        });
        for (payload, kind) in [
            (json!({"RequestType": "Create"}), "CustomResource"),
            (json!({"ResponseURL": "https://example.com", "command": "list"}), "CustomResource"),
            (json!({"command": "list"}), "Command"),
            (json!({"tf": {"action": "create", "prev_input": null}, "Sink": {}}), "Terraform"),
            (event.clone(), "Event"),
            (json!({"Records": [record]}), "Queue"),
            (json!({"Records": [stream]}), "Stream"),
        ] {
            let trigger = Trigger::parse(payload.clone());
            assert!(format!("{trigger:?}").starts_with(&format!("Ok({kind}")), "{payload} became {trigger:?}");
        }
    }

    #[test]
    fn what_is_no_trigger_is_refused_with_the_fix() {
        for payload in
            [json!(null), json!([]), json!({}), json!({"Records": []}), json!({"Records": [{"eventSource": "aws:s3"}]})]
        {
            let error = Trigger::parse(payload.clone()).unwrap_err();
            assert_eq!(error.error_type, ErrorType::InvalidInput, "{payload}");
        }
        let error = Trigger::parse(json!({"tf": {"action": "destroy"}})).unwrap_err();
        assert!(error.message.starts_with("tf: unknown variant `destroy`"), "{error}");
    }

    #[test]
    fn one_bad_message_does_not_spoil_its_batch() {
        let good = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}).to_string();
        let records = json!({"Records": [
            {"messageId": "m1", "eventSource": "aws:sqs", "body": "{"},
            {"messageId": "m2", "eventSource": "aws:sqs", "body": good},
        ]});
        let Ok(Trigger::Queue(events)) = Trigger::parse(records) else { panic!("not a queue") };
        assert!(events[0].event.is_err() && events[0].message_id == "m1");
        assert!(events[1].event.is_ok());
    }

    #[test]
    fn a_command_is_about_one_thing_or_many_but_not_both() {
        let items = |payload| match Trigger::parse(payload) {
            Ok(Trigger::Command(command)) => command.into_items(),
            other => panic!("{other:?}"),
        };
        assert_eq!(items(json!({"command": "get", "name": "a"})).unwrap().len(), 1);
        assert_eq!(items(json!({"command": "get", "items": [{"name": "a"}, {"name": "b"}]})).unwrap().len(), 2);
        assert!(items(json!({"command": "get", "name": "a", "items": []})).is_err());
        let error = items(json!({"command": "apply", "name": "a", "Spec": {}})).unwrap_err();
        assert_eq!(error.message, "'Spec' is not a field of the command 'apply': use name, spec or items");
    }

    #[test]
    fn terraform_input_is_the_spec_with_tf_beside_it() {
        let payload = json!({"name": "a", "Sink": 2, "tf": {"action": "update", "prev_input": {"name": "a", "Sink": 1, "tf": {}}}});
        let Ok(Trigger::Terraform(terraform)) = Trigger::parse(payload) else { panic!("not Terraform") };
        assert_eq!(terraform.action, TerraformAction::Update);
        assert_eq!(terraform.resource, CommandItem { name: Some("a".into()), spec: Some(json!({"Sink": 2})) });
        assert_eq!(terraform.previous, Some(CommandItem { name: Some("a".into()), spec: Some(json!({"Sink": 1})) }));
    }
}

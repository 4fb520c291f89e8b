//! EventBridge, behind [`Bus`] and [`BusPolicy`].

use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::Value;

use super::sdk::{absent_is_fine, failed, json_of, partly_refused};
use super::{Answer, Bus, BusPolicy, OwnEvent};

/// Entries per PutEvents, EventBridge's maximum.
const ENTRIES_MAX: usize = 10;
/// The `source` of everything that Foregate emits.
const SOURCE: &str = "foregate";

/// An event bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

impl EventBus {
    /// A client of the bus called `name`; makes no call.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: aws_sdk_eventbridge::Client::new(config), name: name.into() }
    }

    fn entry(&self, event: &OwnEvent) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.detail_type)
            .set_resources(Some(event.resources.clone()))
            .detail(event.detail.to_string())
            .build()
    }
}

impl Bus for EventBus {
    async fn put(&self, events: &[OwnEvent]) -> Answer<()> {
        for chunk in events.chunks(ENTRIES_MAX) {
            let entries = chunk.iter().map(|event| self.entry(event)).collect();
            let call = self.client.put_events().set_entries(Some(entries));
            let answer = call.send().await.map_err(|e| failed("PutEvents", &self.name, e))?;
            let refused = answer.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message())));
            if let Some((code, message)) = refused {
                return Err(partly_refused("PutEvents", &self.name, code, message.unwrap_or_default()));
            }
        }
        Ok(())
    }
}

impl BusPolicy for EventBus {
    async fn describe_event_bus(&self) -> Answer<Option<Value>> {
        let call = self.client.describe_event_bus().name(&self.name);
        let answer = call.send().await.map_err(|e| failed("DescribeEventBus", &self.name, e))?;
        answer.policy().map(|policy| json_of("DescribeEventBus", &self.name, policy)).transpose()
    }

    async fn put_permission(&self, policy: &Value) -> Answer<()> {
        let call = self.client.put_permission().event_bus_name(&self.name).policy(policy.to_string());
        call.send().await.map(|_| ()).map_err(|e| failed("PutPermission", &self.name, e))
    }

    async fn remove_permission(&self, statement_id: &str) -> Answer<()> {
        let call = self.client.remove_permission().event_bus_name(&self.name).statement_id(statement_id);
        absent_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("RemovePermission", &self.name, e)))
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_goes_out_under_foregates_name() {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let event = OwnEvent { detail_type: "Binding Changed", resources: vec!["a".into()], detail: json!({"n": 1}) };
        let entry = EventBus::new(&config, "foregate").entry(&event);
        assert_eq!((entry.source(), entry.event_bus_name()), (Some("foregate"), Some("foregate")));
        assert_eq!((entry.detail_type(), entry.detail()), (Some("Binding Changed"), Some(r#"{"n":1}"#)));
        assert_eq!(entry.resources(), ["a"]);
    }
}

//! EventBridge, behind [`Bus`] and [`BusAdmission`].

use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::sdk::{failed, partly_refused};
use super::{Answer, Bus, BusAdmission, Cause, OwnEvent, alias_of};
use crate::types::AccountId;

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

impl BusAdmission for EventBus {
    async fn admit_sender(&self, account: &AccountId) -> Answer<()> {
        let call = self.client.put_permission().event_bus_name(&self.name).action("events:PutEvents");
        let call = call.principal(account.as_str()).statement_id(alias_of(account));
        call.send().await.map(|_| ()).map_err(|e| failed("PutPermission", &self.name, e))
    }

    async fn expel_sender(&self, account: &AccountId) -> Answer<()> {
        let call = self.client.remove_permission().event_bus_name(&self.name).statement_id(alias_of(account));
        match call.send().await.map_err(|e| failed("RemovePermission", &self.name, e)) {
            Err(error) if error.cause != Cause::NotFound => Err(error),
            _ => Ok(()),
        }
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

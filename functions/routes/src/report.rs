//! What callers, the bus and the log hear of a route.

use serde_json::{Map, Value, json};
use shared::aws::{Bus, OwnEvent};
use shared::error::{Error, ErrorType};
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::{Route, Status};
use shared::telemetry::{Metric, count};
use shared::types::AccountId;

use crate::world::World;

/// The attributes that `Fn::GetAtt` gives; the revision once the route is live.
pub fn attributes(region: &str, door: &FrontDoorSpec, route: &Route) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("Url".into(), json!(format!("{}{}", door.invoke_url(region), route.spec.path)));
    if let Some(live) = &route.live {
        attributes.insert("Revision".into(), json!(live.revision));
    }
    attributes
}

/// A command's answer about a route.
pub fn answer(region: &str, door: Option<&FrontDoorSpec>, route: &Route) -> Value {
    let mut answer = json!({
        "name": route.origin.name(),
        "id": route.id,
        "status": route.status.as_str(),
        "account": route.owner,
        "route": format!("{} {}", route.spec.methods, route.spec.path),
        "attributes": door.map(|door| attributes(region, door, route)).unwrap_or_default(),
    });
    if let Some(refusal) = &route.refusal {
        answer["reason"] = json!(refusal.message);
    }
    answer
}

/// The answer about a route that somebody waits for: an error where it was rejected.
pub fn settled(route: &Route) -> Result<(), Error> {
    match (&route.refusal, route.status) {
        (Some(refusal), Status::Rejected) => Err(refusal.into()),
        _ => Ok(()),
    }
}

/// Tells the bus and the log who was refused what. A fault of AWS's is no refusal, and comes again.
pub async fn refused<W: World>(world: &W, account: &AccountId, name: &str, what: &str, error: &Error) {
    if error.error_type == ErrorType::Upstream {
        return;
    }
    count(Metric::RoutesRefused, 1);
    let error_type = error.error_type.as_str();
    tracing::warn!(account = account.as_str(), name, what, error_type, "refused: {error}");
    let event = OwnEvent {
        detail_type: "Route Rejected",
        resources: Vec::new(),
        detail: json!({"account": account, "name": name, "route": what, "errorType": error_type, "reason": error.message}),
    };
    // The refusal stands whether or not the bus hears of it.
    if let Err(error) = world.bus().put(&[event]).await {
        tracing::error!("failed to tell the bus: {error}");
    }
}

//! The bus' door: `Foregate Route Apply` and `Foregate Route Delete`, sent by the event's `account`. Nobody waits for an
//! answer: what became of it is told on the bus.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::command::check_name;
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::fields::read;
use shared::identity::Caller;
use shared::origin::Origin;

use super::{asked, register, withdraw_all};
use crate::report;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detail {
    name: String,
    spec: Option<Value>,
}

/// An event of the bus. Only a fault of AWS's is an error, so that Lambda tries again: a refusal stays one.
pub async fn event<W: World>(world: &W, invocation: &Invocation, event: EventBridgeEvent) -> Result<Value, Error> {
    invocation.caller.operator_only("events of the bus")?;
    let caller = Caller::of_event(&event, invocation.caller.account())?;
    match serve(world, invocation, &caller, event).await {
        Err(error) if error.error_type == ErrorType::Upstream => Err(error),
        Err(error) => Ok(json!({"errorType": error.error_type.as_str(), "errorMessage": error.message})),
        Ok(()) => Ok(json!({})),
    }
}

async fn serve<W: World>(
    world: &W,
    invocation: &Invocation,
    caller: &Caller,
    event: EventBridgeEvent,
) -> Result<(), Error> {
    let detail = async {
        let detail: Detail = read(event.detail)?;
        check_name(&detail.name)?;
        match (event.detail_type.as_str(), &detail.spec) {
            ("Foregate Route Apply", Some(_)) | ("Foregate Route Delete", _) => Ok(detail),
            _ => Err(Error::invalid(
                "send Foregate Route Apply with a name and a spec, or Foregate Route Delete with a name",
            )),
        }
    };
    let detail = match detail.await {
        Ok(detail) => detail,
        Err(error) => {
            report::refused(world, caller.account(), "", "", &error).await;
            return Err(error);
        }
    };
    let mut asked = asked(caller, Origin::Command { name: detail.name }, invocation);
    // EventBridge may deliver an event twice: its own id is the same then.
    asked.stamp.fingerprint = event.id.unwrap_or(asked.stamp.fingerprint);
    match (event.detail_type.as_str(), detail.spec) {
        ("Foregate Route Apply", Some(spec)) => {
            let route = register(world, caller, &asked, spec).await?;
            withdraw_all(world, &asked, Some(&route.id)).await?;
        }
        _ => {
            withdraw_all(world, &asked, None).await?;
        }
    }
    Ok(())
}

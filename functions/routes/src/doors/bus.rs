//! The bus' door: `Foregate Route Apply` and `Foregate Route Delete`, sent by the event's `account`. Nobody waits for an
//! answer: what became of it is told on the bus.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::command::check_name;
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::fields::read;
use shared::front_door::records::Onboarded;
use shared::identity::Caller;
use shared::origin::Origin;
use shared::registry::{self, Registry};

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

/// The bus' policy may let a whole organization in; a tenant has to be allowed to by its grants.
async fn may_send<W: World>(world: &W, caller: &Caller) -> Result<(), Error> {
    let Caller::Tenant(account) = caller else { return Ok(()) };
    let record = Registry::new(world.table()).get::<Onboarded>(&registry::tenant_key(account.as_str())).await?;
    let may_send = record.is_some_and(|record| !record.value.deleted && record.value.grants.events);
    may_send.then_some(()).ok_or_else(|| {
        Error::forbidden(format!("account {account} may not send events: ask your platform team for it (Events)"))
    })
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
    let detail = match (detail.await, may_send(world, caller).await) {
        (Ok(detail), Ok(())) => detail,
        (Err(error), _) | (_, Err(error)) => {
            report::refused(world, caller.account(), "", "", &error).await;
            return Err(error);
        }
    };
    let mut asked = asked(caller, Origin::Command { name: detail.name }, invocation);
    // EventBridge may deliver an event twice: its own id is the same then.
    asked.stamp.fingerprint = event.id.unwrap_or(asked.stamp.fingerprint);
    match (event.detail_type.as_str(), detail.spec) {
        ("Foregate Route Apply", Some(spec)) => {
            let route = register(world, caller, &asked, spec).await?.route;
            withdraw_all(world, &asked, Some(&route.id)).await?;
        }
        _ => {
            withdraw_all(world, &asked, None).await?;
        }
    }
    Ok(())
}

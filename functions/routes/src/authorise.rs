//! Whether the caller may have the route: the grants of its account, and whose the backend is. Nothing here writes.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use shared::aws::{Cause, MemberApis};
use shared::error::Error;
use shared::front_door::records::{FrontDoor, Onboarded};
use shared::front_door::{Auth, Backend, FrontDoorSpec, RouteSpec, Tenant};
use shared::identity::Caller;
use shared::registry::{self, Registry};

use crate::reach::{self, Place};
use crate::world::World;

/// What a route may be held against while it is claimed.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The front door.
    pub door: FrontDoorSpec,
    /// The caller's tenant record; operators need none.
    pub tenant: Option<Tenant>,
}

/// A role takes seconds to be known everywhere after it was made, and a team may make it in the same stack as its first route:
/// it is asked for again after 1, 2, 4 and 8 seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency>
const SPREAD: Duration = Duration::from_secs(1);
const SPREADS_MAX: usize = 4;

/// Refuses what the caller may not have.
pub async fn authorise<W: World>(world: &W, caller: &Caller, spec: &RouteSpec) -> Result<Grant, Error> {
    let door = front_door(world, spec).await?;
    let tenant = match caller {
        Caller::Operator(_) => None,
        Caller::Tenant(account) => {
            let record = Registry::new(world.table()).get::<Onboarded>(&registry::tenant_key(account.as_str())).await?;
            let tenant = record.map(|record| record.value).filter(|tenant| !tenant.deleted);
            let tenant = tenant.map(|tenant| tenant.grants).ok_or_else(|| {
                Error::forbidden(format!("account {account} is no tenant of this front door: ask your platform team"))
            })?;
            tenant.admit(spec, door.private_api_link.as_ref())?;
            Some(tenant)
        }
    };
    if let Auth::Authorizer(name) = &spec.auth
        && !door.authorizers.contains_key(name)
    {
        return Err(Error::not_found(format!("Auth: the front door {} has no authorizer called {name}", door.name)));
    }
    own_backend(world, caller, &door, spec).await?;
    Ok(Grant { door, tenant })
}

async fn front_door<W: World>(world: &W, spec: &RouteSpec) -> Result<FrontDoorSpec, Error> {
    let key = registry::front_door_key(spec.front_door.as_str());
    let record = Registry::new(world.table()).get::<FrontDoor>(&key).await?.filter(|record| !record.value.deleted);
    let record =
        record.ok_or_else(|| Error::not_found(format!("FrontDoor: there is none called {}", spec.front_door)))?;
    Ok(record.value.spec)
}

/// A private API has to be one of the caller's own account: whoever can name another's would publish it.
async fn own_backend<W: World>(
    world: &W,
    caller: &Caller,
    door: &FrontDoorSpec,
    spec: &RouteSpec,
) -> Result<(), Error> {
    let Backend::PrivateApi { rest_api_id, region, .. } = &spec.backend else {
        return Ok(());
    };
    if door.private_api_link.is_none() {
        return Err(Error::invalid(format!(
            "Backend.PrivateApi: the front door {} leads to no private APIs: its PrivateApiLink is not set",
            door.name
        )));
    }
    let account = match caller {
        Caller::Operator(_) => None,
        Caller::Tenant(account) => Some(account),
    };
    let look = || world.apis().rest_api(account, region.as_ref(), rest_api_id);
    let waits = ExponentialBuilder::default().with_min_delay(SPREAD).with_max_times(SPREADS_MAX);
    let api = look.retry(waits).when(|error| account.is_some() && error.cause == Cause::Unavailable).await?;
    let whose = caller.account();
    let api = api.ok_or_else(|| {
        Error::forbidden(format!("Backend.PrivateApi.RestApiId: {rest_api_id} is not an API of account {whose}"))
    })?;
    match api.endpoint_types.iter().any(|one| one == "PRIVATE") {
        true if door.vpc_endpoint_ids.is_empty() => Ok(()),
        true => {
            let region = region.as_ref().map_or(world.region(), |region| region.as_str());
            let place = Place { account: whose, region };
            reach::check(spec, &place, api.policy.as_ref(), door.vpc_endpoint_ids.iter().cloned())
        }
        false => Err(Error::invalid(format!(
            "Backend.PrivateApi.RestApiId: {rest_api_id} is {} and not PRIVATE: it has an address of its own, and needs no \
             way in",
            api.endpoint_types.join(" and ")
        ))),
    }
}

//! Whether the caller may have the route: the grants of its account, and whose the backend is. Nothing here writes.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde_json::Value;
use shared::aws::{ASSUME_ROLE, Answer, AwsError, Cause, MemberApis, RestApi};
use shared::error::Error;
use shared::front_door::records::{FrontDoor, Onboarded};
use shared::front_door::{Backend, FrontDoorSpec, RouteSpec, Tenant};
use shared::identity::Caller;
use shared::openapi;
use shared::registry::{self, Registry};
use shared::types::{AccountId, Region, RestApiId, StageName};

use crate::reach;
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
    door.admit(spec, world.region())?;
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

/// A private API has to be one of the caller's own account: whoever can name another's would publish it. Where the front door
/// names its endpoints, it has to be one that they reach, and that serves the route.
async fn own_backend<W: World>(
    world: &W,
    caller: &Caller,
    door: &FrontDoorSpec,
    spec: &RouteSpec,
) -> Result<(), Error> {
    let Backend::PrivateApi { rest_api_id, stage_name, region, .. } = &spec.backend else {
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
    let is_held = !door.vpc_endpoint_ids.is_empty();
    let asked = ApiOf { account, region: region.as_ref(), id: rest_api_id, stage: is_held.then_some(stage_name) };
    let look = || asked.look(world);
    let waits = ExponentialBuilder::default().with_min_delay(SPREAD).with_max_times(SPREADS_MAX);
    let is_new = |error: &AwsError| error.operation == ASSUME_ROLE || error.cause == Cause::Unavailable;
    let seen = look.retry(waits).when(|error| account.is_some() && is_new(error)).await;
    let whose = caller.account();
    let (api, exported) = seen.map_err(|error| asked.unseen(error))?.ok_or_else(|| {
        Error::forbidden(format!("Backend.PrivateApi.RestApiId: {rest_api_id} is not an API of account {whose}"))
    })?;
    match is_private(&api) {
        true if !is_held => Ok(()),
        true => {
            let stage = exported.as_ref().map(openapi::methods_of);
            let region = region.as_ref().map_or(world.region(), |region| region.as_str());
            let api = reach::Api { account: whose, region, policy: api.policy.as_ref(), stage: stage.as_deref() };
            reach::check(spec, &api, door.vpc_endpoint_ids.iter().cloned())
        }
        false => Err(Error::invalid(format!(
            "Backend.PrivateApi.RestApiId: {rest_api_id} is {} and not PRIVATE: it has an address of its own, and needs no \
             way in",
            api.endpoint_types.join(" and ")
        ))),
    }
}

fn is_private(api: &RestApi) -> bool {
    api.endpoint_types.iter().any(|one| one == "PRIVATE")
}

/// Which API a route names, and whose it has to be.
struct ApiOf<'a> {
    /// The account whose role reads it; the function's own reads for an operator.
    account: Option<&'a AccountId>,
    region: Option<&'a Region>,
    id: &'a RestApiId,
    /// The stage, where the route is held against what it shows.
    stage: Option<&'a StageName>,
}

impl ApiOf<'_> {
    /// The API and, where it is private and has that stage, the stage's export.
    async fn look<W: World>(&self, world: &W) -> Answer<Option<(RestApi, Option<Value>)>> {
        let Some(api) = world.apis().rest_api(self.account, self.region, self.id).await? else { return Ok(None) };
        let exported = match self.stage {
            Some(stage) if is_private(&api) => world.apis().exported(self.account, self.region, self.id, stage).await?,
            _ => None,
        };
        Ok(Some((api, exported)))
    }

    /// A role that may look at the API, and not at what its stage shows, was made before routes were held against that.
    fn unseen(&self, error: AwsError) -> Error {
        let (Some(stage), "GetExport", Cause::Denied) = (self.stage, error.operation, error.cause) else {
            return error.into();
        };
        let role = match self.account {
            Some(account) => format!("the role of account {account} that Foregate reads REST APIs with"),
            None => "the role of Foregate's function routes".into(),
        };
        Error::upstream(format!(
            "Backend.PrivateApi.StageName: {error}: allow {role} apigateway:GET on /restapis/{}/stages/{stage}/exports/oas30, \
             or on /restapis/*",
            self.id
        ))
    }
}

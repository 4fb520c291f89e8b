//! Everything outside: the AWS that `catalog` needs, the clock, the way to CloudFormation, and what the template says.

use shared::aws::{Access, ApiKeys, ApisOfAccounts, Bus, MemberRole, Organization, Queue, Table};
use shared::custom_resource::Responder;
use shared::types::{AccountId, Region};

use crate::pace::Paces;
use crate::record::Place;

/// The AWS calls that `catalog` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// REST APIs and API keys, of the central account and of others.
    type Apis: ApisOfAccounts + ApiKeys;
    /// The organization.
    type Organization: Organization;
    /// The registry's table.
    type Table: Table;
    /// The queue of events and scans.
    type Queue: Queue;
    /// Foregate's event bus.
    type Bus: Bus;

    /// REST APIs and API keys, of the central account and of others.
    fn apis(&self) -> &Self::Apis;
    /// The organization.
    fn organization(&self) -> &Self::Organization;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// The queue of events and scans.
    fn queue(&self) -> &Self::Queue;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// What answers CloudFormation.
    fn responder(&self) -> &Responder;
    /// The time, in seconds since the epoch.
    fn now_seconds(&self) -> u64;
    /// How fast each account's API Gateway may be asked.
    fn paces(&self) -> &Paces;
    /// What the template says.
    fn settings(&self) -> &Settings;
}

/// What the template says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The central account and the function's own region.
    pub home: Place,
    /// The role that reads in member accounts, where a discovery names none.
    pub member_role: String,
    /// The role that manages API keys in member accounts.
    pub member_write_role: String,
    /// The role that manages API keys in the central account.
    pub own_write_role: String,
    /// What this Foregate's names begin with, and its tags say.
    pub prefix: String,
}

impl Settings {
    /// As whom API keys are managed at a place.
    pub fn writing(&self, place: &Place, external_id: Option<&str>) -> Access {
        let role = match place.account == self.home.account {
            true => MemberRole { account: place.account.clone(), name: self.own_write_role.clone(), external_id: None },
            false => MemberRole {
                account: place.account.clone(),
                name: self.member_write_role.clone(),
                external_id: external_id.map(str::to_owned),
            },
        };
        Access { role: Some(role), region: Some(place.region.clone()) }
    }

    /// As whom APIs are read at a place. In the central account the function reads by itself, unless a role is named.
    pub fn reading(
        &self,
        account: &AccountId,
        region: &Region,
        role: Option<&str>,
        external_id: Option<&str>,
    ) -> Access {
        let is_own = *account == self.home.account && role.is_none();
        let role = (!is_own).then(|| MemberRole {
            account: account.clone(),
            name: role.unwrap_or(&self.member_role).to_owned(),
            external_id: external_id.map(str::to_owned),
        });
        Access { role, region: Some(region.clone()) }
    }
}

/// A world put together of its parts.
pub struct Parts<Apis, Organization, Table, Queue, Bus> {
    /// REST APIs and API keys.
    pub apis: Apis,
    /// The organization.
    pub organization: Organization,
    /// The registry's table.
    pub table: Table,
    /// The queue of events and scans.
    pub queue: Queue,
    /// Foregate's event bus.
    pub bus: Bus,
    /// What answers CloudFormation.
    pub responder: Responder,
    /// The time, in seconds since the epoch.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// How fast each account's API Gateway may be asked.
    pub paces: Paces,
    /// What the template says.
    pub settings: Settings,
}

impl<A, O, T, Q, B> World for Parts<A, O, T, Q, B>
where
    A: ApisOfAccounts + ApiKeys + 'static,
    O: Organization + 'static,
    T: Table + 'static,
    Q: Queue + 'static,
    B: Bus + 'static,
{
    type Apis = A;
    type Organization = O;
    type Table = T;
    type Queue = Q;
    type Bus = B;

    fn apis(&self) -> &A {
        &self.apis
    }
    fn organization(&self) -> &O {
        &self.organization
    }
    fn table(&self) -> &T {
        &self.table
    }
    fn queue(&self) -> &Q {
        &self.queue
    }
    fn bus(&self) -> &B {
        &self.bus
    }
    fn responder(&self) -> &Responder {
        &self.responder
    }
    fn now_seconds(&self) -> u64 {
        (self.clock)()
    }
    fn paces(&self) -> &Paces {
        &self.paces
    }
    fn settings(&self) -> &Settings {
        &self.settings
    }
}

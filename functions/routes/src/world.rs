//! Everything outside: the AWS that `routes` needs, and the clock.

use shared::aws::{Bus, MemberApis, Table};

/// The AWS calls that `routes` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// REST APIs, of the central account and of others.
    type Apis: MemberApis;
    /// The registry's table.
    type Table: Table;
    /// Foregate's event bus.
    type Bus: Bus;

    /// REST APIs, of the central account and of others.
    fn apis(&self) -> &Self::Apis;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// The time, in seconds since the epoch.
    fn now_seconds(&self) -> u64;
    /// The region that the front doors are in.
    fn region(&self) -> &str;
    /// The roles that the publisher may pass to API Gateway; `*` stands for any characters.
    fn passable_roles(&self) -> &[String];
}

/// A world put together of its parts.
pub struct Parts<Apis, Table, Bus> {
    /// REST APIs.
    pub apis: Apis,
    /// The registry's table.
    pub table: Table,
    /// Foregate's event bus.
    pub bus: Bus,
    /// The time, in seconds since the epoch.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The region that the front doors are in.
    pub region: String,
    /// The roles that the publisher may pass to API Gateway.
    pub passable_roles: Vec<String>,
}

impl<A: MemberApis + 'static, T: Table + 'static, B: Bus + 'static> World for Parts<A, T, B> {
    type Apis = A;
    type Table = T;
    type Bus = B;

    fn apis(&self) -> &A {
        &self.apis
    }
    fn table(&self) -> &T {
        &self.table
    }
    fn bus(&self) -> &B {
        &self.bus
    }
    fn now_seconds(&self) -> u64 {
        (self.clock)()
    }
    fn region(&self) -> &str {
        &self.region
    }
    fn passable_roles(&self) -> &[String] {
        &self.passable_roles
    }
}

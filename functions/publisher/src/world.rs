//! Everything outside: the AWS that `publisher` needs, the clock, and the way to CloudFormation.

use shared::aws::{Bus, RestApis, Table, VpcLinks};
use shared::custom_resource::Responder;

/// The AWS calls that `publisher` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// The front doors' own REST APIs.
    type Apis: RestApis + VpcLinks;
    /// The registry's table.
    type Table: Table;
    /// Foregate's event bus.
    type Bus: Bus;

    /// The front doors' own REST APIs.
    fn apis(&self) -> &Self::Apis;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// What answers CloudFormation.
    fn responder(&self) -> &Responder;
    /// The time, in milliseconds since the epoch.
    fn now_millis(&self) -> u64;
    /// The region that the front doors are in.
    fn region(&self) -> &str;
}

/// A world put together of its parts.
pub struct Parts<Apis, Table, Bus> {
    /// The front doors' own REST APIs.
    pub apis: Apis,
    /// The registry's table.
    pub table: Table,
    /// Foregate's event bus.
    pub bus: Bus,
    /// What answers CloudFormation.
    pub responder: Responder,
    /// The time, in milliseconds since the epoch.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The region that the front doors are in.
    pub region: String,
}

impl<A: RestApis + VpcLinks + 'static, T: Table + 'static, B: Bus + 'static> World for Parts<A, T, B> {
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
    fn responder(&self) -> &Responder {
        &self.responder
    }
    fn now_millis(&self) -> u64 {
        (self.clock)()
    }
    fn region(&self) -> &str {
        &self.region
    }
}

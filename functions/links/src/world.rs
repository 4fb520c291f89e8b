//! Everything outside: the AWS that `links` needs, the clock, and the way to CloudFormation.

use shared::aws::{BalancerSearch, Bus, Queue, Table, VpcLinks};
use shared::custom_resource::Responder;

/// The AWS calls that `links` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// API Gateway's VPC links.
    type Apis: VpcLinks;
    /// Load balancers.
    type Elb: BalancerSearch;
    /// The registry's table.
    type Table: Table;
    /// The queue of events and re-checks.
    type Queue: Queue;
    /// Foregate's event bus.
    type Bus: Bus;

    /// API Gateway's VPC links.
    fn apis(&self) -> &Self::Apis;
    /// Load balancers.
    fn elb(&self) -> &Self::Elb;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// The queue of events and re-checks.
    fn queue(&self) -> &Self::Queue;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// What answers CloudFormation.
    fn responder(&self) -> &Responder;
    /// The time, in seconds since the epoch.
    fn now_seconds(&self) -> u64;
    /// What this Foregate's names begin with, and its tags say.
    fn prefix(&self) -> &str;
}

/// A world put together of its parts.
pub struct Parts<Apis, Elb, Table, Queue, Bus> {
    /// API Gateway's VPC links.
    pub apis: Apis,
    /// Load balancers.
    pub elb: Elb,
    /// The registry's table.
    pub table: Table,
    /// The queue of events and re-checks.
    pub queue: Queue,
    /// Foregate's event bus.
    pub bus: Bus,
    /// What answers CloudFormation.
    pub responder: Responder,
    /// The time, in seconds since the epoch.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What this Foregate's names begin with.
    pub prefix: String,
}

impl<A, E, T, Q, B> World for Parts<A, E, T, Q, B>
where
    A: VpcLinks + 'static,
    E: BalancerSearch + 'static,
    T: Table + 'static,
    Q: Queue + 'static,
    B: Bus + 'static,
{
    type Apis = A;
    type Elb = E;
    type Table = T;
    type Queue = Q;
    type Bus = B;

    fn apis(&self) -> &A {
        &self.apis
    }
    fn elb(&self) -> &E {
        &self.elb
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
    fn prefix(&self) -> &str {
        &self.prefix
    }
}

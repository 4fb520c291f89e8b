//! Everything outside: the AWS that a binding is kept in, the clock, and what the template has set. `main` builds it of
//! adapters, the simulation of a model.

use shared::aws::{
    AutoScaling, Bus, Instances, LoadBalancers, Names, Network, Queue, SecurityGroups, Table, TargetGroups,
};

/// The AWS calls that `bindings` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// EC2.
    type Ec2: Network + Instances + SecurityGroups;
    /// Elastic Load Balancing.
    type Elb: TargetGroups + LoadBalancers;
    /// Auto Scaling.
    type AutoScaling: AutoScaling;
    /// The VPC's name server.
    type Names: Names;
    /// The registry's table.
    type Table: Table;
    /// The function's own queue, for delayed re-checks.
    type Queue: Queue;
    /// Foregate's event bus.
    type Bus: Bus;

    /// EC2.
    fn ec2(&self) -> &Self::Ec2;
    /// Elastic Load Balancing.
    fn elb(&self) -> &Self::Elb;
    /// Auto Scaling.
    fn auto_scaling(&self) -> &Self::AutoScaling;
    /// The VPC's name server.
    fn names(&self) -> &Self::Names;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// The function's own queue.
    fn queue(&self) -> &Self::Queue;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// The time, in seconds since the epoch.
    fn now_seconds(&self) -> u64;
    /// What every name of this Foregate begins with: what tells its rules from another's in the same account.
    fn prefix(&self) -> &str;
    /// The account's quota of inbound rules per security group.
    fn rules_max(&self) -> usize;
}

/// A world put together of its parts.
pub struct Parts<Ec2, Elb, Scaling, Names, Table, Queue, Bus> {
    /// EC2.
    pub ec2: Ec2,
    /// Elastic Load Balancing.
    pub elb: Elb,
    /// Auto Scaling.
    pub auto_scaling: Scaling,
    /// The VPC's name server.
    pub names: Names,
    /// The registry's table.
    pub table: Table,
    /// The function's own queue.
    pub queue: Queue,
    /// Foregate's event bus.
    pub bus: Bus,
    /// The time, in seconds since the epoch.
    pub clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What every name of this Foregate begins with.
    pub prefix: String,
    /// The account's quota of inbound rules per security group.
    pub rules_max: usize,
}

impl<E, L, A, N, T, Q, B> World for Parts<E, L, A, N, T, Q, B>
where
    E: Network + Instances + SecurityGroups + 'static,
    L: TargetGroups + LoadBalancers + 'static,
    A: AutoScaling + 'static,
    N: Names + 'static,
    T: Table + 'static,
    Q: Queue + 'static,
    B: Bus + 'static,
{
    type Ec2 = E;
    type Elb = L;
    type AutoScaling = A;
    type Names = N;
    type Table = T;
    type Queue = Q;
    type Bus = B;

    fn ec2(&self) -> &E {
        &self.ec2
    }
    fn elb(&self) -> &L {
        &self.elb
    }
    fn auto_scaling(&self) -> &A {
        &self.auto_scaling
    }
    fn names(&self) -> &N {
        &self.names
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
    fn now_seconds(&self) -> u64 {
        (self.clock)()
    }
    fn prefix(&self) -> &str {
        &self.prefix
    }
    fn rules_max(&self) -> usize {
        self.rules_max
    }
}

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

//! Everything outside: the AWS that a binding is kept in, and the clock. `main` builds it of adapters, the simulation
//! of a model.

use shared::aws::{Bus, Network, Queue, Table, TargetGroups};

/// The AWS calls that `bindings` makes, and the time.
pub trait World: Send + Sync + 'static {
    /// EC2.
    type Network: Network;
    /// Elastic Load Balancing.
    type TargetGroups: TargetGroups;
    /// The registry's table.
    type Table: Table;
    /// The function's own queue, for delayed re-checks.
    type Queue: Queue;
    /// Foregate's event bus.
    type Bus: Bus;

    /// EC2.
    fn network(&self) -> &Self::Network;
    /// Elastic Load Balancing.
    fn target_groups(&self) -> &Self::TargetGroups;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// The function's own queue.
    fn queue(&self) -> &Self::Queue;
    /// Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// The time, in seconds since the epoch.
    fn now_seconds(&self) -> u64;
}

//! Everything outside: the AWS that `tenants` needs.

use shared::aws::{BusPolicy, InvokePermissions, Table};

/// The AWS calls that `tenants` makes.
pub trait World: Send + Sync + 'static {
    /// Lambda.
    type Functions: InvokePermissions;
    /// The registry's table.
    type Table: Table;
    /// Who may use Foregate's event bus.
    type Bus: BusPolicy;

    /// Lambda.
    fn functions(&self) -> &Self::Functions;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// Who may use Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// What the template says.
    fn settings(&self) -> &Settings;
}

/// What the template says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The ARN of `routes`, which tenants reach through an alias each.
    pub routes_arn: String,
    /// The ARN of `catalog`, which tenants reach through an alias each.
    pub catalog_arn: String,
    /// The bus' ARN, which tenants send their events to.
    pub bus_arn: String,
    /// The ARN of the queue for asynchronous invocations that failed.
    pub failures_arn: String,
    /// The organization of all accounts that may send events, if the template names one.
    pub organization_id: Option<String>,
}

impl Settings {
    /// What a tenant reaches through an alias of its own.
    pub fn functions(&self) -> [&str; 2] {
        [&self.routes_arn, &self.catalog_arn]
    }
}

/// A world put together of its parts.
pub struct Parts<Functions, Table, Bus> {
    /// Lambda.
    pub functions: Functions,
    /// The registry's table.
    pub table: Table,
    /// Who may use Foregate's event bus.
    pub bus: Bus,
    /// What the template says.
    pub settings: Settings,
}

impl<F: InvokePermissions + 'static, T: Table + 'static, B: BusPolicy + 'static> World for Parts<F, T, B> {
    type Functions = F;
    type Table = T;
    type Bus = B;

    fn functions(&self) -> &F {
        &self.functions
    }
    fn table(&self) -> &T {
        &self.table
    }
    fn bus(&self) -> &B {
        &self.bus
    }
    fn settings(&self) -> &Settings {
        &self.settings
    }
}

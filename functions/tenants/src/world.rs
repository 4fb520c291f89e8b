//! Everything outside: the AWS that `tenants` needs.

use shared::aws::{Admission, BusAdmission, Table};

/// The AWS calls that `tenants` makes.
pub trait World: Send + Sync + 'static {
    /// Lambda.
    type Functions: Admission;
    /// The registry's table.
    type Table: Table;
    /// Who may use Foregate's event bus.
    type Bus: BusAdmission;

    /// Lambda.
    fn functions(&self) -> &Self::Functions;
    /// The registry's table.
    fn table(&self) -> &Self::Table;
    /// Who may use Foregate's event bus.
    fn bus(&self) -> &Self::Bus;
    /// The ARN of `routes`, which tenants reach through an alias each.
    fn routes_arn(&self) -> &str;
    /// The ARN of `catalog`, which tenants reach through an alias each.
    fn catalog_arn(&self) -> &str;
    /// The bus' ARN, which tenants send their events to.
    fn bus_arn(&self) -> &str;
}

/// A world put together of its parts.
pub struct Parts<Functions, Table, Bus> {
    /// Lambda.
    pub functions: Functions,
    /// The registry's table.
    pub table: Table,
    /// Who may use Foregate's event bus.
    pub bus: Bus,
    /// The ARN of `routes`.
    pub routes_arn: String,
    /// The ARN of `catalog`.
    pub catalog_arn: String,
    /// The bus' ARN.
    pub bus_arn: String,
}

impl<F: Admission + 'static, T: Table + 'static, B: BusAdmission + 'static> World for Parts<F, T, B> {
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
    fn routes_arn(&self) -> &str {
        &self.routes_arn
    }
    fn catalog_arn(&self) -> &str {
        &self.catalog_arn
    }
    fn bus_arn(&self) -> &str {
        &self.bus_arn
    }
}

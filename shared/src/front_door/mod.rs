//! The front door's own words, which `tenants`, `routes` and `publisher` share: what a team may ask for, who may ask, what
//! stands in each other's way, and how all of it is remembered.
//!
//! [`RoutePath`] and [`Methods`] say which requests are meant, [`RouteSpec`], [`Tenant`] and [`FrontDoorSpec`] are what
//! users write, [`claims`] finds who is in whose way, [`records`] is what the registry keeps. Nothing here asks AWS.

pub mod authorizer;
mod base_definition;
pub mod claims;
mod cors;
mod door;
pub mod links;
mod methods;
mod owned;
mod path;
mod policy;
pub mod records;
pub mod resources;
mod route;
mod stage;
mod tenant;

pub use cors::{Cors, CorsHeader, CorsOrigin};
pub use door::{
    API_KEY, AWS_IAM, DomainName, FrontDoorSpec, Mode, OrganizationId, Principal, RESOURCE_LIMIT_MAX, authorizer_scheme,
};
pub use methods::{Method, Methods};
pub use owned::Owned;
pub use path::{RoutePath, Segment, VariableNames};
pub use policy::policy;
pub use route::{Auth, Backend, BackendPath, BackendUrl, HeaderName, HeaderValue, RouteSpec, Scope, variables_in};
pub use stage::{AccessLog, LogDestinationArn, LogFormat, StageSettings, Throttling, VariableName, VariableValue};
pub use tenant::Tenant;

crate::checked_string!(
    /// The name of a front door, a VPC link, an authorizer.
    Name,
    "a name of at most 128 letters, digits, dashes, dots and underscores",
    |s| (1..=128).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
);

impl Name {
    /// The front door that is meant where none is named.
    pub fn default_door() -> Self {
        Self("default".to_owned())
    }
}

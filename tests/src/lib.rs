//! What the tests and the demo share: [`Cloud`] talks to a local cloud that `make up`, `make test` or `make demo` has
//! started, [`Scene`] is a small world to bind in, [`Fleet`] a cluster's nodes in it, and [`sim`] runs the function on a model of AWS.

mod cloud;
mod door;
mod events;
pub mod example;
mod fleet;
pub mod gateway;
mod listener;
pub mod scenarios;
mod scene;
pub mod sim;

pub use cloud::{Cloud, FunctionError, Stack, definition};
pub use door::{Door, HOST};
pub use events::{EVENT_SECONDS_MAX, RETRY_SECONDS_MAX, event, fixtures};
pub use fleet::Fleet;
pub use listener::Listener;
pub use scene::{Scene, spec, to_group, to_security_group};

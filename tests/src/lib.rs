//! What the tests and the demo share: [`Cloud`] talks to a local cloud that `make up`, `make test` or `make demo` has
//! started, [`Scene`] is a small world to bind in, and [`sim`] runs the function on a model of AWS.

mod cloud;
mod scene;
pub mod sim;

pub use cloud::{Cloud, FunctionError, Stack};
pub use scene::Scene;

//! What the tests and the demo share: [`Cloud`] talks to a local cloud that `make up`, `make test` or `make demo` has
//! started, and [`Scene`] is a small world to bind in.

mod cloud;
mod scene;

pub use cloud::{Cloud, FunctionError, Stack};
pub use scene::Scene;

//! A front door on the model of AWS, for the simulations: what `routes` and `publisher` run on, and a clock that stands still
//! until everybody waits for it.

use std::sync::Arc;
use std::time::Duration;

use routes::intake::Asked;
use serde_json::{Value, json};
use shared::aws::model::Model;
use shared::aws::model::apis::Api;
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry::{Invocation, now_millis};
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::{FrontDoor, Standing};
use shared::identity::Caller;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// The central account.
pub const CENTRAL: &str = "123456789012";
/// The front door's REST API.
pub const API: &str = "f1e2d3c4b5";
/// Longer than any lease, and than anything that an invocation waits for.
pub const DEAD: Duration = Duration::from_secs(1_000);

/// A clock, in milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A front door, and the functions that put routes onto it.
pub struct Gateway {
    /// AWS.
    pub model: Model,
    /// What `publisher` runs on.
    pub publisher: publisher::world::Parts<Model, Model, Model>,
    /// What `routes` runs on.
    pub routes: routes::world::Parts<Model, Model, Model>,
    /// The front door, called `default`.
    pub door: FrontDoorSpec,
    /// The time.
    pub clock: Clock,
}

/// Time stands still until everybody waits for it.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

impl Gateway {
    /// A REST API with this definition, and the front door that has `fields` besides its REST API and stage.
    pub async fn build(document: Value, fields: Value) -> Self {
        let model = Model::new();
        model.state().apis.insert(API.parse().unwrap(), Api { document, ..Api::default() });
        let (base, began) = (now_millis(), Instant::now());
        let clock: Clock = Arc::new(move || base + u64::try_from(began.elapsed().as_millis()).unwrap());
        let (millis, seconds) = (clock.clone(), clock.clone());
        let publisher = publisher::world::Parts {
            apis: model.clone(),
            table: model.clone(),
            bus: model.clone(),
            responder: Responder::new(AllowedHosts::default()),
            clock: Box::new(move || millis()),
            region: "eu-west-1".into(),
        };
        let routes = routes::world::Parts {
            apis: model.clone(),
            table: model.clone(),
            bus: model.clone(),
            clock: Box::new(move || seconds() / 1_000),
            region: "eu-west-1".into(),
            passable_roles: Vec::new(),
        };
        let mut spec = json!({"RestApiId": API, "StageName": "live"});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let door = FrontDoorSpec::parse(spec).unwrap();
        let record = FrontDoor {
            origin: Origin::Command { name: "default".into() },
            spec: door.clone(),
            standing: Standing { generation: 1, ..Standing::default() },
            requests: Requests::default(),
            deleted: false,
        };
        Registry::new(&model).put(&mut Record::new(registry::front_door_key("default"), record)).await.unwrap();
        Self { model, publisher, routes, door, clock }
    }

    /// An operator's invocation that Lambda lets run for so long.
    pub fn invocation(&self, seconds: u64) -> Invocation {
        Invocation {
            request_id: format!("invocation-{}", self.model.state().calls_made()),
            caller: Caller::Operator(CENTRAL.parse().unwrap()),
            deadline_millis: (self.clock)() + seconds * 1_000,
        }
    }
}

/// A request about the route of this name, for which no stack waits.
pub fn asked(owner: &str, name: &str, fingerprint: &str) -> Asked {
    Asked {
        owner: owner.parse().unwrap(),
        origin: Origin::Command { name: name.into() },
        stamp: Stamp { fingerprint: fingerprint.into(), signed_at_seconds: None },
        request: None,
    }
}

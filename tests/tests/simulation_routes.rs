//! Routes from claim to live stage on the model of AWS: a publisher that loses its lease, and teams that claim at the same
//! moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use publisher::cycle::{self, Depth};
use routes::authorise::Grant;
use routes::intake::{self, Asked};
use serde_json::{Value, json};
use shared::aws::VpcLink;
use shared::aws::model::{Fault, Model};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry::{Invocation, now_millis};
use shared::error::{Error, ErrorType};
use shared::front_door::claims::Claims;
use shared::front_door::records::{FrontDoor, Publication, Route, Status};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::identity::Caller;
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const CENTRAL: &str = "123456789012";
const API: &str = "f1e2d3c4b5";

/// Longer than any lease, and than anything that an invocation waits for.
const DEAD: Duration = Duration::from_secs(1_000);

struct World {
    model: Model,
    publisher: publisher::world::Parts<Model, Model, Model>,
    routes: routes::world::Parts<Model, Model, Model>,
    door: FrontDoorSpec,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Time stands still until everybody waits for it.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

impl World {
    async fn build() -> Self {
        let model = Model::new();
        model.state().apis.insert(API.parse().unwrap(), Default::default());
        model.state().vpc_links.push(VpcLink { id: "link".into(), name: "gate".into(), status: "AVAILABLE".into() });
        let (base, began) = (now_millis(), Instant::now());
        let clock: Arc<dyn Fn() -> u64 + Send + Sync> =
            Arc::new(move || base + u64::try_from(began.elapsed().as_millis()).unwrap());
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
        };
        let door = FrontDoorSpec::parse(json!({"RestApiId": API, "StageName": "live"})).unwrap();
        let record = FrontDoor {
            origin: Origin::Command { name: "default".into() },
            spec: door.clone(),
            requests: Requests::default(),
            deleted: false,
        };
        Registry::new(&model).put(&mut Record::new(registry::front_door_key("default"), record)).await.unwrap();
        Self { model, publisher, routes, door, clock }
    }

    fn asked(owner: &str, name: &str) -> Asked {
        Asked {
            owner: owner.parse().unwrap(),
            origin: Origin::Command { name: name.into() },
            stamp: Stamp { fingerprint: format!("{owner} {name}"), signed_at_seconds: None },
            request: None,
        }
    }

    async fn register(&self, owner: &str, name: &str, path: &str, methods: Value) -> Result<Route, Error> {
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": path, "Methods": methods, "Auth": "NONE", "Backend": backend});
        let grant = Grant { door: self.door.clone(), tenant: None };
        intake::register(&self.routes, &Self::asked(owner, name), RouteSpec::parse(spec).unwrap(), &grant).await
    }

    async fn withdraw(&self, name: &str) {
        let asked = Self::asked(CENTRAL, name);
        for route in intake::list(&self.routes, &asked.origin.id_prefix(&intake::kind(&asked.owner))).await.unwrap() {
            let stamp = Stamp { fingerprint: format!("delete {name}"), signed_at_seconds: None };
            intake::withdraw(&self.routes, &Asked { stamp, ..asked.clone() }, &route.id).await.unwrap();
        }
    }

    /// One run of the publisher. `None` when it died.
    async fn publish(&self) -> Option<Result<Publication, Error>> {
        let now = (self.clock)();
        let invocation = Invocation {
            request_id: format!("invocation-{}", self.model.state().calls_made()),
            caller: Caller::Operator(CENTRAL.parse().unwrap()),
            deadline_millis: now + 300_000,
        };
        let run = cycle::publish(&self.publisher, &invocation, &self.door, Depth::Everything);
        tokio::time::timeout(DEAD, run).await.ok()
    }

    /// What clients meet, and what the registry says: of two worlds that went the same way, the same.
    async fn outcome(&self) -> (Option<Value>, BTreeMap<String, (Status, bool)>, Vec<String>) {
        let shown = self.model.state().apis[&API.parse().unwrap()].shown(&"live".parse().unwrap()).cloned();
        let registry = Registry::new(&self.model);
        let routes: Vec<Record<Route>> = registry.list(registry::route_key("route-")).await.unwrap();
        let routes = routes.into_iter().map(|one| {
            let route = one.value;
            (route.origin.name(), (route.status, route.live.is_some()))
        });
        let claims: Vec<Record<Claims>> =
            registry.list(registry::all_like(registry::claims_key("default", ""))).await.unwrap();
        let claimed = claims.into_iter().flat_map(|record| record.value.0.into_values()).map(|claim| claim.name);
        (shown, routes.collect(), claimed.collect())
    }

    /// Two live routes of which one is to go, one that is to change, one to come, and one that API Gateway refuses.
    async fn busy() -> Self {
        let world = Self::build().await;
        world.model.state().apis.get_mut(&API.parse().unwrap()).unwrap().refuses.insert("/bad".into());
        for name in ["goes", "stays"] {
            world.register(CENTRAL, name, &format!("/{name}/{{id}}"), json!("GET")).await.unwrap();
        }
        world.publish().await.unwrap().unwrap();
        world.withdraw("goes").await;
        world.register(CENTRAL, "stays", "/stays/{id}", json!(["GET", "PUT"])).await.unwrap();
        world.register(CENTRAL, "comes", "/comes/{proxy+}", json!("ANY")).await.unwrap();
        world.register(CENTRAL, "bad", "/bad", json!("GET")).await.unwrap();
        world
    }
}

#[test]
fn a_publisher_that_lost_its_lease_leaves_the_stage_alone() {
    runtime().block_on(async {
        let world = World::busy().await;
        let slow = async { world.publish().await.unwrap() };
        // While that one waits until a deployment may be made, somebody takes it for dead.
        let fast = async {
            tokio::task::yield_now().await;
            let key = registry::publication_key("default");
            let registry = Registry::new(&world.model);
            let mut record: Record<Leased<Publication>> = registry.get(&key).await.unwrap().unwrap();
            record.value.holder = None;
            registry.put(&mut record).await.unwrap();
        };
        let live = world.outcome().await.0;
        let (lost, ()) = futures::future::join(slow, fast).await;
        assert_eq!(lost.unwrap_err().error_type, ErrorType::Conflict);
        assert_eq!(world.outcome().await.0, live);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Teams that claim at the same moment, in whatever interleaving: those who hear yes have claims, nobody else has, and no
    /// two of them are in each other's way.
    #[test]
    fn the_first_writer_wins_whatever_the_interleaving(
        waits in proptest::collection::vec(any::<bool>(), 0..40),
        paths in proptest::collection::vec(prop_oneof![
            Just("/x/{id}"), Just("/x/me"), Just("/x/{proxy+}"), Just("/x/{a}/b"), Just("/x"), Just("/y"),
        ], 2..5),
    ) {
        runtime().block_on(async {
            let world = World::build().await;
            world.model.state().faults = waits.iter().map(|waits| waits.then_some(Fault::Waits)).collect();
            let claims = paths.iter().enumerate().map(|(n, path)| {
                let owner = (n + 1).to_string().repeat(12);
                let world = &world;
                async move { world.register(&owner, "mine", path, json!("GET")).await.map(|route| route.claim()) }
            });
            let answers = futures::future::join_all(claims).await;
            world.model.state().faults.clear();
            let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
            for answer in &answers {
                if let Err(error) = answer {
                    assert_eq!(error.error_type, ErrorType::Conflict);
                }
            }
            let (_, routes, claimed) = world.outcome().await;
            assert_eq!(claimed.len(), won.len());
            assert!(routes.values().all(|(status, _)| *status == Status::Pending));
            for (n, one) in won.iter().enumerate() {
                for other in &won[n + 1..] {
                    assert!(!one.path.overlaps(&other.path), "{} and {}", one.path, other.path);
                }
            }
            assert!(!won.is_empty());
        });
    }
}

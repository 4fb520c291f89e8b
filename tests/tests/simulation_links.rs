//! Links and the publisher together on the model of AWS: a load balancer is replaced under a live route, and whoever is at
//! work dies at any of its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use publisher::cycle::{self, Depth};
use publisher::part::Part;
use routes::authorise::Grant;
use routes::intake;
use serde_json::{Value, json};
use shared::aws::model::{Fault, Model};
use shared::aws::{Cause, NetworkLoadBalancer};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry::Invocation;
use shared::error::ErrorType;
use shared::front_door::RouteSpec;
use tests::gateway::{self, API, CENTRAL, DEAD, Gateway, runtime};

struct World {
    gateway: Gateway,
    links: Arc<links::world::Parts<Model, Model, Model, Model, Model>>,
}

impl Deref for World {
    type Target = Gateway;
    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

fn balancer(id: &str, made_at_seconds: i64) -> NetworkLoadBalancer {
    NetworkLoadBalancer {
        arn: format!("arn:aws:elasticloadbalancing:eu-west-1:{CENTRAL}:loadbalancer/net/k8s/{id}"),
        dns_name: format!("{id}.elb.eu-west-1.amazonaws.com"),
        state: "active".into(),
        made_at_seconds,
        tags: BTreeMap::from([
            ("service.k8s.aws/stack".to_owned(), "shop/web".to_owned()),
            ("elbv2.k8s.aws/cluster".to_owned(), "prod".to_owned()),
        ]),
    }
}

impl World {
    async fn build() -> Self {
        let gateway = Gateway::build(json!({}), json!({})).await;
        let (model, clock) = (&gateway.model, gateway.clock.clone());
        let links = links::world::Parts {
            apis: model.clone(),
            elb: model.clone(),
            table: model.clone(),
            queue: model.clone(),
            bus: model.clone(),
            responder: Responder::new(AllowedHosts::default()),
            clock: Box::new(move || clock() / 1_000),
            prefix: "foregate".into(),
        };
        Self { links: Arc::new(links), gateway }
    }

    fn invocation(&self) -> Invocation {
        self.gateway.invocation(120)
    }

    async fn command(&self, payload: Value) -> Option<Result<Value, shared::error::Error>> {
        let run = links::handle(self.links.clone(), payload, self.invocation());
        tokio::time::timeout(DEAD, run).await.ok()
    }

    async fn publish(&self) {
        let (invocation, part) = (self.invocation(), Part::own(&self.door));
        let run = cycle::publish(&self.publisher, &invocation, &part, Depth::Pending);
        let _ = tokio::time::timeout(DEAD, run).await;
    }

    /// API Gateway gets on with what it was asked for.
    fn minutes_pass(&self) {
        let mut state = self.model.state();
        state.vpc_links.retain(|link| link.status != "DELETING");
        state.vpc_links.iter_mut().for_each(|link| link.status = "AVAILABLE".into());
    }

    /// Everybody is woken, again and again, until nothing is on its way.
    async fn settle(&self) {
        for _ in 0..6 {
            let _ = self.command(json!({"command": "sync"})).await;
            self.publish().await;
            self.minutes_pass();
        }
    }

    fn links(&self) -> BTreeSet<(String, String)> {
        self.model.state().vpc_links.iter().map(|link| (link.id.clone(), link.target.clone())).collect()
    }

    /// The load balancer that the live route's requests end at.
    fn target(&self) -> Option<String> {
        let state = self.model.state();
        let (api, stage) = (&state.apis[&API.parse().unwrap()], "live".parse().unwrap());
        let connection_id = api.shown(&stage)?["paths"]["/shop/{proxy+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
            ["connectionId"]
            .as_str()?;
        let id = api.link(&stage, connection_id).unwrap_or_default();
        Some(state.vpc_links.iter().find(|link| link.id == id).map_or("nowhere".into(), |link| link.target.clone()))
    }

    /// A Service's load balancer, its link and a live route through it.
    async fn live() -> Self {
        let world = Self::build().await;
        world.model.state().network_load_balancers.push(balancer("old", 1));
        let service = json!({"ClusterName": "prod", "Namespace": "shop", "Name": "web"});
        let spec = json!({"LoadBalancer": {"KubernetesService": service}});
        world.command(json!({"command": "apply", "name": "gate", "spec": spec})).await.unwrap().unwrap();
        let asked = gateway::asked(CENTRAL, "shop", "1");
        let backend = json!({"Http": {"Link": "gate", "Url": "http://web.example.com/{proxy}"}});
        let spec = json!({"Path": "/shop/{proxy+}", "Auth": "NONE", "Backend": backend});
        let grant = Grant { door: world.door.clone(), tenant: None };
        intake::register(&world.routes, &asked, RouteSpec::parse(spec).unwrap(), &grant).await.unwrap();
        world.settle().await;
        assert_eq!(world.target(), Some(balancer("old", 1).arn));
        world
    }

    /// The Service is made anew: its controller makes another load balancer, and the old one goes.
    fn recreate_service(&self) {
        self.model.state().network_load_balancers = vec![balancer("new", 2)];
    }
}

#[test]
fn a_route_follows_a_service_that_is_made_anew_and_is_never_led_nowhere() {
    let count = runtime().block_on(async {
        let world = World::live().await;
        let before = world.model.state().calls_made();
        world.recreate_service();
        world.settle().await;
        assert_eq!(world.target(), Some(balancer("new", 2).arn));
        assert_eq!(world.links().len(), 1, "the old link is gone");
        let told = world.model.state().events.iter().filter(|event| event.detail_type == "Link Changed").count();
        assert!(told >= 3, "{told}");
        usize::try_from(world.model.state().calls_made() - before).unwrap()
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0..count {
            runtime().block_on(async {
                let world = World::live().await;
                world.recreate_service();
                world.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                for _ in 0..4 {
                    let _ = world.command(json!({"command": "sync"})).await;
                    assert_ne!(world.target().as_deref(), Some("nowhere"), "{fault:?} at {call}");
                    world.publish().await;
                    assert_ne!(world.target().as_deref(), Some("nowhere"), "{fault:?} at {call}");
                    world.minutes_pass();
                }
                world.model.state().faults.clear();
                tokio::time::sleep(DEAD).await;
                world.settle().await;
                assert_eq!(world.target(), Some(balancer("new", 2).arn), "{fault:?} at {call}");
                let targets: Vec<String> = world.links().into_iter().map(|(_, target)| target).collect();
                assert_eq!(targets, [balancer("new", 2).arn], "{fault:?} at {call}");
            });
        }
    }
}

#[test]
fn a_link_in_use_is_not_deleted_and_one_that_is_not_goes() {
    runtime().block_on(async {
        let world = World::live().await;
        let delete = json!({"command": "delete", "name": "gate"});
        let refused = world.command(delete.clone()).await.unwrap().unwrap_err();
        assert_eq!(refused.error_type, ErrorType::Blocked);
        assert!(refused.message.contains("/shop/{proxy+} of account 123456789012"), "{refused}");
        let asked = gateway::asked(CENTRAL, "shop", "2");
        for route in intake::list(&world.routes, "route-").await.unwrap() {
            intake::withdraw(&world.routes, &asked, &route.id).await.unwrap();
        }
        // The route is still live: the link waits for the publisher.
        let answer = world.command(delete).await.unwrap().unwrap();
        assert_eq!(answer["status"], "DELETING");
        assert!(
            answer["reason"].as_str().unwrap().contains("the front door default does not use it any more"),
            "{answer}"
        );
        assert_eq!(world.links().len(), 1);
        world.settle().await;
        assert!(world.links().is_empty());
        let gone = world.command(json!({"command": "get", "name": "gate"})).await.unwrap().unwrap_err();
        assert_eq!(gone.error_type, ErrorType::NotFound);
    });
}

#[test]
fn a_link_that_never_settles_is_left_to_the_schedule_after_an_hour() {
    runtime().block_on(async {
        let world = World::build().await;
        world.model.state().network_load_balancers.push(balancer("old", 1));
        let spec = json!({"LoadBalancer": {"LoadBalancerName": "k8s"}});
        world.command(json!({"command": "apply", "name": "gate", "spec": spec})).await.unwrap().unwrap();
        let sync = json!({"command": "sync"});
        world.command(sync.clone()).await.unwrap().unwrap();
        assert_eq!(world.model.state().messages.len(), 1, "the next look is on its way already");
        for _ in 0..300 {
            tokio::time::sleep(std::time::Duration::from_secs(16)).await;
            world.command(sync.clone()).await.unwrap().unwrap();
        }
        assert_eq!(world.model.state().messages.len(), 240, "an hour of looks that change nothing");
        // It gets on, and is looked at again soon.
        world.minutes_pass();
        world.command(json!({"command": "delete", "name": "gate"})).await.unwrap().unwrap();
        assert_eq!(world.model.state().messages.len(), 241);
    });
}

#[test]
fn an_account_without_room_for_another_link_says_so() {
    runtime().block_on(async {
        let world = World::build().await;
        world.model.state().network_load_balancers.push(balancer("old", 1));
        world.model.state().failing.insert("CreateVpcLink", (1, Cause::LimitExceeded));
        let spec = json!({"LoadBalancer": {"LoadBalancerName": "k8s"}});
        let apply = json!({"command": "apply", "name": "gate", "spec": spec});
        let answer = world.command(apply.clone()).await.unwrap().unwrap();
        assert_eq!(answer["status"], "FAILED");
        assert!(answer["reason"].as_str().unwrap().contains("20 per account and region by default"), "{answer}");
        // Asked for anew, it is tried anew; and two names of one load balancer share a link.
        assert_eq!(world.command(apply).await.unwrap().unwrap()["status"], "PENDING");
        world.settle().await;
        let other = json!({"command": "apply", "name": "other", "spec": spec});
        let answer = world.command(other).await.unwrap().unwrap();
        assert_eq!(answer["status"], "AVAILABLE");
        assert_eq!(world.links().len(), 1);
        world.command(json!({"command": "delete", "name": "gate"})).await.unwrap().unwrap();
        world.settle().await;
        assert_eq!(world.links().len(), 1, "the other name still needs it");
    });
}

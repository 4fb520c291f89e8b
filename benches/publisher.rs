//! How long the publisher thinks about a front door: which routes go live, and the document of those. A thousand routes are what
//! a REST API with a raised quota has; the teams' paths are spread over many first segments, or all below one.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use publisher::plan::present::Foreign;
use publisher::plan::render::render;
use publisher::plan::select::select;
use publisher::plan::{Carried, Link, Reading};
use serde_json::json;
use shared::front_door::records::{Route, Status};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::origin::{Origin, Requests};

const CENTRAL: &str = "123456789012";

fn reading(routes: usize, segments: usize) -> Reading {
    let route = |n: usize| {
        let path = format!("/team{}/thing{n}/{{id}}", n % segments);
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/{id}"}});
        let spec = json!({"Path": path, "Methods": ["GET"], "Auth": "AWS_IAM", "Backend": backend});
        Route {
            id: format!("route-{CENTRAL}-{n}"),
            owner: CENTRAL.parse().unwrap(),
            origin: Origin::Command { name: format!("r{n}") },
            spec: RouteSpec::parse(spec).unwrap(),
            generation: 1,
            claimed_at: 1,
            status: Status::Pending,
            refusal: None,
            live: None,
            suspended: None,
            searches: 0,
            requests: Requests::default(),
        }
    };
    let door = json!({"RestApiId": "f1e2d3c4b5", "StageName": "live", "ResourceLimit": 10_000});
    Reading {
        door: FrontDoorSpec::parse(door).unwrap(),
        below: None,
        central: CENTRAL.parse().unwrap(),
        routes: (0..routes).map(route).collect(),
        tenants: BTreeMap::new(),
        links: BTreeMap::from([("gate".parse().unwrap(), Link { id: "l1".into(), status: "AVAILABLE".into() })]),
        foreign: Foreign::default(),
    }
}

fn front_doors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publisher");
    group.sample_size(10);
    for (routes, segments) in [(250, 25), (1_000, 100), (1_000, 1)] {
        let reading = reading(routes, segments);
        let name = format!("{routes} routes below {segments} segments");
        group.bench_with_input(BenchmarkId::new("select", &name), &reading, |bencher, reading| {
            bencher.iter(|| select(black_box(reading)));
        });
        let goes = select(&reading).goes;
        assert_eq!(goes.len(), routes);
        group.bench_with_input(BenchmarkId::new("render", &name), &goes, |bencher, goes| {
            bencher.iter(|| render(&reading.door, &Carried::default(), black_box(goes), "eu-west-1").to_string());
        });
    }
    group.finish();
}

criterion_group!(benches, front_doors);
criterion_main!(benches);

//! How long the catalogue thinks: about a changed document, about what of an API is not as it should be, and about a whole account
//! of which nothing has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use catalog::plan::compare::compare;
use catalog::plan::difference;
use catalog::posture::audit;
use catalog::record::{Api, Auth, Method, Stage};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use shared::openapi::{hash_of, methods_of};

/// API Gateway's default quota of resources.
const PATHS: usize = 300;
/// Its default quota of regional APIs.
const APIS: usize = 600;
const OURS: &str = "vpce-1a2b3c4d";

fn document(version: usize) -> Value {
    let item = |n: usize| {
        let parameter = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
        let limit =
            json!({"name": "limit", "in": "query", "required": n % 50 == version, "schema": {"type": "integer"}});
        let integration = json!({"type": "http_proxy", "httpMethod": "GET", "uri": "https://backend.example.com"});
        json!({"get": {
            "parameters": [parameter, limit], "responses": {"200": {"description": "OK"}},
            "x-amazon-apigateway-integration": integration,
        }})
    };
    let paths: BTreeMap<String, Value> = (0..PATHS).map(|n| (format!("/things/{n}/of/{{id}}"), item(n))).collect();
    json!({"openapi": "3.0.1", "info": {"title": "things", "version": "1"}, "paths": paths})
}

fn api(number: usize, policy: Option<Value>) -> Api {
    let methods = (0..PATHS).map(|n| Method {
        method: "GET".into(),
        path: format!("/things/{n}"),
        auth: Auth::Iam,
        ..Method::default()
    });
    let stage = Stage { deployment_id: "d1".into(), methods: methods.collect(), ..Stage::default() };
    Api {
        key: format!("111122223333/eu-west-1/api{number}").parse().expect("a key"),
        name: format!("api{number}"),
        description: None,
        endpoint_types: vec!["PRIVATE".into()],
        policy,
        security_policy: None,
        tags: BTreeMap::new(),
        stages: BTreeMap::from([("prod".into(), stage)]),
        plans: BTreeSet::new(),
        status: Default::default(),
        missed_scans: 0,
        findings: Vec::new(),
        notes: Default::default(),
        since_seconds: 0,
        changed_seconds: 0,
    }
}

fn documents(criterion: &mut Criterion) {
    let (old, new) = (document(0), document(1));
    criterion.bench_function("catalog: compare documents of 300 paths", |bench| {
        bench.iter(|| black_box(compare(black_box(&old), black_box(&new))));
    });
    criterion.bench_function("catalog: hash and methods of a document of 300 paths", |bench| {
        bench.iter(|| black_box((hash_of(black_box(&new)), methods_of(black_box(&new)))));
    });
}

fn findings(criterion: &mut Criterion) {
    let allow =
        json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"});
    let mut deny = allow.clone();
    (deny["Effect"], deny["Condition"]) = (json!("Deny"), json!({"StringNotEquals": {"aws:SourceVpce": OURS}}));
    let api = api(0, Some(json!({"Version": "2012-10-17", "Statement": [allow, deny]})));
    let ours = BTreeSet::from([OURS.to_owned()]);
    criterion.bench_function("catalog: audit a private API of 300 methods", |bench| {
        bench.iter(|| black_box(audit(black_box(&api), &ours)));
    });
}

fn unchanged(criterion: &mut Criterion) {
    let apis: Vec<Api> = (0..APIS).map(|number| api(number, None)).collect();
    criterion.bench_function("catalog: 600 APIs that have not changed", |bench| {
        bench.iter(|| apis.iter().filter(|api| difference(Some(black_box(api)), api).is_some()).count());
    });
}

criterion_group!(benches, documents, findings, unchanged);
criterion_main!(benches);

//! How long `bindings` thinks, for the largest target group there is: the plan for 1,000 targets, and the folding of a
//! burst of 1,000 events. What it waits for AWS is counted in calls, by the simulation and the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use bindings::entry::Entry;
use bindings::events;
use bindings::plan::rules::{Rules, layout};
use bindings::plan::{Answer, Intent, Observed, plan};
use bindings::record::{Claim, Ledger, Moment};
use bindings::spec::Options;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use shared::trigger::Trigger;
use shared::types::Health;

const TARGETS: u32 = 1_000;

fn targets(from: u32) -> BTreeSet<Entry> {
    (from..from + TARGETS).map(|n| format!("10.0.{}.{}:443", n / 250, n % 250 + 1).parse().unwrap()).collect()
}

/// A plan from a group that has `targets(0)`, all ours and healthy, to what `desired` says.
fn plans(criterion: &mut Criterion, name: &str, desired: BTreeSet<Entry>) {
    let since = Moment { round: 1, seconds: 1 };
    let mut ledger = Ledger { rounds: 1, ..Ledger::default() };
    let mut sink = BTreeMap::new();
    for target in targets(0) {
        ledger.claim("binding", &target, Claim { since, unwanted_since: None, replaced_one: false, node: None });
        sink.insert(target, Health::Healthy);
    }
    let desired = desired.into_iter().map(|entry| (entry, None)).collect();
    let binding = "binding".to_owned();
    let observed = Observed {
        binding: &binding,
        intent: Intent::Keep(Options::default()),
        desired: &desired,
        taken: &BTreeSet::new(),
        answer: &Answer::Complete,
        sink: &sink,
        ledger: &ledger,
        entries_max: 2_000,
        now: Moment { round: 2, seconds: 1_000 },
    };
    criterion.bench_function(name, |bencher| bencher.iter(|| plan(black_box(&observed))));
}

fn benches(criterion: &mut Criterion) {
    plans(criterion, "plan: 1,000 targets in order", targets(0));
    plans(criterion, "plan: 1,000 targets all replaced", targets(TARGETS));
    // Every other address: no two can share a range, so that all that fit are found by trying.
    let scattered = (0..3_000_u32).map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + 2 * n)).collect();
    let rules = Rules { max: 60, ..Rules::default() };
    criterion.bench_function("rules: 3,000 addresses into 60 rules", |bencher| {
        bencher.iter(|| layout(black_box(&rules), &BTreeSet::new(), &scattered));
    });
    let event = json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventName": "ModifyVpcEndpoint",
            "requestParameters": {"ModifyVpcEndpointRequest": {"VpcEndpointId": "vpce-0a1b2c3d4e5f67890"}},
        },
    });
    let record = json!({"messageId": "m", "eventSource": "aws:sqs", "body": event.to_string()});
    let batch = json!({"Records": vec![record; 1_000]});
    criterion.bench_function("fold: a burst of 1,000 events", |bencher| {
        bencher.iter(|| {
            let Ok(Trigger::Queue(messages)) = Trigger::parse(black_box(batch.clone())) else { unreachable!() };
            messages
                .iter()
                .flat_map(|message| events::read(message.event.as_ref().unwrap(), 0).looks)
                .collect::<BTreeSet<_>>()
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);

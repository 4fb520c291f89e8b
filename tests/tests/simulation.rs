//! Bindings on a model of AWS whose calls fail, whose answers get lost and whose callers die, by the thousand. After
//! every step: nothing of somebody else's was removed, something healthy is left, and whatever stands in a target group
//! without being somebody else's stands in the ledger. In the end: the sink is what the source says.

use std::collections::BTreeSet;

use bindings::doors;
use bindings::entry::Entry;
use bindings::intake;
use bindings::reconcile::{self, Looked, Patience, Shift};
use bindings::record::{Binding, KIND, Ledger, Status};
use bindings::report::Outcome;
use bindings::world::World;
use futures::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::aws::Cause;
use shared::aws::model::{Fault, Model};
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::identity::Caller;
use shared::lease::Leased;
use shared::origin::{Origin, Stamp};
use shared::trigger::{CommandItem, Terraform, TerraformAction};
use shared::types::{Health, Port, TargetGroupArn, TargetId, VpcEndpointId};
use tests::sim::{LEASE_SECONDS, Sim};

/// An endpoint, a target group and a binding that somebody asked for.
struct Play {
    sim: Sim,
    endpoint: VpcEndpointId,
    group: TargetGroupArn,
    foreign: BTreeSet<TargetId>,
    invocations: u32,
}

/// What came of an invocation; `None` when it died.
type Lived<T> = Option<Result<T, Error>>;

impl Play {
    fn new(subnets: usize) -> Self {
        let model = Model::new();
        let endpoint = model.state().add_endpoint("vpc-1", subnets);
        let group = model.state().add_group("vpc-1");
        Self { sim: Sim(model), endpoint, group, foreign: BTreeSet::new(), invocations: 0 }
    }

    fn origin(&self) -> Origin {
        Origin::Command { name: "pets".into() }
    }

    fn spec(&self) -> Value {
        json!({
            "Source": {"VpcEndpoint": {"VpcEndpointId": self.endpoint}},
            "Sink": {"TargetGroup": {"TargetGroupArn": self.group}},
        })
    }

    fn id(&self) -> String {
        self.origin().id(KIND, self.group.as_str())
    }

    fn shift(&mut self) -> Shift {
        self.invocations += 1;
        Shift { id: format!("invocation-{}", self.invocations), until_seconds: self.sim.now_seconds() + LEASE_SECONDS }
    }

    fn apply(&mut self) -> Lived<Outcome> {
        let (shift, sim) = (self.shift(), self.sim.clone());
        let stamp = Stamp { fingerprint: shift.id.clone(), signed_at_seconds: None };
        let (origin, spec) = (self.origin(), self.spec());
        let account = "111122223333".parse().unwrap();
        let work = async {
            let wanted = intake::check(&sim, &account, origin, spec).await?;
            intake::apply(&sim, &shift, wanted, stamp).await
        };
        work.now_or_never()
    }

    fn delete(&mut self) -> Lived<Option<Outcome>> {
        let (shift, sim, id) = (self.shift(), self.sim.clone(), self.id());
        let stamp = Stamp { fingerprint: shift.id.clone(), signed_at_seconds: None };
        intake::delete(&sim, &shift, &id, stamp).now_or_never()
    }

    fn look(&mut self) -> Lived<Looked> {
        let (shift, sim, id) = (self.shift(), self.sim.clone(), self.id());
        reconcile::reconcile(&sim, &shift, &id, Patience::Later { hops: 0 }).now_or_never()
    }

    fn targets(&self) -> std::collections::BTreeMap<TargetId, Health> {
        self.sim.0.state().targets(&self.group)
    }

    fn registered(&self) -> BTreeSet<TargetId> {
        self.targets().into_iter().filter(|(_, health)| *health != Health::Draining).map(|(target, _)| target).collect()
    }

    fn healthy(&self) -> usize {
        self.targets().values().filter(|health| **health == Health::Healthy).count()
    }

    fn wanted(&self) -> BTreeSet<TargetId> {
        let port = Port::try_from(443).unwrap();
        self.sim.0.state().addresses(&self.endpoint).into_iter().map(|address| TargetId::ip(address, port)).collect()
    }

    fn ledger(&self) -> Ledger {
        let key = shared::registry::sink_key(self.group.as_str());
        let stored = self.sim.0.state().items.get(&key).map(|item| item.body.clone());
        stored.map(|body| serde_json::from_value::<Leased<Ledger>>(body).unwrap().value).unwrap_or_default()
    }

    /// The linter of every step.
    fn check_invariants(&self) -> Result<(), TestCaseError> {
        let registered = self.registered();
        prop_assert!(self.foreign.is_subset(&registered), "somebody else's target was removed");
        let ledger = self.ledger();
        for target in registered.difference(&self.foreign) {
            prop_assert!(ledger.claims.contains_key(&Entry::Target(target.clone())), "{} has no claim", target);
        }
        Ok(())
    }

    /// Lets time pass and looks, until nothing changes any more.
    fn settle(&mut self) {
        self.sim.0.state().faults.clear();
        for _ in 0..12 {
            self.sim.0.advance(LEASE_SECONDS + 60);
            self.look().expect("nobody dies any more").expect("nothing fails any more");
        }
    }
}

#[test]
fn a_converged_binding_costs_two_writes_and_one_describe_of_each_kind() {
    let mut play = Play::new(3);
    play.apply().unwrap().unwrap();
    play.settle();
    play.sim.0.take_calls();
    play.look().unwrap().unwrap();
    let expected = [
        "GetItem", // where the binding's sink is
        "GetItem",
        "PutItem", // the lease
        "GetItem", // the binding's newest intent
        "DescribeTargetHealth",
        "DescribeVpcEndpoints",
        "DescribeNetworkInterfaces",
        "PutItem", // the lease goes back
    ];
    assert_eq!(play.sim.0.take_calls(), expected);
}

#[test]
fn a_thousand_targets_are_five_calls_to_register_and_one_to_look() {
    let mut play = Play::new(1_000);
    play.apply().unwrap().unwrap();
    let calls = play.sim.0.take_calls();
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    assert_eq!((count("RegisterTargets"), count("DescribeTargetHealth")), (5, 1), "{calls:?}");
    assert_eq!(play.registered(), play.wanted());
}

#[test]
fn one_refused_target_is_found_and_the_rest_are_registered() {
    let mut play = Play::new(1_000);
    let culprit = play.wanted().into_iter().nth(777).unwrap();
    play.sim.0.state().groups.get_mut(&play.group).unwrap().refuses.insert(culprit.clone());
    let outcome = play.apply().unwrap().unwrap();
    assert_eq!(play.registered().len(), 999);
    assert_eq!(outcome.applied.refused.keys().collect::<Vec<_>>(), [&Entry::Target(culprit.clone())]);
    assert_eq!(outcome.binding.status, Status::Failed);
    assert!(!play.ledger().claims.contains_key(&Entry::Target(culprit)), "what was never registered is not ours");
    assert!(play.sim.0.take_calls().iter().filter(|call| **call == "RegisterTargets").count() <= 5 + 16);
    assert_eq!(outcome.into_answer().unwrap_err().error_type, ErrorType::Upstream);
}

/// Runs `act` and kills it, or loses an answer, at every one of its calls in turn; then lets things settle and checks.
fn at_every_call(prepare: impl Fn() -> Play, act: impl Fn(&mut Play) -> bool, check: impl Fn(&Play)) {
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0.. {
            let mut play = prepare();
            let untouched = std::iter::repeat_n(None, call);
            play.sim.0.state().faults = untouched.chain([Some(fault)]).collect();
            let done = act(&mut play);
            let reached = play.sim.0.state().faults.is_empty();
            play.check_invariants().unwrap();
            play.sim.0.state().faults.clear();
            if !done {
                // Whoever asked asks again, once the dead one's lease is over.
                play.sim.0.advance(LEASE_SECONDS + 1);
                assert!(act(&mut play), "{fault:?} at call {call}: not even the second time");
            }
            check(&play);
            if !reached {
                assert!(call > 5, "the fault never came to pass");
                break;
            }
        }
    }
}

/// Whether whoever asked would hear that it worked.
fn is_done(lived: Lived<Option<Outcome>>) -> bool {
    match lived {
        Some(Ok(outcome)) => outcome.is_none_or(|outcome| outcome.into_answer().is_ok()),
        _ => false,
    }
}

#[test]
fn a_create_killed_at_any_call_and_asked_again_is_whole() {
    at_every_call(
        || Play::new(3),
        |play| is_done(play.apply().map(|applied| applied.map(Some))),
        |play| {
            assert_eq!(play.registered(), play.wanted());
            let claimed: BTreeSet<TargetId> = play.ledger().claims.keys().filter_map(Entry::target).cloned().collect();
            assert_eq!(claimed, play.wanted());
        },
    );
}

#[test]
fn a_delete_killed_at_any_call_and_asked_again_leaves_only_what_is_somebody_elses() {
    at_every_call(
        || {
            let mut play = Play::new(3);
            let foreign: TargetId = "10.9.9.9:443".parse().unwrap();
            play.sim.0.state().put_targets(&play.group, [foreign.clone()]);
            play.foreign.insert(foreign);
            play.apply().unwrap().unwrap();
            play.settle();
            play
        },
        |play| is_done(play.delete()),
        |play| {
            assert_eq!(play.registered(), play.foreign);
            assert!(play.ledger().claims.is_empty());
        },
    );
}

#[test]
fn a_change_killed_at_any_call_converges() {
    at_every_call(
        || {
            let mut play = Play::new(2);
            play.apply().unwrap().unwrap();
            play.settle();
            let endpoint = play.endpoint.clone();
            play.sim.0.state().remove_subnet(&endpoint);
            play.sim.0.state().add_subnet(&endpoint);
            play.look().unwrap().unwrap();
            play.sim.0.advance(120);
            play
        },
        |play| {
            is_done(play.look().map(|looked| match looked? {
                Looked::Done(outcome) => Ok(Some(*outcome)),
                Looked::Gone | Looked::Busy => Ok(None),
            }))
        },
        |play| assert_eq!(play.registered(), play.wanted()),
    );
}

#[test]
fn events_tell_of_each_change_and_once_of_a_block() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    play.settle();
    let endpoint = play.endpoint.clone();
    play.sim.0.state().endpoints.remove(&endpoint);
    for _ in 0..3 {
        play.sim.0.advance(300);
        play.look().unwrap().unwrap();
    }
    let told: Vec<_> = play.sim.0.state().events.iter().map(|event| event.detail_type).collect();
    assert_eq!(told, ["Binding Changed", "Binding Blocked"]);
    assert_eq!(play.registered().len(), 2, "an endpoint that does not exist any more empties nothing");
}

#[test]
fn a_sink_that_is_gone_lets_its_binding_go() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    let group = play.group.clone();
    play.sim.0.state().groups.remove(&group);
    let Some(Ok(Looked::Done(outcome))) = play.look() else { panic!("not looked at") };
    assert_eq!(outcome.binding.status, Status::Failed);
    let outcome = play.delete().unwrap().unwrap().unwrap();
    assert_eq!(outcome.binding.status, Status::Deleted);
    assert!(play.ledger().claims.is_empty());
}

#[test]
fn a_binding_whose_targets_could_not_be_registered_does_not_call_itself_synced() {
    let mut play = Play::new(2);
    play.sim.0.state().failing.insert("RegisterTargets", (1, Cause::Denied));
    let outcome = play.apply().unwrap().unwrap();
    assert_eq!(outcome.binding.status, Status::Failed);
    assert!(outcome.binding.reason.contains("RegisterTargets"), "{}", outcome.binding.reason);
    let Some(Ok(Looked::Done(outcome))) = play.look() else { panic!("not looked at") };
    assert_eq!((outcome.binding.status, play.registered()), (Status::Synced, play.wanted()));
}

#[test]
fn rechecks_get_rarer_and_end() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    let endpoint = play.endpoint.clone();
    play.sim.0.state().endpoints.get_mut(&endpoint).unwrap().state = "pending".into();
    for _ in 0..60 {
        play.sim.0.advance(130);
        play.look().unwrap().unwrap();
    }
    let delays: Vec<u32> = play.sim.0.state().messages.iter().map(|message| message.delay_seconds).collect();
    assert_eq!(delays.len(), 20);
    assert!(delays.is_sorted() && delays[0] == 10 && delays[19] <= 120, "{delays:?}");
}

#[test]
fn two_invocations_never_work_on_one_sink() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    // The first dies after it took the lease; its lease still stands.
    play.sim.0.state().faults = [None, None, None, Some(Fault::Dies)].into();
    assert!(play.look().is_none());
    play.sim.0.take_calls();
    assert!(matches!(play.look(), Some(Ok(Looked::Busy))));
    assert!(!play.sim.0.take_calls().contains(&"DescribeTargetHealth"));
    assert_eq!(play.sim.0.state().messages.len(), 1, "it is looked at again later");
    play.sim.0.advance(LEASE_SECONDS + 1);
    assert!(matches!(play.look(), Some(Ok(Looked::Done(_)))));
}

#[test]
fn what_failed_once_comes_back_within_seconds() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    let recheck = bindings::events::recheck(&play.id(), 0, 0).body;
    play.sim.0.state().failing.insert("DescribeTargetHealth", (1, Cause::Throttled));
    assert_eq!(play.sim.batch(&[recheck.clone(), recheck.clone()]), Some(2));
    let waits: Vec<u32> = play.sim.0.state().redeliveries.iter().map(|one| one.after_seconds).collect();
    assert!(waits.len() == 2 && waits.iter().all(|seconds| *seconds <= 7), "{waits:?}");
    // A queue that can't be asked brings the message back later.
    for (call, cause) in [("DescribeTargetHealth", Cause::Throttled), ("ChangeMessageVisibilityBatch", Cause::Denied)] {
        play.sim.0.state().failing.insert(call, (1, cause));
    }
    assert_eq!(play.sim.batch(std::slice::from_ref(&recheck)), Some(1));
    assert_eq!(play.sim.batch(&[recheck]), Some(0));
}

#[test]
fn a_sink_that_is_always_busy_is_left_to_the_schedule_in_the_end() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    // The first dies after it took the lease; its lease still stands.
    play.sim.0.state().faults = [None, None, None, Some(Fault::Dies)].into();
    assert!(play.look().is_none());
    let mut messages = vec![bindings::events::recheck(&play.id(), 0, 0).body];
    let mut hops = 0;
    while !messages.is_empty() && hops < 1_000 {
        assert_eq!(play.sim.batch(&messages), Some(0));
        messages = std::mem::take(&mut play.sim.0.state().messages).into_iter().map(|one| one.body).collect();
        hops += 1;
    }
    assert_eq!(hops, 31, "the first message and 30 more");
}

#[test]
fn a_late_create_does_not_bring_back_what_was_deleted() {
    let mut play = Play::new(2);
    let sim = play.sim.clone();
    let account = "111122223333".parse().unwrap();
    let stamp = |name: &str, signed| Stamp { fingerprint: name.into(), signed_at_seconds: signed };
    let wanted = || intake::check(&sim, &account, play_origin(), play_spec(&sim)).now_or_never().unwrap().unwrap();
    let create = |shift: &Shift, stamp| intake::apply(&sim, shift, wanted(), stamp).now_or_never().unwrap();
    create(&play.shift(), stamp("create", Some(100))).unwrap();
    intake::delete(&sim, &play.shift(), &wanted().id, stamp("delete", Some(200))).now_or_never().unwrap().unwrap();
    let late = create(&play.shift(), stamp("create", Some(100))).unwrap_err();
    assert_eq!(late.error_type, ErrorType::Conflict);
    assert!(play.registered().is_empty());
    create(&play.shift(), stamp("create", Some(300))).unwrap();
    assert_eq!(play.registered(), play.wanted());
    let late = intake::delete(&sim, &play.shift(), &wanted().id, stamp("delete", Some(200))).now_or_never().unwrap();
    assert!(late.unwrap().is_none(), "a late delete succeeds and removes nothing");
    assert_eq!(play.registered(), play.wanted());
}

fn play_origin() -> Origin {
    Origin::Stack {
        stack_id: "arn:aws:cloudformation:eu-west-1:111122223333:stack/pets/1".into(),
        logical_resource_id: "Pets".into(),
    }
}

fn play_spec(sim: &Sim) -> Value {
    let state = sim.0.state();
    json!({
        "Source": {"VpcEndpoint": {"VpcEndpointId": state.endpoints.keys().next()}},
        "Sink": {"TargetGroup": {"TargetGroupArn": state.groups.keys().next()}},
    })
}

#[test]
fn two_bindings_on_one_group_hand_targets_over_instead_of_removing_them() {
    let mut play = Play::new(2);
    play.apply().unwrap().unwrap();
    let sim = play.sim.clone();
    let account = "111122223333".parse().unwrap();
    let second = intake::check(&sim, &account, play_origin(), play.spec()).now_or_never().unwrap().unwrap();
    intake::apply(&sim, &play.shift(), second, Stamp::default()).now_or_never().unwrap().unwrap();
    play.delete().unwrap().unwrap();
    assert_eq!(play.registered(), play.wanted(), "the second binding still wants them");
    assert!(!play.sim.0.take_calls().contains(&"DeregisterTargets"));
}

#[test]
fn terraform_moves_a_binding_to_another_sink_and_clears_the_first() {
    let play = Play::new(2);
    let sim = play.sim.clone();
    let other = sim.0.state().add_group("vpc-1");
    let spec = |group: &TargetGroupArn| {
        let mut spec = play.spec();
        spec["Sink"]["TargetGroup"]["TargetGroupArn"] = json!(group);
        CommandItem { name: None, spec: Some(spec) }
    };
    let invocation = |n: u64| Invocation {
        request_id: format!("terraform-{n}"),
        caller: Caller::Operator("111122223333".parse().unwrap()),
        deadline_millis: (sim.now_seconds() + 120) * 1_000,
    };
    let run = |n, action, resource, previous| {
        let terraform = Terraform { action, resource, previous };
        doors::terraform(&sim, &invocation(n), terraform).now_or_never().unwrap().unwrap()
    };
    run(1, TerraformAction::Create, spec(&play.group), None);
    assert_eq!(play.registered(), play.wanted());
    run(2, TerraformAction::Update, spec(&other), Some(spec(&play.group)));
    assert!(play.registered().is_empty());
    assert_eq!(sim.0.state().targets(&other).len(), 2);
    let answer = run(3, TerraformAction::Delete, spec(&other), Some(spec(&other)));
    assert_eq!(answer["status"], "DELETED");
    assert!(sim.0.state().targets(&other).values().all(|health| *health == Health::Draining));
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    AddSubnet,
    RemoveSubnet,
    LoseAddress,
    StateIs(&'static str),
    ForeignArrives(u8),
    SomebodyDrops(usize),
    TargetFails(usize),
    TargetsRecover,
    Wait(u64),
    Look(Vec<Option<Fault>>),
    Apply(Vec<Option<Fault>>),
}

fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let fault = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Fault::Fails(Cause::Throttled))),
        1 => Just(Some(Fault::Fails(Cause::Refused))),
        1 => Just(Some(Fault::AnswerLost)),
        1 => Just(Some(Fault::Dies)),
        1 => Just(Some(Fault::DiesAfter)),
    ];
    proptest::collection::vec(fault, 0..14)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::AddSubnet),
        2 => Just(Step::RemoveSubnet),
        1 => Just(Step::LoseAddress),
        1 => prop_oneof![Just("pending"), Just("available"), Just("deleting")].prop_map(Step::StateIs),
        1 => (0..4_u8).prop_map(Step::ForeignArrives),
        1 => (0..6_usize).prop_map(Step::SomebodyDrops),
        1 => (0..6_usize).prop_map(Step::TargetFails),
        1 => Just(Step::TargetsRecover),
        4 => (1..400_u64).prop_map(Step::Wait),
        6 => faults().prop_map(Step::Look),
        1 => faults().prop_map(Step::Apply),
    ]
}

impl Play {
    fn step(&mut self, step: Step) {
        let (endpoint, group) = (self.endpoint.clone(), self.group.clone());
        let model = self.sim.0.clone();
        match step {
            Step::AddSubnet => model.state().add_subnet(&endpoint),
            Step::RemoveSubnet => model.state().remove_subnet(&endpoint),
            Step::LoseAddress => {
                let id = model.state().endpoints[&endpoint].interface_ids.first().cloned();
                if let Some(id) = id {
                    model.state().interfaces.get_mut(&id).unwrap().ipv4 = None;
                }
            }
            Step::StateIs(name) => model.state().endpoints.get_mut(&endpoint).unwrap().state = name.into(),
            Step::ForeignArrives(n) => {
                let target: TargetId = format!("10.9.9.{n}:443").parse().unwrap();
                model.state().put_targets(&group, [target.clone()]);
                self.foreign.insert(target);
            }
            Step::SomebodyDrops(n) => {
                if let Some(target) = self.registered().into_iter().nth(n) {
                    model.state().drop_target(&group, &target);
                    self.foreign.remove(&target);
                }
            }
            Step::TargetFails(n) => {
                if let Some(target) = self.registered().into_iter().nth(n) {
                    model.state().set_health(&group, &target, Some(Health::Unhealthy));
                }
            }
            Step::TargetsRecover => {
                let targets = self.registered();
                targets.iter().for_each(|target| model.state().set_health(&group, target, None));
            }
            Step::Wait(seconds) => model.advance(seconds),
            Step::Look(faults) => {
                model.state().faults = faults.into();
                let _ = self.look();
                model.state().faults.clear();
            }
            Step::Apply(faults) => {
                // One that finds a lease would wait for it; time does not pass by itself here.
                model.advance(LEASE_SECONDS + 1);
                model.state().faults = faults.into();
                let _ = self.apply();
                model.state().faults.clear();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_happens_the_rules_hold_and_in_the_end_the_sink_is_what_the_source_says(
        subnets in 1..4_usize,
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut play = Play::new(subnets);
        play.apply().unwrap().unwrap();
        for step in steps {
            let works = matches!(step, Step::Look(_) | Step::Apply(_));
            let healthy = play.healthy();
            let said = format!("{step:?}");
            play.step(step);
            play.check_invariants()?;
            if works && healthy > 0 {
                prop_assert!(play.healthy() > 0, "nothing healthy is left after {}", said);
            }
        }
        play.settle();
        play.check_invariants()?;
        let Some(Ok(Looked::Done(outcome))) = play.look() else { panic!("not looked at") };
        let wanted = play.wanted();
        match outcome.binding.status {
            Status::Synced => {
                let ours: BTreeSet<TargetId> = play.registered().difference(&play.foreign).cloned().collect();
                prop_assert!(ours.is_subset(&wanted) && wanted.is_subset(&play.registered()));
            }
            Status::Blocked | Status::Waiting => prop_assert!(!outcome.binding.reason.is_empty()),
            other => prop_assert!(false, "ended as {:?}", other),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn two_invocations_side_by_side_end_as_one_however_they_interleave(
        waits in proptest::collection::vec(any::<bool>(), 0..60),
        change_first in any::<bool>(),
    ) {
        let mut play = Play::new(3);
        play.apply().unwrap().unwrap();
        play.settle();
        let endpoint = play.endpoint.clone();
        if change_first {
            play.sim.0.state().remove_subnet(&endpoint);
        }
        play.sim.0.state().add_subnet(&endpoint);
        play.sim.0.take_calls();
        play.sim.0.state().faults = waits.into_iter().map(|waits| waits.then_some(Fault::Waits)).collect();

        let (sim, id) = (play.sim.clone(), play.id());
        let shifts = [play.shift(), play.shift()];
        let look = |shift| reconcile::reconcile(&sim, shift, &id, Patience::Later { hops: 0 });
        let (one, other) =
            futures::executor::block_on(futures::future::join(look(&shifts[0]), look(&shifts[1])));
        prop_assert!(one.is_ok() && other.is_ok());
        play.check_invariants()?;
        let registering = play.sim.0.take_calls().iter().filter(|call| **call == "RegisterTargets").count();
        prop_assert_eq!(registering, 1, "what one has done is not done again");
        play.settle();
        prop_assert_eq!(play.registered(), play.wanted());
    }
}

#[test]
fn a_binding_record_is_all_that_another_version_needs() {
    // What is stored today must be readable tomorrow: a changed field name would lose every binding.
    let mut play = Play::new(1);
    play.apply().unwrap().unwrap();
    let item = play.sim.0.state().items[&shared::registry::binding_key(&play.id())].clone();
    let fields: Vec<&String> = item.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["addresses", "id", "interfaces", "origin", "reason", "requests", "sink", "spec", "status"]);
    let read: Binding = serde_json::from_value(item.body).unwrap();
    assert_eq!(read.status, Status::Synced);
}

//! Nodes that come and go, on a model of AWS whose calls fail, whose answers get lost and whose callers die. After every
//! step: nobody else's target was removed, and no lifecycle action was completed while its node still took traffic. In
//! the end: every action was completed by Foregate and not by running out, and the sink has the nodes that are in service.

use std::collections::BTreeSet;

use bindings::entry::Entry;
use bindings::intake;
use bindings::record::{Binding, Status};
use bindings::world::World;
use futures::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::aws::model::{Fault, Model};
use shared::aws::{Cause, InstanceState, LifecycleAction, TargetType};
use shared::origin::{Origin, Stamp};
use shared::types::{Health, InstanceId, TargetGroupArn, TargetId};
use tests::sim::Sim;

const CLUSTER: &[(&str, &str)] = &[("kubernetes.io/cluster/pets", "owned")];

/// A cluster's nodes in an Auto Scaling group, a target group and a binding between them.
struct Play {
    sim: Sim,
    nodes: Vec<InstanceId>,
    group: TargetGroupArn,
    actions: Vec<LifecycleAction>,
    binding: String,
}

impl Play {
    fn new(target_type: TargetType, nodes: usize) -> Self {
        let model = Model::new();
        let nodes = (0..nodes).map(|_| model.state().add_instance("vpc-1", "asg", CLUSTER)).collect();
        let group = model.state().add_group_of(target_type, "vpc-1");
        let mut play = Self { sim: Sim(model), nodes, group, actions: Vec::new(), binding: String::new() };
        play.binding = play.apply("pets", json!({}));
        play.sim.advance(120);
        play
    }

    fn apply(&self, name: &str, options: Value) -> String {
        let spec = json!({
            "Source": {"Nodes": {"ClusterName": "pets"}},
            "Sink": {"TargetGroup": {"TargetGroupArn": self.group}},
            "Options": options,
        });
        let (account, origin) = ("111122223333".parse().unwrap(), Origin::Command { name: name.into() });
        let work = async {
            let wanted = intake::check(&self.sim, &account, origin, spec).await?;
            intake::apply(&self.sim, &self.sim.shift(), wanted, Stamp::default()).await
        };
        work.now_or_never().expect("nobody dies").expect("nothing fails").binding.id
    }

    fn join(&mut self) -> InstanceId {
        let node = self.sim.0.state().add_instance("vpc-1", "asg", CLUSTER);
        self.nodes.push(node.clone());
        node
    }

    /// Auto Scaling wants to terminate the node: what EventBridge would say of it.
    fn terminate(&mut self, node: &InstanceId) -> Value {
        let action = self.sim.0.state().begin_termination(node).expect("a node");
        self.actions.push(action.clone());
        json!({
            "source": "aws.autoscaling", "detail-type": "EC2 Instance-terminate Lifecycle Action",
            "detail": {
                "LifecycleActionToken": action.token, "AutoScalingGroupName": action.group,
                "LifecycleHookName": action.hook, "EC2InstanceId": action.instance,
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            },
        })
    }

    fn targets(&self) -> std::collections::BTreeMap<TargetId, Health> {
        self.sim.0.state().targets(&self.group)
    }

    fn health(&self, node: &InstanceId) -> Option<Health> {
        let address = self.sim.0.state().instances[node].ipv4.map(|address| address.to_string());
        let of = |target: &TargetId| target.id == node.as_str() || Some(&target.id) == address.as_ref();
        self.targets().into_iter().find(|(target, _)| of(target)).map(|(_, health)| health)
    }

    fn waits(&self, node: &InstanceId) -> bool {
        self.sim.0.state().actions.iter().any(|(action, _)| action.instance == *node)
    }

    fn registered(&self) -> BTreeSet<String> {
        let registered = self.targets().into_iter().filter(|(_, health)| *health != Health::Draining);
        registered.map(|(target, _)| target.id).collect()
    }

    fn in_service(&self) -> BTreeSet<String> {
        let state = self.sim.0.state();
        let takes_instances = state.groups[&self.group].description.target_type == TargetType::Instance;
        let serves = |id: &&InstanceId| {
            let lifecycle = state.scaling_groups.values().find_map(|group| group.get(*id)).map(String::as_str);
            state.instances[*id].state == InstanceState::Running && lifecycle == Some("InService")
        };
        let serving = self.nodes.iter().filter(serves);
        serving
            .map(|id| match takes_instances {
                true => id.to_string(),
                false => state.instances[id].ipv4.map_or_else(String::new, |address| address.to_string()),
            })
            .collect()
    }

    fn stored(&self) -> Binding {
        let key = shared::registry::binding_key(&self.binding);
        serde_json::from_value(self.sim.0.state().items[&key].body.clone()).unwrap()
    }
}

fn state_changed(node: &InstanceId) -> Value {
    let detail = json!({"instance-id": node, "state": "running"});
    json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": detail})
}

fn interrupted(node: &InstanceId) -> Value {
    let detail = json!({"instance-id": node, "instance-action": "terminate"});
    json!({"source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", "detail": detail})
}

#[test]
fn a_node_that_auto_scaling_terminates_drains_before_its_hook_is_completed() {
    for target_type in [TargetType::Instance, TargetType::Ip] {
        let mut play = Play::new(target_type, 3);
        let node = play.nodes[0].clone();
        let event = play.terminate(&node);
        assert_eq!(play.sim.batch(&[event]), Some(0));
        assert_eq!(play.health(&node), Some(Health::Draining));
        assert!(play.waits(&node));
        let drained = play.sim.now_seconds() + 300;
        while play.waits(&node) {
            assert!(play.sim.now_seconds() <= drained + 20, "a drained node is let go at once");
            assert!(play.sim.0.state().instances[&node].state == InstanceState::Running);
            play.sim.deliver(0);
        }
        assert!(play.sim.now_seconds() >= drained, "it was let go while it drained");
        assert_eq!(play.registered(), play.in_service());
        assert_eq!(play.registered().len(), 2);
        play.sim.deliver(3_600);
        assert!(play.sim.0.state().messages.is_empty(), "nothing goes on asking");
    }
}

#[test]
fn an_event_does_not_bring_back_a_node_that_is_leaving() {
    let mut play = Play::new(TargetType::Instance, 3);
    let (ending, spot) = (play.nodes[0].clone(), play.nodes[1].clone());
    let event = play.terminate(&ending);
    play.sim.batch(&[event, interrupted(&spot)]).unwrap();
    for node in [&ending, &spot] {
        play.sim.batch(&[state_changed(node)]).unwrap();
        assert_eq!(play.health(node), Some(Health::Draining));
    }
    // Spot has spared it: some time after its two minutes it is a node like any other.
    play.sim.advance(601);
    play.sim.batch(&[state_changed(&spot)]).unwrap();
    assert_eq!(play.health(&spot), Some(Health::Initial));
}

#[test]
fn a_drain_that_takes_longer_than_the_hook_gives_gets_heartbeats() {
    let mut play = Play::new(TargetType::Instance, 3);
    play.sim.0.state().heartbeat_seconds = 30;
    play.sim.0.state().deregistration_delay_seconds = 3_600;
    let node = play.nodes[0].clone();
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    play.sim.0.take_calls();
    play.sim.deliver(3_500);
    assert!(play.waits(&node), "the hook ran out");
    play.sim.deliver(3_600);
    let calls = play.sim.0.take_calls();
    let count = |name: &str| calls.iter().filter(|call| **call == name).count();
    assert_eq!(count("CompleteLifecycleAction"), 1);
    assert!(count("RecordLifecycleActionHeartbeat") >= 3_600 / 30, "{}", count("RecordLifecycleActionHeartbeat"));
    assert!(count("DescribeLifecycleHooks") <= 1);
}

#[test]
fn the_last_node_serves_until_another_does() {
    let mut play = Play::new(TargetType::Ip, 1);
    let last = play.nodes[0].clone();
    let event = play.terminate(&last);
    play.sim.batch(&[event]).unwrap();
    assert_eq!(play.health(&last), Some(Health::Healthy));
    let new = play.join();
    play.sim.batch(&[state_changed(&new)]).unwrap();
    assert_eq!((play.health(&last), play.health(&new)), (Some(Health::Healthy), Some(Health::Initial)));
    play.sim.advance(90);
    play.sim.deliver(60);
    assert_eq!((play.health(&last), play.health(&new)), (Some(Health::Draining), Some(Health::Healthy)));
    play.sim.deliver(600);
    assert!(!play.waits(&last));
}

#[test]
fn a_cluster_that_is_scaled_to_nothing_is_let_go() {
    let mut play = Play::new(TargetType::Ip, 2);
    let events: Vec<Value> = play.nodes.clone().iter().map(|node| play.terminate(node)).collect();
    play.sim.batch(&events).unwrap();
    assert_eq!(play.registered().len(), 2, "nothing else serves yet");
    play.sim.deliver(1_200);
    assert!(play.actions.iter().all(|action| !play.waits(&action.instance)));
    assert!(play.registered().is_empty());
    assert_eq!(play.stored().status, Status::Blocked, "and it says that nothing is left");
}

#[test]
fn a_hook_waits_for_every_binding_that_has_the_node() {
    let mut play = Play::new(TargetType::Instance, 3);
    let (first, node) = (play.group.clone(), play.nodes[0].clone());
    let second = play.sim.0.state().add_group_of(TargetType::Ip, "vpc-1");
    play.group = second.clone();
    play.apply("pets-too", json!({}));
    play.sim.advance(120);
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    // The second group forgets its target sooner than the first.
    play.sim.0.state().deregistration_delay_seconds = 0;
    let ip = TargetId::ip(play.sim.0.state().instances[&node].ipv4.unwrap().into(), 443.try_into().unwrap());
    let drains =
        |group: &TargetGroupArn, id: &str| play.sim.0.state().targets(group).iter().any(|(target, _)| target.id == id);
    assert!(drains(&first, node.as_str()) && drains(&second, &ip.id));
    while play.waits(&node) {
        play.sim.deliver(0);
        let done = !play.waits(&node);
        assert!(!done || !drains(&first, node.as_str()) && !drains(&second, &ip.id), "let go while it drained");
    }
    assert_eq!(play.sim.0.take_calls().iter().filter(|call| **call == "CompleteLifecycleAction").count(), 1);
}

#[test]
fn a_draining_node_keeps_its_access_until_it_is_gone() {
    let mut play = Play::new(TargetType::Instance, 3);
    let group = play.sim.0.state().add_security_group();
    let spec = json!({
        "Source": {"Nodes": {"ClusterName": "pets"}},
        "Sink": {"SecurityGroup": {"GroupId": group, "Protocol": "tcp", "FromPort": 5432, "ToPort": 5432}},
    });
    let (account, origin) = ("111122223333".parse().unwrap(), Origin::Command { name: "db".into() });
    let work = async {
        let wanted = intake::check(&play.sim, &account, origin, spec).await?;
        intake::apply(&play.sim, &play.sim.shift(), wanted, Stamp::default()).await
    };
    work.now_or_never().expect("nobody dies").expect("nothing fails");
    let let_in = |play: &Play| {
        bindings::plan::rules::addresses(&play.sim.0.state().let_in(&group, "tcp:5432".parse().unwrap())).len()
    };
    assert_eq!(let_in(&play), 3);
    let node = play.nodes[0].clone();
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    assert_eq!((play.health(&node), let_in(&play)), (Some(Health::Draining), 3));
    while play.waits(&node) {
        play.sim.deliver(0);
    }
    play.sim.batch(&[state_changed(&node)]).unwrap();
    assert_eq!(let_in(&play), 2);
}

#[test]
fn a_node_that_goes_to_the_warm_pool_may_come_back() {
    let mut play = Play::new(TargetType::Instance, 3);
    let node = play.nodes[0].clone();
    let mut event = play.terminate(&node);
    event["detail"]["Destination"] = json!("WarmPool");
    play.sim.batch(&[event]).unwrap();
    assert_eq!(play.health(&node), Some(Health::Draining));
    while play.waits(&node) {
        play.sim.deliver(0);
    }
    // The model has terminated it; the real one goes on in the pool, where its group does not list it, and is called back.
    let groups_own = play.sim.0.state().instances.values().find(|one| one.id != node).unwrap().clone();
    {
        let mut state = play.sim.0.state();
        let instance = state.instances.get_mut(&node).unwrap();
        (instance.state, instance.vpc_id, instance.ipv4) =
            (InstanceState::Running, groups_own.vpc_id, "10.0.77.7".parse().ok());
    }
    play.sim.advance(3_600);
    play.sim.batch(&[state_changed(&node)]).unwrap();
    assert_eq!(play.health(&node), None, "what runs in the warm pool is no target");
    {
        let mut state = play.sim.0.state();
        state.scaling_groups.get_mut("asg").unwrap().insert(node.clone(), "InService".into());
    }
    play.sim.batch(&[state_changed(&node)]).unwrap();
    assert_eq!(play.health(&node), Some(Health::Initial));
}

#[test]
fn a_hook_never_hangs_on_a_sink_or_a_binding_that_is_gone() {
    // The target group goes while the node drains.
    let mut play = Play::new(TargetType::Instance, 3);
    let (node, group) = (play.nodes[0].clone(), play.group.clone());
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    play.sim.0.state().groups.remove(&group);
    play.sim.deliver(60);
    assert!(!play.waits(&node));

    // The binding goes.
    let mut play = Play::new(TargetType::Instance, 3);
    let node = play.nodes[0].clone();
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    let deleted = intake::delete(&play.sim, &play.sim.shift(), &play.binding.clone(), Stamp::default()).now_or_never();
    deleted.unwrap().unwrap();
    play.sim.deliver(600);
    play.sim.batch(&[Sim::scheduled()]).unwrap();
    assert!(!play.waits(&node));

    // Nobody may look at the nodes any more.
    let mut play = Play::new(TargetType::Instance, 3);
    let node = play.nodes[0].clone();
    let event = play.terminate(&node);
    play.sim.batch(&[event]).unwrap();
    play.sim.0.state().failing.insert("DescribeTargetHealth", (u32::MAX, Cause::Denied));
    let began = play.sim.now_seconds();
    while play.waits(&node) && play.sim.now_seconds() < began + 1_800 {
        play.sim.deliver(0);
    }
    assert!(!play.waits(&node));
}

#[test]
fn a_launch_hook_is_completed_when_the_target_is_healthy_if_the_user_asked_for_it() {
    let launch = |play: &mut Play| {
        let node = play.join();
        let mut state = play.sim.0.state();
        state.scaling_groups.get_mut("asg").unwrap().insert(node.clone(), "Pending:Wait".into());
        let hook = "warm".to_owned();
        let action = LifecycleAction { group: "asg".into(), hook, token: "token".into(), instance: node.clone() };
        let end = state.now_seconds + 3_600;
        state.actions.push((action, end));
        let detail = json!({
            "LifecycleActionToken": "token", "AutoScalingGroupName": "asg", "LifecycleHookName": "warm",
            "EC2InstanceId": node, "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        });
        let kind = "EC2 Instance-launch Lifecycle Action";
        (node, json!({"source": "aws.autoscaling", "detail-type": kind, "detail": detail}))
    };
    let mut play = Play::new(TargetType::Instance, 2);
    let (node, event) = launch(&mut play);
    play.sim.batch(&[event]).unwrap();
    play.sim.deliver(600);
    assert_eq!(play.health(&node), None, "a node on its way up is not added");
    assert!(play.waits(&node), "the hook is somebody else's");

    let mut play = Play::new(TargetType::Instance, 2);
    play.apply("pets", json!({"CompleteLaunchHooks": true}));
    let (node, event) = launch(&mut play);
    play.sim.batch(&[event]).unwrap();
    assert_eq!(play.health(&node), Some(Health::Initial));
    play.sim.deliver(60);
    assert!(play.waits(&node), "it is not healthy yet");
    play.sim.0.take_calls();
    play.sim.advance(60);
    play.sim.batch(&[state_changed(&node)]).unwrap();
    assert!(play.sim.0.take_calls().contains(&"CompleteLifecycleAction"));
}

#[test]
fn a_node_in_no_binding_is_nobodys_business() {
    let mut play = Play::new(TargetType::Instance, 2);
    let other = play.sim.0.state().add_instance("vpc-1", "other", &[("kubernetes.io/cluster/birds", "owned")]);
    play.nodes.push(other.clone());
    let event = play.terminate(&other);
    play.sim.0.take_calls();
    play.sim.batch(&[event, interrupted(&other)]).unwrap();
    assert_eq!(play.sim.0.take_calls(), ["Query", "DescribeInstances"], "it wakes, sees, and goes to sleep");
    assert!(play.waits(&other));
}

#[test]
fn ekss_own_hooks_are_left_to_eks_and_the_node_leaves_all_the_same() {
    let mut play = Play::new(TargetType::Instance, 3);
    let node = play.nodes[0].clone();
    let mut event = play.terminate(&node);
    event["detail"]["LifecycleHookName"] = json!("Terminate-LC-Hook");
    play.sim.batch(&[event]).unwrap();
    assert_eq!(play.health(&node), Some(Health::Draining));
    play.sim.deliver(3_000);
    assert!(play.waits(&node));
}

#[test]
fn a_burst_of_node_events_is_one_reconciliation() {
    let mut play = Play::new(TargetType::Instance, 3);
    let events: Vec<Value> = (0..997).map(|_| state_changed(&play.join())).collect();
    play.sim.0.take_calls();
    play.sim.batch(&events).unwrap();
    assert_eq!(play.registered(), play.in_service());
    let expected = [
        vec!["Query", "DescribeInstances"],               // whose nodes they are
        vec!["GetItem", "GetItem", "PutItem", "GetItem"], // the sink's lease, the newest intent
        vec!["Query"],                                    // what was announced
        vec!["DescribeTargetHealth", "DescribeInstances", "DescribeAutoScalingGroups"],
        vec!["PutItem"], // the claims
        vec!["RegisterTargets"; 5],
        vec!["PutEvents", "PutItem", "PutItem"], // what was seen, and the lease goes back
    ]
    .concat();
    assert_eq!(play.sim.0.take_calls(), expected);
}

#[test]
fn three_thousand_nodes_fill_a_target_group_to_its_quota_and_say_so() {
    let play = Play::new(TargetType::Instance, 3_000);
    assert_eq!(play.registered().len(), 1_000);
    let binding = play.stored();
    assert_eq!(binding.status, Status::Failed);
    assert!(binding.reason.contains("takes 1000 targets and the source has 3000"), "{}", binding.reason);
}

#[test]
fn a_hook_is_completed_and_its_node_drained_whatever_call_the_function_dies_at() {
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0.. {
            let mut play = Play::new(TargetType::Ip, 3);
            let node = play.nodes[0].clone();
            let event = play.terminate(&node);
            play.sim.0.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
            if play.sim.batch(std::slice::from_ref(&event)) != Some(0) {
                play.sim.advance(200);
                play.sim.batch(&[event]).expect("only the first dies");
            }
            assert_ne!(play.health(&node), Some(Health::Healthy), "{fault:?} at call {call}");
            play.sim.deliver(1_200);
            let reached = play.sim.0.state().faults.is_empty();
            play.sim.0.state().faults.clear();
            play.sim.batch(&[Sim::scheduled()]).unwrap();
            play.sim.deliver(1_200);
            assert!(!play.waits(&node), "{fault:?} at call {call}: the hook hangs");
            assert_eq!(play.registered(), play.in_service(), "{fault:?} at call {call}");
            if !reached {
                assert!(call > 40, "the fault never came to pass");
                break;
            }
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Joins,
    Ends(usize),
    IsInterrupted(usize),
    Vanishes(usize),
    Standby(usize),
    Back(usize),
    Deliver(u64),
    Scheduled,
    Faults(Vec<Option<Fault>>),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Fault::Fails(Cause::Throttled))),
        1 => Just(Some(Fault::AnswerLost)),
        1 => Just(Some(Fault::Dies)),
        1 => Just(Some(Fault::DiesAfter)),
    ];
    prop_oneof![
        3 => Just(Step::Joins),
        3 => (0..6_usize).prop_map(Step::Ends),
        1 => (0..6_usize).prop_map(Step::IsInterrupted),
        1 => (0..6_usize).prop_map(Step::Vanishes),
        1 => (0..6_usize).prop_map(Step::Standby),
        1 => (0..6_usize).prop_map(Step::Back),
        4 => (0..400_u64).prop_map(Step::Deliver),
        2 => Just(Step::Scheduled),
        3 => proptest::collection::vec(fault, 0..20).prop_map(Step::Faults),
    ]
}

impl Play {
    fn step(&mut self, step: Step) {
        let nth = |play: &Self, n: usize| play.nodes.iter().filter(|node| play.is_up(node)).nth(n).cloned();
        let mut tell = Vec::new();
        match step {
            Step::Joins => tell.push(state_changed(&self.join())),
            Step::Ends(n) => {
                if let Some(node) = nth(self, n).filter(|node| !self.waits(node)) {
                    tell.push(self.terminate(&node));
                }
            }
            Step::IsInterrupted(n) => tell.extend(nth(self, n).map(|node| interrupted(&node))),
            Step::Vanishes(n) => {
                if let Some(node) = nth(self, n).filter(|node| !self.waits(node)) {
                    self.sim.0.state().terminate(&node);
                    tell.push(state_changed(&node));
                }
            }
            Step::Standby(n) => self.set_lifecycle(nth(self, n), "Standby"),
            Step::Back(n) => self.set_lifecycle(nth(self, n), "InService"),
            Step::Deliver(seconds) => drop(self.sim.deliver(seconds)),
            Step::Scheduled => tell.push(Sim::scheduled()),
            Step::Faults(faults) => self.sim.0.state().faults = faults.into(),
        }
        if !tell.is_empty() && self.sim.batch(&tell) != Some(0) {
            // The queue delivers again what was not taken.
            let again = |body: Value| shared::aws::Message { body, delay_seconds: 130 };
            self.sim.0.state().messages.extend(tell.into_iter().map(again));
        }
    }

    fn is_up(&self, node: &InstanceId) -> bool {
        self.sim.0.state().instances[node].state == InstanceState::Running
    }

    fn set_lifecycle(&self, node: Option<InstanceId>, state: &str) {
        if let Some(node) = node.filter(|node| !self.waits(node)) {
            self.sim.0.state().scaling_groups.get_mut("asg").unwrap().insert(node, state.into());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_every_hook_ends_and_the_sink_has_the_nodes_that_are_in_service(
        is_ip in any::<bool>(),
        nodes in 1..4_usize,
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let foreign: TargetId = match is_ip {
            true => "10.9.9.9:443",
            false => "i-99999999:443",
        }.parse().unwrap();
        let mut play = Play::new(if is_ip { TargetType::Ip } else { TargetType::Instance }, nodes);
        let group = play.group.clone();
        play.sim.0.state().put_targets(&group, [foreign.clone()]);
        for step in steps {
            play.step(step);
            prop_assert!(play.registered().contains(&foreign.id), "somebody else's target was removed");
        }
        play.sim.0.state().faults.clear();
        for _ in 0..12 {
            // What was announced for some time ends by itself; what waits for a replacement, too.
            play.sim.advance(400);
            prop_assert_eq!(play.sim.batch(&[Sim::scheduled()]), Some(0));
            play.sim.deliver(600);
        }
        prop_assert!(play.sim.0.state().actions.is_empty(), "a hook hangs");
        let mut registered = play.registered();
        registered.remove(&foreign.id);
        let binding = play.stored();
        let in_service = play.in_service();
        prop_assert!(in_service.is_subset(&registered), "{:?} of {:?}", registered, in_service);
        match binding.status {
            Status::Synced => prop_assert_eq!(registered, in_service),
            Status::Blocked | Status::Waiting => prop_assert!(!binding.reason.is_empty()),
            other => prop_assert!(false, "ended as {:?}", other),
        }
        let ledger_key = shared::registry::sink_key(play.group.as_str());
        let ledger = play.sim.0.state().items[&ledger_key].body.clone();
        let claims: BTreeSet<Entry> = serde_json::from_value::<shared::lease::Leased<bindings::record::Ledger>>(ledger)
            .unwrap().value.claims.into_keys().collect();
        for (target, health) in play.targets() {
            let entry = Entry::Target(target.clone());
            let is_ours = target != foreign && health != Health::Draining;
            prop_assert!(!is_ours || claims.contains(&entry), "{} has no claim", entry);
        }
    }
}

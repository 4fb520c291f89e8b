//! Security groups and host names, on a model of AWS whose calls fail, whose answers get lost and whose callers die.
//! After every step: nobody else's rule was revoked, and nobody is let in whom no source has ever named. In the end: the
//! rules let in whom the source names.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bindings::intake;
use bindings::reconcile::{self, Looked, Patience};
use bindings::record::{KIND, Status};
use bindings::report::Outcome;
use futures::FutureExt;
use ipnet::Ipv4Net;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::aws::model::{Fault, Model};
use shared::aws::{AwsError, Cause};
use shared::error::{Error, ErrorType};
use shared::origin::{Origin, Stamp};
use shared::types::{HostName, PortRange, SecurityGroupId};
use tests::sim::{LEASE_SECONDS, Sim};

/// A host name, a security group and a binding between them.
struct Play {
    sim: Sim,
    host: HostName,
    group: SecurityGroupId,
    binding: String,
    named: BTreeSet<Ipv4Addr>,
}

fn ports() -> PortRange {
    "tcp:8443".parse().unwrap()
}

fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0100 + n)
}

fn addresses(all: impl IntoIterator<Item = u32>) -> Vec<Ipv4Addr> {
    all.into_iter().map(address).collect()
}

impl Play {
    fn new(first: &[Ipv4Addr], foreign_rules: u32) -> Self {
        let model = Model::new();
        let host: HostName = "db.example.com".parse().unwrap();
        let group = model.state().add_security_group();
        for n in 0..foreign_rules {
            let range = Ipv4Net::from(Ipv4Addr::from(0x0b00_0000 + n));
            model.state().put_rule(&group, "tcp:22".parse().unwrap(), range, &[]);
        }
        let mut play = Self { sim: Sim(model), host, group, binding: String::new(), named: BTreeSet::new() };
        play.name(first);
        play
    }

    fn name(&mut self, all: &[Ipv4Addr]) {
        self.named.extend(all);
        self.sim.0.state().name(&self.host, all);
    }

    fn spec(&self) -> Value {
        json!({
            "Source": {"Dns": {"HostName": self.host}},
            "Sink": {"SecurityGroup": {"GroupId": self.group, "Protocol": "tcp", "FromPort": 8443, "ToPort": 8443}},
        })
    }

    fn apply(&mut self) -> Option<Result<Outcome, Error>> {
        let (account, origin) = ("111122223333".parse().unwrap(), Origin::Command { name: "db".into() });
        let work = async {
            let wanted = intake::check(&self.sim, &account, origin, self.spec()).await?;
            intake::apply(&self.sim, &self.sim.shift(), wanted, Stamp::default()).await
        };
        let applied = work.now_or_never()?;
        self.binding = Origin::Command { name: "db".into() }.id(KIND, &format!("{}:{}", self.group, ports()));
        Some(applied)
    }

    fn look(&self) -> Option<Result<Looked, Error>> {
        reconcile::reconcile(&self.sim, &self.sim.shift(), &self.binding, Patience::Later { hops: 0 }).now_or_never()
    }

    fn let_in(&self) -> BTreeSet<Ipv4Addr> {
        bindings::plan::rules::addresses(&self.sim.0.state().let_in(&self.group, ports()))
    }

    fn rules(&self) -> usize {
        self.sim.0.state().let_in(&self.group, ports()).len()
    }

    fn settle(&mut self) {
        self.sim.0.state().faults.clear();
        for _ in 0..14 {
            self.sim.advance(LEASE_SECONDS + 1);
            self.look().expect("nobody dies").expect("nothing fails");
        }
    }
}

#[test]
fn each_address_is_let_in_by_a_rule_of_its_own_with_our_tag() {
    let mut play = Play::new(&addresses(0..3), 0);
    play.apply().unwrap().unwrap().into_answer().unwrap();
    let tagged = play.sim.0.state().tagged(&play.group, "foregate");
    let expected: Vec<Ipv4Net> = addresses(0..3).into_iter().map(Ipv4Net::from).collect();
    assert_eq!(tagged.into_keys().collect::<Vec<_>>(), expected);
    play.sim.0.take_calls();
    play.look().unwrap().unwrap();
    let calls = play.sim.0.take_calls();
    let changes = calls.iter().filter(|call| call.ends_with("Ingress")).count();
    assert_eq!(changes, 0, "what is as it should be is left alone: {calls:?}");
}

#[test]
fn a_new_address_is_let_in_before_the_old_one_is_locked_out() {
    let mut play = Play::new(&addresses([1]), 0);
    play.apply().unwrap().unwrap();
    play.name(&addresses([2]));
    play.look().unwrap().unwrap();
    assert_eq!(play.let_in(), addresses([1, 2]).into_iter().collect());
    play.settle();
    assert_eq!(play.let_in(), addresses([2]).into_iter().collect());
}

#[test]
fn a_group_without_room_is_consolidated_and_the_error_says_when_even_that_does_not_fit() {
    let mut play = Play::new(&addresses(0..16), 50);
    play.apply().unwrap().unwrap().into_answer().unwrap();
    assert_eq!((play.let_in(), play.rules()), (addresses(0..16).into_iter().collect(), 1));

    // Every other address: no two share a range.
    let scattered = addresses((0..40).map(|n| 2 * n));
    play.name(&scattered);
    let Some(Ok(Looked::Done(outcome))) = play.look() else { panic!("not looked at") };
    let binding = outcome.binding.clone();
    assert_eq!(binding.status, Status::Failed);
    let error = outcome.into_answer().unwrap_err();
    assert_eq!(error.error_type, ErrorType::LimitExceeded);
    assert!(error.message.contains("room for 10 rules beside 50 of others, of 60"), "{error}");
    assert!(error.message.contains("RulesPerSecurityGroup"), "{error}");
    assert!(play.rules() <= 10 && play.rules() >= 8, "as many as fit are let in: {}", play.rules());
}

#[test]
fn somebody_elses_rules_stay_whatever_they_look_like() {
    let mut play = Play::new(&addresses([1]), 0);
    let foreign = [
        ("10.0.1.1/32", &[][..]),
        ("10.0.1.2/32", &[("foregate", "foregate")][..]),
        ("10.0.1.3/32", &[("foregate", "another")][..]),
    ];
    for (range, tags) in foreign {
        play.sim.0.state().put_rule(&play.group, ports(), range.parse().unwrap(), tags);
    }
    play.apply().unwrap().unwrap();
    play.name(&addresses([7]));
    play.settle();
    let delete = intake::delete(&play.sim, &play.sim.shift(), &play.binding, Stamp::default()).now_or_never();
    delete.unwrap().unwrap();
    assert_eq!(play.let_in(), addresses([1, 2, 3]).into_iter().collect());
}

#[test]
fn two_bindings_that_let_in_one_address_share_its_rule() {
    let mut play = Play::new(&addresses([1, 2]), 0);
    play.apply().unwrap().unwrap();
    let (account, origin) = ("111122223333".parse().unwrap(), Origin::Command { name: "second".into() });
    let second = intake::check(&play.sim, &account, origin, play.spec()).now_or_never().unwrap().unwrap();
    intake::apply(&play.sim, &play.sim.shift(), second, Stamp::default()).now_or_never().unwrap().unwrap();
    intake::delete(&play.sim, &play.sim.shift(), &play.binding, Stamp::default()).now_or_never().unwrap().unwrap();
    assert_eq!(play.let_in(), addresses([1, 2]).into_iter().collect());
}

#[test]
fn a_name_server_that_fails_or_says_nothing_changes_nothing() {
    for answer in [Ok(BTreeSet::new()), Err(Cause::Unavailable)] {
        let mut play = Play::new(&addresses([1, 2]), 0);
        play.apply().unwrap().unwrap();
        let host = play.host.clone();
        play.sim.0.state().names.insert(host, answer);
        play.settle();
        play.settle();
        assert_eq!(play.let_in(), addresses([1, 2]).into_iter().collect());
    }
}

#[test]
fn an_address_that_is_left_out_now_and_then_stays_and_one_that_is_gone_for_good_goes() {
    let mut play = Play::new(&addresses([1, 2, 3]), 0);
    play.apply().unwrap().unwrap();
    for n in 0..30 {
        play.name(&addresses([1, 2 + n % 2]));
        play.look().unwrap().unwrap();
        assert_eq!(play.let_in(), addresses([1, 2, 3]).into_iter().collect());
    }
    play.name(&addresses([1, 2]));
    play.settle();
    assert_eq!(play.let_in(), addresses([1, 2]).into_iter().collect());
}

#[test]
fn a_change_killed_at_any_call_locks_nobody_out_and_is_made_whole() {
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0.. {
            let mut play = Play::new(&addresses(0..12), 50);
            // Full but for one rule: the addresses are consolidated while the function dies.
            play.apply().unwrap().unwrap();
            let wider = addresses((0..12).chain([20, 21]));
            play.name(&wider);
            play.sim.0.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
            let _ = play.look();
            let reached = play.sim.0.state().faults.is_empty();
            let stay: BTreeSet<Ipv4Addr> = addresses(0..12).into_iter().collect();
            assert!(stay.is_subset(&play.let_in()), "{fault:?} at call {call}");
            assert!(play.let_in().is_subset(&play.named), "{fault:?} at call {call}: a stranger was let in");
            play.settle();
            assert_eq!(play.let_in(), wider.into_iter().collect(), "{fault:?} at call {call}");
            if !reached {
                assert!(call > 5, "the fault never came to pass");
                break;
            }
        }
    }
}

#[test]
fn a_quota_that_is_lower_than_the_template_says_is_said() {
    let mut play = Play::new(&addresses((0..10).map(|n| 2 * n)), 0);
    play.sim.0.state().rules_max = 5;
    let failed = play.apply().unwrap().unwrap().into_answer().unwrap_err();
    let expected: Error = AwsError {
        operation: "AuthorizeSecurityGroupIngress",
        subject: "the model".into(),
        cause: Cause::LimitExceeded,
        code: "RulesPerSecurityGroupLimitExceeded".into(),
        message: "the model says so".into(),
    }
    .into();
    assert_eq!(failed, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_the_name_server_says_and_whatever_fails_nobody_else_is_let_in(
        first in proptest::collection::btree_set(0..40_u32, 1..12),
        answers in proptest::collection::vec(
            (proptest::collection::btree_set(0..40_u32, 0..20), proptest::option::of((0..12_usize, 0..4_usize))),
            1..12,
        ),
        foreign_rules in 30..58_u32,
    ) {
        const FAULTS: [Fault; 4] = [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)];
        let mut play = Play::new(&addresses(first), foreign_rules);
        play.apply().unwrap().unwrap();
        for (answer, fault) in answers {
            play.name(&addresses(answer));
            if let Some((call, fault)) = fault {
                play.sim.0.state().faults = std::iter::repeat_n(None, call).chain([Some(FAULTS[fault])]).collect();
            }
            let _ = play.look();
            play.sim.0.state().faults.clear();
            play.sim.advance(LEASE_SECONDS + 1);
            prop_assert!(play.let_in().is_subset(&play.named), "a stranger was let in");
            let foreign = play.sim.0.state().let_in(&play.group, "tcp:22".parse().unwrap()).len();
            prop_assert_eq!(foreign, foreign_rules as usize, "somebody else's rule was revoked");
        }
        let last = addresses([7]);
        play.name(&last);
        play.settle();
        play.settle();
        let Some(Ok(Looked::Done(outcome))) = play.look() else { panic!("not looked at") };
        match outcome.binding.status {
            Status::Synced => prop_assert_eq!(play.let_in(), last.into_iter().collect::<BTreeSet<_>>()),
            _ => prop_assert!(!outcome.binding.reason.is_empty()),
        }
    }
}

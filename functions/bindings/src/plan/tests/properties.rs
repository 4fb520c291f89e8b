//! What holds for every plan, over worlds that nobody thought of.

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use super::*;

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        4 => Just(Health::Healthy),
        2 => Just(Health::Initial),
        2 => Just(Health::Unhealthy),
        1 => Just(Health::Unused),
        2 => Just(Health::Draining),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Complete),
        1 => Just(Answer::Empty("nothing".into())),
        1 => Just(Answer::Partial("not all".into())),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    (0..2_000_u64, proptest::option::of(0..2_000_u64), any::<bool>()).prop_map(|(since, unwanted, replaced_one)| {
        Claim { since: ago(since), unwanted_since: unwanted.map(ago), replaced_one, node: None }
    })
}

fn world() -> impl Strategy<Value = World> {
    let targets = || 1..14_u8;
    let owner = prop_oneof![3 => Just("me"), 1 => Just("other")];
    (
        btree_set(targets(), 0..8),
        btree_map(targets(), health(), 0..10),
        btree_map((targets(), owner), claim(), 0..12),
        answer(),
        0..=100_u8,
        any::<bool>(),
        prop_oneof![4 => Just(1_000_usize), 1 => 1..8_usize],
        btree_set(targets(), 0..4),
    )
        .prop_map(|(desired, sink, claims, answer, percent, allow_empty, entries_max, taken)| {
            let desired: Vec<u8> = match answer {
                Answer::Empty(_) => vec![],
                _ => desired.into_iter().collect(),
            };
            let mut world = World { answer, entries_max, ..World::new(&desired) }.options(percent, allow_empty);
            // AWS takes nothing that the source still names.
            world.taken = taken.into_iter().map(target).filter(|entry| !world.desired.contains_key(entry)).collect();
            world.sink = sink.into_iter().map(|(n, health)| (target(n), health)).collect();
            for ((n, owner), claim) in claims {
                world.ledger.claim(owner, &target(n), claim);
            }
            world
        })
}

/// The world after the plan was carried out and everything had time: registered targets healthy, drained ones gone.
fn carry_out(world: &mut World, plan: &Plan) {
    for (target, claim) in &plan.claim {
        world.ledger.claim("me", target, claim.clone());
    }
    for target in &plan.deregister {
        world.sink.remove(target);
    }
    for target in &plan.register {
        world.sink.insert(target.clone(), Health::Initial);
    }
    for target in plan.deregister.iter().chain(&plan.release) {
        world.ledger.release("me", target);
    }
    world.sink.retain(|_, health| *health != Health::Draining);
    world.sink.values_mut().for_each(|health| *health = Health::Healthy);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn only_what_is_ours_and_unwanted_is_removed(world in world()) {
        let plan = world.plan();
        let mine = world.ledger.of("me");
        let others = world.ledger.of_others("me");
        for target in &plan.deregister {
            prop_assert!(mine.contains_key(target) && !others.contains(target) && !world.desired.contains_key(target));
        }
    }

    #[test]
    fn additions_go_ahead_whatever_is_held_back(world in world()) {
        let plan = world.plan();
        for target in world.desired.keys() {
            let there = world.sink.get(target).is_some_and(|health| *health != Health::Draining);
            prop_assert!(there || plan.register.contains(target) || plan.no_room.contains(target));
        }
        let new = plan.register.iter().filter(|target| !world.sink.contains_key(*target)).count();
        prop_assert!(new == 0 || new + world.sink.len() <= world.entries_max);
    }

    #[test]
    fn something_healthy_stays(world in world()) {
        let plan = world.plan();
        let emptied_on_purpose = matches!((&world.answer, world.intent), (Answer::Empty(_), Intent::Keep(o)) if o.allow_empty);
        let healthy = |gone: &BTreeSet<Entry>| {
            world.sink.iter().filter(|(target, health)| **health == Health::Healthy && !gone.contains(*target)).count()
        };
        // What AWS takes may have waited long enough.
        let only_taken = plan.deregister.is_subset(&world.taken);
        if !emptied_on_purpose && !only_taken && healthy(&BTreeSet::new()) > 0 {
            prop_assert!(healthy(&plan.deregister) > 0);
        }
    }

    #[test]
    fn what_rests_on_a_doubtful_answer_removes_nothing(world in world()) {
        let doubtful = match (&world.answer, world.intent) {
            (Answer::Partial(_), _) => true,
            (Answer::Empty(_), Intent::Keep(options)) => !options.allow_empty,
            _ => false,
        };
        if doubtful {
            prop_assert!(world.plan().deregister.is_subset(&world.taken));
        }
    }

    #[test]
    fn what_aws_takes_is_never_held_back(world in world()) {
        let held = world.plan().held.map(|held| held.targets).unwrap_or_default();
        prop_assert!(held.is_disjoint(&world.taken));
    }

    #[test]
    fn removals_without_replacement_stay_within_the_percentage(world in world()) {
        let plan = world.plan();
        if let (Answer::Complete, Intent::Keep(options)) = (&world.answer, world.intent) {
            let free = plan.claim.values().filter(|claim| claim.replaced_one).count();
            let owned = world.ledger.of("me").len();
            let judged = plan.deregister.difference(&world.taken).count();
            let counted = judged.saturating_sub(free);
            prop_assert!(counted * 100 <= owned * usize::from(options.max_removal_percent));
        }
    }

    #[test]
    fn every_unwanted_target_is_accounted_for(world in world()) {
        let plan = world.plan();
        let held = plan.held.as_ref().map(|held| held.targets.clone()).unwrap_or_default();
        for target in world.ledger.of("me").keys().filter(|target| !world.desired.contains_key(*target)) {
            let places = [&plan.deregister, &plan.release, &plan.waiting, &held];
            prop_assert_eq!(places.iter().filter(|place| place.contains(target)).count(), 1);
        }
    }

    #[test]
    fn plans_carried_out_converge_to_an_empty_plan(world in world()) {
        let mut world = world;
        for _ in 0..40 {
            let plan = world.plan();
            if plan.is_empty() && !plan.wants_recheck() {
                break;
            }
            carry_out(&mut world, &plan);
        }
        let last = world.plan();
        prop_assert!(last.is_empty(), "still:\n{}", last);
        if let (Answer::Complete, None) = (&world.answer, &last.held) {
            // The last that serve wait for something else to, which takes time.
            prop_assert!(last.waiting.is_subset(&world.taken));
            prop_assert!(world.desired.keys().all(|target| world.sink.contains_key(target) || last.no_room.contains(target)));
        }
    }
}

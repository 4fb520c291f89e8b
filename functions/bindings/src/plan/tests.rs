//! Tables of (source, sink, ledger) and the plan that follows, in the form that users read; the properties that hold
//! for every plan stand in `properties`.

use super::*;

mod properties;

/// Target number `n`.
fn target(n: u8) -> Entry {
    format!("10.0.0.{n}:443").parse().unwrap()
}

const NOW: u64 = 10_000;

/// So long ago, at a round a second.
fn ago(seconds: u64) -> Moment {
    Moment { round: NOW - seconds, seconds: NOW - seconds }
}

/// A small world in words: targets are numbers, claims carry how long ago they were made and became unwanted.
#[derive(Debug)]
struct World {
    intent: Intent,
    answer: Answer,
    desired: BTreeMap<Entry, Option<InstanceId>>,
    taken: BTreeSet<Entry>,
    sink: BTreeMap<Entry, Health>,
    ledger: Ledger,
    entries_max: usize,
}

impl World {
    fn new(desired: &[u8]) -> Self {
        Self {
            intent: Intent::Keep(Options::default()),
            answer: Answer::Complete,
            desired: desired.iter().map(|n| (target(*n), None)).collect(),
            taken: BTreeSet::new(),
            sink: BTreeMap::new(),
            ledger: Ledger::default(),
            entries_max: 1_000,
        }
    }

    fn has(mut self, health: Health, targets: &[u8]) -> Self {
        self.sink.extend(targets.iter().map(|n| (target(*n), health)));
        self
    }

    fn owned_by(mut self, binding: &str, targets: &[u8], seconds_ago: u64) -> Self {
        let claim = Claim { since: ago(seconds_ago), unwanted_since: None, replaced_one: false, node: None };
        targets.iter().for_each(|n| self.ledger.claim(binding, &target(*n), claim.clone()));
        self
    }

    /// Owned by the binding, made long ago.
    fn mine(self, targets: &[u8]) -> Self {
        self.owned_by("me", targets, 9_000)
    }

    fn unwanted(mut self, targets: &[u8], seconds_ago: u64) -> Self {
        for n in targets {
            let mut claim = self.ledger.of("me")[&target(*n)].clone();
            claim.unwanted_since = Some(ago(seconds_ago));
            self.ledger.claim("me", &target(*n), claim);
        }
        self
    }

    /// What AWS takes.
    fn taken(mut self, targets: &[u8]) -> Self {
        self.taken.extend(targets.iter().map(|n| target(*n)));
        self
    }

    fn options(mut self, max_removal_percent: u8, allow_empty: bool) -> Self {
        self.intent = Intent::Keep(Options { max_removal_percent, allow_empty, complete_launch_hooks: false });
        self
    }

    fn plan(&self) -> Plan {
        plan(&Observed {
            binding: &"me".to_owned(),
            intent: self.intent,
            desired: &self.desired,
            taken: &self.taken,
            answer: &self.answer,
            sink: &self.sink,
            ledger: &self.ledger,
            entries_max: self.entries_max,
            now: ago(0),
        })
    }
}

use Health::{Draining, Healthy, Initial, Unhealthy, Unused};

#[test]
fn plans_are_what_the_rules_say() {
    let empty = || Answer::Empty("it has no network interface".into());
    let partial = || Answer::Partial("1 of 2 interfaces has an address".into());
    let no_address = "the source has no address (it has no network interface); set Options.AllowEmpty to let it empty \
                      the sink: kept 10.0.0.1:443";
    let cases: Vec<(&str, World, String)> = vec![
        ("an empty sink is filled", World::new(&[1, 2]), "+ 10.0.0.1:443\n+ 10.0.0.2:443\n".into()),
        ("a converged sink is left alone", World::new(&[1, 2]).has(Healthy, &[1, 2]).mine(&[1, 2]), "nothing to do\n".into()),
        ("a target that somebody removed comes back", World::new(&[1, 2]).has(Healthy, &[1]).mine(&[1, 2]), "+ 10.0.0.2:443\n".into()),
        (
            "a draining target that is wanted again is registered again",
            World::new(&[1]).has(Draining, &[1]).mine(&[1]),
            "+ 10.0.0.1:443\n".into(),
        ),
        (
            "a target of somebody else's stays, whether wanted or not",
            World::new(&[1]).has(Healthy, &[1, 9]),
            "nothing to do\n".into(),
        ),
        (
            "half of the targets may go without replacement",
            World::new(&[1]).has(Healthy, &[1, 2]).mine(&[1, 2]),
            "- 10.0.0.2:443\n".into(),
        ),
        (
            "more than half may not",
            World::new(&[1]).has(Healthy, &[1, 2, 3]).mine(&[1, 2, 3]),
            "! 2 of 3 would go without a healthy replacement, more than Options.MaxRemovalPercent (50) allows: \
             kept 10.0.0.2:443 10.0.0.3:443\n"
                .into(),
        ),
        (
            "a user may allow fewer",
            World::new(&[1, 2, 3]).has(Healthy, &[1, 2, 3, 4]).mine(&[1, 2, 3, 4]).options(20, false),
            "! 1 of 4 would go without a healthy replacement, more than Options.MaxRemovalPercent (20) allows: \
             kept 10.0.0.4:443\n"
                .into(),
        ),
        (
            "a target that is replaced stays until its replacement is healthy",
            World::new(&[1, 3]).has(Healthy, &[1, 2]).mine(&[1, 2]),
            "+ 10.0.0.3:443\n~ 10.0.0.2:443: goes when its replacement is healthy\n".into(),
        ),
        (
            "it still waits while the replacement is on its way up",
            World::new(&[1, 3]).has(Healthy, &[1, 2]).has(Initial, &[3]).mine(&[1, 2]).unwanted(&[2], 60).owned_by("me", &[3], 60),
            "~ 10.0.0.2:443: goes when its replacement is healthy\n".into(),
        ),
        (
            "it goes once the replacement is healthy",
            World::new(&[1, 3]).has(Healthy, &[1, 2, 3]).mine(&[1, 2]).unwanted(&[2], 60).owned_by("me", &[3], 60),
            "- 10.0.0.2:443\n".into(),
        ),
        (
            "every target may be replaced, one healthy replacement at a time",
            World::new(&[3, 4]).has(Healthy, &[1, 2, 3]).has(Initial, &[4]).mine(&[1, 2]).unwanted(&[1, 2], 60).owned_by("me", &[3, 4], 60),
            "- 10.0.0.1:443\n~ 10.0.0.2:443: goes when its replacement is healthy\n".into(),
        ),
        (
            "a replacement that does not come up in time counts no longer",
            World::new(&[3, 4]).has(Healthy, &[1, 2]).has(Unhealthy, &[3, 4]).mine(&[1, 2]).unwanted(&[1, 2], 600).owned_by("me", &[3, 4], 600),
            "! 2 of 2 would go without a healthy replacement, more than Options.MaxRemovalPercent (50) allows: \
             kept 10.0.0.1:443 10.0.0.2:443\n"
                .into(),
        ),
        (
            "the last healthy target stays, whatever the percentage allows",
            World::new(&[2]).has(Healthy, &[1]).has(Unhealthy, &[2]).mine(&[1, 2]).options(100, false),
            "! no healthy target would be left: kept 10.0.0.1:443\n".into(),
        ),
        (
            "a healthy target of somebody else's will do",
            World::new(&[2]).has(Healthy, &[1, 9]).has(Unhealthy, &[2]).mine(&[1, 2]).options(100, false),
            "- 10.0.0.1:443\n".into(),
        ),
        (
            "nothing routes to the group, so that no health is to be waited for",
            World::new(&[3]).has(Unused, &[1, 3]).mine(&[1]).unwanted(&[1], 60).owned_by("me", &[3], 60),
            "- 10.0.0.1:443\n".into(),
        ),
        ("an empty answer removes nothing", World { answer: empty(), ..World::new(&[]) }.has(Healthy, &[1]).mine(&[1]), format!("! {no_address}\n")),
        (
            "an empty answer removes everything where the user allowed it",
            World { answer: empty(), ..World::new(&[]) }.has(Healthy, &[1]).mine(&[1]).options(50, true),
            "- 10.0.0.1:443\n".into(),
        ),
        (
            "a partial answer removes nothing and adds what it names",
            World { answer: partial(), ..World::new(&[2]) }.has(Healthy, &[1]).mine(&[1]),
            "+ 10.0.0.2:443\n! the source's answer is not whole (1 of 2 interfaces has an address): kept 10.0.0.1:443\n\
             ? 1 of 2 interfaces has an address\n"
                .into(),
        ),
        (
            "a target that another binding wants too is handed over",
            World::new(&[1]).has(Healthy, &[1, 2]).mine(&[1, 2]).owned_by("other", &[2], 60),
            "  10.0.0.2:443: no longer ours to remove\n".into(),
        ),
        (
            "a target that is gone already is forgotten",
            World::new(&[1]).has(Healthy, &[1]).has(Draining, &[2]).mine(&[1, 2, 3]),
            "  10.0.0.2:443: no longer ours to remove\n  10.0.0.3:443: no longer ours to remove\n".into(),
        ),
        (
            "a full group makes room step by step",
            World { entries_max: 2, ..World::new(&[3, 4]) }.has(Healthy, &[1, 2]).mine(&[1, 2]),
            "- 10.0.0.1:443\n~ 10.0.0.2:443: goes when its replacement is healthy\n\
             ~ 10.0.0.3:443: comes when the sink has room\n~ 10.0.0.4:443: comes when the sink has room\n"
                .into(),
        ),
        (
            "a full group takes no second step while the first one drains",
            World { entries_max: 2, ..World::new(&[3, 4]) }.has(Healthy, &[2]).has(Draining, &[9]).mine(&[2]).unwanted(&[2], 60),
            "~ 10.0.0.2:443: goes when its replacement is healthy\n\
             ~ 10.0.0.3:443: comes when the sink has room\n~ 10.0.0.4:443: comes when the sink has room\n"
                .into(),
        ),
        (
            "what AWS takes goes at once, however much it is, and the rest is judged by itself",
            World::new(&[1]).has(Healthy, &[1, 2, 3, 4]).mine(&[1, 2, 3, 4]).taken(&[2, 3, 4]),
            "- 10.0.0.2:443\n- 10.0.0.3:443\n- 10.0.0.4:443\n".into(),
        ),
        (
            "it goes although the answer is partial",
            World { answer: partial(), ..World::new(&[1]) }.has(Healthy, &[1, 2, 3]).mine(&[1, 2, 3]).taken(&[2]),
            "- 10.0.0.2:443\n! the source's answer is not whole (1 of 2 interfaces has an address): kept 10.0.0.3:443\n\
             ? 1 of 2 interfaces has an address\n"
                .into(),
        ),
        (
            "it goes although the rest is too many",
            World::new(&[1]).has(Healthy, &[1, 2, 3, 4]).mine(&[1, 2, 3, 4]).taken(&[2]),
            "- 10.0.0.2:443\n! 2 of 3 would go without a healthy replacement, more than Options.MaxRemovalPercent (50) \
             allows: kept 10.0.0.3:443 10.0.0.4:443\n"
                .into(),
        ),
        (
            "the last that serve stay until something else does",
            World::new(&[3]).has(Healthy, &[1]).has(Unhealthy, &[2]).has(Initial, &[3]).mine(&[1, 2]).taken(&[1, 2]).owned_by("me", &[3], 60),
            "- 10.0.0.2:443\n~ 10.0.0.1:443: goes when its replacement is healthy\n".into(),
        ),
        (
            "they go when something else serves",
            World::new(&[3]).has(Healthy, &[1, 3]).mine(&[1]).unwanted(&[1], 60).taken(&[1]).owned_by("me", &[3], 60),
            "- 10.0.0.1:443\n".into(),
        ),
        (
            "they go in the end although nothing else does",
            World { answer: empty(), ..World::new(&[]) }.has(Healthy, &[1]).mine(&[1]).unwanted(&[1], 600).taken(&[1]),
            "- 10.0.0.1:443\n! the source has no address (it has no network interface); set Options.AllowEmpty to let it \
             empty the sink\n"
                .into(),
        ),
        (
            "a binding that is to go takes its targets along, and no others",
            World { intent: Intent::Retire, ..World::new(&[1]) }.has(Healthy, &[1, 2, 9]).mine(&[1, 2]),
            "- 10.0.0.1:443\n- 10.0.0.2:443\n".into(),
        ),
        (
            "it waits for the binding that replaces it",
            World { intent: Intent::Retire, ..World::new(&[]) }.has(Healthy, &[1]).has(Initial, &[2]).mine(&[1]).owned_by("other", &[2], 5),
            "~ 10.0.0.1:443: goes when its replacement is healthy\n".into(),
        ),
    ];
    for (behaviour, world, expected) in cases {
        assert_eq!(world.plan().to_string(), expected, "{behaviour}");
    }
}

#[test]
fn a_replacement_counts_for_one_removal_only() {
    // 2 and 3 were 4 and 5's predecessors' places: only one replacement came, and it has replaced one already.
    let world = World::new(&[1, 4]).has(Healthy, &[1, 3, 4]).mine(&[1, 3]).unwanted(&[3], 60).owned_by("me", &[4], 60);
    let mut spent = world.ledger.of("me")[&target(4)].clone();
    spent.replaced_one = true;
    let mut world = world.options(20, false);
    world.ledger.claim("me", &target(4), spent);
    assert!(matches!(world.plan().held, Some(Held { reason: HeldReason::TooMany { removals: 1, owned: 3, .. }, .. })));
}

#[test]
fn a_target_that_came_earlier_in_the_same_second_replaces_nothing() {
    let mut world = World::new(&[1, 3]).has(Healthy, &[1, 2]);
    let since = Moment { round: NOW - 1, seconds: NOW };
    for n in [1, 2] {
        world.ledger.claim("me", &target(n), Claim { since, unwanted_since: None, replaced_one: false, node: None });
    }
    assert_eq!(world.plan().to_string(), "+ 10.0.0.3:443\n~ 10.0.0.2:443: goes when its replacement is healthy\n");
}

#[test]
fn a_plan_writes_its_claims_before_it_adds() {
    let plan = World::new(&[1]).plan();
    assert!(plan.register.iter().all(|target| plan.claim.contains_key(target)));
}

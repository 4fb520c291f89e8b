//! Which rules of a security group let in which addresses. Pure.
//!
//! One rule for each address (`/32`), as long as the group has room for that; else the addresses are consolidated into
//! the fewest ranges that hold exactly them, never one more: a range that lets in a stranger is no consolidation. Where
//! even that does not fit, what is there stays, and of what is new as much comes as fits.
//!
//! Invariant: while the steps are carried out, in their order and up to wherever they break off, every address that is
//! to stay is let in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// How many rules go into one call. EC2 documents no limit of its own; the group's quota is at most 1,000.
const BATCH_MAX: usize = 100;

/// A security group's rules on the ports that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those that may be revoked, by range: each one's id.
    pub own: BTreeMap<Ipv4Net, String>,
    /// The ranges of everybody else's on the same ports: EC2 refuses to add one of them again.
    pub foreign: BTreeSet<Ipv4Net>,
    /// How many other rules count against the quota, on whatever ports.
    pub others: usize,
    /// The quota.
    pub max: usize,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// AuthorizeSecurityGroupIngress of these ranges.
    Authorize(Vec<Ipv4Net>),
    /// RevokeSecurityGroupIngress of the rules of these ranges.
    Revoke(Vec<Ipv4Net>),
}

/// From the rules as they are to the rules as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// New addresses for which there is no room, consolidated or not.
    pub left_out: BTreeSet<Ipv4Addr>,
    /// Addresses that are let in still although they should not be: their range can't be split while the group is full,
    /// without locking out its others for a moment.
    pub kept: BTreeSet<Ipv4Addr>,
    /// How many rules all addresses would have needed, where there was no room for them.
    pub needed: usize,
}

/// The addresses in these ranges.
pub fn addresses<'a>(ranges: impl IntoIterator<Item = &'a Ipv4Net>) -> BTreeSet<Ipv4Addr> {
    let each = |range: &Ipv4Net| (u32::from(range.network())..=u32::from(range.broadcast())).map(Ipv4Addr::from);
    ranges.into_iter().flat_map(each).collect()
}

/// The steps to rules that let in `stay`, which they do already, and `new`, and nobody else.
pub fn layout(rules: &Rules, stay: &BTreeSet<Ipv4Addr>, new: &BTreeSet<Ipv4Addr>) -> Layout {
    if new.is_empty() && addresses(rules.own.keys()) == *stay {
        return Layout::default();
    }
    let room = rules.max.saturating_sub(rules.others);
    let new: Vec<Ipv4Addr> = new.iter().copied().collect();
    let ranges = |count: usize| ranges(&stay.iter().copied().chain(new[..count].iter().copied()).collect(), room);
    let count = most_that_fit(new.len(), |count| ranges(count).len() <= room);
    let wanted: BTreeSet<Ipv4Addr> = stay.iter().copied().chain(new[..count].iter().copied()).collect();
    let (steps, present) = steps(rules, &ranges(count), &wanted);
    let let_in = |address: &Ipv4Addr| {
        rules.foreign.contains(&Ipv4Net::from(*address)) || present.iter().any(|range| range.contains(address))
    };
    let left_out: BTreeSet<Ipv4Addr> = new.iter().copied().filter(|address| !let_in(address)).collect();
    let kept: BTreeSet<Ipv4Addr> = addresses(&present).difference(&wanted).copied().collect();
    let needed = if left_out.is_empty() && kept.is_empty() { 0 } else { ranges(new.len()).len() };
    Layout { steps, left_out, kept, needed }
}

/// One range for each address while there is room for one rule more: without any, nothing could ever be added before
/// something is revoked.
fn ranges(wanted: &BTreeSet<Ipv4Addr>, room: usize) -> BTreeSet<Ipv4Net> {
    let single: Vec<Ipv4Net> = wanted.iter().map(|address| Ipv4Net::from(*address)).collect();
    match single.len() < room {
        true => single.into_iter().collect(),
        false => Ipv4Net::aggregate(&single).into_iter().collect(),
    }
}

/// The largest count up to `all` that was found to fit, by halving; nothing new always fits.
fn most_that_fit(all: usize, fits: impl Fn(usize) -> bool) -> usize {
    if fits(all) {
        return all;
    }
    let (mut most, mut too_many) = (0, all);
    while most + 1 < too_many {
        let middle = usize::midpoint(most, too_many);
        match fits(middle) {
            true => most = middle,
            false => too_many = middle,
        }
    }
    most
}

/// Adds before it revokes, the widest ranges first: each makes room for the next. Answers the ranges, too, that are there
/// in the end.
fn steps(rules: &Rules, ranges: &BTreeSet<Ipv4Net>, wanted: &BTreeSet<Ipv4Addr>) -> (Vec<Step>, BTreeSet<Ipv4Net>) {
    let mut present: BTreeSet<Ipv4Net> = rules.own.keys().copied().collect();
    let is_missing = |range: &&Ipv4Net| !rules.own.contains_key(*range) && !rules.foreign.contains(*range);
    let mut missing: Vec<Ipv4Net> = ranges.iter().filter(is_missing).copied().collect();
    missing.sort_by_key(Ipv4Net::prefix_len);
    let mut steps = Vec::new();
    loop {
        let room = rules.max.saturating_sub(rules.others + present.len());
        let now: Vec<Ipv4Net> = missing.drain(..room.min(BATCH_MAX).min(missing.len())).collect();
        present.extend(&now);
        let covered: Vec<&Ipv4Net> =
            ranges.iter().filter(|range| present.contains(range) || rules.foreign.contains(range)).collect();
        let is_spare = |range: &&Ipv4Net| {
            let mut needed = wanted.range(range.network()..=range.broadcast());
            !ranges.contains(*range) && needed.all(|address| covered.iter().any(|range| range.contains(address)))
        };
        let spare: Vec<Ipv4Net> = present.iter().filter(is_spare).copied().take(BATCH_MAX).collect();
        present.retain(|range| !spare.contains(range));
        let stuck = now.is_empty() && spare.is_empty();
        steps.extend([Step::Authorize(now), Step::Revoke(spare)].into_iter().filter(|step| !step.is_empty()));
        if stuck {
            return (steps, present);
        }
    }
}

impl Step {
    fn is_empty(&self) -> bool {
        match self {
            Self::Authorize(ranges) | Self::Revoke(ranges) => ranges.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn address(n: u32) -> Ipv4Addr {
        Ipv4Addr::from(0x0a00_0000 + n)
    }

    fn all(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<Ipv4Addr> {
        numbers.into_iter().map(address).collect()
    }

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn rules(own: &[&str], others: usize, max: usize) -> Rules {
        let own = own.iter().map(|range| (net(range), format!("sgr-{range}"))).collect();
        Rules { own, foreign: BTreeSet::new(), others, max }
    }

    #[test]
    fn each_address_has_a_rule_of_its_own_while_there_is_room() {
        let layout = layout(&rules(&["10.0.0.1/32"], 57, 60), &all([1]), &all([2]));
        assert_eq!(layout.steps, [Step::Authorize(vec![net("10.0.0.2/32")])]);
    }

    #[test]
    fn what_is_as_it_should_be_is_left_as_it_is_laid_out() {
        let is_one_range = rules(&["10.0.0.0/30"], 0, 60);
        assert_eq!(layout(&is_one_range, &all(0..4), &all([])), Layout::default());
    }

    #[test]
    fn a_full_group_is_consolidated_and_lets_in_no_stranger() {
        let own = ["10.0.0.4/32", "10.0.0.5/32", "10.0.0.6/32"];
        let layout = layout(&rules(&own, 56, 60), &all([4, 5, 6]), &all([7]));
        let steps = [Step::Authorize(vec![net("10.0.0.4/30")]), Step::Revoke(own.map(net).to_vec())];
        assert_eq!((layout.steps, layout.left_out), (steps.to_vec(), all([])));
    }

    #[test]
    fn what_leaves_is_revoked_only_when_what_replaces_its_rule_is_there() {
        let layout = layout(&rules(&["10.0.0.4/30"], 0, 60), &all([4, 5, 6]), &all([]));
        let singles = ["10.0.0.4/32", "10.0.0.5/32", "10.0.0.6/32"].map(net).to_vec();
        assert_eq!(layout.steps, [Step::Authorize(singles), Step::Revoke(vec![net("10.0.0.4/30")])]);
    }

    #[test]
    fn what_does_not_fit_even_consolidated_is_left_out_and_said() {
        let layout = layout(&rules(&["10.0.0.1/32"], 57, 60), &all([1]), &all([3, 5, 7, 9]));
        assert_eq!(layout.steps, [Step::Authorize(vec![net("10.0.0.3/32"), net("10.0.0.5/32")])]);
        assert_eq!((layout.left_out, layout.needed), (all([7, 9]), 5));
    }

    #[test]
    fn a_range_that_can_not_be_split_without_locking_somebody_out_stays_and_that_is_said() {
        let layout = layout(&rules(&["10.0.0.4/31"], 59, 60), &all([4]), &all([]));
        assert_eq!((layout.steps, layout.kept), (vec![], all([5])));
    }

    #[test]
    fn a_range_that_somebody_else_lets_in_already_is_not_added_again() {
        let mut rules = rules(&[], 1, 60);
        rules.foreign.insert(net("10.0.0.1/32"));
        assert_eq!(layout(&rules, &all([]), &all([1, 2])).steps, [Step::Authorize(vec![net("10.0.0.2/32")])]);
    }

    /// The rules after the steps, each checked against the group's quota and against what has to be let in all along.
    fn carry_out(rules: &Rules, layout: &Layout, stay: &BTreeSet<Ipv4Addr>) -> BTreeSet<Ipv4Net> {
        let mut present: BTreeSet<Ipv4Net> = rules.own.keys().copied().collect();
        for step in &layout.steps {
            match step {
                Step::Authorize(ranges) => ranges.iter().for_each(|range| assert!(present.insert(*range), "twice")),
                Step::Revoke(ranges) => ranges.iter().for_each(|range| assert!(present.remove(range), "not there")),
            }
            assert!(rules.others + present.len() <= rules.max, "over the quota");
            assert!(stay.is_subset(&addresses(&present)), "somebody was locked out for a moment");
        }
        present
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn exactly_those_are_let_in_that_should_be(
            before in btree_set(0..48_u32, 0..30),
            staying in btree_set(0..48_u32, 0..40),
            new in btree_set(0..48_u32, 0..40),
            others in 0..60_usize,
        ) {
            let before = all(before);
            let mut rules = Rules { others, max: 60, ..Rules::default() };
            let room = rules.max - others;
            let own = ranges(&before, room);
            prop_assume!(own.len() <= room);
            rules.own = own.into_iter().map(|range| (range, format!("sgr-{range}"))).collect();
            let stay: BTreeSet<Ipv4Addr> = all(staying).intersection(&before).copied().collect();
            let new: BTreeSet<Ipv4Addr> = all(new).difference(&before).copied().collect();

            let planned = layout(&rules, &stay, &new);
            let after = carry_out(&rules, &planned, &stay);
            let mut wanted: BTreeSet<Ipv4Addr> = stay.union(&new).copied().collect();
            wanted.retain(|address| !planned.left_out.contains(address));
            let let_in = addresses(&after);
            prop_assert!(wanted.is_subset(&let_in), "{:?} of {:?}", wanted, let_in);
            wanted.extend(&planned.kept);
            prop_assert_eq!(let_in, wanted);
            prop_assert!(planned.kept.is_empty() || rules.others + after.len() == rules.max, "kept without need");
        }
    }
}

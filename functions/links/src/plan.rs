//! Decides what is to be done about a link, from what was asked for and what AWS has. Pure: plain values in, plain values out.
//!
//! The new link is there before routes are led to it, and the old one goes when nothing that is published uses it. What
//! Foregate did not make it never deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use shared::front_door::links::{Held, Link, Status};

/// A Network Load Balancer that fits what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// Its DNS name.
    pub dns_name: String,
    /// `active`, `provisioning`, …
    pub state: String,
    /// When it was made, in seconds since the epoch.
    pub made_at_seconds: i64,
}

/// A VPC link that the account has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its id.
    pub id: String,
    /// `AVAILABLE`, `PENDING`, `DELETING` or `FAILED`.
    pub status: String,
    /// What API Gateway says about that.
    pub message: String,
    /// The load balancer that it leads to.
    pub target: String,
    /// Whether Foregate made it.
    pub is_ours: bool,
}

/// All that a decision rests on.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The link as it stands in the registry.
    pub link: &'a Link,
    /// The load balancers that fit.
    pub balancers: &'a [Balancer],
    /// The account's links.
    pub present: &'a [Present],
    /// The links that something else needs, and what: what is published, or another record.
    pub used: &'a BTreeMap<String, String>,
    /// The load balancer that is to be deleted, and waits for its link to go.
    pub departing: Option<&'a str>,
}

/// What is to be done, and how the link stands then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// A link is to be made to this load balancer.
    pub create: Option<String>,
    /// These links are to be deleted.
    pub delete: BTreeSet<String>,
    /// How it stands: the record as it is to be written.
    pub status: Option<Status>,
    /// Why, where that needs a word.
    pub reason: String,
    /// What routes are led through from now on.
    pub current: Option<Held>,
    /// What is to take its place as soon as it is AVAILABLE.
    pub next: Option<String>,
    /// What is still to be deleted, now or later.
    pub retiring: BTreeSet<String>,
    /// Whether to look again soon: something is on its way.
    pub is_unsettled: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(arn) = &self.create {
            writeln!(out, "+ a VPC link to {arn}")?;
        }
        if let Some(next) = &self.next {
            writeln!(out, ". {next} is to take over when it is AVAILABLE")?;
        }
        for id in &self.delete {
            writeln!(out, "- {id}")?;
        }
        for id in self.retiring.difference(&self.delete) {
            writeln!(out, ". {id} goes when nothing uses it")?;
        }
        if let Some(current) = &self.current {
            writeln!(out, "= {} to {}", current.id, current.load_balancer_arn)?;
        }
        match (self.status, self.reason.is_empty()) {
            (Some(status), true) => writeln!(out, "{}", status.as_str()),
            (Some(status), false) => writeln!(out, "{}: {}", status.as_str(), self.reason),
            (None, _) => Ok(()),
        }
    }
}

/// Decides.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let link = observed.link;
    let mut plan = Plan { current: link.current.clone(), retiring: link.retiring.clone(), ..Plan::default() };
    match link.deleted {
        true => retire_all(observed, &mut plan),
        false => lead(observed, &mut plan),
    }
    retire(observed, &mut plan);
    if link.deleted {
        let status = if plan.retiring.is_empty() { Status::Deleted } else { Status::Deleting };
        plan.status = Some(status);
        plan.is_unsettled = status == Status::Deleting;
    }
    plan
}

fn retire_all(observed: &Observed<'_>, plan: &mut Plan) {
    let ours = |id: &String| observed.present.iter().any(|one| one.id == *id && one.is_ours);
    let held = plan.current.take().map(|held| held.id).into_iter().chain(observed.link.next.clone());
    plan.retiring.extend(held.filter(ours));
}

/// Leads the name to the load balancer that fits now.
fn lead(observed: &Observed<'_>, plan: &mut Plan) {
    let is_departing = |held: &Held| Some(held.load_balancer_arn.as_str()) == observed.departing;
    let Some(balancer) = fitting(observed) else {
        plan.is_unsettled = true;
        if let Some(held) = plan.current.take_if(|held| is_departing(held)) {
            plan.retiring.insert(held.id);
            let reason =
                format!("the load balancer {} is to be deleted, which needs its link to go", held.load_balancer_arn);
            return settle(plan, Status::Waiting, reason);
        }
        let kept = if plan.current.is_some() { "; its link is kept meanwhile" } else { "" };
        return settle(
            plan,
            Status::Waiting,
            format!("there is no Network Load Balancer that is {}{kept}", observed.link.selector),
        );
    };
    if balancer.state != "active" && balancer.state != "active_impaired" {
        plan.is_unsettled = true;
        return settle(plan, Status::Waiting, format!("the load balancer {} is {}", balancer.arn, balancer.state));
    }
    let mut to_it: Vec<&Present> = observed.present.iter().filter(|one| one.target == balancer.arn).collect();
    let held = |one: &Present| plan.current.as_ref().is_some_and(|held| held.id == one.id);
    let is_next = |one: &Present| observed.link.next.as_ref() == Some(&one.id);
    to_it.sort_by_key(|one| (one.status != "AVAILABLE", !held(one), !is_next(one), !one.is_ours, one.id.clone()));
    match to_it.iter().find(|one| matches!(one.status.as_str(), "AVAILABLE" | "PENDING")) {
        Some(one) if one.status == "AVAILABLE" => {
            let held = Held {
                id: one.id.clone(),
                load_balancer_arn: balancer.arn.clone(),
                dns_name: balancer.dns_name.clone(),
            };
            if let Some(before) = plan.current.replace(held).filter(|before| before.id != one.id) {
                plan.retiring.insert(before.id);
            }
            settle(plan, Status::Available, String::new());
        }
        Some(one) => {
            plan.next = Some(one.id.clone());
            plan.is_unsettled = true;
            settle(plan, Status::Pending, format!("{} is being made, which takes minutes", one.id));
        }
        None => match to_it.iter().find(|one| one.status == "FAILED" && is_next(one)) {
            Some(failed) => {
                plan.next = Some(failed.id.clone());
                settle(plan, Status::Failed, format!("API Gateway failed to make {}: {}", failed.id, failed.message));
            }
            None => {
                // A failed one that was asked for anew is in the way of nothing but the quota.
                plan.retiring.extend(to_it.iter().filter(|one| one.is_ours).map(|one| one.id.clone()));
                plan.create = Some(balancer.arn.clone());
                plan.is_unsettled = true;
                settle(plan, Status::Pending, "the link is being made, which takes minutes".into());
            }
        },
    }
}

/// The newest: when a Kubernetes Service is made anew, its old load balancer is there for a while.
fn fitting<'a>(observed: &Observed<'a>) -> Option<&'a Balancer> {
    let current = observed.link.current.as_ref().map(|held| held.load_balancer_arn.as_str());
    let staying = observed.balancers.iter().filter(|one| Some(one.arn.as_str()) != observed.departing);
    staying.max_by_key(|one| (one.made_at_seconds, Some(one.arn.as_str()) == current, &one.arn))
}

fn settle(plan: &mut Plan, status: Status, reason: String) {
    (plan.status, plan.reason) = (Some(status), reason);
}

/// What has been replaced goes once nothing uses it. What is gone, or never was ours, is forgotten.
fn retire(observed: &Observed<'_>, plan: &mut Plan) {
    let current = plan.current.as_ref().map(|held| held.id.clone());
    plan.retiring.retain(|id| {
        let one = observed.present.iter().find(|one| one.id == *id);
        one.is_some_and(|one| one.is_ours) && current.as_ref() != Some(id)
    });
    for id in &plan.retiring {
        let is_deleting = observed.present.iter().any(|one| one.id == *id && one.status == "DELETING");
        match observed.used.get(id) {
            Some(user) if plan.reason.is_empty() => {
                plan.reason = format!("{id} goes when {user} does not use it any more")
            }
            Some(_) => {}
            None if is_deleting => {}
            None => drop(plan.delete.insert(id.clone())),
        }
    }
    plan.is_unsettled |= !plan.retiring.is_empty();
}

#[cfg(test)]
mod tests {
    use shared::front_door::links::Selector;
    use shared::origin::{Origin, Requests};

    use super::*;

    fn link(current: Option<&str>, next: Option<&str>, retiring: &[&str]) -> Link {
        Link {
            name: "gate".parse().unwrap(),
            origin: Origin::Command { name: "gate".into() },
            selector: Selector::Name("gate".into()),
            status: Status::Pending,
            reason: String::new(),
            current: current.map(|text| {
                let (id, arn) = text.split_once(" to ").unwrap();
                Held { id: id.into(), load_balancer_arn: arn.into(), dns_name: format!("{arn}.example") }
            }),
            next: next.map(str::to_owned),
            retiring: retiring.iter().map(|id| (*id).to_owned()).collect(),
            departure: None,
            recheck: None,
            requests: Requests::default(),
            deleted: false,
        }
    }

    /// `new active`, oldest first.
    fn balancers(all: &[&str]) -> Vec<Balancer> {
        let balancer = |(n, text): (usize, &&str)| {
            let (arn, state) = text.split_once(' ').unwrap();
            Balancer {
                arn: arn.into(),
                dns_name: format!("{arn}.example"),
                state: state.into(),
                made_at_seconds: i64::try_from(n).unwrap(),
            }
        };
        all.iter().enumerate().map(balancer).collect()
    }

    /// `l1 AVAILABLE to old`, with `theirs` behind it where Foregate did not make it.
    fn present(all: &[&str]) -> Vec<Present> {
        let one = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            Present {
                id: words[0].into(),
                status: words[1].into(),
                message: "no capacity".into(),
                target: words[3].into(),
                is_ours: words.get(4).is_none(),
            }
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn plans_are_what_the_rules_say() {
        let gate = "there is no Network Load Balancer that is the load balancer gate";
        for (name, link, of, there, used, expected) in [
            ("nothing yet", link(None, None, &[]), &[][..], &[][..], "", format!("WAITING: {gate}\n")),
            (
                "a load balancer that is being made",
                link(None, None, &[]),
                &["new provisioning"],
                &[],
                "",
                "WAITING: the load balancer new is provisioning\n".into(),
            ),
            (
                "a load balancer without a link",
                link(None, None, &[]),
                &["new active"],
                &[],
                "",
                "+ a VPC link to new\nPENDING: the link is being made, which takes minutes\n".into(),
            ),
            (
                "a link on its way",
                link(None, Some("l1"), &[]),
                &["new active"],
                &["l1 PENDING to new"],
                "",
                ". l1 is to take over when it is AVAILABLE\nPENDING: l1 is being made, which takes minutes\n".into(),
            ),
            (
                "a link that is there",
                link(None, Some("l1"), &[]),
                &["new active"],
                &["l1 AVAILABLE to new"],
                "",
                "= l1 to new\nAVAILABLE\n".into(),
            ),
            (
                "somebody else's link to the same load balancer is taken",
                link(None, None, &[]),
                &["new active"],
                &["x AVAILABLE to new theirs", "y AVAILABLE to other"],
                "",
                "= x to new\nAVAILABLE\n".into(),
            ),
            (
                "a link that failed",
                link(None, Some("l1"), &[]),
                &["new active"],
                &["l1 FAILED to new"],
                "",
                ". l1 is to take over when it is AVAILABLE\nFAILED: API Gateway failed to make l1: no capacity\n".into(),
            ),
            (
                "one that failed, asked for anew",
                link(None, None, &[]),
                &["new active"],
                &["l1 FAILED to new"],
                "",
                "+ a VPC link to new\n- l1\nPENDING: the link is being made, which takes minutes\n".into(),
            ),
            (
                "the load balancer was replaced: the old link stays until the new one is there",
                link(Some("l1 to old"), None, &[]),
                &["old active", "new active"],
                &["l1 AVAILABLE to old"],
                "l1",
                "+ a VPC link to new\n= l1 to old\nPENDING: the link is being made, which takes minutes\n".into(),
            ),
            (
                "the new one is there, and the old one still in use",
                link(Some("l1 to old"), Some("l2"), &[]),
                &["new active"],
                &["l1 AVAILABLE to old", "l2 AVAILABLE to new"],
                "l1",
                ". l1 goes when nothing uses it\n= l2 to new\nAVAILABLE: l1 goes when default does not use it any more\n".into(),
            ),
            (
                "nothing uses the old one",
                link(Some("l2 to new"), None, &["l1"]),
                &["new active"],
                &["l1 AVAILABLE to old", "l2 AVAILABLE to new"],
                "",
                "- l1\n= l2 to new\nAVAILABLE\n".into(),
            ),
            (
                "the old one is going",
                link(Some("l2 to new"), None, &["l1"]),
                &["new active"],
                &["l1 DELETING to old", "l2 AVAILABLE to new"],
                "",
                ". l1 goes when nothing uses it\n= l2 to new\nAVAILABLE\n".into(),
            ),
            (
                "the old one is gone",
                link(Some("l2 to new"), None, &["l1"]),
                &["new active"],
                &["l2 AVAILABLE to new"],
                "",
                "= l2 to new\nAVAILABLE\n".into(),
            ),
            (
                "the load balancer is gone and no other there: the link stays",
                link(Some("l1 to old"), None, &[]),
                &[],
                &["l1 AVAILABLE to old"],
                "l1",
                format!("= l1 to old\nWAITING: {gate}; its link is kept meanwhile\n"),
            ),
            (
                "what Foregate did not make is not deleted",
                link(Some("x to old"), Some("l2"), &[]),
                &["new active"],
                &["x AVAILABLE to old theirs", "l2 AVAILABLE to new"],
                "",
                "= l2 to new\nAVAILABLE\n".into(),
            ),
        ] {
            let used = BTreeMap::from([(used.to_owned(), "default".to_owned())]);
            let (balancers, present) = (balancers(of), present(there));
            let observed = Observed { link: &link, balancers: &balancers, present: &present, used: &used, departing: None };
            assert_eq!(plan(&observed).to_string(), expected, "{name}");
        }
    }

    #[test]
    fn a_load_balancer_that_is_to_be_deleted_is_let_go_of_and_another_is_taken_up() {
        let gone = "WAITING: the load balancer old is to be deleted, which needs its link to go\n";
        for (of, there, used, expected) in [
            (
                &["old active"][..],
                &["l1 AVAILABLE to old"][..],
                "l1",
                format!(". l1 goes when nothing uses it\n{gone}"),
            ),
            (&["old active"], &["l1 AVAILABLE to old"], "", format!("- l1\n{gone}")),
            (
                &["old active", "new active"],
                &["l1 AVAILABLE to old", "l2 AVAILABLE to new"],
                "",
                "- l1\n= l2 to new\nAVAILABLE\n".into(),
            ),
        ] {
            let link = link(Some("l1 to old"), None, &[]);
            let used = BTreeMap::from([(used.to_owned(), "default".to_owned())]);
            let (balancers, present) = (balancers(of), present(there));
            let departing = Some("old");
            let observed = Observed { link: &link, balancers: &balancers, present: &present, used: &used, departing };
            assert_eq!(plan(&observed).to_string(), expected, "{of:?}");
        }
    }

    #[test]
    fn a_deleted_link_goes_with_all_that_foregate_made_for_it() {
        for (there, used, expected) in [
            (&["l1 AVAILABLE to old", "l2 PENDING to new"][..], "", "- l1\n- l2\nDELETING\n"),
            (
                &["l1 AVAILABLE to old"],
                "l1",
                ". l1 goes when nothing uses it\nDELETING: l1 goes when default does not use it any more\n",
            ),
            (&["l1 DELETING to old"], "", ". l1 goes when nothing uses it\nDELETING\n"),
            (&["l1 AVAILABLE to old theirs"], "", "DELETED\n"),
            (&[], "", "DELETED\n"),
        ] {
            let link = Link { deleted: true, ..link(Some("l1 to old"), Some("l2"), &[]) };
            let (used, present) = (BTreeMap::from([(used.to_owned(), "default".to_owned())]), present(there));
            let observed = Observed { link: &link, balancers: &[], present: &present, used: &used, departing: None };
            assert_eq!(plan(&observed).to_string(), expected, "{there:?}");
        }
    }
}

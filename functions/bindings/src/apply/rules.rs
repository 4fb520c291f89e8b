//! The inbound rules of a security group.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use shared::aws::SecurityGroups;

use super::Applied;
use crate::entry::Entry;
use crate::observe::OWN_TAG;
use crate::plan::Plan;
use crate::plan::rules::{Layout, Rules, Step, addresses, layout};
use crate::spec::{SecurityGroupSink, Source};

/// What a rule of ours is known by: by the function, and by people.
#[derive(Clone, Copy)]
pub(super) struct Marks<'a> {
    pub(super) prefix: &'a str,
    pub(super) description: &'a str,
}

/// A rule's description, of the characters that EC2 takes.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html>
pub(super) fn description(source: &Source) -> String {
    let is_fit = |c: &char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(*c);
    format!("Foregate: {source}").chars().filter(is_fit).take(DESCRIPTION_CHARS_MAX).collect()
}

const DESCRIPTION_CHARS_MAX: usize = 255;

pub(super) async fn apply<S: SecurityGroups>(
    groups: &S,
    sink: &SecurityGroupSink,
    plan: &Plan,
    rules: &Rules,
    marks: Marks<'_>,
) -> Applied {
    let on_ports = |entries: &BTreeSet<Entry>| -> BTreeSet<Ipv4Addr> {
        let address = |entry: &Entry| match entry {
            Entry::Grant(address, ports) if *ports == sink.ports => Some(*address),
            Entry::Grant(..) | Entry::Target(_) => None,
        };
        entries.iter().filter_map(address).collect()
    };
    let (new, gone) = (on_ports(&plan.register), on_ports(&plan.deregister));
    let stay = addresses(rules.own.keys()).difference(&gone).copied().collect();
    let planned = layout(rules, &stay, &new);
    if !planned.steps.is_empty() {
        tracing::info!(group = %sink.id, ports = %sink.ports, steps = ?planned.steps, "planned rules");
    }

    let mut applied = Applied::default();
    let present = carry_out(groups, sink, rules, &planned, marks, &mut applied).await;
    let let_in = |address: &Ipv4Addr| present.iter().any(|range| range.contains(address));
    let entry = |address: Ipv4Addr| Entry::Grant(address, sink.ports);
    let foreign = |address: &Ipv4Addr| rules.foreign.contains(&Ipv4Net::from(*address));
    applied.registered = new.iter().filter(|one| let_in(one) || foreign(one)).copied().map(entry).collect();
    applied.deregistered = gone.iter().filter(|address| !let_in(address)).copied().map(entry).collect();
    if !planned.left_out.is_empty() || !planned.kept.is_empty() {
        let why = no_room(sink, rules, &planned);
        applied.refused = planned.left_out.iter().map(|address| (entry(*address), why.clone())).collect();
        applied.no_room = Some(why);
    }
    applied
}

/// Answers the ranges of our own rules that are there afterwards. The first call that fails is the last: the steps rest
/// on each other, and the next look goes on from wherever this one got to.
async fn carry_out<S: SecurityGroups>(
    groups: &S,
    sink: &SecurityGroupSink,
    rules: &Rules,
    planned: &Layout,
    marks: Marks<'_>,
    applied: &mut Applied,
) -> BTreeSet<Ipv4Net> {
    let mut present: BTreeSet<Ipv4Net> = rules.own.keys().copied().collect();
    for step in &planned.steps {
        let done = match step {
            Step::Authorize(ranges) => {
                groups.authorize(&sink.id, sink.ports, ranges, marks.description, (OWN_TAG, marks.prefix)).await
            }
            Step::Revoke(ranges) => {
                // A rule that this run has made, and revokes again, does not occur: every range is touched once.
                let ids: Vec<String> = ranges.iter().filter_map(|range| rules.own.get(range).cloned()).collect();
                groups.revoke(&sink.id, &ids).await
            }
        };
        match (done, step) {
            (Ok(()), Step::Authorize(ranges)) => present.extend(ranges),
            (Ok(()), Step::Revoke(ranges)) => present.retain(|range| !ranges.contains(range)),
            (Err(error), _) => {
                applied.failures.push(error);
                break;
            }
        }
    }
    present
}

fn no_room(sink: &SecurityGroupSink, rules: &Rules, planned: &Layout) -> String {
    format!(
        "{} has room for {} rules beside {} of others, of {}: these addresses would need {} even as ranges, so that {} are \
         left out and {} can't be locked out yet. Raise the quota 'Inbound or outbound rules per security group' (L-0EA8095F) and the parameter \
         RulesPerSecurityGroup with it, or remove other rules",
        sink.id,
        rules.max.saturating_sub(rules.others),
        rules.others,
        rules.max,
        planned.needed,
        planned.left_out.len(),
        planned.kept.len(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::BindingSpec;

    #[test]
    fn a_rule_says_where_its_address_comes_from_in_characters_that_ec2_takes() {
        for (source, expected) in [
            (json!({"Nodes": {"Tags": {"rôle \"web\"": "*"}}}), "Foregate: nodes of rle web"),
            (json!({"Dns": {"HostName": "db.example.com"}}), "Foregate: name db.example.com"),
        ] {
            let sink =
                json!({"SecurityGroup": {"GroupId": "sg-1a2b3c4d", "Protocol": "tcp", "FromPort": 1, "ToPort": 1}});
            let spec = BindingSpec::parse(json!({"Source": source, "Sink": sink})).unwrap();
            assert_eq!(description(&spec.source), expected);
        }
    }
}

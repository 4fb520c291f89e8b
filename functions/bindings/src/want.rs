//! From what a source has to what the sink should have. Pure.

use std::collections::{BTreeMap, BTreeSet};

use shared::types::{InstanceId, TargetId};

use crate::entry::Entry;
use crate::nodes::Standing;
use crate::observe::{Member, SourceView};
use crate::record::{Binding, Claim, Takes};
use crate::spec::Sink;

/// What a sink should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Its entries, each with the node that it is of, if it is a node's address.
    pub desired: BTreeMap<Entry, Option<InstanceId>>,
    /// What AWS takes, or has taken.
    pub taken: BTreeSet<Entry>,
    /// Which of the desired ones are addresses outside the target group's VPC.
    pub outside: BTreeSet<Entry>,
}

/// What the binding's sink should have, `mine` being what the binding has in it by its ledger.
pub fn want(binding: &Binding, source: &SourceView, mine: &BTreeMap<Entry, Claim>) -> Want {
    let mut want = Want::default();
    let mut taken_nodes = BTreeSet::new();
    for member in &source.members {
        if let (Standing::Taken, Some(node)) = (member.standing, &member.node) {
            taken_nodes.insert(node);
        }
        let Some(entry) = entry_of(binding, member) else { continue };
        match member.standing {
            Standing::NotYet if !mine.contains_key(&entry) => {}
            Standing::Wanted | Standing::NotYet => {
                if !member.is_inside {
                    want.outside.insert(entry.clone());
                }
                let node = member.node.clone().filter(|_| binding.sink.takes != Takes::Instances);
                want.desired.insert(entry, node);
            }
            Standing::Taken => {
                want.taken.insert(entry);
            }
            Standing::Unwanted => {}
        }
    }
    // EC2 forgets the address of an instance that is gone; the claim has not.
    let of_taken = mine.iter().filter(|(_, claim)| claim.node.as_ref().is_some_and(|node| taken_nodes.contains(node)));
    want.taken.extend(of_taken.map(|(entry, _)| entry.clone()));
    // An address can be another node's by now.
    want.taken.retain(|entry| !want.desired.contains_key(entry));
    want
}

fn entry_of(binding: &Binding, member: &Member) -> Option<Entry> {
    match (&binding.spec.sink, binding.sink.takes) {
        (Sink::SecurityGroup(sink), _) => match member.address? {
            std::net::IpAddr::V4(address) => Some(Entry::Grant(address, sink.ports)),
            std::net::IpAddr::V6(_) => None,
        },
        (Sink::TargetGroup(_), Takes::Instances) => {
            Some(Entry::Target(TargetId { id: member.node.as_ref()?.to_string(), port: binding.sink.port? }))
        }
        (Sink::TargetGroup(_), Takes::Ipv4 | Takes::Ipv6) => {
            Some(Entry::Target(TargetId::ip(member.address?, binding.sink.port?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Answer;
    use crate::record::{Moment, SinkFacts, Status};
    use crate::spec::BindingSpec;
    use shared::origin::{Origin, Requests};

    fn binding(takes: Takes) -> Binding {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef";
        let spec = serde_json::json!({
            "Source": {"Nodes": {"ClusterName": "pets"}},
            "Sink": {"TargetGroup": {"TargetGroupArn": arn}},
        });
        Binding {
            id: "binding-1".into(),
            origin: Origin::Command { name: "pets".into() },
            spec: BindingSpec::parse(spec).unwrap(),
            sink: SinkFacts { takes, port: 8084.try_into().ok(), vpc_id: "vpc-1".into() },
            status: Status::Pending,
            reason: String::new(),
            addresses: Vec::new(),
            misses: BTreeMap::new(),
            interfaces: BTreeSet::new(),
            requests: Requests::default(),
        }
    }

    fn member(n: u8, address: bool, standing: Standing) -> Member {
        Member {
            address: address.then(|| format!("10.0.0.{n}").parse().unwrap()),
            node: format!("i-0000000{n}").parse().ok(),
            is_inside: true,
            standing,
        }
    }

    fn entries(want: &BTreeSet<Entry>) -> Vec<String> {
        want.iter().map(ToString::to_string).collect()
    }

    fn desired(want: &Want) -> Vec<String> {
        want.desired.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn nodes_become_instances_or_addresses_as_the_sink_takes_them() {
        let members = vec![
            member(1, true, Standing::Wanted),
            member(2, true, Standing::NotYet),
            member(3, true, Standing::Unwanted),
            member(4, true, Standing::Taken),
        ];
        let view = SourceView { members, ..SourceView::nothing(Answer::Complete) };
        let instances = want(&binding(Takes::Instances), &view, &BTreeMap::new());
        assert_eq!(
            (desired(&instances), entries(&instances.taken)),
            (vec!["i-00000001:8084".into()], vec!["i-00000004:8084".into()])
        );
        let addresses = want(&binding(Takes::Ipv4), &view, &BTreeMap::new());
        assert_eq!(desired(&addresses), ["10.0.0.1:8084"]);
        assert_eq!(addresses.desired.values().next().unwrap().as_ref().unwrap().as_str(), "i-00000001");
    }

    #[test]
    fn a_terminated_nodes_address_is_known_by_its_claim_unless_it_is_anothers_by_now() {
        let claim = |n: u8| Claim {
            since: Moment { round: 1, seconds: 1 },
            unwanted_since: None,
            replaced_one: false,
            node: format!("i-0000000{n}").parse().ok(),
        };
        let entry = |n: u8| format!("10.0.0.{n}:8084").parse::<Entry>().unwrap();
        let mine = BTreeMap::from([(entry(1), claim(1)), (entry(2), claim(2)), (entry(3), claim(3))]);
        let reborn = Member { address: "10.0.0.2".parse().ok(), ..member(9, false, Standing::Wanted) };
        let members = vec![member(1, false, Standing::Taken), member(2, false, Standing::Taken), reborn];
        let view = SourceView { members, ..SourceView::nothing(Answer::Complete) };
        let want = want(&binding(Takes::Ipv4), &view, &mine);
        assert_eq!(entries(&want.taken), ["10.0.0.1:8084"]);
        assert_eq!(desired(&want), ["10.0.0.2:8084"]);
    }
}

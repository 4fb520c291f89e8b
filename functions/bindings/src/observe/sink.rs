//! What a target group or a security group has.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use shared::aws::{Cause, InboundRule, SecurityGroups, TargetGroups, TargetType};
use shared::error::Error;
use shared::types::{AccountId, Health, PortRange};

use crate::entry::Entry;
use crate::plan::rules::{Rules, addresses};
use crate::record::{Ledger, SinkFacts, Takes};
use crate::spec::{BindingSpec, SecurityGroupSink, Sink, SourceKind, TargetGroupSink};
use crate::world::World;

/// The tag that says that a security group's rule is Foregate's own; its value is the prefix of whose.
pub const OWN_TAG: &str = "foregate";

/// Ranges wider than this are taken for nobody's list of addresses: 4,096 are more than the largest cluster has.
const PREFIX_LENGTH_MIN: u8 = 20;

/// What a sink has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SinkView {
    /// Its entries, each with its health. What a security group lets in is healthy: it takes effect at once.
    pub entries: BTreeMap<Entry, Health>,
    rules: Vec<InboundRule>,
}

/// What the sink has now; `None` when it is gone.
pub async fn sink<W: World>(world: &W, sink: &Sink) -> Result<Option<SinkView>, Error> {
    match sink {
        Sink::TargetGroup(group) => match world.elb().targets(&group.arn).await {
            Ok(targets) => {
                let entries = targets.into_iter().map(|target| (Entry::Target(target.id), target.health)).collect();
                Ok(Some(SinkView { entries, rules: Vec::new() }))
            }
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        },
        Sink::SecurityGroup(group) => {
            let rules = world.ec2().inbound_rules(&group.id).await?;
            // A group that is gone answers as one without rules.
            if rules.is_empty() && world.ec2().security_group_owner(&group.id).await?.is_none() {
                return Ok(None);
            }
            Ok(Some(SinkView::of_rules(rules, world.prefix())))
        }
    }
}

fn is_own(rule: &InboundRule, prefix: &str) -> bool {
    rule.tags.get(OWN_TAG).is_some_and(|owner| owner == prefix)
}

impl SinkView {
    /// An address is let in by a rule of ours, whatever its range, or by somebody's rule for it alone. A wider one of
    /// somebody else's may go any time, and says nothing of the address.
    fn of_rules(rules: Vec<InboundRule>, prefix: &str) -> Self {
        let is_list = |rule: &&InboundRule| {
            let length = rule.cidr.map_or(0, |range| range.prefix_len());
            length == 32 || (is_own(rule, prefix) && length >= PREFIX_LENGTH_MIN)
        };
        let grants = rules.iter().filter(is_list).filter_map(|rule| Some((rule.ports?, rule.cidr?)));
        let entries = grants.flat_map(|(ports, range)| {
            addresses([&range]).into_iter().map(move |address| (Entry::Grant(address, ports), Health::Healthy))
        });
        Self { entries: entries.collect(), rules }
    }

    /// The security group's rules on some ports. Ours is what has our tag and only lets in addresses that the ledger has
    /// a claim on: a tag alone can be copied.
    pub fn rules(&self, ports: PortRange, ledger: &Ledger, prefix: &str, max: usize) -> Rules {
        let is_claimed = |range: &Ipv4Net| {
            range.prefix_len() >= PREFIX_LENGTH_MIN
                && addresses([range]).into_iter().all(|one| ledger.claims.contains_key(&Entry::Grant(one, ports)))
        };
        let own = |rule: &&InboundRule| {
            rule.ports == Some(ports) && is_own(rule, prefix) && rule.cidr.as_ref().is_some_and(is_claimed)
        };
        let owned: BTreeMap<Ipv4Net, String> =
            self.rules.iter().filter(own).filter_map(|rule| Some((rule.cidr?, rule.id.clone()))).collect();
        let on_ports: BTreeSet<Ipv4Net> =
            self.rules.iter().filter(|rule| rule.ports == Some(ports)).filter_map(|rule| rule.cidr).collect();
        let counted = self.rules.iter().filter(|rule| rule.is_counted).count();
        Rules {
            foreign: on_ports.into_iter().filter(|range| !owned.contains_key(range)).collect(),
            others: counted - owned.len(),
            own: owned,
            max,
        }
    }
}

/// What can't change about the sink, and whether it takes what the source has; asked when a binding is made.
pub async fn sink_facts<W: World>(world: &W, account: &AccountId, spec: &BindingSpec) -> Result<SinkFacts, Error> {
    match &spec.sink {
        Sink::TargetGroup(sink) => target_group_facts(world.elb(), account, sink, spec.source.kind()).await,
        Sink::SecurityGroup(sink) => security_group_facts(world.ec2(), account, sink).await,
    }
}

async fn security_group_facts<S: SecurityGroups>(
    groups: &S,
    account: &AccountId,
    sink: &SecurityGroupSink,
) -> Result<SinkFacts, Error> {
    let id = &sink.id;
    match groups.security_group_owner(id).await? {
        None => Err(Error::not_found(format!("Sink.SecurityGroup: {id} does not exist in this account and region"))),
        // A VPC that is shared shows other accounts' groups.
        Some(owner) if owner != account.as_str() => Err(foreign("SecurityGroup", id.as_str(), &owner, account)),
        Some(_) => Ok(SinkFacts { takes: Takes::Ipv4, port: None, vpc_id: String::new() }),
    }
}

fn foreign(field: &str, id: &str, owner: &str, account: &AccountId) -> Error {
    Error::invalid(format!(
        "Sink.{field}: {id} belongs to account {owner}; Foregate keeps the sinks of its own account, {account}"
    ))
}

async fn target_group_facts<G: TargetGroups>(
    groups: &G,
    account: &AccountId,
    sink: &TargetGroupSink,
    source: SourceKind,
) -> Result<SinkFacts, Error> {
    let arn = &sink.arn;
    let (owner, _) = arn.account_and_region();
    if owner != account.as_str() {
        return Err(foreign("TargetGroup", arn.as_str(), owner, account));
    }
    let Some(group) = groups.target_group(arn).await? else {
        return Err(Error::not_found(format!("Sink.TargetGroup: {arn} does not exist in this account and region")));
    };
    let takes = match (group.target_type, source) {
        (TargetType::Ip, _) if group.is_ipv6 => Takes::Ipv6,
        (TargetType::Ip, _) => Takes::Ipv4,
        (TargetType::Instance, SourceKind::Nodes) => Takes::Instances,
        (TargetType::Instance, kind) => {
            return Err(Error::invalid(format!(
                "Sink.TargetGroup: {arn} does not take IP addresses, which are all that Source.{} has: use a target group \
                 of target type ip",
                kind.as_str()
            )));
        }
        (TargetType::Other, _) => {
            return Err(Error::invalid(format!(
                "Sink.TargetGroup: {arn} takes neither IP addresses nor instances: use a target group of target type ip \
                 or instance"
            )));
        }
    };
    if takes == Takes::Instances && sink.zone.is_some() {
        return Err(Error::invalid("Sink.TargetGroup.AvailabilityZone: instances are registered without a zone"));
    }
    let port = sink.port.or(group.port).ok_or_else(|| {
        Error::invalid(format!(
            "Sink.TargetGroup.Port is missing: {arn} has no port of its own, give for example Port: 443"
        ))
    })?;
    // An endpoint's interface answers to the address that the load balancer has, not to the client's.
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    if source == SourceKind::VpcEndpoint && groups.preserves_client_ip(arn).await? == Some(true) {
        return Err(Error::invalid(format!(
            "Sink.TargetGroup: {arn} preserves client IP addresses, with which traffic to a VPC endpoint is lost: set its \
             attribute preserve_client_ip.enabled to false"
        )));
    }
    Ok(SinkFacts { takes, port: Some(port), vpc_id: group.vpc_id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Claim, Moment};

    fn rule(cidr: &str, owner: Option<&str>) -> InboundRule {
        InboundRule {
            id: format!("sgr-{cidr}"),
            ports: "tcp:443".parse().ok(),
            cidr: cidr.parse().ok(),
            is_counted: true,
            tags: owner.map(|owner| (OWN_TAG.to_owned(), owner.to_owned())).into_iter().collect(),
        }
    }

    #[test]
    fn only_what_has_our_tag_and_a_claim_may_be_revoked() {
        let rules = vec![
            rule("10.0.0.1/32", Some("foregate")),
            rule("10.0.0.2/31", Some("foregate")),
            rule("10.0.0.4/32", Some("foregate")),
            rule("10.0.0.5/32", Some("another")),
            rule("10.0.0.6/32", None),
            rule("10.0.0.0/16", Some("foregate")),
        ];
        let view = SinkView::of_rules(rules, "foregate");
        let entries: Vec<String> = view.entries.keys().map(ToString::to_string).collect();
        let expected = [1, 2, 3, 4, 5, 6].map(|n| format!("10.0.0.{n} tcp:443"));
        assert_eq!(entries, expected);

        let mut ledger = Ledger::default();
        let since = Moment { round: 1, seconds: 1 };
        for n in [1, 2, 3, 5, 6] {
            let entry = format!("10.0.0.{n} tcp:443").parse().unwrap();
            let claim = Claim { since, unwanted_since: None, replaced_one: false, node: None };
            ledger.claim("binding-1", &entry, claim);
        }
        let found = view.rules("tcp:443".parse().unwrap(), &ledger, "foregate", 60);
        let own: Vec<String> = found.own.keys().map(ToString::to_string).collect();
        assert_eq!(own, ["10.0.0.1/32", "10.0.0.2/31"]);
        assert_eq!((found.others, found.foreign.len()), (4, 4));
    }
}

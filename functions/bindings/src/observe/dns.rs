//! The addresses of a host name. A name server may answer with a part of what it has, a different one each time, so that
//! what it has left out once is not gone: only an address that it leaves out [`MISSES_MAX`] times in a row is. An answer
//! that is empty, or none at all, changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use shared::aws::{Names, Network};
use shared::error::Error;
use shared::types::HostName;

use super::{Member, SourceView};
use crate::nodes::Standing;
use crate::plan::Answer;
use crate::record::{SinkFacts, Takes};

/// With a name server that shows half of its addresses each time, one in a thousand looks would drop one by mistake;
/// the target's health and the rules of `plan::safety` come on top.
pub const MISSES_MAX: u32 = 10;

pub(super) async fn observe<D: Names, N: Network>(
    names: &D,
    network: &N,
    host: &HostName,
    facts: &SinkFacts,
    known: &BTreeMap<Ipv4Addr, u32>,
) -> Result<SourceView, Error> {
    if facts.takes == Takes::Ipv6 {
        return Ok(SourceView::unusable(Error::invalid(format!(
            "Source.Dns: the A records of {host} are IPv4 addresses: use a target group of address type ipv4"
        ))));
    }
    let (misses, answer) = match names.addresses(host).await {
        Ok(found) if found.is_empty() && known.is_empty() => {
            let why = format!("Source.Dns: {host} has no A record that Foregate's name server knows");
            return Ok(SourceView::unusable(Error::not_found(why)));
        }
        Ok(found) if found.is_empty() => (known.clone(), Answer::Partial(format!("{host} has no A record now"))),
        Ok(found) => (count_misses(known, &found), Answer::Complete),
        Err(error) => (known.clone(), Answer::Partial(error.to_string())),
    };
    let subnets = match facts.vpc_id.is_empty() {
        true => Vec::new(),
        false => network.subnets(&facts.vpc_id).await?,
    };
    let member = |address: &Ipv4Addr| Member {
        address: Some(IpAddr::V4(*address)),
        node: None,
        is_inside: subnets.iter().any(|subnet| subnet.contains(address)),
        standing: Standing::Wanted,
    };
    let members = misses.keys().map(member).collect();
    Ok(SourceView { members, misses, ..SourceView::nothing(answer) })
}

/// The addresses that count, each with how often in a row it has been left out.
fn count_misses(known: &BTreeMap<Ipv4Addr, u32>, found: &BTreeSet<Ipv4Addr>) -> BTreeMap<Ipv4Addr, u32> {
    let missed = known.iter().map(|(address, misses)| (*address, misses + 1));
    let kept = missed.filter(|(_, misses)| *misses < MISSES_MAX);
    kept.chain(found.iter().map(|address| (*address, 0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dropped_when_it_was_left_out_often_enough_in_a_row() {
        let [a, b] = [1, 2].map(|n| Ipv4Addr::from(0x0a00_0000 + n));
        let mut known = count_misses(&BTreeMap::new(), &BTreeSet::from([a, b]));
        for misses in 1..MISSES_MAX {
            known = count_misses(&known, &BTreeSet::from([a]));
            assert_eq!(known, BTreeMap::from([(a, 0), (b, misses)]));
        }
        assert_eq!(count_misses(&known, &BTreeSet::from([a, b]))[&b], 0, "it came back in time");
        assert_eq!(count_misses(&known, &BTreeSet::from([a])), BTreeMap::from([(a, 0)]));
    }
}

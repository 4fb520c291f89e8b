//! What stands in a sink: a target of a target group, or an address that a security group lets in. The planner tells
//! entries apart and never looks inside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::types::{InstanceId, Malformed, PortRange, TargetId};

/// One thing that a sink has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// A target of a target group.
    Target(TargetId),
    /// An address that a security group lets in on some ports. However the group's rules cover it: one rule may cover
    /// several.
    Grant(Ipv4Addr, PortRange),
}

impl Entry {
    /// Whether the entry is the node's own id or address.
    pub fn is_of(&self, node: &InstanceId, address: Option<IpAddr>) -> bool {
        match self {
            Self::Target(target) => target.id == node.as_str() || address.is_some_and(|a| target.id == a.to_string()),
            Self::Grant(granted, _) => address == Some(IpAddr::V4(*granted)),
        }
    }

    /// The target, if it is one.
    pub fn target(&self) -> Option<&TargetId> {
        match self {
            Self::Target(target) => Some(target),
            Self::Grant(..) => None,
        }
    }
}

/// `10.0.0.1:443`, `i-0a1b2c3d4e5f67890:8084` or `10.0.0.1 tcp:443`.
impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => target.fmt(out),
            Self::Grant(address, ports) => write!(out, "{address} {ports}"),
        }
    }
}

impl FromStr for Entry {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        let Some((address, ports)) = given.split_once(' ') else {
            return given.parse().map(Self::Target);
        };
        let address = address.parse().map_err(|_| Malformed::new(given, "an address and ports: 10.0.0.1 tcp:443"))?;
        Ok(Self::Grant(address, ports.parse()?))
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_is_printed() {
        for text in
            ["10.0.1.10:443", "[fd00::1]:443", "i-0a1b2c3d4e5f67890:8084", "10.0.0.1 tcp:443", "10.0.0.1 udp:1-9"]
        {
            assert_eq!(text.parse::<Entry>().unwrap().to_string(), text);
        }
        for wrong in ["10.0.1.10", "10.0.0.1 tcp", "x tcp:443", ""] {
            assert!(wrong.parse::<Entry>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_entry_is_a_nodes_by_its_id_or_its_address() {
        let (node, address) = ("i-1a2b3c4d".parse().unwrap(), "10.0.0.1".parse().ok());
        for (entry, own) in
            [("i-1a2b3c4d:80", true), ("10.0.0.1:80", true), ("10.0.0.1 tcp:80", true), ("10.0.0.2:80", false)]
        {
            assert_eq!(entry.parse::<Entry>().unwrap().is_of(&node, address), own, "{entry}");
        }
        assert!(!"10.0.0.1:80".parse::<Entry>().unwrap().is_of(&node, None));
    }
}

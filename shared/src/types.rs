//! Words of AWS that are more than strings. Each parses once, at the door, and can't hold nonsense afterwards.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a string is not what its field asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not {wanted}")]
pub struct Malformed {
    /// What was given, cut to a length that fits an error message.
    pub given: String,
    /// What was wanted, with an example.
    pub wanted: Cow<'static, str>,
}

impl Malformed {
    /// `given` is not `wanted`.
    pub fn new(given: &str, wanted: impl Into<Cow<'static, str>>) -> Self {
        Self { given: given.chars().take(120).collect(), wanted: wanted.into() }
    }
}

/// A string newtype that is checked when it is parsed and reads back as the same string.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The string as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::Malformed;
            fn from_str(given: &str) -> Result<Self, $crate::types::Malformed> {
                let check: fn(&str) -> bool = $check;
                if check(given) { Ok(Self(given.to_owned())) } else { Err($crate::types::Malformed::new(given, $wanted)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::types::Malformed;
            fn try_from(given: String) -> Result<Self, $crate::types::Malformed> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_string;

/// `PREFIX-` and 8 or 17 hexadecimal digits, as EC2 makes its ids.
fn is_ec2_id(prefix: &str, given: &str) -> bool {
    given.strip_prefix(prefix).is_some_and(|rest| {
        matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

checked_string!(
    /// An AWS account: 12 digits.
    AccountId,
    "an AWS account id of 12 digits",
    |s| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit())
);

checked_string!(
    /// A REST API's id. It becomes part of a host's name.
    RestApiId,
    "a REST API's id such as a1b2c3d4e5",
    |s| (1..=32).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

checked_string!(
    /// A stage's name: letters, digits, `-` and `_`.
    StageName,
    "a stage's name of at most 128 letters, digits, dashes and underscores",
    |s| (1..=128).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
);

checked_string!(
    /// A region's name. It becomes part of a host's name.
    Region,
    "a region such as eu-west-1",
    |s| (5..=32).contains(&s.len())
        && s.contains('-')
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

/// What the names of AWS's hosts in a region end with.
fn domain_of(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Where a stage of a REST API is served, besides custom domain names.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html>
pub fn invoke_url(id: &RestApiId, region: &str, stage: &str) -> String {
    format!("https://{id}.execute-api.{region}.{}/{stage}", domain_of(region))
}

/// The partition that the ARNs of a region are in.
pub fn partition_of(region: &str) -> &'static str {
    match region.split_once('-') {
        Some(("cn", _)) => "aws-cn",
        Some(("us", rest)) if rest.starts_with("gov") => "aws-us-gov",
        Some(("eusc", _)) => "aws-eusc",
        _ => "aws",
    }
}

checked_string!(
    /// A VPC endpoint's id.
    VpcEndpointId,
    "a VPC endpoint id such as vpce-0a1b2c3d4e5f67890",
    |s| is_ec2_id("vpce-", s)
);

checked_string!(
    /// A network interface's id.
    InterfaceId,
    "a network interface id such as eni-0a1b2c3d4e5f67890",
    |s| is_ec2_id("eni-", s)
);

checked_string!(
    /// An EC2 instance's id.
    InstanceId,
    "an instance id such as i-0a1b2c3d4e5f67890",
    |s| is_ec2_id("i-", s)
);

checked_string!(
    /// A security group's id.
    SecurityGroupId,
    "a security group id such as sg-0a1b2c3d4e5f67890",
    |s| is_ec2_id("sg-", s)
);

checked_string!(
    /// A host name as DNS has it, without a trailing dot: at most 253 bytes, in labels of at most 63.
    HostName,
    "a host name such as db.example.com",
    |s| s.len() <= 253
        && s.parse::<IpAddr>().is_err()
        && s.contains('.')
        && s.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
);

checked_string!(
    /// The ARN of an Application, Network or Gateway Load Balancer.
    LoadBalancerArn,
    "a load balancer ARN such as arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/NAME/0123456789abcdef",
    |s| match Arn::parse(s) {
        Some(arn) => arn.service == "elasticloadbalancing"
            && arn.account.parse::<AccountId>().is_ok()
            && arn.resource.strip_prefix("loadbalancer/").is_some_and(|rest| {
                let parts: Vec<&str> = rest.split('/').collect();
                matches!(parts[..], ["net" | "app" | "gwy", name, id] if !name.is_empty() && !id.is_empty())
            }),
        None => false,
    }
);

impl LoadBalancerArn {
    /// The account that the load balancer is in.
    pub fn account(&self) -> &str {
        // Invariant: the string parsed as an ARN when it was made.
        Arn::parse(&self.0).map_or("", |arn| arn.account)
    }

    /// `net/NAME/ID`, as the descriptions of the load balancer's network interfaces have it.
    pub fn name_and_id(&self) -> &str {
        self.0.split_once(":loadbalancer/").map_or("", |(_, rest)| rest)
    }
}

checked_string!(
    /// A target group's ARN.
    TargetGroupArn,
    "a target group ARN such as arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/NAME/0123456789abcdef",
    |s| match Arn::parse(s) {
        Some(arn) => arn.service == "elasticloadbalancing"
            && arn.account.parse::<AccountId>().is_ok()
            && arn.resource.strip_prefix("targetgroup/").is_some_and(|rest| {
                matches!(rest.split_once('/'), Some((name, id)) if !name.is_empty() && !id.is_empty() && !id.contains('/'))
            }),
        None => false,
    }
);

impl TargetGroupArn {
    /// The account and region that the target group is in.
    pub fn account_and_region(&self) -> (&str, &str) {
        // Invariant: the string parsed as an ARN when it was made.
        let arn = Arn::parse(&self.0);
        arn.map_or(("", ""), |arn| (arn.account, arn.region))
    }
}

checked_string!(
    /// What RegisterTargets takes as `AvailabilityZone`: a zone's name or `all`.
    Zone,
    "an Availability Zone such as eu-west-1a, or 'all'",
    |s| s == "all"
        || (s.len() <= 32
            && s.contains('-')
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
);

/// A text that nobody may see but who it is for: it does not print, and is never written into the registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text for a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one who is to have it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// A TCP or UDP port, 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Port(u16);

impl Port {
    /// The number, as the SDK's models take it.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Port {
    type Error = Malformed;
    fn try_from(given: u32) -> Result<Self, Malformed> {
        match u16::try_from(given) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(Malformed::new(&given.to_string(), "a port from 1 to 65535")),
        }
    }
}

impl From<Port> for u32 {
    fn from(port: Port) -> u32 {
        u32::from(port.0)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The protocol of a security group's rule that names ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The name as EC2 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl FromStr for Protocol {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        match given {
            "tcp" | "6" => Ok(Self::Tcp),
            "udp" | "17" => Ok(Self::Udp),
            _ => Err(Malformed::new(given, "tcp or udp")),
        }
    }
}

/// What a security group's rule lets in: a protocol and a range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The protocol.
    pub protocol: Protocol,
    /// The first port.
    pub from: Port,
    /// The last port, not below the first.
    pub to: Port,
}

/// `tcp:443` or `tcp:30000-32767`.
impl fmt::Display for PortRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, from, to } = self;
        match from == to {
            true => write!(out, "{}:{from}", protocol.as_str()),
            false => write!(out, "{}:{from}-{to}", protocol.as_str()),
        }
    }
}

impl FromStr for PortRange {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(given, "a protocol and ports such as tcp:443 or tcp:30000-32767");
        let port = |text: &str| Port::try_from(text.parse::<u32>().map_err(|_| malformed())?);
        let (protocol, ports) = given.split_once(':').ok_or_else(malformed)?;
        let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
        let range = Self { protocol: protocol.parse()?, from: port(from)?, to: port(to)? };
        if range.from <= range.to { Ok(range) } else { Err(malformed()) }
    }
}

/// One target as a target group tells them apart: what is registered and on which port.
///
/// The zone is no part of the identity: the same address on the same port is one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// An IP address or an instance id, as the target group's type wants it.
    pub id: String,
    /// The port that traffic is sent to; DeregisterTargets without it does nothing to a target that was added with one.
    pub port: Port,
}

impl TargetId {
    /// The target for an address on a port.
    pub fn ip(address: IpAddr, port: Port) -> Self {
        Self { id: address.to_string(), port }
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id.contains(':') {
            true => write!(out, "[{}]:{}", self.id, self.port),
            false => write!(out, "{}:{}", self.id, self.port),
        }
    }
}

impl FromStr for TargetId {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(given, "a target such as 10.0.1.10:443");
        let (id, port) = given.rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse::<u32>().map_err(|_| malformed())?;
        let id = id.trim_start_matches('[').trim_end_matches(']');
        if id.is_empty() {
            return Err(malformed());
        }
        Ok(Self { id: id.to_owned(), port: Port::try_from(port).map_err(|_| malformed())? })
    }
}

impl Serialize for TargetId {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetId {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A target's state, as DescribeTargetHealth tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Registration or the first health checks are under way.
    Initial,
    /// It passes its health checks.
    Healthy,
    /// It fails its health checks.
    Unhealthy,
    /// It is registered, and nothing routes to the group, or to its zone.
    Unused,
    /// It was deregistered and finishes what it has.
    Draining,
    /// Health checks are switched off.
    Unavailable,
}

/// An ARN's parts, borrowed from it: `arn:partition:service:region:account:resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `elasticloadbalancing`, `lambda`, …
    pub service: &'a str,
    /// Empty for global services.
    pub region: &'a str,
    /// Empty where the service's ARNs name none.
    pub account: &'a str,
    /// All that follows the account, colons included.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts of `text`, or nothing if it isn't an ARN.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition) = (parts.next()?, parts.next()?);
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        let resource = parts.next()?;
        (arn == "arn" && partition.starts_with("aws") && !service.is_empty() && !resource.is_empty()).then_some(Self {
            service,
            region,
            account,
            resource,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_aws_parse_or_say_what_they_should_be() {
        assert!("vpce-0a1b2c3d4e5f67890".parse::<VpcEndpointId>().is_ok());
        assert!("vpce-1a2b3c4d".parse::<VpcEndpointId>().is_ok());
        for wrong in
            ["", "vpce-", "vpc-0a1b2c3d4e5f67890", "vpce-0A1b2c3d4e5f67890", "vpce-0a1b2c3d4e5f6789", "vpce-1a2b3c4d\n"]
        {
            let error = wrong.parse::<VpcEndpointId>().unwrap_err();
            assert_eq!(error.to_string(), format!("'{wrong}' is not a VPC endpoint id such as vpce-0a1b2c3d4e5f67890"));
        }
        let arn = "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/web/0123456789abcdef";
        let parsed = arn.parse::<TargetGroupArn>().unwrap();
        assert_eq!(parsed.account_and_region(), ("111122223333", "cn-north-1"));
        for wrong in [
            "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/web/0123456789abcdef",
            "arn:aws:elasticloadbalancing:eu-west-1:1111:targetgroup/web/0123456789abcdef",
            "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web",
            "targetgroup/web/0123456789abcdef",
        ] {
            assert!(wrong.parse::<TargetGroupArn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_balancers_interfaces_are_found_by_its_name_and_id() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/web/0123456789abcdef";
        let arn: LoadBalancerArn = arn.parse().unwrap();
        assert_eq!((arn.account(), arn.name_and_id()), ("111122223333", "net/web/0123456789abcdef"));
        for wrong in ["loadbalancer/web/0123456789abcdef", "targetgroup/web/0123456789abcdef", "loadbalancer/net/web"] {
            let arn = format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:{wrong}");
            assert!(arn.parse::<LoadBalancerArn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_name_is_a_name_and_no_address() {
        for right in ["db.example.com", "a-b.c", "_sip.example.com", "db.123abc.eu-west-1.rds.amazonaws.com"] {
            assert!(right.parse::<HostName>().is_ok(), "{right}");
        }
        let long = format!("{}.example.com", "a".repeat(64));
        for wrong in ["", "localhost", "10.0.0.1", "db..com", "-a.b", "db.example.com.", "a b.c", "db/x.com", &long] {
            assert!(wrong.parse::<HostName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_read_back_as_they_are_printed() {
        for text in ["tcp:443", "udp:53", "tcp:30000-32767"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        for wrong in ["443", "tcp:0", "icmp:1", "tcp:2-1", "tcp:1-70000"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_is_1_to_65535() {
        assert!(Port::try_from(1).is_ok() && Port::try_from(65_535).is_ok());
        assert!(Port::try_from(0).is_err() && Port::try_from(70_000).is_err());
    }

    #[test]
    fn a_target_reads_back_as_it_is_printed() {
        for text in ["10.0.1.10:443", "[fd00::1]:443", "i-0a1b2c3d4e5f67890:8084"] {
            assert_eq!(text.parse::<TargetId>().unwrap().to_string(), text);
        }
        for wrong in ["10.0.1.10", ":443", "10.0.1.10:0", "10.0.1.10:x"] {
            assert!(wrong.parse::<TargetId>().is_err(), "{wrong}");
        }
    }
}

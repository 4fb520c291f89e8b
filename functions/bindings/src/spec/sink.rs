//! Where a binding's addresses or nodes go.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::error::Error;
use shared::fields::{exactly_one, scalar};
use shared::types::{Malformed, Port, PortRange, SecurityGroupId, TargetGroupArn, Zone};

/// Where a binding's addresses or nodes go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// The targets of a target group.
    TargetGroup(TargetGroupSink),
    /// The inbound rules of a security group.
    SecurityGroup(SecurityGroupSink),
}

/// The targets of a target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroupSink {
    /// Which target group.
    pub arn: TargetGroupArn,
    /// The port to register; the group's own by default.
    pub port: Option<Port>,
    /// What to register addresses under that are outside the group's VPC; `all` by default.
    pub zone: Option<Zone>,
}

/// The inbound rules of a security group, on these ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupSink {
    /// Which security group.
    pub id: SecurityGroupId,
    /// What the rules let in.
    pub ports: PortRange,
}

impl Sink {
    /// The target group's ARN or the security group's id: what is worked on under one lease.
    pub fn resource(&self) -> &str {
        match self {
            Self::TargetGroup(sink) => sink.arn.as_str(),
            Self::SecurityGroup(sink) => sink.id.as_str(),
        }
    }

    /// What makes it another sink if it changes: CloudFormation then replaces the binding. The zone only says how to
    /// register, not what.
    pub fn identity(&self) -> String {
        match self {
            Self::TargetGroup(TargetGroupSink { arn, port: Some(port), zone: _ }) => format!("{arn}:{port}"),
            Self::TargetGroup(TargetGroupSink { arn, port: None, zone: _ }) => arn.to_string(),
            Self::SecurityGroup(SecurityGroupSink { id, ports }) => format!("{id}:{ports}"),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetGroup(sink) => write!(out, "target group {}", sink.arn),
            Self::SecurityGroup(sink) => write!(out, "security group {} on {}", sink.id, sink.ports),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct WrittenSink {
    target_group: Option<WrittenTargetGroup>,
    security_group: Option<WrittenSecurityGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenTargetGroup {
    target_group_arn: TargetGroupArn,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u32>,
    availability_zone: Option<Zone>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenSecurityGroup {
    group_id: SecurityGroupId,
    #[serde(default, deserialize_with = "scalar")]
    protocol: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    from_port: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    to_port: Option<u32>,
}

enum Given {
    TargetGroup(WrittenTargetGroup),
    SecurityGroup(WrittenSecurityGroup),
}

impl WrittenSink {
    pub(super) fn check(self) -> Result<Sink, Error> {
        let given = exactly_one(
            "Sink",
            vec![
                ("TargetGroup", self.target_group.map(Given::TargetGroup)),
                ("SecurityGroup", self.security_group.map(Given::SecurityGroup)),
            ],
        )?;
        match given.1 {
            Given::TargetGroup(group) => {
                let port = group.port.map(Port::try_from).transpose().map_err(at("TargetGroup.Port"))?;
                let (arn, zone) = (group.target_group_arn, group.availability_zone);
                Ok(Sink::TargetGroup(TargetGroupSink { arn, port, zone }))
            }
            Given::SecurityGroup(group) => group.check().map(Sink::SecurityGroup),
        }
    }
}

fn at(field: &'static str) -> impl Fn(Malformed) -> Error {
    move |error| Error::invalid(format!("Sink.{field}: {error}"))
}

fn missing(field: &str, what: &str) -> Error {
    Error::invalid(format!("Sink.SecurityGroup.{field} is missing: give {what}"))
}

impl WrittenSecurityGroup {
    fn check(self) -> Result<SecurityGroupSink, Error> {
        let protocol = self.protocol.ok_or_else(|| missing("Protocol", "tcp or udp"))?;
        let from = self.from_port.ok_or_else(|| missing("FromPort", "the first port"))?;
        let to = self.to_port.ok_or_else(|| missing("ToPort", "the last port, or FromPort again"))?;
        let ports = PortRange {
            protocol: protocol.parse().map_err(at("SecurityGroup.Protocol"))?,
            from: Port::try_from(from).map_err(at("SecurityGroup.FromPort"))?,
            to: Port::try_from(to).map_err(at("SecurityGroup.ToPort"))?,
        };
        match ports.from <= ports.to {
            true => Ok(SecurityGroupSink { id: self.group_id, ports }),
            false => Err(Error::invalid(format!("Sink.SecurityGroup: FromPort {from} is above ToPort {to}"))),
        }
    }
}

//! Step 1, spec: what a user wrote (`Custom::Binding`'s properties, or a command's `spec`) in, a [`BindingSpec`] out
//! that can't hold nonsense. No I/O: whether the endpoint and the target group exist is for `observe` to say.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Error;
use shared::fields::{self, exactly_one, scalar};
use shared::types::{Port, TargetGroupArn, VpcEndpointId, Zone};

/// What is to be kept equal to what, and how carefully.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingSpec {
    /// Where the addresses come from.
    pub source: Source,
    /// Where they go.
    pub sink: Sink,
    /// How carefully.
    pub options: Options,
}

/// Where a binding's addresses come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The private addresses of an interface endpoint's network interfaces.
    VpcEndpoint(VpcEndpointId),
}

impl Source {
    /// The kind and id that the registry's index has the binding under.
    pub fn index(&self) -> (&'static str, &str) {
        match self {
            Self::VpcEndpoint(id) => (VPC_ENDPOINT, id.as_str()),
        }
    }
}

/// The index kind of [`Source::VpcEndpoint`].
pub const VPC_ENDPOINT: &str = "VpcEndpoint";

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VpcEndpoint(id) => write!(out, "VPC endpoint {id}"),
        }
    }
}

/// Where a binding's addresses go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// The targets of a target group.
    TargetGroup(TargetGroupSink),
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

impl Sink {
    /// The target group behind the sink.
    pub fn target_group(&self) -> &TargetGroupSink {
        match self {
            Self::TargetGroup(sink) => sink,
        }
    }

    /// What makes it another sink if it changes: CloudFormation then replaces the binding. The zone only says how to
    /// register, not what.
    pub fn identity(&self) -> String {
        let sink = self.target_group();
        match sink.port {
            Some(port) => format!("{}:{port}", sink.arn),
            None => sink.arn.to_string(),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "target group {}", self.target_group().arn)
    }
}

/// How carefully a binding removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The largest share of its targets that a plan may remove without healthy replacements, in percent.
    pub max_removal_percent: u8,
    /// Whether a source that is complete and has no address may empty the sink.
    pub allow_empty: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_removal_percent: 50, allow_empty: false }
    }
}

impl BindingSpec {
    /// Reads what the user wrote; the error names the field and the fix.
    pub fn parse(written: Value) -> Result<Self, Error> {
        let written: Written = fields::read(written)?;
        let source = written.source.ok_or_else(|| missing("Source", "{VpcEndpoint: {VpcEndpointId: vpce-…}}"))?;
        let sink = written.sink.ok_or_else(|| missing("Sink", "{TargetGroup: {TargetGroupArn: arn:…}}"))?;
        Ok(Self { source: source.check()?, sink: sink.check()?, options: written.options.unwrap_or_default().check()? })
    }
}

fn missing(field: &str, example: &str) -> Error {
    Error::invalid(format!("{field} is missing: give for example {field}: {example}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    source: Option<WrittenSource>,
    sink: Option<WrittenSink>,
    options: Option<WrittenOptions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenSource {
    vpc_endpoint: Option<WrittenVpcEndpoint>,
    nodes: Option<Value>,
    load_balancer: Option<Value>,
    dns: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenVpcEndpoint {
    vpc_endpoint_id: VpcEndpointId,
}

enum GivenSource {
    VpcEndpoint(WrittenVpcEndpoint),
    NotYet,
}

impl WrittenSource {
    fn check(self) -> Result<Source, Error> {
        let given = exactly_one(
            "Source",
            vec![
                ("VpcEndpoint", self.vpc_endpoint.map(GivenSource::VpcEndpoint)),
                ("Nodes", self.nodes.map(|_| GivenSource::NotYet)),
                ("LoadBalancer", self.load_balancer.map(|_| GivenSource::NotYet)),
                ("Dns", self.dns.map(|_| GivenSource::NotYet)),
            ],
        )?;
        match given {
            (_, GivenSource::VpcEndpoint(endpoint)) => Ok(Source::VpcEndpoint(endpoint.vpc_endpoint_id)),
            (kind, GivenSource::NotYet) => {
                Err(Error::invalid(format!("Source.{kind} is not supported by this version: use VpcEndpoint")))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenSink {
    target_group: Option<WrittenTargetGroup>,
    security_group: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenTargetGroup {
    target_group_arn: TargetGroupArn,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u32>,
    availability_zone: Option<Zone>,
}

enum GivenSink {
    TargetGroup(WrittenTargetGroup),
    NotYet,
}

impl WrittenSink {
    fn check(self) -> Result<Sink, Error> {
        let given = exactly_one(
            "Sink",
            vec![
                ("TargetGroup", self.target_group.map(GivenSink::TargetGroup)),
                ("SecurityGroup", self.security_group.map(|_| GivenSink::NotYet)),
            ],
        )?;
        match given {
            (_, GivenSink::TargetGroup(group)) => {
                let port = group.port.map(Port::try_from).transpose();
                let port = port.map_err(|e| Error::invalid(format!("Sink.TargetGroup.Port: {e}")))?;
                Ok(Sink::TargetGroup(TargetGroupSink {
                    arn: group.target_group_arn,
                    port,
                    zone: group.availability_zone,
                }))
            }
            (kind, GivenSink::NotYet) => {
                Err(Error::invalid(format!("Sink.{kind} is not supported by this version: use TargetGroup")))
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenOptions {
    #[serde(default, deserialize_with = "scalar")]
    max_removal_percent: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    allow_empty: Option<bool>,
}

impl WrittenOptions {
    fn check(self) -> Result<Options, Error> {
        let default = Options::default();
        let max_removal_percent = match self.max_removal_percent {
            None => default.max_removal_percent,
            Some(percent) => u8::try_from(percent).ok().filter(|percent| *percent <= 100).ok_or_else(|| {
                Error::invalid(format!("Options.MaxRemovalPercent: '{percent}' is not a percentage from 0 to 100"))
            })?,
        };
        Ok(Options { max_removal_percent, allow_empty: self.allow_empty.unwrap_or(default.allow_empty) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef";

    fn written() -> Value {
        json!({
            "Source": {"VpcEndpoint": {"VpcEndpointId": "vpce-0a1b2c3d4e5f67890"}},
            "Sink": {"TargetGroup": {"TargetGroupArn": ARN}},
        })
    }

    #[test]
    fn a_spec_has_defaults() {
        let spec = BindingSpec::parse(written()).unwrap();
        assert_eq!(spec.options, Options { max_removal_percent: 50, allow_empty: false });
        assert_eq!(spec.sink.identity(), ARN);
        assert_eq!(spec.source.index(), ("VpcEndpoint", "vpce-0a1b2c3d4e5f67890"));
    }

    #[test]
    fn cloudformation_sends_every_scalar_as_a_string() {
        let mut written = written();
        written["Sink"]["TargetGroup"]["Port"] = json!("443");
        written["Options"] = json!({"MaxRemovalPercent": "20", "AllowEmpty": "true"});
        let spec = BindingSpec::parse(written).unwrap();
        assert_eq!(spec.sink.target_group().port.map(Port::number), Some(443));
        assert_eq!(spec.options, Options { max_removal_percent: 20, allow_empty: true });
    }

    #[test]
    fn a_wrong_field_is_named_with_its_fix() {
        let endpoint = json!({"VpcEndpointId": "vpce-0a1b2c3d4e5f67890"});
        for (pointer, value, message) in [
            (
                "/Source",
                json!(null),
                "Source is missing: give for example Source: {VpcEndpoint: {VpcEndpointId: vpce-…}}",
            ),
            ("/Sink", json!(null), "Sink is missing: give for example Sink: {TargetGroup: {TargetGroupArn: arn:…}}"),
            (
                "/Source",
                json!({"VpcEndpoint": endpoint, "Dns": {"HostName": "db"}}),
                "Source: give exactly one of VpcEndpoint, Nodes, LoadBalancer, Dns; found VpcEndpoint and Dns",
            ),
            ("/Source", json!({}), "Source: give exactly one of VpcEndpoint, Nodes, LoadBalancer, Dns; none is there"),
            ("/Source", json!({"VpcEndpoint": {}}), "Source.VpcEndpoint: missing field `VpcEndpointId`"),
            (
                "/Source",
                json!({"VpcEndpoint": {"VpcEndpointId": "vpc-1"}}),
                "Source.VpcEndpoint.VpcEndpointId: 'vpc-1' is not a VPC endpoint id such as vpce-0a1b2c3d4e5f67890",
            ),
            ("/Sink/TargetGroup/Port", json!("70000"), "Sink.TargetGroup.Port: '70000' is not a port from 1 to 65535"),
            ("/Sink/TargetGroup/Port", json!("https"), "Sink.TargetGroup.Port: 'https': invalid digit found in string"),
            (
                "/Sink/TargetGroup/Prot",
                json!(1),
                "Sink.TargetGroup.Prot: unknown field `Prot`, expected one of `TargetGroupArn`, `Port`, `AvailabilityZone`",
            ),
            (
                "/Options",
                json!({"MaxRemovalPercent": 101}),
                "Options.MaxRemovalPercent: '101' is not a percentage from 0 to 100",
            ),
            ("/Extra", json!(1), "Extra: unknown field `Extra`, expected one of `Source`, `Sink`, `Options`"),
        ] {
            let mut written = written();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            written.pointer_mut(parent).unwrap()[field] = value;
            assert_eq!(BindingSpec::parse(written).unwrap_err().message, message);
        }
    }
}

//! Step 1, spec: what a user wrote (`Custom::Binding`'s properties, or a command's `spec`) in, a [`BindingSpec`] out
//! that can't hold nonsense. No I/O: whether the source and the sink exist is for `observe` to say.

mod sink;
mod source;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Error;
use shared::fields::{self, scalar};
use sink::WrittenSink;
pub use sink::{SecurityGroupSink, Sink, TargetGroupSink};
use source::WrittenSource;
pub use source::{Source, SourceKind};

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

/// How carefully a binding removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The largest share of its targets that a plan may remove without healthy replacements, in percent.
    pub max_removal_percent: u8,
    /// Whether a source that is complete and has no address may empty the sink.
    pub allow_empty: bool,
    /// Whether a node that waits in a launch lifecycle hook is added, and the hook completed once it is healthy.
    #[serde(default)]
    pub complete_launch_hooks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_removal_percent: 50, allow_empty: false, complete_launch_hooks: false }
    }
}

impl BindingSpec {
    /// Reads what the user wrote; the error names the field and the fix.
    pub fn parse(written: Value) -> Result<Self, Error> {
        let written: Written = fields::read(written)?;
        let source = written.source.ok_or_else(|| missing("Source", "{VpcEndpoint: {VpcEndpointId: vpce-…}}"))?;
        let sink = written.sink.ok_or_else(|| missing("Sink", "{TargetGroup: {TargetGroupArn: arn:…}}"))?;
        let (source, sink) = (source.check()?, sink.check()?);
        let options = written.options.unwrap_or_default().check()?;
        if options.complete_launch_hooks && source.kind() != SourceKind::Nodes {
            return Err(Error::invalid("Options.CompleteLaunchHooks: only Source.Nodes has lifecycle hooks"));
        }
        Ok(Self { source, sink, options })
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

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenOptions {
    #[serde(default, deserialize_with = "scalar")]
    max_removal_percent: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    allow_empty: Option<bool>,
    #[serde(default, deserialize_with = "scalar")]
    complete_launch_hooks: Option<bool>,
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
        Ok(Options {
            max_removal_percent,
            allow_empty: self.allow_empty.unwrap_or(default.allow_empty),
            complete_launch_hooks: self.complete_launch_hooks.unwrap_or(default.complete_launch_hooks),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::types::Port;

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
        let options = Options { max_removal_percent: 50, allow_empty: false, complete_launch_hooks: false };
        assert_eq!(spec.options, options);
        assert_eq!(spec.sink.identity(), ARN);
        assert_eq!(spec.source.index(), (SourceKind::VpcEndpoint, "vpce-0a1b2c3d4e5f67890".to_owned()));
    }

    #[test]
    fn cloudformation_sends_every_scalar_as_a_string() {
        let mut written = written();
        written["Source"] = json!({"Nodes": {"ClusterName": "pets", "Tags": {"gate": "true"}}});
        written["Sink"]["TargetGroup"]["Port"] = json!("443");
        written["Options"] = json!({"MaxRemovalPercent": "20", "AllowEmpty": "true", "CompleteLaunchHooks": "true"});
        let spec = BindingSpec::parse(written.clone()).unwrap();
        assert!(matches!(&spec.sink, Sink::TargetGroup(group) if group.port.map(Port::number) == Some(443)));
        let options = Options { max_removal_percent: 20, allow_empty: true, complete_launch_hooks: true };
        assert_eq!(spec.options, options);
        written["Sink"] = json!({"SecurityGroup": {
            "GroupId": "sg-0a1b2c3d4e5f67890", "Protocol": "tcp", "FromPort": "30000", "ToPort": "32767",
        }});
        let spec = BindingSpec::parse(written).unwrap();
        assert_eq!(spec.sink.identity(), "sg-0a1b2c3d4e5f67890:tcp:30000-32767");
    }

    /// The field at `pointer` of a right spec replaced by `value`.
    fn with(pointer: &str, value: Value) -> Value {
        let mut written = written();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        written.pointer_mut(parent).unwrap()[field] = value;
        written
    }

    #[test]
    fn every_source_and_sink_reads() {
        let balancer = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/web/0123456789abcdef";
        for (source, kind, id) in [
            (json!({"Nodes": {"ClusterName": "pets"}}), SourceKind::Nodes, "pets"),
            (json!({"Nodes": {"NodegroupNames": "blue"}}), SourceKind::Nodes, "blue"),
            (json!({"Nodes": {"AutoScalingGroupNames": ["b", "a"]}}), SourceKind::Nodes, "a"),
            (json!({"Nodes": {"Tags": {"role": ["gate", "web"]}}}), SourceKind::Nodes, "role"),
            (
                json!({"LoadBalancer": {"LoadBalancerArn": balancer}}),
                SourceKind::LoadBalancer,
                "net/web/0123456789abcdef",
            ),
            (json!({"Dns": {"HostName": "DB.example.com."}}), SourceKind::Dns, "db.example.com"),
        ] {
            let spec = BindingSpec::parse(with("/Source", source)).unwrap();
            assert_eq!(spec.source.index(), (kind, id.to_owned()));
        }
    }

    #[test]
    fn a_wrong_field_is_named_with_its_fix() {
        let endpoint = json!({"VpcEndpointId": "vpce-0a1b2c3d4e5f67890"});
        let sg = |protocol: &str, from: u32, to: u32| {
            json!({"SecurityGroup": {
                "GroupId": "sg-0a1b2c3d4e5f67890", "Protocol": protocol, "FromPort": from, "ToPort": to,
            }})
        };
        for (pointer, value, message) in [
            (
                "/Source",
                json!(null),
                "Source is missing: give for example Source: {VpcEndpoint: {VpcEndpointId: vpce-…}}",
            ),
            ("/Sink", json!(null), "Sink is missing: give for example Sink: {TargetGroup: {TargetGroupArn: arn:…}}"),
            (
                "/Source",
                json!({"VpcEndpoint": endpoint, "Dns": {"HostName": "db.example.com"}}),
                "Source: give exactly one of VpcEndpoint, Nodes, LoadBalancer, Dns; found VpcEndpoint and Dns",
            ),
            ("/Source", json!({}), "Source: give exactly one of VpcEndpoint, Nodes, LoadBalancer, Dns; none is there"),
            ("/Source", json!({"VpcEndpoint": {}}), "Source.VpcEndpoint: missing field `VpcEndpointId`"),
            (
                "/Source",
                json!({"VpcEndpoint": {"VpcEndpointId": "vpc-1"}}),
                "Source.VpcEndpoint.VpcEndpointId: 'vpc-1' is not a VPC endpoint id such as vpce-0a1b2c3d4e5f67890",
            ),
            (
                "/Source",
                json!({"Nodes": {"ExcludeTags": {"a": "b"}}}),
                "Source.Nodes: say which nodes: give ClusterName, NodegroupNames, AutoScalingGroupNames or Tags",
            ),
            (
                "/Source",
                json!({"Nodes": {"NodegroupNames": []}}),
                "Source.Nodes.NodegroupNames: give one name or several, or leave the field out",
            ),
            (
                "/Source",
                json!({"Nodes": {"ClusterName": "a/b"}}),
                "Source.Nodes.ClusterName: 'a/b' is not a cluster's name of 1 to 100 letters, digits, dashes and underscores",
            ),
            (
                "/Source",
                json!({"Nodes": {"Tags": {"role": [{"a": 1}]}}}),
                "Source.Nodes.Tags.role: {\"a\":1} is not a tag's value",
            ),
            (
                "/Source",
                json!({"Dns": {"HostName": "10.0.0.1"}}),
                "Source.Dns.HostName: '10.0.0.1' is not a host name such as db.example.com",
            ),
            ("/Sink/TargetGroup/Port", json!("70000"), "Sink.TargetGroup.Port: '70000' is not a port from 1 to 65535"),
            ("/Sink/TargetGroup/Port", json!("https"), "Sink.TargetGroup.Port: 'https': invalid digit found in string"),
            (
                "/Sink/TargetGroup/Prot",
                json!(1),
                "Sink.TargetGroup.Prot: unknown field `Prot`, expected one of `TargetGroupArn`, `Port`, `AvailabilityZone`",
            ),
            ("/Sink", sg("icmp", 1, 1), "Sink.SecurityGroup.Protocol: 'icmp' is not tcp or udp"),
            ("/Sink", sg("tcp", 0, 1), "Sink.SecurityGroup.FromPort: '0' is not a port from 1 to 65535"),
            ("/Sink", sg("tcp", 80, 79), "Sink.SecurityGroup: FromPort 80 is above ToPort 79"),
            (
                "/Sink",
                json!({"SecurityGroup": {"GroupId": "sg-0a1b2c3d4e5f67890", "Protocol": "tcp", "FromPort": 80}}),
                "Sink.SecurityGroup.ToPort is missing: give the last port, or FromPort again",
            ),
            (
                "/Options",
                json!({"MaxRemovalPercent": 101}),
                "Options.MaxRemovalPercent: '101' is not a percentage from 0 to 100",
            ),
            (
                "/Options",
                json!({"CompleteLaunchHooks": true}),
                "Options.CompleteLaunchHooks: only Source.Nodes has lifecycle hooks",
            ),
            ("/Extra", json!(1), "Extra: unknown field `Extra`, expected one of `Source`, `Sink`, `Options`"),
        ] {
            assert_eq!(BindingSpec::parse(with(pointer, value)).unwrap_err().message, message);
        }
    }
}

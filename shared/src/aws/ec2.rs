//! EC2, behind [`Network`].

use aws_config::SdkConfig;
use aws_sdk_ec2::types::{NetworkInterface, VpcEndpoint as SdkVpcEndpoint};

use super::sdk::failed;
use super::{Answer, AwsError, Cause, Interface, Network, VpcEndpoint};
use crate::types::{InterfaceId, VpcEndpointId};

/// How many ids one DescribeNetworkInterfaces is asked for. EC2 takes up to 1,000 and advises fewer; an endpoint has
/// one interface for each zone.
const IDS_MAX: usize = 200;

/// How many pages of one such call are followed. Beside ids EC2 takes no `MaxResults`, so that one page is the rule; a
/// part of the interfaces must not pass for all of them.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>
const PAGES_MAX: usize = 20;

/// EC2 in the function's account and region.
#[derive(Clone, Debug)]
pub struct Ec2 {
    client: aws_sdk_ec2::Client,
}

impl Ec2 {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ec2::Client::new(config) }
    }
}

impl Network for Ec2 {
    async fn vpc_endpoint(&self, id: &VpcEndpointId) -> Answer<Option<VpcEndpoint>> {
        let call = self.client.describe_vpc_endpoints().vpc_endpoint_ids(id.as_str());
        match call.send().await.map_err(|e| failed("DescribeVpcEndpoints", id.as_str(), e)) {
            Ok(answer) => Ok(answer.vpc_endpoints().iter().find_map(|found| read_endpoint(id, found))),
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn interfaces(&self, ids: &[InterfaceId]) -> Answer<Vec<Interface>> {
        let mut interfaces = Vec::new();
        for chunk in ids.chunks(IDS_MAX) {
            let chunk: Vec<String> = chunk.iter().map(ToString::to_string).collect();
            self.pages_of(chunk, &mut interfaces).await?;
        }
        Ok(interfaces)
    }
}

impl Ec2 {
    async fn pages_of(&self, ids: Vec<String>, interfaces: &mut Vec<Interface>) -> Answer<()> {
        const OPERATION: &str = "DescribeNetworkInterfaces";
        let subject = ids.join(", ");
        let call = self.client.describe_network_interfaces().set_network_interface_ids(Some(ids));
        let mut pages = call.into_paginator().send();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else {
                return Ok(());
            };
            let page = page.map_err(|e| failed(OPERATION, &subject, e))?;
            interfaces.extend(page.network_interfaces().iter().filter_map(read_interface));
        }
        let message = format!("{PAGES_MAX} pages were not all");
        Err(AwsError { operation: OPERATION, subject, cause: Cause::Unavailable, code: String::new(), message })
    }
}

fn read_endpoint(id: &VpcEndpointId, found: &SdkVpcEndpoint) -> Option<VpcEndpoint> {
    (found.vpc_endpoint_id() == Some(id.as_str())).then(|| VpcEndpoint {
        id: id.clone(),
        vpc_id: found.vpc_id().unwrap_or_default().to_owned(),
        endpoint_type: found.vpc_endpoint_type().map_or("Gateway", |kind| kind.as_str()).to_owned(),
        state: found.state().map_or("", |state| state.as_str()).to_ascii_lowercase(),
        subnet_ids: found.subnet_ids().to_vec(),
        interface_ids: found.network_interface_ids().iter().filter_map(|id| id.parse().ok()).collect(),
    })
}

fn read_interface(found: &NetworkInterface) -> Option<Interface> {
    let ipv6 = found.ipv6_addresses().iter().find_map(|address| address.ipv6_address()?.parse().ok());
    Some(Interface {
        id: found.network_interface_id()?.parse().ok()?,
        subnet_id: found.subnet_id().unwrap_or_default().to_owned(),
        ipv4: found.private_ip_address().and_then(|address| address.parse().ok()),
        ipv6,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{State, VpcEndpointType};

    use super::*;

    #[test]
    fn an_endpoint_is_read_whole() {
        let id: VpcEndpointId = "vpce-1a2b3c4d".parse().unwrap();
        let found = SdkVpcEndpoint::builder()
            .vpc_endpoint_id(id.as_str())
            .vpc_id("vpc-1")
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .state(State::from("Available"))
            .subnet_ids("subnet-1")
            .network_interface_ids("eni-1a2b3c4d")
            .build();
        let expected = VpcEndpoint {
            id: id.clone(),
            vpc_id: "vpc-1".into(),
            endpoint_type: "Interface".into(),
            state: "available".into(),
            subnet_ids: vec!["subnet-1".into()],
            interface_ids: vec!["eni-1a2b3c4d".parse().unwrap()],
        };
        assert_eq!(read_endpoint(&id, &found), Some(expected));
    }

    #[test]
    fn an_interface_can_be_without_an_address() {
        let found = NetworkInterface::builder().network_interface_id("eni-1a2b3c4d").build();
        assert_eq!(read_interface(&found).map(|interface| interface.ipv4), Some(None));
    }
}

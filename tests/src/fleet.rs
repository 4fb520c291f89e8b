//! A cluster's nodes: instances of an Auto Scaling group, with the tag that says whose they are.

use anyhow::{Context, Result};
use aws_sdk_autoscaling::types::Tag;
use serde_json::{Value, json};

use crate::{Cloud, Scene, event};

/// An Auto Scaling group whose instances are nodes of the cluster that is called like it.
#[derive(Clone, Debug)]
pub struct Fleet {
    cloud: Cloud,
    /// The group's and the cluster's name.
    pub name: String,
}

const EXAMPLE_NODE: &str = "i-0a1b2c3d4e5f67890";

impl Fleet {
    /// So many nodes in the scene's first subnet, without any lifecycle hook.
    pub async fn build(cloud: &Cloud, scene: &Scene, name: &str, nodes: i32) -> Result<Self> {
        let images = cloud.ec2.describe_images().send().await?;
        let image = images.images().first().and_then(|image| image.image_id()).context("no image")?;
        let scaling = &cloud.auto_scaling;
        let call = scaling.create_launch_configuration().launch_configuration_name(name).image_id(image);
        call.instance_type("t3.micro").send().await?;
        let tag = Tag::builder().key(format!("kubernetes.io/cluster/{name}")).value("owned").propagate_at_launch(true);
        let call = scaling.create_auto_scaling_group().auto_scaling_group_name(name).launch_configuration_name(name);
        let call = call.min_size(0).max_size(2_000).desired_capacity(nodes).vpc_zone_identifier(&scene.subnets[0]);
        call.tags(tag.build()).send().await?;
        Ok(Self { cloud: cloud.clone(), name: name.to_owned() })
    }

    /// The source that is all nodes of the cluster.
    pub fn source(&self) -> Value {
        json!({"Nodes": {"ClusterName": self.name}})
    }

    /// Makes Auto Scaling wait for somebody when a node comes or goes.
    pub async fn add_hook(&self, name: &str, transition: &str) -> Result<()> {
        let call = self.cloud.auto_scaling.put_lifecycle_hook().auto_scaling_group_name(&self.name);
        let call = call.lifecycle_hook_name(name).lifecycle_transition(transition).heartbeat_timeout(60);
        call.send().await?;
        Ok(())
    }

    /// How many nodes there are to be.
    pub async fn scale(&self, nodes: i32) -> Result<()> {
        let call = self.cloud.auto_scaling.update_auto_scaling_group().auto_scaling_group_name(&self.name);
        call.desired_capacity(nodes).send().await?;
        Ok(())
    }

    /// Has Auto Scaling terminate a node, and one fewer afterwards.
    pub async fn terminate(&self, node: &str) -> Result<()> {
        let call = self.cloud.auto_scaling.terminate_instance_in_auto_scaling_group().instance_id(node);
        call.should_decrement_desired_capacity(true).send().await?;
        Ok(())
    }

    /// The group's nodes, sorted, each with its lifecycle state and its address.
    pub async fn nodes(&self) -> Result<Vec<(String, String, String)>> {
        let call = self.cloud.auto_scaling.describe_auto_scaling_groups().auto_scaling_group_names(&self.name);
        let answer = call.send().await?;
        let group = answer.auto_scaling_groups().first().context("no Auto Scaling group")?;
        let filter = aws_sdk_ec2::types::Filter::builder().name("tag:aws:autoscaling:groupName").values(&self.name);
        let answer = self.cloud.ec2.describe_instances().filters(filter.build()).send().await?;
        let instances: Vec<_> = answer.reservations().iter().flat_map(|one| one.instances()).collect();
        let address = |id: &str| {
            let instance = instances.iter().find(|one| one.instance_id() == Some(id));
            instance.and_then(|one| one.private_ip_address()).unwrap_or_default().to_owned()
        };
        let node = |one: &aws_sdk_autoscaling::types::Instance| {
            let (id, state) = (one.instance_id()?.to_owned(), one.lifecycle_state()?.as_str().to_owned());
            let address = address(&id);
            Some((id, state, address))
        };
        let mut nodes: Vec<_> = group.instances().iter().filter_map(node).collect();
        nodes.sort();
        Ok(nodes)
    }

    /// The ids of the nodes in service, sorted.
    pub async fn in_service(&self) -> Result<Vec<String>> {
        let nodes = self.nodes().await?.into_iter();
        Ok(nodes.filter(|(_, state, _)| state == "InService").map(|(id, _, _)| id).collect())
    }

    /// The addresses of the nodes in service, sorted.
    pub async fn addresses(&self) -> Result<Vec<String>> {
        let nodes = self.nodes().await?.into_iter();
        let mut addresses: Vec<String> =
            nodes.filter(|(_, state, _)| state == "InService").map(|(_, _, address)| address).collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Puts a file of `events/` on the queue, about `node`.
    pub async fn tell(&self, name: &str, node: &str) -> Result<()> {
        self.cloud.send_event(&event(name, &[(EXAMPLE_NODE, node)])?).await
    }

    /// Puts the event of the node's waiting lifecycle action on the queue, as Auto Scaling tells it; its token.
    pub async fn tell_action(&self, name: &str, node: &str) -> Result<String> {
        let (waiting, _) = self.cloud.lifecycle_actions(&self.name).await?;
        let action = waiting.iter().find(|action| action["EC2InstanceId"] == node).context("no action waits")?;
        let mut event = event(name, &[])?;
        for field in ["LifecycleActionToken", "AutoScalingGroupName", "LifecycleHookName", "EC2InstanceId"] {
            event["detail"][field] = action[field].clone();
        }
        self.cloud.send_event(&event).await?;
        Ok(action["LifecycleActionToken"].as_str().unwrap_or_default().to_owned())
    }
}

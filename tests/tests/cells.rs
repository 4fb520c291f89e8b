//! Every source with every sink that takes it, through the deployed function on the local cloud: made by a stack, followed
//! by events or the schedule's look, and taken away without a trace. (A VPC endpoint with a target group is in `bindings`.)

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, EVENT_SECONDS_MAX, Fleet, Scene, event, spec, to_group, to_security_group};

const BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/private-apis/0123456789abcdef";

async fn deploy(cloud: &Cloud, name: &str, spec: Value) -> Result<String> {
    let stack = cloud.deploy(name, spec).await?;
    assert_eq!(stack.status, "CREATE_COMPLETE", "{:?}", stack.reasons);
    Ok(stack.output("Addresses").unwrap_or_default().to_owned())
}

/// The addresses as rules of their own.
fn ranges(addresses: &[String]) -> Vec<String> {
    let mut ranges: Vec<String> = addresses.iter().map(|address| format!("{address}/32")).collect();
    ranges.sort();
    ranges
}

async fn sync(cloud: &Cloud, stack: &str) -> Result<Value> {
    cloud.command(json!({"command": "sync", "name": format!("{stack}/Binding")})).await
}

#[tokio::test]
async fn nodes_fill_an_instance_target_group() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "nodes-instance").await?;
    let fleet = Fleet::build(&cloud, &scene, "nodes-instance", 3).await?;
    let group = scene.add_group_of("nodes-instance-i", TargetTypeEnum::Instance).await?;
    let addresses = deploy(&cloud, "nodes-instance", spec(fleet.source(), to_group(&group))).await?;
    assert_eq!(addresses, fleet.addresses().await?.join(","));
    assert_eq!(scene.registered(&group).await?, fleet.in_service().await?);

    let before = fleet.in_service().await?;
    fleet.scale(5).await?;
    let after = fleet.in_service().await?;
    for node in after.iter().filter(|node| !before.contains(node)) {
        fleet.tell("node-running", node).await?;
    }
    cloud
        .until("the new nodes are registered", EVENT_SECONDS_MAX, async || {
            Ok(scene.registered(&group).await? == fleet.in_service().await?)
        })
        .await?;
    cloud.remove("nodes-instance").await?;
    assert!(scene.registered(&group).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn nodes_fill_an_ip_target_group_and_a_terminated_ones_address_goes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "nodes-ip").await?;
    let fleet = Fleet::build(&cloud, &scene, "nodes-ip", 4).await?;
    deploy(&cloud, "nodes-ip", spec(fleet.source(), to_group(&scene.group))).await?;
    assert_eq!(scene.registered(&scene.group).await?, fleet.addresses().await?);

    // Three of four at once: EC2 does not say any more what addresses they had. Auto Scaling puts others in their place.
    let gone: Vec<_> = fleet.nodes().await?.into_iter().take(3).collect();
    let ids = gone.iter().map(|(id, _, _)| id.clone()).collect();
    cloud.ec2.terminate_instances().set_instance_ids(Some(ids)).send().await?;
    fleet.tell("node-terminated", &gone[0].0).await?;
    cloud
        .until("only the living are registered", EVENT_SECONDS_MAX, async || {
            let registered = scene.registered(&scene.group).await?;
            Ok(registered == fleet.addresses().await?
                && gone.iter().all(|(_, _, address)| !registered.contains(address)))
        })
        .await?;
    cloud.remove("nodes-ip").await
}

#[tokio::test]
async fn nodes_are_let_in_by_a_security_group() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "nodes-sg").await?;
    let fleet = Fleet::build(&cloud, &scene, "nodes-sg", 3).await?;
    let group = scene.add_security_group("nodes-sg").await?;
    scene.put_rule(&group, "192.168.0.0/16", 8443).await?;
    let mut source = fleet.source();
    source["Nodes"]["ExcludeTags"] = json!({"batch": "yes"});
    deploy(&cloud, "nodes-sg", spec(source, to_security_group(&group))).await?;
    let mut expected = ranges(&fleet.addresses().await?);
    expected.push("192.168.0.0/16".into());
    assert_eq!(scene.let_in(&group, 8443).await?, expected);

    // A node that Kubernetes sends no more traffic still has connections of its own; one that the user leaves out has no access.
    let nodes = fleet.nodes().await?;
    let labels = ["node.kubernetes.io/exclude-from-external-load-balancers", "batch"];
    for (label, (node, _, _)) in labels.into_iter().zip(&nodes) {
        let tag = aws_sdk_ec2::types::Tag::builder().key(label).value("yes");
        cloud.ec2.create_tags().resources(node).tags(tag.build()).send().await?;
        fleet.tell("node-tagged", node).await?;
    }
    let [leaving, excluded] = [0, 1].map(|index: usize| format!("{}/32", nodes[index].2));
    cloud
        .until("the excluded node is locked out", EVENT_SECONDS_MAX, async || {
            Ok(!scene.let_in(&group, 8443).await?.contains(&excluded))
        })
        .await?;
    assert!(scene.let_in(&group, 8443).await?.contains(&leaving), "a node keeps its access until it is gone");
    cloud.remove("nodes-sg").await?;
    assert_eq!(scene.let_in(&group, 8443).await?, ["192.168.0.0/16"], "somebody else's rule stays");
    Ok(())
}

#[tokio::test]
async fn a_load_balancers_addresses_fill_an_ip_target_group() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "balancer-ip").await?;
    let balancer = scene.add_balancer("balancer-ip-source", &[0, 1]).await?;
    let source = json!({"LoadBalancer": {"LoadBalancerArn": balancer}});
    let addresses = deploy(&cloud, "balancer-ip", spec(source, to_group(&scene.group))).await?;
    assert_eq!(addresses, scene.balancer_addresses(&balancer).await?.join(","));
    assert_eq!(scene.registered(&scene.group).await?, scene.balancer_addresses(&balancer).await?);

    let subnets = vec![scene.subnets[1].clone(), scene.subnets[2].clone()];
    cloud.elb.set_subnets().load_balancer_arn(&balancer).set_subnets(Some(subnets)).send().await?;
    cloud.send_event(&event("load-balancer-subnets-set", &[(BALANCER, &balancer)])?).await?;
    cloud
        .until("the targets are in the new zones", EVENT_SECONDS_MAX, async || {
            Ok(scene.registered(&scene.group).await? == scene.balancer_addresses(&balancer).await?)
        })
        .await?;
    cloud.remove("balancer-ip").await?;
    assert!(scene.registered(&scene.group).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_load_balancers_addresses_are_let_in_by_a_security_group_and_only_they() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "balancer-sg").await?;
    let (balancer, group) =
        (scene.add_balancer("balancer-sg-source", &[0, 1]).await?, scene.add_security_group("balancer-sg").await?);
    // Anybody can make an interface that is described like a load balancer's.
    let (_, name) = balancer.split_once(":loadbalancer/").unwrap_or_default();
    let call = cloud.ec2.create_network_interface().subnet_id(&scene.subnets[2]);
    let answer = call.description(format!("ELB {name}")).send().await?;
    let false_one = answer.network_interface().and_then(|one| one.private_ip_address()).unwrap_or_default();
    let mut genuine = scene.balancer_addresses(&balancer).await?;
    genuine.retain(|address| address != false_one);
    assert_eq!(genuine.len(), 2);

    let source = json!({"LoadBalancer": {"LoadBalancerArn": balancer}});
    deploy(&cloud, "balancer-sg", spec(source, to_security_group(&group))).await?;
    let rules = scene.rules(&group, 8443).await?;
    assert_eq!(rules.iter().map(|(range, _, _)| range.clone()).collect::<Vec<_>>(), ranges(&genuine));
    for (_, description, tag) in &rules {
        assert!(description.contains("Foregate") && tag.as_deref() == Some("foregate"), "{rules:?}");
    }
    let subnets = vec![scene.subnets[0].clone(), scene.subnets[1].clone(), scene.subnets[2].clone()];
    cloud.elb.set_subnets().load_balancer_arn(&balancer).set_subnets(Some(subnets)).send().await?;
    let replace = [("net/private-apis/0123456789abcdef", name)];
    cloud.send_event(&event("load-balancer-interface-created", &replace)?).await?;
    cloud
        .until("the third zone is let in", EVENT_SECONDS_MAX, async || Ok(scene.let_in(&group, 8443).await?.len() == 3))
        .await?;
    cloud.remove("balancer-sg").await?;
    assert!(scene.let_in(&group, 8443).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_names_addresses_fill_an_ip_target_group_and_none_goes_before_it_was_missing_ten_times() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "dns-ip").await?;
    let name = "orders.db.example.test";
    cloud.set_name(name, &["10.20.0.77", "10.20.16.77", "172.31.0.77"], "NOERROR").await?;
    let source = json!({"Dns": {"HostName": "Orders.DB.example.test."}});
    let addresses = deploy(&cloud, "dns-ip", spec(source, to_group(&scene.group))).await?;
    let all = ["10.20.0.77", "10.20.16.77", "172.31.0.77"];
    assert_eq!(addresses, all.join(","));
    assert_eq!(scene.registered(&scene.group).await?, all);

    for code in ["SERVFAIL", "NXDOMAIN", "NOERROR"] {
        cloud.set_name(name, &[], code).await?;
        assert_eq!(sync(&cloud, "dns-ip").await?["status"], "WAITING", "{code}");
        assert_eq!(scene.registered(&scene.group).await?, all, "{code} changes nothing");
    }
    cloud.set_name(name, &all[..2], "NOERROR").await?;
    for look in 1..10 {
        assert_eq!(sync(&cloud, "dns-ip").await?["status"], "SYNCED");
        assert_eq!(scene.registered(&scene.group).await?, all, "after {look} misses");
    }
    sync(&cloud, "dns-ip").await?;
    assert_eq!(scene.registered(&scene.group).await?, all[..2]);

    // More than fit into one datagram: asked again over TCP.
    let many: Vec<String> = (1..=60).map(|n| format!("10.20.1.{n}")).collect();
    cloud.set_name(name, &many.iter().map(String::as_str).collect::<Vec<_>>(), "NOERROR").await?;
    sync(&cloud, "dns-ip").await?;
    assert_eq!(scene.registered(&scene.group).await?.len(), 62);
    cloud.remove("dns-ip").await
}

#[tokio::test]
async fn a_names_addresses_are_let_in_by_a_security_group_consolidated_when_it_is_full() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "dns-sg").await?;
    let (name, group) = ("appliance.example.test", scene.add_security_group("dns-sg").await?);
    for n in 0..50 {
        scene.put_rule(&group, &format!("192.168.{n}.0/24"), 22).await?;
    }
    let set = async |addresses: &[String]| {
        cloud.set_name(name, &addresses.iter().map(String::as_str).collect::<Vec<_>>(), "NOERROR").await
    };
    let some: Vec<String> = (4..8).map(|n| format!("10.1.0.{n}")).collect();
    set(&some).await?;
    let source = json!({"Dns": {"HostName": name}});
    deploy(&cloud, "dns-sg", spec(source, to_security_group(&group))).await?;
    assert_eq!(scene.let_in(&group, 8443).await?, ranges(&some));

    let more: Vec<String> = (0..16).map(|n| format!("10.1.0.{n}")).collect();
    set(&more).await?;
    sync(&cloud, "dns-sg").await?;
    assert_eq!(scene.let_in(&group, 8443).await?, ["10.1.0.0/28"], "these sixteen and nobody else");

    let scattered: Vec<String> = (0..40).map(|n| format!("10.2.0.{}", 2 * n)).collect();
    set(&scattered).await?;
    let refused = cloud.invoke(json!({"command": "sync", "name": "dns-sg/Binding"})).await?.unwrap_err();
    assert_eq!(refused.error_type, "LimitExceeded");
    assert!(refused.message.contains("L-0EA8095F"), "{refused}");
    assert!(scene.let_in(&group, 8443).await?.contains(&"10.1.0.0/28".to_owned()), "who was let in still is");
    cloud.remove("dns-sg").await?;
    assert!(scene.let_in(&group, 8443).await?.is_empty());
    assert_eq!(scene.let_in(&group, 22).await?.len(), 50);
    Ok(())
}

#[tokio::test]
async fn a_vpc_endpoints_addresses_are_let_in_by_a_security_group() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "endpoint-sg").await?;
    let group = scene.add_security_group("endpoint-sg").await?;
    let source = json!({"VpcEndpoint": {"VpcEndpointId": scene.endpoint}});
    deploy(&cloud, "endpoint-sg", spec(source, to_security_group(&group))).await?;
    assert_eq!(scene.let_in(&group, 8443).await?, ranges(&scene.addresses(&scene.endpoint).await?));

    scene.change_subnets(&scene.endpoint, Some(2), None).await?;
    let told = event("vpc-endpoint-modified", &[("vpce-0a1b2c3d4e5f67890", &scene.endpoint)])?;
    cloud.send_event(&told).await?;
    cloud
        .until("the third zone is let in", EVENT_SECONDS_MAX, async || {
            Ok(scene.let_in(&group, 8443).await? == ranges(&scene.addresses(&scene.endpoint).await?))
        })
        .await?;
    cloud.remove("endpoint-sg").await?;
    assert!(scene.let_in(&group, 8443).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_does_not_go_together_is_refused_before_anything_is_made() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "mismatched").await?;
    let instances = scene.add_unused_group("mismatched-i", TargetTypeEnum::Instance).await?;
    let balancer = scene.add_balancer("mismatched-source", &[0, 1]).await?;
    cloud.set_name("refused.example.test", &["10.20.0.9"], "NOERROR").await?;
    let missing_group = "sg-00000000000000000";
    let missing_balancer = balancer.replace("/mismatched-source/", "/nobodys/");
    let endpoint = json!({"VpcEndpoint": {"VpcEndpointId": scene.endpoint}});
    let dns = |name: &str| json!({"Dns": {"HostName": name}});
    for (source, sink, error_type, says) in [
        (endpoint.clone(), to_group(&instances), "InvalidInput", "does not take IP addresses"),
        (
            json!({"LoadBalancer": {"LoadBalancerArn": balancer}}),
            to_group(&instances),
            "InvalidInput",
            "target type ip",
        ),
        (dns("refused.example.test"), to_group(&instances), "InvalidInput", "Source.Dns"),
        (endpoint, to_security_group(missing_group), "NotFound", "Sink.SecurityGroup"),
        (
            json!({"LoadBalancer": {"LoadBalancerArn": missing_balancer}}),
            to_group(&scene.group),
            "NotFound",
            "does not exist",
        ),
        (dns("nobody.example.test"), to_group(&scene.group), "NotFound", "no A record"),
        (
            json!({"Nodes": {"AutoScalingGroupNames": ["nobodys"]}}),
            to_group(&instances),
            "NotFound",
            "AutoScalingGroupNames: nobodys does not exist",
        ),
    ] {
        let command = json!({"command": "apply", "name": "refused", "spec": spec(source, sink)});
        let refused = cloud.invoke(command).await?.unwrap_err();
        assert_eq!(refused.error_type, error_type, "{refused}");
        assert!(refused.message.contains(says), "{refused}");
    }
    let found = cloud.invoke(json!({"command": "get", "name": "refused"})).await?.unwrap_err();
    assert_eq!(found.error_type, "NotFound", "nothing was written down");
    Ok(())
}

//! The local cloud is as strict as AWS where it matters: what moto lets pass and AWS does not is patched, and this holds
//! the patches to AWS's documentation.

use anyhow::Result;
use aws_sdk_ec2::types::{IpPermission, IpRange};
use aws_sdk_elasticloadbalancingv2::error::ProvideErrorMetadata;
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetTypeEnum};
use tests::{Cloud, Fleet, Scene};

fn target(id: &str, port: i32) -> TargetDescription {
    TargetDescription::builder().id(id).port(port).build()
}

#[tokio::test]
async fn an_endpoint_has_an_interface_with_an_address_in_each_subnet() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "endpoint").await?;
    let addresses = scene.addresses(&scene.endpoint).await?;
    assert!(addresses.len() == 2 && addresses[0].starts_with("10.20.0.") && addresses[1].starts_with("10.20.16."));
    let interfaces = scene.interfaces(&scene.endpoint).await?;
    let answer = cloud.ec2.describe_network_interfaces().network_interface_ids(&interfaces[0].0).send().await?;
    let interface = &answer.network_interfaces()[0];
    assert_eq!(interface.description(), Some(format!("VPC Endpoint Interface {}", scene.endpoint).as_str()));
    assert_eq!(interface.interface_type().map(|kind| kind.as_str()), Some("vpc_endpoint"));

    scene.change_subnets(&scene.endpoint, Some(2), Some(0)).await?;
    let moved = scene.addresses(&scene.endpoint).await?;
    assert!(moved[0] == addresses[1] && moved[1].starts_with("10.20.32."), "{moved:?}");
    scene.change_subnets(&scene.endpoint, Some(0), None).await?;
    assert_ne!(scene.addresses(&scene.endpoint).await?[0], addresses[0], "a new interface has a new address");

    cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&scene.endpoint).send().await?;
    let error = cloud.ec2.describe_vpc_endpoints().vpc_endpoint_ids(&scene.endpoint).send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidVpcEndpointId.NotFound"));
    Ok(())
}

#[tokio::test]
async fn targets_are_told_apart_by_port_and_drain() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "targets").await?;
    scene.set_attribute(&scene.group, "deregistration_delay.timeout_seconds", "1").await?;
    let register = |targets: Vec<TargetDescription>| {
        cloud.elb.register_targets().target_group_arn(&scene.group).set_targets(Some(targets)).send()
    };
    let deregister =
        |one: TargetDescription| cloud.elb.deregister_targets().target_group_arn(&scene.group).targets(one).send();
    register(vec![target("10.20.0.9", 443), target("10.20.0.9", 8443)]).await?;
    assert_eq!(scene.targets(&scene.group).await?.len(), 2);
    deregister(TargetDescription::builder().id("10.20.0.9").build()).await?;
    deregister(target("10.20.0.77", 443)).await?;
    let targets = scene.targets(&scene.group).await?;
    assert_eq!(targets[&("10.20.0.9".into(), 443)], "draining");
    assert_eq!(targets[&("10.20.0.9".into(), 8443)], "healthy");
    cloud.until("a drained target is gone", 5, async || Ok(scene.targets(&scene.group).await?.len() == 1)).await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_batch_registers_nothing() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "refused").await?;
    for (bad, code) in [("192.168.7.7", "InvalidTarget"), ("not-an-address", "ValidationError")] {
        let targets = vec![target("10.20.0.9", 443), target(bad, 443)];
        let call = cloud.elb.register_targets().target_group_arn(&scene.group).set_targets(Some(targets));
        assert_eq!(call.send().await.unwrap_err().code(), Some(code));
        assert!(scene.targets(&scene.group).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn targets_of_a_group_that_nothing_routes_to_are_unused() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "unused").await?;
    let group = scene.add_unused_group("unused-idle", TargetTypeEnum::Ip).await?;
    scene.put_target(&group, "10.20.0.9").await?;
    assert_eq!(scene.targets(&group).await?.into_values().collect::<Vec<_>>(), ["unused"]);
    Ok(())
}

#[tokio::test]
async fn a_lifecycle_hook_holds_a_node_until_its_action_is_completed() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "patched-hooks").await?;
    let fleet = Fleet::build(&cloud, &scene, "patched-hooks", 2).await?;
    fleet.add_hook("drain", "autoscaling:EC2_INSTANCE_TERMINATING").await?;
    let node = fleet.in_service().await?.remove(0);
    fleet.terminate(&node).await?;
    let state = async || -> Result<Option<String>> {
        Ok(fleet.nodes().await?.into_iter().find(|(id, _, _)| *id == node).map(|(_, state, _)| state))
    };
    assert_eq!(state().await?.as_deref(), Some("Terminating:Wait"));
    let (waiting, _) = cloud.lifecycle_actions(&fleet.name).await?;
    let complete = async |token: &str| {
        let call = cloud.auto_scaling.complete_lifecycle_action().auto_scaling_group_name(&fleet.name);
        let call = call.lifecycle_hook_name("drain").lifecycle_action_token(token);
        call.lifecycle_action_result("CONTINUE").send().await.map_err(|e| e.into_service_error())
    };
    let token = waiting[0]["LifecycleActionToken"].as_str().unwrap_or_default();
    complete(token).await?;
    assert_eq!(state().await?, None);
    let again = complete(token).await.unwrap_err();
    assert!(again.message().is_some_and(|text| text.starts_with("No active Lifecycle Action")), "{again:?}");

    let answer = cloud.ec2.describe_instances().instance_ids(&node).send().await?;
    let instance = answer.reservations()[0].instances()[0].clone();
    assert_eq!(instance.state().and_then(|state| state.name()).map(|name| name.as_str()), Some("terminated"));
    assert!(instance.private_ip_address().is_none() && !instance.tags().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_load_balancers_interfaces_follow_its_subnets() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "patched-subnets").await?;
    let balancer = scene.add_balancer("patched-subnets-more", &[0, 1]).await?;
    let before = scene.balancer_addresses(&balancer).await?;
    let subnets = vec![scene.subnets[1].clone(), scene.subnets[2].clone()];
    cloud.elb.set_subnets().load_balancer_arn(&balancer).set_subnets(Some(subnets)).send().await?;
    let after = scene.balancer_addresses(&balancer).await?;
    assert_eq!((before.len(), after.len(), after.contains(&before[1])), (2, 2, true));
    Ok(())
}

#[tokio::test]
async fn a_refused_request_adds_no_rule() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "patched-rules").await?;
    let group = scene.add_security_group("patched-rules").await?;
    scene.put_rule(&group, "10.0.0.2/32", 443).await?;
    let range = |cidr: &str| IpRange::builder().cidr_ip(cidr).build();
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443);
    let permission = permission.ip_ranges(range("10.0.0.1/32")).ip_ranges(range("10.0.0.2/32")).build();
    let call = cloud.ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(permission);
    assert!(call.send().await.is_err());
    assert_eq!(scene.let_in(&group, 443).await?, ["10.0.0.2/32"]);
    Ok(())
}

#[tokio::test]
async fn api_gateways_lists_have_pages_and_a_key_fits_one_plan_of_a_stage() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let gateway = &cloud.api_gateway;
    let (ids, _) = cloud.make_apis("123456789012", 30, &["prod"], None).await?;
    let first = gateway.get_rest_apis().send().await?;
    assert_eq!((first.items().len(), first.position().is_some()), (25, true));
    let rest = gateway.get_rest_apis().set_position(first.position).limit(500).send().await?;
    assert!(rest.items().len() >= 5 && rest.position().is_none());

    let key = gateway.create_api_key().name("paged").enabled(true).send().await?.id.unwrap_or_default();
    let found = gateway.get_api_keys().name_query("page").send().await?;
    assert_eq!((found.items().len(), found.items()[0].value()), (1, None), "values are for who asks for them");
    assert!(gateway.get_api_key().api_key(&key).include_value(true).send().await?.value().is_some());
    let stage = aws_sdk_apigateway::types::ApiStage::builder().api_id(&ids[0]).stage("prod").build();
    let mut plans = Vec::new();
    for name in ["paged-1", "paged-2"] {
        let plan = gateway.create_usage_plan().name(name).api_stages(stage.clone()).send().await?;
        plans.push(plan.id.unwrap_or_default());
    }
    let attach =
        |plan: &str| gateway.create_usage_plan_key().usage_plan_id(plan).key_id(&key).key_type("API_KEY").send();
    attach(&plans[0]).await?;
    for plan in &plans {
        assert_eq!(attach(plan).await.unwrap_err().code(), Some("ConflictException"));
    }
    gateway.delete_api_key().api_key(&key).send().await?;
    assert_eq!(gateway.delete_api_key().api_key(&key).send().await.unwrap_err().code(), Some("NotFoundException"));
    assert!(gateway.get_usage_plan_keys().usage_plan_id(&plans[0]).send().await?.items().is_empty());
    Ok(())
}

//! A Kubernetes Service behind API Gateway, also when it is made anew: `examples/eks-service`.

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerSchemeEnum, LoadBalancerTypeEnum, Tag};
use serde_json::json;

use super::{rest_api, shown};
use crate::example::Example;
use crate::{Cloud, Scene};

/// What the AWS Load Balancer Controller makes for the Service.
async fn balancer(cloud: &Cloud, scene: &Scene, name: &str) -> Result<String> {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let call = cloud.elb.create_load_balancer().name(name).r#type(LoadBalancerTypeEnum::Network);
    let call = call.scheme(LoadBalancerSchemeEnum::Internal).set_subnets(Some(scene.subnets.clone()));
    let call =
        call.tags(tag("elbv2.k8s.aws/cluster", "eks")).tags(tag("service.k8s.aws/stack", "default/foobar-service"));
    let made = call.send().await?;
    Ok(made.load_balancers().first().and_then(|one| one.load_balancer_arn()).context("no NLB")?.to_owned())
}

pub(super) async fn play(cloud: &Cloud) -> Result<Vec<String>> {
    let scene = Scene::build(cloud, "eks").await?;
    let first = balancer(cloud, &scene, "foobar").await?;
    let api = rest_api(cloud, "foregate-eks-service").await?;
    let example = Example::load("eks-service/template.yaml")?.with("ClusterName", "eks").with("Api", api.clone());
    example.deploy(cloud, "foobar").await?;
    let dns_name = scene.dns_name(&first).await?;
    let route = format!("ANY /{{proxy+}} [open] -> http://{dns_name}/{{proxy}} through foobar");
    let routes = shown(cloud, &api, "live").await?;
    ensure!(routes == [route.clone()], "{routes:#?}");
    let (_, document) = cloud.stage(&api, "live").await?;
    let integration =
        &document["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"];
    let mapped = json!({
        "integration.request.header.Accept": "'application/json'",
        "integration.request.header.Authorization": "method.request.header.Authorization",
        "integration.request.path.proxy": "method.request.path.proxy",
    });
    ensure!(integration["requestParameters"] == mapped, "{integration}");
    let target = async || -> Result<String> {
        let (_, document) = cloud.stage(&api, "live").await?;
        let operation = &document["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"];
        let id = operation["x-amazon-apigateway-integration"]["connectionId"].as_str().unwrap_or_default().to_owned();
        let link = cloud.api_gateway.get_vpc_link().vpc_link_id(id).send().await?;
        Ok(link.target_arns().first().cloned().unwrap_or_default())
    };
    let mut lines = vec![route, format!("leads to {}", target().await?)];

    // The Service gets another load balancer: everything re-points, and the old one can go.
    let second = balancer(cloud, &scene, "foobar-2").await?;
    let queue = std::env::var("LINKS_QUEUE_URL")?;
    let created = include_str!("../../../events/links.load-balancer-created.json");
    cloud.sqs.send_message().queue_url(&queue).message_body(created).send().await?;
    cloud.until("the route leads to the new load balancer", 90, async || Ok(target().await? == second)).await?;
    let goes = async || Ok(cloud.elb.delete_load_balancer().load_balancer_arn(&first).send().await.is_ok());
    cloud.until("the old load balancer can go", 90, goes).await?;
    lines.push(format!("then to   {}", target().await?));
    cloud.remove("foobar").await?;
    lines.push("removed: no route, no link".into());
    Ok(lines)
}

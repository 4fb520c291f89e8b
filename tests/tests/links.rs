//! VPC links that follow their load balancers, through the deployed functions on the local cloud.

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerSchemeEnum, LoadBalancerTypeEnum, Tag};
use serde_json::{Value, json};
use tests::{Cloud, Door, FunctionError, RETRY_SECONDS_MAX, Scene};

/// Makes a Network Load Balancer; its ARN and DNS name.
async fn balancer(cloud: &Cloud, scene: &Scene, name: &str, tags: &[(&str, &str)]) -> Result<(String, String)> {
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let call = cloud.elb.create_load_balancer().name(name).set_subnets(Some(scene.subnets.clone()));
    let call = call.r#type(LoadBalancerTypeEnum::Network).scheme(LoadBalancerSchemeEnum::Internal);
    let answer = call.set_tags((!tags.is_empty()).then_some(tags)).send().await?;
    let made = answer.load_balancers().first().context("no load balancer")?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok((text(made.load_balancer_arn()), text(made.dns_name())))
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

async fn links(cloud: &Cloud, payload: Value) -> Result<Result<Value, FunctionError>> {
    cloud.ask("links", None, payload).await
}

fn template(cloud_token: &str, name: &str, load_balancer: Value) -> Value {
    let get_att = |attribute: &str| json!({"Value": {"Fn::GetAtt": ["Link", attribute]}});
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Link": {"Type": "Custom::VpcLink", "Properties": {
            "ServiceToken": cloud_token, "Name": name, "LoadBalancer": load_balancer,
        }}},
        "Outputs": {
            "VpcLinkId": get_att("VpcLinkId"), "LoadBalancerArn": get_att("LoadBalancerArn"), "DnsName": get_att("DnsName"),
        },
    })
}

/// The VPC links of the account that lead to this load balancer: id and status.
async fn to(cloud: &Cloud, arn: &str) -> Result<Vec<(String, String)>> {
    let all = cloud.api_gateway.get_vpc_links().limit(500).send().await?;
    let fitting = all.items().iter().filter(|link| link.target_arns().iter().any(|target| target == arn));
    let one = |link: &aws_sdk_apigateway::types::VpcLink| {
        (link.id().unwrap_or_default().to_owned(), link.status().map_or("", |one| one.as_str()).to_owned())
    };
    Ok(fitting.map(one).collect())
}

#[tokio::test]
async fn a_message_that_fails_once_is_worked_off_within_seconds() -> Result<()> {
    let cloud = Cloud::connect().await?;
    cloud.set_link_seconds("retried", 1).await?;
    let scene = Scene::build(&cloud, "retry").await?;
    balancer(&cloud, &scene, "retried-nlb", &[]).await?;
    let spec = json!({"LoadBalancer": {"LoadBalancerName": "retried-nlb"}});
    links(&cloud, json!({"command": "apply", "name": "retried", "spec": spec})).await??;
    let is_available = async || {
        let link = links(&cloud, json!({"command": "get", "name": "retried"})).await??;
        Ok(link["attributes"]["VpcLinkId"].is_string())
    };
    cloud.until("the link is there, and nothing looks at it any more", 60, is_available).await?;
    let looks = async || -> Result<usize> {
        let calls = cloud.calls().await?;
        let its = |(action, arguments): &&(String, String)| {
            action == "DescribeLoadBalancers" && arguments.contains("retried-nlb")
        };
        Ok(calls.iter().filter(its).count())
    };
    let before = looks().await?;
    // As often as the SDK tries by itself: the function's call fails once.
    cloud.throttle_calls("DescribeLoadBalancers", "retried-nlb", 5).await?;
    let queue = std::env::var("LINKS_QUEUE_URL")?;
    let recheck = ::links::queue::recheck(&"retried".parse()?, 0, 0).body.to_string();
    cloud.sqs.send_message().queue_url(&queue).message_body(recheck).send().await?;
    cloud.until("the message came back", RETRY_SECONDS_MAX, async || Ok(looks().await? >= before + 6)).await
}

#[tokio::test]
async fn a_stack_hears_of_its_link_when_that_is_available_and_when_it_is_gone() -> Result<()> {
    let cloud = Cloud::connect().await?;
    cloud.set_link_seconds("link", 3).await?;
    let token = std::env::var("LINKS_SERVICE_TOKEN")?;
    let scene = Scene::build(&cloud, "link").await?;
    let (arn, dns_name) = balancer(&cloud, &scene, "link", &[]).await?;
    let stack = cloud.deploy_template("link", template(&token, "link", json!({"LoadBalancerArn": arn}))).await?;
    assert_eq!(stack.status, "CREATE_COMPLETE", "{:?}", stack.reasons);
    let made = to(&cloud, &arn).await?;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].1, "AVAILABLE", "the stack was told before its link was there");
    assert_eq!(stack.output("VpcLinkId"), Some(made[0].0.as_str()));
    assert_eq!(
        (stack.output("LoadBalancerArn"), stack.output("DnsName")),
        (Some(arn.as_str()), Some(dns_name.as_str()))
    );

    // Another name to the same load balancer needs no other link.
    let shared = links(
        &cloud,
        json!({"command": "apply", "name": "link-too", "spec": {"LoadBalancer": {"LoadBalancerName": "link"}}}),
    );
    assert_eq!(shared.await??["attributes"]["VpcLinkId"], made[0].0);
    links(&cloud, json!({"command": "delete", "name": "link-too"})).await??;
    assert_eq!(to(&cloud, &arn).await?.len(), 1, "the stack's link needs it");

    // Somebody else can't have the name, nor delete it behind the stack's back.
    let taken =
        links(&cloud, json!({"command": "apply", "name": "link", "spec": {"LoadBalancer": {"LoadBalancerArn": arn}}}));
    assert_eq!(taken.await?.unwrap_err().error_type, "Conflict");
    let delete = links(&cloud, json!({"command": "delete", "name": "link"}));
    assert_eq!(delete.await?.unwrap_err().error_type, "Conflict");

    cloud.remove("link").await?;
    assert!(to(&cloud, &arn).await?.is_empty(), "the stack was told before its link was gone");
    let failed =
        cloud.deploy_template("link-none", template(&token, "link-none", json!({"LoadBalancerName": "none"}))).await?;
    assert!(failed.status.starts_with("ROLLBACK"), "{failed:?}");
    assert!(
        failed.reasons.iter().any(|reason| reason.contains("there is no Network Load Balancer that is")),
        "{failed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_route_follows_its_service_to_another_load_balancer_and_the_old_link_goes_after_that() -> Result<()> {
    let cloud = Cloud::connect().await?;
    cloud.set_link_seconds("web", 3).await?;
    let scene = Scene::build(&cloud, "service").await?;
    let tags = [("elbv2.k8s.aws/cluster", "prod"), ("service.k8s.aws/stack", "shop/web")];
    let (old, _) = balancer(&cloud, &scene, "k8s-old", &tags).await?;
    let service = json!({"ClusterName": "prod", "Namespace": "shop", "Name": "web"});
    let spec = json!({"LoadBalancer": {"KubernetesService": service}});
    let plan = links(&cloud, json!({"command": "plan", "name": "web", "spec": spec})).await??;
    assert_eq!(plan["plan"], format!("+ a VPC link to {old}\nPENDING: the link is being made, which takes minutes\n"));
    assert!(to(&cloud, &old).await?.is_empty(), "a plan makes nothing");
    let answer = links(&cloud, json!({"command": "apply", "name": "web", "spec": spec})).await??;
    assert_eq!(answer["status"], "PENDING");

    let door = Door::build(&cloud, "service").await?;
    let mut route = door.route("/shop/{proxy+}", json!("ANY"));
    route["Backend"] = json!({"Http": {"Link": "web", "Url": "http://web.example.com/{proxy}"}});
    // The route is registered while its link is being made, and goes live when that is there.
    door.routes(None, json!({"command": "apply", "name": "shop", "spec": route})).await??;
    let led = async || -> Result<String> {
        let document = cloud.stage(&door.api, "live").await.map(|(_, document)| document).unwrap_or_default();
        let operation = &document["paths"]["/shop/{proxy+}"]["x-amazon-apigateway-any-method"];
        let id = operation["x-amazon-apigateway-integration"]["connectionId"].as_str().unwrap_or_default().to_owned();
        Ok(id)
    };
    let first = to(&cloud, &old).await?.first().context("no link")?.0.clone();
    cloud.until("the route is live", 90, async || Ok(led().await? == first)).await?;
    let refused = links(&cloud, json!({"command": "delete", "name": "web"})).await?.unwrap_err();
    assert_eq!(refused.error_type, "Blocked");

    // The controller makes another load balancer for the Service, and can't delete the old one while its link is there.
    let (new, dns_name) = balancer(&cloud, &scene, "k8s-new", &tags).await?;
    let queue = std::env::var("LINKS_QUEUE_URL")?;
    let tell = async |event: String| -> Result<()> {
        cloud.sqs.send_message().queue_url(&queue).message_body(event).send().await?;
        Ok(())
    };
    let created = include_str!("../../events/links.load-balancer-created.json");
    let drop_balancer = async |arn: &str| cloud.elb.delete_load_balancer().load_balancer_arn(arn).send().await.is_ok();
    assert!(!drop_balancer(&old).await, "AWS would refuse this");
    tell(created.to_owned()).await?;
    let leads_to = async |arn: &str| -> Result<bool> {
        let led = led().await?;
        Ok(to(&cloud, arn).await?.iter().any(|(id, _)| *id == led))
    };
    cloud.until("the route leads to the new load balancer", 120, async || leads_to(&new).await).await?;
    cloud.until("the old load balancer can go", 90, async || Ok(drop_balancer(&old).await)).await?;
    let stands = links(&cloud, json!({"command": "get", "name": "web"})).await??;
    assert_eq!((&stands["status"], &stands["attributes"]["DnsName"]), (&json!("AVAILABLE"), &json!(dns_name)));
    // The stage's variable leads to the new link: no revision was needed for that.
    let back = door.publisher("rollback", None).await.unwrap_err().to_string();
    assert!(back.contains("no such revision"), "{back}");

    // The Service is deleted: its controller tries to delete the load balancer, again and again, and the link lets go.
    let refused = |seconds: u64| {
        let event = include_str!("../../events/links.load-balancer-in-use.json");
        let mut event: Value = serde_json::from_str(event)?;
        event["detail"]["requestParameters"]["loadBalancerArn"] = json!(new);
        event["time"] = json!(
            aws_sdk_sqs::primitives::DateTime::from_secs(now() + i64::try_from(seconds)?)
                .fmt(aws_sdk_sqs::primitives::DateTimeFormat::DateTime)?
        );
        anyhow::Ok(event.to_string())
    };
    tell(refused(0)?).await?;
    tell(refused(2)?).await?;
    links(&cloud, json!({"command": "sync", "name": "web"})).await??;
    assert!(leads_to(&new).await?, "one try may be a mistake");
    tell(refused(20)?).await?;
    cloud.until("the load balancer can go", 120, async || Ok(drop_balancer(&new).await)).await?;
    let waiting = door.routes(None, json!({"command": "get", "name": "shop"})).await??;
    assert_eq!(waiting["status"], "WAITING", "{waiting}");
    // It comes back, and so does the route.
    let (third, _) = balancer(&cloud, &scene, "k8s-third", &tags).await?;
    tell(created.to_owned()).await?;
    cloud.until("the route leads to the third load balancer", 120, async || leads_to(&third).await).await?;
    Ok(())
}

#[tokio::test]
async fn what_no_link_can_be_made_of_is_refused() -> Result<()> {
    let cloud = Cloud::connect().await?;
    for (spec, error_type) in [
        (json!({}), "InvalidInput"),
        (json!({"LoadBalancer": {}}), "InvalidInput"),
        (json!({"LoadBalancer": {"LoadBalancerName": "none"}}), "NotFound"),
        (
            json!({"LoadBalancer": {"LoadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/a/0123456789abcdef"}}),
            "InvalidInput",
        ),
        (json!({"Name": "other", "LoadBalancer": {"LoadBalancerName": "none"}}), "InvalidInput"),
    ] {
        let refused = links(&cloud, json!({"command": "apply", "name": "bad", "spec": spec})).await?;
        let refused = refused.err().with_context(|| format!("let in: {spec}"))?;
        assert_eq!(refused.error_type, error_type, "{spec}: {refused}");
    }
    for verb in ["get", "plan", "sync"] {
        let none = links(&cloud, json!({"command": verb, "name": "bad"})).await?.unwrap_err();
        assert_eq!(none.error_type, "NotFound", "{none}");
    }
    let gone = links(&cloud, json!({"command": "delete", "name": "bad"})).await??;
    assert_eq!(gone["status"], "DELETED");
    Ok(())
}

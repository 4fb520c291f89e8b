//! What a front door keeps of its REST API, what it gives back, and what it tells of, through the deployed functions.

use anyhow::{Context, Result};
use aws_sdk_apigateway::types::{GatewayResponseType, IntegrationType, Op, PatchOperation};
use serde_json::{Value, json};
use tests::{Cloud, Door, Listener, definition};

fn apply(name: &str, spec: Value) -> Value {
    json!({"command": "apply", "name": name, "spec": spec})
}

/// Puts `GET /theirs/{theirId}` on the REST API, as somebody would who knows nothing of Foregate.
async fn build_theirs(door: &Door) -> Result<()> {
    let gateway = &door.cloud.api_gateway;
    let resources = gateway.get_resources().rest_api_id(&door.api).send().await?;
    let root = resources.items().first().and_then(|one| one.id()).context("no root")?.to_owned();
    let mut parent = root;
    for part in ["theirs", "{theirId}"] {
        let made = gateway.create_resource().rest_api_id(&door.api).parent_id(parent).path_part(part).send().await?;
        parent = made.id().context("no id")?.to_owned();
    }
    let call = gateway.put_method().rest_api_id(&door.api).resource_id(&parent).http_method("GET");
    call.authorization_type("NONE").send().await?;
    let call = gateway.put_integration().rest_api_id(&door.api).resource_id(&parent).http_method("GET");
    call.r#type(IntegrationType::Mock).request_templates("application/json", "{\"statusCode\": 200}").send().await?;
    Ok(())
}

/// What the REST API has, deployed or not.
async fn resources(door: &Door) -> Result<Vec<String>> {
    let all = door.cloud.api_gateway.get_resources().rest_api_id(&door.api).embed("methods").send().await?;
    let mut paths: Vec<String> = all.items().iter().filter_map(|one| one.path().map(str::to_owned)).collect();
    paths.sort();
    Ok(paths)
}

#[tokio::test]
async fn in_merge_mode_foreign_paths_stay_as_they_are() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build_with(&cloud, "merge", json!({"Mode": "Merge"})).await?;
    build_theirs(&door).await?;
    let mut ours = door.route("/ours/{id}/toys", json!("GET"));
    ours["Cors"] = json!({"AllowOrigins": ["https://portal.example.com"], "MaxAgeSeconds": "600"});
    door.routes(None, apply("ours", ours)).await??;
    let all = ["get /ours/{p2}/toys", "options /ours/{p2}/toys", "get /theirs/{theirId}"];
    assert_eq!(door.live().await?, all);
    let theirs = async || anyhow::Ok(cloud.stage(&door.api, "live").await?.1["paths"]["/theirs/{theirId}"].to_string());
    let before = theirs().await?;
    let (_, document) = cloud.stage(&door.api, "live").await?;
    let preflight = &document["paths"]["/ours/{p2}/toys"]["options"]["x-amazon-apigateway-integration"];
    let origin =
        &preflight["responses"]["default"]["responseParameters"]["method.response.header.Access-Control-Allow-Origin"];
    assert_eq!(origin, "'https://portal.example.com'");

    // What is there already is nobody's to take; beside it there is room, under the name that its variable has.
    let taken = door.routes(None, apply("taken", door.route("/theirs/{id}", json!("ANY")))).await?.unwrap_err();
    assert_eq!(taken.error_type, "Conflict");
    assert!(taken.message.contains("GET /theirs/{theirId}, which is the platform team's own"), "{taken}");
    door.routes(None, apply("beside", door.route("/theirs/{id}/ours", json!("PUT")))).await??;
    assert_eq!(door.live().await?[3..], ["put /theirs/{theirId}/ours"]);

    for name in ["ours", "beside"] {
        door.routes(None, json!({"command": "delete", "name": name})).await??;
    }
    cloud.until("ours are off", 40, async || Ok(door.live().await? == all[2..])).await?;
    assert_eq!(resources(&door).await?, ["/", "/theirs", "/theirs/{theirId}"]);
    assert_eq!(theirs().await?, before, "byte for byte");
    Ok(())
}

#[tokio::test]
async fn what_foregate_does_not_own_of_the_api_is_carried_and_what_it_owned_goes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "carried").await?;
    let gateway = &cloud.api_gateway;
    let call = gateway.put_gateway_response().rest_api_id(&door.api).response_type(GatewayResponseType::Default4Xx);
    call.response_templates("application/json", "{\"theirs\": true}").status_code("418").send().await?;
    let media = PatchOperation::builder().op(Op::Add).path("/binaryMediaTypes/image~1png").value("image/png").build();
    gateway.update_rest_api().rest_api_id(&door.api).patch_operations(media).send().await?;
    let own = json!({
        "x-amazon-apigateway-gateway-responses": {"UNAUTHORIZED": {"statusCode": "401", "responseTemplates": {"application/json": "{}"}}},
    });
    door.set(json!({"BaseDefinition": own.to_string()})).await?;
    door.routes(None, apply("one", door.route("/one", json!("GET")))).await??;
    let responses = async || -> Result<Vec<String>> {
        let all = gateway.get_gateway_responses().rest_api_id(&door.api).send().await?;
        let set = all.items().iter().filter(|one| !one.default_response());
        let mut types: Vec<String> = set.filter_map(|one| Some(one.response_type()?.as_str().to_owned())).collect();
        types.sort();
        Ok(types)
    };
    assert_eq!(responses().await?, ["DEFAULT_4XX", "UNAUTHORIZED"]);
    door.set(json!({})).await?;
    cloud
        .until(
            "what came from the base definition goes with it",
            40,
            async || Ok(responses().await? == ["DEFAULT_4XX"]),
        )
        .await?;
    let kept = gateway.get_gateway_response().rest_api_id(&door.api).response_type(GatewayResponseType::Default4Xx);
    assert_eq!(kept.send().await?.status_code(), Some("418"));
    let api = gateway.get_rest_api().rest_api_id(&door.api).send().await?;
    assert_eq!(api.binary_media_types(), ["image/png"]);
    Ok(())
}

#[tokio::test]
async fn who_was_refused_what_and_what_was_edited_by_hand_is_told_on_the_bus() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "told-door").await?;
    let account = "111100000005";
    door.tenant(account, &["/told"]).await?;
    let refusals = Listener::start(&cloud, "told-refusals", json!({"account": [account]})).await?;
    let drift = Listener::start(&cloud, "told-drift", json!({"frontDoor": ["told-door"], "edits": [{"exists": true}]}));
    let drift = drift.await?;

    let denied = door.routes(Some(account), apply("thief", door.route("/other", json!("GET")))).await?;
    assert_eq!(denied.unwrap_err().error_type, "Forbidden");
    let spoofed = json!({
        "RequestType": "Create", "ResponseURL": "https://evil.example/?X-Amz-Signature=secret", "RequestId": "r1",
        "StackId": "arn:aws:cloudformation:eu-west-1:999999999999:stack/s/1", "ResourceType": "Custom::Route",
        "LogicalResourceId": "Spoof", "ResourceProperties": door.route("/told", json!("GET")),
    });
    assert_eq!(door.routes(Some(account), spoofed).await?.unwrap_err().error_type, "Forbidden");
    let elsewhere = json!({
        "RequestType": "Create", "ResponseURL": "https://evil.example/?X-Amz-Signature=secret", "RequestId": "r2",
        "StackId": format!("arn:aws:cloudformation:eu-west-1:{account}:stack/s/1"), "ResourceType": "Custom::Route",
        "LogicalResourceId": "Elsewhere", "ResourceProperties": door.route("/told", json!("GET")),
    });
    assert_eq!(door.routes(Some(account), elsewhere).await?.unwrap_err().error_type, "Forbidden");
    let mut huge = door.route("/told", json!("GET"));
    huge["Headers"] = json!({"X-A": "x".repeat(5 << 20)});
    assert_eq!(door.routes(Some(account), apply("huge", huge)).await?.unwrap_err().error_type, "InvalidInput");
    let told = refusals.events(4).await?;
    for (name, error_type) in
        [("thief", "Forbidden"), ("Spoof", "Forbidden"), ("Elsewhere", "Forbidden"), ("huge", "InvalidInput")]
    {
        let event = told.iter().find(|event| event["detail"]["name"].as_str().is_some_and(|said| said.contains(name)));
        let event = event.with_context(|| format!("nothing about {name}: {told:?}"))?;
        assert_eq!(
            (&event["detail-type"], &event["detail"]["errorType"]),
            (&json!("Route Rejected"), &json!(error_type))
        );
        assert!(!event.to_string().contains("Signature"), "{event}");
    }

    let listed = door.routes(Some(account), json!({"command": "list"})).await??;
    assert_eq!(listed, json!({"items": []}), "nothing was written");

    // An edit by hand is found by the schedule, told of, and taken back.
    door.routes(None, apply("one", door.route("/one", json!(["GET", "PUT"])))).await??;
    let all = cloud.api_gateway.get_resources().rest_api_id(&door.api).send().await?;
    let one = all.items().iter().find(|one| one.path() == Some("/one")).and_then(|one| one.id()).context("no /one")?;
    cloud.api_gateway.delete_method().rest_api_id(&door.api).resource_id(one).http_method("PUT").send().await?;
    let deployment = cloud.api_gateway.create_deployment().rest_api_id(&door.api).stage_name("live").send().await?;
    assert!(deployment.id().is_some());
    assert_eq!(door.live().await?, ["get /one"]);
    let scheduled = include_str!("../../events/publisher.scheduled.json");
    cloud.ask("publisher", None, serde_json::from_str(scheduled)?).await??;
    assert_eq!(door.live().await?, ["get /one", "put /one"]);
    let event = &drift.events(1).await?[0];
    assert_eq!(event["detail"]["edits"], json!(["- PUT /one"]));
    assert_eq!(event["detail"]["repaired"], json!(true));
    Ok(())
}

#[tokio::test]
async fn a_full_front_door_and_a_full_grant_say_who_has_how_much() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build_with(&cloud, "full", json!({"ResourceLimit": "4"})).await?;
    let account = "111100000006";
    let spec =
        json!({"AccountId": account, "Prefixes": ["/full"], "BackendHosts": ["nlb.example.com"], "MaxRoutes": "2"});
    cloud.ask("tenants", None, apply("full", spec)).await??;
    let plan = async |fields: Value| {
        let mut spec =
            json!({"RestApiId": door.api, "StageName": "live", "PrivateApiLink": "full-private", "ResourceLimit": "4"});
        spec.as_object_mut().into_iter().for_each(|spec| spec.extend(fields.as_object().cloned().unwrap_or_default()));
        let answer = door.routes(None, json!({"command": "plan", "name": "full", "spec": spec})).await??;
        assert_eq!(answer["status"], "PLANNED");
        anyhow::Ok(answer["plan"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(plan(json!({})).await?, "keep the front door full");
    assert_eq!(plan(json!({"ResourceLimit": 400})).await?, "change the front door full");
    door.routes(Some(account), apply("one", door.route("/full/one", json!("GET")))).await??;
    let refused = door.routes(None, apply("large", door.route("/a/b/c", json!("GET")))).await?.unwrap_err();
    assert_eq!(refused.error_type, "LimitExceeded");
    assert!(refused.message.contains("would need 6 resources, and its REST API has 4"), "{refused}");
    assert!(refused.message.contains(&format!("account {account} 2")), "{refused}");
    door.routes(Some(account), apply("two", door.route("/full/two", json!("GET")))).await??;
    let refused = door.routes(Some(account), apply("three", door.route("/full", json!("GET")))).await?.unwrap_err();
    assert_eq!(refused.error_type, "LimitExceeded");
    assert!(refused.message.contains("has 2 routes on full, as many as it may"), "{refused}");
    assert_eq!(door.live().await?, ["get /full/one", "get /full/two"]);
    Ok(())
}

#[tokio::test]
async fn with_shards_each_first_segment_has_a_rest_api_below_the_custom_domain_name() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let domain = "sharded.example.com";
    let certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";
    let gateway = &cloud.api_gateway;
    gateway.create_domain_name().domain_name(domain).regional_certificate_arn(certificate).send().await?;
    let base = json!({"paths": {"/health": {"get": {
        "security": [], "responses": {"200": {"description": "Well"}},
        "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}},
    }}}});
    let fields =
        json!({"Shards": {"DomainName": domain}, "BaseDefinition": base.to_string(), "AllowedCidrs": ["192.0.2.0/24"]});
    let door = Door::build_with(&cloud, "sharded", fields).await?;
    let item =
        |path: &str| json!({"name": path.replace(['/', '{', '}', '+'], "-"), "spec": door.route(path, json!("GET"))});
    let items = ["/cats/{id}", "/cats", "/dogs/{proxy+}", "/{proxy+}"].map(item);
    let answer = door.routes(None, json!({"command": "apply", "items": items})).await??;
    assert_eq!(answer["items"][0]["attributes"]["Url"], format!("https://{domain}/cats/{{id}}"));
    let mut shown = Vec::new();
    for segment in ["cats", "dogs"] {
        let mapping = gateway.get_base_path_mapping().domain_name(domain).base_path(segment).send().await?;
        let (_, document) = cloud.stage(mapping.rest_api_id().unwrap_or_default(), "live").await?;
        assert!(document["x-amazon-apigateway-policy"].to_string().contains("192.0.2.0/24"), "{document}");
        let paths = document["paths"].as_object().into_iter().flatten();
        shown.extend(paths.map(|(path, item)| {
            format!("{segment}: {path} {}", item["get"]["x-amazon-apigateway-integration"]["uri"])
        }));
    }
    let uri = "\"http://nlb.example.com:8080/\"";
    let dogs = "dogs: /{proxy+} \"http://nlb.example.com:8080/{proxy}\"".to_owned();
    assert_eq!(shown, [format!("cats: / {uri}"), format!("cats: /{{p2}} {uri}"), dogs]);
    assert_eq!(door.live().await?, ["get /health", "get /{proxy+}"], "the front door's own has what no segment has");

    let refused = door.routes(None, apply("health", door.route("/health/x", json!("GET")))).await?.unwrap_err();
    assert_eq!(refused.error_type, "Conflict");
    let refused = door.set(json!({})).await.unwrap_err().to_string();
    assert!(refused.contains("has routes below sharded.example.com"), "{refused}");
    let listed = cloud.ask("publisher", None, json!({"command": "list"})).await??;
    let names: Vec<&str> =
        listed["items"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    for name in ["sharded", "sharded/cats", "sharded/dogs"] {
        assert!(names.contains(&name), "{names:?}");
    }
    door.routes(None, json!({"command": "delete", "name": "-cats"})).await??;
    let history = cloud.ask("publisher", None, json!({"command": "history", "name": "sharded/cats"})).await??;
    assert_eq!(history["items"][0]["changes"], json!(["- GET /cats [AWS_IAM] (account 123456789012, -cats)"]));
    let back = cloud.ask("publisher", None, json!({"command": "rollback", "name": "sharded/cats"})).await??;
    assert_eq!((&back["status"], &back["attributes"]["Revision"]), (&json!("ROLLED_BACK"), &json!(1)));
    Ok(())
}

#[tokio::test]
async fn a_private_api_that_does_not_serve_the_route_or_is_open_to_others_is_refused() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let (ours, theirs) = ("vpce-0a1b2c3d4e5f67890", "vpce-0fedcba9876543210");
    let door = Door::build_with(&cloud, "served", json!({"VpcEndpointIds": [ours]})).await?;
    let account = "111100000008";
    door.tenant(account, &["/served"]).await?;
    let policy = |endpoints: &[&str]| {
        let statement = |effect: &str, condition: Value| json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": ["execute-api:/*"], "Condition": condition});
        let others = json!({"StringNotEquals": {"aws:SourceVpce": endpoints}});
        json!({"Version": "2012-10-17", "Statement": [statement("Allow", json!({})), statement("Deny", others)]})
    };
    let api = cloud.foreign_api_with(account, "PRIVATE", Some(&policy(&[ours]))).await?;
    let ask = async |path: &str| {
        let mut route = door.route(path, json!(["GET"]));
        route["Backend"] = json!({"PrivateApi": {"RestApiId": api, "StageName": "v1", "Path": "/of/{id}"}});
        let name = path.replace(['/', '{', '}'], "-");
        door.routes(Some(account), apply(&name, route)).await
    };
    let put = async |methods: &[(&str, bool)], endpoints: &[&str]| {
        // A definition that is put over another takes the policy along.
        let change = json!({"Document": definition(methods), "Policy": policy(endpoints), "Deploy": ["v1"]});
        cloud.change_api(account, &api, change).await
    };

    let refused = ask("/served/{id}").await?.unwrap_err();
    let why = format!(
        "Backend.PrivateApi.StageName: {api} has no stage 'v1': deploy the API first, or name one of its stages"
    );
    assert_eq!((refused.error_type.as_str(), refused.message), ("InvalidInput", why));
    let methods = [("get /of/me", false), ("post /of/{theirId}", false)];
    put(&methods, &[ours]).await?;
    let refused = ask("/served/{id}").await?.unwrap_err();
    let why = format!("Backend.PrivateApi.Path: stage 'v1' of {api} has no GET /of/{{id}}: it has POST there");
    assert_eq!((refused.error_type.as_str(), refused.message), ("InvalidInput", why));
    put(&[("get /of/{theirId}", false)], &[ours, theirs]).await?;
    let refused = ask("/served/{id}").await?.unwrap_err();
    let why = format!(
        "Backend.PrivateApi.RestApiId: the resource policy of {api} lets in {theirs} besides the front door's endpoint, and GET \
         /of/{{theirId}} of stage 'v1' asks nobody who they are: let in {ours} alone, or have that method ask for authorization"
    );
    assert_eq!((refused.error_type.as_str(), refused.message), ("InvalidInput", why));
    let role = format!("arn:aws:iam::{account}:role/foregate-read");
    let api_alone = format!("arn:aws:apigateway:{}::/restapis/{api}", cloud.region);
    let statements = json!([{"Effect": "Allow", "Action": "apigateway:GET", "Resource": api_alone}]);
    cloud.set_role(&role, statements, None).await?;
    let refused = ask("/served/{id}").await?.unwrap_err();
    assert_eq!(refused.error_type, "Upstream");
    assert!(
        refused.message.contains(&format!("apigateway:GET on /restapis/{api}/stages/v1/exports/oas30")),
        "{refused}"
    );
    cloud.set_role(&role, json!(null), None).await?;
    let listed = door.routes(Some(account), json!({"command": "list"})).await??;
    assert_eq!(listed, json!({"items": []}), "nothing was written");

    // What asks who they are may be reached by others too, and what others don't reach may be open.
    put(&[("get /of/{theirId}", true)], &[ours, theirs]).await?;
    ask("/served/{id}").await??;
    put(&[("x-amazon-apigateway-any-method /{proxy+}", false)], &[ours]).await?;
    ask("/served/{id}/again").await??;
    assert_eq!(door.live().await?, ["get /served/{p2}", "get /served/{p2}/again"]);
    Ok(())
}

//! Routes from teams to the live stage, through the deployed functions on the local cloud.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Cloud, Door, Scene};

fn merged(mut value: Value, fields: Value) -> Value {
    value.as_object_mut().into_iter().for_each(|value| value.extend(fields.as_object().cloned().unwrap_or_default()));
    value
}

fn apply(name: &str, spec: Value) -> Value {
    json!({"command": "apply", "name": name, "spec": spec})
}

#[tokio::test]
async fn two_teams_share_a_front_door_and_neither_takes_the_others_path() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "teams").await?;
    let (cats, dogs) = ("111100000001", "111100000002");
    let token = door.tenant(cats, &["/cats", "/owners"]).await?;
    let token = token["attributes"]["RoutesServiceToken"].as_str().unwrap_or_default().to_owned();
    assert!(token.ends_with(&format!(":function:foregate-routes:account-{cats}")), "{token}");
    door.tenant(dogs, &["/dogs", "/cats/shared"]).await?;

    let mut own = door.route("/cats/{id}", json!("GET"));
    let api = cloud.foreign_api(cats, "PRIVATE").await?;
    own["Backend"] = json!({"PrivateApi": {"RestApiId": api, "StageName": "v1", "Path": "/of/{id}"}});
    let live = door.routes(Some(cats), apply("cats", own)).await??;
    assert_eq!((&live["status"], &live["attributes"]["Revision"]), (&json!("LIVE"), &json!(1)));
    assert_eq!(door.live().await?, ["get /cats/{p2}"]);

    // The other team: its own path, a path that it may not have, and one that both may have but the first one has taken.
    let theirs = apply("cats", door.route("/owners", json!("GET")));
    let refused = door.routes(Some(dogs), theirs).await?.unwrap_err();
    assert_eq!(refused.error_type, "Forbidden");
    let taken = door.routes(Some(dogs), apply("shared", door.route("/cats/shared", json!("POST")))).await?.unwrap_err();
    assert_eq!(taken.error_type, "Conflict");
    let why = "Path: POST /cats/shared is in the way of GET /cats/{id}, which is account 111100000001's route 'cats'";
    assert!(taken.message.starts_with(why), "{taken}");
    let items = ["/dogs/{dog}", "/dogs/{d}/toys/{toy}"].map(
        |path| json!({"name": path.replace(['/', '{', '}'], "-"), "spec": door.route(path, json!(["GET", "POST"]))}),
    );
    door.routes(Some(dogs), json!({"command": "apply", "items": items})).await??;
    let all = [
        "get /cats/{p2}",
        "get /dogs/{p2}",
        "post /dogs/{p2}",
        "get /dogs/{p2}/toys/{p4}",
        "post /dogs/{p2}/toys/{p4}",
    ];
    assert_eq!(door.live().await?, all);
    let (_, document) = cloud.stage(&door.api, "live").await?;
    let published = &document["paths"]["/cats/{p2}"]["get"];
    assert_eq!(published["security"], json!([{"aws_iam": []}]));
    let integration = &published["x-amazon-apigateway-integration"];
    assert_eq!(integration["uri"], format!("https://{api}.execute-api.eu-west-1.amazonaws.com/v1/of/{{id}}"));
    let mapped = json!({
        "integration.request.header.x-apigw-api-id": format!("'{api}'"),
        "integration.request.path.id": "method.request.path.p2",
    });
    assert_eq!(integration["requestParameters"], mapped);

    // A team sees its own, and nobody else's.
    let listed = door.routes(Some(cats), json!({"command": "list"})).await??;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let foreign = door.routes(Some(cats), json!({"command": "get", "name": "-dogs--dog-"})).await?.unwrap_err();
    assert_eq!(foreign.error_type, "NotFound");
    assert_eq!(
        door.routes(Some(cats), json!({"command": "list", "resource": "FrontDoor"})).await?.unwrap_err().error_type,
        "Forbidden"
    );

    // A tenant that is let go is shut out, and its routes go with its grant.
    cloud.ask("tenants", None, json!({"command": "delete", "name": dogs})).await??;
    cloud.until("the tenant's routes are off", 60, async || Ok(door.live().await? == all[..1])).await?;
    assert!(door.routes(Some(dogs), json!({"command": "list"})).await.is_err(), "the alias is gone");
    Ok(())
}

#[tokio::test]
async fn a_stack_hears_of_its_route_when_that_is_live_and_when_it_is_off() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "stack").await?;
    let route = |path: &str, methods: Value| ("Route".to_owned(), door.route(path, methods));
    let stack = cloud.deploy_routes("stack-routes", &[route("/a/{proxy+}", json!("ANY"))]).await?;
    assert_eq!(stack.status, "CREATE_COMPLETE", "{:?}", stack.reasons);
    assert_eq!(door.live().await?, ["any-method /a/{proxy+}"]);
    let url = stack.output("Route").context("no Url")?;
    assert_eq!(url, format!("https://{}.execute-api.eu-west-1.amazonaws.com/live/a/{{proxy+}}", door.api));
    assert_eq!(stack.output("RouteRevision"), Some("1"));

    // Another path is another route: the new one comes before the old one goes.
    let stack = cloud.deploy_routes("stack-routes", &[route("/b", json!("GET"))]).await?;
    assert_eq!(stack.status, "UPDATE_COMPLETE", "{:?}", stack.reasons);
    cloud.until("the old path is off", 30, async || Ok(door.live().await? == ["get /b"])).await?;

    // A refused change fails the stack and leaves live what was.
    let stack = cloud.deploy_routes("stack-routes", &[route("/b/../c", json!("GET"))]).await?;
    assert!(stack.status.starts_with("UPDATE_ROLLBACK"), "{stack:?}");
    assert!(
        stack.reasons.iter().any(|reason| reason.contains("InvalidInput: path: ") || reason.contains("Path: ")),
        "{stack:?}"
    );
    assert_eq!(door.live().await?, ["get /b"]);

    cloud.remove("stack-routes").await?;
    assert_eq!(door.live().await?, ["get /"], "nothing is published, and the front door says so");
    Ok(())
}

#[tokio::test]
async fn a_rollback_is_one_call_and_holds_until_somebody_publishes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "rollback").await?;
    for name in ["one", "two"] {
        door.routes(None, apply(name, door.route(&format!("/{name}"), json!("GET")))).await??;
    }
    assert_eq!(door.live().await?, ["get /one", "get /two"]);
    let plan = door.publisher("plan", None).await?;
    assert_eq!(plan["plan"], "nothing changes");
    let back = door.publisher("rollback", None).await?;
    assert_eq!((&back["status"], &back["attributes"]["Revision"]), (&json!("ROLLED_BACK"), &json!(1)));
    assert_eq!(door.live().await?, ["get /one"]);

    let forward = door.publisher("publish", None).await?;
    assert_eq!(forward["status"], "PUBLISHED");
    assert_eq!(door.live().await?, ["get /one", "get /two"]);
    let history = door.publisher("history", None).await?;
    let statuses: Vec<&Value> = history["items"].as_array().into_iter().flatten().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["LIVE", "KEPT", "KEPT"]);
    assert_eq!(history["items"][2]["changes"], json!(["+ GET /one [AWS_IAM] (account 123456789012, one)"]));
    Ok(())
}

#[tokio::test]
async fn a_route_that_api_gateway_refuses_does_not_hold_the_others_up() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "isolated").await?;
    let mut bad = door.route("/bad", json!("GET"));
    // API Gateway has no such expression, and says so when it imports.
    bad["Headers"] = json!({"X-A": "context.nonsense"});
    let items = [
        json!({"name": "good", "spec": door.route("/good", json!("GET"))}),
        json!({"name": "bad", "spec": bad}),
        json!({"name": "fine", "spec": door.route("/fine", json!("GET"))}),
    ];
    let refused = door.routes(None, json!({"command": "apply", "items": items})).await?.unwrap_err();
    assert!(refused.message.starts_with("1 of 3 items failed; bad: InvalidInput: "), "{refused}");
    assert_eq!(door.live().await?, ["get /fine", "get /good"]);
    Ok(())
}

#[tokio::test]
async fn what_nobody_may_have_is_refused_and_nothing_is_written() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "refused").await?;
    let account = "111100000003";
    door.tenant(account, &["/refused"]).await?;
    let with = |field: &str, value: Value| {
        let mut spec = door.route("/refused", json!("GET"));
        spec[field] = value;
        spec
    };
    let http = |url: &str| json!({"Http": {"Link": "gate", "Url": url}});
    let api = |id: &str| json!({"PrivateApi": {"RestApiId": id, "StageName": "live"}});
    let foreign = cloud.foreign_api("111100000004", "PRIVATE").await?;
    let regional = cloud.foreign_api(account, "REGIONAL").await?;
    for (spec, error_type) in [
        (with("Path", json!("/other")), "Forbidden"),
        (with("Path", json!("/refusednot")), "Forbidden"),
        (with("Path", json!("/ping")), "InvalidInput"),
        (with("Path", json!("/refused/%2e%2e")), "InvalidInput"),
        (with("Path", json!("/refused/{proxy+}/x")), "InvalidInput"),
        (with("Auth", json!("OPEN")), "InvalidInput"),
        (with("Auth", json!({"Authorizer": "none"})), "NotFound"),
        (with("FrontDoor", json!("none")), "NotFound"),
        (with("Backend", http("http://169.254.169.254/latest/meta-data")), "InvalidInput"),
        (with("Backend", http("http://127.0.0.1/")), "InvalidInput"),
        (with("Backend", http("http://other.example.com/")), "Forbidden"),
        (with("Backend", json!({"Http": {"Link": "refused-private", "Url": "http://nlb.example.com/"}})), "Forbidden"),
        (with("Backend", api(&foreign)), "Forbidden"),
        (with("Backend", api("zzzzzzzzzz")), "Forbidden"),
        (with("Backend", api(&regional)), "InvalidInput"),
        (with("Headers", json!({"X-A": "a\r\nX-B: b"})), "InvalidInput"),
        (with("Headers", json!({"X-A": "'"})), "InvalidInput"),
        (with("Headers", json!({"X-A": "$context.requestId"})), "InvalidInput"),
        (with("Auth", json!({"Authorizer": "none", "Scope": ["orders/read"]})), "InvalidInput"),
        (with("Path", json!("/refused/{proxy+}")), "InvalidInput"),
        (with("TimeoutMs", json!(60_000)), "InvalidInput"),
        (with("Cors", json!({"AllowOrigins": ["https://a.example/path"]})), "InvalidInput"),
        (with("Headers", json!({"X-A": "x".repeat(1 << 20)})), "InvalidInput"),
    ] {
        let said: String = spec.to_string().chars().take(300).collect();
        let refused = door.routes(Some(account), apply("x", spec)).await?;
        let refused = refused.err().with_context(|| format!("let in: {said}"))?;
        assert_eq!(refused.error_type, error_type, "{said}: {refused}");
    }
    // A stack of another account, and an answer that would go somewhere else.
    for (stack, url, error_type) in [
        ("arn:aws:cloudformation:eu-west-1:111100000003:stack/s/1", "https://evil.example/", "Forbidden"),
        ("arn:aws:cloudformation:eu-west-1:999999999999:stack/s/1", "http://169.254.169.254/", "Forbidden"),
    ] {
        let request = json!({
            "RequestType": "Create", "ResponseURL": url, "StackId": stack, "RequestId": "r1",
            "ResourceType": "Custom::Route", "LogicalResourceId": "Route", "ResourceProperties": door.route("/refused", json!("GET")),
        });
        assert_eq!(door.routes(Some(account), request).await?.unwrap_err().error_type, error_type);
    }
    let listed = door.routes(Some(account), json!({"command": "list"})).await??;
    assert_eq!(listed, json!({"items": []}));
    Ok(())
}

#[tokio::test]
async fn what_the_terraform_module_sends_makes_changes_and_removes_a_route_and_a_binding() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "terraform").await?;
    let account = "111100000007";
    door.tenant(account, &["/terraform"]).await?;
    // As aws_lambda_invocation with lifecycle_scope = "CRUD" sends it: the input with "tf" beside it.
    let input = |path: &str| {
        let mut input = door.route(path, json!(["GET"]));
        input["name"] = json!("pets");
        input
    };
    let send = async |action: &str, mut input: Value, previous: Option<Value>| {
        input["tf"] = json!({"action": action, "prev_input": previous});
        door.routes(Some(account), input).await
    };
    let made = send("create", input("/terraform/a"), None).await??;
    assert_eq!((&made["status"], &made["name"]), (&json!("LIVE"), &json!("pets")));
    let changed = send("update", input("/terraform/b"), Some(input("/terraform/a"))).await??;
    assert!(changed["attributes"]["Url"].as_str().unwrap_or_default().ends_with("/live/terraform/b"), "{changed}");
    cloud.until("the old path is off", 30, async || Ok(door.live().await? == ["get /terraform/b"])).await?;
    let refused = send("update", input("/other"), Some(input("/terraform/b"))).await?.unwrap_err();
    assert_eq!(refused.error_type, "Forbidden");
    let renamed = json!({"name": "animals"});
    let renamed = send("update", merged(input("/terraform/b"), renamed), Some(input("/terraform/b"))).await??;
    assert_eq!((&renamed["status"], &renamed["name"]), (&json!("LIVE"), &json!("animals")));
    let back = send("update", input("/terraform/b"), Some(merged(input("/terraform/b"), json!({"name": "animals"}))));
    assert_eq!(back.await??["name"], "pets");
    let removed = send("delete", input("/terraform/b"), Some(input("/terraform/b"))).await??;
    assert_eq!(removed["status"], "DELETED");
    assert_eq!(door.live().await?, ["get /"]);

    // A front door is its operators' to make, in the same shape; one with routes is not forgotten.
    let mut front = json!({"RestApiId": door.api, "StageName": "other", "Name": "by-terraform"});
    front["tf"] = json!({"action": "create", "prev_input": null});
    assert_eq!(door.routes(Some(account), front.clone()).await?.unwrap_err().error_type, "Forbidden");
    let made = door.routes(None, front.clone()).await??;
    assert_eq!((&made["name"], &made["status"]), (&json!("by-terraform"), &json!("LIVE")));
    front["tf"] = json!({"action": "delete", "prev_input": null});
    assert_eq!(door.routes(None, front).await??["status"], "DELETED");

    let scene = Scene::build(&cloud, "terraform-binding").await?;
    let mut binding = scene.spec();
    binding["name"] = json!("private-apis");
    binding["tf"] = json!({"action": "create", "prev_input": null});
    let made = cloud.command(binding.clone()).await?;
    assert_eq!((&made["status"], &made["attributes"]["Count"]), (&json!("SYNCED"), &json!(2)));
    binding["tf"] = json!({"action": "delete", "prev_input": null});
    assert_eq!(cloud.command(binding).await?["status"], "DELETED");
    Ok(())
}

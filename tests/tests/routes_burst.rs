//! A thousand routes of a hundred stacks at the same moment, with API Gateway's documented rates in front of the emulator.
//!
//! The local CloudFormation makes a stack's resources one after the other, where AWS's makes them side by side: the test
//! sends CloudFormation's requests itself, and takes the answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, Result};
use futures::StreamExt;
use serde_json::{Value, json};
use tests::{Cloud, Door};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const STACKS: usize = 100;
const ROUTES: usize = 10;
const SECONDS_MAX: u64 = 120;
/// How many invocations the local cloud, with a process for each, takes at a time on a small machine.
const AT_A_TIME: usize = 12;

/// How each request was answered, by its id: more than one answer is one too many.
type Answers = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

async fn take_answers(listener: TcpListener, answers: Answers) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(take_answer(stream, answers.clone()));
    }
}

async fn take_answer(mut stream: TcpStream, answers: Answers) -> Result<()> {
    let mut read = Vec::new();
    let body = loop {
        let mut chunk = [0; 4_096];
        let count = stream.read(&mut chunk).await?;
        read.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || body.len() >= length.unwrap_or(0) {
            break body.to_owned();
        }
    };
    let answer: Value = serde_json::from_str(&body)?;
    let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
    let said = format!("{} {}", text("Status"), text("Reason"));
    answers.lock().unwrap().entry(text("RequestId")).or_default().push(said.trim().to_owned());
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    Ok(())
}

#[tokio::test]
async fn a_hundred_stacks_of_ten_routes_are_published_together_and_each_is_answered_once() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let door = Door::build(&cloud, "burst").await?;
    let spec = json!({"RestApiId": door.api, "StageName": "live", "ResourceLimit": 3_000});
    door.routes(None, json!({"command": "apply", "name": "burst", "spec": spec})).await??;
    let port = std::env::var("ANSWERS_PORT").context("ANSWERS_PORT is not set")?;
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let answers = Answers::default();
    tokio::spawn(take_answers(listener, answers.clone()));
    let refused = cloud.throttle(true).await?;

    let request = |kind: &str, stack: usize, route: usize| {
        let id = format!("{kind}-{stack}-{route}");
        let mut request = json!({
            "RequestType": kind, "RequestId": id, "ResponseURL": format!("http://127.0.0.1:{port}/{id}"),
            "StackId": format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/burst-{stack}/1"),
            "LogicalResourceId": format!("Route{route}"), "ResourceType": "Custom::Route",
            "ResourceProperties": door.route(&format!("/burst{stack}/r{route}"), json!("GET")),
        });
        if kind == "Delete" {
            request["PhysicalResourceId"] = json!("whatever the answer to a Create said");
        }
        request
    };
    for (kind, live) in [("Create", STACKS * ROUTES), ("Delete", 1)] {
        let before = made(&cloud, &door).await?;
        let began = Instant::now();
        let requests = (0..STACKS).flat_map(|stack| (0..ROUTES).map(move |route| (stack, route)));
        let sends = requests.map(|(stack, route)| cloud.ask("routes", None, request(kind, stack, route)));
        let sent: Vec<_> = futures::stream::iter(sends).buffer_unordered(AT_A_TIME).collect().await;
        for one in sent {
            one??;
        }
        let sent_seconds = began.elapsed().as_secs();
        println!("{kind}: all sent after {sent_seconds} s");
        let of_kind = || {
            let answers = answers.lock().unwrap();
            answers.iter().filter(|(id, _)| id.starts_with(kind)).map(|(_, said)| said.clone()).collect::<Vec<_>>()
        };
        let all = async || Ok(of_kind().len() == STACKS * ROUTES);
        let what = format!("every stack hears of its {kind}");
        cloud.until(&what, SECONDS_MAX, all).await.with_context(|| format!("{} did", of_kind().len()))?;
        assert!(
            of_kind().iter().all(|said| *said == ["SUCCESS"]),
            "{:?}",
            of_kind().iter().find(|said| **said != ["SUCCESS"])
        );
        let after = made(&cloud, &door).await?;
        println!(
            "{kind}: {} s, {} imports, {} deployments",
            began.elapsed().as_secs(),
            after.0 - before.0,
            after.1 - before.1
        );
        // Two after the first; a publication waits 20 s for a burst at most, so that one which comes in slowly takes more.
        let most = 3.max(2 + sent_seconds as usize / 20);
        assert!(after.0 - before.0 <= most && after.1 - before.1 <= most, "{most} imports and deployments at most");
        assert_eq!(door.live().await?.len(), live, "{kind}");
    }
    assert_eq!(cloud.throttle(false).await?, refused, "Foregate ran into a 429");
    Ok(())
}

/// How many imports and deployments there have been.
async fn made(cloud: &Cloud, door: &Door) -> Result<(usize, usize)> {
    let calls = cloud.calls().await?;
    let count = |call: String| calls.iter().filter(|(action, _)| *action == call).count();
    let api = &door.api;
    Ok((count(format!("PUT /restapis/{api}")), count(format!("POST /restapis/{api}/deployments"))))
}

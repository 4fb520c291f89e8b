//! The protocol against a real HTTP server on the loopback address, as plain as it gets: it answers what it is told to
//! and keeps every request as it came over the wire.

use std::sync::{Arc, Mutex};

use serde_json::{Map, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::custom_resource::response_url::AllowedHosts;
use crate::error::ErrorType;

/// Where answers go.
struct Bucket {
    host: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    /// Answers each PUT with the next of `statuses`, the last one for ever.
    async fn answering(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                let count = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(request);
                    kept.len()
                };
                let status = statuses[(count - 1).min(statuses.len() - 1)];
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { host, requests }
    }

    fn responder(&self) -> Responder {
        Responder::new(AllowedHosts::parse(&self.host))
    }

    fn event(&self) -> Value {
        json!({
            "RequestType": "Create",
            "ResponseURL": format!("http://{}/answer?X-Amz-Signature=secret", self.host),
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/pets/9a8b",
            "RequestId": "r1",
            "ResourceType": "Custom::Binding",
            "LogicalResourceId": "Pets",
            "ResourceProperties": {},
        })
    }

    /// The bodies that came, as JSON.
    fn answers(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap())
            .collect()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse::<usize>().unwrap() || count == 0 {
                return text;
            }
        }
    }
}

fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

async fn serve_with<F>(responder: &Responder, event: Value, remaining: Duration, work: F) -> Result<(), Error>
where
    F: Future<Output = Result<Outcome, Error>> + Send + 'static,
{
    serve(
        responder,
        event,
        &account(),
        remaining,
        |request| format!("made-of-{}", request.logical_resource_id),
        |_| work,
    )
    .await
}

const PLENTY: Duration = Duration::from_secs(120);

fn done() -> Result<Outcome, Error> {
    Ok(Outcome::new("binding-1".into(), Map::new()))
}

#[tokio::test]
async fn a_fault_is_tried_again_and_the_answer_arrives_once_whole() {
    let bucket = Bucket::answering(&["503 Slow Down", "500 Internal", "200 OK"]).await;
    serve_with(&bucket.responder(), bucket.event(), PLENTY, async { done() }).await.unwrap();
    let answers = bucket.answers();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[2]["Status"], "SUCCESS");
    assert_eq!(answers[2]["PhysicalResourceId"], "binding-1");
    let request = bucket.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("put /answer?x-amz-signature=secret http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: \r\n") || request.contains("\r\ncontent-type:\r\n"), "{request}");
    assert!(!request.contains("transfer-encoding"), "{request}");
}

#[tokio::test]
async fn the_same_request_twice_gets_the_same_answer_twice() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let responder = bucket.responder();
    for _ in 0..2 {
        serve_with(&responder, bucket.event(), PLENTY, async { done() }).await.unwrap();
    }
    let answers = bucket.answers();
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_redirect_or_a_refusal_is_no_success_and_its_url_is_not_told() {
    for status in [&["302 Found"], &["403 Forbidden"]] {
        let bucket = Bucket::answering(status).await;
        let error = serve_with(&bucket.responder(), bucket.event(), PLENTY, async { done() }).await.unwrap_err();
        assert_eq!(error.error_type, ErrorType::Upstream);
        assert!(!error.message.contains("secret") && !error.message.contains(&bucket.host), "{error}");
        assert_eq!(bucket.answers().len(), 1, "not tried again");
    }
}

#[tokio::test]
async fn nobody_at_the_other_end_is_an_error_without_the_url() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let mut event = bucket.event();
    event["ResponseURL"] = json!("http://127.0.0.1:1/?X-Amz-Signature=secret");
    let responder = Responder::new(AllowedHosts::parse("127.0.0.1:1"));
    let error = serve_with(&responder, event, PLENTY, async { done() }).await.unwrap_err();
    assert!(!error.message.contains("secret") && !error.message.contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn failed_work_is_answered_with_its_reason() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let work = async { Err(Error::not_found("no such endpoint")) };
    serve_with(&bucket.responder(), bucket.event(), PLENTY, work).await.unwrap();
    let answer = bucket.answers().remove(0);
    assert_eq!(answer["Status"], "FAILED");
    assert_eq!(answer["Reason"], "NotFound: no such endpoint");
    assert_eq!(answer["PhysicalResourceId"], "made-of-Pets");
}

#[tokio::test]
async fn a_panic_is_answered() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let work = async { panic!("a bug") };
    serve_with(&bucket.responder(), bucket.event(), PLENTY, work).await.unwrap();
    assert_eq!(bucket.answers()[0]["Status"], "FAILED");
}

#[tokio::test]
async fn work_that_takes_too_long_is_answered_before_lambda_ends_it() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let remaining = Duration::from_secs(ANSWER_SECONDS) + Duration::from_millis(50);
    serve_with(&bucket.responder(), bucket.event(), remaining, std::future::pending()).await.unwrap();
    let answer = bucket.answers().remove(0);
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("time ran out"));
}

#[tokio::test]
async fn a_request_cut_in_half_is_answered_with_what_is_missing() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let mut event = bucket.event();
    event.as_object_mut().unwrap().remove("ResourceProperties");
    serve_with(&bucket.responder(), event, PLENTY, async { panic!("must not run") }).await.unwrap();
    let answer = bucket.answers().remove(0);
    assert_eq!(
        answer["Reason"],
        "InvalidInput: the custom-resource request is not whole: missing field `ResourceProperties`"
    );
}

#[tokio::test]
async fn a_stack_of_another_account_is_refused_whatever_it_asks() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let mut event = bucket.event();
    event["StackId"] = json!("arn:aws:cloudformation:eu-west-1:999999999999:stack/pets/9a8b");
    event["PhysicalResourceId"] = json!("theirs");
    serve_with(&bucket.responder(), event, PLENTY, async { panic!("must not run") }).await.unwrap();
    let answer = bucket.answers().remove(0);
    assert!(answer["Reason"].as_str().unwrap().starts_with("Forbidden: StackId names account 999999999999"));
    assert_eq!(answer["PhysicalResourceId"], "theirs");
}

#[tokio::test]
async fn a_url_that_is_not_cloudformations_is_never_contacted() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let responder = Responder::new(AllowedHosts::default());
    let error = serve_with(&responder, bucket.event(), PLENTY, async { panic!("must not run") }).await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::Forbidden);
    assert!(bucket.answers().is_empty());
}

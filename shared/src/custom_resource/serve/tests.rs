//! The protocol against a real HTTP server on the loopback address, as plain as it gets: it answers what it is told to
//! and keeps every request as it came over the wire.

use std::sync::{Arc, Mutex};

use serde_json::{Map, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::custom_resource::Outcome;
use crate::custom_resource::response_url::AllowedHosts;
use crate::error::ErrorType;

/// Where answers go.
struct Bucket {
    host: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    /// Answers each PUT with the next of `statuses`, the last one for ever; with none, it never answers.
    async fn answering(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                if statuses.is_empty() {
                    // Says nothing and keeps the line open.
                    std::future::pending::<()>().await;
                }
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
        responder_for(&self.host)
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

fn responder_for(host: &str) -> Responder {
    let mut responder = Responder::new(AllowedHosts::parse(host)).logging_to("/aws/lambda/pets");
    responder.first_wait = Duration::from_millis(1);
    responder
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
    let request = bucket.requests.lock().unwrap()[2].to_lowercase();
    assert!(request.starts_with("put /answer?x-amz-signature=secret http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: \r\n") || request.contains("\r\ncontent-type:\r\n"), "{request}");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().any(|line| line == format!("content-length: {}", body.len())), "{request}");
    assert!(!request.contains("transfer-encoding"), "{request}");
}

#[tokio::test]
async fn an_answer_of_many_bytes_to_a_character_has_its_exact_length() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let work = async { Err(Error::invalid("🦀ü€".repeat(4_000))) };
    serve_with(&bucket.responder(), bucket.event(), PLENTY, work).await.unwrap();
    let request = bucket.requests.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(body.len() <= 4_096, "{}", body.len());
    assert!(head.lines().any(|line| line == format!("content-length: {}", body.len())), "{head}");
    let reason = bucket.answers()[0]["Reason"].as_str().unwrap().to_owned();
    assert!(reason.ends_with("… (the rest is in log group /aws/lambda/pets)"), "{reason}");
}

#[tokio::test]
async fn a_bucket_that_stays_broken_is_tried_five_times() {
    let bucket = Bucket::answering(&["503 Slow Down"]).await;
    let error = serve_with(&bucket.responder(), bucket.event(), PLENTY, async { done() }).await.unwrap_err();
    assert_eq!(error.message, "failed to answer CloudFormation for Pets: it answered 503 Service Unavailable");
    assert_eq!(bucket.answers().len(), 5);
}

#[tokio::test]
async fn a_bucket_that_never_answers_does_not_hold_the_function() {
    let bucket = Bucket::answering(&[]).await;
    let envelope = Envelope::parse(&bucket.event()).unwrap();
    let delivery = bucket.responder().deliver(&envelope, "{}".into(), Duration::from_millis(300)).await;
    let error = delivery.unwrap_err();
    assert!(error.message.ends_with("no answer before the function's time ran out"), "{error}");
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
    for status in [&["302 Found"], &["307 Temporary Redirect"], &["403 Forbidden"], &["404 Not Found"]] {
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
    let responder = responder_for("127.0.0.1:1");
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
    let answer = bucket.answers().remove(0);
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("made-of-Pets")));
    let reason = "Upstream: internal error of Foregate: log group /aws/lambda/pets has the details; please report it";
    assert_eq!(answer["Reason"], reason);
}

#[tokio::test]
async fn a_panic_before_the_work_or_in_its_id_is_answered() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let (responder, account) = (bucket.responder(), account());
    let panics = |_: Request| -> std::future::Ready<Result<Outcome, Error>> { panic!("a bug") };
    let id = |_: &Request| "binding-1".to_owned();
    serve(&responder, bucket.event(), &account, PLENTY, id, panics).await.unwrap();
    let id = |_: &Request| panic!("a bug");
    let work = |_| async { Err::<Outcome, _>(Error::conflict("taken")) };
    serve(&responder, bucket.event(), &account, PLENTY, id, work).await.unwrap();
    let answers = bucket.answers();
    assert_eq!((&answers[0]["Status"], &answers[0]["PhysicalResourceId"]), (&json!("FAILED"), &json!("binding-1")));
    assert_eq!(
        (&answers[1]["Reason"], &answers[1]["PhysicalResourceId"]),
        (&json!("Conflict: taken"), &json!("unreadable-Pets"))
    );
}

#[tokio::test]
async fn work_that_takes_too_long_is_answered_before_lambda_ends_it() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    for kind in ["Create", "Update", "Delete"] {
        let mut event = bucket.event();
        event["RequestType"] = json!(kind);
        event["PhysicalResourceId"] = json!("binding-1");
        event["OldResourceProperties"] = json!({});
        // Dropped when the work is aborted.
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let work = async move {
            let _alive = alive;
            std::future::pending().await
        };
        let started = Instant::now();
        serve_with(&bucket.responder(), event, Duration::from_millis(150), work).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(100), "the work had its time");
        assert!(ended.await.is_err(), "the work is not carried on");
        let answer = bucket.answers().pop().unwrap();
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("binding-1")));
        assert!(answer["Reason"].as_str().unwrap().contains("time ran out: try again, it goes on"));
    }
}

#[test]
fn time_is_kept_back_for_the_answer() {
    for (remaining, kept) in [(900, 12), (60, 12), (36, 12), (30, 10), (3, 1), (0, 0)] {
        assert_eq!(kept_back(Duration::from_secs(remaining)), Duration::from_secs(kept));
    }
}

#[tokio::test]
async fn a_deadline_out_of_this_world_is_no_reason_to_panic() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    for remaining in [Duration::MAX, Duration::ZERO] {
        serve_with(&bucket.responder(), bucket.event(), remaining, async { done() }).await.unwrap();
    }
    assert_eq!(bucket.answers().len(), 2);
}

#[tokio::test]
async fn a_request_cut_in_half_is_answered_with_what_is_missing() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    for (field, value, physical_id, reason) in [
        ("ResourceProperties", json!("x"), None, "ResourceProperties is not an object"),
        ("ResourceType", json!(null), None, "ResourceType: invalid type: null, expected a string"),
        ("RequestType", json!("Delete"), None, "missing field `PhysicalResourceId`"),
        ("RequestType", json!("Update"), Some("b-1"), "missing field `OldResourceProperties`"),
        ("RequestType", json!(null), Some("b-1"), "RequestType is not one of Create, Update, Delete"),
    ] {
        let mut event = bucket.event();
        event[field] = value;
        if let Some(id) = physical_id {
            event["PhysicalResourceId"] = json!(id);
        }
        serve_with(&bucket.responder(), event, PLENTY, async { panic!("must not run") }).await.unwrap();
        let answer = bucket.answers().pop().unwrap();
        assert_eq!(answer["Reason"], format!("InvalidInput: the custom-resource request is not whole: {reason}"));
        assert_eq!(answer["PhysicalResourceId"], physical_id.unwrap_or("unreadable-Pets"));
    }
}

#[tokio::test]
async fn a_request_that_says_not_where_to_answer_is_an_error() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    for field in ["ResponseURL", "StackId", "RequestId", "LogicalResourceId"] {
        let mut event = bucket.event();
        event.as_object_mut().unwrap().remove(field);
        let served = serve_with(&bucket.responder(), event, PLENTY, async { panic!("must not run") }).await;
        assert!(served.unwrap_err().message.starts_with(&format!("{field} is missing")));
    }
    assert!(bucket.answers().is_empty());
}

#[tokio::test]
async fn attributes_that_do_not_fit_are_answered_as_a_failure() {
    let bucket = Bucket::answering(&["200 OK"]).await;
    let data = Map::from_iter([("Addresses".to_owned(), json!("10.0.0.1,".repeat(500)))]);
    let work = async { Ok(Outcome::new("binding-1".into(), data)) };
    serve_with(&bucket.responder(), bucket.event(), PLENTY, work).await.unwrap();
    let answer = bucket.answers().remove(0);
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("most of all Addresses"));
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_names_the_request_and_neither_its_url_nor_its_properties() {
    let bucket = Bucket::answering(&["403 Forbidden"]).await;
    let log = Log::default();
    let writer = log.clone();
    let make = move || writer.clone();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(make).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut event = bucket.event();
    event["ResourceProperties"] = json!({"Password": "hunter2"});
    let work = async { Err(Error::not_found("no such endpoint")) };
    serve_with(&bucket.responder(), event, PLENTY, work).await.unwrap_err();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for word in ["Create", "Pets", "pets", "r1", "FAILED", "no such endpoint"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("secret") && !text.contains("hunter2"), "{text}");
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

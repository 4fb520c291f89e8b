//! How a function reaches AWS: one configuration, loaded once per cold start, from which each client is made. Endpoints
//! come from the SDK's own settings (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_EC2`, …).

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};

#[cfg(feature = "apigateway")]
pub use super::apigateway::FrontDoorApis;
#[cfg(feature = "autoscaling")]
pub use super::autoscaling::Scaling;
#[cfg(feature = "dns")]
pub use super::dns::NameServer;
#[cfg(feature = "dynamodb")]
pub use super::dynamodb::DynamoTable;
#[cfg(feature = "ec2")]
pub use super::ec2::Ec2;
#[cfg(feature = "elbv2")]
pub use super::elbv2::Elbv2;
#[cfg(feature = "eventbridge")]
pub use super::eventbridge::EventBus;
#[cfg(feature = "lambda")]
pub use super::lambda::Functions;
#[cfg(feature = "apigateway")]
pub use super::members::Members;
#[cfg(feature = "organizations")]
pub use super::organizations::Organizations;
#[cfg(feature = "sqs")]
pub use super::sqs::SqsQueue;

/// A throttled call backs off exponentially, with jitter, this often before it fails; the event that asked for it then
/// comes again from its queue.
const ATTEMPTS_MAX: u32 = 5;
const CONNECT_SECONDS_MAX: u64 = 3;
const ATTEMPT_SECONDS_MAX: u64 = 10;
const CALL_SECONDS_MAX: u64 = 40;

/// The configuration that every client is made of: region and credentials as Lambda gives them, bounded retries and
/// times.
pub async fn load() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .operation_attempt_timeout(Duration::from_secs(ATTEMPT_SECONDS_MAX))
        .operation_timeout(Duration::from_secs(CALL_SECONDS_MAX))
        .build();
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(timeouts);
    // CloudTrail then shows which calls were Foregate's.
    match AppName::new("foregate") {
        Ok(name) => loader.app_name(name).load().await,
        Err(_) => loader.load().await,
    }
}

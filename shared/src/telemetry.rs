//! What a function says of itself: JSON log lines on standard output, each inside a span that carries the request id,
//! and metrics in CloudWatch's embedded format, flushed once per invocation.

use metrics_cloudwatch_embedded::{Builder, Collector};
use tracing_subscriber::EnvFilter;

/// The CloudWatch namespace of every metric.
const NAMESPACE: &str = "Foregate";

/// Where an invocation's metrics gather.
#[derive(Clone, Copy)]
pub struct Telemetry {
    metrics: &'static Collector,
}

impl Telemetry {
    /// Starts logging and metrics for `function`; call it once. `LOG_LEVEL` is a level or a
    /// `tracing` filter, `info` by default.
    pub fn start(function: &str) -> Result<Self, metrics_cloudwatch_embedded::Error> {
        let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "info".into());
        // The runtime logs the answer's error too, which `entry` has logged already.
        let filter = EnvFilter::try_new(format!("{level},lambda_runtime::layers=off"));
        let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_env_filter(filter)
            .init();
        let metrics =
            Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("Function", function.to_owned()).init()?;
        Ok(Self { metrics })
    }

    /// Writes what the invocation counted. A log that can't be written to is nothing that could be reported.
    pub fn flush(self, request_id: &str) {
        let _ = self.metrics.set_property("RequestId", request_id.to_owned()).flush(std::io::stdout());
    }
}

/// Counts `by` more of the metric `name`.
pub fn count(name: &'static str, by: u64) {
    metrics::counter!(name).increment(by);
}

//! What a function says of itself: JSON log lines on standard output, each inside a span that carries the request id,
//! and metrics in CloudWatch's embedded format, flushed once per invocation.

use metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};
use tracing_subscriber::EnvFilter;

/// The CloudWatch namespace of every metric.
const NAMESPACE: &str = "Foregate";

/// The metrics as one table: the name in CloudWatch, its unit, what it counts.
macro_rules! metrics_table {
    ($($name:ident, $unit:ident, $about:literal;)*) => {
        /// A metric of Foregate's. Its name in CloudWatch is the variant's; its dimension is `Function`, the deployed name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $about] $name,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in CloudWatch.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Tells the recorder each metric's unit.
            fn describe_all() {
                $(metrics::describe_counter!(stringify!($name), Unit::$unit, $about);)*
            }
        }
    };
}

metrics_table! {
    // bindings. A rule of a security group counts as a target: one name for what a sink has.
    TargetsRegistered, Count, "Targets or rules that were added to a sink.";
    TargetsDeregistered, Count, "Targets or rules that were removed from a sink.";
    TargetsRefused, Count, "Targets or rules that AWS refuses.";
    BindingsBlocked, Count, "Runs that held a removal back.";
    BindingsFailed, Count, "Runs after which a binding is FAILED.";
    LifecycleActionsCompleted, Count, "Lifecycle actions that were completed for a drained or healthy node.";
    EventsIgnored, Count, "Events that are about no binding.";
    // links
    LinksFailed, Count, "Runs that made a VPC link FAILED.";
    LinksReplaced, Count, "VPC links that took the place of another.";
    // routes
    RoutesRefused, Count, "Requests about routes that were refused.";
    // publisher
    Published, Count, "Revisions that went live.";
    PublishFailed, Count, "Publications that ended with an error.";
    RoutesRejected, Count, "Routes that a publication rejected, or left rejected.";
    RoutesWaiting, Count, "Routes that a publication left waiting for something.";
    Drift, Count, "Changes by hand to a REST API or its stage that were found.";
    // tenants
    TenantsOnboarded, Count, "Accounts that were let in.";
    TenantsOffboarded, Count, "Accounts that were shut out.";
    // catalog
    ScansIncomplete, Count, "Scans that could not see everything.";
    ApisScanned, Count, "REST APIs that scans looked at.";
    // every function
    ThrottledCalls, Count, "Calls that AWS still throttled at the last attempt.";
    AnswersRefused, Count, "Answers that CloudFormation refused or that could not be delivered.";
    MessagesRetried, Count, "Messages of a queue that failed and come back.";
    RecheckChainsEnded, Count, "Chains of delayed messages that reached Foregate's own bound; the schedule goes on.";
}

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
        Self::metrics(function)
    }

    fn metrics(function: &str) -> Result<Self, metrics_cloudwatch_embedded::Error> {
        let metrics =
            Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("Function", function.to_owned()).init()?;
        Metric::describe_all();
        Ok(Self { metrics })
    }

    /// Writes what the invocation counted. A log that can't be written to is nothing that could be reported.
    pub fn flush(self, request_id: &str) {
        self.write(request_id, std::io::stdout());
    }

    fn write(self, request_id: &str, log: impl std::io::Write) {
        let _ = self.metrics.set_property("RequestId", request_id.to_owned()).flush(log);
    }
}

/// Counts `by` more of the metric.
pub fn count(metric: Metric, by: u64) {
    metrics::counter!(metric.name()).increment(by);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_readme_has_every_metric() {
        let readme = include_str!("../../README.md");
        for metric in Metric::ALL {
            assert!(readme.contains(&format!("`{}`", metric.name())), "{metric:?}");
        }
    }

    /// The recorder is the process's: this is its only test that starts one.
    #[test]
    fn what_an_invocation_counted_is_written_once_with_its_unit() {
        let telemetry = Telemetry::metrics("foregate-tests").unwrap();
        Metric::ALL.iter().for_each(|metric| count(*metric, 2));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        telemetry.write("request-1", &mut first);
        telemetry.write("request-2", &mut second);
        let line: Value = serde_json::from_slice(&first).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&directive["Namespace"], &directive["Dimensions"][0][0]), (&"Foregate".into(), &"Function".into()));
        assert_eq!((&line["Function"], &line["RequestId"]), (&"foregate-tests".into(), &"request-1".into()));
        for metric in Metric::ALL {
            let described = serde_json::json!({"Name": metric.name(), "Unit": "Count"});
            assert!(directive["Metrics"].as_array().unwrap().contains(&described), "{described} in {directive}");
            assert!(line[metric.name()].as_u64() >= Some(2), "{metric:?}");
        }
        assert!(!String::from_utf8(second).unwrap().contains("TenantsOnboarded"), "it is written once");
    }
}

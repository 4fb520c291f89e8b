//! Calls that API Gateway refuses because somebody else changes the same REST API at that moment.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use shared::aws::{Answer, AwsError};

/// Tries the call again while API Gateway answers "concurrent modification": for some ten seconds, at moments of its own.
pub async fn concurrent<T, F: Future<Output = Answer<T>>>(call: impl FnMut() -> F) -> Answer<T> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(700))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(4)
        .with_jitter();
    call.retry(pauses).when(AwsError::is_concurrent_modification).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use shared::aws::Cause;

    use super::*;

    #[test]
    fn a_concurrent_modification_is_tried_again_and_a_refusal_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        for (message, failures, calls, succeeds) in [
            ("Unable to complete operation due to concurrent modification. Please try again later.", 3, 4, true),
            ("Unable to complete operation due to concurrent modification. Please try again later.", 9, 5, false),
            ("Invalid mapping expression specified", 1, 1, false),
        ] {
            let made = Cell::new(0);
            let call = || async {
                made.set(made.get() + 1);
                if made.get() > failures {
                    return Ok(());
                }
                Err(AwsError {
                    operation: "PutRestApi",
                    subject: String::new(),
                    cause: Cause::Unavailable,
                    code: "ConflictException".into(),
                    message: message.into(),
                })
            };
            assert_eq!(runtime.block_on(concurrent(call)).is_ok(), succeeds, "{message} {failures}");
            assert_eq!(made.get(), calls, "{message} {failures}");
        }
    }
}

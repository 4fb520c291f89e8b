//! Times as people and AWS write them (RFC 3339), to and from seconds since the epoch.

use chrono::{DateTime, SecondsFormat};

/// The seconds since the epoch of a time such as `2027-01-31T12:00:00Z`; nothing before the epoch, and nothing that is none.
pub fn seconds_of_rfc3339(text: &str) -> Option<u64> {
    u64::try_from(DateTime::parse_from_rfc3339(text).ok()?.timestamp()).ok()
}

/// A time such as `2027-01-31T12:00:00Z`; empty for one that is beyond the calendar.
pub fn rfc3339(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_it_is_printed() {
        for text in ["1970-01-01T00:00:00Z", "2027-01-31T12:00:00Z"] {
            assert_eq!(seconds_of_rfc3339(text).map(rfc3339).as_deref(), Some(text));
        }
        assert_eq!(seconds_of_rfc3339("1970-01-01T02:00:00+02:00"), Some(0));
        for wrong in ["", "soon", "2027-01-31", "1969-01-01T00:00:00Z"] {
            assert_eq!(seconds_of_rfc3339(wrong), None, "{wrong}");
        }
        assert_eq!(rfc3339(u64::MAX), "");
    }
}

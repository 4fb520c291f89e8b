//! Which APIs may be taken for removed. A list without an API is no proof: permissions shrink, answers come back empty.
//!
//! Invariant: nothing is removed by a scan in which more than a fifth vanished, and nothing without either AWS's word that there
//! is no such API (a 404 for that one) or several complete scans in a row that did not see it.

use crate::record::{Api, Status};

/// This many complete scans in a row make a missing API a removed one where AWS does not say.
pub const MISSED_SCANS_MAX: u32 = 3;
/// A scan in which more than one of this many vanished removes nothing.
const FIFTH: usize = 5;

/// Whether so many vanished at once, of those that the last scan saw, that it is rather the scan that is wrong.
pub fn is_held(vanished: usize, active: usize) -> bool {
    vanished * FIFTH > active
}

/// What AWS says of one API that the list did not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is no such API.
    NotFound,
    /// It is there after all.
    Found,
    /// No answer, or a refusal.
    Unknown,
}

/// What becomes of an API that a complete list did not have: its status, and how many scans have missed it.
pub fn decide(api: &Api, asked: Asked, is_held: bool) -> (Status, u32) {
    let missed = api.missed_scans + 1;
    match (asked, is_held) {
        (Asked::Found, _) => (Status::Active, 0),
        (_, true) => (Status::Missing, missed),
        (Asked::NotFound, false) => (Status::Gone, missed),
        (Asked::Unknown, false) if missed >= MISSED_SCANS_MAX => (Status::Gone, missed),
        (Asked::Unknown, false) => (Status::Missing, missed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::api;

    #[test]
    fn more_than_a_fifth_at_once_is_rather_the_scans_fault() {
        for (vanished, active, held) in
            [(0, 0, false), (0, 10, false), (2, 10, false), (3, 10, true), (1, 1, true), (1, 4, true), (1, 5, false)]
        {
            assert_eq!(is_held(vanished, active), held, "{vanished} of {active}");
        }
    }

    #[test]
    fn an_api_goes_on_awss_word_or_after_several_scans_and_never_in_one_that_lost_many() {
        for (missed, asked, held, status) in [
            (0, Asked::NotFound, false, Status::Gone),
            (0, Asked::NotFound, true, Status::Missing),
            (0, Asked::Unknown, false, Status::Missing),
            (1, Asked::Unknown, false, Status::Missing),
            (2, Asked::Unknown, false, Status::Gone),
            (9, Asked::Unknown, true, Status::Missing),
            (2, Asked::Found, false, Status::Active),
            (2, Asked::Found, true, Status::Active),
        ] {
            let api = Api { missed_scans: missed, ..api("a") };
            assert_eq!(decide(&api, asked, held).0, status, "{missed} {asked:?} {held}");
        }
    }
}

//! What is not as it should be about an API: [`RULES`] held against its record, as the last scan left it. An API goes in,
//! findings come out; nothing is asked of AWS here.
//!
//! In the order that an audit takes: `reach` tells who comes past the resource policy to which method, `checks` looks for
//! what each rule is about, [`RULES`] says how bad that is and what to do. [`asff`] writes findings in the format of Security
//! Hub. Invariants: one record has one answer; a finding is about an API or a stage, never about one method of many, so that
//! an API of a thousand methods has tens of findings; what can't be told is never taken for a pass.

use std::collections::BTreeSet;

use crate::record::{Api, Finding};

pub mod asff;
mod checks;
mod reach;
mod rules;
mod secrets;

use checks::Seen;
pub use rules::{RULES, Rule, rule};
pub use secrets::secrets;

/// The findings of an API, sorted, each once. `ours` are the ids of the front door's VPC endpoints; without any, what can only
/// be told with them is left out, and that a private API is open to every endpoint is told all the same.
pub fn audit(api: &Api, ours: &BTreeSet<String>) -> Vec<Finding> {
    let seen = Seen::of(api, ours);
    let found: BTreeSet<Finding> = RULES.iter().flat_map(|rule| rule.findings(&seen)).collect();
    found.into_iter().collect()
}

/// Why the API's owner does not want to hear of the finding any more, where that is so.
pub fn muted<'a>(api: &'a Api, finding: &Finding) -> Option<&'a str> {
    api.notes.mutes.get(&finding.rule).map(String::as_str)
}

#[cfg(test)]
mod tests;

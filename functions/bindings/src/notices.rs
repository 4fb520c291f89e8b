//! What AWS has announced of a node, kept until it is over: neither EC2 nor Auto Scaling tells it a second time. The one
//! place where an event is more than a hint where to look. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use shared::aws::LifecycleAction;
use shared::registry::{self, Record};
use shared::types::InstanceId;

use crate::entry::Entry;
use crate::nodes::Announced;
use crate::record::BindingId;

/// Why a node is about to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Spot, or the owner of a capacity reservation, takes it.
    Interruption,
    /// Spot may soon take it.
    Rebalance,
    /// AWS reboots, stops or retires it at a set time.
    ScheduledChange,
    /// Auto Scaling terminates it.
    Termination,
}

/// A time, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it begins.
    pub from_seconds: u64,
    /// When it ends.
    pub until_seconds: u64,
}

/// What an event announces of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It goes; during the window it is not to be in any sink. A window that is over takes the announcement back.
    Leaving(Reason, Window),
    /// A lifecycle hook makes Auto Scaling wait.
    Hook(LifecycleAction, Transition),
}

/// What a lifecycle hook makes wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transition {
    /// The node's coming into service.
    Launching,
    /// The node's end, or its return to the warm pool.
    Terminating,
}

/// A lifecycle action that Foregate is to complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The Auto Scaling group.
    pub group: String,
    /// What Auto Scaling calls this very action.
    pub token: String,
    /// What waits.
    pub transition: Transition,
    /// Since when Foregate has known.
    pub since_seconds: u64,
    /// How long the action may go without a heartbeat.
    pub heartbeat_seconds: u64,
    /// When it last got one.
    pub beat_seconds: u64,
    /// The bindings that are not done with the node yet.
    pub waits_for: BTreeSet<BindingId>,
}

/// All that was announced of a node and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeNotices {
    /// The node.
    pub node: InstanceId,
    /// Its addresses: EC2 forgets them when it is terminated.
    pub addresses: BTreeSet<IpAddr>,
    /// Why it is about to go, and when.
    pub leaving: BTreeMap<Reason, Window>,
    /// The actions that wait, by lifecycle hook.
    pub actions: BTreeMap<String, Waiting>,
}

/// An action is given up after this long. The longest that a target drains is an hour, and before that it may have
/// waited for its replacement.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>
pub const ACTION_SECONDS_MAX: u64 = 2 * 3_600;

impl NodeNotices {
    /// Nothing announced yet.
    pub fn new(node: InstanceId) -> Self {
        Self { node, addresses: BTreeSet::new(), leaving: BTreeMap::new(), actions: BTreeMap::new() }
    }

    /// A record of it that ends when all of it is over.
    pub fn into_record(self, version: u64) -> Record<Self> {
        let windows = self.leaving.values().map(|window| window.until_seconds);
        let actions = self.actions.values().map(|action| action.since_seconds + ACTION_SECONDS_MAX);
        let expires_at_seconds = windows.chain(actions).max().map(|end| end + 3_600);
        Record { key: registry::node_key(self.node.as_str()), version, source: None, expires_at_seconds, value: self }
    }

    /// Adds what was announced. An action waits for these bindings, and goes so long without a heartbeat.
    pub fn note(&mut self, notice: Notice, waits_for: BTreeSet<BindingId>, heartbeat_seconds: u64, now_seconds: u64) {
        match notice {
            Notice::Leaving(reason, window) => {
                self.leaving.insert(reason, window);
            }
            // The same action announced twice waits since the first time.
            Notice::Hook(action, _) if self.actions.get(&action.hook).is_some_and(|one| one.token == action.token) => {}
            Notice::Hook(LifecycleAction { group, hook, token, instance: _ }, transition) => {
                let (since_seconds, beat_seconds) = (now_seconds, now_seconds);
                let waiting =
                    Waiting { group, token, transition, since_seconds, heartbeat_seconds, beat_seconds, waits_for };
                self.actions.insert(hook, waiting);
            }
        }
        self.leaving.retain(|_, window| window.until_seconds > now_seconds);
    }

    /// Whether nothing is left to remember.
    pub fn are_over(&self, now_seconds: u64) -> bool {
        self.actions.is_empty() && self.leaving.values().all(|window| window.until_seconds <= now_seconds)
    }

    /// What counts of it now.
    pub fn announced(&self, now_seconds: u64) -> Option<Announced> {
        let is_on = |window: &Window| (window.from_seconds..window.until_seconds).contains(&now_seconds);
        let terminating = self.actions.values().any(|action| {
            action.transition == Transition::Terminating && now_seconds < action.since_seconds + ACTION_SECONDS_MAX
        });
        let taken = self.leaving.iter().any(|(reason, window)| *reason != Reason::Rebalance && is_on(window));
        match terminating || taken {
            true => Some(Announced::Taken),
            false => self.leaving.get(&Reason::Rebalance).filter(|window| is_on(window)).map(|_| Announced::AtRisk),
        }
    }

    /// Whether an action waits for the binding, or for nobody and was not completed.
    pub fn waits_for(&self, binding: &BindingId) -> bool {
        self.actions.values().any(|action| action.waits_for.contains(binding) || action.waits_for.is_empty())
    }

    /// Whether the entry is the node's own.
    pub fn owns(&self, entry: &Entry) -> bool {
        match self.addresses.is_empty() {
            true => entry.is_of(&self.node, None),
            false => self.addresses.iter().any(|address| entry.is_of(&self.node, Some(*address))),
        }
    }

    /// The action of a hook, as Auto Scaling wants it named.
    pub fn action(&self, hook: &str) -> Option<LifecycleAction> {
        let Waiting { group, token, .. } = self.actions.get(hook)?.clone();
        Some(LifecycleAction { group, hook: hook.to_owned(), token, instance: self.node.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn notices() -> NodeNotices {
        NodeNotices::new("i-1a2b3c4d".parse().unwrap())
    }

    fn waits_for() -> BTreeSet<BindingId> {
        BTreeSet::from(["binding-1".into()])
    }

    fn leaving(reason: Reason, from: i64, until: i64) -> Notice {
        let at = |seconds: i64| NOW.saturating_add_signed(seconds);
        Notice::Leaving(reason, Window { from_seconds: at(from), until_seconds: at(until) })
    }

    fn hook(token: &str) -> Notice {
        let action = LifecycleAction {
            group: "asg".into(),
            hook: "drain".into(),
            token: token.into(),
            instance: "i-1a2b3c4d".parse().unwrap(),
        };
        Notice::Hook(action, Transition::Terminating)
    }

    #[test]
    fn a_notice_counts_in_its_time_and_no_longer() {
        for (notice, announced) in [
            (leaving(Reason::Interruption, 0, 600), Some(Announced::Taken)),
            (leaving(Reason::Rebalance, 0, 3_600), Some(Announced::AtRisk)),
            (leaving(Reason::ScheduledChange, 60, 3_600), None),
            (leaving(Reason::ScheduledChange, -60, 3_600), Some(Announced::Taken)),
            (leaving(Reason::Interruption, -600, 0), None),
            (hook("t1"), Some(Announced::Taken)),
        ] {
            let mut notices = notices();
            notices.note(notice.clone(), waits_for(), 300, NOW);
            assert_eq!(notices.announced(NOW), announced, "{notice:?}");
        }
    }

    #[test]
    fn a_change_that_was_called_off_is_taken_back() {
        let mut notices = notices();
        notices.note(leaving(Reason::ScheduledChange, 0, 3_600), waits_for(), 300, NOW);
        notices.note(leaving(Reason::ScheduledChange, 0, 0), waits_for(), 300, NOW);
        assert!(notices.announced(NOW).is_none() && notices.are_over(NOW));
    }

    #[test]
    fn an_action_that_is_announced_twice_waits_since_the_first_time() {
        let mut notices = notices();
        notices.note(hook("t1"), waits_for(), 300, NOW);
        notices.note(hook("t1"), waits_for(), 300, NOW + 60);
        assert_eq!(notices.actions["drain"].since_seconds, NOW);
        notices.note(hook("t2"), waits_for(), 300, NOW + 60);
        assert_eq!(notices.action("drain").unwrap().token, "t2");
    }
}

//! What a subscription needs next. Pure: a saga is the steps that [`next`] gives, one after the other, each written down when it is
//! done; so it can be killed anywhere and run again.
//!
//! Invariants: a key's name is written down before the key is made, and is found by that name if its id got lost; a key that is
//! rotated out goes only when its successor works; nothing but a revocation takes the last key away.

use crate::record::{Key, Subscribed, Subscription};

/// A step of a saga, on the key at this index of the subscription's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find the key by its name, or make it.
    Make(usize),
    /// Put it on the usage plan.
    Attach(usize),
    /// Let it be used, or not.
    Enable(usize, bool),
    /// Delete it.
    Delete(usize),
}

/// How long a rotated key works beside its successor where nothing else is said.
pub const OVERLAP_SECONDS: u64 = 24 * 3_600;

/// What is to be done next; nothing when all is as it should be.
pub fn next(subscription: &Subscription, now_seconds: u64) -> Option<Step> {
    let keys = &subscription.keys;
    if subscription.is_revoked {
        return (!keys.is_empty()).then_some(Step::Delete(0));
    }
    let is_due = |key: &Key| key.retires_at_seconds.is_some_and(|at| at <= now_seconds);
    let is_usable = is_enabled(subscription, now_seconds);
    let step = keys.iter().enumerate().find_map(|(index, key)| match key {
        Key { id: None, .. } => Some(Step::Make(index)),
        Key { is_attached: false, .. } => Some(Step::Attach(index)),
        Key { is_enabled, .. } if *is_enabled != is_usable => Some(Step::Enable(index, is_usable)),
        _ => None,
    });
    // Only now: the successors of those that retire work.
    step.or_else(|| keys.iter().position(is_due).map(Step::Delete))
}

fn is_enabled(subscription: &Subscription, now_seconds: u64) -> bool {
    !subscription.is_paused && !is_expired(subscription, now_seconds)
}

fn is_expired(subscription: &Subscription, now_seconds: u64) -> bool {
    subscription.expires_at_seconds.is_some_and(|at| at <= now_seconds)
}

/// How a subscription stands, when nothing is left to be done.
pub fn status(subscription: &Subscription, now_seconds: u64) -> Subscribed {
    match subscription {
        one if next(one, now_seconds).is_some() => Subscribed::Pending,
        Subscription { is_revoked: true, .. } => Subscribed::Revoked,
        one if is_expired(one, now_seconds) => Subscribed::Expired,
        Subscription { is_paused: true, .. } => Subscribed::Paused,
        Subscription { is_detached: true, .. } => Subscribed::Suspended,
        _ => Subscribed::Active,
    }
}

/// When it has to be looked at again, in seconds since the epoch: a key retires, or the subscription expires.
pub fn due_at_seconds(subscription: &Subscription, now_seconds: u64) -> Option<u64> {
    let retiring = subscription.keys.iter().filter_map(|key| key.retires_at_seconds);
    let expiring = subscription.expires_at_seconds.filter(|at| *at > now_seconds);
    retiring.chain(expiring).min()
}

/// Begins a rotation: a new key, and the others retire after `overlap_seconds`. One that was begun and whose key nobody has
/// been given is gone on with; `None` says that the last one is not over.
pub fn rotate(
    subscription: &mut Subscription,
    name_of: impl Fn(u32) -> String,
    now_seconds: u64,
    overlap_seconds: u64,
) -> Option<()> {
    let keys = &mut subscription.keys;
    if keys.len() > 1 {
        return keys.last().is_some_and(|newest| !newest.is_given).then_some(());
    }
    let rotation = keys.last().and_then(|key| key.rotation.clone());
    retire(keys, now_seconds + overlap_seconds);
    subscription.generation += 1;
    keys.push(Key { name: name_of(subscription.generation), rotation, ..Key::default() });
    Some(())
}

/// Makes the key of this word the newest: the one that there is, back from its retirement where a stack was rolled back, or a new
/// one. `None` says that the last rotation is not over.
pub fn turn_to(
    subscription: &mut Subscription,
    rotation: Option<String>,
    name_of: impl Fn(u32) -> String,
    now_seconds: u64,
) -> Option<()> {
    let keys = &mut subscription.keys;
    match keys.iter().rposition(|key| key.rotation == rotation) {
        Some(index) if index + 1 == keys.len() => {}
        Some(index) => {
            let back = Key { retires_at_seconds: None, is_given: false, ..keys.remove(index) };
            retire(keys, now_seconds + OVERLAP_SECONDS);
            keys.push(back);
        }
        None if keys.len() > 1 => return None,
        None => {
            rotate(subscription, name_of, now_seconds, OVERLAP_SECONDS)?;
            subscription.keys.last_mut()?.rotation = rotation;
        }
    }
    Some(())
}

fn retire(keys: &mut [Key], at_seconds: u64) {
    keys.iter_mut().for_each(|key| key.retires_at_seconds = Some(at_seconds));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::subscription;

    fn key(name: &str) -> Key {
        Key { name: name.into(), id: Some(format!("id-{name}")), is_attached: true, is_enabled: true, ..Key::default() }
    }

    #[test]
    fn a_subscription_gets_what_it_lacks_step_by_step() {
        let retiring = |at| Key { retires_at_seconds: Some(at), ..key("old") };
        for (what, keys, change, step, stands) in [
            (
                "nothing made",
                vec![Key { name: "k".into(), ..Key::default() }],
                "",
                Some(Step::Make(0)),
                Subscribed::Pending,
            ),
            ("made", vec![Key { is_attached: false, ..key("k") }], "", Some(Step::Attach(0)), Subscribed::Pending),
            ("attached", vec![key("k")], "", None, Subscribed::Active),
            ("paused", vec![key("k")], "pause", Some(Step::Enable(0, false)), Subscribed::Pending),
            ("paused by now", vec![Key { is_enabled: false, ..key("k") }], "pause", None, Subscribed::Paused),
            (
                "resumed",
                vec![Key { is_enabled: false, ..key("k") }],
                "",
                Some(Step::Enable(0, true)),
                Subscribed::Pending,
            ),
            ("expired", vec![key("k")], "expire", Some(Step::Enable(0, false)), Subscribed::Pending),
            ("expired by now", vec![Key { is_enabled: false, ..key("k") }], "expire", None, Subscribed::Expired),
            ("the plan is detached", vec![key("k")], "detach", None, Subscribed::Suspended),
            ("in the overlap", vec![retiring(101), key("new")], "", None, Subscribed::Active),
            ("after the overlap", vec![retiring(100), key("new")], "", Some(Step::Delete(0)), Subscribed::Pending),
            (
                "after the overlap, and the successor does not work yet",
                vec![retiring(100), Key { is_attached: false, ..key("new") }],
                "",
                Some(Step::Attach(1)),
                Subscribed::Pending,
            ),
            ("revoked", vec![key("k")], "revoke", Some(Step::Delete(0)), Subscribed::Pending),
            ("revoked by now", vec![], "revoke", None, Subscribed::Revoked),
        ] {
            let mut one = subscription();
            one.keys = keys;
            match change {
                "pause" => one.is_paused = true,
                "expire" => one.expires_at_seconds = Some(100),
                "detach" => one.is_detached = true,
                "revoke" => one.is_revoked = true,
                _ => {}
            }
            assert_eq!(next(&one, 100), step, "{what}");
            assert_eq!(status(&one, 100), stands, "{what}");
        }
    }

    #[test]
    fn a_rotation_is_one_at_a_time_and_one_that_broke_off_is_gone_on_with() {
        let name_of = |generation: u32| format!("k-{generation}");
        let mut one = subscription();
        one.keys = vec![Key { is_given: true, ..key("k-1") }];
        one.generation = 1;
        assert_eq!(rotate(&mut one, name_of, 100, 50), Some(()));
        assert_eq!((one.keys.len(), one.keys[1].name.as_str(), one.keys[0].retires_at_seconds), (2, "k-2", Some(150)));
        assert_eq!(due_at_seconds(&one, 100), Some(150));
        assert_eq!(rotate(&mut one, name_of, 110, 50), Some(()), "nobody has the new key yet");
        assert_eq!(one.keys.len(), 2);
        one.keys[1].is_given = true;
        assert_eq!(rotate(&mut one, name_of, 120, 50), None);
    }

    #[test]
    fn a_stack_that_is_rolled_back_has_its_old_key_again() {
        let name_of = |generation: u32| format!("k-{generation}");
        let word = |word: &str| Some(word.to_owned());
        let mut one = subscription();
        one.keys = vec![Key { rotation: word("1"), is_given: true, ..key("k-1") }];
        one.generation = 1;
        let mut turn = |to: &str, now: u64| {
            let turned = turn_to(&mut one, word(to), name_of, now);
            (
                turned.is_some(),
                one.keys.iter().map(|key| (key.name.clone(), key.retires_at_seconds)).collect::<Vec<_>>(),
            )
        };
        let after = 100 + OVERLAP_SECONDS;
        assert_eq!(turn("1", 100), (true, vec![("k-1".into(), None)]), "the same word is the same key");
        let both = vec![("k-1".into(), Some(after)), ("k-2".into(), None)];
        assert_eq!(turn("2", 100), (true, both.clone()));
        assert_eq!(turn("2", 200), (true, both.clone()), "again");
        assert_eq!(turn("3", 200), (false, both), "a third has to wait");
        assert_eq!(turn("1", 100), (true, vec![("k-2".into(), Some(after)), ("k-1".into(), None)]));
    }
}

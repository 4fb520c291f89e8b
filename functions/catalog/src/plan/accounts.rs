//! Which accounts of an organizational unit are looked at. A list without an account is no proof that it has left: permissions
//! shrink, and answers come back empty.
//!
//! Invariant: an account goes only after several lists in a row that did not have it. An empty list counts for nothing, nor does
//! the first one that lost more than a fifth.

use std::collections::{BTreeMap, BTreeSet};

use shared::types::AccountId;

use super::removal::{MISSED_SCANS_MAX, is_held};

/// The accounts of a unit, after its list was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Those that are looked at: those listed, and those missing.
    pub accounts: BTreeSet<AccountId>,
    /// Those missing, each with how many lists in a row did not have it.
    pub missed: BTreeMap<AccountId, u32>,
    /// Those that have left.
    pub gone: BTreeSet<AccountId>,
}

/// What becomes of the accounts that are `known` of a unit now that its list was read.
pub fn follow(
    known: &BTreeSet<AccountId>,
    missed: &BTreeMap<AccountId, u32>,
    listed: &BTreeSet<AccountId>,
) -> Followed {
    let mut followed = Followed { accounts: listed | known, ..Followed::default() };
    let missing: Vec<&AccountId> = known.difference(listed).collect();
    let vanished = missing.iter().filter(|account| !missed.contains_key(**account)).count();
    let counts = !listed.is_empty() && !is_held(vanished, known.len() - (missing.len() - vanished));
    for account in missing {
        let times = missed.get(account).copied().unwrap_or_default() + u32::from(counts);
        if times < MISSED_SCANS_MAX {
            followed.missed.insert(account.clone(), times);
        } else {
            followed.accounts.remove(account);
            followed.gone.insert(account.clone());
        }
    }
    followed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<AccountId> {
        numbers.into_iter().map(|number| format!("{number:012}").parse().unwrap()).collect()
    }

    /// The accounts that are left after each of these lists, by how many.
    fn left(known: u64, lists: &[&[u64]]) -> Vec<usize> {
        let mut now = Followed { accounts: accounts(1..=known), ..Followed::default() };
        let follows = lists.iter().map(|list| {
            now = follow(&now.accounts, &now.missed, &accounts(list.iter().copied()));
            now.accounts.len()
        });
        follows.collect()
    }

    #[test]
    fn an_account_goes_after_several_lists_and_never_on_one_that_lost_many() {
        let all_but_ten: Vec<u64> = (1..=9).collect();
        let (ten, half): (Vec<u64>, Vec<u64>) = ((1..=10).collect(), (1..=5).collect());
        for (why, lists, expected) in [
            ("three lists in a row", vec![&all_but_ten[..]; 3], vec![10, 10, 9]),
            ("it was back once", vec![&all_but_ten[..], &all_but_ten, &ten, &all_but_ten, &all_but_ten], vec![10; 5]),
            ("the first list that lost half does not count", vec![&half[..]; 4], vec![10, 10, 10, 5]),
            ("nothing is ever believed of an empty list", vec![&[][..]; 9], vec![10; 9]),
            ("nor does it count for one that was missing", vec![&all_but_ten[..], &all_but_ten, &[], &[]], vec![10; 4]),
        ] {
            assert_eq!(left(10, &lists), expected, "{why}");
        }
        assert_eq!(left(1, &[&[2], &[2], &[2], &[2]]), [2, 2, 2, 1], "what comes is taken up at once");
    }
}

//! How much of its REST API a front door takes: API Gateway counts resources, which are paths and each of their beginnings.

use std::collections::BTreeMap;

use super::Name;
use crate::error::{Error, ErrorType};
use crate::types::AccountId;

/// Resources by first segment and account; the root is one more.
pub type Resources = BTreeMap<String, BTreeMap<AccountId, usize>>;

/// Refuses more than the front door's `limit`, with who has how many of them.
pub fn check(door: &Name, limit: u32, resources: &Resources) -> Result<(), Error> {
    let mut by_account: BTreeMap<&AccountId, usize> = BTreeMap::new();
    for (account, count) in resources.values().flatten() {
        *by_account.entry(account).or_default() += count;
    }
    let total = 1 + by_account.values().sum::<usize>();
    if total <= limit as usize {
        return Ok(());
    }
    let mut accounts: Vec<(&AccountId, usize)> = by_account.into_iter().collect();
    accounts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let who: Vec<String> =
        accounts.iter().take(10).map(|(account, count)| format!("account {account} {count}")).collect();
    Err(Error::new(
        ErrorType::LimitExceeded,
        format!(
            "the front door {door} would need {total} resources, and its REST API has {limit} (the front door's \
             ResourceLimit; API Gateway's own quota is 300 and can be raised). In use: {}. Use {{proxy+}} in place of \
             single paths, remove routes, or have the quota and ResourceLimit raised",
            who.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_limit_and_who_uses_how_much() {
        let counts = |cats: usize| -> Resources {
            let account = |digit: &str| digit.repeat(12).parse::<AccountId>().unwrap();
            BTreeMap::from([
                ("cats".into(), BTreeMap::from([(account("1"), cats)])),
                ("dogs".into(), BTreeMap::from([(account("1"), 1), (account("2"), 100)])),
            ])
        };
        let door = Name::default_door();
        assert!(check(&door, 300, &counts(198)).is_ok());
        let error = check(&door, 300, &counts(199)).unwrap_err();
        assert_eq!(error.error_type, ErrorType::LimitExceeded);
        for part in ["would need 301 resources", "ResourceLimit", "account 111111111111 200, account 222222222222 100"]
        {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

//! AWS Organizations, behind [`Organization`]. Only the management account and its delegated administrators may ask.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::AccountState;

use super::sdk::every_page;
use super::{Answer, Organization};
use crate::types::AccountId;

/// AWS's maximum is 20 a page; an organization has 10,000 accounts at most where its quota was raised that far.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>
const PAGES_MAX: usize = 1_000;

/// The organization that this account is in.
#[derive(Clone, Debug)]
pub struct Organizations {
    client: Client,
}

impl Organizations {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    async fn accounts_of(&self, parent: &str) -> Answer<Vec<AccountId>> {
        let call = self.client.list_accounts_for_parent().parent_id(parent);
        every_page!("ListAccountsForParent", parent, PAGES_MAX, call, |page| {
            let active = page.accounts.unwrap_or_default().into_iter().filter(|one| may_be_open(one.state()));
            active.filter_map(|one| one.id()?.parse().ok()).collect::<Vec<_>>()
        })
    }

    async fn units_of(&self, parent: &str) -> Answer<Vec<String>> {
        let call = self.client.list_organizational_units_for_parent().parent_id(parent);
        every_page!("ListOrganizationalUnitsForParent", parent, PAGES_MAX, call, |page| {
            page.organizational_units.unwrap_or_default().into_iter().filter_map(|one| one.id)
        })
    }
}

/// Whether an account may let somebody in, by its `State`, which took the place of the retired `Status`. Of one whose state AWS
/// does not tell, or tells by a new word, AssumeRole decides: an account must not vanish for want of a word.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html>
fn may_be_open(state: Option<&AccountState>) -> bool {
    use AccountState::{Closed, PendingActivation, PendingClosure, Suspended};
    !matches!(state, Some(Closed | PendingActivation | PendingClosure | Suspended))
}

impl Organization for Organizations {
    async fn accounts_below(&self, unit_id: &str) -> Answer<BTreeSet<AccountId>> {
        let (mut accounts, mut units) = (BTreeSet::new(), vec![unit_id.to_owned()]);
        // A tree of five levels at most, each unit in it once.
        while let Some(unit) = units.pop() {
            accounts.extend(self.accounts_of(&unit).await?);
            units.extend(self.units_of(&unit).await?);
        }
        Ok(accounts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_counts_unless_its_state_says_that_it_is_closed() {
        for (state, counts) in [
            (Some("ACTIVE"), true),
            (None, true),
            (Some("SOMETHING_NEW"), true),
            (Some("PENDING_ACTIVATION"), false),
            (Some("SUSPENDED"), false),
            (Some("PENDING_CLOSURE"), false),
            (Some("CLOSED"), false),
        ] {
            assert_eq!(may_be_open(state.map(AccountState::from).as_ref()), counts, "{state:?}");
        }
    }
}

//! AWS Organizations, behind [`Organization`]. Only the management account and its delegated administrators may ask.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{Account, AccountStatus};

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
        // One that is closed or being closed lets nobody in.
        #[allow(deprecated, reason = "what takes its place is not in every partition yet")]
        let is_active = |one: &Account| one.status() == Some(&AccountStatus::Active);
        every_page!("ListAccountsForParent", parent, PAGES_MAX, call, |page| {
            let active = page.accounts.unwrap_or_default().into_iter().filter(is_active);
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

//! The APIs that a look did not find: missing, gone, or there after all.

use std::collections::BTreeSet;

use shared::aws::{Bus, ListedApi};
use shared::error::Error;
use shared::registry::{self, Record, Registry};
use shared::types::AccountId;

use super::seen::missing;
use super::{Look, Report, Scope};
use crate::documents;
use crate::plan::Difference;
use crate::plan::removal::{self, Asked};
use crate::record::{Api, ApiKey, Status};
use crate::report;
use crate::world::World;

/// How many missing APIs one scan asks AWS about; the others wait for the next.
const ASKED_MAX: usize = 100;
/// How long a removed API is remembered.
const GONE_SECONDS: u64 = 30 * 24 * 3_600;

impl<W: World> Look<'_, W> {
    /// Those of the catalogue that are not there: of all, or of those that were asked for.
    pub(super) fn absent(&self, scope: &Scope, apis: &[ListedApi]) -> Vec<ApiKey> {
        let missing = missing(&self.known, apis);
        missing.into_iter().filter(|key| scope.all || scope.apis.contains(&key.id)).collect()
    }

    /// Takes the absent for missing or for gone.
    pub(super) async fn remove(
        &mut self,
        scope: &Scope,
        absent: Vec<ApiKey>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let active = self.known.values().filter(|record| record.value.status == Status::Active).count();
        let is_active = |key: &ApiKey| self.known.get(key).is_some_and(|one| one.value.status == Status::Active);
        let vanished = absent.iter().filter(|key| is_active(key)).count();
        // Who asks for one by name has AWS's answer about that very one.
        let is_held = scope.all && removal::is_held(vanished, active);
        report.completeness.removals_held = is_held;
        let (mut events, mut writes) = (Vec::new(), Vec::new());
        for (number, key) in absent.iter().enumerate() {
            let asked = match (scope.all, is_held || number >= ASKED_MAX) {
                (false, _) => Asked::NotFound,
                (true, true) => Asked::Unknown,
                (true, false) => match self.observer.api(&key.id).await {
                    Ok(None) => Asked::NotFound,
                    Ok(Some(_)) => Asked::Found,
                    Err(_) => Asked::Unknown,
                },
            };
            let Some(mut record) = self.known.get(key).cloned() else { continue };
            let before = (record.value.status, record.value.missed_scans);
            (record.value.status, record.value.missed_scans) = removal::decide(&record.value, asked, is_held);
            if before == (record.value.status, record.value.missed_scans) {
                continue;
            }
            if record.value.status == Status::Gone {
                record.value.changed_seconds = self.world.now_seconds();
                record.expires_at_seconds = Some(self.world.now_seconds() + GONE_SECONDS);
                events.push(report::removed(&record.value));
            }
            report.changes.extend(match record.value.status {
                Status::Active => None,
                Status::Missing => Some((key.clone(), Difference::Missing)),
                Status::Gone => Some((key.clone(), Difference::Gone)),
            });
            writes.push(record);
        }
        if is_held {
            let place = self.target.place.to_string();
            tracing::warn!(place, vanished, active, "more than a fifth of the APIs vanished at once: none is removed");
        }
        self.write(events, writes).await
    }
}

/// Takes all APIs of an account for removed that nobody has asked to look at any more.
pub async fn remove_account<W: World>(world: &W, account: &AccountId) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let records: Vec<Record<Api>> = registry.list(registry::catalog_api_key(&format!("{account}/"))).await?;
    for mut record in records.into_iter().filter(|record| record.value.status != Status::Gone) {
        (record.value.status, record.value.changed_seconds) = (Status::Gone, world.now_seconds());
        record.expires_at_seconds = Some(world.now_seconds() + GONE_SECONDS);
        world.bus().put(&[report::removed(&record.value)]).await?;
        registry.put(&mut record).await?;
        documents::prune(world, &record.value.key, &BTreeSet::new()).await?;
    }
    Ok(())
}

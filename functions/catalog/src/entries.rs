//! The catalogue's records, as they are read: APIs with what their owners wrote to them, and what is known of places.

use std::collections::BTreeMap;

use shared::error::Error;
use shared::lease::Leased;
use shared::registry::{self, Record, Registry};

use crate::record::{Api, ApiKey, Notes, Place, Scanned};
use crate::world::World;

/// The APIs of a place, or of all, by key, with their owners' notes.
pub async fn apis<W: World>(world: &W, place: Option<&Place>) -> Result<BTreeMap<ApiKey, Record<Api>>, Error> {
    let registry = Registry::new(world.table());
    let prefix = place.map(|place| format!("{place}/")).unwrap_or_default();
    let records: Vec<Record<Api>> = registry.list(registry::catalog_api_key(&prefix)).await?;
    let mut notes: BTreeMap<String, Notes> = registry
        .list::<Notes>(registry::catalog_notes_key(&prefix))
        .await?
        .into_iter()
        .map(|record| (record.key.sort, record.value))
        .collect();
    let with_notes = |mut record: Record<Api>| {
        record.value.notes = notes.remove(&record.key.sort).unwrap_or_default();
        (record.value.key.clone(), record)
    };
    Ok(records.into_iter().map(with_notes).collect())
}

/// One API, with its owner's notes.
pub async fn api<W: World>(world: &W, key: &ApiKey) -> Result<Option<Api>, Error> {
    let registry = Registry::new(world.table());
    let Some(record) = registry.get::<Api>(&registry::catalog_api_key(&key.to_string())).await? else {
        return Ok(None);
    };
    let notes = registry.get::<Notes>(&registry::catalog_notes_key(&key.to_string())).await?;
    Ok(Some(Api { notes: notes.map(|record| record.value).unwrap_or_default(), ..record.value }))
}

/// What is known of every place that was ever looked at.
pub async fn places<W: World>(world: &W) -> Result<BTreeMap<String, Scanned>, Error> {
    let registry = Registry::new(world.table());
    let records: Vec<Record<Leased<Scanned>>> = registry.list(registry::catalog_place_key("")).await?;
    Ok(records.into_iter().map(|record| (record.key.sort, record.value.value)).collect())
}

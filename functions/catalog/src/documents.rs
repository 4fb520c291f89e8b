//! The documents of the catalogue: what stages show, by hash, packed, in parts that DynamoDB takes. A document is written before
//! the API's record names it, and removed after none does; what a run leaves that breaks off in between goes with the API's next
//! change.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use serde_json::Value;
use shared::error::Error;
use shared::registry::{self, Record, Registry};

use crate::packed::{pack, unpack};
use crate::record::ApiKey;
use crate::world::World;

/// DynamoDB takes items of 400 KB, their keys included.
const PART_BYTES: usize = 350_000;

fn unreadable(api: &ApiKey, error: &std::io::Error) -> Error {
    Error::upstream(format!("the document of {api} can't be read or written: {error}"))
}

/// Keeps a document.
pub async fn keep<W: World>(world: &W, api: &ApiKey, hash: &str, document: &Value) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let packed = pack(document).map_err(|e| unreadable(api, &e))?;
    for (number, part) in packed.as_bytes().chunks(PART_BYTES).enumerate() {
        let key = registry::catalog_document_key(&api.to_string(), hash, Some(number));
        let part = String::from_utf8_lossy(part).into_owned();
        // What a run has left that broke off is the same: the hash says so.
        if registry.get::<String>(&key).await?.is_none() {
            registry.put(&mut Record::new(key, part)).await?;
        }
    }
    Ok(())
}

/// A document that was kept.
pub async fn load<W: World>(world: &W, api: &ApiKey, hash: &str) -> Result<Option<Value>, Error> {
    let registry = Registry::new(world.table());
    let parts: Vec<Record<String>> =
        registry.list(registry::catalog_document_key(&api.to_string(), hash, None)).await?;
    if parts.is_empty() {
        return Ok(None);
    }
    let packed: String = parts.into_iter().map(|record| record.value).collect();
    unpack(&packed).map(Some).map_err(|e| unreadable(api, &e))
}

/// Removes the API's documents but those with these hashes.
pub async fn prune<W: World>(world: &W, api: &ApiKey, kept: &BTreeSet<String>) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let all: Vec<Record<String>> = registry.list(registry::catalog_document_key(&api.to_string(), "", None)).await?;
    let hash_of = |record: &Record<String>| record.key.sort.split('#').next().unwrap_or_default().to_owned();
    let stale = all.iter().filter(|record| !kept.contains(&hash_of(record)));
    try_join_all(stale.map(|record| registry.delete(record))).await.map(drop)
}

//! The registry: every record that Foregate keeps, and every way it is found. One DynamoDB table.
//!
//! | record | `pk` | `sk` | index `by-source` |
//! |---|---|---|---|
//! | a binding | `BINDING` | binding id | source kind, source id |
//! | a sink: who owns what of it, and the lease on it | `SINK` | target group ARN or security group id | – |
//! | a node that was announced to go, or to come | `NODE` | instance id | – |
//! | a front door | `FRONT-DOOR` | name | – |
//! | what is published of a front door or a shard of it, and the publisher's lease | `PUBLICATION` | front door, `DOOR/SEGMENT` | – |
//! | a revision that was published | `REVISION#DOOR`, `REVISION#DOOR/SEGMENT` | number | – |
//! | a tenant | `TENANT` | account | – |
//! | a route | `ROUTE` | route id (begins with `route-ACCOUNT-`) | – |
//! | who has which path, below one first segment | `CLAIMS#DOOR` | segment | – |
//! | when a call may be made that AWS allows the account only so often | `RATE` | the call | – |
//! | an answer that a stack waits for, about a route or the front door | `WAITING#DOOR` | route id or `front-door`, request | – |
//! | a VPC link, and the lease on it | `LINK` | name | – |
//! | an answer about a VPC link that a stack waits for | `LINK-WAITING` | name, request | – |
//! | an API of the catalogue | `CATALOG-API` | account, region, API id | – |
//! | a part of what a stage shows | `CATALOG-DOCUMENT#API` | hash, number | – |
//! | what an owner has written to an API | `CATALOG-NOTES` | account, region, API id | – |
//! | an account and region that is scanned, and the lease on it | `CATALOG-PLACE` | account, region | – |
//! | where to look for APIs | `DISCOVERY` | discovery id | – |
//! | a subscription, and the lease on it | `SUBSCRIPTION` | subscription id (begins with `subscription-ACCOUNT-`) | – |
//!
//! | access pattern | how |
//! |---|---|
//! | a binding by id; all bindings of one origin; all bindings | `pk`, `sk` or its beginning |
//! | the announcements of all nodes, or of one | `pk`, or `pk` and `sk` |
//! | the routes of an account, of one origin, or all | `pk`, and the sort key's beginning |
//! | the claims that a route could be in the way of | `pk` and `sk`: one item, written with the route in one transaction |
//! | the bindings that an event is about | index: source kind and id, or source kind alone |
//!
//! Invariant: a record is written only over the version that was read. A write whose answer got lost is recognised as
//! our own when it is tried again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::{Cause, Item, ItemKey, ItemQuery, Table};
use crate::error::Error;

/// Where a binding stands.
pub fn binding_key(binding_id: &str) -> ItemKey {
    ItemKey { partition: "BINDING".into(), sort: binding_id.into() }
}

/// Where a sink's ledger and lease stand.
pub fn sink_key(sink: &str) -> ItemKey {
    ItemKey { partition: "SINK".into(), sort: sink.into() }
}

/// Where what was announced of a node stands.
pub fn node_key(instance_id: &str) -> ItemKey {
    ItemKey { partition: "NODE".into(), sort: instance_id.into() }
}

/// Where a front door stands.
pub fn front_door_key(name: &str) -> ItemKey {
    ItemKey { partition: "FRONT-DOOR".into(), sort: name.into() }
}

/// Where that stands which is published of a front door.
pub fn publication_key(front_door: &str) -> ItemKey {
    ItemKey { partition: "PUBLICATION".into(), sort: front_door.into() }
}

/// Where a revision of a front door stands.
pub fn revision_key(front_door: &str, number: u64) -> ItemKey {
    ItemKey { partition: format!("REVISION#{front_door}"), sort: format!("{number:012}") }
}

/// Where a tenant stands.
pub fn tenant_key(account: &str) -> ItemKey {
    ItemKey { partition: "TENANT".into(), sort: account.into() }
}

/// Where a route stands.
pub fn route_key(route_id: &str) -> ItemKey {
    ItemKey { partition: "ROUTE".into(), sort: route_id.into() }
}

/// Where the claims on a front door's paths stand that begin with this segment.
pub fn claims_key(front_door: &str, first_segment: &str) -> ItemKey {
    ItemKey { partition: format!("CLAIMS#{front_door}"), sort: first_segment.into() }
}

/// Where an answer stands that a stack waits for.
pub fn waiting_key(front_door: &str, subject: &str, request: &str) -> ItemKey {
    ItemKey { partition: format!("WAITING#{front_door}"), sort: format!("{subject}#{request}") }
}

/// Where a VPC link stands.
pub fn link_key(name: &str) -> ItemKey {
    ItemKey { partition: "LINK".into(), sort: name.into() }
}

/// Where an answer about a VPC link stands that a stack waits for.
pub fn link_waiting_key(name: &str, request: &str) -> ItemKey {
    ItemKey { partition: "LINK-WAITING".into(), sort: format!("{name}#{request}") }
}

/// Where an API of the catalogue stands, by `ACCOUNT/REGION/API-ID`, or all of an account and region, by `ACCOUNT/REGION/`.
pub fn catalog_api_key(api: &str) -> ItemKey {
    ItemKey { partition: "CATALOG-API".into(), sort: api.into() }
}

/// Where a part of what an API's stages show stands, by hash; all parts of all hashes with an empty one. Each API has a
/// partition of its own: documents are large, and a partition takes 1 MB a second.
pub fn catalog_document_key(api: &str, hash: &str, part: Option<usize>) -> ItemKey {
    let part = part.map(|number| format!("{number:03}")).unwrap_or_default();
    let sort = if hash.is_empty() { String::new() } else { format!("{hash}#{part}") };
    ItemKey { partition: format!("CATALOG-DOCUMENT#{api}"), sort }
}

/// Where what an owner has written to an API of the catalogue stands.
pub fn catalog_notes_key(api: &str) -> ItemKey {
    ItemKey { partition: "CATALOG-NOTES".into(), sort: api.into() }
}

/// Where what is known of an account and region stands.
pub fn catalog_place_key(place: &str) -> ItemKey {
    ItemKey { partition: "CATALOG-PLACE".into(), sort: place.into() }
}

/// Where a discovery stands.
pub fn discovery_key(id: &str) -> ItemKey {
    ItemKey { partition: "DISCOVERY".into(), sort: id.into() }
}

/// Where a subscription stands.
pub fn subscription_key(id: &str) -> ItemKey {
    ItemKey { partition: "SUBSCRIPTION".into(), sort: id.into() }
}

/// Where it stands when a call may be made next.
pub fn rate_key(operation: &str) -> ItemKey {
    ItemKey { partition: "RATE".into(), sort: operation.into() }
}

/// All records of this kind: the partition of `key`.
pub fn all_like(key: ItemKey) -> ItemKey {
    ItemKey { sort: String::new(), ..key }
}

/// Where the index has what follows a source, such as `VpcEndpoint` and `vpce-1a2b3c4d`.
pub fn source_key(kind: &str, id: &str) -> ItemKey {
    ItemKey { partition: format!("SOURCE#{kind}"), sort: id.into() }
}

/// A record and the version that it was read at.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<R> {
    /// Where it stands.
    pub key: ItemKey,
    /// How often it was written; 0 before the first time.
    pub version: u64,
    /// Where the index has it.
    pub source: Option<ItemKey>,
    /// When DynamoDB may delete it, in seconds since the epoch.
    pub expires_at_seconds: Option<u64>,
    /// What it says.
    pub value: R,
}

impl<R> Record<R> {
    /// A record that was never written.
    pub fn new(key: ItemKey, value: R) -> Self {
        Self { key, version: 0, source: None, expires_at_seconds: None, value }
    }
}

impl<R: Serialize> Record<R> {
    /// The item that the next write of this record puts.
    pub fn next(&self) -> Result<Item, Error> {
        let body = serde_json::to_value(&self.value)
            .map_err(|e| Error::upstream(format!("failed to write the record {}: {e}", self.key.sort)))?;
        Ok(Item {
            key: self.key.clone(),
            version: self.version + 1,
            source: self.source.clone(),
            expires_at_seconds: self.expires_at_seconds,
            body,
        })
    }
}

/// Reads and writes records in a table.
#[derive(Clone, Debug)]
pub struct Registry<'a, T> {
    table: &'a T,
}

impl<'a, T: Table> Registry<'a, T> {
    /// The registry in this table.
    pub fn new(table: &'a T) -> Self {
        Self { table }
    }

    /// The record at `key`, read consistently.
    pub async fn get<R: DeserializeOwned>(&self, key: &ItemKey) -> Result<Option<Record<R>>, Error> {
        self.table.get(key).await?.map(decode).transpose()
    }

    /// All records whose partition is `key`'s and whose sort key begins with `key`'s.
    pub async fn list<R: DeserializeOwned>(&self, key: ItemKey) -> Result<Vec<Record<R>>, Error> {
        self.query(ItemQuery { by_source: false, partition: key.partition, sort_prefix: key.sort }).await
    }

    /// All records that follow the source at `key`; with an empty sort key, all that follow a source of that kind.
    pub async fn by_source<R: DeserializeOwned>(&self, key: ItemKey) -> Result<Vec<Record<R>>, Error> {
        self.query(ItemQuery { by_source: true, partition: key.partition, sort_prefix: key.sort }).await
    }

    /// The records like `key` that come after the one at `after`, as many as a page has; none is the end. For partitions
    /// that tenants can fill, which are never held in memory as a whole.
    pub async fn page<R: DeserializeOwned>(
        &self,
        key: ItemKey,
        after: Option<&ItemKey>,
    ) -> Result<Vec<Record<R>>, Error> {
        let query = ItemQuery { by_source: false, partition: key.partition, sort_prefix: key.sort };
        self.table.query_page(&query, after).await?.into_iter().map(decode).collect()
    }

    async fn query<R: DeserializeOwned>(&self, query: ItemQuery) -> Result<Vec<Record<R>>, Error> {
        self.table.query(&query).await?.into_iter().map(decode).collect()
    }

    /// Writes `record` over the version that it was read at and raises its version; [`ErrorType::Conflict`] when
    /// somebody else was faster.
    ///
    /// [`ErrorType::Conflict`]: crate::error::ErrorType::Conflict
    pub async fn put<R: Serialize>(&self, record: &mut Record<R>) -> Result<(), Error> {
        let item = record.next()?;
        match self.table.put(&item).await {
            Ok(()) => {}
            Err(error) if error.cause == Cause::Conflict => match self.table.get(&record.key).await? {
                Some(stored) if stored == item => {}
                _ => {
                    return Err(Error::conflict(format!(
                        "the record {} was changed by somebody else in the meantime: try again",
                        record.key.sort
                    )));
                }
            },
            Err(error) => return Err(error.into()),
        }
        record.version = item.version;
        Ok(())
    }

    /// Writes all items, which are [`Record::next`]s, or none; [`ErrorType::Conflict`] when somebody else was faster with any.
    ///
    /// [`ErrorType::Conflict`]: crate::error::ErrorType::Conflict
    pub async fn put_all(&self, items: &[Item]) -> Result<(), Error> {
        let error = match self.table.put_all(items).await {
            Err(error) if error.cause == Cause::Conflict => error,
            other => return other.map_err(Error::from),
        };
        for item in items {
            if self.table.get(&item.key).await?.as_ref() != Some(item) {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Deletes the record if it is still at the version that it was read at; one that is gone already is no error.
    pub async fn delete<R>(&self, record: &Record<R>) -> Result<(), Error> {
        match self.table.delete(&record.key, record.version).await {
            Err(error) if error.cause == Cause::Conflict => match self.table.get(&record.key).await? {
                None => Ok(()),
                Some(_) => Err(error.into()),
            },
            other => other.map_err(Error::from),
        }
    }
}

fn decode<R: DeserializeOwned>(item: Item) -> Result<Record<R>, Error> {
    let Item { key, version, source, expires_at_seconds, body } = item;
    match serde_json::from_value(body) {
        Ok(value) => Ok(Record { key, version, source, expires_at_seconds, value }),
        Err(e) => Err(Error::upstream(format!("failed to read the record {} {}: {e}", key.partition, key.sort))),
    }
}

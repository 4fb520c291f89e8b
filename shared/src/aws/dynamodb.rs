//! DynamoDB, behind [`Table`]: the one place that knows the table's attributes.
//!
//! `pk` and `sk` (the key), `version` (a number), `body` (a map), `gsi1pk` and `gsi1sk` (the index `by-source`, absent
//! for records that aren't in it), `expires_at` (TTL; DynamoDB may take days to remove what has expired, and until then
//! it is still answered here).

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sdk::failed;
use super::{Answer, AwsError, Cause, Item, ItemKey, ItemQuery, Table};

/// The name of the index.
const INDEX: &str = "by-source";

/// A query that has more pages than this (of 1 MB each) is refused rather than followed without end.
const PAGES_MAX: usize = 1_000;

/// Items of a page that is read by itself; a full megabyte of them comes earlier.
const ITEM_PAGE: i32 = 500;

/// The registry's table.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

impl DynamoTable {
    /// A client of the table called `name`; makes no call.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(config), name: name.into() }
    }

    /// Everything about a condition on the stored version: none for an item that isn't there yet.
    fn condition(version: u64) -> (&'static str, Option<AttributeValue>) {
        match version {
            0 => ("attribute_not_exists(pk)", None),
            _ => ("version = :version", Some(AttributeValue::N(version.to_string()))),
        }
    }
}

impl Table for DynamoTable {
    async fn get(&self, key: &ItemKey) -> Answer<Option<Item>> {
        let call = self.client.get_item().table_name(&self.name).consistent_read(true);
        let call =
            call.key("pk", AttributeValue::S(key.partition.clone())).key("sk", AttributeValue::S(key.sort.clone()));
        let answer = call.send().await.map_err(|e| failed("GetItem", &key.sort, e))?;
        answer.item.map(|item| decode("GetItem", item)).transpose()
    }

    async fn put(&self, item: &Item) -> Answer<()> {
        let (condition, version) = Self::condition(item.version.saturating_sub(1));
        let call = self.client.put_item().table_name(&self.name).set_item(Some(encode(item)?));
        let call = call.condition_expression(condition);
        let call = match version {
            Some(version) => call.expression_attribute_values(":version", version),
            None => call,
        };
        call.send().await.map(|_| ()).map_err(|e| failed("PutItem", &item.key.sort, e))
    }

    async fn put_all(&self, items: &[Item]) -> Answer<()> {
        let subject = items.first().map_or("nothing", |item| item.key.sort.as_str());
        let mut call = self.client.transact_write_items();
        for item in items {
            let (condition, version) = Self::condition(item.version.saturating_sub(1));
            let put =
                Put::builder().table_name(&self.name).set_item(Some(encode(item)?)).condition_expression(condition);
            let put = match version {
                Some(version) => put.expression_attribute_values(":version", version),
                None => put,
            };
            let put = put.build().map_err(|e| unreadable("TransactWriteItems", subject, e.to_string()))?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        call.send().await.map(|_| ()).map_err(|error| {
            // Of a cancelled transaction, DynamoDB says for each item why.
            let reasons = error.as_service_error().map(cancellation_codes).unwrap_or_default();
            let mut error = failed("TransactWriteItems", subject, error);
            let mut causes = reasons.iter().filter_map(|code| match code.as_str() {
                "None" | "ConditionalCheckFailed" | "TransactionConflict" => None,
                "ThrottlingError" | "ProvisionedThroughputExceeded" => Some(Cause::Throttled),
                _ => Some(Cause::Refused),
            });
            error.cause = causes.next().unwrap_or(error.cause);
            error
        })
    }

    async fn delete(&self, key: &ItemKey, version: u64) -> Answer<()> {
        let call = self.client.delete_item().table_name(&self.name);
        let call =
            call.key("pk", AttributeValue::S(key.partition.clone())).key("sk", AttributeValue::S(key.sort.clone()));
        let call = call.condition_expression("version = :version");
        let call = call.expression_attribute_values(":version", AttributeValue::N(version.to_string()));
        call.send().await.map(|_| ()).map_err(|e| failed("DeleteItem", &key.sort, e))
    }

    async fn query(&self, query: &ItemQuery) -> Answer<Vec<Item>> {
        let mut pages = self.query_call(query).into_paginator().send();
        let mut items = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else {
                return Ok(items);
            };
            let page = page.map_err(|e| failed("Query", &query.partition, e))?;
            for item in page.items.unwrap_or_default() {
                items.push(decode("Query", item)?);
            }
        }
        Err(unreadable("Query", &query.partition, format!("more than {PAGES_MAX} pages")))
    }

    async fn query_page(&self, query: &ItemQuery, after: Option<&ItemKey>) -> Answer<Vec<Item>> {
        let start = after.map(|key| {
            let attribute = |text: &str| AttributeValue::S(text.to_owned());
            HashMap::from([("pk".to_owned(), attribute(&key.partition)), ("sk".to_owned(), attribute(&key.sort))])
        });
        let call = self.query_call(query).limit(ITEM_PAGE).set_exclusive_start_key(start);
        let page = call.send().await.map_err(|e| failed("Query", &query.partition, e))?;
        page.items.unwrap_or_default().into_iter().map(|item| decode("Query", item)).collect()
    }
}

impl DynamoTable {
    fn query_call(&self, query: &ItemQuery) -> QueryFluentBuilder {
        let (partition, sort) = if query.by_source { ("gsi1pk", "gsi1sk") } else { ("pk", "sk") };
        let condition = match query.sort_prefix.is_empty() {
            true => format!("{partition} = :partition"),
            false => format!("{partition} = :partition AND begins_with({sort}, :sort)"),
        };
        let call = self.client.query().table_name(&self.name).key_condition_expression(condition);
        let call = call.expression_attribute_values(":partition", AttributeValue::S(query.partition.clone()));
        let call = match query.sort_prefix.is_empty() {
            true => call,
            false => call.expression_attribute_values(":sort", AttributeValue::S(query.sort_prefix.clone())),
        };
        match query.by_source {
            true => call.index_name(INDEX),
            false => call.consistent_read(true),
        }
    }
}

fn cancellation_codes(error: &TransactWriteItemsError) -> Vec<String> {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// An item as it stands in the table.
#[derive(Serialize, Deserialize)]
struct Row {
    pk: String,
    sk: String,
    version: u64,
    body: Value,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    gsi1sk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<u64>,
}

fn encode(item: &Item) -> Answer<HashMap<String, AttributeValue>> {
    let row = Row {
        pk: item.key.partition.clone(),
        sk: item.key.sort.clone(),
        version: item.version,
        body: item.body.clone(),
        gsi1pk: item.source.as_ref().map(|key| key.partition.clone()),
        gsi1sk: item.source.as_ref().map(|key| key.sort.clone()),
        expires_at: item.expires_at_seconds,
    };
    serde_dynamo::to_item(row).map_err(|e| unreadable("PutItem", &item.key.sort, e.to_string()))
}

fn decode(operation: &'static str, item: HashMap<String, AttributeValue>) -> Answer<Item> {
    let row: Row = serde_dynamo::from_item(item).map_err(|e| unreadable(operation, "an item", e.to_string()))?;
    Ok(Item {
        key: ItemKey { partition: row.pk, sort: row.sk },
        version: row.version,
        source: row.gsi1pk.zip(row.gsi1sk).map(|(partition, sort)| ItemKey { partition, sort }),
        expires_at_seconds: row.expires_at,
        body: row.body,
    })
}

fn unreadable(operation: &'static str, subject: &str, message: String) -> AwsError {
    AwsError { operation, subject: subject.to_owned(), cause: Cause::Refused, code: String::new(), message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_write_is_conditional_on_the_version_that_it_replaces() {
        assert_eq!(DynamoTable::condition(0), ("attribute_not_exists(pk)", None));
        let version = Some(AttributeValue::N("7".into()));
        assert_eq!(DynamoTable::condition(7), ("version = :version", version));
    }

    #[test]
    fn an_item_reads_back_as_it_was_written() {
        let key = |sort: &str| ItemKey { partition: "BINDING".into(), sort: sort.into() };
        for (source, expires_at_seconds) in [(None, None), (Some(key("vpce-1")), Some(7))] {
            let body = json!({"text": "a", "number": 3, "list": [1, 2], "nothing": null, "map": {"10.0.0.1:443": {}}});
            let item = Item { key: key("binding-1"), version: 2, source, expires_at_seconds, body };
            let encoded = encode(&item).unwrap();
            assert_eq!(encoded.contains_key("gsi1pk"), item.source.is_some());
            assert_eq!(decode("GetItem", encoded).unwrap(), item);
        }
    }
}

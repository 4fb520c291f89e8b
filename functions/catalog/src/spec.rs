//! What a user writes, parsed and checked as far as that needs nobody's answer: `Custom::Discovery` (where to look),
//! `Custom::Subscription` (who uses which usage plan), an owner's notes, and what to search for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Error;
use shared::fields::{exactly_one, read, scalar};
use shared::types::{AccountId, Region};

use crate::posture;
use crate::record::Notes;

/// Where to look for APIs; where nothing is named, in the central account and the function's own region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DiscoverySpec {
    /// Accounts, each with its regions.
    #[serde(default)]
    pub accounts: Vec<AccountEntry>,
    /// All accounts of an organizational unit, or of the whole organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<UnitEntry>,
    /// Whether APIs are wanted that no usage plan is for.
    #[serde(default, deserialize_with = "flag")]
    pub include_apis_without_usage_plan: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AccountEntry {
    /// The account.
    pub account_id: AccountId,
    /// Its regions; the function's own where none is named.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// The role that reads there, where it is not the one of `MemberRoleName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// What that role wants to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// An organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct UnitEntry {
    /// `ou-…`, or `r-…` for the whole organization.
    pub organizational_unit_id: String,
    /// The regions of each of its accounts; the function's own where none is named.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// The role that reads there, where it is not the one of `MemberRoleName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// What that role wants to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

fn flag<'de, D: serde::Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    Ok(scalar(input)?.unwrap_or_default())
}

/// How many accounts and regions one discovery may name: each is a scan of its own.
const PLACES_MAX: usize = 1_000;

impl DiscoverySpec {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let spec: Self = read(spec)?;
        let places: usize = spec.accounts.iter().map(|entry| entry.regions.len().max(1)).sum();
        if places > PLACES_MAX {
            return Err(Error::invalid(format!(
                "Accounts: {places} accounts and regions are more than one discovery may name, {PLACES_MAX}: use several"
            )));
        }
        for (index, entry) in spec.accounts.iter().enumerate() {
            role(&format!("Accounts[{index}]"), entry.role_name.as_deref(), entry.external_id.as_deref())?;
        }
        if let Some(unit) = &spec.organizational_unit {
            role("OrganizationalUnit", unit.role_name.as_deref(), unit.external_id.as_deref())?;
            let id = &unit.organizational_unit_id;
            if !is_unit(id) {
                return Err(Error::invalid(format!(
                    "OrganizationalUnit.OrganizationalUnitId: '{}' is no organizational unit such as ou-ab12-3c4d5e6f, nor a root such as r-ab12",
                    id.chars().take(80).collect::<String>()
                )));
            }
        }
        Ok(spec)
    }
}

/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html>
fn is_unit(id: &str) -> bool {
    let is_word = |text: &str| {
        (4..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match id.split('-').collect::<Vec<_>>()[..] {
        ["r", root] => is_word(root),
        ["ou", root, unit] => is_word(root) && is_word(unit),
        _ => false,
    }
}

/// What IAM and STS allow as a role's name and an external id. The name becomes part of an ARN.
fn role(field: &str, name: Option<&str>, external_id: Option<&str>) -> Result<(), Error> {
    let is_made_of = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let is_name = |name: &str| (1..=64).contains(&name.len()) && is_made_of(name, "_+=,.@-");
    if !name.is_none_or(is_name) {
        return Err(Error::invalid(format!("{field}.RoleName: a role's name has 1 to 64 letters, digits and _+=,.@-")));
    }
    if !external_id.is_none_or(|id| (2..=1_224).contains(&id.len()) && is_made_of(id, "_+=,.@:/-")) {
        return Err(Error::invalid(format!(
            "{field}.ExternalId: an external id has 2 to 1,224 letters, digits and _+=,.@:/-"
        )));
    }
    Ok(())
}

/// How a usage plan is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanName {
    /// By its id.
    Id(String),
    /// By its name.
    Name(String),
}

/// A subscription as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// The usage plan.
    pub plan: PlanName,
    /// The account that the plan is in, where it is not the central one.
    pub account: Option<AccountId>,
    /// The region that the plan is in, where it is not the function's own.
    pub region: Option<Region>,
    /// What the role wants to be told that writes there.
    pub external_id: Option<String>,
    /// Who uses it.
    pub consumer: String,
    /// When it ends, in seconds since the epoch.
    pub expires_at_seconds: Option<u64>,
    /// Another word than the last one rotates the key.
    pub rotation: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenSubscription {
    plan: WrittenPlan,
    consumer: String,
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    rotation: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenPlan {
    usage_plan_id: Option<String>,
    usage_plan_name: Option<String>,
    account_id: Option<AccountId>,
    region: Option<Region>,
    external_id: Option<String>,
}

const CONSUMER_LENGTH_MAX: usize = 128;

impl SubscriptionSpec {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let WrittenSubscription { plan, consumer, expires_at, rotation } = read(spec)?;
        let WrittenPlan { usage_plan_id, usage_plan_name, account_id, region, external_id } = plan;
        let (field, name) = exactly_one(
            "Plan",
            vec![
                ("UsagePlanId", usage_plan_id.map(PlanName::Id)),
                ("UsagePlanName", usage_plan_name.map(PlanName::Name)),
            ],
        )?;
        if let PlanName::Id(text) | PlanName::Name(text) = &name
            && text.trim().is_empty()
        {
            return Err(Error::invalid(format!("Plan.{field} is empty")));
        }
        role("Plan", None, external_id.as_deref())?;
        let fits = (1..=CONSUMER_LENGTH_MAX).contains(&consumer.chars().count())
            && !consumer.chars().any(char::is_control)
            && !consumer.trim().is_empty();
        if !fits {
            return Err(Error::invalid(format!("Consumer: give 1 to {CONSUMER_LENGTH_MAX} printable characters")));
        }
        let expires_at_seconds = expires_at.map(|text| instant(&text)).transpose()?;
        Ok(Self { plan: name, account: account_id, region, external_id, consumer, expires_at_seconds, rotation })
    }
}

fn instant(text: &str) -> Result<u64, Error> {
    let parsed = shared::time::seconds_of_rfc3339(text);
    parsed.ok_or_else(|| {
        Error::invalid(format!(
            "ExpiresAt: '{}' is no time such as 2027-01-31T12:00:00Z",
            text.chars().take(60).collect::<String>()
        ))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenNotes {
    owner: Option<String>,
    description: Option<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    mutes: BTreeMap<String, String>,
}

/// An owner's notes are for people: this is a page of them.
const NOTES_BYTES_MAX: usize = 16 << 10;

/// Reads an owner's notes; they take the place of those that were there.
pub fn notes(spec: Value) -> Result<Notes, Error> {
    let bytes = spec.to_string().len();
    if bytes > NOTES_BYTES_MAX {
        return Err(Error::invalid(format!("spec: {bytes} bytes are too long for notes, at most {NOTES_BYTES_MAX}")));
    }
    let WrittenNotes { owner, description, tags, links, mutes } = read(spec)?;
    for (rule, reason) in &mutes {
        if posture::rule(rule).is_none() {
            return Err(Error::invalid(format!("Mutes: there is no rule '{rule}': audit names those that there are")));
        }
        if reason.trim().is_empty() {
            return Err(Error::invalid(format!("Mutes.{rule}: say why it is muted")));
        }
    }
    for (title, url) in &links {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Error::invalid(format!("Links.{title}: '{url}' is no http or https address")));
        }
    }
    Ok(Notes { owner, description, tags, links, mutes })
}

/// What `list` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// The APIs of the catalogue.
    #[default]
    Apis,
    /// Subscriptions.
    Subscriptions,
    /// Where APIs are looked for.
    Discoveries,
}

/// What to search for; what is not given fits everything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
pub struct Search {
    /// What kind of thing.
    pub kind: Kind,
    /// A part of a method's path.
    pub path: Option<String>,
    /// A tag, the owner's or AWS's, as `pets` or `team=pets`.
    pub tag: Option<String>,
    /// The account.
    pub account_id: Option<AccountId>,
    /// The region.
    pub region: Option<Region>,
    /// The owner's name in the notes.
    pub owner: Option<String>,
    /// `ACTIVE`, `MISSING` or `GONE`; those that are gone are left out where nothing is said.
    pub status: Option<String>,
    /// A part of the API's name.
    pub name: Option<String>,
    /// The answer goes on after this one.
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_discovery_names_accounts_or_a_unit() {
        let given = json!({
            "Accounts": [{"AccountId": "111122223333", "Regions": ["eu-west-1"], "ExternalId": "x1"}],
            "OrganizationalUnit": {"OrganizationalUnitId": "ou-ab12-3c4d5e6f"},
            "IncludeApisWithoutUsagePlan": "true",
        });
        let spec = DiscoverySpec::parse(given).unwrap();
        assert!(spec.include_apis_without_usage_plan && spec.accounts[0].external_id.as_deref() == Some("x1"));
        for (given, why) in [
            (json!({"Accounts": [{"AccountId": "1"}]}), "Accounts[0].AccountId"),
            (json!({"Accounts": [{"AccountId": "111122223333", "Regions": ["x"]}]}), "Accounts[0].Regions"),
            (json!({"Accounts": [{"AccountId": "111122223333", "RoleName": "a/b"}]}), "Accounts[0].RoleName"),
            (json!({"Accounts": [{"AccountId": "111122223333", "ExternalId": "x"}]}), "Accounts[0].ExternalId"),
            (json!({"Accounts": [{"AccountId": "111122223333", "Role": "x"}]}), "unknown field `Role`"),
            (json!({"OrganizationalUnit": {"OrganizationalUnitId": "ou-x"}}), "is no organizational unit"),
        ] {
            let error = DiscoverySpec::parse(given.clone()).unwrap_err();
            assert!(error.message.contains(why), "{given}: {error}");
        }
    }

    #[test]
    fn a_subscription_names_one_plan_and_a_consumer() {
        let spec = SubscriptionSpec::parse(json!({
            "Plan": {"UsagePlanName": "basic"}, "Consumer": "shop", "ExpiresAt": "1970-01-02T00:00:00Z", "Rotation": 2,
        }))
        .unwrap();
        assert_eq!((spec.plan, spec.expires_at_seconds), (PlanName::Name("basic".into()), Some(86_400)));
        assert_eq!(spec.rotation.as_deref(), Some("2"));
        for (given, why) in [
            (json!({"Plan": {}, "Consumer": "shop"}), "Plan: give exactly one of UsagePlanId, UsagePlanName"),
            (json!({"Plan": {"UsagePlanId": ""}, "Consumer": "shop"}), "Plan.UsagePlanId is empty"),
            (json!({"Plan": {"UsagePlanId": "p"}, "Consumer": " "}), "Consumer: give 1 to 128"),
            (json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "a\nb"}), "Consumer: give 1 to 128"),
            (json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "a", "ExpiresAt": "soon"}), "ExpiresAt: 'soon'"),
            (json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "a", "ApiKeyValue": "x"}), "unknown field"),
        ] {
            let error = SubscriptionSpec::parse(given.clone()).unwrap_err();
            assert!(error.message.contains(why), "{given}: {error}");
        }
    }

    #[test]
    fn notes_mute_only_rules_that_there_are_and_say_why() {
        assert!(notes(json!({"Owner": "pets", "Mutes": {"access-log-off": "a sandbox"}})).is_ok());
        for (given, why) in [
            (json!({"Mutes": {"no-such-rule": "x"}}), "there is no rule"),
            (json!({"Mutes": {"access-log-off": " "}}), "say why"),
            (json!({"Links": {"Wiki": "javascript:alert(1)"}}), "is no http or https address"),
            (json!({"Owner": "x".repeat(20_000)}), "too long for notes"),
        ] {
            assert!(notes(given.clone()).unwrap_err().message.contains(why), "{given}");
        }
    }
}

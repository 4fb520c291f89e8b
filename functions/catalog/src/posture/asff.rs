//! A finding in the AWS Security Finding Format, as Security Hub's `BatchImportFindings` takes it. An API and one of its
//! findings go in, JSON comes out.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>
//!
//! Findings go to Security Hub's default product in the account where Foregate runs. Whoever imports for that product may say
//! its own account only in `AwsAccountId`; so that is the central account's, and the API's own stands in `ProductFields` and
//! in the description (the ARN of a REST API names no account).
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>

use serde_json::{Value, json};

use super::rules;
use shared::types::partition_of;

use crate::record::{Api, Finding, Place, Severity, Status};

/// An identifier's length, and a generator's.
const ID_MAX: usize = 512;
const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 1024;
/// A recommendation's length, and a note's.
const TEXT_MAX: usize = 512;
const PRODUCT_FIELD_MAX: usize = 2048;

/// <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>
const TYPE: &str = "Software and Configuration Checks/AWS Security Best Practices";

/// What the finding is called, the same at every import: one of a rule and a stage, or of a rule and the API. The methods that
/// its subject names may change and are no part of it.
pub fn id(api: &Api, finding: &Finding) -> String {
    let of_api = format!("foregate/{}/{}", api.key, finding.rule);
    match finding.subject.split(' ').next().unwrap_or_default() {
        "" => of_api,
        stage => fit(&format!("{of_api}/{stage}"), ID_MAX),
    }
}

/// The ARN of the default product of the `central` account's Security Hub.
pub fn product_arn(central: &Place) -> String {
    let Place { account, region } = central;
    format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", partition_of(region.as_str()))
}

/// The finding as it stands at `now` (RFC 3339): archived where the API is gone, suppressed where its owner has muted the rule.
pub fn finding(api: &Api, finding: &Finding, central: &Place, now: &str) -> Value {
    let severity = json!({"Label": finding.severity});
    let mut asff = json!({
        "SchemaVersion": "2018-10-08",
        "Id": id(api, finding),
        "ProductArn": product_arn(central),
        "ProductName": "Foregate",
        "GeneratorId": fit(&format!("foregate/{}", finding.rule), ID_MAX),
        "AwsAccountId": central.account,
        "Types": [TYPE],
        "CreatedAt": now,
        "UpdatedAt": now,
        "Severity": severity,
        // Once a finding is there, an import changes its severity and types only through these.
        "FindingProviderFields": {"Severity": severity, "Types": [TYPE]},
        "Title": title(api, finding),
        "Description": description(api, finding),
        "ProductFields": product_fields(api, finding),
        "Resources": [resource(api)],
        "Compliance": {"Status": compliance(finding.severity)},
        "Workflow": {"Status": "NEW"},
        "RecordState": if api.status == Status::Gone { "ARCHIVED" } else { "ACTIVE" },
    });
    if let Some(rule) = rules::rule(&finding.rule) {
        asff["Remediation"] = json!({"Recommendation": {"Text": fit(rule.fix, TEXT_MAX), "Url": rule.url}});
    }
    if let Some(reason) = super::muted(api, finding) {
        asff["Workflow"] = json!({"Status": "SUPPRESSED"});
        asff["Note"] = json!({"Text": note(reason), "UpdatedBy": "foregate", "UpdatedAt": now});
    }
    asff
}

fn title(api: &Api, finding: &Finding) -> String {
    let title = rules::rule(&finding.rule).map_or(finding.rule.as_str(), |rule| rule.title);
    let whole = format!("{title}: {} {}", api.name, finding.subject);
    fit(whole.trim_end(), TITLE_MAX)
}

fn description(api: &Api, finding: &Finding) -> String {
    let why = rules::rule(&finding.rule).map_or("", |rule| rule.why);
    let place = format!("REST API {} ({}) in {}", api.name, api.key.id, api.key.place);
    let subject = if finding.subject.is_empty() { String::new() } else { format!(", {}", finding.subject) };
    // Names may be long: what is so comes before them, why that is bad comes last.
    fit(&format!("{}. {place}{subject}. {why}", finding.what), DESCRIPTION_MAX)
}

/// Values must not be blank, so that what is missing is left out.
fn product_fields(api: &Api, finding: &Finding) -> Value {
    let key = api.key.to_string();
    let fields = [
        ("foregate/api", Some(key.as_str())),
        ("foregate/account", Some(api.key.place.account.as_str())),
        ("foregate/subject", Some(finding.subject.as_str())),
        ("foregate/owner", api.notes.owner.as_deref()),
    ];
    let filled = fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), said(text?)?)));
    filled.map(|(name, text)| (name, json!(fit(text, PRODUCT_FIELD_MAX)))).collect::<serde_json::Map<_, _>>().into()
}

/// <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsApiGatewayRestApiDetails.html>
fn resource(api: &Api) -> Value {
    let region = &api.key.place.region;
    let mut details = json!({"Id": api.key.id, "EndpointConfiguration": {"Types": api.endpoint_types}});
    for (field, text) in [("Name", Some(api.name.as_str())), ("Description", api.description.as_deref())] {
        if let Some(text) = text.and_then(said) {
            details[field] = json!(fit(text, DESCRIPTION_MAX));
        }
    }
    json!({
        "Type": "AwsApiGatewayRestApi",
        "Id": api.arn(),
        "Partition": partition_of(region.as_str()),
        "Region": region,
        "Details": {"AwsApiGatewayRestApi": details},
    })
}

/// What is not urgent does not count as failed.
fn compliance(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational | Severity::Low => "WARNING",
        Severity::Medium | Severity::High | Severity::Critical => "FAILED",
    }
}

/// A note must not be blank, and a reason may be.
fn note(reason: &str) -> String {
    fit(said(reason).unwrap_or("muted without a reason"), TEXT_MAX)
}

fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The text, cut to `bytes_max`. AWS counts characters and does not say of which kind; there are never more of them than bytes.
fn fit(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::super::tests::api;
    use super::*;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn central() -> Place {
        Place { account: "999988887777".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
    }

    fn open_method(subject: &str) -> Finding {
        Finding {
            rule: "open-method".into(),
            severity: Severity::High,
            subject: subject.into(),
            what: "it is open".into(),
        }
    }

    #[test]
    fn a_finding_has_all_that_security_hub_asks_for() {
        let mut api = api("REGIONAL");
        api.notes.owner = Some("team-cats".into());
        let asff = finding(&api, &open_method("prod GET /cats and 3 more"), &central(), NOW);
        let expected = json!({
            "SchemaVersion": "2018-10-08",
            "Id": "foregate/111122223333/eu-west-1/a1b2c3d4e5/open-method/prod",
            "ProductArn": "arn:aws:securityhub:eu-central-1:999988887777:product/999988887777/default",
            "ProductName": "Foregate",
            "GeneratorId": "foregate/open-method",
            "AwsAccountId": "999988887777",
            "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
            "CreatedAt": NOW,
            "UpdatedAt": NOW,
            "Severity": {"Label": "HIGH"},
            "FindingProviderFields": {
                "Severity": {"Label": "HIGH"},
                "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
            },
            "Title": "Public method without authorisation: cats prod GET /cats and 3 more",
            "Description": "it is open. REST API cats (a1b2c3d4e5) in 111122223333/eu-west-1, prod GET /cats and 3 more. Anybody on the Internet can call the method: it asks for no authorisation and no API key, and no resource policy keeps anybody out.",
            "Remediation": {"Recommendation": {
                "Text": "Give the method an authorizer or AWS_IAM, or restrict the API by a resource policy. If it is meant for everybody, mute this rule and say so.",
                "Url": "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-to-api.html",
            }},
            "ProductFields": {
                "foregate/api": "111122223333/eu-west-1/a1b2c3d4e5",
                "foregate/account": "111122223333",
                "foregate/subject": "prod GET /cats and 3 more",
                "foregate/owner": "team-cats",
            },
            "Resources": [{
                "Type": "AwsApiGatewayRestApi",
                "Id": "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5",
                "Partition": "aws",
                "Region": "eu-west-1",
                "Details": {"AwsApiGatewayRestApi": {
                    "Id": "a1b2c3d4e5", "Name": "cats", "EndpointConfiguration": {"Types": ["REGIONAL"]},
                }},
            }],
            "Compliance": {"Status": "FAILED"},
            "Workflow": {"Status": "NEW"},
            "RecordState": "ACTIVE",
        });
        assert_eq!(asff, expected);
    }

    #[test]
    fn a_findings_id_stays_while_its_methods_change() {
        let api = api("REGIONAL");
        let id = |subject: &str| id(&api, &open_method(subject));
        assert_eq!(id("prod GET /cats and 3 more"), id("prod DELETE /birds"));
        assert_ne!(id("prod GET /cats"), id("test GET /cats"));
        assert_eq!(id(""), "foregate/111122223333/eu-west-1/a1b2c3d4e5/open-method");
    }

    #[test]
    fn a_muted_finding_is_suppressed_and_says_why() {
        let mut api = api("REGIONAL");
        let open = open_method("prod");
        assert_eq!(finding(&api, &open, &central(), NOW)["Workflow"]["Status"], "NEW");
        for (reason, expected) in [("meant for all", "meant for all"), (" ", "muted without a reason")] {
            api.notes.mutes.insert("open-method".into(), reason.into());
            let asff = finding(&api, &open, &central(), NOW);
            assert_eq!(asff["Workflow"]["Status"], "SUPPRESSED");
            assert_eq!(asff["Note"], json!({"Text": expected, "UpdatedBy": "foregate", "UpdatedAt": NOW}));
        }
    }

    #[test]
    fn what_is_gone_is_archived() {
        let mut api = api("REGIONAL");
        let open = open_method("prod");
        for (status, expected) in [(Status::Active, "ACTIVE"), (Status::Missing, "ACTIVE"), (Status::Gone, "ARCHIVED")]
        {
            api.status = status;
            assert_eq!(finding(&api, &open, &central(), NOW)["RecordState"], expected);
        }
    }

    #[test]
    fn long_names_are_cut_to_what_aws_takes() {
        for letter in ["a", "ä", "猫", "🐈"] {
            let long = letter.repeat(3000);
            let mut api = api("REGIONAL");
            (api.name, api.description, api.notes.owner) = (long.clone(), Some(long.clone()), Some(long.clone()));
            api.notes.mutes.insert("open-method".into(), long.clone());
            let open = Finding { what: long.clone(), ..open_method(&long) };
            let asff = finding(&api, &open, &central(), NOW);
            for (path, max) in [
                ("/Id", 512),
                ("/GeneratorId", 512),
                ("/Title", 256),
                ("/Description", 1024),
                ("/Remediation/Recommendation/Text", 512),
                ("/Note/Text", 512),
                ("/ProductFields/foregate~1subject", 2048),
                ("/ProductFields/foregate~1owner", 2048),
                ("/Resources/0/Details/AwsApiGatewayRestApi/Description", 1024),
            ] {
                let text = asff.pointer(path).and_then(Value::as_str).unwrap();
                assert!(!text.is_empty() && text.len() <= max, "{path}: {} bytes", text.len());
            }
            // AWS takes 240 KB.
            assert!(asff.to_string().len() < 240_000);
        }
    }

    #[test]
    fn every_rule_fits_into_security_hubs_fields() {
        for rule in rules::RULES {
            let lengths = [(rule.fix, TEXT_MAX), (rule.why, 400), (rule.title, 80), (rule.id, 64)];
            assert!(lengths.iter().all(|(text, max)| !text.is_empty() && text.len() <= *max), "{}", rule.id);
        }
    }

    #[test]
    fn a_finding_of_a_rule_that_is_no_more_and_of_an_api_without_a_name_is_written_all_the_same() {
        let mut api = api("PRIVATE");
        api.name = String::new();
        api.key = "111122223333/us-gov-west-1/a1b2c3d4e5".parse().unwrap();
        let old = Finding { rule: "of-old".into(), severity: Severity::Low, subject: String::new(), what: "x".into() };
        let asff = finding(&api, &old, &central(), NOW);
        assert_eq!(asff["Title"], "of-old:");
        assert_eq!(asff["Compliance"]["Status"], "WARNING");
        assert_eq!(asff["Resources"][0]["Partition"], "aws-us-gov");
        assert!(asff.get("Remediation").is_none() && asff.get("Note").is_none());
        assert!(asff["Resources"][0]["Details"]["AwsApiGatewayRestApi"].get("Name").is_none());
    }
}

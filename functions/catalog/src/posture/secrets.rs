//! Which stage variables look as if they held a secret. Everybody who may read the API reads them, and their values stand in logs.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-set-stage-variables-aws-console.html>

use std::collections::{BTreeMap, BTreeSet};

/// Words of names. A name is split where its case or its punctuation changes.
const WORDS: &[&str] =
    &["password", "passwd", "pwd", "secret", "token", "credential", "credentials", "apikey", "privatekey"];
/// Two words that follow one another.
const PAIRS: &[(&str, &str)] = &[("api", "key"), ("access", "key"), ("private", "key"), ("signing", "key")];
/// What the values of well-known secrets begin with.
const BEGINNINGS: &[&str] =
    &["AKIA", "ASIA", "ghp_", "github_pat_", "xoxb-", "xoxp-", "sk_live_", "-----BEGIN", "eyJhbGciOi"];

/// The names of the variables that look as if they held a secret.
pub fn secrets(variables: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_one = |(name, value): &(&String, &String)| !is_reference(value) && (is_named(name) || is_known(value));
    variables.iter().filter(is_one).map(|(name, _)| name.clone()).collect()
}

/// An ARN or a name of where the secret is, is none.
fn is_reference(value: &str) -> bool {
    value.is_empty() || value.starts_with("arn:") || value.starts_with("{{resolve:")
}

fn is_named(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| WORDS.contains(&word.as_str()))
        || words.windows(2).any(|two| PAIRS.contains(&(two[0].as_str(), two[1].as_str())))
}

fn is_known(value: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| value.starts_with(beginning))
}

fn words(name: &str) -> Vec<String> {
    let (mut words, mut before) = (vec![String::new()], ' ');
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_by_what_it_begins_with() {
        for (name, value, is_one) in [
            ("dbPassword", "hunter2", true),
            ("db_password", "hunter2", true),
            ("API_KEY", "x", true),
            ("apiKey", "x", true),
            ("token", "x", true),
            ("url", "AKIAIOSFODNN7EXAMPLE", true),
            ("vpcLinkId", "abc123", false),
            ("passwordPolicy", "strict", true),
            ("tokenizer", "words", false),
            ("secretArn", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x", false),
            ("key", "pets", false),
            ("password", "", false),
        ] {
            let found = secrets(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
            assert_eq!(!found.is_empty(), is_one, "{name}={value}");
        }
    }
}

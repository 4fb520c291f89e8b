//! Reading what a user wrote: one way of saying which field is wrong, and numbers and flags that CloudFormation
//! turned into strings on the way.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use crate::error::Error;

/// Reads `value` as a `T`; the error names the field by its path, such as `Sink.TargetGroup.Port`.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => Error::invalid(error.inner().to_string()),
            _ => Error::invalid(format!("{path}: {}", error.inner())),
        }
    })
}

/// A scalar that may have become a string: `443` and `"443"`, `true` and `"true"`.
pub fn scalar<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = match Value::deserialize(input)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => return Err(D::Error::custom(format!("{other} is not a single value"))),
    };
    text.parse().map(Some).map_err(|e: T::Err| D::Error::custom(format!("'{text}': {e}")))
}

/// The one field that is there, out of several of which exactly one must be: its name and value.
pub fn exactly_one<'a, T>(parent: &str, fields: Vec<(&'a str, Option<T>)>) -> Result<(&'a str, T), Error> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let mut given: Vec<(&str, T)> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    match (given.pop(), given.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Error::invalid(format!("{parent}: give exactly one of {}; none is there", names.join(", ")))),
        (Some((last, _)), false) => {
            let mut found: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
            found.push(last);
            Err(Error::invalid(format!(
                "{parent}: give exactly one of {}; found {}",
                names.join(", "),
                found.join(" and ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Sample {
        #[serde(default, deserialize_with = "scalar")]
        percent: Option<u8>,
        #[serde(default, deserialize_with = "scalar")]
        flag: Option<bool>,
    }

    #[test]
    fn scalars_parse_as_cloudformation_sends_them() {
        let expected = Sample { percent: Some(50), flag: Some(true) };
        assert_eq!(read::<Sample>(json!({"Percent": 50, "Flag": true})).unwrap(), expected);
        assert_eq!(read::<Sample>(json!({"Percent": "50", "Flag": "true"})).unwrap(), expected);
    }

    #[test]
    fn an_error_names_the_field() {
        for (given, message) in [
            (json!({"Percent": "fifty"}), "Percent: 'fifty': invalid digit found in string"),
            (json!({"Percent": [1]}), "Percent: [1] is not a single value"),
            (json!({"Flag": "yes"}), "Flag: 'yes': provided string was not `true` or `false`"),
            (json!({"Colour": 1}), "Colour: unknown field `Colour`, expected `Percent` or `Flag`"),
        ] {
            assert_eq!(read::<Sample>(given).unwrap_err().message, message);
        }
    }

    #[test]
    fn exactly_one_means_one() {
        assert_eq!(exactly_one("Source", vec![("A", Some(1)), ("B", None)]).unwrap(), ("A", 1));
        let none = exactly_one::<u8>("Source", vec![("A", None), ("B", None)]).unwrap_err();
        assert_eq!(none.message, "Source: give exactly one of A, B; none is there");
        let two = exactly_one("Source", vec![("A", Some(1)), ("B", Some(2))]).unwrap_err();
        assert_eq!(two.message, "Source: give exactly one of A, B; found A and B");
    }
}

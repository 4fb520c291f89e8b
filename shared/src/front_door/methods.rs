//! The HTTP methods of a route.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::Malformed;

/// A method that API Gateway knows by name. `ANY` stands for all of them that have no method of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Any,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

const NAMES: [(&str, Method); 8] = [
    ("ANY", Method::Any),
    ("DELETE", Method::Delete),
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("OPTIONS", Method::Options),
    ("PATCH", Method::Patch),
    ("POST", Method::Post),
    ("PUT", Method::Put),
];

const ANY_KEY: &str = "x-amazon-apigateway-any-method";

impl Method {
    /// How many there are besides `ANY`.
    pub const NAMED: usize = NAMES.len() - 1;

    /// The name, in upper case.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, method)| *method == self).map_or("ANY", |(name, _)| name)
    }

    /// The key of an OpenAPI path item that stands for it.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html>
    pub fn key(self) -> String {
        match self {
            Self::Any => ANY_KEY.to_owned(),
            other => other.as_str().to_ascii_lowercase(),
        }
    }

    /// The method that a key of an OpenAPI path item stands for; of other keys, none.
    pub fn of_key(key: &str) -> Option<Self> {
        match key {
            ANY_KEY => Some(Self::Any),
            _ => Self::all_by_name().find(|method| method.as_str().eq_ignore_ascii_case(key)),
        }
    }

    /// A bit of its own.
    pub(super) fn bit(self) -> u16 {
        NAMES.iter().take_while(|(_, method)| *method != self).fold(1, |bit, _| bit << 1)
    }

    /// Every method but `ANY`.
    pub fn all_by_name() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, method)| *method).filter(|method| *method != Self::Any)
    }
}

/// The methods of one route: `ANY` alone, or some by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OneOrMany", into = "Vec<String>")]
pub struct Methods(
    // Invariant: never empty; ANY stands alone.
    BTreeSet<Method>,
);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for Methods {
    fn default() -> Self {
        Self(BTreeSet::from([Method::Any]))
    }
}

impl TryFrom<OneOrMany> for Methods {
    type Error = Malformed;
    fn try_from(given: OneOrMany) -> Result<Self, Malformed> {
        let names = match given {
            OneOrMany::One(name) => vec![name],
            OneOrMany::Many(names) => names,
        };
        const WANTED: &str = "ANY, or a list of DELETE, GET, HEAD, OPTIONS, PATCH, POST and PUT";
        let method = |given: &String| NAMES.iter().find(|(name, _)| name == given).map(|(_, method)| *method);
        let methods: Option<BTreeSet<Method>> = names.iter().map(method).collect();
        match methods {
            Some(methods) if methods.len() == 1 || !methods.is_empty() && !methods.contains(&Method::Any) => {
                Ok(Self(methods))
            }
            _ => Err(Malformed::new(&names.join(", "), WANTED)),
        }
    }
}

impl From<Methods> for Vec<String> {
    fn from(methods: Methods) -> Self {
        methods.0.into_iter().map(|method| method.as_str().to_owned()).collect()
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&Vec::<String>::from(self.clone()).join(" "))
    }
}

impl Methods {
    /// The methods, in order.
    pub fn iter(&self) -> impl Iterator<Item = Method> {
        self.0.iter().copied()
    }

    /// Whether both would be written at the same place: API Gateway takes `GET` beside `ANY`.
    pub fn share_one_with(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }

    /// Whether some request could be meant by either.
    pub fn overlap(&self, other: &Self) -> bool {
        let is_any = |methods: &Self| methods.0.contains(&Method::Any);
        is_any(self) || is_any(other) || self.share_one_with(other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn methods(value: Value) -> Methods {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn methods_are_any_or_some_by_name() {
        for (given, written) in
            [(json!("ANY"), "ANY"), (json!("GET"), "GET"), (json!(["POST", "GET", "GET"]), "GET POST")]
        {
            assert_eq!(methods(given).to_string(), written);
        }
        for bad in
            [json!([]), json!("get"), json!(["GET", "ANY"]), json!("TRACE"), json!("GET,POST"), json!(""), json!(7)]
        {
            assert!(serde_json::from_value::<Methods>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_means_every_method_but_stands_beside_those_by_name() {
        let (any, get, post) = (methods(json!("ANY")), methods(json!("GET")), methods(json!(["POST"])));
        assert!(any.overlap(&get) && !any.share_one_with(&get));
        assert!(!get.overlap(&post) && any.share_one_with(&any));
    }
}

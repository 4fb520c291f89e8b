//! What of a REST API is Foregate's, in `Mode: Merge`: small, whatever teams call their paths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Method;
use crate::origin::hash;

/// Resources, as `/cats`, and methods, as `GET /cats/{p2}`. It tells whether something is in it, and can't list what is: of each
/// path it keeps the beginning of its hash, with a bit for the resource and one for each method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Owned(BTreeMap<String, u16>);

/// So many hexadecimal digits (96 bits) that nobody finds a path that passes for another one.
const TAG_CHARS: usize = 24;
const RESOURCE: u16 = 1;

impl Owned {
    /// Whether this resource or this method is in it.
    pub fn contains(&self, name: &str) -> bool {
        let (tag, bit) = place(name);
        self.0.get(&tag).is_some_and(|bits| bits & bit != 0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn place(name: &str) -> (String, u16) {
    let method = name.split_once(' ').and_then(|(method, path)| Some((Method::of_key(method)?, path)));
    let (path, bit) = method.map_or((name, RESOURCE), |(method, path)| (path, method.bit() << 1));
    let mut tag = hash(path);
    tag.truncate(TAG_CHARS);
    (tag, bit)
}

impl<S: AsRef<str>> Extend<S> for Owned {
    fn extend<I: IntoIterator<Item = S>>(&mut self, names: I) {
        for (tag, bit) in names.into_iter().map(|name| place(name.as_ref())) {
            *self.0.entry(tag).or_default() |= bit;
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Owned {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut owned = Self::default();
        owned.extend(names);
        owned
    }
}

/// As it is stored; earlier versions stored the names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Names(Vec<String>),
    Tags(BTreeMap<String, u16>),
}

impl From<Written> for Owned {
    fn from(written: Written) -> Self {
        match written {
            Written::Names(names) => names.into_iter().collect(),
            Written::Tags(tags) => Self(tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::front_door::RESOURCE_LIMIT_MAX;

    #[test]
    fn what_is_owned_is_told_apart_and_what_earlier_versions_stored_is_read() {
        let names = ["/cats", "/cats/{p2}", "GET /cats/{p2}", "ANY /{proxy+}", "GET /"];
        let others = [
            "/",
            "/dogs",
            "/{proxy+}",
            "GET /cats",
            "PUT /cats/{p2}",
            "ANY /cats/{p2}",
            "GET /{proxy+}",
            "TRACE /cats/{p2}",
        ];
        let owned: Owned = names.iter().collect();
        for read in [json!(names), json!(owned)] {
            let read: Owned = serde_json::from_value(read).unwrap();
            assert_eq!(read, owned);
            assert!(names.iter().all(|name| read.contains(name)));
            assert!(!others.iter().any(|name| read.contains(name)));
        }
    }

    #[test]
    fn what_the_largest_front_door_owns_fits_an_item_while_all_of_it_is_replaced() {
        // All that was there and all that comes, each route at a path of its own that is as long as a path may be.
        let mut owned = Owned::default();
        for number in 0..2 * RESOURCE_LIMIT_MAX {
            let path = format!("/{number:01023}");
            let methods = Method::all_by_name().map(|method| format!("{} {path}", method.as_str()));
            owned.extend(methods.chain([path.clone()]));
        }
        let bytes = serde_json::to_string(&owned).unwrap().len();
        assert!(bytes < 256 << 10, "{bytes}");
    }
}

//! Paths as API Gateway has them: what a user may write, what it is called canonically, and which requests it takes.
//!
//! API Gateway allows one variable child per parent, so two teams that call the same variable differently can't stand
//! beside each other. The canonical form names variables by position; each route maps them back to its own names.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::types::Malformed;

/// Longer paths than this no client sends: API Gateway takes 10,240 bytes of request line and headers together.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
const PATH_BYTES_MAX: usize = 1_024;

/// What API Gateway answers itself, at the root.
pub(super) const RESERVED: [&str; 2] = ["ping", "sping"];

/// A part of a path between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Exactly this text; case matters.
    Literal(String),
    /// Any one segment, under this name.
    Variable(String),
    /// Any one segment or more, to the end, under this name.
    Greedy(String),
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let Some(inner) = text.strip_prefix('{') else {
            return is_literal(text).then(|| Self::Literal(text.to_owned()));
        };
        let inner = inner.strip_suffix('}')?;
        match inner.strip_suffix('+') {
            Some(name) => is_name(name).then(|| Self::Greedy(name.to_owned())),
            None => is_name(inner).then(|| Self::Variable(inner.to_owned())),
        }
    }

    /// The variable's name, if it is one.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Variable(name) | Self::Greedy(name) => Some(name),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => out.write_str(text),
            Self::Variable(name) => write!(out, "{{{name}}}"),
            Self::Greedy(name) => write!(out, "{{{name}+}}"),
        }
    }
}

/// "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable": CreateResource's own words. `.` and
/// `..` would be resolved by clients before they ask.
fn is_literal(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    !text.is_empty() && !matches!(text, "." | "..") && text.bytes().all(allowed)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// What the variable below each canonical path is called on a REST API.
pub type VariableNames = BTreeMap<RoutePath, String>;

/// A route's path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoutePath {
    // Invariant: a greedy segment is the last one, and no two variables have the same name.
    segments: Vec<Segment>,
}

impl FromStr for RoutePath {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        let refused = |wanted| Err(Malformed::new(given, wanted));
        if given.len() > PATH_BYTES_MAX {
            return refused("a path of at most 1,024 bytes");
        }
        let Some(rest) = given.strip_prefix('/') else {
            return refused("a path that begins with a slash, such as /cats/{id}");
        };
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        if rest.contains('%') {
            return refused("a path without percent-encoding: API Gateway compares the text as it stands");
        }
        if rest.split('/').any(str::is_empty) {
            return refused("a path without doubled slashes and without one at the end");
        }
        let segments: Option<Vec<Segment>> = rest.split('/').map(Segment::parse).collect();
        let Some(segments) = segments else {
            return refused(
                "a path whose segments are letters, digits, '.', '_', '-', ':' (not '.' or '..' alone), {name} or, as \
                 the last one, {proxy+}",
            );
        };
        if segments.iter().rev().skip(1).any(|one| matches!(one, Segment::Greedy(_))) {
            return refused("a path with nothing below {proxy+}: it must be the last segment");
        }
        let mut names: Vec<&str> = segments.iter().filter_map(Segment::variable).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return refused("a path whose variables have different names");
        }
        match segments.first() {
            Some(Segment::Literal(first)) if RESERVED.contains(&first.as_str()) => {
                refused("a path that API Gateway leaves to users: /ping and /sping it answers itself")
            }
            _ => Ok(Self { segments }),
        }
    }
}

impl TryFrom<String> for RoutePath {
    type Error = Malformed;
    fn try_from(given: String) -> Result<Self, Malformed> {
        given.parse()
    }
}

impl From<RoutePath> for String {
    fn from(path: RoutePath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return out.write_str("/");
        }
        self.segments.iter().try_for_each(|segment| write!(out, "/{segment}"))
    }
}

impl RoutePath {
    /// Its segments; none for the root.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The same requests with variables named by their position: `p1`, `p2`, … and `proxy`.
    pub fn canonical(&self) -> Self {
        let named = |(index, segment): (usize, &Segment)| match segment {
            Segment::Literal(text) => Segment::Literal(text.clone()),
            Segment::Variable(_) => Segment::Variable(format!("p{}", index + 1)),
            Segment::Greedy(_) => Segment::Greedy("proxy".to_owned()),
        };
        Self { segments: self.segments.iter().enumerate().map(named).collect() }
    }

    /// The canonical path, with the variables called what they are called by somebody who was there first.
    pub fn canonical_among(&self, taken: &VariableNames) -> Self {
        let mut canonical = self.canonical();
        for index in 0..canonical.segments.len() {
            let parent = Self { segments: self.canonical().segments[..index].to_vec() };
            if let (Segment::Variable(name), Some(other)) = (&mut canonical.segments[index], taken.get(&parent)) {
                name.clone_from(other);
            }
        }
        canonical
    }

    /// The user's name of each variable and the one that it has in `published`, in the path's order.
    pub fn variables(&self, published: &RoutePath) -> Vec<(String, String)> {
        let pairs = self.segments.iter().zip(&published.segments);
        pairs.filter_map(|(own, named)| Some((own.variable()?.to_owned(), named.variable()?.to_owned()))).collect()
    }

    /// What is left below the first segment.
    pub fn below_first(&self) -> Self {
        Self { segments: self.segments.iter().skip(1).cloned().collect() }
    }

    /// Notes what this path calls its variables.
    pub fn note_variables(&self, taken: &mut VariableNames) {
        let canonical = self.canonical().segments;
        for (index, segment) in self.segments.iter().enumerate() {
            if let Segment::Variable(name) = segment {
                taken.insert(Self { segments: canonical[..index].to_vec() }, name.clone());
            }
        }
    }

    /// Whether both are the same path to API Gateway: variables are alike, whatever they are called.
    pub fn is_same_place(&self, other: &RoutePath) -> bool {
        self.segments.len() == other.segments.len() && self.first_difference(other).is_none()
    }

    /// Whether the two can't stand beside each other in one REST API: it has one variable child per parent, and a greedy one is
    /// another than a plain one.
    pub fn siblings_clash(&self, other: &RoutePath) -> bool {
        use Segment::{Greedy, Variable};
        matches!(self.first_difference(other), Some((Greedy(_), Variable(_)) | (Variable(_), Greedy(_))))
    }

    fn first_difference<'a>(&'a self, other: &'a RoutePath) -> Option<(&'a Segment, &'a Segment)> {
        let is_alike = |(one, another): &(&Segment, &Segment)| match (one, another) {
            (Segment::Literal(one), Segment::Literal(another)) => one == another,
            (Segment::Variable(_), Segment::Variable(_)) | (Segment::Greedy(_), Segment::Greedy(_)) => true,
            _ => false,
        };
        self.segments.iter().zip(&other.segments).find(|pair| !is_alike(pair))
    }

    /// What claims are kept under that begin with a variable, or are the root's.
    pub const ROOT: &str = "*";

    /// What its claims are kept under: its first segment, or [`ROOT`](Self::ROOT).
    pub fn first(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Literal(text)) => text,
            _ => Self::ROOT,
        }
    }

    /// Whether it is `prefix` or below it. A prefix means whole segments: `/cats` is not a prefix of `/catsanddogs`, and
    /// no variable stands for a prefix's segment.
    pub fn is_below(&self, prefix: &RoutePath) -> bool {
        self.segments.starts_with(&prefix.segments)
    }

    /// Whether some request could be meant by either.
    pub fn overlaps(&self, other: &RoutePath) -> bool {
        let (mut these, mut those) = (self.segments.iter(), other.segments.iter());
        loop {
            return match (these.next(), those.next()) {
                (None, None) => true,
                // A greedy segment takes one segment or more.
                (None, Some(_)) | (Some(_), None) => false,
                (Some(Segment::Greedy(_)), Some(_)) | (Some(_), Some(Segment::Greedy(_))) => true,
                (Some(Segment::Literal(a)), Some(Segment::Literal(b))) if a != b => false,
                _ => continue,
            };
        }
    }

    /// The resources that API Gateway keeps for it, besides the root: each of its beginnings, canonically.
    pub fn resources(&self) -> impl Iterator<Item = RoutePath> {
        let canonical = self.canonical().segments;
        (1..=canonical.len()).map(move |length| Self { segments: canonical[..length].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RoutePath {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_path_is_what_api_gateway_takes_and_nothing_is_mended() {
        for good in ["/", "/cats", "/cats/{id}", "/cats/{proxy+}", "/{proxy+}", "/a.b/c-d_e:f/{x}/y/{z+}", "/Cats"] {
            assert_eq!(path(good).to_string(), good);
        }
        for (bad, why) in [
            ("", "begins with a slash"),
            ("cats", "begins with a slash"),
            ("/cats/", "doubled slashes"),
            ("//cats", "doubled slashes"),
            ("/cats//x", "doubled slashes"),
            ("/cats/%2e%2e", "percent-encoding"),
            ("/cats/../dogs", "not '.' or '..'"),
            ("/cats/.", "not '.' or '..'"),
            ("/cats/{id", "segments are letters"),
            ("/cats/x{id}", "segments are letters"),
            ("/cats/{}", "segments are letters"),
            ("/cats/{+}", "segments are letters"),
            ("/cats?x=1", "segments are letters"),
            ("/cats#x", "segments are letters"),
            ("/kätzchen", "segments are letters"),
            ("/cats /x", "segments are letters"),
            ("/cats\r\n", "segments are letters"),
            ("/cats/*", "segments are letters"),
            ("/cats/{proxy+}/x", "nothing below {proxy+}"),
            ("/cats/{id}/x/{id}", "different names"),
            ("/ping", "answers itself"),
            ("/sping/x", "answers itself"),
        ] {
            let error = bad.parse::<RoutePath>().unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(format!("/{}", "x".repeat(PATH_BYTES_MAX)).parse::<RoutePath>().is_err());
        assert_eq!(path("/cats/ping").first(), "cats", "only the root's are API Gateway's own");
    }

    #[test]
    fn variables_are_named_by_position() {
        let orders = path("/users/{uuid}/orders/{rest+}");
        assert_eq!(orders.canonical().to_string(), "/users/{p2}/orders/{proxy+}");
        assert_eq!(
            orders.variables(&orders.canonical()),
            [("uuid".into(), "p2".into()), ("rest".into(), "proxy".into())]
        );
        assert_eq!(path("/users/{id}").canonical(), path("/users/{userId}").canonical());
    }

    #[test]
    fn a_prefix_means_whole_segments() {
        let cats = path("/cats");
        for (given, is_below) in [
            ("/cats", true),
            ("/cats/{id}", true),
            ("/catsanddogs", false),
            ("/Cats", false),
            ("/{x}", false),
            ("/", false),
        ] {
            assert_eq!(path(given).is_below(&cats), is_below, "{given}");
        }
    }

    #[test]
    fn paths_overlap_when_a_request_could_be_meant_by_both() {
        for (a, b, overlap) in [
            ("/users/{id}", "/users/{uuid}/orders", false),
            ("/users/{id}", "/users/me", true),
            ("/users/{id}", "/users/{uuid}", true),
            ("/users/{proxy+}", "/users", false),
            ("/users/{proxy+}", "/users/a/b/c", true),
            ("/users/{proxy+}", "/users/{id}/{rest+}", true),
            ("/{x}/b", "/a/{y}", true),
            ("/a/b", "/a/c", false),
            ("/", "/", true),
            ("/", "/{proxy+}", false),
        ] {
            assert_eq!(path(a).overlaps(&path(b)), overlap, "{a} {b}");
            assert_eq!(path(b).overlaps(&path(a)), overlap, "{b} {a}");
        }
    }

    #[test]
    fn variables_are_called_what_they_are_called_already() {
        let mut taken = VariableNames::new();
        path("/users/{userId}/orders/{order}").note_variables(&mut taken);
        for (own, published) in [
            ("/users/{uuid}", "/users/{userId}"),
            ("/users/{a}/orders/{b}/lines/{c}", "/users/{userId}/orders/{order}/lines/{p6}"),
            ("/users/{a}/cats/{b}", "/users/{userId}/cats/{p4}"),
            ("/users/{proxy+}", "/users/{proxy+}"),
            ("/cats/{id}", "/cats/{p2}"),
        ] {
            assert_eq!(path(own).canonical_among(&taken).to_string(), published);
        }
    }

    #[test]
    fn each_beginning_of_a_path_is_a_resource() {
        let names: Vec<String> = path("/users/{id}/orders").resources().map(|one| one.to_string()).collect();
        assert_eq!(names, ["/users", "/users/{p2}", "/users/{p2}/orders"]);
        assert_eq!(path("/").resources().count(), 0);
    }
}

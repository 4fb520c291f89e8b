//! The VPC links that published routes take, as the stage variables that the document names them by: a link that is replaced
//! changes no document, and an earlier deployment follows it.

use std::collections::BTreeMap;

use shared::front_door::Name;
use shared::front_door::links::stage_variable;

use super::PublishedRoute;

/// The id of each link that one of the routes takes.
pub fn links(routes: &[PublishedRoute]) -> BTreeMap<Name, String> {
    routes.iter().map(|route| (route.link.clone(), route.link_id.clone())).collect()
}

/// The stage variables that lead to the links: what `connectionId` in the document names, and what that stands for.
pub fn stage_variables(links: &BTreeMap<Name, String>) -> BTreeMap<String, String> {
    links.iter().map(|(name, id)| (stage_variable(name), id.clone())).collect()
}

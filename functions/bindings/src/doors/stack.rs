//! CloudFormation's door: `Custom::Binding`.

use serde_json::{Map, Value};
use shared::custom_resource::{Kind, Outcome as Answered, Request};
use shared::entry::Invocation;
use shared::error::Error;

use super::{delete_all, shift};
use crate::intake;
use crate::record::KIND;
use crate::report;
use crate::world::World;

/// The `PhysicalResourceId` of a stack's resource, known before any work: a spec that can't be read has no sink, and
/// the id then only names the resource.
pub fn physical_id(request: &Request) -> String {
    let sink = crate::spec::BindingSpec::parse(request.properties.clone()).map(|spec| spec.sink.identity());
    request.origin().id(KIND, sink.as_deref().unwrap_or("unreadable"))
}

/// `Custom::Binding`.
pub async fn custom_resource<W: World>(
    world: &W,
    invocation: &Invocation,
    request: Request,
) -> Result<Answered, Error> {
    let shift = shift(invocation);
    let stamp = request.stamp();
    match request.kind {
        Kind::Create | Kind::Update => {
            let origin = request.origin();
            let wanted = intake::check(world, invocation.caller.account(), origin, request.properties).await?;
            let binding = intake::apply(world, &shift, wanted, stamp).await?.into_answer()?;
            Ok(Answered::new(binding.id.clone(), fitting(report::attributes(&binding))))
        }
        Kind::Delete => {
            let physical_id = request.physical_resource_id.clone().unwrap_or_default();
            let ids = deleted_ids(world, &request, &physical_id).await?;
            delete_all(world, &shift, ids, stamp).await?;
            Ok(Answered::new(physical_id, Default::default()))
        }
    }
}

/// Which bindings a Delete is about: the one that it names, or, if the id is none that we gave to this resource, all of
/// the resource's.
async fn deleted_ids<W: World>(world: &W, request: &Request, physical_id: &str) -> Result<Vec<String>, Error> {
    let origin = request.origin();
    if physical_id.starts_with(&origin.id_prefix(KIND)) {
        return Ok(vec![physical_id.to_owned()]);
    }
    Ok(intake::of_origin(world, &origin).await?.into_iter().map(|binding| binding.id).collect())
}

/// Leaves `Addresses` out where a large source has more than CloudFormation's answer holds: whoever reads it then hears
/// that there is no such attribute, which is better than a part of it.
fn fitting(mut attributes: Map<String, Value>) -> Map<String, Value> {
    if attributes.get(ADDRESSES).and_then(Value::as_str).is_some_and(|text| text.len() > ADDRESSES_BYTES_MAX) {
        tracing::warn!("left the attribute Addresses out of CloudFormation's answer: there are too many");
        attributes.remove(ADDRESSES);
    }
    attributes
}

const ADDRESSES: &str = "Addresses";

/// Of the 4,096 bytes of an answer, what the longest ids leave, some 190 addresses.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>
const ADDRESSES_BYTES_MAX: usize = 3_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_addresses_than_an_answer_holds_are_left_out_of_it() {
        for (count, is_there) in [(100, true), (190, true), (1_000, false)] {
            let addresses = vec!["10.20.16.1"; count].join(",");
            let attributes = json!({"BindingId": "b", "Addresses": addresses, "Count": count});
            let Value::Object(attributes) = attributes else { unreachable!() };
            let fitting = fitting(attributes);
            assert_eq!((fitting.contains_key(ADDRESSES), fitting.len()), (is_there, 2 + usize::from(is_there)));
        }
    }
}

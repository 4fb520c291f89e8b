//! The doors for those who wait for an answer: CloudFormation, an operator's command, Terraform. Each writes down what is
//! asked for and has it looked at; a stack hears the end of it from whichever look finds it.

use std::time::Duration;

use serde_json::{Value, json};
use shared::command::{answer, verb};
use shared::custom_resource::{Kind, Later, Outcome, Reply, Request};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::Name;
use shared::front_door::links::{Link, Selector, Status, Waiting};
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use shared::trigger::{Command, CommandItem, Terraform, TerraformAction};

use crate::observe;
use crate::reconcile;
use crate::spec::LinkSpec;
use crate::world::World;

/// CloudFormation waits for an hour (`ServiceTimeout`'s default and maximum): it hears before that how things stand.
const PATIENCE_SECONDS: u64 = 55 * 60;
/// The response URL's signature does not last for much longer.
const WAITING_SECONDS: u64 = 2 * 3_600;

/// The `PhysicalResourceId`: the link's name, so that a new name is a new link.
pub fn physical_id(request: &Request) -> String {
    let name = request.properties.get("Name").and_then(Value::as_str).unwrap_or("unreadable");
    id_of(&name.chars().take(128).collect::<String>())
}

fn id_of(name: &str) -> String {
    format!("vpc-link-{name}")
}

/// A look at a link takes a second or two: who is asked waits for that, this often for this long.
const LOOKS_MAX: usize = 60;
const LOOK: Duration = Duration::from_millis(500);

/// What is asked for of a link.
struct Asked {
    origin: Origin,
    stamp: Stamp,
    waiting: Option<Waiting>,
}

/// A stack's request.
pub async fn custom_resource<W: World>(world: &W, invocation: &Invocation, request: Request) -> Result<Reply, Error> {
    let (origin, stamp) = (request.origin(), request.stamp());
    let is_delete = request.kind == Kind::Delete;
    let physical_id = match (is_delete, &request.physical_resource_id) {
        (true, Some(id)) => id.clone(),
        _ => self::physical_id(&request),
    };
    let name: Option<Name> = physical_id.strip_prefix(&id_of("")).and_then(|name| name.parse().ok());
    let until_seconds = request.signed_at_seconds.unwrap_or(world.now_seconds()) + PATIENCE_SECONDS;
    let later = Later::new(&request, physical_id.clone())?;
    let waiting = name.clone().map(|name| Waiting {
        name,
        until_seconds,
        is_delete,
        fingerprint: stamp.fingerprint.clone(),
        later,
    });
    let asked = Asked { origin, stamp, waiting };
    let link = match (is_delete, name) {
        (false, _) => Some(apply(world, invocation, asked, LinkSpec::parse(request.properties)?).await?),
        (true, Some(name)) => delete(world, invocation, asked, &name).await?,
        (true, None) => None,
    };
    match link {
        Some(_) => Ok(Reply::Later),
        None => Ok(Reply::Now(Outcome::new(physical_id, Default::default()))),
    }
}

/// Writes down what is asked for, and looks.
async fn apply<W: World>(world: &W, invocation: &Invocation, asked: Asked, spec: LinkSpec) -> Result<Link, Error> {
    // What is named outright has to be there; a Service's load balancer may still be on its way.
    if !matches!(spec.load_balancer, Selector::KubernetesService { .. })
        && observe::balancers(world, &spec.load_balancer).await?.is_empty()
    {
        return Err(Error::not_found(format!(
            "LoadBalancer: there is no Network Load Balancer that is {} in this account and region",
            spec.load_balancer
        )));
    }
    let mut lease = lease(world, invocation, &spec.name).await?;
    let result = take_up(&mut lease.value, &asked, spec);
    if let Err(error) = result {
        lease.release(&Registry::new(world.table())).await?;
        return Err(error);
    }
    lease.save(&Registry::new(world.table())).await?;
    wait(world, asked.waiting).await?;
    let link = reconcile::under_lease(world, lease).await?;
    link.ok_or_else(|| Error::upstream("the link is gone again: try once more"))
}

fn take_up(stored: &mut Option<Link>, asked: &Asked, spec: LinkSpec) -> Result<(), Error> {
    let link = stored.get_or_insert_with(|| Link {
        name: spec.name.clone(),
        origin: asked.origin.clone(),
        selector: spec.load_balancer.clone(),
        status: Status::Pending,
        reason: String::new(),
        current: None,
        next: None,
        retiring: Default::default(),
        departure: None,
        recheck: None,
        requests: Requests::default(),
        deleted: false,
    });
    if !link.deleted && link.origin != asked.origin {
        return Err(Error::conflict(format!(
            "Name: the link {} is {}'s: change it there, or choose another name",
            link.name,
            link.origin.name()
        )));
    }
    if link.requests.supersede(&asked.stamp) {
        return Err(Error::conflict(format!("this request is older than the last one about the link {}", link.name)));
    }
    // A link that failed is made anew for who asks anew.
    if link.status == Status::Failed || link.selector != spec.load_balancer {
        link.next = None;
    }
    link.requests.note(asked.stamp.clone());
    link.status = Status::Pending;
    (link.origin, link.selector, link.deleted) = (asked.origin.clone(), spec.load_balancer, false);
    Ok(())
}

/// Has the link deleted, unless routes are led through it. What is not there, or another's, is gone already: `None`.
async fn delete<W: World>(
    world: &W,
    invocation: &Invocation,
    asked: Asked,
    name: &Name,
) -> Result<Option<Link>, Error> {
    let mut lease = lease(world, invocation, name).await?;
    let registry = Registry::new(world.table());
    let is_it = |link: &&mut Link| {
        link.status != Status::Deleted && link.origin == asked.origin && !link.requests.supersede(&asked.stamp)
    };
    let Some(link) = lease.value.as_mut().filter(is_it) else {
        lease.release(&registry).await?;
        return Ok(None);
    };
    let routes = observe::routes_through(world, name).await?;
    if !routes.is_empty() {
        let some = routes.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        lease.release(&registry).await?;
        return Err(Error::blocked(format!(
            "the link {name} is in use by {} routes, among them {some}: have them removed or led elsewhere first",
            routes.len()
        )));
    }
    link.requests.note(asked.stamp.clone());
    link.deleted = true;
    lease.save(&registry).await?;
    wait(world, asked.waiting).await?;
    reconcile::under_lease(world, lease).await
}

async fn lease<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &Name,
) -> Result<shared::lease::Lease<Option<Link>>, Error> {
    for _ in 0..LOOKS_MAX {
        if let Some(lease) = reconcile::lease(world, invocation, name).await? {
            return Ok(lease);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::conflict(format!("somebody else is at work on the link {name}: try again")))
}

async fn wait<W: World>(world: &W, waiting: Option<Waiting>) -> Result<(), Error> {
    let Some(waiting) = waiting else { return Ok(()) };
    let registry = Registry::new(world.table());
    let key = registry::link_waiting_key(waiting.name.as_str(), &waiting.fingerprint);
    let mut record = Record::new(key.clone(), waiting);
    // A request that comes again finds its own, and is answered once.
    record.version = registry.get::<Waiting>(&key).await?.map_or(0, |stored| stored.version);
    record.expires_at_seconds = Some(world.now_seconds() + WAITING_SECONDS);
    registry.put(&mut record).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Apply,
    Delete,
    Plan,
    Get,
    List,
    Sync,
}

const VERBS: &[(&str, Verb)] = &[
    ("apply", Verb::Apply),
    ("delete", Verb::Delete),
    ("plan", Verb::Plan),
    ("get", Verb::Get),
    ("list", Verb::List),
    ("sync", Verb::Sync),
];

/// A direct invoke.
pub async fn command<W: World>(world: &W, invocation: &Invocation, command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    let batch = command.items.is_some();
    let is_about_all = !batch && command.name.is_none();
    let mut items = command.into_items()?;
    if verb == Verb::List || verb == Verb::Sync && is_about_all {
        let links = observe::all(world).await?.into_iter().filter(|link| link.status != Status::Deleted);
        if verb == Verb::List {
            return Ok(json!({"items": links.map(|link| report(&link)).collect::<Vec<_>>()}));
        }
        items = links.map(|link| CommandItem { name: Some(link.name.to_string()), spec: None }).collect();
    }
    let mut answers = Vec::new();
    for item in items {
        answers.push((item.name.clone().unwrap_or_default(), one(world, invocation, verb, item).await));
    }
    answer(batch || is_about_all && verb == Verb::Sync, answers)
}

async fn one<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Value, Error> {
    let stamp = invocation.stamp();
    let asked =
        |name: &str| Asked { origin: Origin::Command { name: name.to_owned() }, stamp: stamp.clone(), waiting: None };
    if let (Verb::Apply | Verb::Plan, Some(spec)) = (verb, item.named_spec()) {
        let spec = LinkSpec::parse(spec)?;
        if item.name.as_ref().is_some_and(|name| name != spec.name.as_str()) {
            return Err(Error::invalid(format!("Name: '{}' is not the command's name", spec.name)));
        }
        let asked = asked(spec.name.as_str());
        if verb == Verb::Apply {
            return Ok(report(&apply(world, invocation, asked, spec).await?));
        }
        let mut planned = find(world, spec.name.as_str()).await?;
        take_up(&mut planned, &asked, spec)?;
        return plan(world, planned).await;
    }
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the link's name"))?;
    if item.spec.is_some() {
        return Err(Error::invalid("spec is not a field of this command: give the name alone"));
    }
    let found = find(world, &name).await?.filter(|link| link.status != Status::Deleted);
    match (verb, found) {
        (Verb::Apply, _) => Err(Error::invalid("spec is missing: give what the link is to lead to")),
        (Verb::Delete, None) => Ok(json!({"name": name, "id": null, "status": "DELETED", "attributes": {}})),
        (Verb::Delete, Some(link)) => {
            link.origin.check_not_a_stacks(&name)?;
            let asked = Asked { origin: link.origin.clone(), ..asked(&name) };
            let gone = delete(world, invocation, asked, &link.name).await?.unwrap_or(link);
            Ok(report(&gone))
        }
        (_, None) => Err(Error::not_found(format!("there is no link called '{name}'"))),
        (Verb::Plan, link) => plan(world, link).await,
        (Verb::Sync, Some(link)) => {
            let looked = reconcile::reconcile(world, invocation, &link.name, 0).await?;
            Ok(report(&looked.unwrap_or(link)))
        }
        (Verb::Get | Verb::List, Some(link)) => Ok(report(&link)),
    }
}

async fn find<W: World>(world: &W, name: &str) -> Result<Option<Link>, Error> {
    Ok(observe::all(world).await?.into_iter().find(|link| link.name.as_str() == name))
}

async fn plan<W: World>(world: &W, link: Option<Link>) -> Result<Value, Error> {
    let link = link.ok_or_else(|| Error::not_found("there is no such link"))?;
    let plan = reconcile::look(world, &link).await?;
    let mut answer = report(&link);
    (answer["status"], answer["plan"]) = (json!("PLANNED"), json!(plan.to_string()));
    Ok(answer)
}

fn report(link: &Link) -> Value {
    let mut answer = json!({
        "name": link.name, "id": id_of(link.name.as_str()), "status": link.status.as_str(),
        "attributes": reconcile::attributes(link), "loadBalancer": link.selector.to_string(),
    });
    if !link.reason.is_empty() {
        answer["reason"] = json!(link.reason);
    }
    answer
}

/// A resource of Terraform's. Its name is the link's.
pub async fn terraform<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    let name_of = |resource: &CommandItem| {
        let spec = resource.spec.clone().unwrap_or_default();
        let name = resource.name.clone().or_else(|| spec.get("Name")?.as_str().map(str::to_owned));
        name.ok_or_else(|| Error::invalid("Name is missing: give the link's name"))
    };
    let stamp = invocation.stamp();
    let asked =
        |name: &str| Asked { origin: Origin::Terraform { name: name.to_owned() }, stamp: stamp.clone(), waiting: None };
    let name = name_of(&terraform.resource)?;
    let parse = |name: &str| name.parse::<Name>().map_err(|e| Error::invalid(format!("Name: {e}")));
    if terraform.action == TerraformAction::Delete {
        delete(world, invocation, asked(&name), &parse(&name)?).await?;
        return Ok(json!({"name": name, "id": id_of(&name), "status": "DELETED", "attributes": {}}));
    }
    let spec = LinkSpec::parse(terraform.resource.named_spec().unwrap_or_default())?;
    let link = apply(world, invocation, asked(&name), spec).await?;
    if let Some(previous) = terraform.previous.as_ref().and_then(|previous| name_of(previous).ok())
        && previous != name
    {
        delete(world, invocation, asked(&previous), &parse(&previous)?).await?;
    }
    Ok(report(&link))
}

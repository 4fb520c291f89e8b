//! What makes and unmakes a binding, whichever door it came through: check what was asked for, write it down, then let
//! `reconcile` do the work.

use serde_json::Value;
use shared::error::Error;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use shared::types::AccountId;

use crate::observe::{self, Memory};
use crate::reconcile::{Bench, Shift, is_alive};
use crate::record::{Binding, BindingId, KIND, Status};
use crate::report::Outcome;
use crate::spec::BindingSpec;
use crate::world::World;

/// A binding as it is asked for, checked against AWS: nothing was written yet.
pub async fn check<W: World>(world: &W, account: &AccountId, origin: Origin, spec: Value) -> Result<Binding, Error> {
    let spec = BindingSpec::parse(spec)?;
    let sink = observe::sink_facts(world, account, &spec).await?;
    let source = observe::source(world, &spec, &sink, &Memory::default()).await?;
    if let Some(error) = source.unusable {
        return Err(error);
    }
    let id = origin.id(KIND, &spec.sink.identity());
    Ok(Binding {
        id,
        origin,
        spec,
        sink,
        status: Status::Pending,
        reason: String::new(),
        addresses: Vec::new(),
        misses: Default::default(),
        interfaces: Default::default(),
        requests: Requests::default(),
    })
}

/// Makes the binding, or makes it what is asked for now.
pub async fn apply<W: World>(world: &W, shift: &Shift, wanted: Binding, stamp: Stamp) -> Result<Outcome, Error> {
    let bench = Bench::wait(world, shift, &wanted).await?;
    match store(&bench, wanted, stamp).await {
        Ok(record) => bench.sync(record).await,
        Err(error) => {
            bench.leave().await?;
            Err(error)
        }
    }
}

async fn store<W: World>(bench: &Bench<'_, W>, wanted: Binding, stamp: Stamp) -> Result<Record<Binding>, Error> {
    let stored = bench.load(&wanted.id).await?;
    let version = stored.as_ref().map_or(0, |record| record.version);
    let mut record = wanted.into_record(version);
    if let Some(stored) = stored {
        refuse_late(&stored.value, &stamp)?;
        // Assigned one by one, so that a new field has to say whether an update keeps it.
        let Binding { id: _, origin: _, spec, sink: _, status: _, reason: _, addresses, misses, interfaces, requests } =
            stored.value;
        // What is remembered of one source says nothing of another.
        if record.value.spec.source == spec.source {
            record.value.misses = misses;
        }
        record.value.addresses = addresses;
        record.value.interfaces = interfaces;
        record.value.requests = requests;
    }
    record.value.requests.note(stamp);
    bench.store(&mut record).await?;
    Ok(record)
}

fn refuse_late(stored: &Binding, stamp: &Stamp) -> Result<(), Error> {
    match stored.requests.supersede(stamp) {
        false => Ok(()),
        true => Err(Error::conflict(format!(
            "this request is older than the last one that {} has seen, and was left undone",
            stored.origin.name()
        ))),
    }
}

/// Takes the binding's targets out of its sink and forgets the binding. What never was is gone already.
///
/// While another binding's targets in the same group are not healthy yet, the removal waits for them: the binding is
/// then retiring, and the re-checks end it.
pub async fn delete<W: World>(
    world: &W,
    shift: &Shift,
    id: &BindingId,
    stamp: Stamp,
) -> Result<Option<Outcome>, Error> {
    let stored: Option<Record<Binding>> = Registry::new(world.table()).get(&registry::binding_key(id)).await?;
    let Some(hint) = stored.filter(is_alive) else {
        return Ok(None);
    };
    let bench = Bench::wait(world, shift, &hint.value).await?;
    match retire(&bench, id, stamp).await {
        Ok(Some(record)) => bench.sync(record).await.map(Some),
        Ok(None) => bench.leave().await.map(|()| None),
        Err(error) => {
            bench.leave().await?;
            Err(error)
        }
    }
}

async fn retire<W: World>(
    bench: &Bench<'_, W>,
    id: &BindingId,
    stamp: Stamp,
) -> Result<Option<Record<Binding>>, Error> {
    let Some(mut record) = bench.load(id).await?.filter(is_alive) else {
        return Ok(None);
    };
    // A late Delete of what was made again since is done already.
    if record.value.requests.supersede(&stamp) {
        return Ok(None);
    }
    record.value.status = Status::Retiring;
    record.value.requests.note(stamp);
    bench.store(&mut record).await?;
    Ok(Some(record))
}

/// All bindings of one origin, on whichever sink.
pub async fn of_origin<W: World>(world: &W, origin: &Origin) -> Result<Vec<Binding>, Error> {
    list(world, &origin.id_prefix(KIND)).await
}

/// All bindings whose id begins like this.
pub async fn list<W: World>(world: &W, id_prefix: &str) -> Result<Vec<Binding>, Error> {
    let records = Registry::new(world.table()).list::<Binding>(registry::binding_key(id_prefix)).await?;
    Ok(records.into_iter().filter(is_alive).map(|record| record.value).collect())
}

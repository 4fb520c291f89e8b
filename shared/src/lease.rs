//! One worker at a time on one thing: a lease that lives in the thing's own record.
//!
//! The record's version is the fencing token. Taking, saving and releasing the lease each write the record over the
//! version that was read, so a worker whose lease ran out and went to another can't write any more: its version is old.
//! A lease ends by itself when its holder must be dead, which is why it is taken until the invocation's deadline.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aws::{ItemKey, Table};
use crate::entry::Invocation;
use crate::error::{Error, ErrorType};
use crate::registry::{Record, Registry};

/// Who works on the record, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Tells this holder from every other: two of one name would both take a write of either for their own.
    pub id: String,
    /// When the lease ends by itself, in seconds since the epoch.
    pub until_seconds: u64,
}

/// A lease outlives the invocation that holds it by this much: clocks differ.
const OUTLIVES_SECONDS: u64 = 5;

impl Holder {
    /// An invocation, until after its end.
    pub fn of(invocation: &Invocation) -> Self {
        let until_seconds = invocation.deadline_millis / 1_000 + OUTLIVES_SECONDS;
        Self { id: invocation.request_id.clone(), until_seconds }
    }
}

/// A record that is worked on under a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased<R> {
    /// Who holds the lease, if anybody does.
    pub holder: Option<Holder>,
    /// What the record says.
    pub value: R,
}

/// A lease that is held. Dropping it without [`Lease::release`] leaves it to run out.
#[derive(Debug)]
pub struct Lease<R> {
    record: Record<Leased<R>>,
    /// What was read when the lease was taken, for the holder to change.
    pub value: R,
}

/// What came of trying to take a lease.
#[derive(Debug)]
pub enum Attempt<R> {
    /// It is ours.
    Taken(Lease<R>),
    /// Somebody else works on it, until the given second at most.
    Held {
        /// When their lease ends by itself, in seconds since the epoch.
        until_seconds: u64,
    },
}

impl<R: Clone + Default + Serialize + DeserializeOwned> Lease<R> {
    /// Takes the lease on the record at `key` for `holder`, unless somebody has it at `now_seconds`.
    pub async fn attempt<T: Table>(
        registry: &Registry<'_, T>,
        key: &ItemKey,
        holder: Holder,
        now_seconds: u64,
    ) -> Result<Attempt<R>, Error> {
        let stored = registry.get::<Leased<R>>(key).await?;
        let mut record = stored.unwrap_or_else(|| Record::new(key.clone(), Leased::default()));
        match &record.value.holder {
            Some(other) if other.until_seconds > now_seconds => {
                return Ok(Attempt::Held { until_seconds: other.until_seconds });
            }
            _ => {}
        }
        let until_seconds = holder.until_seconds;
        record.value.holder = Some(holder);
        match registry.put(&mut record).await {
            Ok(()) => Ok(Attempt::Taken(Self { value: record.value.value.clone(), record })),
            Err(error) if error.error_type == ErrorType::Conflict => Ok(Attempt::Held { until_seconds }),
            Err(error) => Err(error),
        }
    }

    /// The lease on the record at `key` for an invocation; `None` where somebody else has it.
    pub async fn of<T: Table>(
        registry: &Registry<'_, T>,
        key: &ItemKey,
        invocation: &Invocation,
        now_seconds: u64,
    ) -> Result<Option<Self>, Error> {
        match Self::attempt(registry, key, Holder::of(invocation), now_seconds).await? {
            Attempt::Taken(lease) => Ok(Some(lease)),
            Attempt::Held { .. } => Ok(None),
        }
    }

    /// Writes the value and keeps the lease; no call if nothing changed.
    pub async fn save<T: Table>(&mut self, registry: &Registry<'_, T>) -> Result<(), Error>
    where
        R: PartialEq,
    {
        if self.record.value.value == self.value {
            return Ok(());
        }
        self.record.value.value = self.value.clone();
        registry.put(&mut self.record).await
    }

    /// From the next write on, DynamoDB may delete the record at that second.
    pub fn expire_at(&mut self, seconds: u64) {
        self.record.expires_at_seconds = Some(seconds);
    }

    /// Writes the value and gives the lease back.
    pub async fn release<T: Table>(mut self, registry: &Registry<'_, T>) -> Result<(), Error> {
        self.record.value = Leased { holder: None, value: self.value };
        registry.put(&mut self.record).await
    }
}

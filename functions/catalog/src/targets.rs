//! Where to look: the places that the discoveries name, each with the role that reads there. Where nobody has said anything,
//! the central account and the function's own region.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shared::aws::{Access, Organization};
use shared::error::Error;
use shared::registry::{self, Record, Registry};
use shared::types::{AccountId, Region};

use crate::plan::accounts::{Followed, follow};
use crate::plan::removal::MISSED_SCANS_MAX;
use crate::record::{Discovery, Place};
use crate::scan;
use crate::spec::{AccountEntry, DiscoverySpec};
use crate::world::World;

/// A place to look at, and how. A message says it whole: a scan that is gone on with is of what it began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The place.
    pub place: Place,
    /// As whom.
    pub access: Access,
    /// Whether APIs are wanted that no usage plan is for.
    pub include_all: bool,
}

/// A unit whose accounts could not all be read; those that it had before are looked at all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadUnit {
    /// The unit.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The places, each once.
    pub places: Vec<Target>,
    /// What could not be read of the organization.
    pub unread: Vec<UnreadUnit>,
}

impl Targets {
    fn has(&self, account: &AccountId) -> bool {
        self.places.iter().any(|target| target.place.account == *account)
    }

    /// The target for this place.
    pub fn at(&self, place: &Place) -> Option<&Target> {
        self.places.iter().find(|target| target.place == *place)
    }

    /// Every place once: of two that say different things of one the first says how, and one that wants all gets all.
    fn fold(targets: Vec<Target>, unread: Vec<UnreadUnit>) -> Self {
        let mut by_place: BTreeMap<Place, Target> = BTreeMap::new();
        for target in targets {
            let known = by_place.entry(target.place.clone()).or_insert_with(|| target.clone());
            known.include_all |= target.include_all;
        }
        Self { places: by_place.into_values().collect(), unread }
    }
}

/// All discoveries that are not given up.
pub async fn discoveries<W: World>(world: &W) -> Result<Vec<Record<Discovery>>, Error> {
    let mut all = Registry::new(world.table()).list::<Discovery>(registry::discovery_key("")).await?;
    all.retain(|record| !record.value.deleted);
    Ok(all)
}

/// Where to look, as the discoveries say, with the accounts that their units have now. The entries of those that have left go.
pub async fn all<W: World>(world: &W) -> Result<Targets, Error> {
    let Read { targets, changed, gone } = read(world).await?;
    // Invariant: an account's entries go before it is forgotten, so that whoever dies in between does it again.
    for account in gone.iter().filter(|account| !targets.has(account)) {
        scan::remove_account(world, account).await?;
    }
    for mut record in changed {
        // Somebody who changes the discovery meanwhile wins; its accounts are read again with the next scan.
        Registry::new(world.table()).put(&mut record).await.ok();
    }
    Ok(targets)
}

/// The same, changing nothing.
pub async fn preview<W: World>(world: &W) -> Result<Targets, Error> {
    Ok(read(world).await?.targets)
}

/// The discoveries and the lists of their units.
#[derive(Default)]
struct Read {
    targets: Targets,
    changed: Vec<Record<Discovery>>,
    gone: BTreeSet<AccountId>,
}

async fn read<W: World>(world: &W) -> Result<Read, Error> {
    let (mut found, mut unread) = (Read::default(), Vec::new());
    let records = discoveries(world).await?;
    let mut targets = if records.is_empty() { vec![home(world)] } else { Vec::new() };
    for mut record in records {
        let discovery = &mut record.value;
        let unit = discovery.spec.organizational_unit.as_ref().map(|unit| unit.organizational_unit_id.clone());
        let listed = match &unit {
            Some(id) => Some(world.organization().accounts_below(id).await),
            None => None,
        };
        match listed {
            None => {}
            Some(Err(error)) => unread.extend(unit.map(|id| UnreadUnit { id, why: error.to_string() })),
            Some(Ok(listed)) => {
                let followed = follow(&discovery.accounts, &discovery.missed, &listed);
                unread.extend(unit.zip(missing(&followed)).map(|(id, why)| UnreadUnit { id, why }));
                found.gone.extend(followed.gone);
                if (&followed.accounts, &followed.missed) != (&discovery.accounts, &discovery.missed) {
                    (discovery.accounts, discovery.missed) = (followed.accounts, followed.missed);
                    found.changed.push(record.clone());
                }
            }
        }
        targets.extend(of_spec(world, &record.value.spec, &record.value.accounts));
    }
    found.targets = Targets::fold(targets, unread);
    Ok(found)
}

/// What is doubtful about a unit's list.
fn missing(followed: &Followed) -> Option<String> {
    let missing: Vec<&str> = followed.missed.keys().take(MISSING_NAMED_MAX).map(AccountId::as_str).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "its list does not have {} accounts that it had, among them {}: they are looked at until {MISSED_SCANS_MAX} lists \
             in a row did not have them",
            followed.missed.len(),
            missing.join(", ")
        )
    })
}

/// How many missing accounts of a unit are named.
const MISSING_NAMED_MAX: usize = 5;

/// How many accounts and regions a discovery names, with the accounts that its unit had when it was last read.
pub fn count<W: World>(world: &W, discovery: &Discovery) -> usize {
    Targets::fold(of_spec(world, &discovery.spec, &discovery.accounts), Vec::new()).places.len()
}

/// As they are known, without asking the organization.
pub async fn known<W: World>(world: &W) -> Result<Targets, Error> {
    let records = discoveries(world).await?;
    let mut targets: Vec<Target> =
        records.iter().flat_map(|record| of_spec(world, &record.value.spec, &record.value.accounts)).collect();
    if records.is_empty() {
        targets.push(home(world));
    }
    Ok(Targets::fold(targets, Vec::new()))
}

/// Where a command says to look, this once.
pub async fn once<W: World>(world: &W, spec: &DiscoverySpec) -> Result<Targets, Error> {
    let accounts = match &spec.organizational_unit {
        None => BTreeSet::new(),
        Some(unit) => world.organization().accounts_below(&unit.organizational_unit_id).await?,
    };
    Ok(Targets::fold(of_spec(world, spec, &accounts), Vec::new()))
}

fn home<W: World>(world: &W) -> Target {
    let place = world.settings().home.clone();
    let access = world.settings().reading(&place.account, &place.region, None, None);
    Target { place, access, include_all: false }
}

fn of_spec<W: World>(world: &W, spec: &DiscoverySpec, of_unit: &BTreeSet<AccountId>) -> Vec<Target> {
    if spec.accounts.is_empty() && spec.organizational_unit.is_none() {
        return vec![Target { include_all: spec.include_apis_without_usage_plan, ..home(world) }];
    }
    let settings = world.settings();
    let of_unit = spec.organizational_unit.iter().flat_map(|unit| {
        of_unit.iter().map(|account| AccountEntry {
            account_id: account.clone(),
            regions: unit.regions.clone(),
            role_name: unit.role_name.clone(),
            external_id: unit.external_id.clone(),
        })
    });
    let entries = spec.accounts.iter().cloned().chain(of_unit);
    let targets = entries.flat_map(|entry| {
        let regions = match entry.regions.is_empty() {
            true => vec![settings.home.region.clone()],
            false => entry.regions.clone(),
        };
        let target = move |region: Region| Target {
            access: settings.reading(
                &entry.account_id,
                &region,
                entry.role_name.as_deref(),
                entry.external_id.as_deref(),
            ),
            place: Place { account: entry.account_id.clone(), region },
            include_all: spec.include_apis_without_usage_plan,
        };
        regions.into_iter().map(target)
    });
    targets.collect()
}

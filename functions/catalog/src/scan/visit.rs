//! A look at one API: its stages, and an export of each that shows another deployment than the catalogue has.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::aws::{Cause, ListedApi, ListedStage};
use shared::error::Error;
use shared::openapi::{hash_of, methods_of};

use super::Look;
use super::seen::{assemble, key_of, settings};
use crate::documents;
use crate::plan;
use crate::plan::compare::{Change, compare};
use crate::record::{Api, Plan, Stage, Status};
use crate::world::World;

/// What a look at one API came to.
pub(super) struct Visit {
    /// The API as it is now.
    pub seen: Api,
    /// The documents that are new, by hash.
    pub documents: BTreeMap<String, Value>,
    /// What changed for clients, by stage.
    pub changes: BTreeMap<String, Change>,
    /// How many exports were fetched.
    pub exports: usize,
    /// What could not be seen.
    pub failures: Vec<String>,
}

impl<W: World> Look<'_, W> {
    /// Looks at one API. `None` when it went away meanwhile: then it is missing for the next scan.
    pub(super) async fn visit_one(&self, listed: &ListedApi, plans: &[Plan]) -> Result<Option<Visit>, Error> {
        let known = self.known.get(&key_of(self.target, &listed.id)).map(|record| &record.value);
        let known = known.filter(|known| known.status != Status::Gone);
        let mut visit = Visit {
            seen: assemble(self.target, known, listed, plans, BTreeMap::new()),
            documents: BTreeMap::new(),
            changes: BTreeMap::new(),
            exports: 0,
            failures: Vec::new(),
        };
        match self.observer.stages(&listed.id).await {
            Ok(None) => return Ok(None),
            Ok(Some(stages)) => {
                for stage in &stages {
                    let known = known.and_then(|known| known.stages.get(&stage.name));
                    let seen = self.visit_stage(&mut visit, stage, known).await?;
                    visit.seen.stages.extend(seen.map(|seen| (stage.name.clone(), seen)));
                }
            }
            // What could not be seen stays as it was.
            Err(error) => {
                visit.failures.push(error.to_string());
                visit.seen.stages = known.map(|known| known.stages.clone()).unwrap_or_default();
            }
        }
        for (hash, document) in &visit.documents {
            documents::keep(self.world, &visit.seen.key, hash, document).await?;
        }
        Ok(Some(visit))
    }

    /// The stage as it is now; `None` when it went away meanwhile. What comes with it goes to `visit`.
    async fn visit_stage(
        &self,
        visit: &mut Visit,
        listed: &ListedStage,
        known: Option<&Stage>,
    ) -> Result<Option<Stage>, Error> {
        if let Some(known) = known.filter(|known| !plan::is_due(Some(known), &listed.deployment_id)) {
            return Ok(Some(settings(listed, known.clone())));
        }
        visit.exports += 1;
        let document = match self.observer.export(&visit.seen.key.id, &listed.name).await {
            Ok(None) => return Ok(None),
            Ok(Some(document)) => document,
            Err(error) if error.cause == Cause::Refused => {
                let refused = Stage { refusal: Some(error.message), ..Stage::default() };
                return Ok(Some(settings(listed, refused)));
            }
            // What could not be seen stays as it was, and is due again.
            Err(error) => {
                visit.failures.push(error.to_string());
                return Ok(Some(known.cloned().unwrap_or_else(|| settings(listed, Stage::default()))));
            }
        };
        let (document_hash, methods) = (hash_of(&document), methods_of(&document));
        let old = known.map(|known| &known.document_hash).filter(|old| !old.is_empty() && **old != document_hash);
        if let Some(old) = old
            && let Some(before) = documents::load(self.world, &visit.seen.key, old).await?
        {
            visit.changes.insert(listed.name.clone(), compare(&before, &document));
        }
        visit.documents.insert(document_hash.clone(), document);
        Ok(Some(settings(listed, Stage { document_hash, methods, ..Stage::default() })))
    }
}

//! What becomes of the catalogue, given what it knows of a place and what API Gateway lists there. Pure.
//!
//! [`preview`] tells the difference for an operator, [`due`] which stages have to be exported again, [`removal`] what may be
//! taken for removed, [`compare`] what a changed document means for its clients.

pub mod accounts;
pub mod compare;
pub mod removal;
pub mod saga;

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Api, Plan, PlanOnStage, Stage, Status};

/// What is different about an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It is not in the catalogue.
    New,
    /// It is not as the catalogue has it.
    Changed,
    /// It is in the catalogue, and not there.
    Missing,
    /// It was missing, and AWS says that there is no such API.
    Gone,
}

impl Difference {
    /// As it stands in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Changed => "CHANGED",
            Self::Missing => "MISSING",
            Self::Gone => "GONE",
        }
    }
}

/// The usage plans that an API's stages are in.
pub fn plans_of<'a>(api_id: &str, plans: impl IntoIterator<Item = &'a Plan>) -> BTreeSet<PlanOnStage> {
    let of_plan = |plan: &'a Plan| {
        let stages = plan.stages.iter().filter(|(api, _)| api == api_id);
        stages.map(|(_, stage)| PlanOnStage {
            plan_id: plan.id.clone(),
            plan_name: plan.name.clone(),
            stage: stage.clone(),
        })
    };
    plans.into_iter().flat_map(of_plan).collect()
}

/// Whether a stage has to be exported: what it shows is not what the catalogue has of it. A deployment never changes, and neither
/// does a refusal to export it.
pub fn is_due(known: Option<&Stage>, deployment_id: &str) -> bool {
    let lacks = |known: &Stage| known.document_hash.is_empty() && known.refusal.is_none();
    known.is_none_or(|known| known.deployment_id != deployment_id || lacks(known))
}

/// What is different about an API that is there, when all of it but its documents is known; nothing when nothing is.
pub fn difference(known: Option<&Api>, seen: &Api) -> Option<Difference> {
    let Some(known) = known.filter(|known| known.status != Status::Gone) else {
        return Some(Difference::New);
    };
    (!changed_fields(known, seen).is_empty() || known.status != seen.status).then_some(Difference::Changed)
}

/// The fields in which an API differs from what the catalogue has, in the words of answers and events.
pub fn changed_fields(known: &Api, seen: &Api) -> Vec<&'static str> {
    let settings = |api: &Api| -> BTreeMap<String, Stage> {
        let without = |stage: &Stage| Stage {
            deployment_id: String::new(),
            document_hash: String::new(),
            methods: Vec::new(),
            ..stage.clone()
        };
        api.stages.iter().map(|(name, stage)| (name.clone(), without(stage))).collect()
    };
    let shown = |api: &Api| -> BTreeMap<String, (String, String)> {
        let one = |stage: &Stage| (stage.deployment_id.clone(), stage.document_hash.clone());
        api.stages.iter().map(|(name, stage)| (name.clone(), one(stage))).collect()
    };
    [
        ("name", known.name != seen.name),
        ("description", known.description != seen.description),
        ("endpointTypes", known.endpoint_types != seen.endpoint_types),
        ("policy", known.policy != seen.policy),
        ("securityPolicy", known.security_policy != seen.security_policy),
        ("tags", known.tags != seen.tags),
        ("stages", known.stages.keys().ne(seen.stages.keys())),
        ("stageSettings", settings(known) != settings(seen)),
        ("deployments", shown(known) != shown(seen)),
        ("plans", known.plans != seen.plans),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An API of the catalogue, for tests.
    pub fn api(id: &str) -> Api {
        Api {
            key: format!("111122223333/eu-west-1/{id}").parse().unwrap(),
            name: id.to_owned(),
            description: None,
            endpoint_types: vec!["REGIONAL".into()],
            policy: None,
            security_policy: None,
            tags: BTreeMap::new(),
            stages: BTreeMap::from([(
                "prod".into(),
                Stage { deployment_id: "d1".into(), document_hash: "h1".into(), ..Stage::default() },
            )]),
            plans: BTreeSet::new(),
            status: Status::Active,
            missed_scans: 0,
            findings: Vec::new(),
            notes: Default::default(),
            since_seconds: 0,
            changed_seconds: 0,
        }
    }

    #[test]
    fn a_stage_is_exported_when_it_shows_another_deployment_or_was_not_exported_yet() {
        let stage = |deployment: &str, hash: &str| Stage {
            deployment_id: deployment.into(),
            document_hash: hash.into(),
            ..Stage::default()
        };
        assert!(is_due(None, "d1"));
        assert!(is_due(Some(&stage("d0", "h")), "d1"));
        assert!(is_due(Some(&stage("d1", "")), "d1"));
        assert!(!is_due(Some(&stage("d1", "h")), "d1"));
        let refused = Stage { refusal: Some("no model".into()), ..stage("d1", "") };
        assert!(
            !is_due(Some(&refused), "d1") && is_due(Some(&refused), "d2"),
            "what was refused once is refused again"
        );
    }

    #[test]
    fn a_plan_is_found_at_whichever_stage_it_is_for_and_several_are_at_one() {
        let plan = |id: &str, stages: &[(&str, &str)]| Plan {
            id: id.into(),
            name: format!("{id}-name"),
            stages: stages.iter().map(|(api, stage)| ((*api).to_owned(), (*stage).to_owned())).collect(),
            has_throttle: false,
        };
        let plans = [plan("p1", &[("a", "prod"), ("b", "dev")]), plan("p2", &[("a", "prod")]), plan("p3", &[])];
        let found: Vec<(String, String)> =
            plans_of("a", &plans).into_iter().map(|one| (one.plan_id, one.stage)).collect();
        assert_eq!(found, [("p1".into(), "prod".into()), ("p2".into(), "prod".into())]);
    }

    #[test]
    fn what_differs_is_named() {
        let known = api("a");
        assert_eq!(difference(None, &known), Some(Difference::New));
        assert_eq!(difference(Some(&known), &known), None);
        let mut seen = known.clone();
        (seen.notes.owner, seen.changed_seconds) = (Some("pets".into()), 9);
        assert_eq!(difference(Some(&known), &seen), None, "the owner's notes are no change in AWS");
        seen.stages.insert("dev".into(), Stage::default());
        seen.name = "b".into();
        assert_eq!(changed_fields(&known, &seen), ["name", "stages", "stageSettings", "deployments"]);
        assert_eq!(difference(Some(&known), &seen), Some(Difference::Changed));
        let gone = Api { status: Status::Gone, ..known.clone() };
        assert_eq!(difference(Some(&gone), &known), Some(Difference::New));
    }
}

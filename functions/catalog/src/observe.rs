//! What API Gateway says of a place, at the place's pace, each call counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::DefaultDirectRateLimiter;
use serde_json::Value;
use shared::aws::{Access, Answer, ApisOfAccounts, ListedApi, ListedStage};
use shared::types::RestApiId;

use crate::record::Plan;
use crate::targets::Target;
use crate::world::World;

/// API Gateway's largest page.
const PAGE: usize = 500;

/// Looks at one place.
pub struct Observer<'a, W: World> {
    apis: &'a W::Apis,
    access: &'a Access,
    pace: Arc<DefaultDirectRateLimiter>,
    calls: AtomicUsize,
}

impl<'a, W: World> Observer<'a, W> {
    /// Looks at the target's place, as the target says.
    pub fn new(world: &'a W, target: &'a Target) -> Self {
        let pace = world.paces().of(&target.place);
        Self { apis: world.apis(), access: &target.access, pace, calls: AtomicUsize::new(0) }
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn turn(&self) {
        self.pace.until_ready().await;
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The pages after the first were calls, too.
    fn count_pages(&self, items: usize) {
        self.calls.fetch_add(items.saturating_sub(1) / PAGE, Ordering::Relaxed);
    }

    /// All REST APIs, in the order of their ids.
    pub async fn apis(&self) -> Answer<Vec<ListedApi>> {
        self.turn().await;
        let mut apis = self.apis.list_apis(self.access).await?;
        self.count_pages(apis.len());
        apis.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(apis)
    }

    /// One REST API; `None` when AWS says that there is none.
    pub async fn api(&self, id: &RestApiId) -> Answer<Option<ListedApi>> {
        self.turn().await;
        self.apis.one_api(self.access, id).await
    }

    /// Its stages; `None` when it is gone.
    pub async fn stages(&self, id: &RestApiId) -> Answer<Option<Vec<ListedStage>>> {
        self.turn().await;
        self.apis.list_stages(self.access, id).await
    }

    /// What a stage shows; `None` when it is gone.
    pub async fn export(&self, id: &RestApiId, stage: &str) -> Answer<Option<Value>> {
        self.turn().await;
        self.apis.export_stage(self.access, id, stage).await
    }

    /// All usage plans.
    pub async fn plans(&self) -> Answer<Vec<Plan>> {
        self.turn().await;
        let plans = self.apis.list_plans(self.access).await?;
        self.count_pages(plans.len());
        let plan = |plan: shared::aws::UsagePlan| Plan {
            id: plan.id,
            name: plan.name,
            stages: plan.stages,
            has_throttle: plan.has_throttle,
        };
        Ok(plans.into_iter().map(plan).collect())
    }
}

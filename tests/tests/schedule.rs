//! The schedule looks at every binding there is, so it has a test binary of its own: it would disturb what others count.

use anyhow::Result;
use serde_json::json;
use tests::{Cloud, Scene};

#[tokio::test]
async fn the_schedule_heals_what_no_event_told_of() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "schedule").await?;
    cloud.command(json!({"command": "apply", "name": "schedule", "spec": scene.spec()})).await?;
    let addresses = scene.registered(&scene.group).await?;
    scene.drop_target(&scene.group, &addresses[0]).await?;
    assert_eq!(scene.registered(&scene.group).await?, addresses[1..]);
    let event = include_str!("../../events/bindings.scheduled.json");
    cloud.send_event(&serde_json::from_str(event)?).await?;
    let healed = async || Ok(scene.registered(&scene.group).await? == addresses);
    cloud.until("a draining target that is wanted is registered again", 45, healed).await
}

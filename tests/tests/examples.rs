//! The stacks of `examples/`, each deployed as far as it is Foregate's and checked to its end state.

use anyhow::Result;
use tests::{Cloud, scenarios};

async fn play(name: &str) -> Result<()> {
    let cloud = Cloud::connect().await?;
    for line in scenarios::play(&cloud, name).await? {
        println!("{line}");
    }
    Ok(())
}

#[tokio::test]
async fn cross_account() -> Result<()> {
    play("cross-account").await
}

#[tokio::test]
async fn nodeport() -> Result<()> {
    play("nodeport").await
}

#[tokio::test]
async fn private_api() -> Result<()> {
    play("private-api").await
}

#[tokio::test]
async fn eks_service() -> Result<()> {
    play("eks-service").await
}

#[tokio::test]
async fn federation() -> Result<()> {
    play("federation").await
}

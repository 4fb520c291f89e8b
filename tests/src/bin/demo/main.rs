//! What Foregate is for, from nothing to the end, on a local cloud that `make demo` has started. Ends with an error where
//! anything differs from what is expected.

mod door;
mod endpoint;
mod nodes;
mod rules;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use tests::Cloud;

const SECONDS_MAX: u64 = 60;

#[tokio::main]
async fn main() -> ExitCode {
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThis is not as expected: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result<()> {
    let began = Instant::now();
    let cloud = Cloud::connect().await?;
    if let Some(scenario) = std::env::args().nth(1) {
        headline(&format!("examples/{scenario}"));
        tests::scenarios::play(&cloud, &scenario).await?.iter().for_each(|line| println!("{line}"));
        println!("\nEverything was as expected, after {:.0} s.", began.elapsed().as_secs_f64());
        return Ok(());
    }
    endpoint::play(&cloud).await?;
    nodes::play(&cloud).await?;
    rules::play(&cloud).await?;
    door::play(&cloud).await?;
    println!("\nEverything was as expected, after {:.0} s.", began.elapsed().as_secs_f64());
    Ok(())
}

fn headline(text: &str) {
    println!("\n== {text}");
}

/// Waits for `check`, showing that it does.
async fn until(cloud: &Cloud, what: &str, check: impl AsyncFn() -> Result<bool>) -> Result<()> {
    print!("waiting until {what} ");
    let began = Instant::now();
    let dotted = async || {
        print!(".");
        std::io::stdout().flush()?;
        check().await
    };
    let waited = cloud.until(what, SECONDS_MAX, dotted).await;
    println!(" {:.1} s", began.elapsed().as_secs_f64());
    waited
}

//! The events of `events/` and of `tests/fixtures/`, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// Longer than two batching windows and the first re-checks.
pub const EVENT_SECONDS_MAX: u64 = 60;

/// How long an event takes at most that fails once: the SDK's own tries, the wait, and the queue's batching window twice.
pub const RETRY_SECONDS_MAX: u64 = 90;

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A file of `events/` for `bindings`, with the ids that it is about replaced.
pub fn event(name: &str, replace: &[(&str, &str)]) -> Result<Value> {
    let path = path(&format!("../events/bindings.{name}.json"));
    let mut text = std::fs::read_to_string(&path).with_context(|| format!("{path:?}"))?;
    replace.iter().for_each(|(from, to)| text = text.replace(from, to));
    Ok(serde_json::from_str(&text)?)
}

/// The JSON files of a folder of this crate, by name.
pub fn fixtures(folder: &str) -> Result<BTreeMap<String, Value>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path(folder)).with_context(|| folder.to_owned())? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files
            .insert(name, serde_json::from_str(&std::fs::read_to_string(&path)?).with_context(|| format!("{path:?}"))?);
    }
    Ok(files)
}

//! What the commands of all functions have in common: their verbs, their names, and a batch's answer.

use serde_json::{Value, json};

use crate::error::Error;

/// The verb of that name in a function's table.
pub fn verb<V: Copy>(table: &[(&str, V)], given: &str) -> Result<V, Error> {
    let found = table.iter().find(|(name, _)| *name == given).map(|(_, found)| *found);
    found.ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        let given: String = given.chars().take(40).collect();
        Error::invalid(format!("command: '{given}' is none of {}", names.join(", ")))
    })
}

/// Refuses a name that would not fit into ids and logs.
pub fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    match fits {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "name: '{}' is not 1 to 128 letters, digits, dots, dashes or underscores",
            name.chars().take(140).collect::<String>()
        ))),
    }
}

/// The answer to a command that was about one thing, or about many.
pub fn answer(is_batch: bool, answers: Vec<(String, Result<Value, Error>)>) -> Result<Value, Error> {
    match is_batch {
        true => gather(answers),
        false => answers.into_iter().next().map_or_else(|| Ok(json!({"items": []})), |(_, answer)| answer),
    }
}

/// A batch's answer. All items were tried; if any failed, the batch did, and its error names each.
fn gather(answers: Vec<(String, Result<Value, Error>)>) -> Result<Value, Error> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (name, answer) in answers {
        match answer {
            Ok(answer) => done.push(answer),
            Err(error) => failed.push((name, error)),
        }
    }
    let Some((_, first)) = failed.first() else {
        return Ok(json!({"items": done}));
    };
    let error_type = first.error_type;
    let each: Vec<String> =
        failed.iter().map(|(name, error)| format!("{name}: {}: {error}", error.error_type)).collect();
    let total = done.len() + failed.len();
    Err(Error::new(error_type, format!("{} of {total} items failed; {}", failed.len(), each.join("; "))))
}

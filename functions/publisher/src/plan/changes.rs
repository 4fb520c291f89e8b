//! What is different between what is live and what is to be, a line each, for people.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::front_door::records::Route;
use shared::front_door::{Auth, RouteSpec, Scope};

use super::{Selection, Verdict};

/// The lines: `+` for what comes, `-` for what goes, `~` for what changes, `!` for what is left out and why.
pub fn changes(routes: &[Route], selection: &Selection) -> Vec<String> {
    let goes: BTreeMap<&str, &RouteSpec> = selection.goes.iter().map(|one| (one.id.as_str(), &one.spec)).collect();
    let mut lines = Vec::new();
    for route in routes {
        let whose = format!("account {}, {}", route.owner, route.origin.name());
        let before = route.live.as_ref().map(|live| &live.spec);
        match (before, goes.get(route.id.as_str())) {
            (None, Some(now)) => lines.push(format!("+ {} ({whose})", line(now))),
            (Some(before), None) => lines.push(format!("- {} ({whose})", line(before))),
            (Some(before), Some(now)) if before != *now => {
                lines.push(format!("~ {} was {} ({whose})", line(now), line(before)));
            }
            _ => {}
        }
        use Verdict::{Rejected, Undecided, Waits};
        if let Some(Waits(refusal) | Rejected(refusal) | Undecided(refusal)) = selection.verdicts.get(&route.id) {
            lines.push(format!("! {} ({whose}): {}", line(&route.spec), refusal.message));
        }
    }
    lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
    lines
}

/// How many bytes the lines of a revision have, warnings included: an item in DynamoDB has 400 KB, of which a base definition takes
/// up to 300, and an event in EventBridge 1 MB (256 KB until 2026).
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
/// <https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb>
pub const LINES_BYTES_MAX: usize = 64 << 10;
/// How many of them warnings have.
pub const WARNINGS_BYTES_MAX: usize = LINES_BYTES_MAX / 4;
/// The brackets, and the line that says how many there are besides.
const ENDS_BYTES: usize = 80;

/// As many of the lines as take so many bytes as JSON, and one that says how many there are besides.
pub fn bounded(mut lines: Vec<String>, bytes_max: usize) -> Vec<String> {
    let mut bytes = ENDS_BYTES;
    let fits = |line: &&String| {
        bytes += Value::from(line.as_str()).to_string().len() + 1;
        bytes <= bytes_max
    };
    let kept = lines.iter().take_while(fits).count();
    let more = lines.len() - kept;
    lines.truncate(kept);
    if more > 0 {
        lines.push(format!("… and {more} more are left out"));
    }
    lines
}

fn line(spec: &RouteSpec) -> String {
    let auth = match &spec.auth {
        Auth::None => "open".to_owned(),
        Auth::AwsIam => "AWS_IAM".to_owned(),
        Auth::Authorizer { name, scopes } if scopes.is_empty() => format!("authorizer {name}"),
        Auth::Authorizer { name, scopes } => {
            let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            format!("authorizer {name} for {}", scopes.join(" or "))
        }
    };
    let key = if spec.api_key_required { ", API key" } else { "" };
    format!("{} {} [{auth}{key}]", spec.methods, spec.path)
}

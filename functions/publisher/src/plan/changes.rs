//! What is different between what is live and what is to be, a line each, for people.

use std::collections::BTreeMap;

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

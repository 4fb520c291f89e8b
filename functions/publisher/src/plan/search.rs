//! The search for what API Gateway refuses of a document: which import to try next, and what its answer means.
//!
//! The importer's message names the culprits. Where it names none, what is new is tried in groups: first nothing of it, then
//! the front door's new settings, then each owner's routes, halved until the culprit stands alone. Every owner has its share
//! of the imports, so that one team's refused routes don't keep another's waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use shared::error::{Error, ErrorType};
use shared::front_door::records::Refusal;
use shared::front_door::{Method, Methods};
use shared::types::AccountId;

use super::{PublishedRoute, Selection, Verdict};

/// How many imports a search takes at most: a minute's at API Gateway's rate, of the function's five.
const IMPORTS_MAX: usize = 60;
/// A refusal stands in the route's record and in the lines of a revision.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// What API Gateway may refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    /// The front door's settings, where they are not the published ones.
    Settings,
    /// A route that is not live like this, by id.
    Route(String),
}

/// Why an import was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something in the document is wrong.
    Document,
    /// A quota is used up, which is nobody's fault in particular.
    Quota,
}

/// What the next import is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether the front door's new settings are in it, rather than those that are published.
    pub has_new_settings: bool,
    /// The routes that are left out of it: what is live of them stays.
    pub left_out: BTreeMap<String, Verdict>,
}

/// Suspects that are tried together, all of one owner; the front door's settings have none.
#[derive(Clone, Debug, Default)]
struct Group {
    owner: Option<AccountId>,
    suspects: Vec<Suspect>,
}

#[derive(Clone, Debug)]
struct Suspected {
    owner: AccountId,
    path: String,
    methods: Methods,
    has_preflight: bool,
    /// Whether nothing of it is live.
    is_newcomer: bool,
}

/// A search, from the first import on.
#[derive(Clone, Debug)]
pub struct Search {
    routes: BTreeMap<String, Suspected>,
    refused: BTreeMap<Suspect, Refusal>,
    trying: Group,
    queue: VecDeque<Group>,
    /// Those that there were no imports left for.
    undecided: Vec<Group>,
    shares: BTreeMap<AccountId, usize>,
    imports_left: usize,
    /// Whether the REST API has a document of this search.
    is_any_accepted: bool,
    is_done: bool,
    turn: usize,
}

impl Search {
    /// Begins with everything. `turn` says which owner comes first when there are more of them than imports.
    pub fn new(selection: &Selection, has_new_settings: bool, live: &BTreeSet<&str>, turn: usize) -> Self {
        let suspected = |one: &PublishedRoute| Suspected {
            owner: one.owner.clone(),
            path: one.path.to_string(),
            methods: one.spec.methods.clone(),
            has_preflight: one.spec.cors.is_some(),
            is_newcomer: !live.contains(one.id.as_str()),
        };
        let new = selection.goes.iter().filter(|one| one.is_new);
        let routes: BTreeMap<String, Suspected> = new.map(|one| (one.id.clone(), suspected(one))).collect();
        let settings = has_new_settings.then_some(Suspect::Settings);
        let suspects = settings.into_iter().chain(routes.keys().cloned().map(Suspect::Route)).collect();
        Self {
            routes,
            refused: BTreeMap::new(),
            trying: Group { owner: None, suspects },
            queue: VecDeque::new(),
            undecided: Vec::new(),
            shares: BTreeMap::new(),
            imports_left: IMPORTS_MAX,
            is_any_accepted: false,
            is_done: false,
            turn,
        }
    }

    /// The import to try now; none when the search is over.
    pub fn attempt(&self) -> Option<Attempt> {
        if self.is_done {
            return None;
        }
        let has_new_settings = !self.is_refused_or_waits(&Suspect::Settings);
        Some(Attempt { has_new_settings, left_out: self.left_out() })
    }

    /// API Gateway has taken it.
    pub fn accepted(&mut self) {
        self.imports_left = self.imports_left.saturating_sub(1);
        self.is_any_accepted = true;
        self.try_next();
    }

    /// API Gateway has refused it, in these words. The refusal where nothing that is new is to blame.
    pub fn refused(&mut self, cause: Cause, message: &str) -> Result<(), Refusal> {
        self.imports_left = self.imports_left.saturating_sub(1);
        let group = std::mem::take(&mut self.trying);
        if group.suspects.is_empty() {
            let why = format!("API Gateway rejects the front door's settings: {}", shortened(message));
            return Err(Refusal::from(&Error::invalid(why)));
        }
        let culprits = match cause {
            Cause::Quota => self.those_without_room(&group, message),
            Cause::Document => self.named(&group, message),
        };
        if culprits.is_empty() {
            self.split(group, message);
        } else {
            let suspects = group.suspects.into_iter().filter(|one| !culprits.contains_key(one)).collect();
            self.refused.extend(culprits);
            let rest = Group { owner: group.owner, suspects };
            // Who sends one mistake after the other does not keep everybody waiting.
            if !self.is_any_accepted && self.queue.is_empty() && self.imports_left < IMPORTS_MAX / 2 {
                self.split_by_owner(rest);
            } else {
                self.queue.push_front(rest);
            }
        }
        self.try_next();
        Ok(())
    }

    /// Ends the search; what was not reached is left for the next run.
    pub fn end(&mut self) {
        self.undecided.push(std::mem::take(&mut self.trying));
        self.undecided.extend(self.queue.drain(..));
        self.is_done = true;
    }

    /// What became of the routes that were left out in the end.
    pub fn left_out(&self) -> BTreeMap<String, Verdict> {
        let waiting = self.queue.iter().chain(&self.undecided).flat_map(|group| &group.suspects);
        let waiting = waiting.map(|suspect| (suspect, Verdict::Undecided(undecided())));
        let refused = self.refused.iter().map(|(suspect, why)| (suspect, Verdict::Rejected(why.clone())));
        let routes = waiting.chain(refused).filter_map(|(suspect, verdict)| match suspect {
            Suspect::Settings => None,
            Suspect::Route(id) => Some((id.clone(), verdict)),
        });
        routes.collect()
    }

    /// Why the front door's settings were refused, if they were.
    pub fn settings_refusal(&self) -> Option<&Refusal> {
        self.refused.get(&Suspect::Settings)
    }

    fn is_refused_or_waits(&self, suspect: &Suspect) -> bool {
        let mut waiting = self.queue.iter().chain(&self.undecided);
        self.refused.contains_key(suspect) || waiting.any(|group| group.suspects.contains(suspect))
    }

    fn try_next(&mut self) {
        loop {
            let Some(group) = self.queue.pop_front() else {
                // Without anything new it has to be taken, or nothing that is new is to blame.
                self.is_done = self.is_any_accepted && !self.take_up_undecided();
                if self.is_done || !self.is_any_accepted {
                    return;
                }
                continue;
            };
            if group.suspects.is_empty() && self.is_any_accepted {
                continue;
            }
            if self.may_try(&group) {
                self.trying = group;
                return;
            }
            self.undecided.push(group);
        }
    }

    fn may_try(&mut self, group: &Group) -> bool {
        if !self.is_any_accepted {
            return true;
        }
        let share = group.owner.as_ref().and_then(|owner| self.shares.get_mut(owner));
        match share {
            _ if self.imports_left == 0 => false,
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// What others have left of their shares goes to those who had too little.
    fn take_up_undecided(&mut self) -> bool {
        if self.imports_left == 0 || self.undecided.is_empty() {
            return false;
        }
        self.queue.extend(self.undecided.drain(..));
        self.share_out();
        true
    }

    fn share_out(&mut self) {
        let owners: BTreeSet<&AccountId> = self.queue.iter().filter_map(|group| group.owner.as_ref()).collect();
        let share = (self.imports_left / owners.len().max(1)).max(1);
        self.shares = owners.into_iter().map(|owner| (owner.clone(), share)).collect();
    }

    /// Into owners where it is all that is new, into halves otherwise; who is alone is the culprit.
    fn split(&mut self, mut group: Group, message: &str) {
        if group.owner.is_none() && group.suspects != [Suspect::Settings] {
            return self.split_by_owner(group);
        }
        if group.suspects.len() == 1 {
            let refusal = refusal(Cause::Document, message);
            return self.refused.extend(group.suspects.into_iter().map(|suspect| (suspect, refusal.clone())));
        }
        let half = Group { owner: group.owner.clone(), suspects: group.suspects.split_off(group.suspects.len() / 2) };
        self.queue.push_front(half);
        self.queue.push_front(group);
    }

    fn split_by_owner(&mut self, group: Group) {
        let mut owners: BTreeMap<AccountId, Vec<Suspect>> = BTreeMap::new();
        let mut settings = Vec::new();
        for suspect in group.suspects {
            match self.owner_of(&suspect) {
                Some(owner) => owners.entry(owner).or_default().push(suspect),
                None => settings.push(Group { owner: None, suspects: vec![suspect] }),
            }
        }
        let mut owners: Vec<Group> =
            owners.into_iter().map(|(owner, suspects)| Group { owner: Some(owner), suspects }).collect();
        let first = self.turn % owners.len().max(1);
        owners.rotate_left(first);
        // Who has little to be looked at comes first.
        owners.sort_by_key(|group| group.suspects.len());
        self.queue.push_back(Group::default());
        self.queue.extend(settings.into_iter().chain(owners));
        self.share_out();
    }

    fn owner_of(&self, suspect: &Suspect) -> Option<AccountId> {
        match suspect {
            Suspect::Settings => None,
            Suspect::Route(id) => self.routes.get(id).map(|route| route.owner.clone()),
        }
    }

    /// The routes that the message names, each with the lines that are about it. A line that names a path and no method is
    /// about the only route there, or says too little.
    fn named(&self, group: &Group, message: &str) -> BTreeMap<Suspect, Refusal> {
        let mut lines: BTreeMap<Suspect, Vec<&str>> = BTreeMap::new();
        // What it warns of besides is no reason to refuse.
        for line in message.lines().take_while(|line| !line.contains("these warnings were found")) {
            let Some(named) = Named::in_text(line) else { continue };
            let is_it = |suspect: &&Suspect| match suspect {
                Suspect::Settings => false,
                Suspect::Route(id) => self.routes.get(id).is_some_and(|route| named.is_about(route)),
            };
            if let [one] = group.suspects.iter().filter(is_it).collect::<Vec<_>>()[..] {
                lines.entry(one.clone()).or_default().push(line.trim());
            }
        }
        lines.into_iter().map(|(one, lines)| (one, refusal(Cause::Document, &lines.join("; ")))).collect()
    }

    /// Newcomers first: what changes takes no more room than it has. The settings last.
    fn those_without_room(&self, group: &Group, message: &str) -> BTreeMap<Suspect, Refusal> {
        let is_newcomer = |suspect: &&Suspect| match suspect {
            Suspect::Settings => false,
            Suspect::Route(id) => self.routes.get(id).is_some_and(|route| route.is_newcomer),
        };
        let newcomers: Vec<&Suspect> = group.suspects.iter().filter(is_newcomer).collect();
        let changes: Vec<&Suspect> = group.suspects.iter().filter(|one| **one != Suspect::Settings).collect();
        let all: Vec<&Suspect> = group.suspects.iter().collect();
        let out = [newcomers, changes, all].into_iter().find(|some| !some.is_empty()).unwrap_or_default();
        out.into_iter().map(|one| (one.clone(), refusal(Cause::Quota, message))).collect()
    }
}

fn undecided() -> Refusal {
    Refusal::from(&Error::blocked(
        "API Gateway rejected a route of the same batch. Foregate is isolating it and will retry this route",
    ))
}

fn refusal(cause: Cause, message: &str) -> Refusal {
    let error_type = match cause {
        Cause::Document => ErrorType::InvalidInput,
        Cause::Quota => ErrorType::LimitExceeded,
    };
    Refusal::from(&Error::new(error_type, format!("API Gateway rejected it: {}", shortened(message))))
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// The method and the path that the importer's words are about, in any of the ways that it writes them: `on 'GET' for
/// resource at path '/x'`, `of resource '/x' and method 'GET'`, `(found on 'GET /x')`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The path as it stands in the document.
    pub path: String,
    /// The method, where one is named.
    pub method: Option<Method>,
}

impl Named {
    /// Of a text that names several, the first.
    pub fn in_text(text: &str) -> Option<Self> {
        // A word may have an apostrophe: what stands between any two of them is looked at.
        let quoted: Vec<&str> = text.split('\'').skip(1).collect();
        let both = quoted.iter().find_map(|one| {
            let (method, path) = one.split_once(' ')?;
            path.starts_with('/').then_some(Self { path: path.to_owned(), method: Some(method_called(method)?) })
        });
        let path = || quoted.iter().find(|one| one.starts_with('/') && !one.contains(' '));
        both.or_else(|| {
            let method = quoted.iter().find_map(|one| method_called(one));
            path().map(|path| Self { path: (*path).to_owned(), method })
        })
    }

    /// Whether a route with this path and these methods has what is named.
    pub fn is_of(&self, path: &str, methods: &Methods, has_preflight: bool) -> bool {
        let has =
            |method: Method| methods.iter().any(|one| one == method) || has_preflight && method == Method::Options;
        self.path == path && self.method.is_none_or(has)
    }

    fn is_about(&self, route: &Suspected) -> bool {
        self.is_of(&route.path, &route.methods, route.has_preflight)
    }
}

fn method_called(text: &str) -> Option<Method> {
    let is_any = text.eq_ignore_ascii_case(Method::Any.as_str());
    if is_any { Some(Method::Any) } else { Method::of_key(&text.to_ascii_lowercase()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use shared::front_door::RouteSpec;

    use super::*;

    fn goes(owner: usize, path: &str) -> PublishedRoute {
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": path, "Methods": ["GET"], "Auth": "NONE", "Backend": backend});
        let spec = RouteSpec::parse(spec).unwrap();
        PublishedRoute {
            id: path.to_owned(),
            owner: format!("{owner:012}").parse().unwrap(),
            path: spec.path.clone(),
            spec,
            names: Vec::new(),
            is_new: true,
            link: "gate".parse().unwrap(),
            link_id: "link".into(),
        }
    }

    /// Runs a search against an API Gateway that refuses the `bad` routes, and the new settings where they are.
    fn run(selection: &Selection, bad: &BTreeSet<&str>, bad_settings: bool, names_them: bool) -> (Search, usize) {
        let mut search = Search::new(selection, bad_settings, &BTreeSet::new(), 7);
        let mut imports = 0;
        while let Some(Attempt { has_new_settings, left_out }) = search.attempt() {
            imports += 1;
            let wrong: Vec<&&str> = bad.iter().filter(|id| !left_out.contains_key(**id)).collect();
            if wrong.is_empty() && !(bad_settings && has_new_settings) {
                search.accepted();
                continue;
            }
            let lines = wrong
                .iter()
                .map(|path| format!("Unable to put integration on 'GET' for resource at path '{path}': no"));
            let lines: Vec<String> = lines.filter(|_| names_them).collect();
            search.refused(Cause::Document, &format!("Errors found during import:\n\t{}", lines.join("\n\t"))).unwrap();
        }
        (search, imports)
    }

    fn verdicts(search: &Search) -> (BTreeSet<String>, BTreeSet<String>) {
        let of = |wanted: fn(&Verdict) -> bool| {
            let all = search.left_out().into_iter().filter(|(_, verdict)| wanted(verdict));
            all.map(|(id, _)| id).collect::<BTreeSet<_>>()
        };
        (of(|one| matches!(one, Verdict::Rejected(_))), of(|one| matches!(one, Verdict::Undecided(_))))
    }

    #[test]
    fn what_the_importer_names_is_left_out_at_the_second_try_with_its_own_words() {
        let selection = Selection {
            goes: ["/a", "/b", "/c", "/d"].iter().enumerate().map(|(n, path)| goes(n, path)).collect(),
            ..Selection::default()
        };
        let (search, imports) = run(&selection, &["/b", "/d"].into(), false, true);
        assert_eq!(imports, 2);
        let left_out = search.left_out();
        assert_eq!(left_out.keys().collect::<Vec<_>>(), ["/b", "/d"]);
        let Verdict::Rejected(why) = &left_out["/b"] else { panic!("{left_out:?}") };
        assert!(why.message.contains("at path '/b'") && !why.message.contains("'/d'"), "{}", why.message);
    }

    #[test]
    fn one_teams_refused_routes_dont_keep_another_teams_from_being_judged() {
        let theirs: Vec<String> = (0..64).map(|n| format!("/aaa/{n:02}")).collect();
        let mut all: Vec<PublishedRoute> = theirs.iter().map(|path| goes(1, path)).collect();
        all.push(goes(2, "/zoo"));
        let selection = Selection { goes: all, ..Selection::default() };
        let (search, imports) = run(&selection, &theirs.iter().map(String::as_str).collect(), false, false);
        let (rejected, undecided) = verdicts(&search);
        assert!(imports <= IMPORTS_MAX, "{imports}");
        assert!(!rejected.contains("/zoo") && !undecided.contains("/zoo"), "the other team's route goes live");
        assert!(rejected.len() > 20 && rejected.len() + undecided.len() == 64, "{} in {imports}", rejected.len());
    }

    #[test]
    fn new_settings_that_are_refused_hold_no_route_back() {
        let selection = Selection { goes: vec![goes(1, "/a"), goes(2, "/b")], ..Selection::default() };
        let (search, _) = run(&selection, &["/b"].into(), true, false);
        assert!(search.settings_refusal().is_some());
        assert_eq!(verdicts(&search).0, BTreeSet::from(["/b".to_owned()]));
    }

    #[test]
    fn a_quota_takes_nothing_off_and_keeps_newcomers_out() {
        let selection = Selection { goes: vec![goes(1, "/changes"), goes(2, "/comes")], ..Selection::default() };
        let mut search = Search::new(&selection, false, &["/changes"].into(), 0);
        search.refused(Cause::Quota, "Maximum number of resources for this API has been reached").unwrap();
        assert_eq!(search.left_out().keys().collect::<Vec<_>>(), ["/comes"]);
        search.accepted();
        assert_eq!(search.attempt(), None);
    }

    #[test]
    fn what_is_published_already_is_no_suspect() {
        let mut search = Search::new(&Selection::default(), false, &BTreeSet::new(), 0);
        let error = search.refused(Cause::Document, "Invalid OpenAPI input.").unwrap_err();
        assert!(error.message.contains("Invalid OpenAPI input."), "{}", error.message);
    }

    #[test]
    fn the_importers_words_name_a_method_and_a_path() {
        for (text, path, method) in [
            ("Unable to put integration on 'GET' for resource at path '/x': no", "/x", Some(Method::Get)),
            ("Unable to put integration on 'ANY' for resource at path '/{proxy+}': no", "/{proxy+}", Some(Method::Any)),
            ("of resource '/part/test' and method 'GET' but got 'true'", "/part/test", Some(Method::Get)),
            (
                "API Gateway does not support Swagger's 'default' method response (found on 'GET /echo')",
                "/echo",
                Some(Method::Get),
            ),
            ("Unable to create resource at path '/a/{b}': a sibling", "/a/{b}", None),
        ] {
            assert_eq!(Named::in_text(text), Some(Named { path: path.into(), method }), "{text}");
        }
        assert_eq!(Named::in_text("Invalid OpenAPI input: it's 'wrong'"), None);
    }

    proptest! {
        /// Whoever is bad, of however many owners: who is good is never rejected, who is bad never published, and an owner
        /// whose routes are all good is always judged.
        #[test]
        fn a_search_finds_the_culprits_and_nobody_else(
            routes in proptest::collection::vec((0..5_usize, any::<bool>()), 1..30), names_them in any::<bool>(),
        ) {
            let paths: Vec<String> = (0..routes.len()).map(|n| format!("/r{n}")).collect();
            let all = routes.iter().zip(&paths).map(|((owner, _), path)| goes(*owner, path)).collect();
            let bad: BTreeSet<&str> =
                routes.iter().zip(&paths).filter(|((_, bad), _)| *bad).map(|(_, path)| path.as_str()).collect();
            let (search, imports) = run(&Selection { goes: all, ..Selection::default() }, &bad, false, names_them);
            prop_assert!(imports <= IMPORTS_MAX);
            let (rejected, undecided) = verdicts(&search);
            prop_assert!(rejected.iter().all(|id| bad.contains(id.as_str())));
            prop_assert!(bad.iter().all(|id| rejected.contains(*id) || undecided.contains(*id)));
            for owner in 0..5 {
                let own: Vec<&String> =
                    routes.iter().zip(&paths).filter(|((one, _), _)| *one == owner).map(|(_, path)| path).collect();
                if own.iter().all(|path| !bad.contains(path.as_str())) {
                    prop_assert!(own.iter().all(|path| !undecided.contains(*path)));
                }
            }
        }
    }
}

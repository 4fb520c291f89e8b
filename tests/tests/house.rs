//! The house rules, as tests: who may name what. They read the source as text.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file with this ending below a folder, with its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "nothing with {ending} below {folder}");
    found
}

fn functions() -> Vec<String> {
    let names = fs::read_dir(root().join("functions")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The lines of code that name one of `words`, as `file: line`.
fn naming(files: &[(String, String)], words: &[&str]) -> Vec<String> {
    let lines = files.iter().flat_map(|(name, text)| text.lines().map(move |line| (name, line)));
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    let guilty = code.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    guilty.map(|(name, line)| format!("{name}: {}", line.trim())).collect()
}

#[test]
fn only_adapters_name_the_sdk() {
    let mut files = files("functions", ".rs");
    files.extend(self::files("shared/src", ".rs").into_iter().filter(|(name, _)| !name.starts_with("shared/src/aws/")));
    assert_eq!(naming(&files, &["aws_sdk_", "aws_smithy", "aws_config"]), Vec::<String>::new());
    let cargo = self::files("functions", "Cargo.toml");
    assert_eq!(naming(&cargo, &["aws-sdk-", "aws-smithy", "aws-config"]), Vec::<String>::new());
}

#[test]
fn adapters_know_no_domain() {
    let files: Vec<_> = files("shared/src/aws", ".rs");
    assert_eq!(
        naming(
            &files,
            &["crate::registry", "crate::lease", "crate::custom_resource", "crate::trigger", "crate::front_door"]
        ),
        Vec::<String>::new()
    );
}

#[test]
fn a_function_knows_no_other_and_shared_knows_none() {
    for function in functions() {
        let cargo = files(&format!("functions/{function}"), "Cargo.toml");
        for other in functions().iter().filter(|other| **other != function) {
            assert_eq!(naming(&cargo, &[&format!("{other}.workspace"), &format!("{other} =")]), Vec::<String>::new());
        }
        let shared = files("shared", "Cargo.toml");
        assert_eq!(
            naming(&shared, &[&format!("{function}.workspace"), &format!("{function} =")]),
            Vec::<String>::new()
        );
        assert_eq!(naming(&files("shared/src", ".rs"), &[&format!("{function}::")]), Vec::<String>::new());
    }
}

#[test]
fn a_plan_is_pure() {
    for function in functions() {
        let plan: Vec<_> = files(&format!("functions/{function}/src"), ".rs")
            .into_iter()
            .filter(|(name, _)| name.contains("/src/plan") && !name.contains("tests"))
            .collect();
        let impure = [
            "async",
            ".await",
            "aws::",
            "aws_sdk",
            "SystemTime",
            "Instant",
            "std::env",
            "tracing",
            "println!",
            "shared::registry",
        ];
        assert_eq!(naming(&plan, &impure), Vec::<String>::new());
    }
}

#[test]
fn a_main_only_wires() {
    for function in functions() {
        let main = fs::read_to_string(root().join(format!("functions/{function}/src/main.rs"))).unwrap();
        assert!(main.lines().count() <= 80, "functions/{function}/src/main.rs is for wiring alone");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut all = files("functions", ".rs");
    all.extend(files("shared/src", ".rs"));
    all.extend(files("tests", ".rs"));
    let silent: Vec<String> =
        all.into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_integration_test_is_named_so_that_it_runs() {
    let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
    for entry in fs::read_dir(root().join("tests/tests")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "tests/Cargo.toml does not name {name}");
    }
}

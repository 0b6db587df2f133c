//! All that it does is documented: its help, its manual pages, the fields of its JSON.

use std::fs;

use serde_json::Value;

use super::{egb, three_keys};

/// All names of fields in a value.
fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.push(name.clone());
            names(value, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn each_field_of_the_json_is_documented() {
    let page = include_str!("../../../egb/docs/cli.md");
    let egb = three_keys();
    egb.run_with(&["add", "-", "--label", "added"], "an-added-key-documented-01");
    egb.write("more.txt", "an-added-key-documented-02 label=more");
    let outputs: [(&[&str], i32); 16] = [
        (&["import", "more.txt"], 0),
        (&["stats", "--detailed"], 0),
        (&["health"], 0),
        (&["list"], 0),
        (&["history"], 0),
        (&["disable", "added"], 0),
        (&["enable", "added"], 0),
        (&["weight", "added", "2"], 0),
        (&["reset", "added"], 0),
        (&["remove", "added"], 0),
        (&["cleanup", "--unused", "0s"], 0),
        (&["export", "--output", "pool.csv"], 0),
        (&["db"], 0),
        (&["db", "--backup", "copy.db"], 0),
        (&["db", "--vacuum"], 0),
        (&["db", "--upgrade"], 0),
    ];
    for (command, code) in outputs {
        let printed = egb.run(&[command, &["--json"]].concat());
        assert_eq!(printed.code, code, "{printed:?}");
        let mut fields = Vec::new();
        // The reasons under `errors` are values.
        let mut value = printed.json();
        value.as_object_mut().unwrap().remove("errors");
        names(&value, &mut fields);
        for field in fields {
            assert!(page.contains(&format!("`{field}`")), "{field} of {command:?}");
        }
    }
}

#[test]
fn each_command_has_help_with_examples_and_is_in_the_documentation() {
    let egb = egb();
    let help = egb.run(&["--help"]);
    let (_, commands) = help.fine().split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let mut count = 0;
    for name in commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
        let name = name.split_whitespace().next().unwrap();
        if name == "help" {
            continue;
        }
        count += 1;
        let help = egb.run(&[name, "--help"]);
        assert!(
            help.fine().contains(&format!("Examples:\n  egb {name}")) || help.out.contains("Examples:\n  "),
            "{name}"
        );
        assert!(help.out.lines().all(|line| line.chars().count() <= 120), "{name}");
        assert!(include_str!("../../../egb/docs/cli.md").contains(&format!("`egb {name}")), "{name}");
        assert!(egb.run(&["man", name]).fine().contains(".SH NAME"), "{name}");
    }
    assert!(count >= 16);
    assert!(help.out.contains("Exit codes: 0 fine, 1 failure, 2 usage, 3 no usable key."));
    assert_eq!(egb.run(&[]).refused().0, 2);
    assert_eq!(egb.run(&["bogus"]).refused().0, 2);
    assert_eq!(egb.run(&["man", "bogus"]).refused().0, 2);
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let egb = egb();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(egb.run(&["completions", shell]).fine().contains("egb"), "{shell}");
    }
    fs::create_dir(egb.path("man1")).unwrap();
    egb.run(&["man", "--output", "man1"]).fine();
    let page = fs::read_to_string(egb.path("man1/egb-list.1")).unwrap();
    assert!(page.contains(".TH egb-list 1") && page.contains("egb 0."), "{page}");
    assert!(fs::read_to_string(egb.path("man1/egb.1")).unwrap().contains("egb\\-stats(1)"));
}

//! The rules of the house, read from the source itself.
//!
//! A rule that only stands in a document is broken within a week. Each rule here names the file
//! and the line that breaks it, and each one has a planted break that it must find.
//!
//! - `source`: a file as the rules see it: without comments and strings, with its paths and tests.
//! - `rules`: the tables (floors, guests, purity, words, sizes) and the loop that applies them.
//!
//! Tables that the program generates (keys, panes, commands, settings) are compared with README and
//! `config.example.yaml` in a file of their own beside these two; they need the library, and the
//! rules must hold even when the library does not build.

mod house {
    mod planted;
    mod rules;
    mod source;

    use std::fs;
    use std::path::{Path, PathBuf};

    use rules::Finding;
    use source::Source;

    #[test]
    fn the_house_keeps_its_rules() {
        let mut findings: Vec<Finding> = Vec::new();
        for path in rust_files(&["src", "tests", "benches"]) {
            let text = read(&path);
            findings.extend(rules::check(&Source::new(&shown(&path), &text)));
        }
        for page in ["README.md", "CHANGELOG.md", "config.example.yaml"] {
            let path = root().join(page);
            if path.exists() {
                findings.extend(rules::check_page(page, &read(&path)));
            }
        }
        assert_none(&findings);
    }

    #[test]
    fn the_top_level_holds_what_the_design_lists() {
        let entries = fs::read_dir(root()).expect("the repository");
        let names = entries.map(|entry| {
            let name = entry.expect("the repository").file_name();
            name.into_string().expect("names in UTF-8")
        });
        assert_none(&rules::check_top_level(names));
    }

    #[test]
    fn the_rules_see_the_house() {
        let files = rust_files(&["src"]);
        for expected in ["src/lib.rs", "src/main.rs", "src/model.rs"] {
            assert!(
                files.iter().any(|path| shown(path) == expected),
                "{expected}"
            );
        }
    }

    fn assert_none(findings: &[Finding]) {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.is_empty(),
            "{} broken rules:\n{}",
            lines.len(),
            lines.join("\n")
        );
    }

    fn rust_files(directories: &[&str]) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut open: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
        while let Some(directory) = open.pop() {
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("a directory of ours").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    fn shown(path: &Path) -> String {
        let inside = path.strip_prefix(root()).expect("a file of ours");
        inside.to_str().expect("names in UTF-8").replace('\\', "/")
    }
}

//! YAML from JSON values.
//!
//! Strings are written as JSON writes them, which YAML reads the same: so no name can be taken for
//! a number, a boolean or an anchor, and none carries what a terminal obeys.

use std::fmt::Write;

use serde_json::Value;

use super::json;

/// A document that ends with a line feed.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.trim_start_matches('\n').to_owned() + "\n"
}

/// A nested value begins on its own line; a scalar goes on with the line.
fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                write!(out, "\n{:1$}{name}:", "", depth * 2, name = field(name))
                    .expect("a string takes everything");
                write_after(out, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{:1$}-", "", depth * 2).expect("a string takes everything");
                write_after(out, item, depth + 1);
            }
        }
        scalar => out.push_str(&json::line(scalar)),
    }
}

fn write_after(out: &mut String, value: &Value, depth: usize) {
    let is_nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if !is_nested {
        out.push(' ');
    }
    write(out, value, depth);
}

fn field(name: &str) -> String {
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && ![
            "", "y", "n", "yes", "no", "on", "off", "true", "false", "null",
        ]
        .contains(&name);
    if is_plain {
        name.to_owned()
    } else {
        json::quoted(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_fields_are_indented() {
        let value = json!({"a": 1, "list": [{"b": null, "no": "no"}, []], "none": {}});
        assert_eq!(
            document(&value),
            "a: 1\nlist:\n  -\n    b: null\n    \"no\": \"no\"\n  - []\nnone: {}\n"
        );
    }

    #[test]
    fn it_reads_back_the_same() {
        let value = json!({
            "text": "- a: b # c\n\u{1b}\u{202e}\u{85}", "9": [1.5, true, [["x"]], "1e3", ""],
            "deep": {"er": {"still": [{}, {"k": "v"}]}},
        });
        let back: Value = serde_yaml::from_str(&document(&value)).unwrap();
        assert_eq!(back, value);
    }
}

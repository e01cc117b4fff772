//! A source file as the rules see it.
//!
//! Not a parser of Rust: a reader that knows comments, strings, braces, paths and `use` trees,
//! which is all that the rules speak of.

/// A word or a sign of the code, and its line (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A whole path such as `std::net::TcpStream`, with `use` trees unfolded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

impl Path {
    pub fn starts_with(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.segments.len() >= wanted.len() && self.segments.iter().zip(wanted).all(|(a, b)| a == b)
    }

    pub fn contains(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.segments
            .windows(wanted.len())
            .any(|part| part.iter().zip(&wanted).all(|(a, b)| a == b))
    }
}

/// A function and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

pub struct Source {
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    pub paths: Vec<Path>,
    /// First and last lines of what is compiled for tests only.
    tests: Vec<(usize, usize)>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let tokens = tokens(&without_comments_and_strings(text));
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            paths: paths(&tokens),
            tests: test_regions(&tokens),
            tokens,
        }
    }

    /// The part of the house a file belongs to: `tui` for `src/tui.rs` and all of `src/tui/`.
    pub fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }

    pub fn is_test(&self, line: usize) -> bool {
        self.is_test_file()
            || self
                .tests
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// A file of `tests/`, or a module of tests that grew a file of its own (`mod tests;`).
    fn is_test_file(&self) -> bool {
        let inside = self.path.split('/').any(|part| part == "tests");
        inside || self.path.ends_with("/tests.rs")
    }

    /// Whether the file declares a module of this name, which hides a crate of the same name.
    pub fn declares(&self, module: &str) -> bool {
        self.tokens
            .windows(2)
            .any(|pair| pair[0].text == "mod" && pair[1].text == module)
    }

    /// Lines on which these words and signs follow each other.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        self.tokens
            .windows(words.len())
            .filter(|part| {
                part.iter()
                    .zip(words)
                    .all(|(token, word)| token.text == *word)
            })
            .map(|part| part[0].line)
            .collect()
    }

    pub fn functions(&self) -> Vec<Function> {
        let starts = self.tokens.iter().enumerate();
        starts
            .filter(|(_, token)| token.text == "fn")
            .filter_map(|(at, token)| {
                let name = &self.tokens.get(at + 1)?.text;
                let body = body_of(&self.tokens, at)?;
                let end = closing(&self.tokens, body)?;
                Some(Function {
                    name: name.clone(),
                    line: token.line,
                    lines: self.tokens[end].line - token.line + 1,
                })
            })
            .collect()
    }

    /// The comment and attribute lines right above a line.
    pub fn above(&self, line: usize) -> String {
        let lines: Vec<&str> = self.text.lines().take(line - 1).collect();
        let start = lines
            .iter()
            .rposition(|line| line.trim().is_empty() || line.trim_end().ends_with(['{', '}', ';']))
            .map_or(0, |at| at + 1);
        lines[start..].join("\n")
    }
}

/// The same text with comments and the insides of strings turned into spaces.
fn without_comments_and_strings(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let in_word = code.ends_with(is_word);
        let length = comment(rest)
            .or_else(|| string(rest, in_word))
            .or_else(|| character(rest));
        if let Some(length) = length {
            let blank = |c| if c == '\n' { '\n' } else { ' ' };
            code.extend(rest[..length].chars().map(blank));
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The length of the comment that starts here.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if here.starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
        } else {
            at += 1;
        }
    }
    Some(at)
}

/// The length of the string that starts here, raw and byte strings included.
fn string(rest: &str, in_word: bool) -> Option<usize> {
    let prefixed = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - prefixed.len();
    if prefix > 0 && in_word {
        return None;
    }
    let hashes = prefixed.len() - prefixed.trim_start_matches('#').len();
    let raw = rest[..prefix].contains('r');
    let body = prefixed[hashes..].strip_prefix('"')?;
    let start = prefix + hashes + 1;
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(start + length);
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(start + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of the character literal that starts here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    if body.starts_with('\\') {
        // The character behind the backslash may be a quote itself.
        return body.get(2..)?.find('\'').map(|at| at + 4);
    }
    let length = body.chars().next()?.len_utf8();
    body[length..].starts_with('\'').then_some(length + 2)
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(Token {
                    text: rest[..length].to_owned(),
                    line: index + 1,
                });
            }
            rest = &rest[length..];
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.text == "use" {
            at = use_tree(tokens, at + 1, &[], &mut paths);
        } else if token.text.starts_with(is_word) {
            let (path, end) = plain_path(tokens, at);
            if path.segments.len() > 1 {
                paths.push(path);
            }
            at = end;
        } else {
            at += 1;
        }
    }
    paths
}

/// A path outside of `use`, and where it ends.
fn plain_path(tokens: &[Token], start: usize) -> (Path, usize) {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while let [colons, next, ..] = &tokens[at..]
        && colons.text == "::"
        && next.text.starts_with(is_word)
    {
        segments.push(next.text.clone());
        at += 2;
    }
    let line = tokens[start].line;
    (Path { segments, line }, at)
}

/// Unfolds a `use` tree into whole paths and returns where it ends.
fn use_tree(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "as" => at += 2,
            "{" => {
                at += 1;
                while let Some(token) = tokens.get(at)
                    && token.text != "}"
                {
                    if token.text == "," {
                        at += 1;
                    } else {
                        at = use_tree(tokens, at, &segments, found).max(at + 1);
                    }
                }
                return at + 1;
            }
            "*" => {
                segments.push("*".to_owned());
                at += 1;
            }
            word if word.starts_with(is_word) => {
                segments.push(word.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    if segments.len() > prefix.len() {
        let line = tokens[start].line;
        found.push(Path { segments, line });
    }
    at
}

fn test_regions(tokens: &[Token]) -> Vec<(usize, usize)> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let marks = tokens.windows(attribute.len()).enumerate();
    marks
        .filter(|(_, part)| {
            part.iter()
                .zip(attribute)
                .all(|(token, word)| token.text == word)
        })
        .map(|(at, part)| {
            let end = body_of(tokens, at + attribute.len()).and_then(|body| closing(tokens, body));
            let last = end.map_or(part[0].line + 1, |end| tokens[end].line);
            (part[0].line, last)
        })
        .collect()
}

/// Where the braces of the item at `start` open; `None` when it ends with a semicolon before.
fn body_of(tokens: &[Token], start: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "{" if depth == 0 => return Some(at),
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where the brace that opens at `open` closes.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return Some(at),
            "}" => depth -= 1,
            _ => {}
        }
    }
    None
}

//! Reads a Rust source as tokens and yields the paths it names; comments and literals are gone, lines are kept.

/// One path as written (`crate::store::Paths`), groups of a `use` taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// The path is the name of a macro call (`println!`).
    pub(super) is_macro: bool,
    /// It stands in code that only tests compile.
    pub(super) in_test: bool,
    /// The inline modules around it, outermost first.
    pub(super) inside: Vec<String>,
}

struct Token {
    text: String,
    line: usize,
}

/// Every path of the source, in order.
pub(super) fn paths(source: &str) -> Vec<Named> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut scopes: Vec<Scope> = Vec::new();
    let mut next = Scope::default();
    let mut at = 0;
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        match text {
            "{" => scopes.push(std::mem::take(&mut next)),
            "}" => drop(scopes.pop()),
            ";" => next = Scope::default(),
            "#" if spells(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) => {
                next.test = true;
                at += 7;
                continue;
            }
            "mod" => {
                next.module = tokens.get(at + 1).map(|name| name.text.clone());
                at += 2;
                continue;
            }
            _ if is_word(text) => {
                let first = found.len();
                at = tree(&tokens, at, &[], &mut found);
                for named in &mut found[first..] {
                    named.in_test = next.test || scopes.iter().any(|scope| scope.test);
                    named.inside = scopes.iter().filter_map(|scope| scope.module.clone()).collect();
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The modules in files of their own (`mod tests;`) that only tests compile.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let cfg_test = ["#", "[", "cfg", "(", "test", ")", "]"];
    let starts = (0..tokens.len()).filter(|at| spells(&tokens[*at..], &cfg_test));
    let modules = starts.filter_map(|at| {
        let item = &tokens[at + cfg_test.len()..];
        let end = item.iter().position(|token| matches!(token.text.as_str(), ";" | "{"))?;
        // Whatever its visibility.
        let name = end.checked_sub(1).filter(|name| *name > 0 && item[name - 1].text == "mod")?;
        (item[end].text == ";").then(|| item[name].text.clone())
    });
    modules.collect()
}

/// What a pair of braces stands for.
#[derive(Default)]
struct Scope {
    test: bool,
    module: Option<String>,
}

/// Takes one path, or a `use` group below `prefix`; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let mut path = prefix.to_vec();
    let line = tokens[at].line;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    loop {
        match text(at) {
            "{" if !path.is_empty() => {
                at += 1;
                while !matches!(text(at), "}" | "") {
                    let before = at;
                    at = tree(tokens, at, &path, found);
                    at += usize::from(at == before || text(at) == ",");
                }
                return at + 1;
            }
            word if is_word(word) || word == "*" => path.push(word.to_owned()),
            _ => break,
        }
        at += 1;
        let goes_on = text(at) == "::" && (is_word(text(at + 1)) || matches!(text(at + 1), "{" | "*"));
        if !goes_on {
            break;
        }
        at += 1;
    }
    let is_macro = text(at) == "!" && text(at + 1) != "=";
    found.push(Named { path, line, is_macro, in_test: false, inside: Vec::new() });
    at
}

fn spells(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => find(&chars, at, |rest| rest[0] == '\n'),
            '/' if chars.get(at + 1) == Some(&'*') => block_comment_end(&chars, at),
            '"' => quoted_end(&chars, at + 1, '"'),
            '\'' => char_or_lifetime_end(&chars, at),
            c if c.is_alphanumeric() || c == '_' => {
                let end = find(&chars, at, |rest| !(rest[0].is_alphanumeric() || rest[0] == '_'));
                let word: String = chars[at..end].iter().collect();
                match literal_end(&chars, &word, end) {
                    Some(end) => end,
                    None => {
                        tokens.push(Token { text: word, line });
                        end
                    }
                }
            }
            ':' if chars.get(at + 1) == Some(&':') => {
                tokens.push(Token { text: "::".to_owned(), line });
                at + 2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token { text: c.to_string(), line });
                }
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

/// The end of a literal with a prefix (`b"`, `r#"`), if `word` is its prefix; `r#name` is a word of its own.
fn literal_end(chars: &[char], word: &str, at: usize) -> Option<usize> {
    match (word, chars.get(at)) {
        ("b" | "c", Some('"')) => Some(quoted_end(chars, at + 1, '"')),
        ("b", Some('\'')) => Some(quoted_end(chars, at + 1, '\'')),
        ("r" | "br" | "cr", Some('"' | '#')) => {
            let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + hashes) != Some(&'"') {
                return Some(at + hashes);
            }
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let end = find(chars, at + hashes + 1, |rest| rest.starts_with(&close));
            Some((end + close.len()).min(chars.len()))
        }
        _ => None,
    }
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn char_or_lifetime_end(chars: &[char], at: usize) -> usize {
    let is_char = chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'');
    if is_char { quoted_end(chars, at + 1, '\'') } else { at + 1 }
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn find(chars: &[char], from: usize, matches: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| matches(&chars[*at..])).unwrap_or(chars.len())
}

//! YAML text to a tree, each value with its line and column.
//!
//! The reference nucleus reads events and nothing more: only the first document, no merge keys, and an alias becomes the
//! name of its anchor, as a text. That is never what was meant, so an alias is refused; with that none can make a recipe
//! larger than its text.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::finding::{Fault, FieldPath, shown};
use super::node::{Kind, MAX_DEPTH, Mark, Node, duplicate_key, too_deep};
use super::scalar;

/// The first document, and what a reader should know about it.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Fault>), Fault> {
    if let Some((offset, bad)) = text.char_indices().find(|(_, c)| !is_printable(*c)) {
        let reason = format!("is not YAML: the character U+{:04X} is not allowed", u32::from(bad));
        let fault = Fault::new(&FieldPath::default(), Mark::Offset(offset), reason);
        return Err(fault.hint("write it as an escape in a double-quoted text"));
    }
    let open_last_line = (!text.ends_with(['\n', '\r'])).then(|| text.lines().count());
    let mut reader =
        Reader { parser: Parser::new_from_str(text), path: FieldPath::default(), warnings: vec![], open_last_line };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err(reader.fault(span, "is empty".into()).hint("begin with RecipeFormatVersion: '2020-01-25'"));
            }
            value => {
                let node = reader.node(value, span)?;
                reader.look_behind(span);
                return Ok((node, reader.warnings));
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    path: FieldPath,
    warnings: Vec<Fault>,
    /// The number of the last line, if no newline ends it.
    open_last_line: Option<usize>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(e)) => {
                let reason = format!("is not YAML: {}", e.info());
                let fault = Fault::new(&FieldPath::default(), mark(*e.marker()), reason);
                Err(fault.hint("check indentation, colons and quotes around this place"))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Fault> {
        if self.path.depth() > MAX_DEPTH {
            return Err(too_deep(&self.path, mark(span.start)));
        }
        let kind = match event {
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span)?,
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            Event::Alias(_) => {
                let reason = "is an alias, which the reference nucleus does not fill in".to_owned();
                return Err(self.fault(span, reason).hint("write the value out in place of the alias"));
            }
            _ => return Err(self.fault(span, "is not YAML: a value is missing here".into())),
        };
        Ok(Node { mark: mark(span.start), kind })
    }

    fn list(&mut self) -> Result<Kind, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Kind::List(items));
            }
            items.push(self.below(Below::Index(items.len()), |reader| reader.node(event, span))?);
        }
    }

    fn map(&mut self) -> Result<Kind, Fault> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Kind::Map(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => {
                    let fault = self.fault(span, "has a key that is not a plain text".into());
                    return Err(fault.hint("keys are texts: no lists, maps or aliases"));
                }
            };
            if key == "<<" {
                let fault = self.fault(span, "has a merge key, which the reference nucleus does not merge".into());
                self.warnings.push(fault.hint("write the merged entries out"));
            }
            let value = self.below(Below::Key(&key), |reader| {
                let (event, value_span) = reader.next()?;
                let value = reader.node(event, value_span)?;
                if seen.insert(key.clone()) { Ok(value) } else { Err(duplicate_key(&reader.path, mark(span.start))) }
            })?;
            entries.push((key, value));
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Kind, Fault> {
        let core = tag.filter(|t| t.is_yaml_core_schema()).map(|t| t.suffix.as_str());
        Ok(match (tag, core) {
            (None, _) if style == ScalarStyle::Plain => {
                if scalar::is_not_finite(text) {
                    let fault = self.fault(span, format!("is {text}, a number that cannot be held"));
                    return Err(fault.hint("write it as a text, in quotes"));
                }
                scalar::resolve(text)
            }
            (_, Some("bool")) => match scalar::resolve(text) {
                flag @ Kind::Bool(..) => flag,
                _ => Kind::Text(text.into()),
            },
            (_, Some("int" | "float")) => match scalar::number(text) {
                Some(number) => Kind::Number(number, text.into()),
                None => return Err(self.fault(span, format!("is tagged a number but is {}", shown(text)))),
            },
            (_, Some("null")) => Kind::Null,
            (_, Some("binary")) => {
                return Err(self
                    .fault(span, "is binary, which no field of a recipe is".into())
                    .hint("write it as a text"));
            }
            _ if self.ends_without_newline(style, span) => Kind::Text(text.strip_suffix('\n').unwrap_or(text).into()),
            _ => Kind::Text(text.into()),
        })
    }

    /// A block text that the end of the file cuts off before its newline has none.
    fn ends_without_newline(&self, style: ScalarStyle, span: Span) -> bool {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        is_block && self.open_last_line.is_some_and(|last| span.end.line() >= last)
    }

    /// Anything after the first document is not read; say so if there is more than an end.
    fn look_behind(&mut self, first: Span) {
        while let Some(Ok((event, span))) = self.parser.next_event() {
            match event {
                Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(_) => {
                    let at = if span.start.line() == 0 { first } else { span };
                    let fault = self.fault(at, "holds another document, which is not read".into());
                    self.warnings.push(fault.hint("put one recipe into one file"));
                    return;
                }
                _ => return,
            }
        }
    }

    fn below<T>(&mut self, step: Below<'_>, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut path = std::mem::take(&mut self.path);
        let run = |path: &mut FieldPath| {
            self.path = std::mem::take(path);
            let result = read(self);
            *path = std::mem::take(&mut self.path);
            result
        };
        let result = match step {
            Below::Key(key) => path.under(key, run),
            Below::Index(index) => path.at(index, run),
        };
        self.path = path;
        result
    }

    fn fault(&self, span: Span, reason: String) -> Fault {
        Fault::new(&self.path, mark(span.start), reason)
    }
}

#[derive(Clone, Copy)]
enum Below<'k> {
    Key(&'k str),
    Index(usize),
}

fn mark(marker: Marker) -> Mark {
    Mark::Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// The characters YAML 1.1 allows in a text.
fn is_printable(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{d7ff}')
        || matches!(character, '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

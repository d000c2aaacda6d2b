//! A requirement as comparisons joined by AND and OR.

use std::collections::VecDeque;
use std::fmt;

use super::loose::{LooseVersion, Place, Spelling};
use super::token::{Token, Unary, split};
use crate::name::ComponentVersion;

/// Comparisons and how they are joined. Chains are flat, so only parentheses nest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expression {
    /// Every comparison holds.
    All(VecDeque<Comparison>),
    /// One of them holds.
    Any(VecDeque<Expression>),
    /// Both hold, and at least one has alternatives; only parentheses can say this.
    Both(Box<Expression>, Box<Expression>),
}

/// One bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Comparison {
    operator: Operator,
    bound: LooseVersion,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

type Fault = &'static str;

/// What stands where a requirement cannot.
const MISPLACED: Fault = "an operator in it lacks its version";

impl Expression {
    pub(super) fn any() -> Self {
        Self::one(Operator::GreaterOrEqual, LooseVersion::of_numbers(0, 0, 0))
    }

    pub(super) fn exactly(version: &ComponentVersion) -> Self {
        Self::one(Operator::Equal, LooseVersion::of(version))
    }

    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let tokens = with_parentheses(with_prereleases(split(text)));
        let postfix = to_postfix(tokens)?;
        // Terms are gathered from the end and only as many as the last operator asks for: what is left over at the
        // beginning (`1.0.0 (2.0.0)`) means nothing to the reference nucleus.
        let mut rest = postfix.into_iter().rev();
        let mut terms = Vec::new();
        let mut wanted = 1;
        while wanted > 0 {
            let term = Term::take(&mut rest)?;
            match term {
                Term::Joined(_) => wanted += 1,
                Term::Whole(_) => wanted -= 1,
            }
            terms.push(term);
        }
        let mut stack: Vec<Self> = Vec::new();
        for term in terms.into_iter().rev() {
            let whole = match term {
                Term::Whole(expression) => expression,
                Term::Joined(join) => match (stack.pop(), stack.pop()) {
                    (Some(second), Some(first)) => Self::join(join, first, second),
                    _ => return Err(MISPLACED),
                },
            };
            stack.push(whole);
        }
        stack.pop().ok_or(MISPLACED)
    }

    /// What parsing both texts with a blank between them gives: it joins the last alternative to the first one.
    pub(super) fn beside(&self, other: &Self) -> Self {
        let (mut before, mut after) = (self.clone().alternatives(), other.clone().alternatives());
        if let (Some(last), Some(first)) = (before.pop_back(), after.pop_front()) {
            before.push_back(Self::join(Join::And, last, first));
        }
        before.append(&mut after);
        match before.pop_front() {
            Some(only) if before.is_empty() => only,
            Some(first) => {
                before.push_front(first);
                Self::Any(before)
            }
            None => Self::any(),
        }
    }

    pub(super) fn matches(&self, version: &ComponentVersion) -> bool {
        self.matches_loose(&LooseVersion::of(version))
    }

    fn matches_loose(&self, version: &LooseVersion) -> bool {
        match self {
            Self::Any(alternatives) => alternatives.iter().any(|e| e.matches_loose(version)),
            Self::Both(first, second) => first.matches_loose(version) && second.matches_loose(version),
            Self::All(bounds) => {
                bounds.iter().all(|b| b.holds(version))
                    && (bounds.len() == 1
                        || version.prerelease.is_empty()
                        || bounds.iter().any(|b| !b.bound.prerelease.is_empty() && b.bound.same_numbers(version)))
            }
        }
    }

    fn one(operator: Operator, bound: LooseVersion) -> Self {
        Self::All(VecDeque::from([Comparison { operator, bound }]))
    }

    fn between(lower: LooseVersion, operator: Operator, upper: LooseVersion) -> Self {
        let lower = Comparison { operator: Operator::GreaterOrEqual, bound: lower };
        Self::All(VecDeque::from([lower, Comparison { operator, bound: upper }]))
    }

    fn join(join: Join, first: Self, second: Self) -> Self {
        match (join, first, second) {
            (Join::And, Self::All(first), Self::All(second)) => Self::All(chained(first, second)),
            (Join::And, first, second) => Self::Both(Box::new(first), Box::new(second)),
            (Join::Or, first, second) => Self::Any(chained(first.alternatives(), second.alternatives())),
        }
    }

    fn alternatives(self) -> VecDeque<Self> {
        match self {
            Self::Any(alternatives) => alternatives,
            other => VecDeque::from([other]),
        }
    }

    /// A version without an operator.
    fn plain(text: &str) -> Result<Self, Fault> {
        if matches!(text, "*" | "latest") {
            return Ok(Self::any());
        }
        let version = LooseVersion::parse(text, Spelling::Wildcards)?;
        match (version.minor, version.patch) {
            (Some(_), Some(_)) => Ok(Self::one(Operator::Equal, version)),
            _ => Self::tilde(&version),
        }
    }

    fn tilde(version: &LooseVersion) -> Result<Self, Fault> {
        let place = if version.minor.is_some() { Place::Minor } else { Place::Major };
        let next = LooseVersion::of_numbers(version.major, version.minor.unwrap_or(0), 0).raised(place)?;
        Ok(Self::between(version.filled(), Operator::Less, next))
    }

    fn caret(version: &LooseVersion) -> Result<Self, Fault> {
        let up = |n: i32| n.checked_add(1).ok_or("a number in it is too large");
        let (major, minor, patch) = match (version.major, version.minor, version.patch) {
            (0, None, _) => (1, 0, 0),
            (0, Some(0), None) => (0, 1, 0),
            (0, Some(0), Some(patch)) => (0, 0, up(patch)?),
            (0, Some(minor), _) => (0, up(minor)?, 0),
            (major, _, _) => (up(major)?, 0, 0),
        };
        Ok(Self::between(version.filled(), Operator::Less, LooseVersion::of_numbers(major, minor, patch)))
    }

    fn hyphen(lower: &str, upper: &str) -> Result<Self, Fault> {
        let lower = LooseVersion::parse(lower, Spelling::Wildcards)?.filled();
        let upper = LooseVersion::parse(upper, Spelling::Wildcards)?;
        let (operator, upper) = match (upper.minor, upper.patch) {
            (Some(_), Some(_)) => (Operator::LessOrEqual, upper),
            (None, _) => (Operator::Less, upper.filled().raised(Place::Major)?),
            (Some(_), None) => (Operator::Less, upper.filled().raised(Place::Minor)?),
        };
        Ok(Self::between(lower, operator, upper))
    }
}

impl Comparison {
    fn holds(&self, version: &LooseVersion) -> bool {
        let greater = || version.is_greater_than(&self.bound);
        let equal = || version.is_equivalent_to(&self.bound);
        match self.operator {
            Operator::Equal => equal(),
            Operator::Less => !greater() && !equal(),
            Operator::LessOrEqual => !greater() || equal(),
            Operator::Greater => greater(),
            Operator::GreaterOrEqual => greater() || equal(),
        }
    }
}

/// Chains two queues, moving the shorter one.
fn chained<T>(mut first: VecDeque<T>, mut second: VecDeque<T>) -> VecDeque<T> {
    if first.len() < second.len() {
        while let Some(item) = first.pop_back() {
            second.push_front(item);
        }
        second
    } else {
        first.append(&mut second);
        first
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Join {
    And,
    Or,
}

/// A piece of the requirement, read from its end.
enum Term {
    Whole(Expression),
    Joined(Join),
}

impl Term {
    fn take(rest: &mut impl Iterator<Item = Token>) -> Result<Self, Fault> {
        let version = |rest: &mut dyn Iterator<Item = Token>| match rest.next() {
            Some(Token::Version(text)) => Ok(text),
            _ => Err(MISPLACED),
        };
        Ok(match rest.next() {
            Some(Token::Version(text)) => Self::Whole(Expression::plain(&text)?),
            Some(Token::Hyphen) => {
                let upper = version(rest)?;
                Self::Whole(Expression::hyphen(&version(rest)?, &upper)?)
            }
            Some(Token::Unary(operator)) => Self::Whole(operator.applied_to(&version(rest)?)?),
            Some(Token::And) => Self::Joined(Join::And),
            Some(Token::Or) => Self::Joined(Join::Or),
            Some(Token::Open | Token::Close) => return Err("its parentheses do not match"),
            None => return Err(MISPLACED),
        })
    }
}

impl Unary {
    fn applied_to(self, text: &str) -> Result<Expression, Fault> {
        let operator = match self {
            Self::Tilde => return Expression::tilde(&LooseVersion::parse(text, Spelling::Wildcards)?),
            Self::Caret => return Expression::caret(&LooseVersion::parse(text, Spelling::Wildcards)?),
            Self::Equal => Operator::Equal,
            Self::Less => Operator::Less,
            Self::LessOrEqual => Operator::LessOrEqual,
            Self::Greater => Operator::Greater,
            Self::GreaterOrEqual => Operator::GreaterOrEqual,
        };
        Ok(Expression::one(operator, LooseVersion::parse(text, Spelling::Numbers)?))
    }
}

/// `1.0.0-beta` came apart at its hyphen: what follows a hyphen and is no version is a pre-release.
fn with_prereleases(tokens: Vec<Token>) -> Vec<Token> {
    let mut whole: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let Token::Version(version) = token else {
            whole.push(token);
            continue;
        };
        if rest.next_if_eq(&Token::Hyphen).is_none() {
            whole.push(Token::Version(version));
            continue;
        }
        let is_tag = |t: &Token| matches!(t, Token::Version(v) if LooseVersion::parse(v, Spelling::Wildcards).is_err());
        match rest.next_if(is_tag) {
            Some(Token::Version(tag)) => whole.push(Token::Version(format!("{version}-{tag}"))),
            _ => whole.extend([Token::Version(version), Token::Hyphen]),
        }
    }
    whole
}

/// OR binds least: each side of it is a parenthesis.
fn with_parentheses(tokens: Vec<Token>) -> Vec<Token> {
    let mut whole = vec![Token::Open];
    for token in tokens {
        match token {
            Token::Or => whole.extend([Token::Close, Token::Or, Token::Open]),
            other => whole.push(other),
        }
    }
    whole.push(Token::Close);
    whole
}

/// Operators after their operands. All binary ones bind alike and to the right.
fn to_postfix(tokens: Vec<Token>) -> Result<Vec<Token>, Fault> {
    let mut output = Vec::with_capacity(tokens.len());
    let mut waiting = Vec::new();
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        match token {
            Token::Version(_) => output.push(token),
            Token::Unary(_) => {
                output.push(rest.next().ok_or(MISPLACED)?);
                output.push(token);
            }
            Token::Close => loop {
                match waiting.pop() {
                    Some(Token::Open) => break,
                    Some(operator) => output.push(operator),
                    None => return Err("its parentheses do not match"),
                }
            },
            operator => waiting.push(operator),
        }
    }
    output.extend(waiting.into_iter().rev());
    Ok(output)
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(bounds) => {
                for (index, bound) in bounds.iter().enumerate() {
                    let blank = if index == 0 { "" } else { " " };
                    write!(f, "{blank}{}{}", bound.operator.as_str(), bound.bound.as_str())?;
                }
                Ok(())
            }
            Self::Any(alternatives) => {
                for (index, alternative) in alternatives.iter().enumerate() {
                    let or = if index == 0 { "" } else { " || " };
                    write!(f, "{or}{alternative}")?;
                }
                Ok(())
            }
            Self::Both(first, second) => write!(f, "{first} {second}"),
        }
    }
}

impl Operator {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

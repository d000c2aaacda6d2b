//! The report of the fault matrix: each test says in one line what it did; `tests/ota/matrix.sh` makes a table of them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// One row, while its cases run.
#[derive(Debug)]
pub struct Row {
    id: &'static str,
    fault: String,
    seed: u64,
    start: Instant,
    /// Of cases that ran among those of other rows.
    spent: Option<Duration>,
    cases: u64,
    violations: Vec<String>,
}

impl Row {
    pub fn new(id: &'static str, fault: impl Into<String>, seed: u64) -> Self {
        Self { id, fault: fault.into(), seed, start: Instant::now(), spent: None, cases: 0, violations: Vec::new() }
    }

    /// Of cases that ran before.
    pub fn of(
        id: &'static str,
        fault: impl Into<String>,
        seed: u64,
        cases: Vec<(Result<(), String>, Duration)>,
    ) -> Self {
        let mut row = Self::new(id, fault, seed);
        row.spent = Some(cases.iter().map(|(_, spent)| *spent).sum());
        for (outcome, _) in cases {
            row.case(outcome);
        }
        row
    }

    /// Runs so many cases, several of them at once.
    pub fn run(&mut self, count: u64, jobs: usize, case: impl Fn(u64) -> Result<(), String> + Sync) {
        for outcome in at_once(count, jobs, case) {
            self.case(outcome);
        }
    }

    pub fn case(&mut self, outcome: Result<(), String>) {
        self.cases += 1;
        if let Err(why) = outcome {
            println!("{} {}, case {}: {why}", self.id, self.fault, self.cases);
            self.violations.push(why);
        }
    }

    pub fn cases(&mut self, count: u64, violations: Vec<String>) {
        self.cases += count;
        self.violations.extend(violations);
    }

    /// Says the line. The test goes on, so that the report is whole; [`verdict`] ends it.
    pub fn end(self) {
        let Self { id, fault, seed, start, spent, cases, violations } = self;
        let seconds = spent.unwrap_or_else(|| start.elapsed()).as_secs();
        println!("fault-matrix | {id} | {fault} | {cases} | {} | {seconds} | {seed} |", violations.len());
        let violations = violations.into_iter().map(|why| format!("{id} {fault}, seed {seed}: {why}"));
        VIOLATIONS.with_borrow_mut(|all| all.extend(violations));
    }
}

thread_local! {
    static VIOLATIONS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Fails the test if an oracle did not hold in any of its rows.
pub fn verdict() {
    VIOLATIONS.with_borrow(|all| assert!(all.is_empty(), "{}", all.join("\n")));
}

/// `FAULTS=300` asks for so many of each kind; without it there are a few.
pub fn wanted() -> Option<u64> {
    std::env::var("FAULTS").ok().and_then(|text| text.parse().ok())
}

/// How many machines to run at once: one for each processor, unless `JOBS=1` says otherwise.
pub fn jobs() -> usize {
    let said = std::env::var("JOBS").ok().and_then(|text| text.parse().ok());
    said.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get)).max(1)
}

/// Does so many things, several of them at once; what came of them is in their order.
pub fn at_once<T: Send>(count: u64, jobs: usize, one: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let outcome = one(number);
            done.lock().unwrap().push((number, outcome));
        }
    };
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// `SEED=5` picks others.
pub fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7)
}

/// Xorshift: the same faults each time.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub fn share(&mut self) -> f64 {
        (self.next() % 1_000_000) as f64 / 1e6
    }
}

//! The filters of all subscriptions as one tree of levels.
//!
//! Nodes lie in one vector and know each other by index: no recursion, so a deep filter cannot exhaust the stack, and
//! a node costs its level and two short lists. A topic has no `+` and no `#`, so these are children like any other.

use crate::wire::topic::{Topic, TopicFilter};

/// Entries by filter. A node without entries and children does not stay.
#[derive(Debug)]
pub(super) struct Trie<T> {
    /// The first is the root.
    nodes: Vec<Node<T>>,
    /// Nodes that may be used again.
    free: Vec<Place>,
    length: usize,
}

/// Where an entry hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

#[derive(Debug)]
struct Node<T> {
    parent: Place,
    level: Box<str>,
    /// In order of their levels.
    children: Vec<Place>,
    /// In order of their arrival.
    entries: Vec<T>,
}

const ROOT: Place = Place(0);

impl<T> Trie<T> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::new(ROOT, "")], free: Vec::new(), length: 0 }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn insert(&mut self, filter: &TopicFilter, entry: T) -> Place {
        let mut at = ROOT;
        for level in filter.levels() {
            at = match self.find(at, level) {
                Ok(index) => self.node(at).children[index],
                Err(index) => self.grow(at, level, index),
            };
        }
        let entries = &mut self.node_mut(at).entries;
        if entries.is_empty() {
            // Most filters have one subscriber.
            entries.reserve_exact(1);
        }
        entries.push(entry);
        self.length += 1;
        at
    }

    /// Takes out the first entry at a place that is the one; gives it back, to be dropped where it suits.
    pub(super) fn remove(&mut self, place: Place, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let entries = &mut self.node_mut(place).entries;
        let entry = entries.remove(entries.iter().position(is_it)?);
        self.length -= 1;
        if self.length == 0 {
            // Nobody listens: give the memory of busier times back.
            *self = Self::new();
        } else {
            self.prune(place);
        }
        Some(entry)
    }

    /// Every entry whose filter matches; each once.
    pub(super) fn matching<'a>(&'a self, topic: &Topic, mut found: impl FnMut(&'a T)) {
        let mut here = vec![ROOT];
        let mut next = Vec::new();
        for level in topic.levels() {
            for at in here.drain(..) {
                let wanted = [level, TopicFilter::ONE_LEVEL, TopicFilter::ALL_LEVELS];
                for child in wanted.into_iter().filter_map(|wanted| self.child(at, wanted)) {
                    next.push(child);
                    if &*self.node(child).level == TopicFilter::ALL_LEVELS {
                        self.node(child).entries.iter().for_each(&mut found);
                    }
                }
            }
            std::mem::swap(&mut here, &mut next);
            if here.is_empty() {
                return;
            }
        }
        for at in here.into_iter().map(|at| self.node(at)).filter(|at| &*at.level != TopicFilter::ALL_LEVELS) {
            at.entries.iter().for_each(&mut found);
        }
    }

    fn child(&self, of: Place, level: &str) -> Option<Place> {
        self.find(of, level).ok().map(|index| self.node(of).children[index])
    }

    /// The index among the children of a node, or where it would be.
    fn find(&self, of: Place, level: &str) -> Result<usize, usize> {
        self.node(of).children.binary_search_by(|child| (*self.node(*child).level).cmp(level))
    }

    fn grow(&mut self, parent: Place, level: &str, index: usize) -> Place {
        let node = Node::new(parent, level);
        let place = if let Some(free) = self.free.pop() {
            *self.node_mut(free) = node;
            free
        } else {
            let place = Place(u32::try_from(self.nodes.len()).expect("memory ends before four billion nodes"));
            self.nodes.push(node);
            place
        };
        let children = &mut self.node_mut(parent).children;
        if children.is_empty() {
            children.reserve_exact(1);
        }
        children.insert(index, place);
        place
    }

    /// Gives back a node that holds nothing any more, and those above that held nothing else.
    fn prune(&mut self, mut at: Place) {
        while at != ROOT && self.node(at).children.is_empty() && self.node(at).entries.is_empty() {
            let parent = self.node(at).parent;
            if let Ok(index) = self.find(parent, &self.node(at).level) {
                self.node_mut(parent).children.remove(index);
            }
            *self.node_mut(at) = Node::new(ROOT, "");
            self.free.push(at);
            at = parent;
        }
    }

    fn node(&self, place: Place) -> &Node<T> {
        &self.nodes[place.0 as usize]
    }

    fn node_mut(&mut self, place: Place) -> &mut Node<T> {
        &mut self.nodes[place.0 as usize]
    }
}

impl<T> Node<T> {
    fn new(parent: Place, level: &str) -> Self {
        Self { parent, level: level.into(), children: Vec::new(), entries: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers each time: xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % end as u64).unwrap()
        }

        /// Few words, so that much matches.
        fn path(&mut self, words: &[&str]) -> String {
            let levels = 1 + self.below(5);
            let path: Vec<_> = (0..levels).map(|_| words[self.below(words.len())]).collect();
            path.join("/")
        }
    }

    fn found(trie: &Trie<usize>, topic: &Topic) -> Vec<usize> {
        let mut found = Vec::new();
        trie.matching(topic, |entry| found.push(*entry));
        found.sort_unstable();
        found
    }

    #[test]
    fn trie_finds_what_the_filters_match() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut trie = Trie::new();
        let mut known: Vec<(usize, TopicFilter, Place)> = Vec::new();
        let mut hits = 0;
        for step in 0..5_000 {
            if known.len() < 200 && random.below(2) == 0 {
                let Ok(filter) = TopicFilter::parse(random.path(&["a", "b", "c", "", "+", "+", "#", "a+"])) else {
                    continue;
                };
                let place = trie.insert(&filter, step);
                known.push((step, filter, place));
            } else if !known.is_empty() && random.below(2) == 0 {
                let (entry, _, place) = known.swap_remove(random.below(known.len()));
                assert_eq!(trie.remove(place, |other| *other == entry), Some(entry));
            }
            let Ok(topic) = Topic::parse(random.path(&["a", "b", "c", "", "$d"])) else { continue };
            let mut expected: Vec<_> =
                known.iter().filter(|(_, filter, _)| filter.matches(&topic)).map(|(entry, ..)| *entry).collect();
            expected.sort_unstable();
            assert_eq!(found(&trie, &topic), expected, "{topic}");
            assert_eq!(trie.len(), known.len());
            hits += expected.len();
        }
        assert!(hits > 5_000, "the words must match often enough to prove something: {hits}");
        for (entry, _, place) in known {
            assert_eq!(trie.remove(place, |other| *other == entry), Some(entry));
        }
        assert_eq!((trie.len(), trie.nodes.len(), trie.free.len()), (0, 1, 0));
    }

    #[test]
    fn trie_keeps_no_node_that_holds_nothing() {
        let mut trie = Trie::new();
        let filter = |text: &str| TopicFilter::parse(text).unwrap();
        trie.insert(&filter("a"), 0);
        let deep = trie.insert(&filter("a/b/c/d"), 1);
        assert_eq!(trie.nodes.len(), 5);
        assert_eq!(trie.remove(deep, |entry| *entry == 7), None);
        assert_eq!(trie.remove(deep, |entry| *entry == 1), Some(1));
        assert_eq!(trie.free.len(), 3);
        trie.insert(&filter("a/x/y/z"), 2);
        assert_eq!((trie.nodes.len(), trie.free.len()), (5, 0), "nodes are used again");
    }

    #[test]
    fn trie_of_ten_thousand_filters_is_small() {
        let mut trie = Trie::new();
        for client in 0..1000 {
            for number in 0..10 {
                trie.insert(&TopicFilter::parse(format!("clients/{client}/inbox/{number}")).unwrap(), client);
            }
        }
        assert_eq!(trie.len(), 10_000);
        assert_eq!(trie.nodes.len(), 1 + 1 + 1000 + 1000 + 10_000);
        assert_eq!(found(&trie, &Topic::parse("clients/77/inbox/3").unwrap()), [77]);
        let bytes = trie.nodes.len() * size_of::<Node<usize>>();
        assert!(bytes / trie.len() < 128, "nodes cost {} bytes for each subscription", bytes / trie.len());
    }
}

//! Owner of the configuration tree: merges, makes durable, tells who watches.

//! The kernel interface: the only crate with `unsafe`, and it knows no product word.
//!
//! A function here is one system call or one well-known idiom, and names its man page.

//! The parameter tree.

pub mod facts;

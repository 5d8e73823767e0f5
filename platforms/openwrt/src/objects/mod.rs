//! The objects of the tree, one module each. How to add one: see the crate's first page.

use std::rc::Rc;

use crate::part::Parts;

mod dhcpv4_pool;
mod ip;
mod time;

/// All of them.
pub(crate) fn parts() -> Parts {
    vec![Rc::new(time::Time), Rc::new(ip::Ip), Rc::new(dhcpv4_pool::Pool)]
}

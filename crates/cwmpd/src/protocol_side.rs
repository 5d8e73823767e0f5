//! The protocol side as the box sees it: orders for the network, and whether the other side is there.

use std::rc::Rc;

use tokio::sync::mpsc;

use crate::border::{Done, Down, Order, Waiting};

/// Orders network work.
#[derive(Clone)]
pub(crate) struct ProtocolSide {
    down: mpsc::UnboundedSender<Down>,
    orders: Rc<Waiting<Done>>,
}

impl ProtocolSide {
    pub(crate) fn new(down: mpsc::UnboundedSender<Down>) -> Self {
        Self { down, orders: Waiting::new() }
    }

    /// Sends this, if there is anybody to take it.
    pub(crate) fn tell(&self, down: Down) {
        self.down.send(down).ok();
    }

    /// How an order ended; `None` when the protocol side is gone. When the future is dropped, the order is withdrawn.
    pub(crate) async fn order(&self, order: Order) -> Option<Done> {
        let ticket = self.orders.call();
        let mut withdrawn = Withdrawn { side: self, number: Some(ticket.number) };
        let mut ticket = ticket;
        self.tell(Down::Order(ticket.number, order));
        let done = ticket.answer().await;
        withdrawn.number = None;
        done
    }

    /// The answer to an order has come.
    pub(crate) fn done(&self, number: u32, done: Done) {
        self.orders.answer(number, done);
    }

    /// Nothing comes any more: all orders have failed, and further ones fail at once.
    pub(crate) fn gone(&self) {
        self.orders.close();
    }
}

/// Withdraws an order whose end nobody waits for.
struct Withdrawn<'a> {
    side: &'a ProtocolSide,
    number: Option<u32>,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.side.tell(Down::Cancel(number));
        }
    }
}
